"""One toy on a stage, and the truth about it: where it is, how it is turned, where its named points lie.

The toy is drawn once from its own stream of random numbers (who it is), and placed, lit and photographed with another one
(how it is seen). So the same individual may be seen in many pictures, and a picture with something in front of the toy is
otherwise equal to the byte to the one without.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageFilter

from course_utils.data import steady
from course_utils.data.occluders import occluder
from course_utils.data.sprite_scenes.backgrounds import background
from course_utils.data.sprite_scenes.composition import Light, Toy, exposed, modelling, throw_shadow, visible_masks
from course_utils.data.sprite_scenes.drawing import Drawing, Pose, Sprite, rendered
from course_utils.data.sprites.views import Views
from course_utils.data.street_world.textures import stream

WORLDS = {"sprites": 606, "creatures": 607}
"""First number of every random stream of a kind of portraits."""
SPLITS = ("train", "validation", "test")
TRIES = 20
"""Places are drawn again until at least a third of the toy lies inside the frame."""


@dataclass(frozen=True, eq=False)
class Portrait:
    """A picture and its truth.

    Attributes
    ----------
    image : uint8 ``(size, size, 3)``
    mask : bool ``(size, size)``
        Visible pixels of the toy.
    box : float32 ``(4,)``
        Extent of the toy inside the frame, with whatever stands in front of it taken away.
    marks : dict of name to (x, y)
        Named points, in continuous pixel coordinates, inside the frame or not.
    seen : dict of name to bool
        Whether the point lies inside the frame and nothing stands in front of it.
    pose : Pose
    visibility : float
        Visible share of the toy's pixels inside the frame.
    """

    image: np.ndarray
    mask: np.ndarray
    box: np.ndarray
    marks: dict[str, tuple[float, float]]
    seen: dict[str, bool]
    pose: Pose
    visibility: float


def portrait(
    drawn: Callable[[np.random.Generator], Drawing],
    key: tuple[int, ...],
    number: int,
    split: str,
    size: int,
    views: Views,
    occlusion: float = 0.0,
) -> Portrait:
    """Return picture ``number`` of an individual: a pure function of its arguments.

    Parameters
    ----------
    drawn : callable
        Draws an individual of a class from a generator.
    key : tuple of int
        Of the individual: world, seed, split, class, individual.
    number : int
        Which of its pictures.
    split : {"train", "validation", "test"}
        Whose backgrounds and occluders are used.
    size : int
        Height and width in pixels.
    views : Views
    occlusion : float
        Share of the box that something hides.
    """
    r = stream(*key, 1, number)
    light, pose, mirrored_phase = _light(r, views), _pose(r, views, size), (r.random(), r.random())
    back = background(r, split, size)
    sprite = rendered(drawn(stream(*key, 0)), pose, stream(*key, 2), mirrored_phase)  # its materials are its own as well
    sprite = replace(sprite, colour=sprite.colour * modelling(sprite.alpha, pose.size, light)[..., None])
    toy = _placed(sprite, r, views, back.horizon, size)
    throw_shadow(back.pixels, toy, light, size, flat=back.horizon == 0)
    whole = visible_masks([toy], size)[0]
    inner = toy.windows(size)[0]
    rows, columns = np.flatnonzero(whole.any(axis=1)), np.flatnonzero(whole.any(axis=0))
    top, left = inner[0].start, inner[1].start
    box = np.array([left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1], np.float32)
    things = [toy]
    if occlusion > 0:
        hiding = occluder(stream(*key, 3, number), tuple(box.tolist()), occlusion, split, size, size)
        things.append(Toy(hiding, -1, 0, 0, float(size), hiding.area))
    for thing in things:
        inside, outer = thing.windows(size)
        back.pixels[inside] = thing.sprite.colour[outer] + (1 - thing.sprite.alpha[outer][..., None]) * back.pixels[inside]
    mask = np.zeros((size, size), bool)
    mask[inner] = visible_masks(things, size)[0]
    marks = {name: (x + toy.left, y + toy.top) for name, (x, y) in sprite.marks.items()}
    seen = {name: _is_seen(point, things[1:], size) for name, point in marks.items()}
    image = exposed(_blurred(back.pixels, r, views, size), light, r, size)
    return Portrait(image, mask, box, marks, seen, pose, np.count_nonzero(mask) / np.count_nonzero(whole))


def _light(r: np.random.Generator, views: Views) -> Light:
    warmth = r.normal(0, views.warmth)
    mean, spread = views.exposure
    exposure = float(steady.exp(mean + spread * np.clip(r.normal(), -2.5, 1.5)))
    tint = (exposure * max(0.1, 1 + warmth), exposure, exposure * max(0.1, 1 - 1.2 * warmth))
    side = r.uniform(0.35, 1.0) * (1 if r.random() < 0.5 else -1)
    return Light(tint, side, r.uniform(0.4, 0.7), r.uniform(0.8, 2.4), r.uniform(*views.noise))


def _pose(r: np.random.Generator, views: Views, size: int) -> Pose:
    low, high = views.size
    share = low * float(steady.power(high / low, r.random()))
    angle, coin = r.uniform(-views.turn, views.turn), bool(r.random() < 0.5)
    return Pose(share * size, angle, coin if views.mirrored is None else views.mirrored)


def _placed(sprite: Sprite, r: np.random.Generator, views: Views, horizon: float, size: int) -> Toy:
    """Return the toy with its middle at a random place around the middle of the frame, its foot below the horizon."""
    height, width = sprite.alpha.shape
    for _ in range(TRIES):
        middle = [size / 2 + views.shift * r.uniform(-1, 1) * max(0, size - n) / 2 for n in (height, width)]
        top, left = round(middle[0] - height / 2), round(middle[1] - width / 2)
        row = max(top + sprite.foot[0], horizon + 0.06 * size)
        toy = Toy(sprite, 0, round(row - sprite.foot[0]), left, row, sprite.area)
        if np.count_nonzero(visible_masks([toy], size)[0]) >= sprite.area / 3:
            return toy
    left, top = (size - width) // 2, (size - height) // 2
    return Toy(sprite, 0, top, left, top + sprite.foot[0], sprite.area)


def _blurred(pixels: np.ndarray, r: np.random.Generator, views: Views, size: int) -> np.ndarray:
    radius = r.uniform(*views.blur) * size / 32
    if radius == 0:
        return pixels
    soft = Image.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(soft, np.float32)


def _is_seen(point: tuple[float, float], in_front: list[Toy], size: int) -> bool:
    column, row = int(np.floor(point[0])), int(np.floor(point[1]))
    if not (0 <= row < size and 0 <= column < size):
        return False
    return not any(thing.sprite.alpha[row, column] > 0.5 for thing in in_front)
