"""The listwise AP loss: average precision from soft histograms, so that it can be trained.

**Problem.** Average precision (AP) judges a whole ranked list, but it depends on the *order* of the scores only. Move a
score a little and nothing changes; move it past a neighbour and AP jumps. Its gradient is zero or does not exist.

**Idea.** Count softly. Cover the score axis with ``M`` overlapping triangular bins ("tents"). An item between two bin
centres belongs partly to the one and partly to the other, and these parts change smoothly with its score. Precision and
recall per bin, and AP from them, then have a gradient, for all items of all lists of a large batch at once, without
choosing triplets.

**Symbols.** ``S`` scores (Q, N), ``Y`` relevant (Q, N), ``lo, hi`` the score range, ``M`` bins:

1. bin width ``Delta = (hi - lo) / (M - 1)``, centres ``b_m = hi - (m - 1) Delta`` for m = 1..M: the first bin is the best;
2. share of a score x in bin m: ``delta(x, m) = max(0, 1 - |x - b_m| / Delta)``; scores beyond the range belong to the
   end bin. The shares of one score sum to 1, and at most two are not zero;
3. histograms of query i: ``h_m = sum_j delta(S_ij, m)`` of all items, ``h+_m = sum_j delta(S_ij, m) Y_ij`` of the relevant;
4. precision ``P_m = H+_m / H_m`` with the cumulative counts ``H_m = h_1 + ... + h_m``; step of recall ``dR_m = h+_m / N+``;
5. ``AP_Q = sum_m P_m dR_m``, and the loss is ``1 - mean AP_Q``.

**Only two bins.** Written as above, step 3 needs a tensor (Q, M, N). But a score at ``t = (hi - x) / Delta`` bins from the
top touches only the bins ``floor(t)`` and ``floor(t) + 1``. Two ``scatter_add`` calls sum all histograms in O(Q N).

**Two facts to know.** (a) AP_Q *is* AP, with equal scores counted as one step, when all scores stand on bin centres. For
other scores it stays a little below AP, even for M towards infinity. (b) The gradient is local: an item feels only its
own two bins. A wrong item that lies more than ``Delta`` above every relevant one gets exactly no gradient.

**Tie-aware variant.** Items in one bin are tied. ``tie_aware=True`` takes the mean precision over all orders inside a bin,
with the sum over the ranks replaced by an integral, which has a closed form; ``"simple"`` takes the precision at the middle
of the bin. With ``rho_m = (h+_m - 1) / (h_m - 1)`` where both are positive, 0 otherwise, bin m contributes to ``N+ AP``::

    True      (h+_m / h_m) [h_m rho_m + (H+_{m-1} + 1 - rho_m (H_{m-1} + 1)) ln((H_m + 1) / (H_{m-1} + 1))]
    "simple"  h+_m (H+_{m-1} + H+_m + 1) / (H_{m-1} + H_m + 1)

The integral is not the sum: one relevant item alone at the top counts ln 2 = 0.69, not 1, so the closed form does not
reach 1 on a perfect list. The simple form counts it as 1.

Sources: J. Revaud, J. Almazan, R. S. Rezende, C. R. de Souza, ICCV 2019, arXiv:1906.07589, section 3 and its released
code (``naver/deep-image-retrieval``: 25 bins on [0, 1], ``TAPLoss``). Histogram: E. Ustinova, V. Lempitsky, NIPS 2016.
Ties: K. He, Y. Lu, S. Sclaroff, "Local descriptors optimized for average precision", CVPR 2018.

Taught in ``06_listwise_ap_loss``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from course_utils.checks import checked_choice, checked_float, checked_int, message
from course_utils.retrieval.score_lists import APListLoss, ScoreLists, checked_lists


class ListwiseAPLoss(APListLoss):
    """One minus the mean quantised average precision of the lists.

    Parameters
    ----------
    n_bins : int, default 20
        M, at least 2. 20 for batches of 200 images and more, 5 to 10 for small ones: wide bins reach farther.
    score_range : (float, float), default (-1.0, 1.0)
        ``lo`` and ``hi``; the released code uses (0, 1). Scores outside count in the end bins, without gradient.
    tie_aware : {False, True, "simple"}, default False
        The AP formula inside a bin, see the module.

    Notes
    -----
    **Conventions.** Queries without a relevant item are left out of the mean; their AP is NaN. Exactly on a bin centre the
    derivative is the one towards lower scores (the function has a corner there). A bin without items contributes nothing.
    With ``tie_aware=True`` the value jumps where a bin's count passes 1, and its slope is steep just above.

    Everything is computed in float32 or, for float64 scores, in float64. On a GPU ``scatter_add`` sums in no fixed order.

    Examples
    --------
    >>> scores = torch.tensor([[1.0, 0.5, 0.0, 0.0]])
    >>> relevant = torch.tensor([[True, False, True, False]])
    >>> loss = ListwiseAPLoss(n_bins=5)
    >>> loss.average_precision(scores, relevant)  # 1 * 1/2 + 2/4 * 1/2
    tensor([0.7500])
    >>> loss(scores, relevant)
    tensor(0.2500)
    """

    def __init__(self, n_bins: int = 20, score_range: Sequence[float] = (-1.0, 1.0), tie_aware: bool | str = False):
        super().__init__()
        self.n_bins = checked_int(n_bins, "n_bins", low=2)
        self.score_range = _checked_range(score_range)
        self.tie_aware = checked_choice(tie_aware, "tie_aware", (False, True, "simple"))

    @property
    def width(self) -> float:
        """Delta, the distance between two bin centres: half the foot of a tent."""
        return bin_width(self.n_bins, self.score_range)

    @property
    def centers(self) -> Tensor:
        """The bin centres in descending order, (M,) float64."""
        low, high = self.score_range
        return high - torch.arange(self.n_bins, dtype=torch.float64) * self.width

    def histograms(self, scores: Tensor, relevant: Tensor, ignore: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the soft counts per bin: all items (Q, M), and the relevant ones (Q, M). Arguments as in ``forward``."""
        irrelevant, positive = soft_histograms(checked_lists(scores, relevant, ignore), self.n_bins, self.score_range)
        return irrelevant + positive, positive

    def precision_recall(self, scores: Tensor, relevant: Tensor, ignore: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return precision (Q, M) and recall (Q, M) after each bin, from the best bin down.

        Precision is 0 as long as no item was met. Recall is NaN for a query without a relevant item. Arguments as in
        ``forward``.
        """
        lists = checked_lists(scores, relevant, ignore)
        irrelevant, positive = soft_histograms(lists, self.n_bins, self.score_range)
        recall = positive.cumsum(1) / lists.n_relevant.clamp_min(1)[:, None]
        return quantised_precision(irrelevant, positive), torch.where(lists.counted[:, None], recall, torch.nan)

    def _average_precision(self, lists: ScoreLists) -> Tensor:
        irrelevant, positive = soft_histograms(lists, self.n_bins, self.score_range)
        if self.tie_aware == "simple":
            summed = simple_tie_aware_sum(irrelevant + positive, positive)
        elif self.tie_aware:
            summed = tie_aware_sum(irrelevant + positive, positive)
        else:
            summed = (quantised_precision(irrelevant, positive) * positive).sum(1)
        return summed / lists.n_relevant.clamp_min(1)

    def extra_repr(self) -> str:
        return f"n_bins={self.n_bins}, score_range={self.score_range}, tie_aware={self.tie_aware!r}"


def bin_width(n_bins: int, score_range: tuple[float, float]) -> float:
    """Return Delta: ``n_bins`` centres from end to end leave ``n_bins - 1`` gaps."""
    low, high = score_range
    return (high - low) / (n_bins - 1)


def soft_histograms(lists: ScoreLists, n_bins: int, score_range: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Return the triangular histograms of the irrelevant and of the relevant items, (Q, M) each, best bin first.

    Parameters
    ----------
    lists : ScoreLists
    n_bins : int
        M, at least 2.
    score_range : (float, float)
        Lowest and highest bin centre.
    """
    scores = lists.scores
    from_top = (score_range[1] - scores) / bin_width(n_bins, score_range)  # (Q, N), in bins
    from_top = from_top.clamp(0, n_bins - 1)
    upper = from_top.detach().floor().clamp_max(n_bins - 2)  # the better one of a score's two bins
    share = from_top - upper  # of the lower bin
    # Irrelevant items are counted in columns 0..M-1, relevant ones in M..2M-1: two sums make both histograms.
    column = upper.long() + n_bins * lists.relevant
    weight = lists.keep.to(scores.dtype)
    both = scores.new_zeros(len(scores), 2 * n_bins)
    both = both.scatter_add(1, column, weight * (1 - share)).scatter_add(1, column + 1, weight * share)
    irrelevant, positive = both.split(n_bins, dim=1)
    return irrelevant, positive


def quantised_precision(irrelevant: Tensor, positive: Tensor) -> Tensor:
    """Return ``P_m = H+_m / H_m`` (Q, M) from the histograms of the two kinds; 0 as long as nothing was counted.

    Computed as one minus the share of irrelevant items: where there are none, precision is exactly 1 and its gradient
    exactly 0, not only up to rounding.
    """
    wrong, counted = irrelevant.cumsum(1), (irrelevant + positive).cumsum(1)
    return torch.where(counted > 0, 1 - wrong / torch.where(counted > 0, counted, 1), 0)


def tie_aware_sum(everything: Tensor, positive: Tensor) -> Tensor:
    """Return ``N+ AP`` (Q,) with the precision averaged over the orders inside each bin, in closed form.

    ``(h+ / h) * integral_0^h (H+_before + 1 + rho x) / (H_before + 1 + x) dx`` for each bin; empty bins are skipped.
    """
    before, positive_before = everything.cumsum(1) - everything, positive.cumsum(1) - positive
    several = everything > 1  # below that no second item follows inside the bin
    rho = torch.where(several, (positive - 1).clamp_min(0) / torch.where(several, everything - 1, 1), 0)
    logarithm = torch.log1p(everything / (before + 1))  # ln((H_m + 1) / (H_{m-1} + 1)), without cancellation
    integral = everything * rho + (positive_before + 1 - rho * (before + 1)) * logarithm
    filled = everything > 0
    return (torch.where(filled, positive / torch.where(filled, everything, 1), 0) * integral).sum(1)


def simple_tie_aware_sum(everything: Tensor, positive: Tensor) -> Tensor:
    """Return ``N+ AP`` (Q,) with the precision taken at the middle of each bin."""
    after, positive_after = everything.cumsum(1), positive.cumsum(1)
    return (positive * (2 * positive_after - positive + 1) / (2 * after - everything + 1)).sum(1)


def _checked_range(score_range: Sequence[float]) -> tuple[float, float]:
    if isinstance(score_range, str) or not isinstance(score_range, Sequence) or len(score_range) != 2:
        raise ValueError(message("score_range", "two numbers (lowest, highest)", repr(score_range)))
    low = checked_float(score_range[0], "score_range[0]")
    return low, checked_float(score_range[1], "score_range[1]", above=low)
