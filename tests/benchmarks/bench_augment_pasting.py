"""Benchmarks of chapter 16: cut and paste with a draw of its own for every image, against libraries.

Two threads. Images are one colour each, the colour says which image it is, and every side also computes the labels: shapes
and the mean of the mixed images are compared; labels are the business of the court. What each library gets wrong by the label-mass
oracle stands in the name of its row. torchvision draws one box for a batch, and is compared with ``per="batch"``; the others draw
for every image.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from harness import benchmark
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from course_utils.augment import CutMix, Mosaic

SIZES = {32: 256, 224: 64}  # side in pixels -> images in the batch
CLASSES = 10


def batch(side: int) -> tuple[Tensor, Tensor]:
    """Return images and class numbers; image i has the grey level i / n."""
    n = SIZES[side]
    images = torch.linspace(0, 1, n)[:, None, None, None].expand(n, 3, side, side).contiguous()
    return images, torch.arange(n) % CLASSES


def alike(ours: tuple, theirs: tuple) -> bool:
    """Whether two mixed batches keep the mean grey and the shape: both only move pixels."""
    a, b = ours[0], theirs[0]
    return a.shape == b.shape and abs(float(a.mean() - b.mean())) < 0.05


def _register(side: int) -> None:
    where = f"{SIZES[side]} x 3 x {side} x {side}"

    def cutmix(theirs: Callable[[], Callable], per: str) -> Callable:
        def prepare() -> tuple[Callable, Callable]:
            (images, labels), mine, other = batch(side), CutMix(num_classes=CLASSES, per=per), theirs()
            return lambda: mine(images, labels), lambda: other(images, labels)

        return prepare

    def torchvision() -> Callable:
        return v2.CutMix(num_classes=CLASSES)

    def torchvision_each() -> Callable:
        mixer = v2.CutMix(num_classes=CLASSES)

        def mix(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
            pairs = [mixer(images[[i, i - 1]], labels[[i, i - 1]]) for i in range(len(images))]
            return torch.stack([one[0][0] for one in pairs]), torch.stack([one[1][0] for one in pairs])

        return mix

    def timm() -> Callable:
        from timm.data import Mixup

        mixer = Mixup(0.0, 1.0, mode="elem", label_smoothing=0, num_classes=CLASSES)
        return lambda images, labels: mixer(images.clone(), labels)  # it writes into its input

    def kornia() -> Callable:
        import kornia.augmentation as K

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            mixer = K.RandomCutMixV2(data_keys=["input", "class"])
        return lambda images, labels: mixer(images, labels)

    def mosaic() -> tuple[Callable, Callable]:
        import kornia.augmentation as K

        images, _ = batch(side)
        corners = torch.tensor([[0.1, 0.1, 0.6, 0.7], [0.4, 0.3, 0.9, 0.9]]) * side
        targets = [{"boxes": tv_tensors.BoundingBoxes(corners, format="XYXY", canvas_size=(side, side))} for _ in images]
        mine = Mosaic(layout="darknet")
        theirs = K.RandomMosaic((side, side), data_keys=["input", "bbox_xyxy"], start_ratio_range=(0.2, 0.8), p=1.0)
        boxes = corners.expand(len(images), 2, 4)
        return lambda: mine(images, targets), lambda: theirs(images, boxes)

    title, own, one = f"CutMix, {where}", "each image its own box", "one box for all"
    benchmark(title, one, f"torchvision, {one}; labels right", alike, threads=2)(cutmix(torchvision, "batch"))
    for name, theirs in {
        "torchvision, image by image; labels right": torchvision_each,
        "timm elem, without its smoothing (with it: labels 0.08 off, by design)": timm,
        "kornia; lambda is the box's area by default (labels up to 1.0 off, read as in the paper)": kornia,
    }.items():
        benchmark(title, own, name, alike, threads=2)(cutmix(theirs, "sample"))
    benchmark(f"Mosaic with boxes, {where}", "tiles, boxes cut and filtered", "kornia; boxes cut", alike, threads=2)(mosaic)


for _side in SIZES:
    _register(_side)
