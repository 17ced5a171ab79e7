"""The weakly supervised ranking loss against loops, formulas and torch's triplet loss."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils.retrieval import WeaklySupervisedRankingLoss


def tuples(seed=0, p=3, n=6, d=4, dtype=torch.float64, grad=False):
    g = torch.Generator().manual_seed(seed)
    parts = [F.normalize(torch.randn(*shape, d, generator=g, dtype=dtype), dim=-1) for shape in ((), (p,), (n,))]
    return [part.requires_grad_(grad) for part in parts]


def by_loops(q, positives, negatives, margin):
    def squared(a, b):
        return sum((float(x) - float(y)) ** 2 for x, y in zip(a, b))

    total = 0.0
    for negative in negatives:
        best = min(squared(q, positive) for positive in positives)
        total += max(0.0, best + margin - squared(q, negative))
    return total


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), p=st.integers(1, 4), n=st.integers(0, 5), margin=st.floats(0, 2))
def test_the_loss_is_its_triple_loop(seed, p, n, margin):
    parts = tuples(seed, p, n)
    assert float(WeaklySupervisedRankingLoss(margin)(*parts)) == pytest.approx(by_loops(*parts, margin), abs=1e-10)


def test_by_hand():
    q, p = torch.tensor([1.0, 0.0]), torch.tensor([[0.0, 1.0], [0.6, 0.8]])  # squared distances 2 and 0.8
    n = torch.tensor([[0.8, 0.6], [0.6, -0.8], [-1.0, 0.0]])  # 0.4, 0.8, 4
    terms = WeaklySupervisedRankingLoss(0.1).terms(q, p, n)
    assert float(terms.loss) == pytest.approx((0.8 + 0.1 - 0.4) + (0.8 + 0.1 - 0.8))
    assert terms.best_positive == 1
    assert terms.n_active == 2
    assert terms.active.tolist() == [True, True, False]


def test_distances_are_squared_so_the_hinge_switches_elsewhere_than_in_the_copies():
    q, p, n = torch.tensor([0.0]), torch.tensor([[1.0]]), torch.tensor([[1.06]])
    # squared: 1 + 0.1 - 1.1236 < 0; un-squared: 1 + 0.1 - 1.06 > 0
    assert float(WeaklySupervisedRankingLoss(0.1)(q, p, n)) == 0.0
    assert float(nn.TripletMarginLoss(margin=0.1)(q[None], p, n)) > 0


def test_on_explicit_triplets_it_is_torchs_loss_with_the_squared_distance():
    q, p, n = tuples(1, p=1, n=5)
    torchs = nn.TripletMarginWithDistanceLoss(
        distance_function=lambda a, b: (a - b).square().sum(-1), margin=0.1, reduction="sum"
    )
    expected = torchs(q.expand(5, -1), p.expand(5, -1), n)
    torch.testing.assert_close(WeaklySupervisedRankingLoss(0.1)(q, p, n), expected)


def test_it_is_zero_once_every_negative_is_farther_than_best_positive_plus_margin():
    q, p = torch.tensor([1.0, 0.0]), torch.tensor([[1.0, 0.0]])
    assert float(WeaklySupervisedRankingLoss(0.1)(q, p, torch.tensor([[-1.0, 0.0]]))) == 0.0


def test_farther_positives_have_no_influence_and_get_no_gradient():
    q, p, n = tuples(2, grad=True)
    loss = WeaklySupervisedRankingLoss(1.0)
    terms = loss.terms(q, p, n)
    best = terms.best_positive
    torch.testing.assert_close(loss(q, p[best : best + 1], n), terms.loss)
    terms.loss.backward()
    assert p.grad[best].abs().max() > 0
    others = [i for i in range(len(p)) if i != best]
    assert p.grad[others].abs().max() == 0


def test_the_gradient_is_the_formula_of_the_docstring():
    q, p, n = tuples(3, grad=True)
    terms = WeaklySupervisedRankingLoss(0.7).terms(q, p, n)
    terms.loss.backward()
    active, best = terms.active, terms.best_positive
    assert 0 < terms.n_active < len(n), "the example should have active and inactive negatives"
    with torch.no_grad():
        torch.testing.assert_close(q.grad, 2 * (n[active].sum(0) - terms.n_active * p[best]))
        torch.testing.assert_close(p.grad[best], 2 * terms.n_active * (p[best] - q))
        torch.testing.assert_close(n.grad, 2 * (q - n) * active[:, None])


def test_gradcheck():
    assert torch.autograd.gradcheck(WeaklySupervisedRankingLoss(0.7), tuples(4, grad=True))


def test_a_batch_is_divided_by_its_active_triplets_not_by_its_queries():
    loss = WeaklySupervisedRankingLoss(1.0)
    easy = (torch.tensor([1.0, 0.0]), torch.tensor([[1.0, 0.0]]), torch.tensor([[-1.0, 0.0], [0.0, -1.0]]))
    hard = tuple(part.float() for part in tuples(3, d=2))
    alone, n_active = loss.of_batch([hard])
    both, same = loss.of_batch([hard, easy])
    assert n_active == same > 1
    torch.testing.assert_close(both, alone)
    torch.testing.assert_close(alone * n_active, loss(*hard))


def test_a_batch_without_violation_is_zero_with_a_graph():
    q = torch.tensor([1.0, 0.0], requires_grad=True)
    value, n_active = WeaklySupervisedRankingLoss(0.1).of_batch([(q, q.detach()[None], torch.tensor([[-1.0, 0.0]]))])
    assert n_active == 0
    value.backward()
    assert value.item() == 0.0
    assert q.grad.abs().max() == 0


def test_without_negatives_the_loss_is_zero_with_a_graph():
    q, p, _ = tuples(6, grad=True)
    value = WeaklySupervisedRankingLoss()(q, p, torch.empty(0, 4, dtype=torch.float64))
    value.backward()
    assert value.item() == 0.0
    assert q.grad.abs().max() == 0


def test_a_triplet_exactly_on_the_margin_is_not_active():
    q, p, n = torch.zeros(1), torch.zeros(1, 1), torch.tensor([[0.5]])
    assert WeaklySupervisedRankingLoss(0.25).terms(q, p, n).n_active == 0


def test_half_precision_is_computed_in_float32():
    parts = [part.half() for part in tuples(7, dtype=torch.float32)]
    assert WeaklySupervisedRankingLoss()(*parts).dtype == torch.float32


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        ((torch.zeros(3), torch.zeros(0, 3), torch.zeros(2, 3)), ValueError, "Leave this query out of the batch"),
        ((torch.zeros(1, 3), torch.zeros(1, 3), torch.zeros(2, 3)), ValueError, "`query`"),
        ((torch.zeros(3), torch.zeros(1, 4), torch.zeros(2, 3)), ValueError, "`positives`"),
        ((torch.zeros(3), torch.zeros(1, 3), torch.zeros(3)), ValueError, "`negatives`"),
        (([0.0, 1.0], torch.zeros(1, 2), torch.zeros(2, 2)), TypeError, "`query` must be a torch.Tensor"),
    ],
)
def test_wrong_input_is_named(arguments, kind, text):
    with pytest.raises(kind) as caught:
        WeaklySupervisedRankingLoss()(*arguments)
    assert text in str(caught.value)


def test_a_negative_margin_and_an_empty_batch_are_refused():
    with pytest.raises(ValueError, match="`margin` must be a finite number of at least 0"):
        WeaklySupervisedRankingLoss(-0.1)
    with pytest.raises(ValueError, match="at least one"):
        WeaklySupervisedRankingLoss().of_batch([])
