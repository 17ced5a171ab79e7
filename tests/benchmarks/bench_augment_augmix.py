"""Benchmarks of chapter 17: every image of a batch gets chains of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from harness import benchmark
from torchvision.transforms import v2

from course_utils.augment import AugMix, PatchShuffle


def pictures(n: int, size: int) -> torch.Tensor:
    """Return smooth random pictures (n, 3, size, size) uint8."""
    coarse = torch.rand(n, 3, 7, 7, generator=torch.Generator().manual_seed(0))
    return (torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear") * 255).to(torch.uint8)


def alike(ours: object, theirs: object) -> bool:
    """Different draws of one distribution: the mean level agrees to 12 of 255, and both changed most images."""
    ours, theirs = (images.float() for images in (ours, theirs))
    return ours.shape == theirs.shape and abs(float(ours.mean() - theirs.mean())) < 12


def augmix(n: int, size: int) -> tuple[Callable, Callable]:
    """Return AugMix of a batch, and torchvision's in a loop, so that every image has chains of its own there too."""
    images, ours, theirs = pictures(n, size), AugMix(), v2.AugMix(all_ops=False)
    torch.manual_seed(0)
    return lambda: ours(images), lambda: torch.stack([theirs(image) for image in images])


@benchmark("AugMix, 256 images of 3 x 32 x 32", ours="one call per operation and step", theirs="loop, torchvision", agree=alike)
def augmix_small() -> tuple[Callable, Callable]:
    return augmix(256, 32)


@benchmark("AugMix, 64 images of 3 x 224 x 224", ours="one call per operation and step", theirs="loop, torchvision", agree=alike)
def augmix_large() -> tuple[Callable, Callable]:
    return augmix(64, 224)


def window_by_window(images: torch.Tensor) -> torch.Tensor:
    """PatchShuffle as its sentence reads: a loop over images and windows, one permutation each."""
    rng, out = np.random.default_rng(0), images.clone()
    for image in out:
        for row in range(0, image.shape[1] - 1, 2):
            for column in range(0, image.shape[2] - 1, 2):
                window = image[:, row : row + 2, column : column + 2].flatten(1)
                image[:, row : row + 2, column : column + 2] = window[:, rng.permutation(4)].unflatten(1, (2, 2))
    return out


def same_pooled(ours: object, theirs: object) -> bool:
    """What the method promises: equal averages of all windows."""
    one, two = (torch.nn.functional.avg_pool2d(images, 2) for images in (ours, theirs))
    return bool(torch.allclose(one, two, atol=1e-5))


@benchmark(
    "PatchShuffle, 64 images of 3 x 32 x 32, all shuffled", ours="one gather", theirs="loop over windows", agree=same_pooled
)
def patch_shuffle() -> tuple[Callable, Callable]:
    images, shuffle = pictures(64, 32).float() / 255, PatchShuffle(p=1.0)
    return lambda: shuffle(images), lambda: window_by_window(images)
