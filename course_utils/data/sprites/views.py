"""How the toys of a data set are seen: the usual way, or with one nuisance much wider than usual.

**Problem.** An augmentation helps where it matches a change that the test shows and the training set does not. To see that,
the change must be a switch. **Idea.** Everything that may vary between two pictures of one toy stands in ``Views``; each
entry of ``VIEWS`` widens exactly one of them. Train on ``"usual"``, test on ``"rotated"``, and ask which augmentation
closes the gap.

Taught in ``13_colour_and_space``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from course_utils.checks import checked_choice, message


@dataclass(frozen=True)
class Views:
    """Ranges of everything that may differ between two pictures of one toy.

    Attributes
    ----------
    turn : float
        Largest rotation to either side, in radians.
    size : (float, float)
        Longer side of the toy as a share of the frame's side, smallest and largest; uniform on a logarithmic scale.
    shift : float
        Largest distance from the middle, as a share of the free room beside the toy; above 1, toys are cut by the frame.
    mirrored : bool or None
        None: a coin decides.
    exposure : (float, float)
        Mean and standard deviation of the logarithm of the brightness.
    warmth : float
        Standard deviation of the colour of the light, as a share.
    noise : (float, float)
        Smallest and largest standard deviation of the sensor's noise, in grey levels.
    blur : (float, float)
        Smallest and largest standard deviation of the blur, in pixels of a frame of 32.
    """

    turn: float = math.radians(12)
    size: tuple[float, float] = (0.50, 0.80)
    shift: float = 0.5
    mirrored: bool | None = None
    exposure: tuple[float, float] = (0.05, 0.15)
    warmth: float = 0.09
    noise: tuple[float, float] = (0.8, 2.8)
    blur: tuple[float, float] = (0.0, 0.0)


_USUAL = Views()
VIEWS: dict[str, Views] = {
    "usual": _USUAL,
    "rotated": replace(_USUAL, turn=math.radians(70)),
    "small": replace(_USUAL, size=(0.26, 0.42)),
    "moved": replace(_USUAL, shift=2.2),
    "left": replace(_USUAL, mirrored=True),
    "right": replace(_USUAL, mirrored=False),
    "dark": replace(_USUAL, exposure=(-1.1, 0.3)),
    "tinted": replace(_USUAL, warmth=0.45),
    "noisy": replace(_USUAL, noise=(18.0, 36.0)),
    "blurred": replace(_USUAL, blur=(0.8, 1.6)),
}
"""The usual views, and nine more that differ from them in one thing each."""


def checked_views(views: str | Views) -> Views:
    """Return the ranges of a name of ``VIEWS``, or the given ranges.

    Raises
    ------
    TypeError, ValueError
        If there is no such name, or it is neither a name nor ``Views``.
    """
    if isinstance(views, Views):
        return views
    if isinstance(views, str):
        return VIEWS[checked_choice(views, "views", VIEWS)]
    raise TypeError(message("views", "a name of `data.sprites.VIEWS` or `Views(...)`", type(views).__name__))
