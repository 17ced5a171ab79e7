"""The operations on the shelf of the pipeline bench: what a chip says, and the transform that it stands for.

A chip has a strength from 0 to 1 and a chance. ``arguments`` turns the strength into the arguments of a transform of
``augment``; the same arguments build the transform and write the line of code, so the two cannot differ.

Taught in ``13_colour_and_space``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import torch
from torchvision.transforms import v2

from course_utils import augment
from course_utils.explore.pipeline_pictures import SIDES, SIZE

SPACE, COLOUR, LAST = GROUPS = ("space", "colour", "last")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and deviation of ImageNet's training images: what a pretrained network expects."""
STEP = 0.05
"""Strengths and chances are multiples of it, on the bar of a chip and on the sliders."""
MIN_VISIBILITY = 0.25
"""A box of which less lies in the picture is dropped."""


@dataclass(frozen=True)
class Operation:
    """One kind of chip.

    Attributes
    ----------
    title : str
        On the chip.
    group : {"space", "colour", "last"}
        Moves pixels; changes colours; has to come at the end.
    transform : str
        Name in ``augment``, or "" for the normalisation, which is torchvision's.
    arguments : callable
        ``arguments(strength) -> dict``.
    note : callable
        ``note(strength) -> str``: the strength in words.
    scalable : bool
        The strength does something.
    """

    title: str
    group: str
    transform: str
    arguments: Callable[[float], dict[str, Any]]
    note: Callable[[float], str]
    scalable: bool = True


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


def _nothing(_strength: float) -> dict[str, Any]:
    return {}


OPERATIONS: dict[str, Operation] = {
    "flip": Operation("flip ↔", SPACE, "Flip", lambda s: {"axis": "horizontal"}, lambda s: "left, right", False),
    "upside down": Operation("flip ↕", SPACE, "Flip", lambda s: {"axis": "vertical"}, lambda s: "top, bottom", False),
    "rotate": Operation(
        "rotate", SPACE, "Rotation", lambda s: {"degrees": float(round(180 * s))}, lambda s: f"up to {round(180 * s)}°"
    ),
    "crop": Operation(
        "crop",
        SPACE,
        "RandomCrop",
        lambda s: {"size": SIZE, "padding_pixels": round(48 * s)},
        lambda s: f"shift up to {round(48 * s)} px",
    ),
    "zoom": Operation(
        "zoom",
        SPACE,
        "RandomResizedCrop",
        lambda s: {"size": SIZE, "scale": (round(1 - 0.95 * s, 2), 1.0)},
        lambda s: f"area {_share(1 - 0.95 * s)} to all",
    ),
    "affine": Operation(
        "affine",
        SPACE,
        "Affine",
        lambda s: {
            "degrees": float(round(40 * s)),
            "translate": round(0.3 * s, 2),
            "scale": (round(1 - 0.5 * s, 2), round(1 + 0.5 * s, 2)),
            "shear": float(round(40 * s)),
        },
        lambda s: f"{round(40 * s)}°, {_share(0.3 * s)}",
    ),
    "perspective": Operation(
        "perspective", SPACE, "Perspective", lambda s: {"distortion": round(s, 2)}, lambda s: f"corners {_share(s / 2)}"
    ),
    "elastic": Operation(
        "elastic", SPACE, "Elastic", lambda s: {"alpha": float(round(200 * s)), "sigma": 8.0}, lambda s: f"alpha {round(200 * s)}"
    ),
    "colours": Operation(
        "colours",
        COLOUR,
        "ColorJitter",
        lambda s: {**dict.fromkeys(("brightness", "contrast", "saturation"), round(s, 2)), "hue": round(0.3 * s, 2)},
        lambda s: f"up to {_share(s)}",
    ),
    "grey": Operation("grey", COLOUR, "Grayscale", _nothing, lambda s: "no colour", False),
    "solarise": Operation(
        "solarise",
        COLOUR,
        "Solarize",
        lambda s: {"threshold": round(1.01 - s, 2)},
        lambda s: f"from level {round(255 * (1.01 - s))}",
    ),
    "blur": Operation(
        "blur",
        COLOUR,
        "GaussianBlur",
        lambda s: {"sigma": (0.1, round(0.1 + 3.9 * s, 1))},
        lambda s: f"up to {0.1 + 3.9 * s:.1f} px",
    ),
    "motion blur": Operation(
        "motion blur",
        COLOUR,
        "MotionBlur",
        lambda s: {"length": (1, round(1 + 24 * s))},
        lambda s: f"up to {round(1 + 24 * s)} px",
    ),
    "ISO noise": Operation(
        "ISO noise",
        COLOUR,
        "ISONoise",
        lambda s: {"gain": (1.0, round(1 + 31 * s, 1))},
        lambda s: f"up to ISO {round(100 * (1 + 31 * s), -2):.0f}",
    ),
    "JPEG": Operation(
        "JPEG",
        COLOUR,
        "JPEGCompression",
        lambda s: {"quality": (round(95 - 90 * s), 95)},
        lambda s: f"quality from {round(95 - 90 * s)}",
    ),
    "normalise": Operation("normalise", LAST, "", _nothing, lambda s: "mean, deviation", False),
}
"""Every chip, in the order of the shelf."""


@dataclass(frozen=True)
class Chip:
    """An operation in the pipeline, with its strength and its chance, both from 0 to 1."""

    operation: str
    strength: float = 0.5
    chance: float = 1.0

    @property
    def kind(self) -> Operation:
        """What kind of chip it is."""
        return OPERATIONS[self.operation]

    @property
    def moves(self) -> bool:
        """It moves pixels, and with them boxes, masks and key points."""
        return self.kind.group == SPACE

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of its transform; those that say what is the default anyway are left out."""
        kind = self.kind
        if not kind.transform:
            return {}
        given = {**kind.arguments(self.strength), "p": round(self.chance, 2)}
        if kind.transform == "Flip":
            given["mirror_pairs"] = SIDES
        usual = _defaults(kind.transform)
        return {name: value for name, value in given.items() if name not in usual or usual[name] != value}

    def transform(self) -> list[v2.Transform]:
        """Return the transforms that it stands for."""
        if not self.kind.transform:
            return [v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
        return [getattr(augment, self.kind.transform)(**self.arguments())]

    def code(self, in_chain: bool = False) -> list[str]:
        """Return the same as code; a chain of moves exchanges left and right itself."""
        if not self.kind.transform:
            return ["v2.ToDtype(torch.float32, scale=True)", f"v2.Normalize({MEAN}, {STD})"]
        given = {k: v for k, v in self.arguments().items() if not (in_chain and k == "mirror_pairs")}
        return [f"augment.{self.kind.transform}({', '.join(f'{k}={v!r}' for k, v in given.items())})"]


@cache
def _defaults(transform: str) -> dict[str, Any]:
    """Return the default arguments of a transform, those of its bases included."""
    found: dict[str, Any] = {}
    for one in reversed(getattr(augment, transform).__mro__):
        if "__init__" in vars(one):
            parameters = inspect.signature(one.__init__).parameters.values()
            found.update({p.name: p.default for p in parameters if p.default is not p.empty})
    return found


def on_step(value: float) -> float:
    """Return a strength or chance in [0, 1], at the nearest multiple of ``STEP``.

    >>> on_step(0.237), on_step(-3), on_step(0.98)
    (0.25, 0.0, 1.0)
    """
    return round(round(min(max(float(value), 0.0), 1.0) / STEP) * STEP, 2)


# ---- from chips to a pipeline -----------------------------------------------------------------------------------


def stretches(chips: Sequence[Chip], fuse: bool) -> list[list[int]]:
    """Return the chips as steps: neighbours that move pixels are one step if they are fused.

    >>> stretches([Chip("rotate"), Chip("flip"), Chip("grey"), Chip("crop")], fuse=True)
    [[0, 1], [2], [3]]
    """
    steps: list[list[int]] = []
    for i, chip in enumerate(chips):
        if fuse and steps and chip.moves and chips[i - 1].moves:
            steps[-1].append(i)
        else:
            steps.append([i])
    return steps


@lru_cache(maxsize=256)
def built(chips: tuple[Chip, ...]) -> tuple[v2.Transform, ...]:
    """Return the transforms of one step."""
    if len(chips) == 1:
        return tuple(chips[0].transform())
    parts = [one for chip in chips for one in chip.transform()]
    return (augment.SpatialChain(parts, mirror_pairs=SIDES),)


def code_of(chips: Sequence[Chip], fuse: bool, name: str, seed: int, copies: int) -> str:
    """Return the code that makes the outcomes on the bench: run it, and ``images`` and ``targets`` are theirs."""
    lines: list[str] = []
    for step in stretches(chips, fuse):
        if len(step) == 1:
            lines += [f"    {line}," for line in chips[step[0]].code()]
            continue
        lines.append("    augment.SpatialChain([  # one map: the picture is resampled once")
        lines += [f"        {line}," for i in step for line in chips[i].code(in_chain=True)]
        lines.append(f"    ], mirror_pairs={SIDES}),")
    return "\n".join(
        [
            "import torch",
            "from torchvision.transforms import v2",
            "from course_utils import augment",
            "from course_utils.explore.pipeline_pictures import picture",
            "",
            f"toy = picture({name!r})",
            "pipeline = v2.Compose([",
            *lines,
            f"    augment.SanitizeTargets(min_visibility={MIN_VISIBILITY}),",
            "])",
            f"torch.manual_seed({seed})",
            f"images = toy.image.repeat({copies}, 1, 1, 1)",
            f"images, targets = pipeline(images, [toy.targets() for _ in range({copies})])",
            "",
        ]
    )
