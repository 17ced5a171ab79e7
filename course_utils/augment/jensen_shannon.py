"""The consistency loss of AugMix: be right on the clean picture, and say the same on its mixtures.

**Problem.** Training on changed pictures teaches the label on each of them, one at a time. Nothing asks for *one* answer on
all versions of a picture. **Idea.** Show the network the clean picture and two mixtures of it. Besides the usual loss on the
clean one, charge for the disagreement of the three predicted distributions.

**Symbols.** ``p_0, p_1, p_2`` are the three predictions for a picture, each a distribution over K classes. With their mean
``M = (p_0 + p_1 + p_2) / 3``, the mixture, the **Jensen-Shannon divergence** is
::

    JS = (KL(p_0 || M) + KL(p_1 || M) + KL(p_2 || M)) / 3  =  H(M) - (H(p_0) + H(p_1) + H(p_2)) / 3

and the loss is ``CE(p_0, y) + 12 JS``, both averaged over the batch.

**Bounds.** ``0 <= JS <= ln 3``: zero where the three agree, ln 3 where each is certain of another class. JS does not change
when the three change places. That is what the mixture M is for: a divergence from p_0 alone would be unbounded, and would
treat the clean picture as the truth.

**In logarithms.** The released code computes M from probabilities and clamps it at 1e-7, which stops the gradient below. Here
``ln M = logsumexp(ln p_i) - ln 3``. It needs no clamp, because ``ln M >= ln p_i - ln 3``.

Source: D. Hendrycks et al., "AugMix", ICLR 2020, arXiv:1912.02781, section 3, equation 2; weight 12 from the text and the
released code. J. Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on Information Theory 1991.

Taught in ``17_patchshuffle_and_augmix``, step 5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.checks import checked_float, checked_int, checked_tensor, message


@dataclass(frozen=True)
class ConsistencyTerms:
    """The parts of the loss; ``total = cross_entropy + weight * divergence``.

    Attributes
    ----------
    cross_entropy, divergence, total : Tensor, scalars
        On the clean images; between the views; together. In nats, means over the batch.
    """

    cross_entropy: Tensor
    divergence: Tensor
    total: Tensor


class JensenShannonLoss(nn.Module):
    """Cross-entropy on the clean images plus the Jensen-Shannon divergence of all views.

    Parameters
    ----------
    weight : float, default 12.0
        Of the divergence, at least 0.
    n_views : int, default 3
        V, clean images included, at least 2.

    Examples
    --------
    >>> loss = JensenShannonLoss()
    >>> logits = torch.tensor([[4.0, 0.0]]).repeat(3, 1)  # one image, three views that agree
    >>> terms = loss.terms(logits, torch.tensor([0]))
    >>> f"{terms.divergence:.3f}"
    '0.000'
    >>> torch.equal(terms.total, loss(logits, torch.tensor([0])))
    True
    """

    def __init__(self, weight: float = 12.0, n_views: int = 3) -> None:
        super().__init__()
        self.weight = checked_float(weight, "weight", low=0)
        self.n_views = checked_int(n_views, "n_views", low=2)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss, a scalar.

        Parameters
        ----------
        logits : Tensor of shape (V * B, K), floating
            All clean images first, then all first mixtures, and so on: the order of ``AugMix.views``.
        labels : Tensor of shape (B,) int64, or (B, K) floating

        Raises
        ------
        TypeError, ValueError
            If the rows of ``logits`` are not V times the number of labels, or there are none.
        """
        return self.terms(logits, labels).total

    def terms(self, logits: Tensor, labels: Tensor) -> ConsistencyTerms:
        """Return the loss and its two parts. Arguments as in ``forward``."""
        checked_tensor(logits, "logits", ("V * B", "K"))
        checked_tensor(labels, "labels", floating=False)
        if len(labels) == 0 or len(logits) != self.n_views * len(labels):
            expected = f"{self.n_views} rows for each of the {len(labels)} labels, and at least one label"
            raise ValueError(message("logits", expected, f"{len(logits)} rows", "AugMix.views makes such a batch."))
        views = logits.unflatten(0, (self.n_views, len(labels)))  # (V, B, K)
        views = views if views.dtype == torch.float64 else views.float()  # half precision has too few digits for logarithms
        cross_entropy = F.cross_entropy(views[0], labels)
        divergence = jensen_shannon_divergence(views).mean()
        return ConsistencyTerms(cross_entropy, divergence, cross_entropy + self.weight * divergence)

    def extra_repr(self) -> str:
        return f"weight={self.weight:g}, n_views={self.n_views}"


def jensen_shannon_divergence(logits: Tensor) -> Tensor:
    """Return the divergence of V predictions for each of B images, (B,) in nats.

    Parameters
    ----------
    logits : Tensor of shape (V, B, K), floating
        Of softmax. Logarithms of probabilities are logits too.

    Notes
    -----
    Between 0 and ``ln V``, up to rounding of the dtype.

    Examples
    --------
    >>> certain_of_another = 100.0 * torch.eye(3)[:, None]  # (3, 1, 3)
    >>> f"{jensen_shannon_divergence(certain_of_another).item():.4f} = ln 3 = {math.log(3):.4f}"
    '1.0986 = ln 3 = 1.0986'
    """
    checked_tensor(logits, "logits", ("V", "B", "K"))
    log_p = logits.log_softmax(-1)  # (V, B, K)
    log_mixture = log_p.logsumexp(0) - math.log(len(logits))  # (B, K)
    divergences = (log_p.exp() * (log_p - log_mixture)).sum(-1)  # KL(p_v || M), (V, B)
    return divergences.mean(0)
