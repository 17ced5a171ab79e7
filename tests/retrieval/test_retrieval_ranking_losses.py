"""FastAP, Smooth-AP, blackbox AP and triplets against their definitions by loops and against libraries."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from course_utils.retrieval import (
    BlackboxAPLoss,
    FastAPLoss,
    ListwiseAPLoss,
    SmoothAPLoss,
    TripletListLoss,
    ranking_losses,
    score_lists,
)


def lists(seed=0, q=3, n=10, prevalence=0.4):
    g = torch.Generator().manual_seed(seed)
    scores = torch.rand(q, n, generator=g, dtype=torch.float64) * 2 - 1
    relevant = torch.rand(q, n, generator=g) < prevalence
    relevant[:, 0] = True
    ignore = torch.rand(q, n, generator=g) < 0.2
    ignore[:, 0] = False
    return scores, relevant, ignore


def batch(seed, labels):
    g = torch.Generator().manual_seed(seed)
    embeddings = F.normalize(torch.randn(len(labels), 6, generator=g, dtype=torch.float64), dim=1)
    return embeddings.requires_grad_(True), torch.as_tensor(labels)


def gradient_of(function, scores):
    scores = scores.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(function(scores).sum(), scores)
    return gradient


def tangential(gradient, embeddings):
    return gradient - (gradient * embeddings).sum(1, keepdim=True) * embeddings


def step_ap(scores, relevant, ignore):
    return [average_precision_score(r[~i], s[~i]) for s, r, i in zip(scores.numpy(), relevant.numpy(), ignore.numpy())]


# --- FastAP ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_bins", [1, 4, 10])
def test_fastap_is_the_librarys_on_embeddings(n_bins):
    from pytorch_metric_learning.losses import FastAPLoss as LibraryFastAPLoss

    embeddings, labels = batch(n_bins, [0, 0, 1, 1, 1, 2, 2, 2, 2, 9])  # 9 is alone
    ours = FastAPLoss(n_bins)(*score_lists(embeddings, labels))
    theirs = LibraryFastAPLoss(num_bins=n_bins)(embeddings, labels)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    gradients = [tangential(torch.autograd.grad(value, embeddings)[0], embeddings.detach()) for value in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


def test_fastap_counts_intervals_where_the_listwise_loss_counts_centres():
    scores, relevant, ignore = lists(1)
    assert torch.equal(FastAPLoss(10)(scores, relevant, ignore), ListwiseAPLoss(11)(scores, relevant, ignore))


# --- Smooth-AP ------------------------------------------------------------------------------------------------------


def _reference_smooth_ap(scores, relevant, ignore, tau):
    def sigma(x):
        return 1 / (1 + math.exp(-x)) if x > -700 else 0.0

    values = []
    for s, r, i in zip(scores.tolist(), relevant.tolist(), ignore.tolist()):
        kept = [j for j in range(len(s)) if not i[j]]
        positives = [j for j in kept if r[j]]
        total = 0.0
        for j in positives:
            rank = 1 + sum(sigma((s[l] - s[j]) / tau) for l in kept if l != j)
            rank_plus = 1 + sum(sigma((s[l] - s[j]) / tau) for l in positives if l != j)
            total += rank_plus / rank
        values.append(total / len(positives))
    return values


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), tau=st.floats(0.005, 1.0), n=st.integers(1, 12))
def test_smooth_ap_is_its_definition_for_any_class_sizes(seed, tau, n):
    one = lists(seed, n=n)
    got = SmoothAPLoss(tau).average_precision(*one)
    np.testing.assert_allclose(got.numpy(), _reference_smooth_ap(*one, tau), rtol=0, atol=1e-10)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_smooth_ap_becomes_step_ap_as_the_temperature_goes_to_zero(seed):
    rng = np.random.default_rng(seed)
    scores = torch.from_numpy(np.stack([rng.permutation(15) / 7.5 - 1 for _ in range(3)]))  # at least 0.13 apart
    _, relevant, ignore = lists(seed, n=15)
    got = SmoothAPLoss(1e-3).average_precision(scores, relevant, ignore)
    np.testing.assert_allclose(got.numpy(), step_ap(scores, relevant, ignore), rtol=0, atol=1e-12)


def test_smooth_ap_is_the_librarys_where_the_library_is_right():
    # The library reshapes along the wrong axis: it is right only for as many classes as images per class. It keeps the query.
    from pytorch_metric_learning.losses import SmoothAPLoss as LibrarySmoothAPLoss

    embeddings, labels = batch(3, [0, 0, 0, 1, 1, 1, 2, 2, 2])
    for tau in (0.01, 0.1):
        ours = SmoothAPLoss(tau)(*score_lists(embeddings, labels, keep_self=True))
        theirs = LibrarySmoothAPLoss(temperature=tau)(embeddings, labels)
        torch.testing.assert_close(ours.float(), theirs)  # the library returns float32
        gradients = [tangential(torch.autograd.grad(value, embeddings)[0], embeddings.detach()) for value in (ours, theirs)]
        torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)


def test_smooth_ap_in_chunks_is_smooth_ap_in_one_piece(monkeypatch):
    one = lists(4, q=5, n=20)
    loss = SmoothAPLoss(0.1)
    whole, whole_gradient = loss(*one), gradient_of(lambda s: loss(s, *one[1:]), one[0])
    monkeypatch.setattr(ranking_losses, "PAIRS_AT_ONCE", 60)
    torch.testing.assert_close(loss(*one), whole)
    torch.testing.assert_close(gradient_of(lambda s: loss(s, *one[1:]), one[0]), whole_gradient)


def test_smooth_ap_keeps_only_one_chunk_for_the_backward_pass(monkeypatch):
    scores, relevant, _ = lists(5, q=8, n=100)
    scores.requires_grad_(True)

    def kept():
        sizes = {}

        def pack(tensor):
            sizes[tensor.data_ptr()] = tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            value = SmoothAPLoss(0.1)(scores, relevant)
        value.backward()
        return sum(sizes.values())

    in_one_piece = kept()
    monkeypatch.setattr(ranking_losses, "PAIRS_AT_ONCE", 1000)
    assert kept() < in_one_piece / 10


def test_smooth_ap_gradcheck():
    scores, relevant, ignore = lists(6)
    assert torch.autograd.gradcheck(lambda s: SmoothAPLoss(0.2)(s, relevant, ignore), [scores.requires_grad_(True)])


# --- blackbox AP ----------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), margin=st.sampled_from([0.0, 0.15, 1.0]), n=st.integers(1, 15))
def test_blackbox_ap_is_exact_ap_of_the_scores_with_margin(seed, margin, n):
    scores, relevant, ignore = lists(seed, n=n)
    shifted = scores + margin / 2 * torch.where(relevant, -1.0, 1.0)
    got = BlackboxAPLoss(margin=margin).average_precision(scores, relevant, ignore)
    np.testing.assert_allclose(got.numpy(), step_ap(shifted, relevant, ignore), rtol=0, atol=1e-12)


def _ranks(values):
    """Return the ranks, 1 for the largest, of values without ties."""
    return [1 + sum(other > value for other in values) for value in values]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), lam=st.floats(0.1, 20.0), margin=st.sampled_from([0.0, 0.15]))
def test_blackbox_aps_backward_is_its_formula(seed, lam, margin):
    scores, relevant, ignore = lists(seed, n=12)
    got = gradient_of(lambda s: BlackboxAPLoss(lam, margin).per_query(s, relevant, ignore), scores)
    for s, r, i, gradient in zip(scores.tolist(), relevant.tolist(), ignore.tolist(), got.tolist()):
        kept = [j for j in range(len(s)) if not i[j]]
        positives = [j for j in kept if r[j]]
        y = {j: s[j] + (-margin / 2 if r[j] else margin / 2) for j in kept}
        rk = dict(zip(kept, _ranks([y[j] for j in kept])))
        rk_plus = dict(zip(positives, _ranks([y[j] for j in positives])))
        # loss = 1 - (1/R) sum rk+ / rk, so by the quotient rule:
        by_rk = {j: rk_plus[j] / rk[j] ** 2 / len(positives) if r[j] else 0.0 for j in kept}
        by_rk_plus = {j: -1 / rk[j] / len(positives) for j in positives}
        moved = dict(zip(kept, _ranks([y[j] + lam * by_rk[j] for j in kept])))
        moved_plus = dict(zip(positives, _ranks([y[j] + lam * by_rk_plus[j] for j in positives])))
        expected = [0.0] * len(s)
        for j in kept:
            expected[j] -= (rk[j] - moved[j]) / lam
        for j in positives:
            expected[j] -= (rk_plus[j] - moved_plus[j]) / lam
        assert gradient == pytest.approx(expected, abs=1e-12)


def test_a_step_of_blackbox_ap_lifts_the_relevant_item_and_lowers_those_it_overtakes():
    scores, relevant = torch.tensor([[0.5, 0.4, 0.0]]), torch.tensor([[False, True, False]])
    gradient = gradient_of(lambda s: BlackboxAPLoss(interpolation=2.0, margin=0.0)(s, relevant), scores)
    # dL/drk = 1/4 for the relevant item: 0.4 + 2/4 passes 0.5, one rank each, divided by 2
    assert gradient.tolist() == [[0.5, -0.5, 0.0]]


def test_equal_scores_never_help_and_the_input_order_decides_nothing():
    relevant = torch.tensor([[True, False, True, False]])
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2]):
        ap = BlackboxAPLoss(margin=0.0).average_precision(torch.zeros(1, 4, dtype=torch.float64), relevant[:, order])
        assert ap.item() == pytest.approx((1 / 3 + 2 / 4) / 2)


# --- triplets -------------------------------------------------------------------------------------------------------


def _reference_triplets(scores, relevant, ignore, margin, mining):
    """Return the hinges of all triplets that the mining looks at, by loops."""
    hinges = []
    for s, r, i in zip(scores.tolist(), relevant.tolist(), ignore.tolist()):
        positives = [s[j] for j in range(len(s)) if r[j] and not i[j]]
        negatives = [s[j] for j in range(len(s)) if not r[j] and not i[j]]
        if mining == "hard" and positives and negatives:
            positives, negatives = [min(positives)], [max(negatives)]
        for p in positives:
            for n in negatives:
                if mining != "semi-hard" or 0 < p - n < margin:
                    hinges.append(max(0.0, margin + n - p))
    return hinges


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), margin=st.floats(0, 2), n=st.integers(1, 12))
@pytest.mark.parametrize("mining", ["all", "hard", "semi-hard"])
def test_the_triplet_loss_is_its_triple_loop(mining, seed, margin, n):
    one = lists(seed, n=n)
    hinges = _reference_triplets(*one, margin, mining)
    active = [h for h in hinges if h > 0]
    loss = TripletListLoss(margin, mining)
    assert loss(*one).item() == pytest.approx(sum(hinges) / max(len(active), 1), abs=1e-10)
    over_all = TripletListLoss(margin, mining, average="all")
    assert over_all(*one).item() == pytest.approx(sum(hinges) / max(len(hinges), 1), abs=1e-10)
    for query, value in enumerate(loss.per_query(*one).tolist()):
        own = _reference_triplets(*(part[query : query + 1] for part in one), margin, mining)
        assert value == pytest.approx(sum(own) / max(sum(h > 0 for h in own), 1), abs=1e-10)


@pytest.mark.parametrize("mining", ["all", "hard", "semi-hard"])
def test_the_triplet_loss_is_the_librarys(mining):
    from pytorch_metric_learning.distances import CosineSimilarity
    from pytorch_metric_learning.losses import TripletMarginLoss
    from pytorch_metric_learning.miners import BatchHardMiner, TripletMarginMiner

    embeddings, labels = batch(7, [0, 0, 0, 1, 1, 2, 2, 2, 2, 9])
    margin = 0.3
    miner = {
        "all": None,
        "hard": BatchHardMiner(distance=CosineSimilarity()),
        "semi-hard": TripletMarginMiner(margin, type_of_triplets="semihard", distance=CosineSimilarity()),
    }[mining]
    triplets = miner(embeddings, labels) if miner else None
    theirs = TripletMarginLoss(margin, distance=CosineSimilarity())(embeddings, labels, triplets)
    ours = TripletListLoss(margin, mining)(*score_lists(embeddings, labels))
    torch.testing.assert_close(ours, theirs)
    gradients = [tangential(torch.autograd.grad(value, embeddings)[0], embeddings.detach()) for value in (ours, theirs)]
    torch.testing.assert_close(*gradients)


def test_a_margin_on_scores_is_half_the_margin_on_squared_distances():
    embeddings, labels = batch(8, [0, 0, 1, 1])
    distance = (embeddings[:, None] - embeddings[None]).square().sum(2)
    same = labels[:, None] == labels
    hinges = [
        distance[q, p] + 0.4 - distance[q, n]
        for q in range(4)
        for p in range(4)
        for n in range(4)
        if same[q, p] and p != q and not same[q, n]
    ]
    active = [h for h in hinges if h > 0]
    assert 0 < len(active) < len(hinges), "the example should have active and inactive triplets"
    torch.testing.assert_close(2 * TripletListLoss(0.2)(*score_lists(embeddings, labels)), sum(active) / len(active))


@pytest.mark.parametrize("mining", ["all", "hard", "semi-hard"])
def test_triplets_push_only_violators_and_are_zero_with_a_graph_when_all_is_right(mining):
    scores = torch.tensor([[0.9, 0.5, 0.45, -0.9]], requires_grad=True)
    relevant = torch.tensor([[True, True, False, False]])
    TripletListLoss(0.1, mining)(scores, relevant).backward()
    assert scores.grad.tolist() == [[0, -1, 1, 0]]
    scores.grad = None
    value = TripletListLoss(0.01, mining)(scores, relevant)
    value.backward()
    assert value.item() == 0
    assert (scores.grad == 0).all()


@pytest.mark.parametrize("mining", ["all", "hard", "semi-hard"])
def test_triplet_gradcheck(mining):
    scores, relevant, ignore = lists(9)
    assert torch.autograd.gradcheck(lambda s: TripletListLoss(0.5, mining)(s, relevant, ignore), [scores.requires_grad_(True)])


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: FastAPLoss(0), "`n_bins` must be an integer of at least 1"),
        (lambda: SmoothAPLoss(0.0), "`temperature` must be a finite number above 0"),
        (lambda: BlackboxAPLoss(interpolation=0.0), "`interpolation` must be a finite number above 0"),
        (lambda: BlackboxAPLoss(margin=-0.1), "`margin` must be a finite number of at least 0"),
        (lambda: TripletListLoss(margin=-0.1), "`margin` must be a finite number of at least 0"),
        (lambda: TripletListLoss(mining="easy"), "`mining` must be one of 'all', 'hard', 'semi-hard'"),
        (lambda: TripletListLoss(average="some"), "`average` must be one of 'active', 'all'"),
    ],
)
def test_wrong_settings_are_named(make, text):
    with pytest.raises(ValueError) as caught:
        make()
    assert text in str(caught.value)
