"""Calibration: loops, scikit-learn, SciPy and known expectations as oracles, and every refusal."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.metrics import brier_score_loss, log_loss

from course_utils.augment import calibration_null, expected_calibration_error, fit_temperature, reliability

LABEL_FREE = ("ece", "signed_gap", "rms", "classwise", "nll", "brier", "accuracy", "confidence")


def predictions(n=200, n_classes=4, seed=0, sharpness=2.0):
    rng = np.random.default_rng(seed)
    p = softmax(sharpness * rng.standard_normal((n, n_classes)), axis=1)
    return p, rng.integers(0, n_classes, n)


def two_classes(confidences):
    """Return rows (N, 2) whose first class has these probabilities, at least 0.5."""
    c = np.asarray(confidences, float)
    return np.stack([c, 1 - c], axis=1)


def ece_by_loop(confidence, right, n_bins):
    total = 0.0
    for b in range(n_bins):
        low, high = b / n_bins, (b + 1) / n_bins
        members = [i for i, c in enumerate(confidence) if low < c <= high or (b == 0 and c == 0)]
        if members:
            accuracy = sum(right[i] for i in members) / len(members)
            mean = sum(confidence[i] for i in members) / len(members)
            total += len(members) / len(confidence) * abs(accuracy - mean)
    return total


# --------------------------------------------------------------------------------------------------------------- oracles


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 120), n_classes=st.integers(1, 5), n_bins=st.integers(1, 20))
def test_the_bins_are_those_of_a_plain_loop(seed, n, n_classes, n_bins):
    p, y = predictions(n, n_classes, seed)
    result = expected_calibration_error(p, y, n_bins)
    confidence, right = p.max(1), (p.argmax(1) == y).astype(float)
    assert result.ece == pytest.approx(ece_by_loop(confidence, right, n_bins), abs=1e-12)
    per_class = [ece_by_loop(p[:, k], (y == k).astype(float), n_bins) for k in range(n_classes)]
    assert result.classwise == pytest.approx(np.mean(per_class), abs=1e-12)
    assert result.signed_gap == pytest.approx(confidence.mean() - right.mean(), abs=1e-12)
    assert abs(result.signed_gap) <= result.ece + 1e-12


def test_confidences_on_the_edges_belong_to_the_bin_below():
    curve = reliability(two_classes([0.6, 0.6, 0.8, 1.0, 1.0]), [0] * 5, n_bins=5)
    np.testing.assert_array_equal(curve.counts, [0, 0, 2, 1, 2])
    certain = np.eye(3)[[0, 1, 2, 0]]
    result = expected_calibration_error(certain, [0, 1, 2, 1])  # probabilities of exactly 0 and 1
    assert result.ece == pytest.approx(0.25) and result.nll == np.inf and result.brier == pytest.approx(0.5)


def test_a_predictor_that_is_sure_and_right_has_no_error():
    result = expected_calibration_error(np.eye(3)[[0, 1, 2]], [0, 1, 2])
    assert all(getattr(result, name) == 0 for name in ("ece", "signed_gap", "rms", "classwise", "nll", "brier"))


@pytest.mark.parametrize("confidence, n_right", [(0.9, 70), (0.6, 90), (0.75, 75)])
def test_one_confidence_and_one_accuracy_leave_their_distance(confidence, n_right):
    result = expected_calibration_error(two_classes([confidence] * 100), [0] * n_right + [1] * (100 - n_right))
    assert result.ece == pytest.approx(abs(confidence - n_right / 100), abs=1e-12)
    assert result.signed_gap == pytest.approx(confidence - n_right / 100, abs=1e-12)
    assert result.rms == pytest.approx(result.ece, abs=1e-12)
    assert ("over" in repr(result)) is (confidence > n_right / 100)


def test_the_likelihood_and_the_brier_score_are_those_of_scikit_learn():
    p, y = predictions()
    assert expected_calibration_error(p, y).nll == pytest.approx(log_loss(y, p))
    p, y = predictions(n_classes=2)
    assert expected_calibration_error(p, y).brier == pytest.approx(2 * brier_score_loss(y, p[:, 1]))


def test_the_root_mean_square_is_over_all_bins_of_equal_size():
    p, y = predictions(250)
    order = np.argsort(p.max(1), kind="stable")
    confidence, right = p.max(1)[order], (p.argmax(1) == y)[order]
    groups = [slice(0, 100), slice(100, 250)]  # the last one takes the remainder
    gaps = [(confidence[g].mean() - right[g].mean()) ** 2 * len(confidence[g]) / 250 for g in groups]
    assert expected_calibration_error(p, y).rms == pytest.approx(np.sqrt(sum(gaps)))
    assert expected_calibration_error(p[:30], y[:30]).rms == pytest.approx(
        abs(p[:30].max(1).mean() - (p[:30].argmax(1) == y[:30]).mean())
    )


def test_bins_of_equal_mass_hold_equal_numbers():
    p, y = predictions(203)
    curve = reliability(p, y, 10, binning="mass")
    assert curve.counts.sum() == 203 and set(curve.counts.tolist()) <= {20, 21}
    assert (np.diff(curve.confidence) >= 0).all() and (np.diff(curve.edges) >= 0).all()
    result = expected_calibration_error(p, y, 10, binning="mass")
    assert result.ece == pytest.approx(curve.error) == pytest.approx((curve.counts @ np.abs(curve.gap)) / 203)
    tiny = reliability(p[:3], y[:3], 10, binning="mass")
    assert tiny.counts.sum() == 3 and np.isnan(tiny.gap).sum() == 7


def test_the_order_of_the_images_does_not_matter():
    p, y = predictions()
    mixed = np.random.default_rng(1).permutation(len(p))
    a, b = expected_calibration_error(p, y), expected_calibration_error(p[mixed], y[mixed])
    for name in LABEL_FREE:
        assert getattr(a, name) == pytest.approx(getattr(b, name), abs=1e-12), name


def test_tensors_lists_and_half_precision_are_accepted():
    p, y = predictions(50)
    expected = expected_calibration_error(p, y)
    assert expected_calibration_error(torch.tensor(p), torch.tensor(y)).ece == pytest.approx(expected.ece, abs=1e-12)
    assert expected_calibration_error(p.tolist(), y.tolist()).ece == pytest.approx(expected.ece, abs=1e-12)
    half = torch.tensor(p).half()
    assert expected_calibration_error(half, y).nll == pytest.approx(expected.nll, abs=2e-3)


def test_soft_labels_count_by_their_share():
    p = two_classes([0.8, 0.8])
    soft = expected_calibration_error(p, [[0.7, 0.3], [0.9, 0.1]])
    assert soft.accuracy == pytest.approx(0.8) and soft.ece == pytest.approx(0, abs=1e-12)
    assert soft.brier == pytest.approx(2 * 0.1**2)
    assert soft.nll == pytest.approx(-(0.8 * np.log(0.8) + 0.2 * np.log(0.2)))
    p, y = predictions(40)
    one_hot = expected_calibration_error(p, np.eye(4)[y])
    assert one_hot.ece == pytest.approx(expected_calibration_error(p, y).ece, abs=1e-12)


def test_a_single_image_and_a_single_class_work():
    one = expected_calibration_error([[0.25, 0.75]], [1])
    assert one.ece == pytest.approx(0.25) and one.n == 1
    single = expected_calibration_error([[1.0], [1.0]], [0, 0])
    assert single.ece == 0 and single.nll == 0


# -------------------------------------------------------------------------------------------------------------- the null


@pytest.mark.parametrize(
    "n, width, mass", [(100, 7.3, 9.4), (200, 5.3, 6.7), (500, 3.4, 4.2), (1300, 2.1, 2.6), (5000, 1.1, 1.3)]
)
def test_chance_alone_shows_the_error_that_is_known(n, width, mass):
    """Confidences from Beta(6, 1); means in percent, from 20,000 draws for each size."""
    rng = np.random.default_rng(0)
    for binning, expected in (("width", width), ("mass", mass)):
        means = [
            calibration_null(rng.beta(6, 1, n), 15, 40, binning=binning, random_state=rng).mean
            for _ in range(25 if n < 2000 else 8)
        ]
        assert 100 * np.mean(means) == pytest.approx(expected, abs=0.15), binning


def test_the_null_is_the_error_of_tossed_labels():
    p, _ = predictions(300, n_classes=2)
    null = calibration_null(p, 10, 2000, random_state=0)
    confidence, rng = p.max(1), np.random.default_rng(5)
    tossed = [ece_by_loop(confidence, (rng.random(300) < confidence).astype(float), 10) for _ in range(400)]
    assert null.mean == pytest.approx(np.mean(tossed), abs=4 * np.std(tossed) / 20)
    assert null.low < null.mean < null.high and null.draws.shape == (2000,)
    assert null.draws.mean() == pytest.approx(null.mean)
    inside = np.mean((null.draws >= null.low) & (null.draws <= null.high))
    assert inside == pytest.approx(0.95, abs=0.005)


def test_the_band_of_each_bin_holds_its_confidence():
    p, y = predictions(2000)
    null, curve = calibration_null(p, 10, 500, random_state=0), reliability(p, y, 10)
    filled = curve.counts > 20
    assert ((null.bin_low <= curve.confidence) & (curve.confidence <= null.bin_high))[filled].all()
    assert np.isnan(null.bin_low[curve.counts == 0]).all()


def test_a_calibrated_predictor_has_a_debiased_error_near_zero_and_a_bad_one_has_not():
    rng = np.random.default_rng(0)
    p, _ = predictions(1000)
    y = np.array([rng.choice(4, p=row) for row in p])
    good = expected_calibration_error(p, y, n_null=300, random_state=0)
    assert good.null.low < good.ece < good.null.high and abs(good.debiased) < 0.02 < good.ece
    sharper = softmax(4 * np.log(p), axis=1)
    bad = expected_calibration_error(sharper, y, n_null=300, random_state=0)
    assert bad.ece > bad.null.high and bad.debiased > 0.1 and bad.signed_gap > 0


def test_the_null_repeats_with_its_seed_and_does_not_depend_on_the_size_of_a_block(monkeypatch):
    from course_utils.augment import calibration

    p, _ = predictions(100)
    first = calibration_null(p, random_state=3, n_draws=50)
    np.testing.assert_array_equal(first.draws, calibration_null(p, random_state=3, n_draws=50).draws)
    monkeypatch.setattr(calibration, "DRAWS_AT_A_TIME", 700)
    np.testing.assert_array_equal(first.draws, calibration_null(p, random_state=3, n_draws=50).draws)
    assert not np.array_equal(first.draws, calibration_null(p, random_state=4, n_draws=50).draws)


# ------------------------------------------------------------------------------------------------------------ temperature


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), true=st.floats(0.3, 4))
def test_the_temperature_is_the_best_of_all(seed, true):
    rng = np.random.default_rng(seed)
    base = 1.5 * rng.standard_normal((300, 4))
    y = np.array([rng.choice(4, p=row) for row in softmax(base, axis=1)])
    logits = true * base

    def nll(log_t):
        return -log_softmax(logits / np.exp(log_t), axis=1)[np.arange(300), y].mean()

    best = minimize_scalar(nll, bounds=(np.log(0.01), np.log(100)), method="bounded", options={"xatol": 1e-8})
    found = fit_temperature(logits, y)
    assert found.temperature == pytest.approx(np.exp(best.x), rel=1e-4) and not found.at_limit
    assert found.nll_after == pytest.approx(best.fun, abs=1e-9) and found.nll_before == pytest.approx(nll(0.0), abs=1e-9)
    assert found.nll_after <= found.nll_before + 1e-12


def test_a_temperature_never_changes_the_accuracy():
    rng = np.random.default_rng(0)
    logits, y = 5 * rng.standard_normal((200, 3)), rng.integers(0, 3, 200)
    found = fit_temperature(logits, y)
    before = expected_calibration_error(softmax(logits, axis=1), y)
    after = expected_calibration_error(softmax(found(logits), axis=1), y)
    assert before.accuracy == after.accuracy and after.nll < before.nll and after.ece < before.ece
    assert torch.is_tensor(found(torch.tensor(logits)))


def test_temperatures_without_a_best_one_stop_at_the_limit_and_say_so():
    right = fit_temperature([[3.0, 0.0], [0.0, 2.0]], [0, 1])
    assert right.at_limit and right.temperature == pytest.approx(0.01)
    wrong = fit_temperature([[3.0, 0.0], [0.0, 2.0]], [1, 0], limits=(0.5, 20.0))
    assert wrong.at_limit and wrong.temperature == pytest.approx(20.0)
    flat = fit_temperature([[1.0, 1.0], [2.0, 2.0]], [0, 1])
    assert flat.temperature == 1.0 and not flat.at_limit


def test_huge_logits_do_not_overflow():
    found = fit_temperature([[1000.0, 0.0], [1000.0, 0.0], [0.0, 1000.0]], [0, 1, 1])
    assert np.isfinite([found.temperature, found.nll_before, found.nll_after]).all()


# --------------------------------------------------------------------------------------------------------------- refusals


def test_what_is_no_probability_is_refused():
    p, y = predictions(5)
    for bad, words in [
        (np.zeros((0, 3)), "at least one row"),
        (np.zeros((3, 0)), "at least one row"),
        (p * 1.1, "sum to 1|between 0 and 1"),
        (np.log(p), "softmax"),
        (4 * np.eye(4)[[0, 1, 2, 3, 0]], "between 0 and 1.*row 0"),
        (np.where(np.arange(5)[:, None] == 3, np.nan, p), "row 3"),
        (p.max(1), "shape"),
    ]:
        with pytest.raises(ValueError, match=words):
            expected_calibration_error(bad, y[: len(bad)])
        with pytest.raises(ValueError, match=words):
            reliability(bad, y[: len(bad)])
    for bad in (np.zeros((0, 3)), np.zeros(0), np.log(p), np.array([0.5, 1.5]), np.array([0.5, np.nan])):
        with pytest.raises(ValueError, match="probabilities"):
            calibration_null(bad)


def test_labels_that_do_not_fit_are_refused():
    p, y = predictions(5)
    for bad, words in [
        (y[:4], "shape"),
        (np.where(np.arange(5) == 2, 4, y), "0 to 3.*4 in row 2"),
        (np.where(np.arange(5) == 1, -1, y), "-1 in row 1"),
        (np.full((5, 4), 0.3), "sum to 1"),
        (np.full((5, 2), 0.5), "soft labels of shape"),
    ]:
        with pytest.raises(ValueError, match=words):
            expected_calibration_error(p, bad)
        with pytest.raises(ValueError, match=words):
            fit_temperature(np.log(p), bad)
    with pytest.raises(TypeError, match="labels"):
        expected_calibration_error(p, y.astype(float))
    with pytest.raises(ValueError, match="soft labels"):
        expected_calibration_error(p, np.full((5, 4), 0.25), n_null=10)


def test_options_out_of_range_are_refused():
    p, y = predictions(5)
    for options, words in [
        ({"n_bins": 0}, "n_bins"),
        ({"binning": "height"}, "binning"),
        ({"rms_bin_size": 0}, "rms_bin_size"),
        ({"n_null": -1}, "n_null"),
    ]:
        with pytest.raises(ValueError, match=words):
            expected_calibration_error(p, y, **options)
    for options, words in [
        ({"n_draws": 0}, "n_draws"),
        ({"level": 0}, "level"),
        ({"level": 1.5}, "level"),
        ({"n_bins": 0}, "n_bins"),
    ]:
        with pytest.raises(ValueError, match=words):
            calibration_null(p, **options)
    with pytest.raises(ValueError, match="n_null"):
        _ = expected_calibration_error(p, y).debiased
    for limits in ((0.0, 1.0), (2.0, 1.0)):
        with pytest.raises(ValueError, match="limits"):
            fit_temperature(p, y, limits)
    with pytest.raises(ValueError, match="logits"):
        fit_temperature(np.zeros((0, 3)), [])
    with pytest.raises(ValueError, match="logits"):
        fit_temperature([[np.nan, 0.0]], [0])
