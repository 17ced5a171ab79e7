"""Benchmarks of chapter 15: blending with a ratio and a partner of its own for every image, against torchvision, kornia and timm.

Two threads. Every side gets the same images and returns mixed images and soft labels; what is mixed is compared by the spread of
the results, which a uniform ratio makes two thirds of that of the images on average. torchvision mixes a whole batch with one
ratio: it is compared with ``per="batch"``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from harness import benchmark
from torch import Tensor
from torchvision.transforms import v2

from course_utils.augment import MixedExample, MixUp

SIZES = {32: 256, 224: 64}  # side in pixels -> images in the batch
K = 10


def batch(side: int) -> tuple[Tensor, Tensor]:
    """Return random images and class numbers."""
    generator = torch.Generator().manual_seed(side)
    return torch.rand(SIZES[side], 3, side, side, generator=generator), torch.arange(SIZES[side]) % K


def as_spread(ours: tuple, theirs: tuple) -> bool:
    """Whether the images of two results spread alike; one ratio for a whole batch may be anything between its two ends."""
    a, b = (float(result[0].std()) for result in (ours, theirs))
    return 0.6 < a / b < 1.6


def blocks_in_a_loop(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Mix the four cells of every pair at random, one image after the other, as the released code does."""
    height, width = images.shape[2:]
    out, soft = images.clone(), torch.zeros(len(images), K)
    partner = torch.randperm(len(images))
    for i in range(len(images)):
        h, w = int(torch.randint(height // 4, 3 * height // 4, ())), int(torch.randint(width // 4, 3 * width // 4, ()))
        of_a = torch.rand(2, 2) < torch.rand(())
        area = 0.0
        for u, rows in enumerate((slice(0, h), slice(h, height))):
            for v, columns in enumerate((slice(0, w), slice(w, width))):
                if of_a[u, v]:
                    area += (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
                else:
                    out[i, :, rows, columns] = images[partner[i], :, rows, columns]
        soft[i, labels[i]] += area
        soft[i, labels[partner[i]]] += 1 - area
    return out, soft


def _register(side: int) -> None:
    where = f"{SIZES[side]} x 3 x {side} x {side}"

    def registered(title: str, ours: str, theirs: str, prepare: Callable[[], tuple[Callable, Callable]]) -> None:
        benchmark(f"{title}, {where}", ours, theirs, as_spread, threads=2)(prepare)

    def against_torchvision() -> tuple[Callable, Callable]:
        images, labels = batch(side)
        mine, theirs = MixUp(num_classes=K, per="batch"), v2.MixUp(num_classes=K)
        return lambda: mine(images, labels), lambda: theirs(images, labels)

    def against_kornia() -> tuple[Callable, Callable]:
        import kornia.augmentation as kornia

        images, labels = batch(side)
        mine, theirs = MixUp(num_classes=K), kornia.RandomMixUpV2(p=1.0, data_keys=["input", "class"])
        return lambda: mine(images, labels), lambda: theirs(images, labels)

    def against_timm() -> tuple[Callable, Callable]:
        from timm.data.mixup import Mixup

        images, labels = batch(side)
        mine, theirs = MixUp(num_classes=K), Mixup(mixup_alpha=1.0, mode="elem", label_smoothing=0.0, num_classes=K)
        return lambda: mine(images, labels), lambda: theirs(images.clone(), labels)  # timm writes into its input

    def against_loop() -> tuple[Callable, Callable]:
        images, labels = batch(side)
        mine = MixedExample("random_2x2", num_classes=K)
        return lambda: mine(images, labels), lambda: blocks_in_a_loop(images, labels)

    registered("Mixup", "one ratio for the batch", "torchvision, one ratio for the batch", against_torchvision)
    registered("Mixup", "a ratio for each image", "kornia", against_kornia)
    registered("Mixup", "a ratio for each image", "timm, elementwise", against_timm)
    registered("Mixed example, four cells", "batched, each its own", "a loop over the images", against_loop)


for _side in SIZES:
    _register(_side)
