"""Benchmarks of the corruption suite: whole batches against one image after the other, as the published scripts work."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import torch
from harness import benchmark
from PIL import Image
from scipy import ndimage
from skimage.filters import gaussian
from torch import Tensor

from course_utils.augment import calibration_null, corruptions


def pictures(n: int, size: int) -> Tensor:
    """Return smooth coloured pictures, uint8."""
    coarse = torch.rand(n, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bilinear")
    return (smooth * 255).to(torch.uint8)


def nearly(a: object, b: object) -> bool:
    """Equal up to one level of 255 in the mean: the sides draw in different orders or round at other places."""
    return abs(float(np.mean(a)) - float(np.mean(b))) < 1


@benchmark(
    "The whole suite, 14 corruptions x 5 severities, 100 images of 32 px",
    "whole batch",
    "one image after the other",
    agree=nearly,
)
def whole_suite() -> tuple[Callable, Callable]:
    images = pictures(100, 32)

    def batched() -> np.ndarray:
        return np.array([copy.images.float().mean() for copy in corruptions.suite(images, 0)])

    def looped() -> np.ndarray:
        each = [[c.images.float().mean() for c in corruptions.suite(image[None], i)] for i, image in enumerate(images)]
        return np.mean(each, axis=0)

    return batched, looped


@benchmark("Glass blur, severity 5, 50 images of 32 px", "90 steps for the batch", "pixel after pixel (NumPy)", agree=nearly)
def glass() -> tuple[Callable, Callable]:
    images = pictures(50, 32)
    sigma, reach, passes = corruptions.parameters("glass_blur", 5).values()

    def published() -> np.ndarray:
        rng, out = np.random.default_rng(0), []
        for image in images.permute(0, 2, 3, 1).numpy():
            x = np.uint8(gaussian(image / 255, sigma=sigma, channel_axis=-1) * 255)
            for _ in range(passes):
                for i in range(32 - reach, reach, -1):
                    for j in range(32 - reach, reach, -1):
                        dx, dy = rng.integers(-reach, reach, 2)
                        x[i, j], x[i + dy, j + dx] = x[i + dy, j + dx], x[i, j]
            out.append(gaussian(x / 255, sigma=sigma, channel_axis=-1) * 255)
        return np.stack(out)

    return lambda: corruptions.corrupt(images, "glass_blur", 5).numpy(), published


@benchmark("Zoom blur, severity 5, 100 images of 32 px", "26 zooms of the batch", "SciPy, image after image", agree=nearly)
def zoom() -> tuple[Callable, Callable]:
    images = pictures(100, 32)
    zooms = corruptions.parameters("zoom_blur", 5)["zooms"]

    def published() -> np.ndarray:
        out = []
        for image in images.permute(0, 2, 3, 1).numpy() / np.float32(255):
            total = image.copy()
            for factor in zooms:
                crop = int(np.ceil(32 / factor))
                top = (32 - crop) // 2
                large = ndimage.zoom(image[top : top + crop, top : top + crop], (factor, factor, 1), order=1)
                trim = (len(large) - 32) // 2
                total += large[trim : trim + 32, trim : trim + 32]
            out.append(total / (len(zooms) + 1) * 255)
        return np.stack(out)

    return lambda: corruptions.corrupt(images, "zoom_blur", 5).numpy(), published


@benchmark(
    "Pixelation, severity 3, 1,000 images of 32 px",
    "four products",
    "Pillow, image after image",
    agree=lambda a, b: bool((a == b).all()),
)
def pixelation() -> tuple[Callable, Callable]:
    images = pictures(1000, 32)
    small = (int(32 * 0.85),) * 2

    def pillow() -> np.ndarray:
        shrunk = (Image.fromarray(x).resize(small, Image.Resampling.BOX) for x in images.permute(0, 2, 3, 1).numpy())
        return np.stack([np.asarray(x.resize((32, 32), Image.Resampling.BOX)) for x in shrunk])

    return lambda: corruptions.corrupt(images, "pixelate", 3).permute(0, 2, 3, 1).numpy(), pillow


@benchmark(
    "JPEG, quality 40, 500 images of 32 px", "libjpeg through torchvision", "Pillow through a file in memory", agree=nearly
)
def jpeg() -> tuple[Callable, Callable]:
    images = pictures(500, 32)

    def pillow() -> np.ndarray:
        out = []
        for image in images.permute(0, 2, 3, 1).numpy():
            file = io.BytesIO()
            Image.fromarray(image).save(file, "JPEG", quality=40)
            out.append(np.asarray(Image.open(file)))
        return np.stack(out)

    return lambda: corruptions.corrupt(images, "jpeg_compression", 5).numpy(), pillow


@benchmark(
    "Null band of ECE, 5,000 images, 200 draws", "all draws at once", "loop over draws", agree=lambda a, b: abs(a - b) < 5e-4
)
def null_band() -> tuple[Callable, Callable]:
    confidence = np.random.default_rng(0).beta(6, 1, 5000)

    def looped() -> float:
        rng, edges, found = np.random.default_rng(1), np.linspace(0, 1, 16), []
        for _ in range(200):
            right = rng.random(5000) < confidence
            bins = np.clip(np.digitize(confidence, edges, right=True) - 1, 0, 14)
            found.append(sum(abs((confidence - right)[bins == b].sum()) for b in range(15)) / 5000)
        return float(np.mean(found))

    return lambda: calibration_null(confidence, n_draws=200, random_state=0).mean, looped
