"""One draw per image: the base of every random transform of the course.

A random transform does two things: it draws numbers, and it changes images by these numbers. Here the two are kept apart.

    params = transform.sample(n, shape, generator)      n draws; a frozen dataclass whose tensors have n rows
    images = transform.apply(images, params)            no randomness: the same numbers give the same images

So a draw can be printed, edited by a widget, and replayed. Around these two, ``RandomTransform`` follows the protocol of
``torchvision.transforms.v2``: single images and batches, ``tv_tensors`` targets, ``Compose``, data-loader workers.

Where this differs from torchvision
    torchvision draws once per call: every image of a batch gets the same numbers. Here every image gets its own
    (``per="sample"``), in one vectorised pass; ``per="batch"`` is torchvision's way.

Targets of a batch
    Among the inputs, the k-th boxes, the k-th key points and the k-th mask belong to image k, as in the lists of
    dictionaries that detectors take. One mask (or one set of key points) for a whole batch has the batch as first axis.

Source of the protocol: torchvision, "Transforms v2". Per-image parameters in one batch: the course's card 07, section 0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
import PIL.Image
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from course_utils.checks import checked_choice, checked_float, message

WHOLE = {2: torch.int16, 4: torch.int32, 8: torch.int64}
"""The integer dtype with as many bytes as a floating one."""
ONE = {
    dtype: int(torch.ones(1, dtype=dtype).view(WHOLE[dtype.itemsize]))
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64)
}
"""The number 1 of a floating dtype, its bits read as a whole number."""
TARGETS = (tv_tensors.BoundingBoxes, tv_tensors.KeyPoints, tv_tensors.Mask)
Params = TypeVar("Params")


@dataclass(frozen=True)
class Draw:
    """What one call drew.

    Attributes
    ----------
    active : Tensor of bool, shape (B,)
        Which images are changed.
    params : dataclass
        The parameters of the active images, one row each, in order.
    """

    active: Tensor
    params: Any


class RandomTransform(v2.Transform, ABC):
    """A transform that draws its own parameters for every image of a batch.

    A subclass writes ``sample`` and ``apply``, and ``apply_target`` if boxes, masks or key points change too.

    Parameters
    ----------
    p : float, default 1.0
        Probability that an image is changed, in [0, 1]. An image that is not changed comes back bit by bit.
    per : {"sample", "batch"}, default "sample"
        Draw for every image of a batch, or once for all of them.

    Raises
    ------
    TypeError, ValueError
        On call: for an image that is no tensor of shape (C, H, W) or (B, C, H, W), has no pixel, is neither uint8 nor
        floating, or, where ``unit_range``, holds values outside [0, 1] or NaN; if the number of targets does not fit the
        batch.
    """

    works_in = "float"
    """``"float"``: ``apply`` receives floating images in [0, 1]; ``"any"``: it receives uint8 images as they are."""

    unit_range = True
    """Refuse floating images with values outside [0, 1]. False for a transform that moves pixels and computes no colour."""

    needs_boxes = False
    """``sample`` takes ``boxes=``: one (N, 4) tensor of corners for each image to be drawn for."""

    def __init__(self, p: float = 1.0, per: str = "sample") -> None:
        super().__init__()
        self.p = checked_float(p, "p", low=0, high=1)
        self.per = checked_choice(per, "per", ("sample", "batch"))

    # ------------------------------------------------------------------------------------------- what a subclass writes

    @abstractmethod
    def sample(self, n: int, shape: tuple[int, int, int], generator: torch.Generator | None = None, device: Any = None) -> Any:
        """Draw the parameters of ``n`` images of ``shape`` (C, H, W): a frozen dataclass of tensors with ``n`` rows."""

    @abstractmethod
    def apply(self, images: Tensor, params: Any) -> Tensor:
        """Return the images (B, C, H, W) changed by ``params``, row i for image i; ``images`` itself is left alone."""

    def apply_target(self, target: Tensor, params: Any) -> Tensor:
        """Return the boxes, key points or mask of one changed image; ``params`` has its one row."""
        return target

    # ------------------------------------------------------------------------------------------------- the v2 protocol

    def draw(
        self,
        images: Tensor,
        generator: torch.Generator | None = None,
        boxes: list[Tensor] | None = None,
    ) -> Draw:
        """Decide which images (B, C, H, W) are changed, and draw their parameters.

        Parameters
        ----------
        generator : torch.Generator, optional
            Source of randomness; torch's global one by default, as in torchvision.
        boxes : list of Tensor, optional
            Where ``needs_boxes``: corners (N, 4) for each image.
        """
        n, shape, device = images.shape[0], tuple(images.shape[1:]), images.device
        if self.p == 1 and self.per == "sample" and not self.needs_boxes:  # all of them, each by itself: nothing to sort out
            return Draw(torch.ones(n, dtype=torch.bool, device=device), self.sample(n, shape, generator, device))
        n_draws = n if self.per == "sample" else min(n, 1)
        active = torch.ones(n_draws, dtype=torch.bool, device=device)
        if self.p < 1:
            active = uniform(n_draws, 0, 1, generator, device) < self.p
        if self.per == "batch":
            active = active.expand(n)
        kept = active.nonzero()[:, 0]
        extra = {}
        if self.needs_boxes:
            empty = torch.zeros(0, 4, device=device)
            extra["boxes"] = [empty if boxes is None else boxes[i] for i in kept.tolist()]
        if self.per == "sample" or not len(kept):
            return Draw(active, self.sample(len(kept), shape, generator, device, **extra))
        one = self.sample(1, shape, generator, device, **({"boxes": extra["boxes"][:1]} if extra else {}))
        return Draw(active, rows(one, torch.zeros(len(kept), dtype=torch.long, device=device)))

    def replay(self, images: Tensor, draw: Draw) -> Tensor:
        """Return images (B, C, H, W) changed as ``draw`` says."""
        n_active = draw.active.tolist().count(True)
        if n_active == 0:
            return images
        if n_active == images.shape[0]:
            return self._in_its_dtype(images, draw.params)
        changed = self._in_its_dtype(images[draw.active], draw.params)
        out = images.clone()
        out[draw.active] = changed
        return out

    def forward(self, *inputs: Any) -> Any:
        if len(inputs) > 1 or type(inputs[0]) is not Tensor or self.needs_boxes:
            return super().forward(*inputs)
        images = as_batch(inputs[0])  # a plain tensor alone: the same, without looking for targets
        check_images(images, self.unit_range)
        out = self.replay(images, self.draw(images))
        return out if inputs[0].ndim == 4 else out[0]

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        images = next((as_batch(item) for item in flat_inputs if is_image(item)), None)
        if images is None:
            raise TypeError(message("inputs", "an image among them", "no tensor, no PIL image and no tv_tensors.Image"))
        check_images(images, self.unit_range)
        counts = Counter(kind for item in flat_inputs for kind in TARGETS if isinstance(item, kind))
        for kind, count in counts.items():
            if len(images) > 1 and count not in (1, len(images)):
                expected = f"{len(images)} (one for each image) or one for the whole batch"
                raise ValueError(message("inputs", f"as many {kind.__name__} as images: {expected}", str(count)))
        boxes = None
        if self.needs_boxes:
            found = [item for item in flat_inputs if isinstance(item, tv_tensors.BoundingBoxes)]
            boxes = [corners(item) for item in found] if len(found) == len(images) else None
        drawn = self.draw(images, boxes=boxes)
        return {"draw": drawn, "shape": tuple(images.shape), "counts": counts, "seen": Counter()}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if is_image(inpt):
            return self._transform_image(inpt, params)
        kind = next((kind for kind in TARGETS if isinstance(inpt, kind)), None)
        if kind is None:
            return inpt
        drawn, n = params["draw"], params["shape"][0]
        if n != 1 and params["counts"][kind] == 1:
            if len(inpt) != n:
                raise ValueError(message("inputs", f"{kind.__name__} with first axis {n}, the batch", str(tuple(inpt.shape))))
            cut = 1 if kind is tv_tensors.BoundingBoxes else None  # a box keeps its two axes
            parts = [self._target_of(_part(inpt, i, cut), drawn, i) for i in range(n)]
            return _joined(parts, cut) if parts else inpt
        i = params["seen"][kind]
        params["seen"][kind] += 1
        return inpt if n == 0 else self._target_of(inpt, drawn, i)

    # -------------------------------------------------------------------------------------------------------- the parts

    def _transform_image(self, inpt: Any, params: dict[str, Any]) -> Any:
        images = as_batch(inpt)
        if tuple(images.shape) != params["shape"]:
            raise ValueError(message("inputs", f"images of one shape {params['shape']}", str(tuple(images.shape))))
        out = self.replay(images, params["draw"])
        if isinstance(inpt, PIL.Image.Image):
            return functional.to_pil_image(out[0])
        out = out if inpt.ndim == 4 else out[0]
        return tv_tensors.Image(out) if isinstance(inpt, tv_tensors.Image) else out

    def _target_of(self, target: Tensor, drawn: Draw, i: int) -> Tensor:
        if not drawn.active[i]:
            return target
        row = int(drawn.active[:i].sum())
        return self.apply_target(target, rows(drawn.params, slice(row, row + 1)))

    def _in_its_dtype(self, images: Tensor, params: Any) -> Tensor:
        dtype = images.dtype
        if dtype == torch.uint8 and self.works_in == "float":
            return to_uint8(self.apply(images.to(torch.float32).div_(255), params))
        if dtype in (torch.float16, torch.bfloat16):
            return self.apply(images.float(), params).to(dtype)
        return self.apply(images, params)


# ------------------------------------------------------------------------------------------------------------ small tools


def uniform(
    n: int, low: float, high: float, generator: torch.Generator | None = None, device: Any = None, dtype: Any = torch.float32
) -> Tensor:
    """Return ``n`` numbers drawn uniformly from [low, high)."""
    return torch.rand(n, generator=generator, device=device, dtype=dtype) * (high - low) + low


def beta(n: int, alpha: float, generator: torch.Generator | None = None, device: Any = None) -> Tensor:
    """Return ``n`` float32 numbers from Beta(alpha, alpha); alpha = 0 stands for its limit, numbers that are all 1.

    torch draws from this distribution by its global generator only, so NumPy draws, with a seed from ``generator``.
    """
    if alpha == 0:
        return torch.ones(n, device=device)
    where = None if generator is None else generator.device
    seed = int(torch.randint(2**62, (1,), generator=generator, device=where))
    drawn = np.random.default_rng(seed).beta(alpha, alpha, n)
    return torch.from_numpy(drawn).float().to(device)


def rows(params: Params, index: Any) -> Params:
    """Return a dataclass of parameters with the rows ``index`` of every tensor in it; other fields stay.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Turn:
    ...     degrees: Tensor
    >>> rows(Turn(torch.tensor([10., 20., 30.])), slice(1, 2))
    Turn(degrees=tensor([20.]))
    """
    tensors = {f.name: getattr(params, f.name) for f in fields(params)}
    return replace(params, **{name: value[index] for name, value in tensors.items() if isinstance(value, Tensor)})


def to_uint8(images: Tensor) -> Tensor:
    """Return floating images in [0, 1] as uint8, rounded to the nearest level; values outside are clipped."""
    return (images * 255).round_().clamp_(0, 255).to(torch.uint8)


def is_image(item: Any) -> bool:
    """Tell whether an input is an image: a PIL image, a ``tv_tensors.Image`` or a plain tensor."""
    return isinstance(item, PIL.Image.Image) or (isinstance(item, Tensor) and not isinstance(item, (*TARGETS, tv_tensors.Video)))


def as_batch(image: Any) -> Tensor:
    """Return an image or a batch of them as a plain tensor (B, C, H, W)."""
    if isinstance(image, PIL.Image.Image):
        image = functional.pil_to_tensor(image)
    if type(image) is not Tensor:
        image = image.as_subclass(Tensor)
    if image.ndim not in (3, 4):
        raise ValueError(message("inputs", "images of shape (C, H, W) or (B, C, H, W)", f"shape {tuple(image.shape)}"))
    return image if image.ndim == 4 else image[None]


def corners(boxes: Tensor) -> Tensor:
    """Return boxes of any format as a plain tensor (N, 4) of corners (x1, y1, x2, y2), in pixels."""
    if boxes.format != tv_tensors.BoundingBoxFormat.XYXY:
        boxes = functional.convert_bounding_box_format(boxes, new_format=tv_tensors.BoundingBoxFormat.XYXY)
    return boxes.as_subclass(Tensor)


def _part(target: Tensor, i: int, cut: int | None) -> Tensor:
    return tv_tensors.wrap(target[i] if cut is None else target[i : i + cut], like=target)


def _joined(parts: list[Tensor], cut: int | None) -> Tensor:
    plain = [part.as_subclass(Tensor) for part in parts]
    return tv_tensors.wrap(torch.stack(plain) if cut is None else torch.cat(plain), like=parts[0])


def check_images(images: Tensor, unit_range: bool) -> None:
    """Refuse a batch (B, C, H, W) of another dtype, without a pixel, or, where ``unit_range``, with values outside [0, 1]."""
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise TypeError(message("inputs", "images of dtype uint8 or floating", str(images.dtype)))
    if 0 in images.shape[1:]:
        raise ValueError(message("inputs", "images with at least one channel and pixel", f"shape {tuple(images.shape)}"))
    if not unit_range or images.dtype == torch.uint8 or images.shape[0] == 0:
        return
    # Read as whole numbers, floats from 0 to 1 keep their order, negative ones are below them, NaN above: half the time.
    bits = images.detach().view(WHOLE[images.dtype.itemsize])
    low, high = torch.aminmax(bits)
    if low.item() >= 0 and high.item() <= ONE[images.dtype]:
        return
    inside = ((images >= 0) & (images <= 1)).flatten(1).all(1)  # False for NaN too
    if bool(inside.all()):  # a negative zero among them
        return
    i = int((~inside).nonzero()[0])
    values = images[i]
    got = "NaN" if bool(values.isnan().any()) else f"values from {float(values.min()):.4g} to {float(values.max()):.4g}"
    advice = (
        "Normalise with mean and deviation after the augmentation."
        if bool((images < 0).any())
        else "Divide by 255, or pass uint8."
    )
    raise ValueError(message("inputs", "floating images with values in [0, 1]", f"{got} in image {i}", advice))
