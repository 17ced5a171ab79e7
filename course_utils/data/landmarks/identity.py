"""What makes a monument unique: its kind, form, colours, ornament and inscription.

Classes are dealt out like cards, not drawn with dice: within a kind no two monuments share the colour of their walls or
their ornament. A person who has seen a monument once knows it again; a machine may learn to.

Every attribute comes from a stream of (seed, label): the monument of a class does not depend on how many classes there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from course_utils.data import steady
from course_utils.data.street_world.textures import stream

WORLD = 606
"""First number of every random stream of the landmarks."""
KINDS = ("church", "tower", "palace", "statue", "gate", "mural", "temple")
"""Label ``l`` is a monument of kind ``KINDS[l % 7]``."""

WALLS: tuple[tuple[float, float, float], ...] = (
    (196, 92, 66),
    (232, 214, 176),
    (104, 126, 140),
    (214, 168, 92),
    (116, 74, 62),
    (236, 232, 224),
    (148, 164, 118),
    (206, 138, 130),
    (92, 96, 104),
    (232, 206, 104),
    (126, 96, 150),
    (176, 196, 204),
    (84, 140, 190),
    (62, 132, 106),
    (244, 186, 180),
    (160, 158, 150),
)
"""Sixteen colours of walls, 0 to 255: brick, sandstone, slate blue, ochre, ..."""
TRIMS: tuple[tuple[float, float, float], ...] = (
    (238, 230, 212),
    (94, 72, 60),
    (206, 200, 190),
    (150, 60, 48),
    (246, 244, 238),
    (70, 84, 96),
    (222, 186, 116),
    (120, 132, 110),
)
ROOFS: tuple[tuple[float, float, float], ...] = (
    (88, 132, 116),
    (150, 66, 48),
    (70, 74, 86),
    (214, 172, 70),
    (54, 84, 120),
    (112, 84, 66),
    (126, 50, 70),
    (60, 104, 72),
)
"""Verdigris, tiles, slate, gold, blue, bronze, plum, green."""
MATERIALS = ("brick", "stone", "plaster", "concrete", "stone")
SUBJECTS: tuple[str, ...] = (
    "coin 0",
    "rose flower",
    "photograph chelsea",
    "clock",
    "coin 4",
    "rose retina",
    "photograph astronaut",
    "star",
    "coin 9",
    "rose hubble",
    "photograph flower",
    "rose ihc",
    "coin 3",
    "photograph coffee",
    "rose china",
    "photograph moon",
)
"""Sixteen ornaments; see ``ornaments``."""
PER_KIND = len(WALLS)


@dataclass(frozen=True)
class Identity:
    """What a monument is made of. Colours are RGB, 0 to 255.

    Attributes
    ----------
    kind : str
        One of ``KINDS``.
    form : int
        Which shape of its kind; the painters of ``monuments`` take it modulo the number of shapes they know.
    wall, trim, roof, accent : tuple of float
    material : str
        Of the walls: a name of ``street_world.textures``.
    subject, second : str
        The main ornament and a lesser one.
    """

    kind: str
    form: int
    wall: tuple[float, float, float]
    trim: tuple[float, float, float]
    roof: tuple[float, float, float]
    accent: tuple[float, float, float]
    material: str
    subject: str
    second: str


def kind_of(label: int) -> str:
    """Return the kind of monument of a class: ``"church"``, ``"tower"``, ...; ``"none"`` for -1."""
    return "none" if label < 0 else KINDS[label % len(KINDS)]


@cache
def identity_of(seed: int, label: int) -> Identity:
    """Return the identity of class ``label`` (0 or more) of the town ``seed``."""
    sort, number = label % len(KINDS), label // len(KINDS)
    r = stream(WORLD, seed, 1, label)
    deck = stream(WORLD, seed, 2, sort, number // PER_KIND)  # one shuffled deck per kind and round of sixteen
    walls, subjects, forms = deck.permutation(PER_KIND), deck.permutation(PER_KIND), deck.permutation(PER_KIND)
    card = number % PER_KIND
    wall = np.clip(np.array(WALLS[walls[card]]) * r.uniform(0.95, 1.04) + r.normal(0, 3, 3), 30, 246)
    trims = sorted(TRIMS, key=lambda colour: -np.abs(np.array(colour) - wall).sum())[:5]
    roofs = sorted(ROOFS, key=lambda colour: -np.abs(np.array(colour) - wall).sum())[:6]
    return Identity(
        kind=KINDS[sort],
        form=int(forms[card]),
        wall=tuple(steady.rounded(wall).tolist()),
        trim=tuple((np.array(trims[int(r.integers(5))]) * r.uniform(0.9, 1.03)).tolist()),
        roof=tuple((np.array(roofs[int(r.integers(6))]) * r.uniform(0.9, 1.1)).tolist()),
        accent=ROOFS[int(r.integers(len(ROOFS)))],
        material=MATERIALS[int(r.integers(len(MATERIALS)))],
        subject=SUBJECTS[subjects[card]],
        second=SUBJECTS[subjects[(card + 1 + int(r.integers(PER_KIND - 1))) % PER_KIND]],
    )
