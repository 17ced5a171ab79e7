"""The listwise AP loss against its dense formula, scikit-learn, FastAP of a library, and hand computation."""

import math
from itertools import permutations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from sklearn.metrics import average_precision_score

from course_utils.retrieval import ListwiseAPLoss, score_lists
from course_utils.retrieval.listwise_ap_loss import simple_tie_aware_sum, tie_aware_sum


def lists(seed=0, q=3, n=12, low=-1.0, high=1.0, prevalence=0.3, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    scores = low + (high - low) * torch.rand(q, n, generator=g, dtype=dtype)
    relevant = torch.rand(q, n, generator=g) < prevalence
    relevant[:, 0] = True
    ignore = torch.rand(q, n, generator=g) < 0.15
    ignore[:, 0] = False
    return scores, relevant, ignore


def _reference_histograms(scores, relevant, ignore, n_bins, low, high):
    """Steps 1 to 3 as they are written: every score against every bin, (Q, M, N)."""
    width = (high - low) / (n_bins - 1)
    centers = torch.tensor([high - m * width for m in range(n_bins)], dtype=scores.dtype)
    distance = (scores.clamp(low, high)[:, None, :] - centers[None, :, None]).abs()
    delta = (1 - distance / width).clamp_min(0) * ~ignore[:, None, :]
    return delta.sum(2), (delta * relevant[:, None, :]).sum(2)


def _reference_ap(scores, relevant, ignore, n_bins, low=-1.0, high=1.0):
    """Steps 4 and 5 as they are written."""
    h, h_plus = _reference_histograms(scores, relevant, ignore, n_bins, low, high)
    precision = h_plus.cumsum(1) / (h.cumsum(1) + 1e-16)
    return (precision * h_plus / (relevant & ~ignore).sum(1, keepdim=True)).sum(1)


def gradient_of(function, scores):
    scores = scores.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(function(scores).sum(), scores)
    return gradient


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n_bins=st.integers(2, 60),
    span=st.sampled_from([(-1.0, 1.0), (0.0, 1.0), (-3.0, 11.0), (0.4, 0.5)]),
    n=st.integers(1, 40),
)
def test_two_bins_per_score_give_the_dense_formula_and_its_gradient(seed, n_bins, span, n):
    scores, relevant, ignore = lists(seed, n=n, low=span[0] - 0.2, high=span[1] + 0.2)  # some scores beyond the range
    loss = ListwiseAPLoss(n_bins, span)
    expected = _reference_ap(scores, relevant, ignore, n_bins, *span)
    torch.testing.assert_close(loss.average_precision(scores, relevant, ignore), expected, rtol=0, atol=1e-11)
    torch.testing.assert_close(
        gradient_of(lambda s: loss.average_precision(s, relevant, ignore), scores),
        gradient_of(lambda s: _reference_ap(s, relevant, ignore, n_bins, *span), scores),
        rtol=1e-9,
        atol=1e-9,
    )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), n_bins=st.integers(2, 40), n=st.integers(1, 30))
def test_on_bin_centres_it_is_scikit_learns_average_precision(seed, n_bins, n):
    rng = np.random.default_rng(seed)
    loss = ListwiseAPLoss(n_bins)
    scores = loss.centers.numpy()[rng.integers(0, n_bins, (4, n))]  # many ties
    relevant = rng.random((4, n)) < 0.4
    relevant[:, 0] = True
    got = loss.average_precision(torch.from_numpy(scores), torch.from_numpy(relevant))
    expected = [average_precision_score(r, s) for r, s in zip(relevant, scores)]
    np.testing.assert_allclose(got.numpy(), expected, rtol=0, atol=1e-12)


def test_the_toy_list_by_hand():
    scores = torch.tensor([[1.0, 0.5, 0.0, 0.0]])
    relevant = torch.tensor([[True, False, True, False]])
    loss = ListwiseAPLoss(n_bins=5)
    assert loss.width == 0.5
    assert loss.centers.tolist() == [1.0, 0.5, 0.0, -0.5, -1.0]
    everything, positive = loss.histograms(scores, relevant)
    assert everything.tolist() == [[1, 1, 2, 0, 0]]
    assert positive.tolist() == [[1, 0, 1, 0, 0]]
    precision, recall = loss.precision_recall(scores, relevant)
    assert precision.tolist() == [[1, 0.5, 0.5, 0.5, 0.5]]
    assert recall.tolist() == [[0.5, 0.5, 1, 1, 1]]
    assert loss.average_precision(scores, relevant).item() == 0.75
    assert loss(scores, relevant).item() == 0.25
    assert loss.per_query(scores, relevant).item() == 0.25


def test_between_two_centres_a_score_is_shared_by_hand():
    everything, positive = ListwiseAPLoss(n_bins=3).histograms(
        torch.tensor([[0.25, -0.9, 7.0, -7.0]]), torch.tensor([[True, False, False, True]])
    )
    torch.testing.assert_close(everything, torch.tensor([[0.25 + 0 + 1 + 0, 0.75 + 0.1, 0.9 + 1]]))
    torch.testing.assert_close(positive, torch.tensor([[0.25, 0.75, 1.0]]))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), n_bins=st.integers(2, 300), n=st.integers(1, 30))
def test_the_shares_of_a_score_sum_to_one_and_ap_stays_between_0_and_1(seed, n_bins, n):
    scores, relevant, ignore = lists(seed, n=n, low=-1.3, high=1.3)
    loss = ListwiseAPLoss(n_bins)
    everything, positive = loss.histograms(scores, relevant, ignore)
    assert everything.shape == positive.shape == (3, n_bins)
    torch.testing.assert_close(everything.sum(1), (~ignore).sum(1).double())
    torch.testing.assert_close(positive.sum(1), (relevant & ~ignore).sum(1).double())
    assert (positive >= 0).all()
    assert (positive <= everything + 1e-12).all()
    ap = loss.average_precision(scores, relevant, ignore)
    assert (ap >= 0).all()
    assert (ap <= 1 + 1e-12).all()
    precision, recall = loss.precision_recall(scores, relevant, ignore)
    torch.testing.assert_close((precision * recall.diff(dim=1, prepend=torch.zeros(3, 1).double())).sum(1), ap)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), n_intervals=st.integers(1, 30))
def test_it_is_the_librarys_fastap_with_one_bin_less(seed, n_intervals):
    from pytorch_metric_learning.losses import FastAPLoss

    g = torch.Generator().manual_seed(seed)
    embeddings = F.normalize(torch.randn(16, 6, generator=g, dtype=torch.float64), dim=1).requires_grad_(True)
    labels = torch.randint(0, 6, (16,), generator=g)
    labels[:2] = 0
    labels[2] = 99  # a query without a relevant item
    ours = ListwiseAPLoss(n_intervals + 1)(*score_lists(embeddings, labels))
    theirs = FastAPLoss(num_bins=n_intervals)(embeddings, labels)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)  # the library adds 1e-6 below a fraction line
    ours_gradient, theirs_gradient = (torch.autograd.grad(value, embeddings)[0] for value in (ours, theirs))

    def along_the_sphere(gradient):  # off the sphere 2 - 2 s and the squared distance differ
        return gradient - (gradient * embeddings.detach()).sum(1, keepdim=True) * embeddings.detach()

    torch.testing.assert_close(along_the_sphere(ours_gradient), along_the_sphere(theirs_gradient), rtol=1e-4, atol=1e-5)


def test_a_wrong_item_far_above_every_relevant_one_gets_no_gradient():
    scores = torch.tensor([[0.9, 0.25, -0.2, -0.9]])
    relevant = torch.tensor([[False, True, False, True]])

    def gradient(n_bins):
        return gradient_of(lambda s: ListwiseAPLoss(n_bins)(s, relevant), scores)[0]

    assert gradient(20)[0] == 0.0
    assert gradient(20)[1] < 0  # a step against the gradient lifts the relevant item
    assert gradient(3)[0] > 0  # wide bins reach it: a step pushes it down


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), n_bins=st.integers(4, 40), dtype=st.sampled_from([torch.float32, torch.float64]))
def test_perfect_separation_is_one_with_exactly_no_gradient(seed, n_bins, dtype):
    loss = ListwiseAPLoss(n_bins)
    g = torch.Generator().manual_seed(seed)
    share = torch.rand(2, 12, generator=g, dtype=dtype)
    relevant = torch.arange(12).expand(2, 12) < 5
    room = max(2 - 2.02 * loss.width, 0)  # what a gap of just over two bins leaves
    scores = torch.where(relevant, 1 - 0.4 * room * share, -1 + 0.6 * room * share)
    assert scores[relevant].min() - scores[~relevant].max() > 2 * loss.width
    ap = loss.average_precision(scores, relevant)
    torch.testing.assert_close(ap, torch.ones_like(ap), rtol=0, atol=8 * torch.finfo(dtype).eps)  # the shares' sum rounds
    assert (gradient_of(lambda s: loss(s, relevant), scores) == 0).all()


def test_perfect_separation_on_bin_centres_is_exactly_one():
    loss = ListwiseAPLoss(5)
    scores = torch.tensor([[1.0, 0.5, 0.5, -0.5, -1.0]])
    assert loss.average_precision(scores, torch.tensor([[True, True, True, False, False]])).item() == 1.0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_no_irrelevant_item_is_ever_pulled_up(seed):
    scores, relevant, ignore = lists(seed, n=30, prevalence=0.2)
    gradient = gradient_of(lambda s: ListwiseAPLoss()(s, relevant, ignore), scores)
    assert (gradient[~relevant] >= 0).all()


def test_an_isolated_relevant_item_between_two_bins_keeps_ap_below_its_true_value_for_any_number_of_bins():
    # One relevant item with share w in its upper bin, k items and p relevant ones above it, the card's formula.
    n_bins = 100001
    loss = ListwiseAPLoss(n_bins)
    w, p, k = 0.25, 1, 3
    above = loss.centers[[0, 10, 20]]
    item = loss.centers[1000] - (1 - w) * loss.width
    scores = torch.cat([above, item[None]])[None]
    relevant = torch.tensor([[False, True, False, True]])
    contribution = w * (p + w) / (k + w) + (1 - w) * (p + 1) / (k + 1)
    assert loss.average_precision(scores, relevant).item() == pytest.approx((1 / 2 + contribution) / 2, abs=1e-6)
    assert contribution < (p + 1) / (k + 1)


@pytest.mark.parametrize("tie_aware", [False, True, "simple"])
@pytest.mark.parametrize("n_bins", [2, 5, 20])
def test_gradcheck_away_from_the_corners(tie_aware, n_bins):
    loss = ListwiseAPLoss(n_bins, tie_aware=tie_aware)
    g = torch.Generator().manual_seed(n_bins)
    bins = torch.randint(0, n_bins - 1, (3, 10), generator=g)
    inside = 0.1 + 0.8 * torch.rand(3, 10, generator=g, dtype=torch.float64)
    scores = (1 - (bins + inside) * loss.width).requires_grad_(True)
    relevant = torch.rand(3, 10, generator=g) < 0.4
    relevant[:, 0] = True
    ignore = torch.zeros(3, 10, dtype=torch.bool)
    ignore[:, 3] = True
    assert torch.autograd.gradcheck(lambda s: loss(s, relevant, ignore), [scores])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), n_bins=st.integers(1, 6), whole=st.booleans())
def test_the_tie_aware_closed_form_is_the_integral_of_its_definition(seed, n_bins, whole):
    rng = np.random.default_rng(seed)
    h = rng.integers(0, 5, n_bins).astype(float) if whole else rng.random(n_bins) * 4 * (rng.random(n_bins) < 0.8)
    h_plus = np.floor(h * rng.random(n_bins)) if whole else h * rng.random(n_bins)
    expected, before, plus_before = 0.0, 0.0, 0.0
    for count, plus in zip(h, h_plus):
        if count > 0:
            rho = max(plus - 1, 0) / (count - 1) if count > 1 else 0.0
            area, _ = quad(lambda x: (plus_before + 1 + rho * x) / (before + 1 + x), 0, count)  # noqa: B023
            expected += plus / count * area
        before, plus_before = before + count, plus_before + plus
    got = tie_aware_sum(torch.from_numpy(h)[None], torch.from_numpy(h_plus)[None])
    assert got.item() == pytest.approx(expected, abs=1e-9)


def mean_over_orders(groups):
    """Return N+ times the step AP, averaged over every order inside the groups of 0/1 labels."""
    total, before, plus_before = 0.0, 0, 0
    for group in groups:
        orders = list(permutations(group))
        total += sum(
            sum((plus_before + sum(order[: i + 1])) / (before + i + 1) for i, label in enumerate(order) if label)
            for order in orders
        ) / len(orders)
        before, plus_before = before + len(group), plus_before + sum(group)
    return total


@settings(max_examples=40, deadline=None)
@given(groups=st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=5), min_size=1, max_size=4))
def test_both_tie_aware_forms_approximate_the_mean_over_all_orders(groups):
    h, h_plus = (torch.tensor([[float(f(g)) for g in groups]], dtype=torch.float64) for f in (len, sum))
    exact = mean_over_orders(groups)
    slack_integral = slack_middle = 0.0
    before = plus_before = 0
    for group in groups:
        n, r = len(group), sum(group)
        rho = (r - 1) / (n - 1) if n > 1 and r else 0.0

        def precision(x, at=(before, plus_before, rho)):
            return (at[1] + 1 + at[2] * x) / (at[0] + 1 + x)

        # A monotone function: its sum over 0..n-1 and its integral over 0..n differ by at most its change over 0..n.
        slack_integral += r / n * abs(precision(n) - precision(0))
        slack_middle += r * abs(precision(n - 1) - precision(0))
        before, plus_before = before + n, plus_before + r
    assert abs(tie_aware_sum(h, h_plus).item() - exact) <= slack_integral + 1e-12
    assert abs(simple_tie_aware_sum(h, h_plus).item() - exact) <= slack_middle + 1e-12


def test_the_simple_form_is_exact_without_ties_and_the_closed_form_counts_a_lone_leader_as_ln_2():
    scores = torch.tensor([[1.0, 0.5, 0.0, -0.5]], dtype=torch.float64)
    relevant = torch.tensor([[True, False, True, False]])
    simple = ListwiseAPLoss(5, tie_aware="simple").average_precision(scores, relevant)
    assert simple.item() == pytest.approx(average_precision_score(relevant[0], scores[0]), abs=1e-12)
    closed = ListwiseAPLoss(5, tie_aware=True).average_precision(scores, relevant)
    assert closed.item() == pytest.approx((math.log(2) + 2 * math.log(4 / 3)) / 2, abs=1e-12)


def test_all_scores_equal_give_the_prevalence():
    for score in (0.3, 1.0, -1.0, 0.0):  # between two centres and on one
        ap = ListwiseAPLoss(21).average_precision(
            torch.full((1, 5), score, dtype=torch.float64), torch.tensor([[1, 0, 0, 1, 0]]).bool()
        )
        assert ap.item() == pytest.approx(0.4, abs=1e-12)


def test_duplicates_at_the_edge_of_the_range_are_clamped_with_a_finite_gradient():
    scores = torch.tensor([[1.0, 1.0 + 2e-7, 1.0, 0.95, -1.0, -1.5]])
    relevant = torch.tensor([[True, True, False, False, True, False]])
    loss = ListwiseAPLoss(20)
    everything, _ = loss.histograms(scores, relevant)
    torch.testing.assert_close(everything.sum(), torch.tensor(6.0))
    gradient = gradient_of(lambda s: loss(s, relevant), scores)
    assert torch.isfinite(gradient).all()
    assert gradient[0, 1] == 0
    assert gradient[0, 5] == 0  # beyond the range nothing changes


@pytest.mark.parametrize("tie_aware", [False, True, "simple"])
def test_empty_bins_give_no_nan_forward_and_backward(tie_aware):
    scores = torch.tensor([[0.111, 0.222, -0.333]], requires_grad=True)
    loss = ListwiseAPLoss(1000, tie_aware=tie_aware)
    value = loss(scores, torch.tensor([[False, True, True]]))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(scores.grad).all()
    assert scores.grad.abs().max() > 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_counts_above_2048_keep_their_integers_in_half_precision(dtype):
    scores = torch.full((1, 5001), -1.0, dtype=dtype)
    scores[0, 0] = 1.0
    relevant = torch.zeros(1, 5001, dtype=torch.bool)
    relevant[0, :2] = True
    everything, positive = ListwiseAPLoss(20).histograms(scores, relevant)
    assert everything.dtype == torch.float32
    assert everything[0, -1].item() == 5000
    assert ListwiseAPLoss(20).average_precision(scores, relevant).item() == pytest.approx((1 + 2 / 5001) / 2)


@pytest.mark.parametrize("tie_aware", [False, True, "simple"])
def test_the_compiled_loss_is_the_loss_in_one_graph(tie_aware):
    scores, relevant, ignore = lists(7, dtype=torch.float32)
    loss = ListwiseAPLoss(tie_aware=tie_aware)
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(scores, relevant, ignore), loss(scores, relevant, ignore))
    torch.testing.assert_close(
        gradient_of(lambda s: compiled(s, relevant, ignore), scores), gradient_of(lambda s: loss(s, relevant, ignore), scores)
    )
    assert torch.isnan(compiled(scores, torch.zeros_like(relevant), ignore))  # nothing to look at: NaN, not a wrong number


def test_the_loss_is_the_mean_over_the_batch_and_leaving_the_query_in_raises_ap():
    g = torch.Generator().manual_seed(0)
    embeddings = F.normalize(torch.randn(12, 4, generator=g), dim=1)
    labels = torch.arange(12) % 4
    loss = ListwiseAPLoss()
    without, with_itself = (score_lists(embeddings, labels, keep_self=keep) for keep in (False, True))
    torch.testing.assert_close(loss(*without), 1 - loss.average_precision(*without).mean())
    assert (loss.average_precision(*with_itself) > loss.average_precision(*without)).all()


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        ({"n_bins": 1}, ValueError, "`n_bins` must be an integer of at least 2"),
        ({"n_bins": 20.0}, TypeError, "`n_bins`"),
        ({"score_range": (1.0, -1.0)}, ValueError, "`score_range[1]` must be a finite number above 1.0"),
        ({"score_range": (0.0, float("inf"))}, ValueError, "`score_range[1]`"),
        ({"score_range": 1.0}, ValueError, "`score_range` must be two numbers"),
        ({"tie_aware": "yes"}, ValueError, "`tie_aware` must be one of False, True, 'simple'"),
    ],
)
def test_wrong_settings_are_named(arguments, kind, text):
    with pytest.raises(kind) as caught:
        ListwiseAPLoss(**arguments)
    assert text in str(caught.value)
