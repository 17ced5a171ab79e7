"""The dot test on several libraries: the same operations, with the conventions of each.

torchvision, kornia and albumentations are asked, where they are installed. kornia and albumentations count key points in pixel
indices. torchvision mirrors them so too, but turns and resizes them as continuous coordinates: neither convention passes.

Source: the course's card 07, section 0.

Taught in ``13_colour_and_space``.
"""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torchvision.transforms.v2 import functional

from course_utils.augment.dot_test import TOLERANCE, Dot, DotResult, measure_dot, through_tv_tensors
from course_utils.checks import checked_choice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIBRARIES = ("ours", "torchvision", "kornia", "albumentations")
SAMPLED = (functional.rotate, functional.affine, functional.perspective)
"""Functionals of torchvision that have a choice of interpolation."""


# -------------------------------------------------------------------------------------------------------- the comparison


def compare_libraries(
    size: tuple[int, int] = (8, 12),
    pixel: tuple[int, int] = (3, 2),
    libraries: Sequence[str] = LIBRARIES,
    torchvision_convention: str = "index",
) -> list[DotResult]:
    """Run the dot test on the same operations of every library that is installed.

    Parameters
    ----------
    size, pixel
        As in ``make_dot``.
    libraries : sequence of str
        Some of ``LIBRARIES``; those that are not installed are left out.
    torchvision_convention : {"index", "continuous"}, default "index"
        How torchvision is given the key point. Ours are continuous, those of the two others are pixel indices.

    Returns
    -------
    list of DotResult
        One for each library and operation; operations that a library cannot be told exactly are left out.
    """
    operations = {
        "ours": _our_operations,
        "torchvision": _torchvision_operations,
        "kornia": _kornia_operations,
        "albumentations": _albumentations_operations,
    }
    results = []
    for library in libraries:
        checked_choice(library, "libraries", LIBRARIES)
        if library != "ours" and importlib.util.find_spec(library) is None:
            continue
        convention = {"ours": "continuous", "torchvision": torchvision_convention}.get(library, "index")
        for operation, move in operations[library](size).items():
            results.append(measure_dot(move, size, pixel, convention, library, operation))
    return results


def _our_operations(size: tuple[int, int]) -> Mapping[str, Callable]:
    from course_utils.augment.crops import RandomCrop, Resize, WindowParams
    from course_utils.augment.spatial import Affine, Flip, Perspective, PerspectiveParams, Rotation

    height, width = size
    still = {"degrees": (0, 0), "translate": 0, "scale": (1, 1), "shear": 0}

    def fixed(transform: Any, params: Any) -> Any:
        transform.sample = lambda *_, **__: params
        return transform

    window = torch.tensor([[1, 1, width - 1, height - 1]])
    shifted = Affine(**still)
    shift = shifted.sample(1, (1, *size))
    four = _perspective_points(size)
    return {
        name: through_tv_tensors(transform)
        for name, transform in {
            "flip left-right": Flip(p=1),
            "flip top-bottom": Flip("vertical", p=1),
            "rotate 180": Rotation((180, 180)),
            "rotate 90": Rotation((90, 90), expand=True),
            "rotate 30": Rotation((30, 30)),
            "shift (2, 1)": fixed(shifted, type(shift)(shift.degrees, torch.tensor([[2.0, 1.0]]), shift.scale, shift.shear)),
            "zoom 1.5": Affine(**{**still, "scale": (1.5, 1.5)}),
            "crop": fixed(RandomCrop((height - 2, width - 2)), WindowParams(window)),
            "resize to double": Resize((2 * height, 2 * width)),
            "perspective": fixed(Perspective(), PerspectiveParams(*(torch.tensor([p], dtype=torch.float64) for p in four))),
        }.items()
    }


def _perspective_points(size: tuple[int, int]) -> tuple[list, list]:
    height, width = size
    start = [[0, 0], [width, 0], [width, height], [0, height]]
    return start, [[1, 0], [width, 1], [width - 1, height], [0, height - 1]]


def _torchvision_operations(size: tuple[int, int]) -> Mapping[str, Callable]:
    height, width = size
    start, end = _perspective_points(size)
    still = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0]}
    return {
        "flip left-right": _through_kernels(functional.horizontal_flip),
        "flip top-bottom": _through_kernels(functional.vertical_flip),
        "rotate 180": _through_kernels(functional.rotate, angle=180.0),
        "rotate 90": _through_kernels(functional.rotate, angle=90.0, expand=True),
        "rotate 30": _through_kernels(functional.rotate, angle=30.0),
        "shift (2, 1)": _through_kernels(functional.affine, **{**still, "translate": [2, 1]}),
        "zoom 1.5": _through_kernels(functional.affine, **{**still, "scale": 1.5}),
        "crop": _through_kernels(functional.crop, top=1, left=1, height=height - 2, width=width - 2),
        "resize to double": _through_kernels(functional.resize, size=[2 * height, 2 * width]),
        "perspective": _through_kernels(functional.perspective, startpoints=start, endpoints=end),
    }


def _kornia_operations(size: tuple[int, int]) -> Mapping[str, Callable]:
    import kornia.augmentation as K

    height, width = size
    still = {"degrees": (0.0, 0.0), "p": 1.0}
    return {
        name: _through_kornia(augmentation)
        for name, augmentation in {
            "flip left-right": K.RandomHorizontalFlip(p=1.0),
            "flip top-bottom": K.RandomVerticalFlip(p=1.0),
            "rotate 180": K.RandomRotation((180.0, 180.0), p=1.0),
            "rotate 30": K.RandomRotation((30.0, 30.0), p=1.0),
            "zoom 1.5": K.RandomAffine(**still, scale=(1.5, 1.5)),
            "crop": K.CenterCrop((height - 2, width - 2)),
            "resize to double": K.Resize((2 * height, 2 * width)),
        }.items()
    }


def _albumentations_operations(size: tuple[int, int]) -> Mapping[str, Callable]:
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # or its import looks for a newer version on the internet
    import albumentations as A

    height, width = size
    return {
        name: _through_albumentations(transform)
        for name, transform in {
            "flip left-right": A.HorizontalFlip(p=1),
            "flip top-bottom": A.VerticalFlip(p=1),
            "rotate 180": A.Rotate((180, 180), p=1),
            "rotate 30": A.Rotate((30, 30), p=1),
            "shift (2, 1)": A.Affine(translate_px={"x": (2, 2), "y": (1, 1)}, p=1),
            "zoom 1.5": A.Affine(scale=(1.5, 1.5), p=1),
            "crop": A.CenterCrop(height - 2, width - 2, p=1),
            "resize to double": A.Resize(2 * height, 2 * width, p=1),
        }.items()
    }


# -------------------------------------------------------------------------------------------------------------- pictures


def draw_disagreements(results: Sequence[DotResult]) -> Figure:
    """Return a table as a figure: operations down, key point and box of every library across, errors in pixels.

    A cell is marked where the error is above ``TOLERANCE``; a cell without a number was not tested.
    """
    from course_utils import plotting

    libraries = list(dict.fromkeys(r.library for r in results))
    operations = list(dict.fromkeys(r.operation for r in results))
    found = {(r.library, r.operation): r for r in results}
    columns = [(library, label) for library in libraries for label in ("point", "box")]
    figure, ax = plotting.new_figure(size=(9.0, 0.36 * len(operations) + 0.9))
    for i, operation in enumerate(operations):
        for j, (library, label) in enumerate(columns):
            result = found.get((library, operation))
            error = math.nan if result is None else getattr(result, f"{label}_error")
            wrong = error > TOLERANCE
            if wrong:
                ax.add_patch(_cell(j, i))
            text = "" if math.isnan(error) else f"{error + 0.0:.2f}"
            ax.text(j, i, text, ha="center", va="center", weight="bold" if wrong else "normal")
    ax.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(operations) - 0.5, -0.5), yticks=range(len(operations)))
    ax.set_yticklabels(operations)
    ax.set_xticks(range(len(columns)), [label for _, label in columns])
    for j, library in enumerate(libraries):
        ax.text(2 * j + 0.5, -1.2, library, ha="center", weight="bold")
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
    for j in range(2, len(columns), 2):
        ax.axvline(j - 0.5, color=plotting.GREY, linewidth=0.8)
    return figure


def _cell(column: int, row: int) -> Any:
    from matplotlib.patches import Rectangle

    from course_utils import plotting

    return Rectangle((column - 0.46, row - 0.42), 0.92, 0.84, color=plotting.ORANGE, alpha=0.55, linewidth=0)


# -------------------------------------------------------------------------------------------------------------- adapters


def _through_kernels(kernel: Callable, **options: Any) -> Callable[[Dot], Dot]:
    """Adapt a functional of torchvision; the image is read bilinearly where the functional has a choice."""

    def transform(sample: dict) -> dict:
        bilinear = {"interpolation": functional.InterpolationMode.BILINEAR} if kernel in SAMPLED else {}
        return {k: kernel(v, **options, **(bilinear if k == "image" else {})) for k, v in sample.items()}

    return through_tv_tensors(transform)


def _through_kornia(augmentation: Any) -> Callable[[Dot], Dot]:
    """Adapt an augmentation of kornia: batches of one, key points in pixel indices."""
    from kornia.augmentation import AugmentationSequential

    chain = AugmentationSequential(augmentation, data_keys=["input", "mask", "keypoints", "bbox_xyxy"])

    def move(dot: Dot) -> Dot:
        image, mask, point, box = chain(dot.image[None], dot.mask[None, None].float(), dot.point[None], dot.box[None])
        return Dot(image[0], mask[0, 0].round().to(torch.uint8), point[0], box[0])

    return move


def _through_albumentations(transform: Any) -> Callable[[Dot], Dot]:
    """Adapt a transform of albumentations: arrays of one image, key points in pixel indices, boxes with a label."""
    import albumentations
    import numpy as np

    chain = albumentations.Compose(
        [transform],
        keypoint_params=albumentations.KeypointParams("xy", remove_invisible=False),
        bbox_params=albumentations.BboxParams("pascal_voc", label_fields=["labels"]),
    )

    def move(dot: Dot) -> Dot:
        image = np.repeat(dot.image.permute(1, 2, 0).numpy(), 3, axis=2)
        out = chain(image=image, mask=dot.mask.numpy(), keypoints=dot.point.numpy(), bboxes=dot.box.numpy(), labels=[0])
        place = [torch.as_tensor(np.asarray(out[key], dtype=np.float64)) for key in ("keypoints", "bboxes")]
        return Dot(torch.as_tensor(out["image"][..., :1]).permute(2, 0, 1), torch.as_tensor(out["mask"]), *place)

    return move
