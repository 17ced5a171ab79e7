"""DenseVLAD: its parts in a row, and its explanation."""

import numpy as np
import pytest
import torch

from course_utils.retrieval import VLAD, DenseRootSIFT, DenseVLAD, PCAWhitening

IMAGES = torch.randint(0, 256, (9, 3, 32, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def fitted(**parameters):
    return DenseVLAD(vlad=VLAD(4), **parameters).fit(IMAGES, random_state=0)


def test_describe_is_sift_then_vlad():
    model = fitted()
    expected = model.vlad.transform(model.sift.describe(IMAGES))
    np.testing.assert_array_equal(model.describe(IMAGES), expected)
    np.testing.assert_allclose(np.linalg.norm(expected, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(model.describe(IMAGES[0]), model.describe(IMAGES[:1]))


def test_whitening_is_applied_last():
    model = fitted(whitening=PCAWhitening(3, shrinkage="oas"))
    v = model.describe(IMAGES)
    assert v.shape == (9, 3) and v.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(v, axis=1), 1, rtol=1e-5)


def test_the_same_seed_gives_the_same_codebook_and_the_vlads_own_seed_is_kept():
    one, two = fitted(), fitted()
    np.testing.assert_array_equal(one.vlad.cluster_centers_, two.vlad.cluster_centers_)
    assert one.vlad.random_state is None


@pytest.mark.parametrize("normalization", ["intra", "l2"])
def test_the_explanation_sums_to_the_similarity(normalization):
    model = DenseVLAD(vlad=VLAD(4, normalization=normalization)).fit(IMAGES, random_state=0)
    image = IMAGES[0].clone()
    image[:, :, :20] = 128  # flat patches must count for nothing
    parts = model.explain(image, IMAGES[1])
    v = model.describe(torch.stack([image, IMAGES[1]])).astype(float)
    assert parts.similarity == pytest.approx(v[0] @ v[1], abs=1e-5)
    for piece in (parts.query, parts.database, parts.per_cluster):
        assert piece.sum() == pytest.approx(parts.similarity, abs=1e-10)
    assert parts.query_grid == model.sift(image).grid
    invalid = ~model.sift(image).valid[0].numpy()
    assert invalid.any() and not parts.query[invalid].any()


def test_an_image_without_contrast_is_described_by_zeros():
    assert not fitted().describe(torch.zeros(3, 32, 40, dtype=torch.uint8)).any()


def test_no_images_give_no_rows():
    assert fitted().describe(IMAGES[:0]).shape == (0, 512)


def test_what_cannot_be_explained_is_refused_in_words():
    with pytest.raises(ValueError, match="Explain the model without it"):
        fitted(whitening=PCAWhitening(3, shrinkage="oas")).explain(IMAGES[0], IMAGES[1])
    with pytest.raises(ValueError, match="'intra' or 'l2' to explain"):
        DenseVLAD(vlad=VLAD(4, normalization="ssr")).fit(IMAGES, random_state=0).explain(IMAGES[0], IMAGES[1])


def test_flat_training_images_are_too_few_descriptors_for_a_codebook():
    with pytest.raises(ValueError, match="at least `n_clusters` = 4 descriptors, but got 0"):
        DenseVLAD(vlad=VLAD(4)).fit(torch.zeros(3, 3, 32, 40, dtype=torch.uint8))


def test_the_pipeline_prints_its_parts():
    assert repr(DenseVLAD(DenseRootSIFT(cell=6), VLAD(32))).startswith("DenseVLAD(DenseRootSIFT(cell=6")
