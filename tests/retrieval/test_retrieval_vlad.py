"""VLAD against the double loop, its identities, and every promised error."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from course_utils.retrieval import VLAD, RegionVLAD, ResidualSums, multi_vlad_regions, normalize_vlad
from course_utils.retrieval.codebook import learn_codebook

RNG = np.random.default_rng(0)
C = RNG.normal(size=(5, 4))
IMAGES = [RNG.normal(size=(n, 4)) for n in (12, 0, 1, 30)]


def reference_sums(x, centers, anchors=None):
    """The definition: one descriptor and one centre at a time."""
    anchors = centers if anchors is None else anchors
    sums, counts = np.zeros(centers.shape), np.zeros(len(centers), int)
    for row in x:
        best = min(range(len(centers)), key=lambda k: (((row - centers[k]) ** 2).sum(), k))
        sums[best] += row - anchors[best]
        counts[best] += 1
    return sums, counts


def test_vlad_of_one_descriptor_is_its_residual():
    v = VLAD.from_centers([[0.0, 0.0], [4.0, 0.0]], normalization="none").transform([np.array([[3.0, 1.0]])])
    np.testing.assert_array_equal(v, [[0, 0, -1, 1]])
    assert v.dtype == np.float32


def test_residual_sums_equal_the_double_loop():
    raw = VLAD.from_centers(C).residual_sums(IMAGES)
    for b, image in enumerate(IMAGES):
        sums, counts = reference_sums(image, C)
        np.testing.assert_allclose(raw.sums[b], sums, atol=1e-10)
        np.testing.assert_array_equal(raw.counts[b], counts)


def test_many_images_in_one_product_give_what_they_give_alone(monkeypatch):
    monkeypatch.setattr("course_utils.retrieval.vlad.ROWS_AT_ONCE", 7)  # blocks end inside an image
    model = VLAD.from_centers(C, normalization="intra")
    together = model.transform(IMAGES)
    np.testing.assert_allclose(together, np.concatenate([model.transform([x]) for x in IMAGES]), atol=1e-6)


def test_the_order_of_the_vector_is_cluster_major():
    raw = VLAD.from_centers(C, normalization="none")
    v = raw.transform(IMAGES)
    np.testing.assert_allclose(v[3, 2 * 4 : 3 * 4], reference_sums(IMAGES[3], C)[0][2], rtol=1e-5)


def test_each_normalisation_is_its_formula():
    sums = RNG.normal(size=(3, 5, 4))
    flat = sums.reshape(3, -1)
    unit = lambda v: v / np.linalg.norm(v, axis=-1, keepdims=True)  # noqa: E731
    np.testing.assert_allclose(normalize_vlad(sums, "none"), flat, rtol=1e-6)
    np.testing.assert_allclose(normalize_vlad(sums, "l2"), unit(flat), rtol=1e-5)
    np.testing.assert_allclose(normalize_vlad(sums, "ssr"), unit(np.sign(flat) * np.sqrt(np.abs(flat))), rtol=1e-5)
    np.testing.assert_allclose(normalize_vlad(sums, "intra"), unit(unit(sums).reshape(3, -1)), rtol=1e-5)


def test_residual_normalisation_gives_every_descriptor_one_vote():
    x = IMAGES[0]
    assigned = ((x[:, None] - C) ** 2).sum(-1).argmin(1)
    residuals = (x - C[assigned]) / np.linalg.norm(x - C[assigned], axis=1, keepdims=True)
    expected = np.stack([residuals[assigned == k].sum(0) for k in range(5)]).ravel()
    v = VLAD.from_centers(C, normalization="residual").transform([x])[0]
    np.testing.assert_allclose(v, expected / np.linalg.norm(expected), atol=1e-6)


def test_power_law_tends_to_plain_and_to_signs():
    sums = RNG.normal(size=(2, 3, 4))
    sums[:, 1] = 0
    np.testing.assert_allclose(normalize_vlad(sums, "ssr", alpha=1.0), normalize_vlad(sums, "l2"), rtol=1e-6)
    np.testing.assert_allclose(normalize_vlad(sums, "ssr", alpha=0.0), np.sign(sums).reshape(2, -1) / np.sqrt(8), rtol=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6), n=st.integers(1, 25), normalization=st.sampled_from(["none", "l2", "ssr", "intra", "residual"])
)
def test_the_order_of_descriptors_does_not_matter(seed, n, normalization):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    model = VLAD.from_centers(C, normalization=normalization)
    np.testing.assert_allclose(model.transform([x]), model.transform([rng.permutation(x)]), atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(0, 25), cut=st.integers(0, 25))
def test_raw_sums_add_up_over_any_partition(seed, n, cut):
    x = np.random.default_rng(seed).normal(size=(n, 4))
    model = VLAD.from_centers(C)
    whole, parts = model.residual_sums([x]), model.residual_sums([x[:cut]]) + model.residual_sums([x[cut:]])
    np.testing.assert_allclose(parts.sums, whole.sums, atol=1e-10)
    np.testing.assert_array_equal(parts.counts, whole.counts)


def test_shifting_descriptors_and_centres_together_changes_nothing():
    shift = RNG.normal(size=4)
    moved = VLAD.from_centers(C + shift).residual_sums([IMAGES[0] + shift])
    np.testing.assert_allclose(moved.sums, VLAD.from_centers(C).residual_sums([IMAGES[0]]).sums, atol=1e-10)


def test_one_cluster_gives_n_times_the_mean_difference():
    x = IMAGES[3]
    raw = VLAD.from_centers(C[:1]).residual_sums([x])
    np.testing.assert_allclose(raw.sums[0, 0], len(x) * (x.mean(0) - C[0]), atol=1e-10)


def test_centres_at_the_images_own_means_give_zero():
    x = RNG.normal(size=(60, 4))
    fitted = KMeans(3, n_init=1, tol=0, max_iter=500, random_state=0).fit(x)
    assert np.abs(VLAD.from_centers(fitted.cluster_centers_).residual_sums([x]).sums).max() < 1e-10


def test_plain_vlad_ignores_repeating_the_whole_image():
    model = VLAD.from_centers(C, normalization="l2")
    np.testing.assert_allclose(model.transform([IMAGES[0]]), model.transform([np.tile(IMAGES[0], (5, 1))]), atol=1e-6)


def test_only_intra_normalisation_ignores_a_burst_of_one_word():
    x = IMAGES[0]
    assigned = ((x[:, None] - C) ** 2).sum(-1).argmin(1)
    word = np.bincount(assigned).argmax()
    burst = np.concatenate([x, np.tile(x[assigned == word], (20, 1))])
    change = {}
    for name in ("l2", "ssr", "intra"):
        a, b = VLAD.from_centers(C, normalization=name).transform([x, burst])
        change[name] = 1 - a @ b
    assert change["intra"] < 1e-6
    assert change["ssr"] > 0.01 and change["l2"] > 0.01


def test_centre_adaptation_moves_the_anchors_to_the_means_of_the_new_collection():
    data = [image + 0.3 for image in IMAGES]
    adapted = VLAD.from_centers(C).adapt(data)
    rows = np.concatenate(data)
    assigned = ((rows[:, None] - C) ** 2).sum(-1).argmin(1)
    for k in range(5):
        np.testing.assert_allclose(adapted.anchors_[k], rows[assigned == k].mean(0), atol=1e-10)
    np.testing.assert_array_equal(adapted.cluster_centers_, C)
    np.testing.assert_allclose(adapted.residual_sums(data).sums.sum(0), 0, atol=1e-9)


def test_rewriting_with_counts_equals_recomputing_with_the_new_anchors():
    model = VLAD.from_centers(C)
    adapted = model.adapt([IMAGES[3]])
    rewritten = model.residual_sums(IMAGES).rewritten(model.anchors_, adapted.anchors_)
    np.testing.assert_allclose(rewritten.sums, adapted.residual_sums(IMAGES).sums, atol=1e-10)


def test_a_word_without_descriptors_keeps_its_anchor():
    centers = np.array([[0.0, 0.0], [100.0, 100.0]])
    adapted = VLAD.from_centers(centers).adapt([np.array([[1.0, 0.0]])])
    np.testing.assert_array_equal(adapted.anchors_, [[1, 0], [100, 100]])


def test_several_assignments_add_the_residual_to_each_of_the_nearest():
    x = IMAGES[0]
    raw = VLAD.from_centers(C, n_assignments=2).residual_sums([x])
    expected = np.zeros_like(C)
    for row in x:
        for k in np.argsort(((row - C) ** 2).sum(1))[:2]:
            expected[k] += row - C[k]
    np.testing.assert_allclose(raw.sums[0], expected, atol=1e-10)
    assert raw.counts.sum() == 2 * len(x)


def test_an_empty_cluster_stays_exactly_zero_and_nothing_is_nan():
    for name in ("none", "l2", "ssr", "intra", "residual"):
        v = VLAD.from_centers([[0.0, 0.0], [9.0, 9.0]], normalization=name).transform([np.array([[1.0, 0.0]])])
        assert np.isfinite(v).all() and (v[0, 2:] == 0).all()


def test_an_image_without_descriptors_gives_zeros():
    for name in ("none", "l2", "ssr", "intra", "residual"):
        assert (VLAD.from_centers(C, normalization=name).transform([np.zeros((0, 4))]) == 0).all()


def test_descriptors_on_their_centre_give_zeros():
    for name in ("l2", "ssr", "intra", "residual"):
        assert (VLAD.from_centers(C, normalization=name).transform([np.repeat(C[:1], 3, axis=0)]) == 0).all()


def test_ties_and_duplicated_centres_go_to_the_lowest_index():
    duplicated = np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]], np.float32)
    counts = VLAD.from_centers(duplicated).residual_sums([np.array([[0.9, 0.1], [0.5, 0.0]])]).counts
    np.testing.assert_array_equal(counts, [[2, 0, 0]])


def test_fit_finds_well_separated_clusters():
    truth = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    images = [truth[RNG.integers(3, size=20)] + 0.1 * RNG.normal(size=(20, 2)) for _ in range(10)]
    model = VLAD(3, random_state=0).fit(images)
    found = model.cluster_centers_[np.lexsort(model.cluster_centers_.round().T)]
    np.testing.assert_allclose(found, truth[np.lexsort(truth.T)], atol=0.15)
    assert model.inertia_ < 0.05


def test_the_codebook_is_as_good_as_that_of_scikit_learn_from_the_same_sample():
    images = [RNG.normal(size=(40, 6)).astype(np.float32) for _ in range(20)]
    ours = VLAD(8, random_state=3).fit(images).inertia_
    theirs = [KMeans(8, n_init=1, random_state=s).fit(np.concatenate(images)).inertia_ / 800 for s in range(5)]
    assert min(theirs) * 0.97 < ours < max(theirs) * 1.03


def test_at_most_the_asked_number_of_descriptors_of_each_image_is_used():
    crowd, few = np.full((1000, 2), 5.0) + RNG.normal(size=(1000, 2)), RNG.normal(size=(30, 2))
    model = VLAD(1, random_state=0, samples_per_image=30).fit([crowd, few])
    np.testing.assert_allclose(model.cluster_centers_[0], 2.5, atol=0.5)  # 30 of each, not 1000 of one


def test_the_same_seed_gives_the_same_codebook_and_another_seed_another():
    images = [RNG.normal(size=(30, 4)) for _ in range(5)]
    one, two, other = (VLAD(4, random_state=s).fit(images).cluster_centers_ for s in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_the_codebook_does_not_depend_on_the_number_of_threads():
    x = list(RNG.random((40, 100, 32)).astype(np.float32))
    with threadpool_limits(1):
        one = VLAD(16, random_state=0).fit(x).cluster_centers_
    with threadpool_limits(2):
        two = VLAD(16, random_state=0).fit(x).cluster_centers_
    np.testing.assert_array_equal(one, two)


def test_a_rounding_error_of_single_precision_does_not_change_the_codebook():
    sample = np.random.default_rng(5).random((4000, 32))
    noisy = sample * (1 + 1e-7 * np.random.default_rng(6).standard_normal(sample.shape))
    first, second = (learn_codebook(x, 32, 100, seed=0)[0] for x in (sample, noisy))
    np.testing.assert_array_equal(cdist(sample, first).argmin(1), cdist(sample, second).argmin(1))
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-6)


def test_the_codebook_is_computed_in_double_precision_whatever_the_sample_is():
    """In single precision the last digits of the centres would differ here, and in larger samples whole clusters."""
    sample = np.random.default_rng(5).random((2000, 32)).astype(np.float32)
    single, double = (learn_codebook(x, 16, 100, seed=0)[0] for x in (sample, sample.astype(np.float64)))
    assert single.dtype == np.float32 and double.dtype == np.float64
    np.testing.assert_array_equal(single, double.astype(np.float32))


def test_parameters_are_stored_untouched_and_clone_keeps_them():
    model = VLAD(7, normalization="ssr", random_state=3, alpha=0.3, n_assignments=2)
    assert clone(model).get_params() == model.get_params()
    assert model.get_params()["n_clusters"] == 7


def test_float64_input_is_computed_in_float64_and_returned_in_float32():
    model = VLAD.from_centers(C)
    assert model.residual_sums(IMAGES).sums.dtype == np.float64
    assert model.residual_sums([x.astype(np.float32) for x in IMAGES]).sums.dtype == np.float64
    assert VLAD.from_centers(C.astype(np.float32)).residual_sums([IMAGES[0].astype(np.float32)]).sums.dtype == np.float32
    assert model.transform(IMAGES).dtype == np.float32


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: VLAD(50).fit([np.ones((10, 2))]),
            ValueError,
            "at least `n_clusters` = 50 descriptors, but got 10.*fewer clusters",
        ),
        (lambda: VLAD(2).fit([np.ones((5, 2)), np.full((5, 2), np.nan)]), ValueError, r"`descriptors\[1\]` must be finite"),
        (lambda: VLAD(2).fit([np.ones((5, 2)), np.ones((5, 3))]), ValueError, r"`descriptors\[1\]`.*shape \(5, 3\)"),
        (lambda: VLAD(2).fit(np.ones((5, 2))), ValueError, "Wrap it in a list"),
        (lambda: VLAD(2).fit([]), ValueError, "at least one image"),
        (lambda: VLAD(0).fit([np.ones((5, 2))]), ValueError, "`n_clusters`"),
        (lambda: VLAD(2, normalization="L2").fit([np.ones((5, 2))]), ValueError, "`normalization` must be one of 'none'"),
        (lambda: VLAD(2, n_assignments=3).fit([np.ones((5, 2))]), ValueError, "`n_assignments`"),
        (lambda: VLAD(2, alpha=-1).fit([np.ones((5, 2))]), ValueError, "`alpha`"),
        (lambda: VLAD(2).transform([np.ones((5, 2))]), Exception, "not fitted"),
        (lambda: VLAD.from_centers(C).transform([np.ones((5, 3))]), ValueError, r"\(N, 4\), but got shape \(5, 3\)"),
        (lambda: VLAD.from_centers(np.zeros((0, 3))), ValueError, "at least one centre"),
        (
            lambda: VLAD.from_centers(C, normalization="residual").residual_sums(IMAGES).rewritten(C, C),
            ValueError,
            "unit residuals",
        ),
        (lambda: normalize_vlad(np.zeros((1, 2, 3)), "power"), ValueError, "`normalization`"),
    ],
)
def test_promised_errors_are_raised_in_words(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize("normalization", ["none", "l2", "intra", "residual"])
def test_any_rectangle_from_the_integral_volume_is_the_vlad_of_its_descriptors(normalization):
    grid, x = (5, 6), RNG.normal(size=(30, 4))
    valid = RNG.random(30) < 0.8
    model = VLAD.from_centers(C, normalization=normalization)
    image = RegionVLAD(model, x, grid, valid)
    inside = np.zeros(grid, bool)
    inside[1:4, 2:5] = True
    np.testing.assert_allclose(image.region(1, 4, 2, 5), model.transform([x[inside.ravel() & valid]])[0], atol=1e-6)
    np.testing.assert_allclose(image.multi_vlad()[-1], model.transform([x[valid]])[0], atol=1e-6)
    assert image.multi_vlad().shape == (14, 20)
    assert not image.region(2, 2, 0, 6).any()


def test_the_nine_cells_of_multi_vlad_cover_the_grid_once():
    cover = np.zeros((7, 8), int)
    for top, bottom, left, right in multi_vlad_regions((7, 8))[:9]:
        cover[top:bottom, left:right] += 1
    assert (cover == 1).all()


def test_a_region_outside_the_grid_is_refused():
    image = RegionVLAD(VLAD.from_centers(C), RNG.normal(size=(9, 4)), (3, 3))
    with pytest.raises(ValueError, match="inside the grid of 3 x 3"):
        image.region(0, 4, 0, 3)
    with pytest.raises(ValueError, match="n_assignments=1"):
        RegionVLAD(VLAD.from_centers(C, n_assignments=2), RNG.normal(size=(9, 4)), (3, 3))


def test_sums_add_as_a_dataclass():
    raw = ResidualSums(np.ones((1, 2, 3)), np.ones((1, 2), int))
    assert (raw + raw).sums.sum() == 12
