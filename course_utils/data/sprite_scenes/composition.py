"""One scene: toys on a background, under one light, and the truth about them.

Toys are put in one by one and drawn from the far one to the near one: the lower the foot in the picture, the nearer the
toy. Of a toy that is partly hidden or cut by the frame,

- ``alpha`` is the share of each pixel that the toy covers where it stands alone;
- its **visible share** of a pixel is ``alpha * (1 - alpha of everything nearer)``;
- its **mask** (modal mask) is the pixels of the frame with a visible share above one half: no two masks overlap;
- its **visibility** is the area of the mask divided by the area of the whole toy, counted in the same way (pixels with
  ``alpha`` above one half), inside and outside the frame.

A place where an earlier toy would be hidden too much is drawn again, so that every toy of the truth can be seen.

Light falls from one side: it tints the scene, models the toys (brighter towards the light, darker away from it and near
the ground), and throws a soft shadow to the other side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageFilter

from course_utils.data import steady
from course_utils.data.occluders import occluder
from course_utils.data.sprite_scenes import distractors, objects
from course_utils.data.sprite_scenes.backgrounds import QUARTERS, background
from course_utils.data.sprite_scenes.drawing import Pose, Sprite, rendered
from course_utils.data.street_world.textures import stream

WORLD = 505
"""First number of every random stream of these scenes."""
MAX_OBJECTS = 6
COUNT_SHARES = (0.12, 0.22, 0.25, 0.20, 0.13, 0.08)
"""How often a scene is meant to have 1, 2, ... 6 objects."""
DISTRACTOR_SHARES = (0.40, 0.40, 0.20)
"""How often it has 0, 1, 2 distractors."""
SMALLEST, LARGEST = 12.0, 48.0
"""Longer side of a toy in pixels of a scene of 96; other sizes in proportion."""
SIZE_SHAPE = (1.9, 1.2)
"""Parameters of the beta distribution of a toy's size between these two, on a logarithmic scale: 28 pixels in the middle."""
TILT = 0.09
"""Standard deviation of a toy's rotation, in radians (5 degrees)."""
NEAR_SHARE = 0.4
"""How often a toy is put near another one, so that some hide each other."""
LEAST_VISIBLE = 0.15
"""Smallest visibility of a toy of the truth."""
LEAST_AREA = 10
"""Visible pixels, at a size of 96."""
TRIES = 10


@dataclass(frozen=True)
class Light:
    """Colour and direction of the light of one scene.

    ``tint`` multiplies the channels; ``side`` is -1 (light from the left) to 1 (from the right); ``strength`` of the
    shadows 0 to 1; ``softness`` of their edges in pixels of a scene of 96; ``noise`` in grey levels.
    """

    tint: tuple[float, float, float]
    side: float
    strength: float
    softness: float
    noise: float


@dataclass(frozen=True, eq=False)
class Composition:
    """A picture and its truth, the objects from the far one to the near one.

    Attributes
    ----------
    image : uint8 ``(size, size, 3)``
    instances : uint8 ``(size, size)``
        0 where no object is, else the number of the object, counted from 1.
    labels : int64 ``(n,)``
    boxes : float32 ``(n, 4)``
        Left, top, right, bottom of the mask in continuous coordinates: the last column plus 1, the last row plus 1.
    visibility : float32 ``(n,)``
    inside : float32 ``(n,)``
        Share of the whole toy that lies inside the frame, hidden or not.
    """

    image: np.ndarray
    instances: np.ndarray
    labels: np.ndarray
    boxes: np.ndarray
    visibility: np.ndarray
    inside: np.ndarray


def composed(split: str, seed: int, index: int, size: int, occlusion: float = 0.0) -> Composition:
    """Return scene ``index`` of a split: a pure function of its arguments.

    With an ``occlusion`` above 0, something hides that share of the box of every object; the rest of the picture is equal.
    """
    key = (WORLD, seed, tuple(QUARTERS).index(split), index)
    r = stream(*key, 0)
    light = _light(r)
    back = background(r, split, size)
    n_objects = 1 + int(r.choice(MAX_OBJECTS, p=COUNT_SHARES))
    n_others = int(r.choice(len(DISTRACTOR_SHARES), p=DISTRACTOR_SHARES))
    toys: list[Toy] = []
    for number in range(n_objects + n_others):
        own = stream(*key, 1 + number)  # its identity and pose do not depend on the others
        label = int(own.integers(len(objects.CLASS_NAMES))) if number < n_objects else -1
        toy = _placed(_sprite(own, label, size, light), label, toys, r, back.horizon, size)
        if toy is not None:
            toys = sorted([*toys, toy], key=lambda t: t.row)
    picture = back.pixels
    for toy in toys:
        throw_shadow(picture, toy, light, size, flat=back.horizon == 0)
    if occlusion > 0:
        toys = [*toys, *_occluders(toys, key, split, size, occlusion)]
    for toy in toys:
        inner, outer = toy.windows(size)
        alpha = toy.sprite.alpha[outer][..., None]
        picture[inner] = toy.sprite.colour[outer] + (1 - alpha) * picture[inner]
    return Composition(exposed(picture, light, r, size), *_truth(toys, size))


def _light(r: np.random.Generator) -> Light:
    warmth = r.normal(0, 0.09)
    exposure = float(steady.exp(np.clip(r.normal(0.05, 0.15), -0.4, 0.25)))
    tint = (exposure * (1 + warmth), exposure, exposure * (1 - 1.2 * warmth))
    side = r.uniform(0.35, 1.0) * (1 if r.random() < 0.5 else -1)
    return Light(tint, side, r.uniform(0.4, 0.7), r.uniform(0.8, 2.4), r.uniform(0.8, 2.8))


# -- one toy --------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Toy:
    """A sprite at a place: the sprite's corner is at ``(top, left)`` of the frame, its foot at ``row``."""

    sprite: Sprite
    label: int
    top: int
    left: int
    row: float
    full: int

    def windows(self, size: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Return the part of the frame that the sprite lies in, and the part of the sprite that lies in the frame."""
        height, width = self.sprite.alpha.shape
        y0, y1 = max(0, self.top), min(size, self.top + height)
        x0, x1 = max(0, self.left), min(size, self.left + width)
        inner = slice(y0, max(y0, y1)), slice(x0, max(x0, x1))
        return inner, (slice(y0 - self.top, max(y0, y1) - self.top), slice(x0 - self.left, max(x0, x1) - self.left))


def _sprite(r: np.random.Generator, label: int, size: int, light: Light) -> Sprite:
    """Return a new individual of a class, or a distractor for label -1, modelled by the light."""
    if label >= 0:
        drawing = objects.DRAWN_BY[objects.CLASS_NAMES[label]](r)
    else:
        drawing = list(distractors.DRAWN_BY.values())[int(r.integers(len(distractors.DRAWN_BY)))](r)
    longest = SMALLEST * (LARGEST / SMALLEST) ** r.beta(*SIZE_SHAPE) * size / 96
    pose = Pose(longest, float(np.clip(r.normal(0, TILT), -0.25, 0.25)), bool(r.random() < 0.5))
    sprite = rendered(drawing, pose, r, (r.random(), r.random()))
    return replace(sprite, colour=sprite.colour * modelling(sprite.alpha, longest, light)[..., None])


def modelling(alpha: np.ndarray, longest: float, light: Light) -> np.ndarray:
    """Return the light on a toy, around 1: its silhouette blurred and compared with itself a step towards the light."""
    cover = Image.fromarray((255 * alpha).astype(np.uint8))
    reach = max(1.0, 0.07 * longest)
    blurred = np.asarray(cover.filter(ImageFilter.GaussianBlur(reach)), np.float32) / 255
    step = max(1, round(reach))
    across = (np.roll(blurred, -step, axis=1) - np.roll(blurred, step, axis=1)) * -light.side
    upward = np.roll(blurred, step, axis=0) - np.roll(blurred, -step, axis=0)
    rows = np.linspace(1.06, 0.86, len(alpha), dtype=np.float32)[:, None]
    return np.clip(rows - 0.34 * across - 0.22 * upward, 0.45, 1.5).astype(np.float32)


def _placed(sprite: Sprite, label: int, toys: list[Toy], r: np.random.Generator, horizon: float, size: int) -> Toy | None:
    """Return the toy at a place where it and the others can be seen, or None if none is found in ten tries."""
    full = sprite.area
    least = LEAST_AREA * (size / 96) ** 2
    for _ in range(TRIES):
        if toys and r.random() < NEAR_SHARE:
            near = toys[int(r.integers(len(toys)))]
            column = near.left + near.sprite.foot[1] + r.normal(0, 0.6) * near.sprite.alpha.shape[1]
            row = near.row + r.normal(0, 0.10) * size
        else:
            column, row = r.uniform(-0.02, 1.02) * size, r.uniform(horizon + 0.06 * size, 1.10 * size)
        row = max(row, horizon + 0.05 * size)
        toy = Toy(sprite, label, round(row - sprite.foot[0]), round(column - sprite.foot[1]), row, full)
        every = sorted([*toys, toy], key=lambda t: t.row)
        if all(
            np.count_nonzero(mask) >= max(least, LEAST_VISIBLE * t.full) for t, mask in zip(every, visible_masks(every, size))
        ):
            return toy
    return None


def _occluders(toys: list[Toy], key: tuple[int, ...], split: str, size: int, occlusion: float) -> list[Toy]:
    """Return what hides the objects, as things that are nearer than all toys and belong to no class."""
    hiding = []
    for number, box in enumerate(_truth(toys, size)[2].tolist()):
        sprite = occluder(stream(*key, 1000 + number), tuple(box), occlusion, split, size, size)
        hiding.append(Toy(sprite, -1, 0, 0, float(size), sprite.area))
    return hiding


def visible_masks(toys: list[Toy], size: int) -> list[np.ndarray]:
    """Return the visible mask of every toy inside its own window of the frame; toys from far to near."""
    free = np.ones((size, size), np.float32)
    masks = []
    for toy in reversed(toys):
        inner, outer = toy.windows(size)
        alpha = toy.sprite.alpha[outer]
        masks.append(alpha * free[inner] > 0.5)
        free[inner] *= 1 - alpha
    return masks[::-1]


# -- the picture ----------------------------------------------------------------------------------------------------------
def throw_shadow(picture: np.ndarray, toy: Toy, light: Light, size: int, flat: bool) -> None:
    """Darken the ground beside and under a toy: its silhouette, laid flat away from the light, and a spot at its foot."""
    alpha = toy.sprite.alpha
    height, width = alpha.shape
    foot_row, foot_column = toy.sprite.foot
    blur = max(0.6, light.softness * size / 96)
    edge = int(3 * blur) + 1
    lean = -light.side * (0.35 if flat else 0.6)
    low = 0.82 if flat else 0.34  # how high the laid silhouette is; on a desk seen from above it is merely moved aside
    reach = int(abs(lean) * height) + edge
    out_height, out_width = height + 2 * edge, width + 2 * reach
    # for a pixel (column, row) of the shadow: where in the silhouette it comes from
    base = edge + foot_row
    rise = 1 / low
    data = (1, lean * rise, -reach - lean * rise * base, 0, rise, foot_row - rise * base)
    cover = Image.fromarray((255 * alpha).astype(np.uint8))
    laid = cover.transform((out_width, out_height), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)
    laid = np.asarray(laid.filter(ImageFilter.GaussianBlur(blur)), np.float32) / 255
    shadow = light.strength * laid
    if not flat:
        bottom = alpha[max(0, int(foot_row) - max(2, height // 8)) : int(foot_row) + 2].max(axis=0, initial=0)
        covered = np.flatnonzero(bottom > 0.5)
        if len(covered):
            half = (covered[-1] - covered[0] + 1) / 2
            middle = reach + (covered[0] + covered[-1] + 1) / 2
            x = (np.arange(out_width, dtype=np.float32) + 0.5 - middle) / (1.12 * half + blur)
            y = (np.arange(out_height, dtype=np.float32) + 0.5 - base) / (0.16 * half + blur)
            spot = steady.exp(-1.2 * ((x * x)[None] ** 2 + y[:, None] ** 2))
            shadow = np.maximum(shadow, 0.62 * spot)
    top, left = toy.top - edge, toy.left - reach
    y0, y1, x0, x1 = max(0, top), min(size, top + out_height), max(0, left), min(size, left + out_width)
    if y0 < y1 and x0 < x1:
        picture[y0:y1, x0:x1] *= 1 - shadow[y0 - top : y1 - top, x0 - left : x1 - left, None]


def exposed(picture: np.ndarray, light: Light, r: np.random.Generator, size: int) -> np.ndarray:
    """Return what the camera takes: the light's tint, a fall from the lit side to the other, noise."""
    fall = 1 + 0.10 * light.side * np.linspace(-1, 1, size, dtype=np.float32)
    taken = picture * (fall[None, :, None] * np.asarray(light.tint, np.float32))
    taken += np.float32(light.noise) * r.standard_normal((size, size, 1), dtype=np.float32)
    return np.clip(taken + 0.5, 0, 255).astype(np.uint8)


# -- the truth ------------------------------------------------------------------------------------------------------------
def _truth(toys: list[Toy], size: int) -> tuple[np.ndarray, ...]:
    instances = np.zeros((size, size), np.uint8)
    labels, boxes, visibility, inside = [], [], [], []
    for toy, mask in zip(toys, visible_masks(toys, size)):
        if toy.label < 0 or not mask.any():
            continue
        inner, outer = toy.windows(size)
        labels.append(toy.label)
        instances[inner][mask] = len(labels)
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        top, left = inner[0].start, inner[1].start
        boxes.append((left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1))
        visibility.append(np.count_nonzero(mask) / toy.full)
        inside.append(np.count_nonzero(toy.sprite.alpha[outer] > 0.5) / toy.full)
    return (
        instances,
        np.array(labels, np.int64),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(visibility, np.float32),
        np.array(inside, np.float32),
    )
