"""Affine RANSAC against the truth, against skimage, and on every set of matches that fixes no map."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import ransac
from skimage.transform import AffineTransform

from course_utils.retrieval import affine_trials, apply_affine, fit_affine, ransac_trials, verify_geometry
from course_utils.retrieval import geometric_verification as module


def matches(seed, n=150, share=0.4, noise=1.0, size=480):
    """Return points of two images, which matches are true, and the true map."""
    rng = np.random.default_rng(seed)
    turn, scale = rng.uniform(-0.5, 0.5), rng.uniform(0.6, 1.6)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = scale * rotation @ (np.eye(2) + rng.normal(0, 0.1, (2, 2)))
    transform = np.column_stack([linear, rng.uniform(-60, 60, 2)])
    a = rng.uniform(0, size, (n, 2))
    b = apply_affine(a, transform) + rng.normal(0, noise, (n, 2))
    true = rng.permutation(n) < round(share * n)
    b[~true] = rng.uniform(0, size, ((~true).sum(), 2))
    return a, b, true, transform


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def distances(a, b, transform):
    return np.linalg.norm(apply_affine(a, transform) - b, axis=1)


# ---- it finds what is there ---------------------------------------------------------------------------------------


def test_95_percent_of_the_inliers_are_found_at_60_percent_outliers_over_20_seeds():
    found, false = [], []
    for seed in range(20):
        a, b, true, _ = matches(seed)
        result = verify_geometry(a, b, threshold=3.0, generator=seeded(seed))
        found.append(result.inliers[true].mean())
        false.append(result.inliers[~true].mean())
    assert min(found) >= 0.95  # of Rayleigh-distributed residuals 1 - exp(-4.5) = 0.989 lie below 3 sigma
    assert max(false) < 0.02


def test_an_exact_map_is_recovered_exactly():
    for seed in range(5):
        a, b, true, transform = matches(seed, n=60, noise=0.0)
        result = verify_geometry(a, b, threshold=0.5, generator=seeded())
        np.testing.assert_allclose(result.transform, transform, atol=1e-9)
        assert result.inliers[true].all() and result.n_inliers == result.inliers.sum()


def test_at_least_as_many_true_inliers_as_skimage_and_the_same_map():
    totals = np.zeros(2)
    for seed in range(4):
        a, b, true, transform = matches(seed, n=80)
        theirs, inliers = ransac((a, b), AffineTransform, min_samples=3, residual_threshold=3.0, max_trials=300, rng=seed)
        ours = verify_geometry(a, b, 3.0, n_trials=300, generator=seeded(seed))
        totals += (ours.inliers & true).sum(), (inliers & true).sum()
        np.testing.assert_allclose(ours.transform, theirs.params[:2], atol=0.05 * np.abs(transform).max())
    assert totals[0] >= totals[1]


def test_the_residual_is_the_transfer_error_of_skimage():
    a, b, _, transform = matches(1)
    model = AffineTransform(np.vstack([transform, [0, 0, 1]]))
    ours = module._squared_residuals(*(torch.from_numpy(x)[None] for x in (a, b)), torch.from_numpy(transform)[None, None])
    np.testing.assert_allclose(ours[0, 0].sqrt().numpy(), model.residuals(a, b), atol=1e-9)


def test_the_threshold_is_measured_in_the_second_image():
    a, b, _, _ = matches(3, n=40, share=1.0, noise=2.0)
    assert verify_geometry(a, 0.01 * b, threshold=1.0, max_stretch=None).n_inliers == 40  # two pixels are 0.02 there
    assert verify_geometry(0.01 * b, a, threshold=1.0, max_stretch=None).n_inliers < 40


def test_inliers_are_those_of_the_returned_map():
    for seed in range(10):
        a, b, _, _ = matches(seed, share=0.3)
        result = verify_geometry(a, b, 2.0, generator=seeded())
        np.testing.assert_array_equal(result.inliers, distances(a, b, result.transform) < 2.0)


def test_the_refit_gains_inliers_over_the_best_sample(monkeypatch):
    with_refit = [verify_geometry(*matches(s)[:2], 2.0, 200, seeded()).n_inliers for s in range(10)]
    monkeypatch.setattr(module, "MAX_REFITS", 0)
    without = [verify_geometry(*matches(s)[:2], 2.0, 200, seeded()).n_inliers for s in range(10)]
    assert all(x >= y for x, y in zip(with_refit, without))
    assert sum(with_refit) > sum(without)


def test_mirrored_and_strongly_scaled_views_have_a_map_within_the_limit():
    a = np.random.default_rng(0).uniform(0, 100, (30, 2))
    assert verify_geometry(a, a * [-1, 1]).n_inliers == 30
    assert verify_geometry(a, 9.9 * a).n_inliers == 30
    assert verify_geometry(a, 10.1 * a, threshold=0.5).n_inliers == 0
    assert verify_geometry(a, 10.1 * a, threshold=0.5, max_stretch=None).n_inliers == 30


# ---- randomness and batches -------------------------------------------------------------------------------------


def test_a_generator_repeats_the_result_and_is_advanced():
    a, b, _, _ = matches(0, share=0.15)
    one, two = (verify_geometry(a, b, n_trials=50, generator=seeded(4)) for _ in range(2))
    np.testing.assert_array_equal(one.transform, two.transform)
    generator = seeded(4)
    maps = [verify_geometry(a, b, n_trials=50, generator=generator).transform for _ in range(4)]
    assert not all(np.array_equal(maps[0], other) for other in maps[1:])


def test_few_matches_are_tried_completely_so_nothing_is_random():
    a, b, true, _ = matches(2, n=18, share=0.5, noise=0.3)  # 816 triplets
    results = [verify_geometry(a, b, 2.0, generator=seeded(seed)) for seed in range(3)]
    assert len({result.transform.tobytes() for result in results}) == 1
    assert results[0].inliers[true].all()


def test_all_triplets_of_a_draw_are_distinct_and_every_one_is_possible():
    sizes = torch.tensor([6, 40])
    drawn, counts = module._triplets(sizes, torch.rand((5000, 3), generator=seeded(), dtype=torch.float64))
    assert counts[0].sum() == math.comb(6, 3) and counts[1].all()
    assert len({tuple(sorted(t)) for t in drawn[0][counts[0]].tolist()}) == math.comb(6, 3)
    three = drawn[1].sort(dim=-1).values
    assert (three.diff(dim=-1) > 0).all() and three.min() == 0 and three.max() == 39
    drawn, counts = module._triplets(torch.tensor([4]), torch.full((3, 3), 1 - 2**-53, dtype=torch.float64))
    assert drawn.max() == 3 and (drawn.sort(dim=-1).values.diff(dim=-1) > 0).all()  # the largest number below 1


def test_every_triplet_is_equally_likely():
    drawn, _ = module._triplets(torch.tensor([6]), torch.rand((19, 3), generator=seeded(), dtype=torch.float64))
    many = torch.cat(
        [
            module._triplets(torch.tensor([6]), torch.rand((19, 3), generator=seeded(s), dtype=torch.float64))[0][0]
            for s in range(1500)
        ]
    )
    assert drawn.shape == (1, 19, 3)
    _, frequency = torch.unique(many.sort(dim=-1).values, dim=0, return_counts=True)
    assert len(frequency) == 20
    expected = len(many) / 20
    assert ((frequency - expected).abs() < 5 * math.sqrt(expected)).all()


def test_many_pairs_in_one_call_equal_one_call_each_with_the_same_numbers(monkeypatch):
    pairs = [matches(seed, n)[:2] for seed, n in enumerate((150, 5, 60, 3, 0, 33, 150))]
    together = verify_geometry([a for a, _ in pairs], [b for _, b in pairs], generator=seeded())
    monkeypatch.setattr(module, "BLOCK", 1)  # a block of one pair at a time
    apart = verify_geometry([a for a, _ in pairs], [b for _, b in pairs], generator=seeded())
    for i, (a, b) in enumerate(pairs):
        alone = verify_geometry(a, b, generator=seeded())
        for other in (together[i], apart[i]):
            np.testing.assert_array_equal(alone.inliers, other.inliers)
            np.testing.assert_allclose(alone.transform, other.transform, atol=1e-8)


def test_an_array_of_three_axes_is_a_batch_and_an_empty_list_gives_an_empty_list():
    a, b, _, _ = matches(0, n=20)
    results = verify_geometry(np.stack([a, a]), torch.from_numpy(np.stack([b, a])))
    assert [len(result.inliers) for result in results] == [20, 20] and results[1].n_inliers == 20
    assert verify_geometry([], []) == []
    assert verify_geometry(a.tolist(), b.tolist()).n_inliers == verify_geometry(a, b).n_inliers


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.permutations(range(16)))
def test_the_order_of_the_matches_does_not_matter(seed, order):
    a, b, _, _ = matches(seed, n=16, share=0.6, noise=0.2)
    order = np.array(order)
    one, two = verify_geometry(a, b), verify_geometry(a[order], b[order])
    assert one.n_inliers == two.n_inliers
    np.testing.assert_array_equal(one.inliers[order], two.inliers)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_moving_an_image_moves_the_map_only(seed, dx, dy):
    a, b, _, _ = matches(seed, n=16, share=0.6, noise=0.2)
    one, two = verify_geometry(a, b), verify_geometry(a, b + [dx, dy])
    np.testing.assert_array_equal(one.inliers, two.inliers)
    np.testing.assert_allclose(one.transform[:, 2] + [dx, dy], two.transform[:, 2], atol=1e-5)


def test_swapping_the_images_inverts_the_map():
    a, b, true, _ = matches(5, n=60, noise=0.0)
    one, two = verify_geometry(a, b, 1.0, generator=seeded()), verify_geometry(b, a, 1.0, generator=seeded())
    np.testing.assert_allclose(apply_affine(apply_affine(a, one.transform), two.transform), a, atol=1e-6)


# ---- sets that fix no map ------------------------------------------------------------------------------------------

_LINE = np.column_stack([np.arange(12.0), 3 * np.arange(12.0) + 2])
_PLANE = np.random.default_rng(0).uniform(0, 100, (12, 2))


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_fewer_than_four_matches_score_zero_without_a_model(n):
    result = verify_geometry(_PLANE[:n], _PLANE[:n])
    assert result.n_inliers == 0 and result.inliers.shape == (n,) and not result.inliers.any()
    assert result.transform.shape == (2, 3) and np.isnan(result.transform).all()


@pytest.mark.parametrize(
    "a, b",
    [
        (_LINE, _LINE),
        (_LINE, _PLANE),
        (_PLANE, _LINE),
        (np.full((12, 2), 7.0), _PLANE),
        (_PLANE, np.full((12, 2), 7.0)),  # many to one: a map that collapses the image would fit all of them
        (np.repeat(_PLANE[:2], 6, axis=0), _PLANE),
        (_LINE.astype(np.float32) / 3, _PLANE),
        (_LINE * 1e6, _LINE),
    ],
    ids=["lines", "line to plane", "plane to line", "one point", "to one point", "two points", "rounded line", "far line"],
)
def test_degenerate_matches_have_no_model(a, b):
    for stretch in (10.0, None):
        result = verify_geometry(a, b, max_stretch=stretch)
        assert result.n_inliers == 0 and np.isnan(result.transform).all()


def test_a_crowd_of_targets_does_not_win_by_collapsing_the_image():
    rng = np.random.default_rng(0)
    a = rng.uniform(0, 400, (40, 2))
    b = np.concatenate([a[:10] + [30, 5], [200, 200] + rng.normal(0, 1.0, (30, 2))])  # 30 neighbours of one crowded spot
    result = verify_geometry(a, b, 3.0, generator=seeded())
    assert result.inliers[:10].all() and result.n_inliers < 15
    assert verify_geometry(a, b, 3.0, max_stretch=None, generator=seeded()).n_inliers > 20


def test_identical_images_have_all_matches_as_inliers():
    result = verify_geometry(_PLANE, _PLANE)
    assert result.n_inliers == 12
    np.testing.assert_allclose(result.transform, [[1, 0, 0], [0, 1, 0]], atol=1e-9)


def test_three_matches_always_agree_so_a_count_of_three_says_nothing():
    rng = np.random.default_rng(1)
    results = [verify_geometry(rng.uniform(0, 400, (15, 2)), rng.uniform(0, 400, (15, 2)), 1.0) for _ in range(10)]
    assert min(result.n_inliers for result in results) >= 3
    assert max(result.n_inliers for result in results) <= 5


def test_a_batch_may_hold_degenerate_and_proper_pairs():
    results = verify_geometry([_LINE, _PLANE, _PLANE[:2]], [_PLANE, _PLANE, _PLANE[:2]])
    assert [result.n_inliers for result in results] == [0, 12, 0]


# ---- helpers ---------------------------------------------------------------------------------------------------------


def test_trials_keep_every_sample_with_its_exact_map_and_its_inliers():
    a, b, _, _ = matches(0, n=40)
    trials = affine_trials(a, b, 2.0, 60, seeded())
    assert trials.triplets.shape == (60, 3)
    for triplet, transform, n_inliers in zip(trials.triplets, trials.transforms, trials.n_inliers):
        assert len(set(triplet)) == 3
        if np.isfinite(transform).all():
            np.testing.assert_allclose(transform, fit_affine(a[triplet], b[triplet]), atol=1e-6)
            assert n_inliers == (distances(a, b, transform) < 2.0).sum() >= 3
        else:
            assert n_inliers == 0
    assert verify_geometry(a, b, 2.0, 60, seeded()).n_inliers >= trials.n_inliers.max()
    line = affine_trials(_LINE, _LINE, n_trials=5)
    assert (line.n_inliers == 0).all() and np.isnan(line.transforms).all()
    assert affine_trials(a[:2], b[:2]).triplets.shape == (0, 3)


def test_the_number_of_trials_makes_a_clean_sample_as_likely_as_asked():
    rng = np.random.default_rng(0)
    n = ransac_trials(0.4, confidence=0.95)
    assert n == math.ceil(math.log(0.05) / math.log(1 - 0.4**3))
    clean = (rng.random((4000, n, 3)) < 0.4).all(-1).any(-1)
    assert clean.mean() == pytest.approx(0.95, abs=0.015)
    assert ransac_trials(1e-6) > 10**17
    for wrong in ({"inlier_share": 0}, {"inlier_share": 1.1}, {"inlier_share": 0.5, "confidence": 1}):
        with pytest.raises(ValueError, match="must be"):
            ransac_trials(**wrong)


def test_least_squares_is_that_of_numpy_and_fixes_nothing_on_a_line():
    a, b, _, _ = matches(0, n=30, share=1.0, noise=5.0)
    solution = np.linalg.lstsq(np.column_stack([a, np.ones(30)]), b, rcond=None)[0].T
    np.testing.assert_allclose(fit_affine(a, b), solution, atol=1e-8)
    for few in (_LINE, _PLANE[:2], np.zeros((5, 2)), np.zeros((0, 2))):
        assert np.isnan(fit_affine(few, few)).all()


@pytest.mark.parametrize(
    "call, error",
    [
        (lambda: verify_geometry(_PLANE, _PLANE[:5]), r"`points_b` must be (an array of shape \(12, 2\)|as many)"),
        (lambda: verify_geometry(_PLANE[:, :1], _PLANE), r"`points_a` must be an array of shape \(N, 2\)"),
        (lambda: verify_geometry([_PLANE, _PLANE], [_PLANE]), r"`points_b` must be as many sets of points as `points_a` \(2\)"),
        (lambda: verify_geometry([_PLANE], [_PLANE[:3]]), r"`points_b\[0\]` must be an array of shape \(12, 2\)"),
        (lambda: verify_geometry(np.full((5, 2), np.inf), _PLANE[:5]), "`points_a` must be finite"),
        (lambda: verify_geometry(_PLANE, _PLANE, threshold=0), "`threshold` must be a finite number above 0"),
        (lambda: verify_geometry(_PLANE, _PLANE, n_trials=0), "`n_trials` must be an integer of at least 1"),
        (lambda: verify_geometry(_PLANE, _PLANE, max_stretch=0.5), "`max_stretch` must be a finite number of at least 1"),
        (lambda: fit_affine(_PLANE, _PLANE[:3]), r"`points_b` must be an array of shape \(12, 2\)"),
    ],
)
def test_bad_arguments_are_refused_by_name(call, error):
    with pytest.raises(ValueError, match=error):
        call()
    with pytest.raises(TypeError, match="`n_trials` must be an integer"):
        verify_geometry(_PLANE, _PLANE, n_trials=10.0)
    with pytest.raises(TypeError, match="`points_a` must be an array of numbers"):
        verify_geometry(None, _PLANE)
