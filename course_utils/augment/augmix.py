"""AugMix: several chains of simple operations, mixed by random weights, so that no picture leaves the data far behind.

**Problem.** A network that met only clean pictures fails on noisy, blurred or foggy ones, and is sure of its wrong answers.
Long chains of strong operations would show it more, but they destroy the picture. **Idea.** Draw a few short chains, and
*average* their results. The average lies between the chains, and mixing it with the clean picture keeps it close to that.

**Symbols.** For an image x with k chains c_1..c_k: ``w ~ Dirichlet(alpha, ..., alpha)``, ``m ~ Beta(alpha, alpha)``,
::

    x_aug = sum_i w_i c_i(x)          x' = (1 - m) x + m x_aug

==============  ======  ===================================================================
name in code    symbol  meaning
==============  ======  ===================================================================
``severity``    s       levels are drawn from U[0.1, s]; 3 for CIFAR, 1 for ImageNet
``width``       k       number of chains
``depth``       d       operations in a chain; -1: drawn from {1, 2, 3} for every chain
``alpha``       alpha   of the Dirichlet and of the Beta distribution
``weights``     w       share of every chain, not negative, sum 1
``m``           m       share of the mixed chains; 1 - m is the clean picture's
==============  ======  ===================================================================

The label stays. Between the steps of a chain the picture is uint8, as in the released code; the mixing is done in floating
point. Mean and deviation are subtracted *after* AugMix: the mixing is convex, so the order does not matter.

The other half of the method is a loss that asks for the same answer on the clean picture and two such mixtures: see
``JensenShannonLoss``. ``AugMix.views`` makes its batch.

**In one pass.** A step of all chains of all images is one call for every operation that occurs, with one row of parameters
for each chain. torchvision's ``AugMix`` draws one chain for a whole batch, and by default it includes the four operations
that the paper leaves out.

Source: D. Hendrycks, N. Mu, E. D. Cubuk, B. Zoph, J. Gilmer, B. Lakshminarayanan, "AugMix: A Simple Data Processing Method to
Improve Robustness and Uncertainty", ICLR 2020, arXiv:1912.02781, algorithm 1; released code ``google-research/augmix``.

Taught in ``17_patchshuffle_and_augmix``, steps 3 and 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from course_utils.augment.augmix_operations import (
    LARGEST_LEVEL,
    OPERATIONS,
    SMALLEST_LEVEL,
    apply_operations_,
    checked_operations,
)
from course_utils.augment.sampling import RandomTransform, as_batch, check_images, rows, to_uint8, uniform
from course_utils.checks import checked_float, checked_int, message
from course_utils.profile import batches

DEEPEST = 3  # a random depth is drawn from 1, 2, 3: algorithm 1
FAST_MEMORY = 2_000_000  # values of chains that are worked on at a time: more do not fit into a processor's cache
CONVEX = 1e-4  # how far weights may be from the sum 1: rounding of float32


@dataclass(frozen=True)
class AugMixParams:
    """Everything that one draw decides, for n images; D is the largest depth.

    Attributes
    ----------
    operations : Tensor of shape (n, k, D), int64
        Position in ``AugMix.operations``; -1 for a place without operation.
    levels : Tensor of shape (n, k, D), float32
        u, the level of every operation, in [0.1, severity].
    signs : Tensor of shape (n, k, D), float32
        +1 or -1, the direction of geometric operations.
    weights : Tensor of shape (n, k), float32
        w, not negative, every row has the sum 1.
    m : Tensor of shape (n,), float32
        The share of the mixed chains, in [0, 1].
    """

    operations: Tensor
    levels: Tensor
    signs: Tensor
    weights: Tensor
    m: Tensor


class AugMix(RandomTransform):
    """Mix chains of operations with the clean image; every image draws its own.

    Parameters
    ----------
    severity : float, default 3
        s, the upper end of the levels, above 0.1 and at most 10.
    width : int, default 3
        k, number of chains.
    depth : int, default -1
        Operations of every chain; -1 draws 1, 2 or 3 for every chain.
    alpha : float, default 1.0
        Of the Dirichlet and of the Beta distribution, above 0. At 1 all weights are equally likely.
    operations : {"paper", "all"} or sequence of str, default "paper"
        ``"paper"``: the nine that are no test corruption; ``"all"``: four more, see ``augmix_operations``.
    p : float, default 1.0
        Probability that an image is changed.
    per : {"sample", "batch"}, default "sample"
        One draw for every image, or one for the whole batch.

    Notes
    -----
    Boxes, masks and key points stay as they are: AugMix is meant for classification. The clean picture is in the mixture, and
    the chains leave weaker copies of the object elsewhere.

    Images have one or three channels. Floating images are rounded to 256 levels inside the chains, never in the clean part:
    with m = 0 the image comes back bit by bit.

    Examples
    --------
    >>> mix = AugMix(severity=3, width=3)
    >>> images = torch.rand(4, 3, 8, 8)
    >>> mix(images).shape, mix.views(images).shape
    (torch.Size([4, 3, 8, 8]), torch.Size([12, 3, 8, 8]))
    """

    works_in = "any"

    def __init__(
        self,
        severity: float = 3,
        width: int = 3,
        depth: int = -1,
        alpha: float = 1.0,
        operations: str | Sequence[str] = "paper",
        p: float = 1.0,
        per: str = "sample",
    ) -> None:
        super().__init__(p, per)
        self.severity = checked_float(severity, "severity", above=SMALLEST_LEVEL, high=LARGEST_LEVEL)
        self.width = checked_int(width, "width", low=1)
        self.depth = -1 if checked_int(depth, "depth", low=-1) == -1 else checked_int(depth, "depth", low=1)
        self.alpha = checked_float(alpha, "alpha", above=0)
        self.operations = checked_operations(operations)

    @property
    def largest_depth(self) -> int:
        """D, the number of places for operations in a chain."""
        return DEEPEST if self.depth == -1 else self.depth

    def sample(
        self, n: int, shape: tuple[int, int, int], generator: torch.Generator | None = None, device: Any = None
    ) -> AugMixParams:
        """Draw chains, levels, weights and m for ``n`` images; ``shape`` does not matter here."""
        places = (n, self.width, self.largest_depth)
        count = n * self.width * self.largest_depth
        operations = torch.randint(len(self.operations), places, generator=generator, device=device)
        if self.depth == -1:
            depths = torch.randint(1, DEEPEST + 1, places[:2], generator=generator, device=device)
            steps = torch.arange(DEEPEST, device=device)
            operations = torch.where(steps < depths[..., None], operations, -1)
        levels = uniform(count, SMALLEST_LEVEL, self.severity, generator, device).reshape(places)
        signs = torch.where(uniform(count, 0, 1, generator, device) < 0.5, -1.0, 1.0).reshape(places)
        weights = _dirichlet(n, self.width, self.alpha, generator, device)
        m = _dirichlet(n, 2, self.alpha, generator, device)[:, 0]  # Beta is the Dirichlet distribution of two shares
        return AugMixParams(operations, levels, signs, weights, m)

    def apply(self, images: Tensor, params: AugMixParams) -> Tensor:
        """Return the images (B, C, H, W), row i mixed as row i of ``params`` says, in their dtype.

        Raises
        ------
        ValueError
            If weights are negative or do not have the sum 1, or m is outside [0, 1]: the mixture would leave the data.
        """
        mixed = []
        for part in self._parts(images):
            here = rows(params, part)
            mixed.append(mix_chains(images[part], self._ends(images[part], here), here.weights, here.m))
        return torch.cat(mixed) if mixed else images.clone()

    def chains(self, images: Tensor, params: AugMixParams) -> Tensor:
        """Return the end of every chain, (B, k, C, H, W) uint8."""
        ends = [self._ends(images[part], rows(params, part)) for part in self._parts(images)]
        return torch.cat(ends) if ends else images.new_zeros(0, self.width, *images.shape[1:], dtype=torch.uint8)

    def steps(self, images: Tensor, params: AugMixParams) -> Tensor:
        """Return every chain before its first and after each step, (B, k, D + 1, C, H, W) uint8: what a picture shows."""
        states = [self._start(images)]
        for step in range(params.operations.shape[2]):
            states.append(self._step(states[-1].clone(), params, step))
        return torch.stack(states, 1).reshape(*params.operations.shape[:2], len(states), *images.shape[1:])

    def amounts(self, params: AugMixParams, height: int, width: int) -> Tensor:
        """Return how strong every operation is in its own unit, (n, k, D) float64; 0 where there is none."""
        amounts = torch.zeros(params.operations.shape, dtype=torch.float64, device=params.levels.device)
        for i, name in enumerate(self.operations):
            here = params.operations == i
            amounts[here] = OPERATIONS[name].amounts(params.levels[here], params.signs[here], height, width)
        return amounts

    def words(self, params: AugMixParams, height: int, width: int, image: int = 0) -> list[list[str]]:
        """Return the chains of one image in words, one list a chain, such as ``["rotate -7 degrees", "equalize"]``."""
        amounts = self.amounts(params, height, width)[image].tolist()
        chains = params.operations[image].tolist()
        return [
            [OPERATIONS[self.operations[i]].words(a) for i, a in zip(chain, row, strict=True) if i >= 0]
            for chain, row in zip(chains, amounts, strict=True)
        ]

    def views(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the clean images and two independent mixtures of each, (3 B, C, H, W): all clean, all first, all second.

        This is the batch whose logits ``JensenShannonLoss`` takes.

        Raises
        ------
        TypeError, ValueError
            As on call.
        """
        batch = as_batch(images)
        check_images(batch, self.unit_range)
        return torch.cat([batch, *(self.replay(batch, self.draw(batch, generator)) for _ in range(2))])

    def extra_repr(self) -> str:
        return f"severity={self.severity:g}, width={self.width}, depth={self.depth}, alpha={self.alpha:g}"

    # ---------------------------------------------------------------------------------------------------------- the parts

    def _parts(self, images: Tensor) -> Iterator[slice]:
        return batches(len(images), max(1, FAST_MEMORY // (self.width * images.shape[1:].numel())))

    def _ends(self, images: Tensor, params: AugMixParams) -> Tensor:
        state = self._start(images)
        for step in range(params.operations.shape[2]):
            state = self._step(state, params, step)
        return state.unflatten(0, (len(images), self.width))

    def _start(self, images: Tensor) -> Tensor:
        """Every chain's first picture, (B k, C, H, W) uint8."""
        images = images if images.dtype == torch.uint8 else to_uint8(images.detach())
        return images.repeat_interleave(self.width, 0)

    def _step(self, state: Tensor, params: AugMixParams, step: int) -> Tensor:
        """Change every chain's picture in place by its operation number ``step``."""
        amounts = self.amounts(params, *state.shape[-2:])[:, :, step].flatten()
        return apply_operations_(state, params.operations[:, :, step].flatten(), amounts, self.operations)


def mix_chains(images: Tensor, chains: Tensor, weights: Tensor, m: Tensor) -> Tensor:
    """Return ``(1 - m) x + m sum_i w_i c_i`` in the dtype of the images.

    Parameters
    ----------
    images : Tensor of shape (B, C, H, W), uint8 or floating in [0, 1]
        x. With uint8 the result is rounded; float64 is computed in float64, everything else in float32.
    chains : Tensor of shape (B, k, C, H, W), uint8
    weights : Tensor of shape (B, k)
    m : Tensor of shape (B,)

    Raises
    ------
    ValueError
        If the weights or m do not make a convex mixture; the message names the image.
    """
    _check_mixture(weights, m)
    levels = images.dtype == torch.uint8
    clean = images.float() if levels else images
    share = (m[:, None] * weights).to(clean.dtype) / (1 if levels else 255)  # (B, k)
    mixed = clean * _spread(1 - m.to(clean.dtype))
    for i in range(chains.shape[1]):  # (B, C, H, W) at a time: the chains stay bytes
        mixed.addcmul_(chains[:, i].to(clean.dtype), _spread(share[:, i]))
    return mixed.round_().to(torch.uint8) if levels else mixed.clamp(0, 1)


def _spread(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def _dirichlet(n: int, width: int, alpha: float, generator: torch.Generator | None, device: Any) -> Tensor:
    """Return shares (n, width), float32; every row has the sum 1."""
    concentration = torch.full((n, width), alpha, dtype=torch.float64, device=device)
    # Private, but the only one that takes a generator: torch.distributions draws from the global one alone.
    return torch._sample_dirichlet(concentration, generator=generator).float()


def _check_mixture(weights: Tensor, m: Tensor) -> None:
    sums = weights.double().sum(1)
    wrong = ~((sums - 1).abs() <= CONVEX) | ~(weights >= 0).all(1)
    if bool(wrong.any()):
        i = int(wrong.nonzero()[0])
        shown = ", ".join(f"{float(w):.4g}" for w in weights[i])
        raise ValueError(message("weights", "not negative and of sum 1", f"{shown} (sum {float(sums[i]):.4g}) for image {i}"))
    if not bool(((m >= 0) & (m <= 1)).all()):
        i = int((~((m >= 0) & (m <= 1))).nonzero()[0])
        raise ValueError(message("m", "between 0 and 1", f"{float(m[i]):.4g} for image {i}"))
