"""The weakly supervised ranking loss: learn from positions alone.

**Problem.** A GPS position says that a database image was taken *near* the query, not that it shows the same facade:
the camera may have looked the other way. **Idea.** Ask only that the *best* of the nearby images is closer to the
query than every image that is certainly elsewhere.

Source: R. Arandjelovic et al., "NetVLAD", CVPR 2016, arXiv:1511.07247, section 4, eqs. (6)-(7). With the image
vectors q (query), p_i (potential positives) and n_j (definite negatives), and *squared* Euclidean distances::

    L(q) = sum_j max(0, min_i ||q - p_i||^2 + m - ||q - n_j||^2),    m = 0.1

Only the best potential positive under the present network receives a gradient. With the set J of active negatives
(those with a positive term): ``dL/dq = 2 (sum_J n_j - |J| p)``, ``dL/dp = 2 |J| (p - q)``, ``dL/dn_j = 2 (q - n_j)``.

The official code divides the gradient of a batch by its number of active triplets, not by the number of queries;
``of_batch`` does the same. Widely used re-implementations take un-squared distances, with margin 0.1 or sqrt(0.1):
their hinge switches at other places, so it is another loss.

Taught in ``02_netvlad``, step 4.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_utils.checks import checked_float, checked_tensor, message

MARGIN = 0.1  # official code; the paper leaves m open


@dataclass(frozen=True)
class RankingTerms:
    """One query's loss, taken apart.

    Attributes
    ----------
    loss : Tensor, scalar
        Sum over the negatives.
    n_active : int
        |J|, the number of negatives that violate the margin.
    active : Tensor of shape (N,), bool
    best_positive : int
        Row of ``positives`` with the smallest distance.
    positive_distance : Tensor, scalar
        Its squared distance to the query.
    negative_distances : Tensor of shape (N,)
        Squared distances.
    """

    loss: Tensor
    n_active: int
    active: Tensor
    best_positive: int
    positive_distance: Tensor
    negative_distances: Tensor


class WeaklySupervisedRankingLoss(nn.Module):
    """Hinge between the best potential positive and every definite negative, on squared distances.

    Parameters
    ----------
    margin : float, default 0.1
        m, in units of squared distance (0 to 4 between unit vectors).

    Notes
    -----
    **Conventions.** Sum over negatives, not mean. Vectors are used as they come; they are meant to have unit length.
    A triplet exactly on the margin is not active. A query without positives is refused, because "some image nearby
    should match" says nothing then; without negatives the loss is zero and still has a graph.

    Examples
    --------
    >>> query = torch.tensor([1.0, 0.0])
    >>> positives = torch.tensor([[0.0, 1.0], [0.8, 0.6]])
    >>> negatives = torch.tensor([[0.6, 0.8], [-1.0, 0.0]])
    >>> loss = WeaklySupervisedRankingLoss(margin=0.5)
    >>> round(float(loss(query, positives, negatives)), 4)  # 0.4 + 0.5 - 0.8
    0.1
    """

    def __init__(self, margin: float = MARGIN):
        super().__init__()
        self.margin = checked_float(margin, "margin", low=0.0)

    def forward(self, query: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        """Return the loss of one query.

        Parameters
        ----------
        query : Tensor of shape (D,), floating
        positives : Tensor of shape (P, D), P >= 1
            Potential positives; farther ones have no influence.
        negatives : Tensor of shape (N, D)
            Definite negatives.

        Returns
        -------
        Tensor, scalar, at least float32

        Raises
        ------
        TypeError, ValueError
            If an argument is not a floating tensor of its shape, or ``positives`` is empty.
        """
        return self.terms(query, positives, negatives).loss

    def terms(self, query: Tensor, positives: Tensor, negatives: Tensor) -> RankingTerms:
        """Return the loss with its parts; arguments as in ``forward``."""
        query = checked_tensor(query, "query", ("D",))
        positives = checked_tensor(positives, "positives", ("P", query.shape[0]))
        negatives = checked_tensor(negatives, "negatives", ("N", query.shape[0]))
        if len(positives) == 0:
            raise ValueError(
                message("positives", "of shape (P, D) with P of at least 1", "an empty one", "Leave this query out of the batch.")
            )
        to_positives = squared_distances(query, positives)  # (P,)
        to_negatives = squared_distances(query, negatives)  # (N,)
        best = best_positive(to_positives)
        violation = to_positives[best] + self.margin - to_negatives  # (N,)
        active = violation > 0
        return RankingTerms(
            loss=violation.clamp_min(0).sum(),
            n_active=int(active.sum()),
            active=active,
            best_positive=int(best),
            positive_distance=to_positives[best],
            negative_distances=to_negatives,
        )

    def of_batch(self, tuples: Iterable[tuple[Tensor, Tensor, Tensor]]) -> tuple[Tensor, int]:
        """Return the loss of several queries divided by the number of active triplets, and that number.

        A query whose negatives are all far enough adds nothing, neither above nor below the fraction line. Without
        any active triplet the loss is zero (with a graph) and the number is 0: skip the optimiser's step then, or
        momentum and weight decay move the network for no reason.

        Parameters
        ----------
        tuples : iterable of (query, positives, negatives)
            Each as in ``forward``; at least one.
        """
        terms = [self.terms(*one) for one in tuples]
        if not terms:
            raise ValueError(message("tuples", "at least one (query, positives, negatives)", "an empty iterable"))
        n_active = sum(one.n_active for one in terms)
        return torch.stack([one.loss for one in terms]).sum() / max(n_active, 1), n_active

    def extra_repr(self) -> str:
        return f"margin={self.margin}"


def squared_distances(query: Tensor, others: Tensor) -> Tensor:
    """Return ``||q - o_i||^2`` (M,) for a query (D,) and others (M, D), in float32 or wider.

    The difference is taken before squaring: ``2 - 2 q.o`` loses half the digits where it matters, near zero.
    """
    wide = torch.promote_types(query.dtype, torch.float32)
    return (others.to(wide) - query.to(wide)).square().sum(1)


def best_positive(distances: Tensor) -> Tensor:
    """Return the index of the potential positive that the present network finds closest (first one on a tie)."""
    return distances.argmin()
