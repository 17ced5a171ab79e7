"""Score lists: what every ranking loss of chapter 06 reads.

**Problem.** A batch of descriptors is not a ranking. **Idea.** Let every image of the batch be a query once. Its scores
with the other images are one *score list*, and the labels say which items of the list are relevant. A batch of ``B``
images gives ``B`` lists with one matrix product, and a loss on lists sees the whole batch at once.

Three matrices describe ``Q`` lists of ``N`` items:

=============  ==========  ==============================================================================
``scores``     (Q, N)      higher means more similar; here the cosine, between -1 and 1
``relevant``   (Q, N)      bool, ``Y_ij`` of the papers: do query i and item j show the same thing?
``ignore``     (Q, N)      bool, entries that do not exist: the query in its own list, and junk
=============  ==========  ==============================================================================

**The query in its own list.** An image has cosine 1 with itself. Left in the list, it is a relevant item at rank 1 that
every network gets right: the average precision rises, the gradient of the others shrinks by about ``R / (R + 1)`` for
``R`` relevant items, and the value cannot be compared with an evaluation. So it is ignored, unless ``keep_self`` asks
for it (the released code of Revaud et al. leaves this to the caller).

**A query without a relevant item** has no average precision. ``ListLoss`` leaves it out of the mean, and refuses a batch
in which no query is left.

Source: the lists are ``S = D D^T`` and ``Y`` of J. Revaud et al., "Learning with Average Precision: Training Image
Retrieval with a Listwise Loss", ICCV 2019, arXiv:1906.07589, section 3.

Taught in ``06_listwise_ap_loss``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_utils.checks import checked_tensor, message

NORM_TOLERANCE = 1e-3  # of a unit vector's length; four rounding steps in half precision


@dataclass(frozen=True)
class ScoreLists:
    """One score list per query; ``loss(*lists)`` passes all three matrices on.

    Attributes
    ----------
    scores : Tensor of shape (Q, N), float32 or float64
    relevant : Tensor of shape (Q, N), bool
        False wherever ``ignore`` is True.
    ignore : Tensor of shape (Q, N), bool
    """

    scores: Tensor
    relevant: Tensor
    ignore: Tensor

    def __iter__(self) -> Iterator[Tensor]:
        return iter((self.scores, self.relevant, self.ignore))

    @property
    def keep(self) -> Tensor:
        """The items that are in the lists, (Q, N) bool."""
        return ~self.ignore

    @property
    def n_relevant(self) -> Tensor:
        """The number of relevant items of every list, (Q,) int64."""
        return self.relevant.sum(1)

    @property
    def counted(self) -> Tensor:
        """The queries that have a relevant item, (Q,) bool."""
        return self.relevant.any(1)


def score_lists(embeddings: Tensor, labels: Tensor, *, keep_self: bool = False) -> ScoreLists:
    """Turn a batch of unit vectors into one score list per image.

    Parameters
    ----------
    embeddings : Tensor of shape (B, D), floating, B >= 1
        Descriptors of length 1. Half precision is multiplied in float32.
    labels : Tensor of shape (B,), integer
        Images with equal labels are relevant to each other.
    keep_self : bool, default False
        Leave every image in its own list, as a relevant item with score 1.

    Returns
    -------
    ScoreLists of shape (B, B)
        Cosines; rounding may carry them a little beyond 1.

    Raises
    ------
    TypeError
        If an argument is not a tensor, or of the wrong kind.
    ValueError
        If the shapes do not fit, the batch is empty, or a row does not have length 1 (outside ``torch.compile``).

    Examples
    --------
    >>> lists = score_lists(torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]]), torch.tensor([7, 7, 9]))
    >>> lists.relevant[0].tolist(), lists.ignore[0].tolist()
    ([False, True, False], [True, False, False])
    """
    checked_tensor(embeddings, "embeddings", ("B", "D"))
    checked_tensor(labels, "labels", (embeddings.shape[0],), floating=False)
    if labels.is_floating_point() or labels.is_complex():
        raise TypeError(message("labels", "a tensor of integers", str(labels.dtype), "Equal floats are a matter of luck."))
    if len(embeddings) == 0:
        raise ValueError(message("embeddings", "a batch of at least 1 image", "an empty one"))
    vectors = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
    if not torch.compiler.is_compiling():
        _check_unit_length(vectors, embeddings.dtype)
    with torch.autocast(embeddings.device.type, enabled=False):  # half a digit of a cosine can be a whole bin
        scores = vectors @ vectors.T
    relevant = labels[:, None] == labels
    itself = torch.eye(len(labels), dtype=torch.bool, device=embeddings.device)
    if keep_self:
        return ScoreLists(scores, relevant, torch.zeros_like(itself))
    return ScoreLists(scores, relevant & ~itself, itself)


def checked_lists(scores: Tensor, relevant: Tensor, ignore: Tensor | None = None) -> ScoreLists:
    """Return the arguments of a loss as ``ScoreLists``: float32 at least, ignored scores set to 0.

    An ignored entry may hold anything, also NaN: it is neither read nor does it get a gradient.

    Raises
    ------
    TypeError
        If ``scores`` is not floating, or a mask is not bool.
    ValueError
        If the shapes differ, or a score that is not ignored is NaN or infinite (outside ``torch.compile``).
    """
    checked_tensor(scores, "scores", ("Q", "N"))
    relevant = _checked_mask(relevant, "relevant", scores)
    ignore = torch.zeros_like(relevant) if ignore is None else _checked_mask(ignore, "ignore", scores)
    wide = scores.to(torch.promote_types(scores.dtype, torch.float32))
    wide = wide.masked_fill(ignore, 0.0)
    if not torch.compiler.is_compiling() and not bool(torch.isfinite(wide).all()):
        query = int(torch.nonzero(~torch.isfinite(wide))[0, 0])
        raise ValueError(message("scores", "finite", f"NaN or infinity (first in the list of query {query})"))
    return ScoreLists(wide, relevant & ~ignore, ignore)


class ListLoss(nn.Module, ABC):
    """What the losses on score lists share: the checks, the mean over queries, the weights.

    A loss defines ``_per_query``.
    """

    def forward(self, scores: Tensor, relevant: Tensor, ignore: Tensor | None = None, weights: Tensor | None = None) -> Tensor:
        """Return the loss of a batch of lists.

        Parameters
        ----------
        scores : Tensor of shape (Q, N), floating
            Higher is more similar. Half precision is computed in float32.
        relevant : Tensor of shape (Q, N), bool
        ignore : Tensor of shape (Q, N), bool, optional
            Entries to remove: the query itself, junk.
        weights : Tensor of shape (Q,), floating, optional
            How much every query counts, for example 1 / (size of its class). At least 0; only their ratios matter.

        Returns
        -------
        Tensor, scalar, float32 or float64
            The (weighted) mean over the queries that have a relevant item.

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong kind or shape, a score is not finite, a weight is negative, or no query has a
            relevant item (with a weight above 0). A compiled loss looks at no value; without any such query it is NaN.
        """
        lists = checked_lists(scores, relevant, ignore)
        weights = checked_weights(weights, lists)
        return (weights * self._per_query(lists)).sum() / weights.sum()

    def per_query(self, scores: Tensor, relevant: Tensor, ignore: Tensor | None = None) -> Tensor:
        """Return the loss of every query, (Q,); NaN for one without a relevant item. Arguments as in ``forward``."""
        lists = checked_lists(scores, relevant, ignore)
        return torch.where(lists.counted, self._per_query(lists), torch.nan)

    @abstractmethod
    def _per_query(self, lists: ScoreLists) -> Tensor:
        """Return the loss of every query, (Q,).

        Finite, and with finite gradients, also for a query without a relevant item, whose value is not used.
        """


class APListLoss(ListLoss):
    """A list loss that is one minus some differentiable average precision: a loss of this kind defines which."""

    def average_precision(self, scores: Tensor, relevant: Tensor, ignore: Tensor | None = None) -> Tensor:
        """Return the average precision of every query as this loss counts it, (Q,); NaN for one without a relevant item.

        Arguments as in ``forward``.
        """
        lists = checked_lists(scores, relevant, ignore)
        return torch.where(lists.counted, self._average_precision(lists), torch.nan)

    def _per_query(self, lists: ScoreLists) -> Tensor:
        return 1 - self._average_precision(lists)

    @abstractmethod
    def _average_precision(self, lists: ScoreLists) -> Tensor:
        """Return the average precision of every query, (Q,); finite for one without a relevant item, too."""


def _checked_mask(mask: Tensor, name: str, scores: Tensor) -> Tensor:
    checked_tensor(mask, name, tuple(scores.shape), floating=False)
    if mask.dtype != torch.bool:
        raise TypeError(message(name, "a tensor of bool", str(mask.dtype), "Write it as a comparison, as in `labels > 0`."))
    return mask


def checked_weights(weights: Tensor | None, lists: ScoreLists) -> Tensor:
    """Return the weight of every query (Q,), 0 for those without a relevant item."""
    counted = lists.counted
    if weights is None:
        weights = counted.to(lists.scores.dtype)
    else:
        checked_tensor(weights, "weights", tuple(counted.shape))
        if not torch.compiler.is_compiling() and not bool((torch.isfinite(weights) & (weights >= 0)).all()):
            raise ValueError(message("weights", "finite and at least 0", "a value that is not"))
        weights = weights.to(lists.scores.dtype) * counted
    if not torch.compiler.is_compiling() and not bool((weights > 0).any()):
        raise ValueError(
            message(
                "relevant",
                "true for some item of at least one query",
                f"{len(counted)} queries of which none counts",
                "Draw at least two images per class, and ignore only the query itself and junk.",
            )
        )
    return weights


def _check_unit_length(vectors: Tensor, dtype: torch.dtype) -> None:
    lengths = vectors.detach().norm(dim=1)
    wrong = ~((lengths - 1).abs() <= max(NORM_TOLERANCE, 4 * torch.finfo(dtype).eps))  # also true for NaN
    if bool(wrong.any()):
        row = int(wrong.nonzero()[0, 0])
        raise ValueError(
            message(
                "embeddings",
                "rows of length 1",
                f"length {float(lengths[row]):.4g} in row {row}",
                "Divide by the length first: `torch.nn.functional.normalize(embeddings, dim=1)`.",
            )
        )
