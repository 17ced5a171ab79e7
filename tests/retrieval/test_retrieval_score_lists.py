"""Score lists: what is in them, what is refused, and what all list losses share."""

import pytest
import torch
import torch.nn.functional as F

from course_utils.retrieval import (
    BlackboxAPLoss,
    FastAPLoss,
    ListwiseAPLoss,
    ScoreLists,
    SmoothAPLoss,
    TripletListLoss,
    score_lists,
)
from course_utils.retrieval.score_lists import APListLoss, ListLoss

LOSSES = [
    ListwiseAPLoss(),
    ListwiseAPLoss(tie_aware=True),
    ListwiseAPLoss(tie_aware="simple"),
    FastAPLoss(),
    SmoothAPLoss(0.1),
    BlackboxAPLoss(),
    TripletListLoss(),
    TripletListLoss(mining="hard"),
    TripletListLoss(0.5, mining="semi-hard"),
    TripletListLoss(average="all"),
]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)


def batch(seed=0, b=8, d=5, n_classes=3, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(b, d, generator=g, dtype=dtype), dim=1), torch.arange(b) % n_classes


def test_every_image_asks_once_and_is_not_in_its_own_list():
    embeddings, labels = batch()
    lists = score_lists(embeddings, labels)
    assert isinstance(lists, ScoreLists)
    for i in range(8):
        for j in range(8):
            assert float(lists.scores[i, j]) == pytest.approx(float(embeddings[i] @ embeddings[j]), abs=1e-12)
            assert bool(lists.ignore[i, j]) == (i == j)
            assert bool(lists.relevant[i, j]) == (i != j and labels[i] == labels[j])
    assert lists.n_relevant.tolist() == [2, 2, 1, 2, 2, 1, 2, 2]
    assert torch.equal(lists.keep, ~lists.ignore)


def test_keeping_the_query_adds_one_relevant_item_at_rank_one():
    embeddings, labels = batch()
    lists = score_lists(embeddings, labels, keep_self=True)
    assert not lists.ignore.any()
    assert lists.relevant.diagonal().all()
    assert (lists.scores.argmax(1) == torch.arange(8)).all()


def test_scores_carry_the_gradient_to_the_embeddings():
    embeddings, labels = batch()
    embeddings.requires_grad_(True)
    score_lists(embeddings, labels).scores.sum().backward()
    with torch.no_grad():
        torch.testing.assert_close(embeddings.grad, 2 * embeddings.sum(0).expand(8, -1))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_multiplied_in_float32_also_under_autocast(dtype):
    embeddings, labels = batch(dtype=torch.float32)
    half = embeddings.to(dtype)
    expected = half.float() @ half.float().T
    assert torch.equal(score_lists(half, labels).scores, expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(score_lists(half, labels).scores, expected)


@pytest.mark.parametrize(
    ("embeddings", "labels", "kind", "text"),
    [
        (2 * torch.eye(2), torch.tensor([0, 0]), ValueError, "length 2 in row 0. Divide by the length first"),
        (torch.tensor([[1.0, 0.0], [float("nan"), 0.0]]), torch.tensor([0, 0]), ValueError, "length nan in row 1"),
        (torch.eye(2), torch.tensor([0, 0, 1]), ValueError, "`labels` must be a tensor of shape (2,)"),
        (torch.eye(2), torch.tensor([0.0, 1.0]), TypeError, "`labels` must be a tensor of integers"),
        (torch.eye(2), [0, 1], TypeError, "`labels` must be a torch.Tensor"),
        (torch.ones(2), torch.tensor([0, 0]), ValueError, "`embeddings` must be a tensor of shape (B, D)"),
        (torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64), ValueError, "at least 1 image"),
    ],
)
def test_wrong_batches_are_named(embeddings, labels, kind, text):
    with pytest.raises(kind) as caught:
        score_lists(embeddings, labels)
    assert text in str(caught.value)


def test_a_batch_of_one_image_makes_an_empty_list_which_every_loss_refuses():
    lists = score_lists(torch.tensor([[1.0, 0.0]]), torch.tensor([3]))
    assert lists.ignore.tolist() == [[True]]
    for loss in LOSSES:
        with pytest.raises(ValueError, match="Draw at least two images per class"):
            loss(*lists)


@every_loss
def test_ignored_entries_are_as_if_they_did_not_exist_even_nan(loss):
    g = torch.Generator().manual_seed(1)
    scores = torch.rand(3, 7, generator=g, dtype=torch.float64) * 2 - 1
    relevant = torch.tensor([[1, 0, 0, 1, 0, 0, 1]] * 3).bool()
    ignore = torch.zeros(3, 7, dtype=torch.bool)
    ignore[:, [2, 6]] = True  # an irrelevant one and a relevant one
    dirty = scores.clone()
    dirty[:, 2], dirty[:, 6] = float("nan"), float("inf")
    dirty.requires_grad_(True)
    clean = scores[:, [0, 1, 3, 4, 5]].clone().requires_grad_(True)
    value = loss(dirty, relevant, ignore)
    expected = loss(clean, relevant[:, [0, 1, 3, 4, 5]])
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
    value.backward()
    expected.backward()
    torch.testing.assert_close(dirty.grad[:, [0, 1, 3, 4, 5]], clean.grad, rtol=1e-12, atol=1e-12)
    assert (dirty.grad[:, [2, 6]] == 0).all()


@every_loss
def test_queries_without_a_relevant_item_are_left_out_and_get_no_gradient(loss):
    g = torch.Generator().manual_seed(2)
    scores = (torch.rand(3, 6, generator=g, dtype=torch.float64) * 2 - 1).requires_grad_(True)
    relevant = torch.tensor([[1, 0, 1, 0, 0, 0], [0] * 6, [0, 0, 0, 1, 1, 0]]).bool()
    value = loss(scores, relevant)
    torch.testing.assert_close(value, loss(scores[[0, 2]], relevant[[0, 2]]))
    value.backward()
    assert torch.isfinite(scores.grad).all()
    assert (scores.grad[1] == 0).all()
    per_query = loss.per_query(scores, relevant)
    assert torch.isnan(per_query).tolist() == [False, True, False]


@every_loss
def test_weights_count_only_by_their_ratios(loss):
    g = torch.Generator().manual_seed(3)
    scores = torch.rand(2, 6, generator=g, dtype=torch.float64) * 2 - 1
    relevant = torch.tensor([[1, 0, 1, 0, 0, 0], [0, 0, 0, 1, 1, 0]]).bool()
    twice_the_first = loss(scores[[0, 0, 1]], relevant[[0, 0, 1]])
    for scale in (1.0, 7.0):
        weighted = loss(scores, relevant, weights=torch.tensor([2.0, 1.0]) * scale)
        torch.testing.assert_close(weighted, twice_the_first)
    torch.testing.assert_close(loss(scores, relevant, weights=torch.tensor([0.0, 3.0])), loss(scores[1:], relevant[1:]))


@every_loss
def test_half_precision_is_computed_in_float32(loss):
    g = torch.Generator().manual_seed(4)
    scores = (torch.rand(2, 9, generator=g) * 2 - 1).half()
    relevant = torch.rand(2, 9, generator=g) < 0.5
    relevant[:, 0] = True
    value = loss(scores, relevant)
    assert value.dtype == torch.float32
    assert torch.equal(value, loss(scores.float(), relevant))


@every_loss
def test_all_scores_equal_give_a_finite_loss_and_gradient(loss):
    scores = torch.full((2, 6), 0.3, dtype=torch.float64, requires_grad=True)
    value = loss(scores, torch.tensor([[1, 0, 0, 1, 0, 0], [1, 1, 1, 1, 1, 1]]).bool())
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(scores.grad).all()


@every_loss
def test_a_list_of_only_relevant_items_is_finite(loss):
    scores = torch.tensor([[0.9, -0.2, 0.1]], requires_grad=True)
    value = loss(scores, torch.ones(1, 3, dtype=torch.bool))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(scores.grad).all()
    if not getattr(loss, "tie_aware", False):
        assert float(value.detach()) == pytest.approx(0.0, abs=1e-6)


@every_loss
def test_the_order_of_queries_and_of_items_decides_nothing(loss):
    g = torch.Generator().manual_seed(5)
    scores = torch.rand(4, 9, generator=g, dtype=torch.float64) * 2 - 1
    relevant = torch.rand(4, 9, generator=g) < 0.4
    relevant[:, 0] = True
    rows, columns = torch.randperm(4, generator=g), torch.randperm(9, generator=g)

    def gradient(s, r):
        s = s.clone().requires_grad_(True)
        loss(s, r).backward()
        return s.grad

    shuffled = gradient(scores[rows][:, columns], relevant[rows][:, columns])
    torch.testing.assert_close(shuffled, gradient(scores, relevant)[rows][:, columns])
    torch.testing.assert_close(
        loss.per_query(scores[rows][:, columns], relevant[rows][:, columns]), loss.per_query(scores, relevant)[rows]
    )


@every_loss
def test_scores_without_gradient_are_judged_too(loss):
    with torch.no_grad():
        assert not loss(torch.tensor([[0.5, 0.1]]), torch.tensor([[False, True]])).requires_grad


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        (([[0.1, 0.2]], torch.ones(1, 2).bool()), TypeError, "`scores` must be a torch.Tensor"),
        ((torch.zeros(2), torch.ones(2).bool()), ValueError, "`scores` must be a tensor of shape (Q, N)"),
        ((torch.zeros(1, 2).long(), torch.ones(1, 2).bool()), TypeError, "Convert it with `.float()`"),
        ((torch.zeros(1, 2), torch.ones(1, 2)), TypeError, "`relevant` must be a tensor of bool"),
        ((torch.zeros(1, 2), torch.ones(2, 1).bool()), ValueError, "`relevant` must be a tensor of shape (1, 2)"),
        ((torch.zeros(1, 2), torch.ones(1, 2).bool(), torch.zeros(1, 3).bool()), ValueError, "`ignore`"),
        ((torch.zeros(1, 2), torch.ones(1, 2).bool(), None, torch.ones(2)), ValueError, "`weights`"),
        ((torch.zeros(1, 2), torch.ones(1, 2).bool(), None, torch.tensor([-1.0])), ValueError, "`weights`"),
        ((torch.zeros(1, 2), torch.ones(1, 2).bool(), None, torch.tensor([0.0])), ValueError, "none counts"),
        ((torch.tensor([[0.0], [float("nan")]]), torch.ones(2, 1).bool()), ValueError, "first in the list of query 1"),
        ((torch.zeros(3, 2), torch.zeros(3, 2).bool()), ValueError, "3 queries of which none counts"),
        ((torch.zeros(3, 0), torch.zeros(3, 0).bool()), ValueError, "none counts"),
        ((torch.zeros(0, 3), torch.zeros(0, 3).bool()), ValueError, "none counts"),
        ((torch.zeros(1, 2), torch.ones(1, 2).bool(), torch.ones(1, 2).bool()), ValueError, "none counts"),
    ],
)
@every_loss
def test_wrong_lists_are_named(loss, arguments, kind, text):
    with pytest.raises(kind) as caught:
        loss(*arguments)
    assert text in str(caught.value)


def test_a_loss_that_does_not_say_how_it_judges_a_list_cannot_be_made():
    with pytest.raises(TypeError, match="_per_query"):
        ListLoss()
    with pytest.raises(TypeError, match="_average_precision"):
        APListLoss()


def test_a_query_without_a_relevant_item_counts_nothing_whatever_its_weight():
    scores = torch.tensor([[0.9, 0.2], [0.1, 0.8]])
    relevant = torch.tensor([[True, False], [False, False]])
    for loss in (ListwiseAPLoss(5), TripletListLoss(1.0)):
        alone = loss(scores[:1], relevant[:1])
        torch.testing.assert_close(loss(scores, relevant, weights=torch.tensor([1.0, 9.0])), alone)
