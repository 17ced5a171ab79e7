"""How somebody walks: a jointed figure of about unit height, seen from the front, from the back or from the side.

Hip, knee and foot of a leg and shoulder, elbow and hand of an arm swing with the phase of the gait, opposite to each other.
What a person wears is drawn where the direction lets it be seen: a rucksack covers the back, shows a little from the side and
only its straps from the front; a print is on the chest alone.
"""

from __future__ import annotations

import math

import numpy as np

from course_utils.data.pedestrians.wardrobe import Outfit
from course_utils.data.sprite_scenes.drawing import Colour, Drawing
from course_utils.data.sprite_scenes.objects import shaded

FACINGS = ("front", "back", "side")
HIP, SHOULDER, HEAD = 0.49, 0.80, 0.068
"""Heights of the joints, and the radius of the head."""


def walker(person: Outfit, facing: str, phase: float) -> Drawing:
    """Return the drawing of a person in a step of the gait.

    Parameters
    ----------
    person : Outfit
    facing : {"front", "back", "side"}
        From the side, the figure walks to the right; ``Pose.mirrored`` turns it.
    phase : float
        Of the gait, in radians.
    """
    d = Drawing(metres=6.0)
    swing, side = math.sin(phase), facing == "side"
    half = (0.085 if side else 0.118) * person.width
    if side:
        _arm(d, person, -0.01, swing, side, 0.72)
        _rucksack_beside(d, person, half)
    elif facing == "front" and person.bag == "rucksack":
        d.smooth([(-half, 0.6), (-half, 0.83), (half, 0.83), (half, 0.6)], shaded(person.bag_colour, 0.7))
    if person.hair_style == "long" and facing == "front":
        d.ellipse(0, SHOULDER + 0.08, 1.35 * HEAD, 1.9 * HEAD, shaded(person.hair, 0.75))
    _legs(d, person, swing, side)
    if not side:
        for sign in (-1, 1):
            _arm(d, person, sign * half, sign * swing, side, 0.86)
    _torso(d, person, half, facing)
    _head(d, person, facing)
    _bag(d, person, half, facing)
    if side:
        _arm(d, person, 0.01, -swing, side, 0.95)
    return d


def _legs(d: Drawing, person: Outfit, swing: float, side: bool) -> None:
    cloth = person.legs
    for sign, light in ((-1, 0.8), (1, 1.0)):
        if side:
            x, knee, foot = 0.0, 0.09 * sign * swing + 0.015, 0.15 * sign * swing
            lift = 0.025 * max(0.0, -sign * swing)
        else:
            x = 0.052 * sign * person.width
            knee, foot, lift = 1.05 * x, 1.1 * x, 0.05 * max(0.0, sign * swing)
        shin = cloth if person.legwear == "trousers" else person.skin
        thigh = person.skin if person.legwear == "skirt" else cloth
        d.line([(knee, 0.27 + lift / 2), (foot, 0.05 + lift)], 0.07, shaded(shin, light))
        d.line([(x, HIP), (knee, 0.27 + lift / 2)], 0.092, shaded(thigh, light))
        toe = 0.06 if side else 0.012 * sign
        d.line([(foot, 0.03 + lift), (foot + toe, 0.026 + lift)], 0.052, shaded(person.shoes, light))
    if person.legwear == "skirt":
        wide = 0.1 * person.width + (0.05 * abs(swing) if side else 0.02)
        d.polygon([(-0.08, HIP + 0.05), (0.08, HIP + 0.05), (wide, 0.28), (-wide, 0.28)], cloth, "concrete", 0.2)


def _arm(d: Drawing, person: Outfit, x: float, swing: float, side: bool, light: float) -> None:
    if side:
        elbow, hand = (x - 0.05 * swing - 0.02, 0.66), (x + 0.13 * swing + 0.02, 0.55)
    else:
        elbow, hand = (1.22 * x, 0.66), (1.28 * x, 0.54 + 0.03 * swing)
    shoulder = (x, SHOULDER - 0.02)
    d.line([elbow, hand], 0.05, shaded(person.skin if person.short_sleeves else person.shirt, light))
    d.line([shoulder, elbow], 0.062, shaded(person.shirt, light))
    d.ellipse(*hand, 0.03, 0.03, person.skin)


def _torso(d: Drawing, person: Outfit, half: float, facing: str) -> None:
    low = HIP - 0.02
    d.smooth(
        [(-half, low), (-half, low), (-half, SHOULDER), (half, SHOULDER), (half, low), (half, low)],
        person.shirt,
        "concrete",
        0.22,
    )
    inner = 0.93 * half
    if person.pattern == "hoops":
        for y in (0.52, 0.61, 0.70):
            d.box(-inner, y, inner, y + 0.045, person.second)
    elif person.pattern == "two-tone":
        d.box(-inner, low + 0.02, inner, 0.64, person.second, "concrete", 0.2)
    elif person.pattern == "jacket" and facing != "back":
        x = 0.35 * half if facing == "front" else 0.75 * half
        d.box(x - 0.35 * half if facing == "side" else -x, low + 0.01, x, SHOULDER - 0.015, person.second)
    elif person.pattern == "print" and facing == "front":
        d.box(-0.6 * half, 0.58, 0.6 * half, 0.73, person.second, f"photograph {person.printed}")


def _head(d: Drawing, person: Outfit, facing: str) -> None:
    y = 1 - HEAD - 0.02
    d.box(-0.026, SHOULDER - 0.02, 0.026, SHOULDER + 0.05, shaded(person.skin, 0.82))
    look = {"front": 0.0, "back": 0.0, "side": 0.012}[facing]
    d.ellipse(look, y, HEAD, 1.1 * HEAD, person.skin)
    if facing == "back":
        d.ellipse(0, y + 0.008, 1.04 * HEAD, 1.1 * HEAD, person.hair)
    else:
        start = 0.1 if facing == "front" else 0.55
        stop = math.pi - start if facing == "front" else math.pi + 0.7
        turn = np.linspace(start, stop, 12).tolist()
        d.polygon([(1.06 * HEAD * math.cos(t) + look, y + 0.012 + 1.12 * HEAD * math.sin(t)) for t in turn], person.hair)
        eyes = (-0.022, 0.022) if facing == "front" else (0.05,)
        for x in eyes:
            d.ellipse(x, y - 0.002, 0.009, 0.011, (36, 28, 26))
    if person.hair_style == "long" and facing != "front":
        x = 0.0 if facing == "back" else -0.035
        d.ellipse(x, y - 0.055, 0.9 * HEAD if facing == "back" else 0.55 * HEAD, 1.5 * HEAD, shaded(person.hair, 0.9))
    elif person.hair_style == "bun":
        d.ellipse(0.0 if facing != "side" else -0.06, y + 1.05 * HEAD, 0.03, 0.03, shaded(person.hair, 0.85))
    elif person.hair_style == "cap":
        turn = np.linspace(0.1, math.pi - 0.1, 10).tolist()
        d.polygon([(1.12 * HEAD * math.cos(t) + look, y + 0.014 + 1.2 * HEAD * math.sin(t)) for t in turn], person.bag_colour)
        if facing != "back":
            d.line(
                [(look, y + 0.022), (look + (0.1 if facing == "side" else 0.05), y + 0.02)], 0.02, shaded(person.bag_colour, 0.7)
            )


def _rucksack_beside(d: Drawing, person: Outfit, half: float) -> None:
    if person.bag == "rucksack":
        x = -half - 0.07
        d.smooth([(x, 0.58), (x, 0.79), (-0.5 * half, 0.81), (-0.5 * half, 0.56)], person.bag_colour, "plaster", 0.2)


def _bag(d: Drawing, person: Outfit, half: float, facing: str) -> None:
    colour: Colour = person.bag_colour
    if person.bag == "rucksack":
        if facing == "back":
            d.smooth(
                [(-0.85 * half, 0.55), (-0.85 * half, 0.80), (0.85 * half, 0.80), (0.85 * half, 0.55)], colour, "plaster", 0.2
            )
            d.line([(-0.6 * half, 0.64), (0.6 * half, 0.64)], 0.014, shaded(colour, 0.6))
        elif facing == "front":
            for sign in (-1, 1):
                d.line([(0.62 * sign * half, SHOULDER), (0.7 * sign * half, 0.6)], 0.026, shaded(colour, 0.8))
    elif person.bag == "shoulder bag":
        sign = {"front": 1, "back": -1, "side": -1}[facing]
        x = 0.95 * sign * half
        d.line([(-0.6 * sign * half, SHOULDER), (x, 0.52)], 0.02, shaded(colour, 0.7))
        d.box(x - 0.06, 0.40, x + 0.06, 0.52, colour, "plaster", 0.2)
    elif person.bag == "handbag":
        x = {"front": 1.28 * half, "back": -1.28 * half, "side": 0.08}[facing]
        d.box(x - 0.05, 0.40, x + 0.05, 0.49, colour, "plaster", 0.2)
        d.line([(x - 0.03, 0.49), (x, 0.54), (x + 0.03, 0.49)], 0.014, shaded(colour, 0.6))
