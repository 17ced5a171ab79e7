"""Seven kinds of monuments, each in several forms, painted on a canvas of 224 x 224 pixels.

A painter takes the ``Mason`` and puts up one building; the ``form`` of its identity picks the shape. All of them stand on
the lower edge of the canvas, in the middle.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from PIL import Image

from course_utils.data import steady
from course_utils.data.landmarks.identity import WORLD, identity_of
from course_utils.data.landmarks.masonry import CANVAS, Mason, arc, opening, round_shade, tone
from course_utils.data.landmarks.ornaments import detail
from course_utils.data.landmarks.statues import STATUES
from course_utils.data.street_world.textures import stream

METRES = {"church": 24.0, "tower": 27.0, "palace": 26.0, "statue": 9.0, "gate": 15.0, "mural": 15.0, "temple": 21.0}
"""Side of the canvas in metres."""
G = float(CANVAS)  # the ground
GREY = ("coins", "page", "text", "moon", "camera")


@lru_cache(maxsize=512)
def canvas_of(seed: int, label: int) -> np.ndarray:
    """Return the monument of a class seen from straight in front, uint8 ``(224, 224, 4)``, read-only; alpha is its mask."""
    identity = identity_of(seed, label)
    mason = Mason(stream(WORLD, seed, 3, label), identity, METRES[identity.kind])
    PAINTERS[identity.kind](mason)
    canvas = mason.finished()
    canvas.setflags(write=False)
    return canvas


def church(m: Mason) -> None:
    """Twin towers, one tower in the middle, one at the side, or a dome over a cross-shaped plan."""
    r, form = m.r, m.identity.form % 4
    pointed = m.identity.form % 3 == 0
    if form == 0:
        _nave(m, 40, 184, 108, r.uniform(56, 76))
        for x in (36, 188):
            _church_tower(m, x, r.uniform(40, 46), r.uniform(66, 78), r.uniform(34, 52), pointed)
        m.ornament(112, 112, r.uniform(48, 58))
    elif form == 1:
        _nave(m, 26, 198, 132, 96)
        _church_tower(m, 112, r.uniform(52, 64), r.uniform(52, 64), r.uniform(36, 48), pointed, windows=False)
        m.ornament(112, 100, r.uniform(42, 50))
        for x in (50, 174):
            m.window(x, 194, 16, 40, True, pointed)
    elif form == 2:
        side = float(r.choice([48.0, 176.0]))
        _nave(m, 24, 200, 118, r.uniform(68, 84))
        _church_tower(m, side, r.uniform(44, 54), r.uniform(54, 66), r.uniform(34, 46), pointed)
        m.ornament(224 - side - 14 * np.sign(112 - side), 140, r.uniform(46, 56))
    else:
        m.dome(112, 78, r.uniform(84, 104), r.uniform(46, 56), 10)
        m.box(66, 74, 158, 110, m.identity.trim, "plaster", round_shade(92, 0.55))
        for x in np.linspace(76, 148, 6):
            m.window(float(x), 102, 7, 19)
        m.cornice(62, 162, 106)
        m.box(24, 110, 200, G)
        m.cornice(20, 204, 112, 7)
        m.ornament(112, 146, r.uniform(42, 50))
        for x in (48, 176):
            m.window(x, 188, 20, 46, True, pointed)
    m.door(112 if form != 2 else 112 - 0.3 * (side - 112), G, 26, 44, True, pointed)


def _nave(m: Mason, x0: float, x1: float, eaves: float, ridge: float) -> None:
    m.polygon([(x0 - 4, eaves + 2), ((x0 + x1) / 2, ridge - 5), (x1 + 4, eaves + 2)], m.identity.roof, "slate")
    m.polygon([(x0, eaves + 3), ((x0 + x1) / 2, ridge + 2), (x1, eaves + 3), (x1, G), (x0, G)])
    m.line([(x0 - 4, eaves + 2), ((x0 + x1) / 2, ridge - 4), (x1 + 4, eaves + 2)], 4, m.identity.trim, solid=True)
    m.box(x0, G - 12, x1, G, tone(m.identity.trim, 0.85), "stone")
    for x in (x0 + 26, x1 - 26):
        m.window(x, 192, 13, 36)


def _church_tower(m: Mason, x: float, width: float, top: float, spire: float, pointed: bool, windows: bool = True) -> None:
    m.box(x - width / 2, top, x + width / 2, G)
    for edge in (x - width / 2, x + width / 2 - 5):
        m.box(edge, top, edge + 5, G, m.identity.trim, "stone", solid=False)
    m.shadow(x + width / 2, top + 40, x + width / 2 + 5, G, 0.35)
    m.spire(x, top + 1, width + 8, spire)
    m.cornice(x - width / 2 - 3, x + width / 2 + 3, top)
    m.window(x, top + 38, 0.34 * width, 26, True, pointed)
    if windows:
        m.cornice(x - width / 2, x + width / 2, top + 52, 4)
        m.window(x, top + 88, 0.22 * width, 22, True, pointed)
        m.window(x, top + 124, 0.22 * width, 18, True, pointed)


def tower(m: Mason) -> None:
    """A clock tower, a striped lighthouse, a round tower with a dome, or a castle's keep."""
    r, form = m.r, m.identity.form % 4
    if form == 0:
        half = r.uniform(30, 38)
        m.spire(112, 40, 2 * half + 14, 36)
        m.box(112 - half - 4, 40, 112 + half + 4, 104)
        m.box(112 - half, 100, 112 + half, G)
        m.cornice(112 - half - 8, 112 + half + 8, 38)
        m.cornice(112 - half - 6, 112 + half + 6, 100)
        m.ornament(112, 72, r.uniform(46, 54))
        _storeys(m, 112, half, 118, int(r.integers(2, 4)))
    elif form == 1:
        n = int(r.integers(5, 8))
        edges = np.linspace(44, G, n + 1)
        for k in range(n):
            wide0, wide1 = (24 + 22 * (y - 44) / 180 for y in edges[k : k + 2])
            points = [(112 - wide0, edges[k]), (112 + wide0, edges[k]), (112 + wide1, edges[k + 1]), (112 - wide1, edges[k + 1])]
            m.polygon(points, m.identity.wall if k % 2 else m.identity.trim, "plaster", round_shade(60, 0.4))
        m.dome(112, 24, 34, 14, 6)
        m.box(96, 22, 128, 44, (58, 66, 78), "plain", round_shade(32, 0.5, 1.9))
        for x in (96, 104, 112, 120, 128):
            m.line([(x, 22), (x, 44)], 1.2, m.identity.roof)
        m.cornice(80, 144, 42, 6)
        m.ornament(112, 92, r.uniform(38, 44))
        m.door(112, G, 20, 34)
        m.window(112, 156, 11, 20)
    elif form == 2:
        half = r.uniform(32, 40)
        m.box(112 - half, 70, 112 + half, G, shade=round_shade(80, 0.42))
        m.dome(112, 60, 2 * half + 4, r.uniform(30, 40), 8)
        m.box(112 - half + 4, 56, 112 + half - 4, 76, m.identity.trim, "plaster", round_shade(70, 0.45))
        m.cornice(112 - half - 5, 112 + half + 5, 74, 8)
        m.ornament(112, 112, r.uniform(44, 52))
        for y in (150, 186):
            m.cornice(112 - half - 2, 112 + half + 2, y, 5)
            for x in (112 - 0.5 * half, 112 + 0.5 * half):
                m.window(x, y + 30, 9, 20)
    else:
        half = r.uniform(40, 50)
        m.box(112 - half, 60, 112 + half, G, grain=0.8)
        m.box(112 - half - 8, 40, 112 + half + 8, 64)
        m.battlements(112 - half - 8, 112 + half + 8, 40, 5, 11)
        m.shadow(112 - half, 64, 112 + half, 72)
        for x in np.linspace(112 - half, 112 + half, 6):
            m.polygon([(float(x) - 4, 62), (float(x) + 4, 62), (float(x), 72)], m.identity.trim, "stone", solid=False)
        m.ornament(112, 104, r.uniform(52, 60))
        m.inscription(112 - 0.8 * half, 142, 112 + 0.8 * half, 160)
        for x in (112 - 0.55 * half, 112 + 0.55 * half):
            m.window(x, 196, 8, 22, False)
        m.door(112, G, 24, 34)


def _storeys(m: Mason, x: float, half: float, top: float, n: int) -> None:
    step = (G - top) / n
    for k in range(n):
        y = top + k * step
        if k:
            m.cornice(x - half, x + half, y - 4, 4)
        for side in (-0.45, 0.45):
            m.window(x + side * half, y + 0.72 * step, 0.36 * half, 0.5 * step, m.identity.form % 2 == 0)


def palace(m: Mason) -> None:
    """A long front with a pediment, a dome, corner towers, or an upper storey of arcades."""
    r, form = m.r, m.identity.form % 4
    top = r.uniform(84, 98)
    if form == 1:
        m.dome(112, top - 10, r.uniform(70, 88), r.uniform(44, 54), 10)
        m.box(70, top - 14, 154, top + 4, m.identity.trim, "plaster", round_shade(84, 0.6))
    if form == 2:
        for x in (26, 198):
            m.box(x - 20, top - 36, x + 20, G)
            m.spire(x, top - 34, 48, r.uniform(30, 40))
            m.cornice(x - 23, x + 23, top - 36)
            m.ornament(x, top - 10, 26, m.identity.second)
    m.polygon([(10, top + 2), (22, top - 16), (202, top - 16), (214, top + 2)], m.identity.roof, "slate")
    m.box(8, top, 216, G)
    m.cornice(4, 220, top, 8)
    bays = 6 + m.identity.form % 3
    for k in range(bays):
        x = 8 + 208 * (k + 0.5) / bays
        central = abs(x - 112) < 36
        if not central:
            m.window(x, top + 52, 13, 28, form == 3)
        m.window(x, top + 98 if not central else top + 52, 13, 26, form != 0) if not central else None
    for k in range(bays + 1):
        x = 8 + 208 * k / bays
        if abs(x - 112) > 34:
            m.box(x - 2, top + 10, x + 2, G, m.identity.trim, "plaster", round_shade(8, 0.6), solid=False)
    m.cornice(8, 216, top + 62, 5)
    m.box(74, top - 2, 150, G, tone(m.identity.wall, 1.08, 4))
    if form in (0, 3):
        rise = r.uniform(34, 44)
        m.polygon([(68, top), (112, top - rise), (156, top)], m.identity.wall)
        m.line([(66, top), (112, top - rise), (158, top)], 4, m.identity.trim, solid=True)
    m.cornice(68, 156, top - 2, 8)
    m.ornament(112, top + 34, r.uniform(42, 50))
    for x in (80, 94, 130, 144):
        m.column(x, top + 66, G - 4, 7)
    m.inscription(76, top + 58, 148, top + 70)
    m.door(112, G, 24, 44)
    m.box(66, G - 4, 158, G, tone(m.identity.trim, 0.9), "stone")


def statue(m: Mason) -> None:
    """A figure on a plinth with an inscription; see ``statues``."""
    r = m.r
    figure = STATUES[m.identity.form % len(STATUES)]
    top = r.uniform(136, 148)
    half = r.uniform(40, 56)
    figure(m, top)
    m.box(112 - half, top, 112 + half, G)
    m.cornice(112 - half - 8, 112 + half + 8, top - 2, 9)
    m.box(112 - half - 10, G - 14, 112 + half + 10, G, tone(m.identity.trim, 0.9), "stone")
    m.cornice(112 - half - 6, 112 + half + 6, G - 20, 6)
    m.inscription(112 - 0.62 * half, top + 16, 112 + 0.62 * half, top + 34)
    m.ornament(112 - 0.62 * half, top + 47, 20, m.identity.second)
    m.ornament(112 + 0.62 * half, top + 47, 20, m.identity.second)


def gate(m: Mason) -> None:
    """A triumphal arch, a triple arch, a gate between two round towers, or a slender portal."""
    r, form = m.r, m.identity.form % 4
    top = r.uniform(44, 62)
    if form == 0:
        m.box(16, top, 208, G)
        _arch(m, 112, 62, G - 108)
        m.cornice(10, 214, top - 4, 9)
        m.cornice(14, 210, top + 34, 6)
        m.inscription(56, top + 10, 168, top + 30)
        for x in (50, 174):
            m.ornament(x, 138, r.uniform(42, 50))
        for x in (24, 76, 148, 200):
            m.column(x, top + 40, G - 8, 9)
        m.box(12, G - 10, 80, G, tone(m.identity.trim, 0.9), "stone")
        m.box(144, G - 10, 212, G, tone(m.identity.trim, 0.9), "stone")
    elif form == 1:
        m.box(10, top + 16, 214, G)
        _arch(m, 112, 54, 108)
        for x in (42, 182):
            _arch(m, x, 34, 74)
        m.cornice(6, 218, top + 12, 9)
        m.ornament(112, top + 8, r.uniform(46, 54), solid=True)
        for x in (42, 182):
            m.ornament(x, 122, 34, m.identity.second)
        for x in (72, 152):
            m.column(x, top + 24, G, 9)
    elif form == 2:
        for x in (38, 186):
            m.box(x - 30, 60, x + 30, G, shade=round_shade(60, 0.4))
            m.spire(x, 62, 74, r.uniform(44, 54))
            m.cornice(x - 34, x + 34, 60)
            m.window(x, 118, 12, 28)
            m.ornament(x, 158, 36, m.identity.second)
        m.box(66, 92, 158, G)
        m.battlements(68, 156, 92, 5, 10)
        _arch(m, 112, 54, 82)
        m.ornament(112, 116, r.uniform(36, 42))
    else:
        for x in (38, 186):
            m.box(x - 18, 78, x + 18, G)
            m.cornice(x - 22, x + 22, 74)
            m.ornament(x, 112, 30, m.identity.second)
            m.disc(x, 60, 14, 14, m.identity.roof, "plaster", round_shade(28, 0.4, 1.3))
        m.polygon([*arc(112, 112, 76, 76, 180, 360), *arc(112, 112, 52, 52, 360, 180)], m.identity.roof, "stone")
        m.ornament(112, 40, r.uniform(48, 56), solid=True)
        for k in range(9):
            a = np.pi * (k + 0.5) / 9
            x, y = 112 + 64 * float(steady.cos(a)), 112 - 64 * float(steady.sin(a))
            m.disc(x, y, 5, 5, m.identity.accent, "plain", solid=False)


def _arch(m: Mason, x: float, width: float, height: float) -> None:
    """Cut an arch through the wall, with voussoirs around it."""
    outer = opening(x, G, width + 14, height + 7, True)
    m.polygon(outer, m.identity.trim, "stone", solid=False)
    half, spring = width / 2, G - height + width / 2
    for a in np.linspace(np.pi, 2 * np.pi, 10):
        c, s = float(steady.cos(a)), float(steady.sin(a))
        ends = [(x + half * c, spring + half * s), (x + (half + 7) * c, spring + (half + 7) * s)]
        m.line(ends, 0.8, tone(m.identity.trim, 0.55))
    m.hole(opening(x, G + 2, width, height + 2, True))


_MURALS = ("chelsea", "astronaut", "flower", "coffee", "moon", "retina", "rocket", "hubble")
_MURALS += ("china", "ihc", "camera", "motorcycle", "coins", "page", "text")
"""What is painted on the walls, one photograph each; the sixteenth is the first one again, in two inks."""


def mural(m: Mason) -> None:
    """A gable wall with a painting as high as two storeys."""
    r, form = m.r, m.identity.form
    top, x0, x1 = r.uniform(56, 72), 26.0, 198.0
    if form % 3 == 0:
        m.polygon([(x0, top), (112, 10), (x1, top), (x1, G), (x0, G)])
        m.line([(x0 - 4, top + 2), (112, 9), (x1 + 4, top + 2)], 5, m.identity.roof, solid=True)
    elif form % 3 == 1:
        for step in range(4):
            m.box(x0 + 16 * step, top - 13 * step, x1 - 16 * step, G)
            m.box(x0 + 16 * step, top - 13 * step, x1 - 16 * step, top - 13 * step + 3, m.identity.trim, "plain")
    else:
        m.box(x0, top - 22, x1, G)
        m.cornice(x0 - 5, x1 + 5, top - 26, 10)
        m.box(150, top - 44, 168, top - 24, (128, 74, 58), "brick")
    name = _MURALS[form % len(_MURALS)]
    width, height = r.uniform(112, 140), r.uniform(88, 104)
    left, upper = r.uniform(x0 + 10, x1 - 10 - width), top + 4
    colours = detail(name, int(2 * height), int(2 * width)).astype(np.float32)
    if form >= len(_MURALS) or name in GREY:  # printed in two inks
        grey = colours.mean(axis=2, keepdims=True) / 255
        colours = grey * np.array([250, 240, 220]) + (1 - grey) * np.asarray(m.identity.accent) * 0.8
    wall = np.asarray(m.picture.resize((1, 1), Image.Resampling.BOX), np.float32)[0, 0]
    plaster = 0.88 + 0.24 * r.random((*colours.shape[:2], 1))
    colours = np.clip((0.94 * colours + 0.06 * wall) * plaster, 0, 255)
    m.paste(np.dstack([colours, np.full(colours.shape[:2], 255)]).astype(np.uint8), left, upper)
    frame = [(left, upper), (left + width, upper), (left + width, upper + height), (left, upper + height), (left, upper)]
    m.line(frame, 3, m.identity.trim)
    for k in range(4):
        m.window(x0 + (x1 - x0) * (k + 0.5) / 4, G - 14, 15, 26, form % 2 == 0)
    m.ornament(left + width - 8 if form % 2 else left + 8, upper + height - 2, 34)


def temple(m: Mason) -> None:
    """Columns under a pediment, a round temple with a dome, or roofs in tiers."""
    r, form = m.r, m.identity.form % 4
    if form in (0, 1):
        top, rise, n = r.uniform(92, 104), r.uniform(44, 56), 4 + m.identity.form % 4
        m.polygon([(10, top), (112, top - rise), (214, top)], m.identity.wall)
        m.line([(8, top), (112, top - rise), (216, top)], 5, m.identity.trim, solid=True)
        _colonnade(m, 18, 206, top + 20, 202, n)
        m.box(14, top, 210, top + 20, m.identity.wall)
        m.cornice(8, 216, top - 2, 7)
        m.inscription(44, top + 7, 180, top + 18)
        m.ornament(112, top - 0.38 * rise, 0.56 * rise + 6)
        if form == 1:
            for x in (18, 112, 206):
                y = top - (rise if x == 112 else 2)
                m.disc(x, y - 8, 9, 9, m.identity.roof, "plaster", round_shade(18, 0.4, 1.3))
        for k in range(3):
            m.box(12 - 3 * k, 200 + 8 * k, 212 + 3 * k, 208 + 8 * k, tone(m.identity.trim, 1.0 - 0.1 * k), "stone")
    elif form == 2:
        top = r.uniform(98, 108)
        m.dome(112, top - 14, r.uniform(120, 146), r.uniform(52, 62), 12)
        m.box(36, top - 16, 188, top + 4, m.identity.wall, shade=round_shade(150, 0.5))
        _colonnade(m, 30, 194, top + 4, 206, 6 + m.identity.form % 3, rounded=True)
        m.cornice(26, 198, top, 9)
        m.ornament(112, top - 38, r.uniform(34, 40))
        m.box(20, 204, 204, 214, tone(m.identity.trim, 0.95), "stone", round_shade(180, 0.65))
        m.box(12, 212, 212, G, tone(m.identity.trim, 0.85), "stone", round_shade(200, 0.65))
    else:
        tiers = 3 + m.identity.form % 2
        for k in range(tiers):
            wide = 34 + 64 * (k + 1) / tiers
            y0, y1 = 24 + 184 * k / tiers, 24 + 184 * (k + 1) / tiers
            m.box(112 - 0.66 * wide, y0 + 12, 112 + 0.66 * wide, y1 + 4)
            for side in (-0.45, 0.45) if k else ():
                m.window(112 + side * wide, y1 - 2, 10, 0.4 * (y1 - y0), False)
            tip, eave = (112 - 0.5 * wide, y0 + 2), (112 - 1.02 * wide, y0 + 17)
            other = [(224 - x, y) for x, y in (tip, eave)]
            curl = [(112 - 1.08 * wide, y0 + 11), eave, (112, y0 + 20), other[1], (112 + 1.08 * wide, y0 + 11)]
            m.polygon([tip, *curl, other[0]], m.identity.roof, "slate", np.linspace(1.2, 0.8, 10)[:, None, None])
            m.line([(112 - 1.06 * wide, y0 + 14), (112, y0 + 21), (112 + 1.06 * wide, y0 + 14)], 1.6, m.identity.accent)
        m.spire(112, 28, 20, 16)
        step = 184 / tiers
        m.ornament(112, 24 + step * (tiers - 2) + (step + 22) / 2, 0.9 * (step - 16))
        m.box(10, 208, 214, G, tone(m.identity.trim, 0.9), "stone")
        m.door(112, 210, 22, 22, False)


def _colonnade(m: Mason, x0: float, x1: float, top: float, bottom: float, n: int, rounded: bool = False) -> None:
    m.box(x0, top, x1, bottom, tone(m.identity.wall, 0.38), "plaster", np.linspace(0.7, 1.25, 20)[:, None, None])
    m.door(112, bottom, 26, 0.62 * (bottom - top), False)
    t = np.linspace(-1, 1, n)
    t = steady.sin(t * np.pi / 2) if rounded else t
    for x in ((x0 + x1) / 2 + (x1 - x0 - 16) / 2 * t).tolist():
        m.column(x, top, bottom, 12)


PAINTERS: dict[str, Callable[[Mason], None]] = {
    "church": church,
    "tower": tower,
    "palace": palace,
    "statue": statue,
    "gate": gate,
    "mural": mural,
    "temple": temple,
}
