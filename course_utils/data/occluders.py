"""Things that stand in the way: boards, posts and blots that hide a wanted share of a box.

**Problem.** Does a network still know an object that is half hidden? The test pictures must say how much is hidden, and the
hidden part must not look like anything that training has shown. **Idea.** A shape is put over a random point of the box
and grown until it covers the wanted share of the box's pixels. Its surface is a piece of a photograph that is never used
for training pictures; validation and test have photographs of their own.

Three shapes, drawn with equal chances: a **board** (a turned rectangle), a **post** (a long narrow one, nearly upright) and
a **blot** (a turned ellipse). Only one of the three resembles the upright rectangles of Random Erasing.

Taught in ``14_erasing``.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from course_utils.checks import checked_float, message
from course_utils.data import steady
from course_utils.data.photographs import photograph_array
from course_utils.data.sprite_scenes.drawing import Sprite

SURFACES: dict[str, tuple[tuple[str, tuple[int, int], tuple[int, int]], ...]] = {
    "validation": (("camera", (0, 230), (0, 150)), ("text", (0, 172), (0, 448))),
    "test": (("page", (0, 191), (0, 384)), ("astronaut", (330, 512), (60, 420)), ("camera", (300, 512), (300, 512))),
}
"""Where surfaces come from: photograph, rows, columns. None of these photographs is a background or a material of a toy."""
TONES = ((1.0, 1.0, 1.0), (0.95, 0.6, 0.5), (0.55, 0.75, 1.0), (0.7, 0.95, 0.6), (1.0, 0.85, 0.5), (0.55, 0.55, 0.6))
"""Colours of the light on a surface."""
LARGEST_SHARE = 0.9
_STEPS = 24
"""Halvings of the interval in which the size of the shape is searched."""


def occluder(
    r: np.random.Generator, box: tuple[float, float, float, float], share: float, split: str, height: int, width: int
) -> Sprite:
    """Return a thing that hides a share of a box, as a sprite of the size of the whole frame.

    Parameters
    ----------
    r : Generator
    box : (left, top, right, bottom)
        In continuous pixel coordinates; at least one pixel centre lies inside.
    share : float
        Wanted share of the box's pixels, above 0 and at most 0.9. The sprite covers the nearest number of pixels that the
        shape can reach.
    split : {"validation", "test"}
        Whose photographs the surface is cut from.
    height, width : int
        Of the frame in pixels.
    """
    left, top, right, bottom = box
    shape = ("board", "post", "blot")[int(r.integers(3))]
    x, y = r.uniform(left, right), r.uniform(top, bottom)
    turn = r.uniform(-0.12, 0.12) if shape == "post" else r.uniform(-0.8, 0.8)
    aspect = float(steady.exp(r.normal(0, 0.35)))
    if shape == "post":
        aspect = 8.0
    rows, columns = np.arange(height)[:, None] + 0.5 - y, np.arange(width)[None] + 0.5 - x
    cosine, sine = float(steady.cos(turn)), float(steady.sin(turn))
    u, v = cosine * columns + sine * rows, cosine * rows - sine * columns
    inside = (rows + y > top) & (rows + y < bottom) & (columns + x > left) & (columns + x < right)
    low, high = 0.0, 4.0 * max(height, width)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if np.count_nonzero(_cover(shape, u, v, middle, aspect)[inside] > 0.5) < share * np.count_nonzero(inside):
            low = middle
        else:
            high = middle
    alpha = _nearest(inside, share, *(_cover(shape, u, v, reach, aspect) for reach in (low, high)))
    return Sprite(_surface(r, split, height, width) * alpha[..., None], alpha, (y, x))


def _cover(shape: str, u: np.ndarray, v: np.ndarray, reach: float, aspect: float) -> np.ndarray:
    """Return how much of every pixel a shape covers: 1 well inside, 0 well outside, a ramp of one pixel at its edge."""
    across, along = reach, reach * aspect
    if shape == "blot":
        edge = (1 - np.sqrt((u / max(across, 1e-6)) ** 2 + (v / max(along, 1e-6)) ** 2)) * min(across, along)
    else:
        edge = np.minimum(across - np.abs(u), along - np.abs(v))
    return np.clip(0.5 + edge, 0, 1).astype(np.float32)


def _nearest(inside: np.ndarray, share: float, small: np.ndarray, large: np.ndarray) -> np.ndarray:
    """Return the one of two covers whose number of covered pixels is nearer to the wanted share."""
    wanted = share * np.count_nonzero(inside)
    off = [abs(np.count_nonzero(cover[inside] > 0.5) - wanted) for cover in (small, large)]
    return small if off[0] < off[1] else large


def _surface(r: np.random.Generator, split: str, height: int, width: int) -> np.ndarray:
    """Return a piece of one of the split's photographs in one of a few lights, float32 ``(height, width, 3)``."""
    name, rows, columns = SURFACES[split][int(r.integers(len(SURFACES[split])))]
    source = photograph_array(name)[slice(*rows), slice(*columns)]
    full = min(source.shape[0], source.shape[1] * height / width)
    crop_height = full * r.uniform(0.5, 1.0)
    crop_width = crop_height * width / height
    x, y = r.uniform(0, source.shape[1] - crop_width), r.uniform(0, source.shape[0] - crop_height)
    picture = Image.fromarray(np.ascontiguousarray(source)).resize(
        (width, height), Image.Resampling.BILINEAR, box=(x, y, x + crop_width, y + crop_height)
    )
    return np.asarray(picture, np.float32) * np.asarray(TONES[int(r.integers(len(TONES)))], np.float32)


def checked_occlusion(occlusion: float, split: str) -> float:
    """Return the share to be hidden; training pictures have nothing in front."""
    occlusion = checked_float(occlusion, "occlusion", low=0, high=LARGEST_SHARE)
    if occlusion and split == "train":
        raise ValueError(
            message("occlusion", "0 for the training split", str(occlusion), "Hide things while training with `augment`.")
        )
    return occlusion
