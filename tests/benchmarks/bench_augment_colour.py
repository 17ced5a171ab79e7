"""Benchmarks of chapter 13, colour: every operation with per-image draws in one batch, two threads.

The rivals draw for every image too: kornia on the batch, torchvision and albumentations in a loop over images (albumentations
on uint8 arrays, its home ground, and ours on uint8 in that column). Results are random draws, so the sides are not compared.

Where an operation is one pass over the batch (invert, grey), ours reads the batch once more than kornia, because it refuses values
outside [0, 1], where kornia computes on. And kornia's brightness adds, where ours multiplies.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

import torch
from harness import RIVALS, benchmark
from torchvision.transforms import v2

from course_utils import augment

SIZES = {32: 256, 224: 64}
QUALITY = (50, 50)


def installed(name: str) -> object | None:
    """Return a module if it is installed; importing albumentations must not ask the network for its newest version."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def rivals() -> dict[str, tuple]:
    """Return for every operation: ours, torchvision's for one image, kornia's, albumentations'; ``None`` where missing."""
    k, a = installed("kornia.augmentation"), installed("albumentations")

    def kornia(name: str, *args: object, **options: object) -> Callable | None:
        return getattr(k, name)(*args, p=1.0, same_on_batch=False, **options) if k else None

    def alb(name: str, *args: object, **options: object) -> Callable | None:
        return getattr(a, name)(*args, p=1.0, **options) if a else None

    four = (0.4, 0.4, 0.4, 0.1)
    limits = {"brightness": (1, 1), "contrast": (1, 1), "saturation": (1, 1), "hue": (0, 0)}
    no = (0.0, 0.0)
    return {
        "brightness": (
            augment.BrightnessJitter(0.4),
            v2.ColorJitter(brightness=0.4),
            kornia("RandomBrightness", (0.6, 1.4)),
            alb("ColorJitter", **limits | {"brightness": (0.6, 1.4)}),
        ),
        "contrast": (
            augment.ContrastJitter(0.4),
            v2.ColorJitter(contrast=0.4),
            kornia("ColorJitter", contrast=0.4),
            alb("ColorJitter", **limits | {"contrast": (0.6, 1.4)}),
        ),
        "saturation": (
            augment.SaturationJitter(0.4),
            v2.ColorJitter(saturation=0.4),
            kornia("RandomSaturation", (0.6, 1.4)),
            alb("ColorJitter", **limits | {"saturation": (0.6, 1.4)}),
        ),
        "hue": (
            augment.HueJitter(0.1),
            v2.ColorJitter(hue=0.1),
            kornia("RandomHue", (-0.1, 0.1)),
            alb("ColorJitter", **limits | {"hue": (-0.1, 0.1)}),
        ),
        "ColorJitter, exact": (
            augment.ColorJitter(*four),
            v2.ColorJitter(*four),
            kornia("ColorJitter", *four),
            alb("ColorJitter", *four),
        ),
        "ColorJitter, fused": (
            augment.ColorJitter(*four, method="fused"),
            v2.ColorJitter(*four),
            kornia("ColorJitter", *four),
            alb("ColorJitter", *four),
        ),
        "gamma": (augment.Gamma((0.8, 1.2)), None, kornia("RandomGamma", (0.8, 1.2)), alb("RandomGamma", (80, 120))),
        "posterise": (augment.Posterize(4), v2.RandomPosterize(4, p=1), kornia("RandomPosterize", 4), alb("Posterize", 4)),
        "solarise": (
            augment.Solarize(0.5),
            v2.RandomSolarize(0.5, p=1),
            kornia("RandomSolarize", 0.0, no),
            alb("Solarize", (0.5, 0.5)),
        ),
        "equalise": (augment.Equalize(), v2.RandomEqualize(p=1), kornia("RandomEqualize"), alb("Equalize", mode="pil")),
        "autocontrast": (augment.AutoContrast(), v2.RandomAutocontrast(p=1), kornia("RandomAutoContrast"), alb("AutoContrast")),
        "grey": (augment.Grayscale(), v2.Grayscale(3), kornia("RandomGrayscale"), alb("ToGray")),
        "channel shuffle": (
            augment.ChannelShuffle(),
            v2.RandomChannelPermutation(),
            kornia("RandomChannelShuffle"),
            alb("ChannelShuffle"),
        ),
        "invert": (augment.Invert(), v2.RandomInvert(p=1), kornia("RandomInvert"), alb("InvertImg")),
        "sharpness": (
            augment.Sharpness(0.5),
            v2.RandomAdjustSharpness(1.5, p=1),
            kornia("RandomSharpness", (0.5, 1.5)),
            alb("Sharpen"),
        ),
        "Gaussian blur, 5 pixels": (
            augment.GaussianBlur(5, (0.1, 2.0)),
            v2.GaussianBlur(5, (0.1, 2.0)),
            kornia("RandomGaussianBlur", (5, 5), (0.1, 2.0)),
            alb("GaussianBlur", (5, 5), (0.1, 2.0)),
        ),
        "motion blur, 7 pixels": (
            augment.MotionBlur(length=(7, 7)),
            None,
            kornia("RandomMotionBlur", 7, 180.0, 0.0),
            alb("MotionBlur", (7, 7)),
        ),
        "Gaussian noise": (
            augment.GaussianNoise(0.1),
            v2.GaussianNoise(sigma=0.1),
            kornia("RandomGaussianNoise", std=0.1),
            alb("GaussNoise", (0.1, 0.1)),
        ),
        "ISO noise": (augment.ISONoise(), None, None, alb("ISONoise")),
        "JPEG, quality 50": (
            augment.JPEGCompression(50),
            v2.JPEG(50),
            kornia("RandomJPEG", (50.0, 50.0)),
            alb("ImageCompression", "jpeg", QUALITY),
        ),
        "fog": (augment.Fog(), None, None, alb("RandomFog")),
        "rain": (
            augment.Rain(),
            None,
            kornia("RandomRain", number_of_drops=(5, 20), drop_height=(3, 5), drop_width=(-2, 2)),
            alb("RandomRain"),
        ),
    }


def pictures(size: int) -> torch.Tensor:
    """Return smooth random colour pictures, float32 in [0, 1]."""
    coarse = torch.rand(SIZES[size], 3, 8, 8, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic").clamp_(0, 1)


def sides(name: str, size: int) -> dict[str, Callable | None]:
    """Return what each side runs on the batch: ours and kornia's in one call, the others image by image."""
    ours, one_image, kornia, alb = rivals()[name]
    images = pictures(size)
    levels = (images * 255).round().to(torch.uint8)
    arrays = levels.permute(0, 2, 3, 1).contiguous().numpy()
    by_levels = name.startswith("JPEG")
    given = levels if by_levels else images
    return {
        "ours": lambda: ours(given),
        "torchvision": one_image and (lambda: torch.stack([one_image(image) for image in given])),
        "kornia": kornia and (lambda: kornia(images)),
        "ours, uint8": lambda: ours(levels),
        "albumentations": alb and (lambda: [alb(image=array)["image"] for array in arrays]),
    }


def register(name: str, size: int, rival: str) -> None:
    """Register one cell of the table of operations."""
    batch = f"{SIZES[size]} x 3 x {size} x {size}"

    def prepare() -> tuple[Callable, Callable]:
        runs = sides(name, size)
        return runs["ours, uint8" if rival == "albumentations" else "ours"], runs[rival]

    way = "one batch" if rival == "kornia" else "loop over images"
    benchmark(
        f"{name}, {batch}, against {rival}",
        ours="one batch",
        theirs=f"{rival}, {way}",
        agree=None,
        threads=2,
        cell=(name, batch, rival),
    )(prepare)


for _size in SIZES:
    for _name, _ways in rivals().items():
        for _rival, _way in zip(RIVALS, _ways[1:]):
            if _way is not None:
                register(_name, _size, _rival)
