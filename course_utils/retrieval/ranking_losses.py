"""Relatives of the listwise AP loss, on the same score lists: FastAP, Smooth-AP, blackbox AP, and triplets.

**Problem.** AP counts *how many items score above this one*. That count, a rank, has no useful gradient. **Ideas.** Four
ways around it; ``s`` are the scores of one list, ``R`` its number of relevant items:

``FastAPLoss``
    Histograms of squared distances between unit vectors. As ``d^2 = 2 - 2 s``, FastAP with L bins on [0, 4] is the
    listwise AP loss with L + 1 bin centres on [-1, 1]. F. Cakir, K. He, X. Xia, B. Kulis, S. Sclaroff, "Deep metric
    learning to rank", CVPR 2019.
``SmoothAPLoss``
    A sigmoid in place of "scores above": ``rk(j) = 1 + sum_{l != j} sigma((s_l - s_j) / tau)``, ``rk+(j)`` the same sum
    over relevant items only, ``AP = (1/R) sum_{j relevant} rk+(j) / rk(j)``. For tau towards 0 this is AP. A. Brown,
    W. Xie, V. Kalogeiton, A. Zisserman, "Smooth-AP", ECCV 2020, arXiv:2007.12163.
``BlackboxAPLoss``
    Exact ranks on the way forward. On the way back the slope between two rankings: with ``g = dL/drk``,
    ``dL/ds := -(1/lambda) [rk(s) - rk(s + lambda g)]``. M. Rolinek, V. Musil, A. Paulus, M. Vlastelica, C. Michaelis,
    G. Martius, "Optimizing rank-based metrics with blackbox differentiation", CVPR 2020 (RaMBO).
``TripletListLoss``
    No AP at all, the baseline: a relevant item must score higher than an irrelevant one by a margin. F. Schroff,
    D. Kalenichenko, J. Philbin, "FaceNet", CVPR 2015 (semi-hard); A. Hermans, L. Beyer, B. Leibe, "In defense of the
    triplet loss", arXiv:1703.07737 (all, hard).

==============  ==========================  =====================  =====================
loss            sees                        reach of the gradient  equals AP
==============  ==========================  =====================  =====================
FastAP          the whole list              two bins               on bin centres
Smooth-AP       the whole list              about 5 tau            for tau towards 0
blackbox AP     the whole list              lambda * g             forward, margin 0
triplets        pairs in the list           the margin             never
==============  ==========================  =====================  =====================

Taught in ``06_listwise_ap_loss``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from course_utils.checks import checked_choice, checked_float, checked_int
from course_utils.retrieval.listwise_ap_loss import quantised_precision, soft_histograms
from course_utils.retrieval.score_lists import APListLoss, ListLoss, ScoreLists, checked_lists, checked_weights

COSINES = (-1.0, 1.0)
PAIRS_AT_ONCE = 2**22  # entries of one chunk of Smooth-AP, 16 MB in float32


class FastAPLoss(APListLoss):
    """One minus FastAP, for scores that are cosines.

    Parameters
    ----------
    n_bins : int, default 10
        L, the number of intervals between L + 1 centres on the squared distances 0 to 4, as the authors count them.

    Examples
    --------
    >>> scores, relevant = torch.tensor([[0.8, 0.2, -0.2]]), torch.tensor([[False, True, False]])
    >>> FastAPLoss(n_bins=10)(scores, relevant)
    tensor(0.5000)
    """

    def __init__(self, n_bins: int = 10):
        super().__init__()
        self.n_bins = checked_int(n_bins, "n_bins", low=1)

    def _average_precision(self, lists: ScoreLists) -> Tensor:
        irrelevant, positive = soft_histograms(lists, self.n_bins + 1, COSINES)
        return (quantised_precision(irrelevant, positive) * positive).sum(1) / lists.n_relevant.clamp_min(1)

    def extra_repr(self) -> str:
        return f"n_bins={self.n_bins}"


class SmoothAPLoss(APListLoss):
    """One minus Smooth-AP, for classes of any size.

    Parameters
    ----------
    temperature : float, default 0.01
        tau, in units of the score. The gradient of a pair fades beyond a difference of about 5 tau.

    Notes
    -----
    The released code keeps the query in its own list as rank 1 and asks for batches of equal classes in order. Here
    ``ignore`` removes the query, and the class sizes may differ. Works on all (relevant item, other item) pairs of a list,
    O(Q R N), in chunks that are computed again on the way back, so that only one chunk is in memory.

    Examples
    --------
    >>> scores, relevant = torch.tensor([[0.9, 0.5, 0.1]]), torch.tensor([[False, True, True]])
    >>> SmoothAPLoss().average_precision(scores, relevant)  # (1/2 + 2/3) / 2
    tensor([0.5833])
    """

    def __init__(self, temperature: float = 0.01):
        super().__init__()
        self.temperature = checked_float(temperature, "temperature", above=0.0)

    def _average_precision(self, lists: ScoreLists) -> Tensor:
        query, item = lists.relevant.nonzero(as_tuple=True)  # (P,), the relevant pairs of all lists
        matrices = lists.scores, lists.relevant, lists.keep
        size = max(1, PAIRS_AT_ONCE // max(lists.scores.shape[1], 1))
        if len(query) <= size:
            precision = self._precision(*matrices, query, item)
        else:
            chunks = zip(query.split(size), item.split(size))
            precision = torch.cat([checkpoint(self._precision, *matrices, q, j, use_reentrant=False) for q, j in chunks])
        summed = lists.scores.new_zeros(len(lists.scores)).index_add(0, query, precision)
        return summed / lists.n_relevant.clamp_min(1)

    def _precision(self, scores: Tensor, relevant: Tensor, keep: Tensor, query: Tensor, item: Tensor) -> Tensor:
        """Return the smooth precision at every relevant pair, (P,)."""
        above = torch.sigmoid((scores[query] - scores[query, item][:, None]) / self.temperature)  # (P, N)
        above = above * keep[query]
        # The item itself contributes sigma(0) = 1/2 to both sums and should not: 1 - 1/2.
        rank = 0.5 + above.sum(1)
        rank_among_relevant = 0.5 + (above * relevant[query]).sum(1)
        return rank_among_relevant / rank

    def extra_repr(self) -> str:
        return f"temperature={self.temperature}"


class BlackboxAPLoss(APListLoss):
    """One minus exact AP, with the gradient of blackbox differentiation.

    Parameters
    ----------
    interpolation : float, default 0.5
        lambda: how far the scores are moved along the gradient before the second ranking.
    margin : float, default 0.15
        alpha: relevant items lose alpha / 2 of their score, the others gain alpha / 2. Without it the gradient vanishes
        as soon as the order is right, however narrowly; some runs of the paper diverged. With margin 0 the loss is
        exactly ``1 - AP``.

    Notes
    -----
    Equal scores: an irrelevant item ranks before a relevant one, so the input order decides nothing. The paper also keeps
    the descriptors of some recent batches as further items: append their columns to the lists, N may exceed Q.

    Examples
    --------
    >>> scores, relevant = torch.tensor([[0.9, 0.5, 0.1]]), torch.tensor([[False, True, False]])
    >>> BlackboxAPLoss()(scores, relevant)
    tensor(0.5000)
    """

    def __init__(self, interpolation: float = 0.5, margin: float = 0.15):
        super().__init__()
        self.interpolation = checked_float(interpolation, "interpolation", above=0.0)
        self.margin = checked_float(margin, "margin", low=0.0)

    def _average_precision(self, lists: ScoreLists) -> Tensor:
        half = self.margin / 2
        shifted = lists.scores + torch.where(lists.relevant, -half, half)
        rank = _BlackboxRank.apply(shifted, lists.relevant, lists.keep, self.interpolation)  # rk(y)
        rank_among_relevant = _BlackboxRank.apply(shifted, lists.relevant, lists.relevant, self.interpolation)  # rk(y+)
        precision = torch.where(lists.relevant, rank_among_relevant / rank, 0)
        return precision.sum(1) / lists.n_relevant.clamp_min(1)

    def extra_repr(self) -> str:
        return f"interpolation={self.interpolation}, margin={self.margin}"


def exact_ranks(scores: Tensor, relevant: Tensor, members: Tensor) -> Tensor:
    """Return the rank of every member among the members of its list, from 1, as floats; others follow behind.

    Parameters
    ----------
    scores : Tensor of shape (Q, N), floating
    relevant : Tensor of shape (Q, N), bool
        Ranks last among equal scores.
    members : Tensor of shape (Q, N), bool
    """
    first = torch.argsort(relevant.to(torch.int8), dim=1, stable=True)  # the irrelevant before the relevant
    sortable = scores.masked_fill(~members, -torch.inf).gather(1, first)
    order = first.gather(1, torch.argsort(sortable, dim=1, descending=True, stable=True))
    rank = torch.arange(1, scores.shape[1] + 1, dtype=scores.dtype, device=scores.device).expand_as(scores)
    return torch.empty_like(scores).scatter(1, order, rank)


class _BlackboxRank(torch.autograd.Function):
    """Ranks on the way forward, the difference of two rankings on the way back."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, relevant: Tensor, members: Tensor, interpolation: float) -> Tensor:
        rank = exact_ranks(scores, relevant, members)
        ctx.save_for_backward(scores, relevant, members, rank)
        ctx.interpolation = interpolation
        return rank

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        scores, relevant, members, rank = ctx.saved_tensors
        moved = exact_ranks(scores + ctx.interpolation * gradient, relevant, members)
        return torch.where(members, (moved - rank) / ctx.interpolation, 0), None, None, None


class TripletListLoss(ListLoss):
    """Hinge on triplets (query, relevant item p, irrelevant item n): ``max(0, margin + s_n - s_p)``.

    Parameters
    ----------
    margin : float, default 0.1
        In units of the score. Between unit vectors ``d^2 = 2 - 2 s``: a margin m here is the margin 2 m on squared
        distances, and the loss is half as large.
    mining : {"all", "hard", "semi-hard"}, default "all"
        ``"all"``: every triplet. ``"hard"``: per query only the lowest relevant and the highest irrelevant item.
        ``"semi-hard"``: every triplet in the right order whose margin is too small, ``0 < s_p - s_n < margin``.
    average : {"active", "all"}, default "active"
        Divide by the number of triplets that violate the margin, or by all that the mining looked at. When most
        triplets are right, the mean over all makes the steps smaller and smaller; the mean over the active ones does not.

    Notes
    -----
    The mean is over the triplets of all queries together, as in Hermans et al. ("batch all, non-zero mean"). Without an
    active triplet the loss is zero and has a graph. ``per_query`` takes the mean of each query's own triplets.
    Memory O(Q R N) for "all" and "semi-hard".

    Examples
    --------
    >>> scores, relevant = torch.tensor([[0.9, 0.5, 0.45]]), torch.tensor([[False, True, False]])
    >>> TripletListLoss(margin=0.1)(scores, relevant)  # (0.5 + 0.05) / 2
    tensor(0.2750)
    """

    def __init__(self, margin: float = 0.1, mining: str = "all", average: str = "active"):
        super().__init__()
        self.margin = checked_float(margin, "margin", low=0.0)
        self.mining = checked_choice(mining, "mining", ("all", "hard", "semi-hard"))
        self.average = checked_choice(average, "average", ("active", "all"))

    def forward(self, scores: Tensor, relevant: Tensor, ignore: Tensor | None = None, weights: Tensor | None = None) -> Tensor:
        """Return the mean over the triplets of the batch; arguments as in every list loss.

        ``weights`` weigh every query's triplets.
        """
        lists = checked_lists(scores, relevant, ignore)
        weights = checked_weights(weights, lists)
        summed, number = self._sums(lists)
        total = (weights * number).sum()
        return (weights * summed).sum() / torch.where(total > 0, total, 1)

    def _per_query(self, lists: ScoreLists) -> Tensor:
        summed, number = self._sums(lists)
        return summed / number.clamp_min(1)

    def _sums(self, lists: ScoreLists) -> tuple[Tensor, Tensor]:
        """Return, for every query, the sum of its hinges (Q,) and the number it is divided by (Q,)."""
        scores, relevant, irrelevant = lists.scores, lists.relevant, lists.keep & ~lists.relevant
        if self.mining == "hard":
            lowest = scores.masked_fill(~relevant, torch.inf).amin(1)
            highest = scores.masked_fill(~irrelevant, -torch.inf).amax(1)
            both = relevant.any(1) & irrelevant.any(1)
            violation = torch.where(both, self.margin + highest - lowest, 0)  # (Q,)
            looked_at, query = both, torch.arange(len(scores), device=scores.device)
        else:
            query, item = relevant.nonzero(as_tuple=True)  # (P,)
            positive = scores[query, item][:, None]
            violation = self.margin + scores[query] - positive  # (P, N)
            looked_at = irrelevant[query]
            if self.mining == "semi-hard":
                looked_at = looked_at & (scores[query] < positive) & (violation > 0)
        hinge = torch.where(looked_at, violation.clamp_min(0), 0)
        counted = (hinge > 0) if self.average == "active" else looked_at
        zeros = scores.new_zeros(len(scores))
        per_row = (hinge, counted.to(scores.dtype)) if hinge.ndim == 1 else (hinge.sum(1), counted.sum(1).to(scores.dtype))
        summed, number = (zeros.index_add(0, query, values) for values in per_row)
        return summed, number

    def extra_repr(self) -> str:
        return f"margin={self.margin}, mining={self.mining!r}, average={self.average!r}"
