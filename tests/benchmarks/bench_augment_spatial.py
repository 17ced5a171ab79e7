"""Benchmarks of chapter 13: spatial transforms with parameters of their own for every image, two threads.

The alternatives draw for every image too: kornia on the batch, torchvision and albumentations in a loop over images. Their
images differ, because every library draws by itself; the work is the same. Float32 for ours, torchvision and kornia; uint8
arrays for albumentations, whose kernels are made for them, and uint8 for ours in that row.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from harness import RIVALS, benchmark

from course_utils import augment

SIZES = {"256 x 3 x 32 x 32": (256, 32), "64 x 3 x 224 x 224": (64, 224)}


def batch(n: int, side: int, levels: bool = False) -> torch.Tensor:
    images = torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(0))
    return (images * 255).to(torch.uint8) if levels else images


def ours(name: str, side: int) -> Callable:
    pad = side // 8
    return {
        "Flip": lambda: augment.Flip(p=0.5),
        "RandomCrop": lambda: augment.RandomCrop(side, pad),
        "RandomResizedCrop": lambda: augment.RandomResizedCrop(side, (0.3, 1)),
        "Rotation": lambda: augment.Rotation(30),
        "Affine": lambda: augment.Affine(15, 0.1, (0.8, 1.2), 10),
        "Perspective": lambda: augment.Perspective(0.5),
        "Elastic": lambda: augment.Elastic(34 * side / 32, 4 * side / 32),
    }[name]()


def kornias(name: str, side: int) -> Callable:
    import kornia.augmentation as K

    pad = side // 8
    return {
        "Flip": lambda: K.RandomHorizontalFlip(p=0.5),
        "RandomCrop": lambda: K.RandomCrop((side, side), padding=pad, p=1.0, cropping_mode="slice"),
        "RandomResizedCrop": lambda: K.RandomResizedCrop((side, side), scale=(0.3, 1.0), p=1.0),
        "Rotation": lambda: K.RandomRotation(30.0, p=1.0),
        "Affine": lambda: K.RandomAffine(15.0, (0.1, 0.1), (0.8, 1.2), 10.0, p=1.0),
        "Perspective": lambda: K.RandomPerspective(0.5, p=1.0),
        "Elastic": lambda: K.RandomElasticTransform((2 * (side // 4) - 1,) * 2, (4.0 * side / 32,) * 2, p=1.0),
    }[name]()


def torchvisions(name: str, side: int) -> Callable:
    from torchvision.transforms import v2

    pad, bilinear = side // 8, v2.InterpolationMode.BILINEAR
    return {
        "Flip": lambda: v2.RandomHorizontalFlip(0.5),
        "RandomCrop": lambda: v2.RandomCrop(side, pad),
        "RandomResizedCrop": lambda: v2.RandomResizedCrop(side, (0.3, 1), antialias=True),
        "Rotation": lambda: v2.RandomRotation(30, bilinear),
        "Affine": lambda: v2.RandomAffine(15, (0.1, 0.1), (0.8, 1.2), (-10, 10, -10, 10), bilinear),
        "Perspective": lambda: v2.RandomPerspective(0.5, 1.0, bilinear),
        "Elastic": lambda: v2.ElasticTransform(68.0 * side / 32, 4.0 * side / 32),
    }[name]()


def albumentations_of(name: str, side: int) -> Callable:
    import albumentations as A

    pad = side // 8
    return {
        "Flip": lambda: A.HorizontalFlip(p=0.5),
        "RandomCrop": lambda: A.Compose([A.Pad(pad, p=1), A.RandomCrop(side, side, p=1)]),
        "RandomResizedCrop": lambda: A.RandomResizedCrop((side, side), scale=(0.3, 1), p=1),
        "Rotation": lambda: A.Rotate(30, p=1),
        "Affine": lambda: A.Affine(rotate=(-15, 15), translate_percent=(-0.1, 0.1), scale=(0.8, 1.2), shear=(-10, 10), p=1),
        "Perspective": lambda: A.Perspective(p=1),
        "Elastic": lambda: A.ElasticTransform(alpha=34.0 * side / 32, sigma=4.0 * side / 32, p=1),
    }[name]()


def against(name: str, library: str, n: int, side: int) -> Callable[[], tuple[Callable, Callable]]:
    """Return the preparation of one benchmark."""

    def prepare() -> tuple[Callable, Callable]:
        torch.manual_seed(0)
        transform = ours(name, side)
        if library == "albumentations":
            levels = batch(n, side, levels=True)
            arrays = [image.permute(1, 2, 0).contiguous().numpy() for image in levels]
            other = albumentations_of(name, side)
            return lambda: transform(levels), lambda: [other(image=array)["image"] for array in arrays]
        images = batch(n, side)
        if library == "kornia":
            other = kornias(name, side)
            return lambda: transform(images), lambda: other(images)
        other = torchvisions(name, side)
        return lambda: transform(images), lambda: torch.stack([other(image) for image in images])

    return prepare


for size, (n_images, side_length) in SIZES.items():
    for operation in ("Flip", "RandomCrop", "RandomResizedCrop", "Rotation", "Affine", "Perspective", "Elastic"):
        for rival in RIVALS:
            title = f"{operation}, {size}, {'uint8' if rival == 'albumentations' else 'float32'}, against {rival}"
            way = "one batch" if rival == "kornia" else "loop over images"
            prepared = against(operation, rival, n_images, side_length)
            prepared.__name__ = f"{operation}_{side_length}_{rival}"
            cell = (operation, size, rival)
            benchmark(title, ours="one batch", theirs=f"{rival}, {way}", agree=None, threads=2, cell=cell)(prepared)
            globals()[prepared.__name__] = prepared


@benchmark(
    "A chain of flip, rotation, affine and crop, 256 x 3 x 32 x 32",
    ours="one map, read once",
    theirs="ours, one after the other",
    agree=None,
    threads=2,
)
def chain() -> tuple[Callable, Callable]:
    steps = [augment.Flip(), augment.Rotation(15), augment.Affine(), augment.RandomCrop(32, 4)]
    images, fused = batch(256, 32), augment.SpatialChain(steps)

    def one_by_one() -> torch.Tensor:
        out = images
        for step in steps:
            out = step(out)
        return out

    return lambda: fused(images), one_by_one
