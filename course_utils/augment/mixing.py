"""One core for every mixer: a mask, a place to read from, and a label weight that is the mean of the mask.

**Problem.** Mixup blends two images, CutMix pastes a box, RICAP puts four crops together. They look like different methods.
**Idea.** In each of them a pixel of the result is a weighted mean of pixels of k images of the batch::

    x'_i = sum_j  G_ij * S_ij(x_partner(i, j))        y'_i = sum_j  w_ij y_partner(i, j)        w_ij = mean(G_ij)

==============  ========  ==============================================================================
name in code    symbol    meaning
==============  ========  ==============================================================================
``partners``              (n, k) int64: the images that row i is made of; the first one is i itself
``shares``      G         (n, k - 1, 1 or C, H or 1, W or 1): the part of every image but the last, which
                          gets what is left, so the parts always have the sum 1; bool for cut and paste
``origins``     S         (n, k, H, W) int64: the pixel ``y * W + x`` that is read; None: the same place
``weights``     w         (n, k): what the label counts
==============  ========  ==============================================================================

The label weight *is* the mean of the mask. Whoever computes it in a second place computes it wrong sooner or later: see
``label_mass_error``, which finds three such mistakes in public libraries.

A mixer draws numbers (``sample``) and turns them into masks (``shares``), as every transform of the course keeps the two
apart. ``MixPlan`` is the result: it mixes images, labels and class masks, and may be drawn, edited and replayed.

Sources: H. Zhang et al., "mixup", ICLR 2018, arXiv:1710.09412; S. Yun et al., "CutMix", ICCV 2019, arXiv:1905.04899; the
common view is the course's card 08, section 0.

Taught in ``15_mixing``, step 2, and ``16_cutting_and_pasting``, step 1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from course_utils.augment.sampling import check_images, rows, uniform
from course_utils.checks import checked_choice, checked_float, checked_int, message

SUM_TOLERANCE = 1e-3  # how far a soft label may be from the sum 1: half precision


@dataclass(frozen=True)
class MixPlan:
    """Where every pixel of a mixed batch comes from; see the table of the module for shapes.

    Attributes
    ----------
    partners : Tensor of shape (n, k), int64
    shares : Tensor of shape (n, k - 1, 1 or C, H or 1, W or 1), floating in [0, 1] or bool
    origins : Tensor of shape (n, k, H, W), int64, optional
    label_weights : Tensor of shape (n, k), optional
        Only for the few methods whose label is not the mean of the mask (SamplePairing, noisy mixup).
    """

    partners: Tensor
    shares: Tensor
    origins: Tensor | None = None
    label_weights: Tensor | None = None

    def __len__(self) -> int:
        return len(self.partners)

    @property
    def blends(self) -> bool:
        """Whether a pixel may be a mean of several images; False where every pixel belongs to one."""
        return self.shares.is_floating_point()

    @property
    def weights(self) -> Tensor:
        """Return w, (n, k) float32 (float64 for masks in float64): the part that each label has in the mixed label."""
        if self.label_weights is not None:
            return self.label_weights
        shares = self.shares if self.shares.is_floating_point() else self.shares.float()
        first = shares.mean((2, 3, 4))  # (n, k - 1)
        return torch.cat([first, 1 - first.sum(1, keepdim=True)], dim=1)

    def images(self, images: Tensor) -> Tensor:
        """Return the mixed images (n, C, H, W) in the dtype of ``images`` (B, C, H, W); uint8 is rounded."""
        if self.blends and not images.is_floating_point():
            return self._blended(images.float()).round_().clamp_(0, 255).to(images.dtype)
        return self._blended(images)

    def masks(self, masks: Tensor) -> Tensor:
        """Return class masks (n, H, W) or (n, 1, H, W), made of ``masks`` (B, H, W) or (B, 1, H, W) as the images are.

        Raises
        ------
        ValueError
            If the images are blended: the mean of class 3 and class 5 is not class 4.
        """
        if self.blends or self.shares.shape[2] != 1:
            expected = "a mixer that cuts and pastes, where a pixel belongs to one image"
            raise ValueError(message("masks", expected, "a blend", "Mix floating one-hot masks (B, K, H, W) as images instead."))
        return self._blended(masks) if masks.ndim == 4 else self._blended(masks[:, None])[:, 0]

    def labels(self, labels: Tensor) -> Tensor:
        """Return the mixed labels (n, K) of soft labels (B, K)."""
        return (self.weights.to(labels.dtype)[..., None] * labels[self.partners]).sum(1)

    def _blended(self, images: Tensor) -> Tensor:
        last = self._read(images, -1)
        if not self.blends or self.shares.shape[1] == 1:
            out = last
            for j in range(self.shares.shape[1]):
                share, image = self.shares[:, j], self._read(images, j)
                out = out.lerp_(image, share.to(images.dtype)) if self.blends else torch.where(share, image, out)
            return out
        out = last.clone()
        for j in range(self.shares.shape[1]):
            out += self.shares[:, j].to(images.dtype) * (self._read(images, j) - last)
        return out

    def _read(self, images: Tensor, j: int) -> Tensor:
        """Return image j of every row, (n, C, H, W), read at its origins; a copy, unless each row reads itself as it is."""
        partners = self.partners[:, j]
        if self.origins is not None:
            places = self.origins[:, j].flatten(1)[:, None].expand(-1, images.shape[1], -1)  # (n, C, H * W)
            return images[partners].flatten(2).gather(2, places).unflatten(2, images.shape[2:])
        if j == 0 and len(self) == len(images) and torch.equal(partners, torch.arange(len(images), device=partners.device)):
            return images
        return images.index_select(0, partners)


@dataclass(frozen=True)
class MixDraw:
    """What one call drew: which rows of the batch are mixed, (B,) bool, and how, one row of the plan for each of them."""

    active: Tensor
    plan: MixPlan


class Mixer(v2.Transform, ABC):
    """A transform of a whole batch: ``mixer(images, labels)`` returns mixed images and soft labels.

    A subclass writes ``sample`` and ``shares``, and where it needs them ``origins`` and ``label_weights``.

    Parameters
    ----------
    num_classes : int, optional
        K. Needed for labels that are class numbers.
    p : float, default 1.0
        Probability that an image is mixed, in [0, 1]; CutMix takes 0.5 on CIFAR.
    per : {"sample", "batch"}, default "sample"
        Draw a mask for every image, or one for all of them, as the official codes do. One for every image makes the steps of
        a training less noisy, at the same cost.
    pairing : {"ring", "permutation"}, default "ring"
        Who is mixed with whom. "ring": the batch in random order, each image with its next neighbours, so nobody meets
        itself as long as there are enough others. "permutation": a random permutation for every partner, as in the papers;
        one image of a batch meets itself, on average.

    Notes
    -----
    Called with ``images`` (B, C, H, W), uint8 or floating of any range, and ``labels``, (B,) int64 or (B, K) floating with
    rows of sum 1, and where pixels are cut and pasted also with ``tv_tensors.Mask`` (B, H, W). The inputs are left alone. In
    evaluation mode, and in a batch of one, which has no partner, the images come back as they are. The loss for soft labels
    is ``torch.nn.functional.cross_entropy``.

    Raises
    ------
    TypeError, ValueError
        On call: for images with NaN or infinite values (they would spread to a partner), labels out of range, numbers to be
        regressed, several classes at once, boxes, key points, and class masks where pixels are blended.
    """

    n_images = 2
    """k, the number of images that one result is made of."""

    def __init__(self, num_classes: int | None = None, p: float = 1.0, per: str = "sample", pairing: str = "ring") -> None:
        super().__init__()
        self.num_classes = None if num_classes is None else checked_int(num_classes, "num_classes", low=1)
        self.p = checked_float(p, "p", low=0, high=1)
        self.per = checked_choice(per, "per", ("sample", "batch"))
        self.pairing = checked_choice(pairing, "pairing", ("ring", "permutation"))

    # ------------------------------------------------------------------------------------------- what a subclass writes

    @abstractmethod
    def sample(self, n: int, shape: tuple[int, int, int], generator: torch.Generator | None = None, device: Any = None) -> Any:
        """Draw the parameters of ``n`` results of ``shape`` (C, H, W): a frozen dataclass of tensors with ``n`` rows."""

    @abstractmethod
    def shares(self, params: Any, shape: tuple[int, int, int]) -> Tensor:
        """Return the masks G of all images but the last, (n, k - 1, 1 or C, H or 1, W or 1)."""

    def origins(self, params: Any, shape: tuple[int, int, int]) -> Tensor | None:
        """Return the pixel of each image that is read, (n, k, H, W) int64, or None: the same place."""
        return None

    def label_weights(self, params: Any, shape: tuple[int, int, int]) -> Tensor | None:
        """Return the label weights (n, k) of a method that does not take the mean of the mask, or None."""
        return None

    # -------------------------------------------------------------------------------------------------- draw and replay

    def plan(self, partners: Tensor, params: Any, shape: tuple[int, int, int]) -> MixPlan:
        """Return the plan of results made of ``partners`` (n, k) with the drawn ``params``; no randomness."""
        return MixPlan(partners, self.shares(params, shape), self.origins(params, shape), self.label_weights(params, shape))

    def draw(self, images: Tensor, generator: torch.Generator | None = None) -> MixDraw:
        """Decide which images of a batch (B, C, H, W) are mixed, with whom, and how.

        Parameters
        ----------
        generator : torch.Generator, optional
            Source of randomness; torch's global one by default.
        """
        n, shape, device = len(images), tuple(images.shape[1:]), images.device
        n_draws = n if self.per == "sample" else min(n, 1)
        active = torch.full((n_draws,), n > 1, device=device)  # nobody to be mixed with in a batch of one
        if self.p < 1:
            active &= uniform(n_draws, 0, 1, generator, device) < self.p
        active = active.expand(n)
        kept = active.nonzero()[:, 0]
        partners = draw_partners(n, self.n_images, self.pairing, generator, device)[kept]
        if self.per == "sample":
            params = self.sample(len(kept), shape, generator, device)
        else:
            params = rows(self.sample(1, shape, generator, device), torch.zeros(len(kept), dtype=torch.long, device=device))
        return MixDraw(active, self.plan(partners, params, shape))

    def replay(self, images: Tensor, draw: MixDraw) -> Tensor:
        """Return the batch (B, C, H, W) mixed as ``draw`` says; rows that are not active stay bit by bit."""
        return _replaced(images, draw.active, draw.plan.images)

    def replay_labels(self, labels: Tensor, draw: MixDraw) -> Tensor:
        """Return soft labels (B, K) for the labels (B,) or (B, K) of the batch."""
        soft = soft_labels(labels, self.num_classes)
        return _replaced(soft, draw.active, draw.plan.labels)

    def forward(self, *inputs: Any) -> Any:
        images, labels, masks = checked_batch(inputs)
        drawn = self.draw(images)
        if not self.training:
            drawn = MixDraw(torch.zeros_like(drawn.active), drawn.plan)
        mixed = self.replay(images.as_subclass(Tensor), drawn)
        out = [tv_tensors.wrap(mixed, like=images) if isinstance(images, tv_tensors.Image) else mixed]
        out.append(self.replay_labels(labels, drawn))
        if masks is not None:
            out.append(tv_tensors.Mask(_replaced(masks.as_subclass(Tensor), drawn.active, drawn.plan.masks)))
        return tuple(out)

    def extra_repr(self) -> str:
        return f"num_classes={self.num_classes}, p={self.p:g}, per={self.per!r}"


# ------------------------------------------------------------------------------------------------------------ small tools


def soft_labels(labels: Tensor, num_classes: int | None = None) -> Tensor:
    """Return labels (B,) int64 or (B, K) floating as probabilities (B, K), float32 or the dtype they have.

    Raises
    ------
    TypeError, ValueError
        If class numbers come without ``num_classes`` or are out of its range, if rows of soft labels are negative, not
        finite or not of sum 1, or if the labels are of another kind.

    Examples
    --------
    >>> soft_labels(torch.tensor([2, 0]), 3)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    if not isinstance(labels, Tensor) or labels.ndim not in (1, 2) or labels.dtype == torch.bool:
        got = f"dtype {labels.dtype}, shape {tuple(labels.shape)}" if isinstance(labels, Tensor) else type(labels).__name__
        raise TypeError(message("labels", "a tensor (B,) of class numbers or (B, K) of probabilities", got))
    if labels.ndim == 1:
        if labels.is_floating_point():
            advice = "A mean of two numbers is the right target only where the task is linear; mix such targets yourself."
            raise TypeError(message("labels", "class numbers of an integer dtype", str(labels.dtype), advice))
        if num_classes is None:
            raise ValueError(message("num_classes", "given when labels are class numbers", "None"))
        outside = (labels < 0) | (labels >= num_classes)
        if bool(outside.any()):
            i = int(outside.nonzero()[0])
            raise ValueError(message("labels", f"class numbers from 0 to {num_classes - 1}", f"{int(labels[i])} for image {i}"))
        return torch.nn.functional.one_hot(labels.long(), num_classes).float()
    if num_classes is not None and labels.shape[1] != num_classes:
        raise ValueError(message("labels", f"shape (B, {num_classes})", f"shape {tuple(labels.shape)}"))
    soft = labels if labels.is_floating_point() else labels.float()
    wrong = ~(((soft.sum(1) - 1).abs() <= SUM_TOLERANCE) & (soft >= 0).all(1))  # True for NaN too
    if bool(wrong.any()):
        i = int(wrong.nonzero()[0])
        advice = "For several classes at once, mix the images by `replay` and the labels by a rule of your own."
        got = f"values from {float(soft[i].min()):.4g}, sum {float(soft[i].sum()):.4g}, for image {i}"
        raise ValueError(message("labels", "rows that are not negative and have the sum 1", got, advice))
    return soft


def draw_partners(
    n: int, n_images: int, pairing: str = "ring", generator: torch.Generator | None = None, device: Any = None
) -> Tensor:
    """Return who is mixed with whom, (n, n_images) int64: first itself, then the others; see ``Mixer`` for ``pairing``."""
    itself = torch.arange(n, device=device)
    if pairing == "permutation":
        others = [torch.randperm(n, generator=generator, device=device) for _ in range(n_images - 1)]
        return torch.stack([itself, *others], dim=1)
    order = torch.randperm(n, generator=generator, device=device)  # order[r]: who stands at place r of the ring
    place = torch.empty_like(order).scatter_(0, order, itself)
    return torch.stack([order[(place + step) % max(n, 1)] for step in range(n_images)], dim=1)


def label_mass_error(
    mix: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], n: int = 6, size: tuple[int, int] = (9, 12)
) -> float:
    """Return how far the labels of a mixer are from the truth, at most, on images that *are* their labels.

    The image of class k is 1 in channel k and 0 elsewhere. Whatever is cut, moved or blended, the mean of channel k of the
    result is the part of class k in it: the label must say the same.

    Parameters
    ----------
    mix : callable (images (n, n, H, W), labels (n,)) -> (images, soft labels (n, n))
        Any library's mixer.
    n : int, default 6
        Number of images, classes and channels.
    size : (int, int), default (9, 12)
        H and W. Odd and not square, because that is where mistakes hide.

    Returns
    -------
    float
        About 1e-7 for a right mixer; the share of the label that is wrong otherwise, up to 1.

    Examples
    --------
    >>> swapped = lambda images, labels: (images.roll(1, 0), torch.nn.functional.one_hot(labels, 6).float())
    >>> label_mass_error(swapped)
    1.0
    """
    n = checked_int(n, "n", low=2)
    images = torch.eye(n)[:, :, None, None].expand(n, n, *size).contiguous()
    mixed, labels = mix(images, torch.arange(n))
    return float((mixed.double().mean((2, 3)) - labels.double()).abs().max())


def check_finite(images: Tensor) -> None:
    """Refuse floating images (B, ...) that hold NaN or infinite values; the message names the first such image."""
    if not images.is_floating_point() or bool(images.detach().sum(dtype=torch.float32).isfinite()):
        return
    broken = ~images.detach().isfinite().flatten(1).all(1)
    if bool(broken.any()):
        advice = "Mixing would carry it into other images."
        raise ValueError(
            message("images", "free of NaN and infinite values", f"NaN or infinity in image {int(broken.nonzero()[0])}", advice)
        )


def checked_batch(inputs: tuple) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return images, labels and, where there are any, class masks of a mixer's call, or refuse them; see ``Mixer``."""
    inputs = inputs[0] if len(inputs) == 1 and isinstance(inputs[0], (tuple, list)) else inputs
    for item in inputs:
        if isinstance(item, (tv_tensors.BoundingBoxes, tv_tensors.KeyPoints)):
            kind = type(item).__name__
            raise TypeError(message("inputs", "images, labels and, at most, class masks", kind, "See `Mosaic` for boxes."))
    masks = [item for item in inputs if isinstance(item, tv_tensors.Mask)]
    others = [item for item in inputs if not isinstance(item, tv_tensors.Mask)]
    if len(others) != 2 or len(masks) > 1:
        raise TypeError(message("inputs", "images, labels and, at most, one batch of class masks", f"{len(inputs)} inputs"))
    images, labels = others
    if not isinstance(images, Tensor) or images.ndim != 4:
        got = f"shape {tuple(images.shape)}" if isinstance(images, Tensor) else type(images).__name__
        raise TypeError(message("images", "a batch of shape (B, C, H, W): one image alone has no partner", got))
    check_images(images, unit_range=False)
    check_finite(images)
    if not isinstance(labels, Tensor) or labels.ndim == 0 or len(labels) != len(images):
        got = f"shape {tuple(labels.shape)}" if isinstance(labels, Tensor) else type(labels).__name__
        raise ValueError(message("labels", f"one for each of the {len(images)} images", got))
    if masks and (len(masks[0]) != len(images) or masks[0].shape[-2:] != images.shape[-2:]):
        expected = f"shape ({len(images)}, {images.shape[-2]}, {images.shape[-1]})"
        raise ValueError(message("masks", expected, f"shape {tuple(masks[0].shape)}"))
    return images, labels, masks[0] if masks else None


def _replaced(batch: Tensor, active: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    n_active = int(active.sum())
    if n_active == len(batch):
        return change(batch)
    out = batch.clone()
    if n_active:
        out[active] = change(batch)
    return out
