"""From maps to local features: pyramid, selection, key points, suppression, PCA, and images that give trouble."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import nn

from course_utils.retrieval import DELF, UniformAttention
from course_utils.retrieval.delf_extraction import SCALES, learn_pca, pyramid_sizes
from course_utils.training import OrientedBackbone


def network(seed=0, **options):
    g = torch.Generator().manual_seed(seed)
    return DELF(OrientedBackbone(6, n_free=0, width=14, generator=g), 3, **({"hidden": 5, "generator": g} | options))


def some_images(n=3, height=40, width=56, seed=0):
    return torch.randint(0, 256, (n, 3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def test_the_pyramid_has_seven_scales_a_root_of_two_apart():
    np.testing.assert_allclose(np.diff(np.log2(SCALES)), 0.5, atol=1e-3)
    assert (len(SCALES), min(SCALES), max(SCALES)) == (7, 0.25, 2.0)


def test_every_cell_of_every_scale_is_a_feature_when_nothing_is_selected():
    delf, image = network(), some_images(1)[0]
    features = delf.extract(image, max_features=10**6)
    cells = sum((h // 4) * (w // 4) for _, (h, w) in pyramid_sizes((40, 56), SCALES, 4))
    assert len(features) == cells
    assert features.size == (40, 56)
    assert (np.diff(features.scores) <= 0).all()
    assert set(np.unique(features.scales)) == {np.float32(scale) for scale in SCALES}


def test_descriptors_and_scores_are_those_of_the_network():
    delf, image = network(), some_images(1)[0]
    features = delf.extract(image, scales=(1.0,), max_features=10**6)
    maps = delf.in_parts(delf.maps, image[None])
    scores = delf.score_maps(image[None])[0].ravel()
    order = np.argsort(-scores, kind="stable")
    np.testing.assert_allclose(features.scores, scores[order], rtol=1e-5)
    rows = maps[0].flatten(1).T.numpy()[order]
    np.testing.assert_allclose(features.descriptors, rows / np.linalg.norm(rows, axis=1, keepdims=True), atol=1e-5)
    np.testing.assert_allclose(features.points, delf.receptive_field.centers(10, 14)[order], atol=1e-5)


def test_key_points_of_a_scale_are_those_of_the_small_image_divided_by_the_scale():
    delf, image = network(), some_images(1, 48, 64)[0]
    half = delf.extract(image, scales=(0.5,), max_features=10**6)
    small = delf.receptive_field.centers(6, 8)
    expected = {tuple(point) for point in (small / 0.5).round(3).tolist()}
    assert {tuple(point) for point in half.points.round(3).tolist()} == expected
    assert (half.boxes[:, 2] - half.boxes[:, 0] == delf.receptive_field.size / 0.5).all()


def test_key_points_use_the_true_ratio_where_a_scaled_side_was_rounded():
    delf, image = network(), some_images(1, 41, 57)[0]
    features = delf.extract(image, scales=(0.5,), max_features=10**6)
    x, y = delf.receptive_field.centers(1, 1)[0]
    centre = np.float32([x * 57 / 28, y * 41 / 20])  # round(28.5) is 28, round(20.5) is 20
    assert np.abs(features.points - centre).sum(1).min() < 1e-4


def test_batches_give_what_single_images_give_and_sizes_may_be_mixed():
    delf = network()
    images = [*some_images(3), *some_images(2, 32, 32, seed=1), some_images(1)[0]]
    together = delf.extract(images, batch_size=2, max_features=50)
    for image, features in zip(images, together):
        alone = delf.extract(image, max_features=50)
        np.testing.assert_allclose(np.sort(features.scores), np.sort(alone.scores), rtol=1e-4)
        assert features.size == tuple(image.shape[1:])
    assert together[0].equals(together[5])
    assert len(delf.extract(some_images(2))) == 2


def test_scales_at_which_the_image_is_smaller_than_a_cell_are_left_out():
    features = network().extract(some_images(1, 12, 100)[0], max_features=10**6)
    assert features.scales.min() == np.float32(0.3536)  # round(12 * 0.25) = 3 pixels, less than the stride of 4
    with pytest.raises(ValueError, match="`images` must be large enough for one of the scales: 4 pixels"):
        network().extract(some_images(1, 3, 100)[0], scales=(0.5, 1.0))


def test_the_best_by_score_are_kept():
    delf, image = network(), some_images(1)[0]
    everything = delf.extract(image, max_features=10**6)
    np.testing.assert_array_equal(delf.extract(image, max_features=17).scores, everything.scores[:17])
    tenth = delf.extract(image, quantile=0.9, max_features=10**6)
    assert abs(len(tenth) - len(everything) / 10) <= 1
    threshold = float(everything.scores[20])
    above = delf.extract(image, threshold=threshold, max_features=10**6)
    assert len(above) == 21
    assert not above.below_threshold


def test_a_threshold_that_nothing_passes_is_halved_and_flagged():
    delf, image = network(), some_images(1)[0]
    best = float(delf.extract(image).scores.max())
    lowered = delf.extract(image, threshold=1.5 * best, max_features=10**6)
    assert lowered.below_threshold
    assert lowered.scores.min() >= 0.75 * best
    hopeless = delf.extract(image, threshold=1e6 * best)
    assert hopeless.below_threshold
    assert len(hopeless) >= 1
    assert hopeless.scores[0] == np.float32(best)


def reference_suppression(boxes, scores, iou):
    """Keep the best box, drop all that overlap it too much, repeat."""
    left, kept = list(np.argsort(-scores, kind="stable")), []
    while left:
        best = left.pop(0)
        kept.append(best)
        left = [i for i in left if overlap(boxes[best], boxes[i]) <= iou]
    return kept


def overlap(a, b):
    width, height = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = max(width, 0) * max(height, 0)
    return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)


@pytest.mark.parametrize("iou", [0.15, 0.41, 0.7])
def test_suppression_over_all_scales_is_the_greedy_rule_written_out(iou):
    delf, image = network(), some_images(1)[0]
    everything = delf.extract(image, max_features=10**6, scales=(0.5, 1.0))
    kept = reference_suppression(everything.boxes.astype(float), everything.scores, iou)
    suppressed = delf.extract(image, max_features=10**6, scales=(0.5, 1.0), iou=iou)
    assert suppressed.equals(everything[kept])
    assert len(suppressed) < len(everything)


def test_equal_scores_are_ordered_by_scale_then_row_by_row():
    features = network(attention=UniformAttention()).extract(some_images(1, 16, 16)[0], scales=(0.5, 1.0), max_features=9)
    assert features.scales.tolist() == [0.5] * 4 + [1.0] * 5
    np.testing.assert_allclose(features.points[:4], 2 * np.float32([[2, 2], [6, 2], [2, 6], [6, 6]]))
    again = network(attention=UniformAttention()).extract(some_images(1, 16, 16)[0], scales=(0.5, 1.0), max_features=9)
    assert features.equals(again)


def test_a_grey_image_is_its_channel_three_times():
    grey = some_images(1)[0, :1]
    delf = network()
    assert delf.extract(grey).equals(delf.extract(grey.repeat(3, 1, 1)))


class Blind(nn.Module):
    dim = 4

    def forward(self, x):
        return torch.nn.functional.max_pool2d(x, 4)[:, :1].repeat(1, 4, 1, 1)


def test_cells_without_a_direction_are_no_features():
    delf = DELF(Blind(), 2, normalize=lambda images: images.float())
    image = torch.zeros(3, 16, 16, dtype=torch.uint8)
    nothing = delf.extract(image, scales=(1.0,))
    assert len(nothing) == 0
    assert nothing.descriptors.shape == (0, 4)
    image[0, 2, 2] = 255
    assert len(delf.extract(image, scales=(1.0,))) == 1


def test_a_constant_image_gives_features_without_nan():
    features = network().extract(torch.full((3, 32, 32), 90, dtype=torch.uint8))
    assert np.isfinite(features.descriptors).all()


# ---------------------------------------------------------------------------------------------- PCA


def test_pca_is_the_one_of_scikit_learn_up_to_signs_and_has_orthonormal_rows():
    delf, images = network(), some_images(4)
    pca = learn_pca(delf, images, 3, per_image=60)
    vectors = np.concatenate([one.descriptors for one in delf.extract(images, max_features=60)])
    theirs = PCA(3, svd_solver="full").fit(vectors)
    np.testing.assert_allclose(pca.components_ @ pca.components_.T, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(np.abs((pca.components_ * theirs.components_).sum(1)), 1, atol=1e-5)
    np.testing.assert_allclose(pca.explained_variance_, theirs.explained_variance_, rtol=1e-4)


def test_the_error_of_the_reconstruction_is_the_sum_of_the_dropped_variances():
    delf, images = network(), some_images(4)
    vectors = np.concatenate([one.descriptors for one in delf.extract(images, max_features=60)]).astype(np.float64)
    pca, full = learn_pca(delf, images, 2, per_image=60), np.linalg.eigvalsh(np.cov(vectors.T))
    projected = (vectors - pca.mean_) @ pca.components_.T @ pca.components_ + pca.mean_
    error = ((vectors - projected) ** 2).sum() / (len(vectors) - 1)
    assert error == pytest.approx(full[:-2].sum(), rel=1e-5)


def test_extracted_descriptors_pass_through_the_pca_and_end_with_unit_length():
    delf, images = network(), some_images(3)
    plain = delf.extract(images, max_features=30)
    assert delf.fit_pca(images, 4, per_image=30) is delf
    short = delf.extract(images, max_features=30)
    for a, b in zip(plain, short):
        projected = (a.descriptors - delf.pca.mean_) @ delf.pca.components_.T
        np.testing.assert_allclose(b.descriptors, projected / np.linalg.norm(projected, axis=1, keepdims=True), atol=1e-5)
        np.testing.assert_array_equal(a.points, b.points)


def test_learning_again_starts_from_the_unprojected_descriptors():
    delf, images = network(), some_images(3)
    first = delf.fit_pca(images, 4, per_image=30).pca
    second = delf.fit_pca(images, 5, per_image=30).pca
    np.testing.assert_allclose(second.components_[:4], first.components_)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"max_features": 0}, "`max_features` must be an integer of at least 1"),
        ({"threshold": -1.0}, "`threshold` must be a finite number of at least 0"),
        ({"quantile": 1.5}, "`quantile` must be a finite number between 0 and 1"),
        ({"iou": 0.0}, "`iou` must be a finite number above 0 and at most 1"),
        ({"scales": ()}, "`scales` must be at least one scale"),
        ({"scales": (0.0,)}, "`scales` must be a finite number above 0"),
        ({"batch_size": 0}, "`batch_size` must be an integer of at least 1"),
    ],
)
def test_bad_options_are_refused_by_name(options, text):
    with pytest.raises(ValueError, match=text):
        network().extract(some_images(1)[0], **options)


def test_bad_images_are_refused_by_name():
    with pytest.raises(ValueError, match=r"`images` must be of shape \(3, H, W\), one or several of them"):
        network().extract(torch.zeros(2, 8, 8))
    with pytest.raises(ValueError, match=r"`images` must be of shape \(3, H, W\), one or several of them"):
        network().extract([torch.zeros(1, 3, 8, 8)])
    with pytest.raises(TypeError, match=r"`images` must be a torch.Tensor"):
        network().extract([np.zeros((3, 8, 8))])
    with pytest.raises(ValueError, match="determine at most 6 directions"):
        network().fit_pca(some_images(), 40)
