"""Toys that belong to no class: ball, block, can, cone, crate, stone.

A detector that fires at "something colourful on the ground" is wrong about these. Each of them shares a trait with a
class: the cone is pointed and sometimes green like a fir, the can is an upright cylinder like a cup without a handle,
the crate has wooden walls like a house.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from course_utils.data.sprite_scenes.drawing import Drawing
from course_utils.data.sprite_scenes.objects import another_colour, jittered, shaded, toy_colour

_CONES = ((232, 110, 30), (206, 50, 40), (70, 120, 66), (230, 190, 60))
_STONES = ((150, 146, 138), (122, 116, 112), (176, 160, 136), (104, 110, 118))


def ball(r: np.random.Generator) -> Drawing:
    """A ball with segments of two colours."""
    d = Drawing(metres=6.0)
    one = toy_colour(r)
    two = another_colour(r, one)
    d.ellipse(0, 0.5, 0.5, 0.5, one, "plaster", 0.2)
    turn = r.uniform(0, math.pi)
    for k in range(3):
        start = turn + 2 * math.pi * k / 3
        arc = [(0.5 * math.cos(t), 0.5 + 0.5 * math.sin(t)) for t in np.linspace(start, start + math.pi / 3, 8).tolist()]
        d.polygon([(0.12, 0.58), *arc], two)
    d.ellipse(0.12, 0.58, 0.07, 0.07, shaded(one, 1.2, 20))
    return d


def block(r: np.random.Generator) -> Drawing:
    """A building block with studs."""
    d = Drawing(metres=6.0)
    colour, height = toy_colour(r), r.uniform(0.3, 0.5)
    n = int(r.integers(2, 5))
    for k in range(n):
        x = -0.5 + (k + 0.5) / n
        d.box(x - 0.3 / n, height - 0.01, x + 0.3 / n, height + 0.09, shaded(colour, 1.1, 8))
        d.ellipse(x, height + 0.09, 0.3 / n, 0.03, shaded(colour, 1.25, 18))
    d.box(-0.5, 0, 0.5, height, colour, "plaster", 0.2)
    d.box(-0.5, 0, 0.5, 0.06, shaded(colour, 0.75))
    return d


def can(r: np.random.Generator) -> Drawing:
    """A tin can with a label: a cylinder like a cup, without handle and drink."""
    d = Drawing(metres=6.0)
    metal, label = (176, 178, 182), toy_colour(r)
    half, height = r.uniform(0.24, 0.32), 0.94
    foot = [(half * math.cos(t), 0.05 + 0.05 * math.sin(t)) for t in np.linspace(math.pi, 2 * math.pi, 9).tolist()]
    d.polygon([*foot, (half, height), (-half, height)], metal, "plaster", 0.3)
    sag = [(half * (k / 4 - 1), -0.045 * (1 - (k / 4 - 1) ** 2)) for k in range(9)]
    upper = [(x, 0.80 + y) for x, y in reversed(sag)]
    d.polygon([*[(x, 0.18 + y) for x, y in sag], *upper], label, "plaster", 0.25)
    d.polygon([*[(x, 0.40 + y) for x, y in sag], *[(x, 0.54 + y) for x, y in reversed(sag)]], another_colour(r, label))
    d.ellipse(0, height, half, 0.06, shaded(metal, 1.2, 14))
    d.ellipse(0, height, half - 0.035, 0.042, shaded(metal, 0.9))
    return d


def cone(r: np.random.Generator) -> Drawing:
    """A traffic cone with bands on a square foot."""
    d = Drawing(metres=6.0)
    colour = jittered(r, _CONES[int(r.integers(4))])
    d.polygon([(-0.36, 0), (0.36, 0), (0.31, 0.075), (-0.31, 0.075)], shaded(colour, 0.7))
    d.polygon([(-0.25, 0.06), (0.25, 0.06), (0.045, 1.0), (-0.045, 1.0)], colour, "plaster", 0.25)
    for low in (0.34, 0.62)[: int(r.integers(1, 3))]:
        wide, slim = 0.25 - 0.218 * (low - 0.06), 0.25 - 0.218 * (low + 0.08)
        d.polygon([(-wide, low), (wide, low), (slim, low + 0.14), (-slim, low + 0.14)], (242, 240, 234))
    return d


def crate(r: np.random.Generator) -> Drawing:
    """A wooden crate seen from the corner."""
    d = Drawing(metres=4.0)
    wood, edge, depth = jittered(r, (178, 134, 84)), r.uniform(0.05, 0.2), 0.09
    d.polygon([(-0.5, depth), (edge, 0), (edge, 0.62), (-0.5, 0.66)], wood, "wood", 0.8)
    d.polygon([(edge, 0), (0.5, depth), (0.5, 0.66), (edge, 0.62)], shaded(wood, 0.7), "wood", 0.8)
    d.polygon([(-0.5, 0.66), (edge, 0.62), (0.5, 0.66), (-edge, 0.74)], shaded(wood, 1.2), "wood", 0.8)
    dark = shaded(wood, 0.5)
    for share in (0.0, 0.5, 0.97):
        d.line(
            [(-0.49, depth + share * (0.66 - depth)), (edge, share * 0.62 + 0.012), (0.49, depth + share * (0.66 - depth))],
            0.03,
            dark,
        )
    return d


def stone(r: np.random.Generator) -> Drawing:
    """A pebble."""
    d = Drawing(metres=3.0)
    n, flat = 9, r.uniform(0.55, 0.85)
    turns = np.linspace(0, 2 * math.pi, n, endpoint=False)
    reach = 0.5 * r.uniform(0.82, 1.1, n)
    points = [(float(q * math.cos(t)), float(0.5 * flat + flat * q * math.sin(t))) for q, t in zip(reach, turns)]
    d.smooth(points, jittered(r, _STONES[int(r.integers(4))]), "gravel", 0.6)
    return d


DRAWN_BY: dict[str, Callable[[np.random.Generator], Drawing]] = {
    "ball": ball,
    "block": block,
    "can": can,
    "cone": cone,
    "crate": crate,
    "stone": stone,
}
