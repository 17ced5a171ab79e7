"""Striped animals with coloured heads: what does a network look at that knows only the name of the animal?

**Problem.** A class activation map shows the part that tells the classes apart, which need not be the whole object. To score
it, the whole object must be known, and it must be known that other parts could tell the classes apart as well. **Idea.**
Every class shows itself twice: in the colour of a small head and in the pattern of a large body (bars, bands, spots or a
saddle, in colours that say nothing). The head is the easy answer. A map that covers the animal has to use the harder one
too.

The design follows the failure that Hide-and-Seek sets out to mend: K. K. Singh, Y. J. Lee, "Hide-and-Seek: Forcing a Network
to be Meticulous for Weakly-supervised Object and Action Localization", ICCV 2017, arXiv:1704.04232. Fully annotated validation
pictures are part of the protocol of J. Choe et al., "Evaluating Weakly Supervised Object Localization Methods Right", CVPR
2020, arXiv:2001.07437.

Taught in ``14_erasing``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors

from course_utils.checks import checked_choice, checked_int
from course_utils.data import steady
from course_utils.data.cache import cached_arrays
from course_utils.data.occluders import checked_occlusion
from course_utils.data.sprite_scenes.drawing import Colour, Drawing
from course_utils.data.sprite_scenes.objects import jittered, shaded
from course_utils.data.sprites.dataset import checked_number, stacked
from course_utils.data.sprites.portrait import SPLITS, WORLDS, portrait
from course_utils.data.sprites.views import Views
from course_utils.profile import progress

GENERATOR_VERSION = 1
"""Part of every cache key: raise it when the look of the pictures changes."""
N_IMAGES = {"train": 800, "validation": 200, "test": 400}
CREATURE_NAMES = ("barred", "banded", "spotted", "saddled")
"""The classes in the order of their labels, named after the pattern of the body."""
_HEADS: tuple[Colour, ...] = ((208, 52, 44), (62, 104, 196), (232, 190, 56), (70, 158, 84))
"""Colour of the head of every class."""
_COATS: tuple[tuple[Colour, Colour], ...] = (
    ((232, 226, 212), (58, 52, 50)),
    ((214, 190, 152), (92, 62, 44)),
    ((196, 196, 200), (70, 74, 84)),
    ((236, 214, 190), (120, 70, 62)),
)
"""Light and dark colour of a body: any class may wear any of them."""
BODY = (0.40, 0.25)
"""Half axes of the body; one unit is about the animal's length."""
HEAD_RADIUS = 0.125
VIEWS = Views(turn=0.2, size=(0.62, 0.82), shift=0.8)


@dataclass(frozen=True, eq=False)
class CreaturePicture:
    """One picture and the truth about its animal.

    Attributes
    ----------
    image : Tensor, uint8, ``(3, H, W)``
    label : int
        Index into ``Creatures.class_names``.
    box : BoundingBoxes, float32, ``(1, 4)``
        Left, top, right, bottom of the whole animal, in continuous coordinates.
    head : BoundingBoxes, float32, ``(1, 4)``
        The same of its head alone; it may reach beyond the frame.
    mask : Mask, bool, ``(H, W)``
        Visible pixels.
    """

    image: Tensor
    label: int
    box: tv_tensors.BoundingBoxes
    head: tv_tensors.BoundingBoxes
    mask: tv_tensors.Mask


class Creatures(Dataset):
    """Pictures of one animal each, of four classes that head and body both give away.

    Parameters
    ----------
    split : {"train", "validation", "test"}
        Splits share no animal and no pixel of a background.
    seed : int, default 0
    n : int, optional
        Number of pictures; default 800, 200 and 400. Classes follow one another in turn.
    size : int, default 64
        Height and width in pixels, at least 24. An animal is about 0.7 of it long, its head 0.16.
    occlusion, few_shot
        As in ``Sprites``.

    Attributes
    ----------
    images : Tensor, uint8, ``(N, 3, size, size)``
    labels : Tensor, int64, ``(N,)``
    boxes, head_boxes : Tensor, float32, ``(N, 4)``
    masks : Tensor, bool, ``(N, size, size)``
    class_names : tuple of str
    description : str

    Raises
    ------
    TypeError, ValueError
        As ``Sprites``.

    Examples
    --------
    >>> animals = Creatures("validation", n=4, size=32)
    >>> animals
    Creatures('validation', seed=0: 4 images of 32 x 32, 4 classes)
    >>> animals[2].label, animals.class_names[2], animals[2].mask.shape
    (2, 'spotted', torch.Size([32, 32]))
    """

    def __init__(
        self,
        split: str = "train",
        seed: int = 0,
        n: int | None = None,
        size: int = 64,
        occlusion: float = 0.0,
        few_shot: int | None = None,
    ) -> None:
        self.split = checked_choice(split, "split", SPLITS)
        self.seed = checked_int(seed, "seed", low=0)
        self.size = checked_int(size, "size", low=24)
        self.occlusion = checked_occlusion(occlusion, split)
        self.class_names = CREATURE_NAMES
        n_images = checked_number(n, few_shot, split, len(CREATURE_NAMES), N_IMAGES)
        self.labels = torch.arange(n_images) % len(CREATURE_NAMES)
        key = f"version {GENERATOR_VERSION}, {split}, seed {seed}, {n_images} images, size {size}, occlusion {self.occlusion}"
        arrays = cached_arrays(f"creatures-{split}-{seed}", key, self._draw)
        self.images, self.boxes = torch.from_numpy(arrays["images"]), torch.from_numpy(arrays["boxes"])
        self.masks = torch.from_numpy(np.unpackbits(arrays["masks"], axis=-1, count=size).astype(bool))
        self.head_boxes = torch.from_numpy(arrays["heads"])

    @property
    def description(self) -> str:
        """Two sentences: what is in the pictures, and how large animals and heads are."""
        heads = (self.head_boxes[:, 2:] - self.head_boxes[:, :2]).double().mean()
        return (
            f"{len(self)} drawn pictures of one animal each on stages cut from real photographs, {self.size} x {self.size} pixels "
            f"({self.split} split, seed {self.seed}): {', '.join(self.class_names)}. "
            f"On average an animal covers {100 * self.masks.double().mean():.0f} percent of the picture, its head is "
            f"{heads:.0f} pixels wide."
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> CreaturePicture:
        index = range(len(self))[index]  # raises IndexError beyond the end, so that iteration stops
        box, head = (
            tv_tensors.BoundingBoxes(boxes[index : index + 1], format="XYXY", canvas_size=(self.size, self.size))
            for boxes in (self.boxes, self.head_boxes)
        )
        return CreaturePicture(self.images[index], int(self.labels[index]), box, head, tv_tensors.Mask(self.masks[index]))

    def __repr__(self) -> str:
        return (
            f"Creatures({self.split!r}, seed={self.seed}: {len(self)} images of {self.size} x {self.size}, "
            f"{len(self.class_names)} classes)"
        )

    def fingerprint(self) -> str:
        """Return a short hash of what the data set holds, rounded so that platforms agree; as ``Sprites.fingerprint``."""
        digest = hashlib.sha256()
        digest.update(repr((self.split, self.seed, self.size, self.occlusion, len(self))).encode())
        for places in (self.boxes, self.head_boxes):
            digest.update((places / 2).round().to(torch.int64).numpy().tobytes())
        colours = self.images.double().mean(dim=(2, 3))
        digest.update((colours / 8).round().to(torch.int64).numpy().tobytes())
        return digest.hexdigest()[:16]

    def _draw(self) -> dict[str, np.ndarray]:
        made = []
        for index, label in enumerate(progress(self.labels.tolist(), desc=f"drawing {self.split} creatures", unit="image")):
            key = (WORLDS["creatures"], self.seed, SPLITS.index(self.split), label, index // len(CREATURE_NAMES))
            drawn = partial(creature, kind=CREATURE_NAMES[label])
            made.append(portrait(drawn, key, 0, self.split, self.size, VIEWS, self.occlusion))
        middle, crown = (np.array([p.marks[name] for p in made]) for name in ("head", "crown"))
        radius = np.sqrt(((crown - middle) ** 2).sum(axis=1, keepdims=True))
        return stacked(made) | {"heads": np.hstack([middle - radius, middle + radius]).astype(np.float32)}


def creature(r: np.random.Generator, kind: str) -> Drawing:
    """Return the drawing of an animal of a class; it looks to the right."""
    d = Drawing(metres=4.0)
    label = CREATURE_NAMES.index(kind)
    light, dark = (jittered(r, c) for c in _COATS[int(r.integers(len(_COATS)))])
    if r.random() < 0.5:
        light, dark = dark, light
    middle = 0.46 + r.uniform(-0.02, 0.03)
    for x in (-0.27, -0.17, 0.16, 0.27):
        swing = r.uniform(-0.05, 0.05)
        d.line([(x, middle - 0.1), (x + swing, 0.03)], 0.075, shaded(light, 0.75))
    d.line([(-0.36, middle + 0.08), (-0.5, middle + r.uniform(0.1, 0.24))], 0.05, shaded(light, 0.85))
    d.ellipse(0, middle, *BODY, light, "plaster", 0.25)
    for part in _PATTERNS[kind](r):
        d.polygon([(BODY[0] * x, middle + BODY[1] * y) for x, y in part], dark, "plaster", 0.2)
    x, y = 0.43, middle + 0.2
    d.ellipse(x - 0.05, y + 0.1, 0.04, 0.06, shaded(_HEADS[label], 0.7))
    d.ellipse(x, y, HEAD_RADIUS, HEAD_RADIUS, jittered(r, _HEADS[label]), "plaster", 0.2)
    d.ellipse(x + 0.05, y + 0.03, 0.022, 0.026, (24, 22, 22))
    d.mark("head", x, y)
    d.mark("crown", x, y + HEAD_RADIUS)
    return d


Polygon = list[tuple[float, float]]


def _bars(r: np.random.Generator) -> list[Polygon]:
    """Upright bars across the body, in units of its half axes."""
    n, phase = int(r.integers(4, 6)), r.uniform(-0.08, 0.08)
    return [_band(-0.98 + (k + 0.25 + phase) * 1.96 / n, -0.98 + (k + 0.75 + phase) * 1.96 / n) for k in range(n)]


def _bands(r: np.random.Generator) -> list[Polygon]:
    """Level bands along the body."""
    phase = r.uniform(-0.06, 0.06)
    spans = [(-0.86 + phase, -0.5 + phase), (-0.14 + phase, 0.2 + phase), (0.54 + phase, 0.88 + phase)]
    return [[(y, x) for x, y in _band(*span)] for span in spans]


def _spots(r: np.random.Generator) -> list[Polygon]:
    """Round spots in two or three rows."""
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    circle = np.stack([steady.cos(turn) * BODY[1] / BODY[0], steady.sin(turn)], axis=1) * 0.24
    middles = [(-0.66, 0.1), (-0.3, 0.5), (-0.28, -0.42), (0.02, 0.05), (0.34, 0.52), (0.36, -0.42), (0.66, 0.02)]
    return [(circle + middle + r.uniform(-0.06, 0.06, 2)).tolist() for middle in middles]


def _saddle(r: np.random.Generator) -> list[Polygon]:
    """One dark half: the hind part of the body."""
    return [_band(-0.98, r.uniform(-0.1, 0.12))]


def _band(low: float, high: float) -> Polygon:
    """Return the part of the unit disc with ``low <= x <= high``."""
    x = np.clip(np.linspace(low, high, 9), -1, 1)
    y = np.sqrt(1 - x * x)
    return [*zip(x.tolist(), y.tolist()), *zip(x[::-1].tolist(), (-y[::-1]).tolist())]


_PATTERNS: dict[str, Callable[[np.random.Generator], list[Polygon]]] = {
    "barred": _bars,
    "banded": _bands,
    "spotted": _spots,
    "saddled": _saddle,
}
