"""The consistency loss: its bounds, its symmetry, its other form, and its gradient."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from scipy import stats

from course_utils.augment.jensen_shannon import JensenShannonLoss, jensen_shannon_divergence


def _logits(n_views: int = 3, n: int = 40, n_classes: int = 7, scale: float = 3.0, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(n_views, n, n_classes, generator=generator, dtype=torch.float64)


def test_equal_predictions_have_divergence_zero() -> None:
    views = _logits(1).expand(3, 40, 7)
    torch.testing.assert_close(jensen_shannon_divergence(views), torch.zeros(40).double(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("n_views", [2, 3, 5])
def test_the_divergence_lies_between_zero_and_the_logarithm_of_the_number_of_views(n_views: int) -> None:
    for scale in (1e-3, 1.0, 30.0, 1e3):
        js = jensen_shannon_divergence(_logits(n_views, n_classes=n_views + 1, scale=scale))
        assert js.min() >= -1e-12 and js.max() <= math.log(n_views) + 1e-12
    apart = 200 * torch.eye(n_views, dtype=torch.float64)[:, None]
    assert abs(float(jensen_shannon_divergence(apart)) - math.log(n_views)) < 1e-12


def test_it_does_not_change_when_the_views_change_places() -> None:
    views = _logits()
    first = jensen_shannon_divergence(views)
    for order in itertools.permutations(range(3)):
        torch.testing.assert_close(jensen_shannon_divergence(views[list(order)]), first, rtol=0, atol=1e-12)


def test_it_is_the_entropy_of_the_mixture_minus_the_mean_entropy() -> None:
    views = _logits()
    p = views.softmax(-1).numpy()
    expected = stats.entropy(p.mean(0), axis=-1) - stats.entropy(p, axis=-1).mean(0)
    torch.testing.assert_close(jensen_shannon_divergence(views), torch.from_numpy(expected), rtol=0, atol=1e-12)


def test_it_is_the_mean_divergence_to_the_mixture_as_the_released_code_writes_it() -> None:
    p = _logits(scale=1.0).softmax(-1)
    log_mixture = p.mean(0).clamp(1e-7, 1).log()
    expected = sum(F.kl_div(log_mixture, view, reduction="batchmean") for view in p) / 3
    torch.testing.assert_close(jensen_shannon_divergence(p.log()).mean(), expected, rtol=0, atol=1e-12)


def test_below_the_clamp_of_the_released_code_the_gradient_stays_alive() -> None:
    views = torch.tensor([[[0.0, -25.0]], [[0.0, -25.0]], [[0.0, -20.0]]], dtype=torch.float64, requires_grad=True)
    jensen_shannon_divergence(views).sum().backward()
    assert (views.grad.abs() > 1e-12).all()  # exp(-20) = 2e-9, far below 1e-7


def test_impossible_and_extreme_predictions_give_finite_numbers() -> None:
    views = torch.tensor([[[1e4, 0.0, -1e4]], [[-1e4, 1e4, 0.0]], [[0.0, -1e4, 1e4]]], requires_grad=True)
    js = jensen_shannon_divergence(views)
    js.sum().backward()
    assert abs(float(js.detach()) - math.log(3)) < 1e-6 and views.grad.isfinite().all()


def test_the_gradient_is_that_of_finite_differences_and_reaches_all_views() -> None:
    views = _logits(n=3, n_classes=4).requires_grad_()
    assert torch.autograd.gradcheck(jensen_shannon_divergence, (views,))
    labels = torch.tensor([0, 3, 1])
    logits = _logits(n=3, n_classes=4).flatten(0, 1).requires_grad_()
    JensenShannonLoss()(logits, labels).backward()
    assert (logits.grad.reshape(3, 3, 4).abs().sum((1, 2)) > 1e-3).all()


def test_the_cross_entropy_sees_the_clean_images_only() -> None:
    logits = _logits(n=5).flatten(0, 1)
    labels = torch.arange(5)
    terms = JensenShannonLoss(weight=0).terms(logits, labels)
    torch.testing.assert_close(terms.total, F.cross_entropy(logits[:5], labels))
    changed = torch.cat([logits[:5], logits[5:].roll(1, 1)])
    again = JensenShannonLoss().terms(changed, labels)
    torch.testing.assert_close(again.cross_entropy, terms.cross_entropy)
    assert abs(again.divergence - terms.divergence) > 1e-3


def test_the_total_is_the_sum_with_weight_twelve() -> None:
    logits, labels = _logits(n=5).flatten(0, 1), torch.arange(5)
    terms = JensenShannonLoss().terms(logits, labels)
    torch.testing.assert_close(terms.total, terms.cross_entropy + 12 * terms.divergence)
    torch.testing.assert_close(terms.divergence, jensen_shannon_divergence(logits.reshape(3, 5, 7)).mean())
    assert torch.equal(JensenShannonLoss()(logits, labels), terms.total)


def test_soft_labels_and_half_precision_work() -> None:
    logits, labels = _logits(n=5).flatten(0, 1).float(), torch.arange(5)
    loss = JensenShannonLoss()
    torch.testing.assert_close(loss(logits, F.one_hot(labels, 7).float()), loss(logits, labels))
    half = loss(logits.bfloat16(), labels)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, loss(logits, labels), rtol=0.05, atol=0.05)


def test_rows_that_do_not_fit_are_refused() -> None:
    loss = JensenShannonLoss()
    with pytest.raises(ValueError, match=r"`logits` must be 3 rows for each of the 2 labels.*got 5 rows. AugMix.views"):
        loss(torch.zeros(5, 4), torch.zeros(2, dtype=torch.long))
    with pytest.raises(ValueError, match="`logits` must be 3 rows"):
        loss(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long))
    with pytest.raises(ValueError, match="`logits` must be a tensor of shape"):
        loss(torch.zeros(3), torch.zeros(1, dtype=torch.long))
    with pytest.raises(TypeError, match="`labels` must be a torch.Tensor"):
        loss(torch.zeros(3, 4), [0])
    with pytest.raises(ValueError, match="`weight`"):
        JensenShannonLoss(weight=-1)
    with pytest.raises(ValueError, match="`n_views` must be an integer of at least 2"):
        JensenShannonLoss(n_views=1)
