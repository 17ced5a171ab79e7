"""Benchmarks of chapter 14: erasing with a rectangle of its own for every image, against the loops that libraries leave to users.

Two threads. Both sides get the same all-white images and fill with black, so what they erase can be compared: the mean erased
share has to agree. timm is not among the course's packages: its per-image loop over a batch on the device is written here as
its behaviour is documented (log-uniform ratio, one draw and one assignment for each image).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
import torch
from harness import benchmark
from torch import Tensor
from torchvision.transforms import v2

from course_utils.augment import Cutout, HideAndSeek, RandomErasing

SIZES = {32: 256, 224: 64}  # side in pixels -> images in the batch
SCALE, RATIO = (0.02, 0.33), (0.3, 3.3)  # torchvision's defaults, which the others know too


def white(side: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return a batch of white images."""
    return torch.full((SIZES[side], 3, side, side), 255 if dtype == torch.uint8 else 1.0, dtype=dtype)


def erased_alike(tolerance: float) -> Callable[[object, object], bool]:
    """Compare the shares of black pixels of two results, batches (B, C, H, W) or lists of images (H, W, C)."""

    def share(result: object) -> float:
        return float((np.asarray(result) == 0).mean())

    return lambda ours, theirs: abs(share(ours) - share(theirs)) < tolerance


def in_numpy(images: Tensor) -> list[np.ndarray]:
    """Return a batch as albumentations takes it: one contiguous (H, W, C) array an image."""
    return [np.ascontiguousarray(image.permute(1, 2, 0).numpy()) for image in images]


def timm_like(images: Tensor) -> Tensor:
    """Erase one rectangle in each image of a batch, one image after the other, as timm's loader does on the device."""
    out = images.clone()
    height, width = out.shape[-2:]
    for image in out:
        for _ in range(10):
            area = random.uniform(*SCALE) * height * width
            ratio = math.exp(random.uniform(math.log(RATIO[0]), math.log(RATIO[1])))
            h, w = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if h < height and w < width:
                top, left = random.randint(0, height - h), random.randint(0, width - w)
                image[:, top : top + h, left : left + w] = 0
                break
    return out


def official_hide(images: Tensor, cell: int) -> Tensor:
    """Hide cells as the released code does: loops over images and cells, a coin for each."""
    out = images.clone()
    height, width = out.shape[-2:]
    for image in out:
        for top in range(0, height, cell):
            for left in range(0, width, cell):
                if random.random() < 0.5:
                    image[:, top : top + cell, left : left + cell] = 0
    return out


def _register(side: int) -> None:
    where = f"{SIZES[side]} x 3 x {side} x {side}"
    length, cell = side // 2, side // 4

    def ours() -> RandomErasing:
        return RandomErasing(p=1.0, scale=SCALE, ratio=RATIO, value="black", ratio_sampling="log")

    def registered(title: str, theirs: str, tolerance: float, prepare: Callable[[], tuple[Callable, Callable]]) -> None:
        benchmark(f"{title}, {where}", "batched, each its own", theirs, erased_alike(tolerance), threads=2)(prepare)

    def against_torchvision() -> tuple[Callable, Callable]:
        images, mine, loop = white(side), ours(), v2.RandomErasing(p=1.0, scale=SCALE, ratio=RATIO, value=0)
        return lambda: mine(images), lambda: torch.stack([loop(image) for image in images])

    def against_kornia() -> tuple[Callable, Callable]:
        import kornia.augmentation as K

        images, mine, theirs = white(side), ours(), K.RandomErasing(p=1.0, scale=SCALE, ratio=RATIO, value=0.0)
        return lambda: mine(images), lambda: theirs(images)

    def against_albumentations() -> tuple[Callable, Callable]:
        import albumentations as A

        images, mine = white(side, torch.uint8), ours()
        arrays, theirs = in_numpy(images), A.Erasing(scale=SCALE, ratio=RATIO, fill=0, p=1.0)
        return lambda: mine(images), lambda: [theirs(image=array)["image"] for array in arrays]

    def against_timm() -> tuple[Callable, Callable]:
        images, mine = white(side), ours()
        return lambda: mine(images), lambda: timm_like(images)

    def against_dropout() -> tuple[Callable, Callable]:
        import albumentations as A

        images, mine = white(side, torch.uint8), Cutout(length, overhang=False, value="black")
        sides = (length, length)
        arrays, theirs = in_numpy(images), A.CoarseDropout((1, 1), sides, sides, fill=0, p=1.0)
        return lambda: mine(images), lambda: [theirs(image=array)["image"] for array in arrays]

    def against_official() -> tuple[Callable, Callable]:
        images, mine = white(side), HideAndSeek((cell,), value="black")
        return lambda: mine(images), lambda: official_hide(images, cell)

    registered("Random Erasing", "torchvision, one image at a time", 0.08, against_torchvision)
    registered("Random Erasing", "kornia", 0.08, against_kornia)
    registered("Random Erasing, uint8", "albumentations, one image at a time", 0.08, against_albumentations)
    registered("Random Erasing", "as timm, one image at a time", 0.08, against_timm)
    registered("Cutout inside, uint8", "albumentations CoarseDropout, one at a time", 0.08, against_dropout)
    registered("Hide-and-Seek", "loops of the released code", 0.08, against_official)


for _side in SIZES:
    _register(_side)
