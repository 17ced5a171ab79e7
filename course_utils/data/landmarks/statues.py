"""What may stand on a plinth: a figure, a horse, an obelisk, a globe, a great coin, a lion, a column, a ring.

Figures are outlines with rounded corners, cast in metal or cut in stone; their relief is the outline itself, blurred
and lit from above on the left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from course_utils.data import steady
from course_utils.data.landmarks.masonry import Mason, Point, arc, round_shade, tone
from course_utils.data.landmarks.ornaments import detail
from course_utils.data.street_world.textures import cut, painted

METALS = ((96, 134, 116), (156, 112, 62), (74, 72, 74), (206, 204, 198), (198, 158, 70), (120, 78, 60))
"""Verdigris, bronze, iron, marble, gilt, copper."""
_FINE = 2


def cast(m: Mason, outlines: Sequence[Sequence[Point]]) -> None:
    """Cast outlines in the monument's metal, with relief."""
    side = m.picture.width
    shape = Image.new("L", (side, side))
    draw = ImageDraw.Draw(shape)
    relief = np.zeros((side, side), np.float32)
    for outline in outlines:
        part = Image.new("L", (side, side))
        ImageDraw.Draw(part).polygon([(x * _FINE, y * _FINE) for x, y in rounded(outline)], fill=255)
        draw.bitmap((0, 0), part, fill=255)
        for blur, weight in ((3, 0.5), (8, 0.9)):
            soft = np.asarray(part.filter(ImageFilter.GaussianBlur(blur)), np.float32) / 255
            relief += weight * (np.roll(soft, (-3, -2), (0, 1)) - np.roll(soft, (3, 2), (0, 1))) * (np.asarray(part) > 0)
    metal = METALS[(m.identity.form // len(STATUES) * 3 + m.identity.form) % len(METALS)]
    patina = painted(cut(m.r, "plaster", side, side, 24), metal, 0.55).astype(np.float32)
    colour = np.clip(patina * np.clip(0.95 + 0.9 * relief, 0.35, 1.7)[..., None], 0, 255)
    m.paste(np.dstack([colour, np.asarray(shape)]).astype(np.uint8), 0, 0, solid=True)


def rounded(points: Sequence[Point], times: int = 2) -> list[Point]:
    """Return a polygon with its corners cut twice (Chaikin)."""
    corners = np.array(points, np.float64)
    for _ in range(times):
        following = np.roll(corners, -1, axis=0)
        corners = np.stack([0.75 * corners + 0.25 * following, 0.25 * corners + 0.75 * following], axis=1).reshape(-1, 2)
    return [tuple(p) for p in corners.tolist()]


def _placed(points: Sequence[Point], top: float, scale: float = 1.0, mirrored: bool = False) -> list[Point]:
    """Figures are drawn around x = 0 with their feet at y = 0, upwards positive."""
    side = -1 if mirrored else 1
    return [(112 + side * scale * x, top + 1 - scale * y) for x, y in points]


def standing(m: Mason, top: float) -> None:
    """A standing figure in a long robe that lifts a torch."""
    left = bool(m.r.random() < 0.5)
    robe = [(-24, 0), (-17, 40), (-19, 74), (-15, 88), (15, 88), (18, 72), (16, 40), (26, 0)]
    head = [(-9, 90), (-10, 103), (-4, 111), (5, 111), (10, 103), (8, 90)]
    arm = [(10, 84), (16, 90), (34, 116), (30, 120), (8, 94)]
    torch = [(28, 114), (36, 112), (39, 124), (34, 136), (28, 124)]
    other = [(-15, 86), (-26, 60), (-14, 48), (-8, 52), (-17, 62), (-8, 82)]
    book = [(-20, 40), (-4, 44), (-7, 60), (-22, 56)]
    cast(m, [_placed(part, top, 1.0, left) for part in (robe, head, arm, torch, other, book)])


def horse(m: Mason, top: float) -> None:
    """A horse in walk with a rider."""
    left = bool(m.r.random() < 0.5)
    body = [(-46, 44), (-40, 60), (-10, 62), (20, 60), (34, 70), (46, 92), (56, 94), (66, 82), (62, 76), (52, 78)]
    body += [(46, 56), (40, 42), (10, 36), (-20, 36)]
    legs = [
        [(-44, 50), (-32, 46), (-34, 24), (-38, 0), (-46, 0), (-43, 24)],
        [(-30, 44), (-18, 42), (-20, 22), (-12, 0), (-20, 0), (-28, 22)],
        [(22, 44), (34, 44), (32, 22), (34, 0), (26, 0), (25, 22)],
        [(34, 50), (44, 52), (58, 38), (54, 20), (47, 22), (50, 34)],
    ]
    tail = [(-44, 58), (-56, 50), (-60, 20), (-53, 22), (-48, 44)]
    rider = [(-12, 60), (-14, 88), (-6, 100), (8, 98), (12, 84), (22, 76), (20, 72), (8, 74), (10, 58)]
    head = [(-5, 100), (-6, 110), (0, 116), (7, 112), (7, 101)]
    leg = [(-6, 62), (8, 62), (14, 40), (12, 28), (4, 28), (4, 42)]
    lance = [(14, 76), (17, 76), (34, 132), (31, 132)]
    parts = [tail, *legs, body, rider, head, leg] + ([lance] if m.identity.form % 2 else [])
    cast(m, [_placed(part, top, 1.0, left) for part in parts])


def obelisk(m: Mason, top: float) -> None:
    """An obelisk with a gilded tip and a disc."""
    m.polygon([(90, top + 1), (98, 26), (126, 26), (134, top + 1)], m.identity.roof, "stone", _faces(0.62))
    m.polygon([(98, 27), (112, 6), (126, 27)], (228, 188, 84), "plaster", _faces(0.5))
    m.ornament(108, 92, 26)


def _faces(share: float) -> np.ndarray:
    x = np.linspace(0, 1, 64)
    return np.where(x < share, 1.1, 0.68)[None, :, None]


def globe(m: Mason, top: float) -> None:
    """A sphere with the picture of a world, on a stem."""
    name = ("moon", "retina", "hubble", "flower")[m.identity.form // len(STATUES) % 4]
    side = 200
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    radius = np.sqrt(x**2 + y**2)
    flat = detail(name, side, side)
    bulge = steady.rounded(np.arcsin(np.clip(radius, 0, 1))) / (np.pi / 2) / np.maximum(radius, 1e-6)
    rows, columns = (np.clip((c * bulge + 1) / 2 * (side - 1), 0, side - 1).round().astype(int) for c in (y, x))
    light = np.clip(0.35 + 0.95 * np.sqrt(np.clip(1 - radius**2, 0, 1)) - 0.32 * (x + y), 0.25, 1.6)
    pixels = np.dstack([np.clip(flat[rows, columns] * light[..., None], 0, 255), 255 * (radius < 1)]).astype(np.uint8)
    m.box(104, top - 30, 120, top + 1, m.identity.roof, "plaster", round_shade(32, 0.4))
    m.paste(pixels, 62, top - 124, solid=True)
    m.line(arc(112, top - 74, 62, 16, -6, 186), 4, (222, 184, 84), solid=True)


def great_coin(m: Mason, top: float) -> None:
    """A coin as high as two people, between two posts."""
    for x in (58, 166):
        m.column(x, top - 70, top + 1, 12, m.identity.roof)
        m.disc(x, top - 76, 9, 9, (222, 184, 84), "plaster", round_shade(18, 0.4, 1.3))
    coin = next(s for s in (m.identity.subject, m.identity.second, f"coin {m.identity.form % 12}") if s.startswith("coin"))
    m.ornament(112, top - 58, 112, coin, solid=True)


def lion(m: Mason, top: float) -> None:
    """A sitting lion with a shield."""
    left = bool(m.r.random() < 0.5)
    back = [(-42, 0), (-50, 22), (-40, 48), (-18, 72), (2, 86), (22, 84), (28, 60), (22, 30), (24, 0)]
    haunch = [(-40, 0), (-42, 24), (-26, 34), (-10, 24), (-6, 0)]
    legs = [[(8, 0), (10, 52), (22, 56), (26, 0)], [(18, 0), (22, 50), (32, 52), (36, 0)]]
    mane = [(-8, 80), (-16, 98), (-6, 118), (14, 124), (34, 116), (40, 98), (34, 78), (16, 66)]
    face = [(12, 84), (10, 104), (24, 112), (40, 108), (50, 94), (44, 84), (26, 78)]
    tail = [(-42, 4), (-62, 10), (-66, 40), (-58, 54), (-52, 46), (-58, 36), (-54, 16), (-42, 12)]
    cast(m, [_placed(part, top, 0.98, left) for part in (tail, back, haunch, *legs, mane, face)])
    m.ornament(112 + (-34 if left else 34), top - 24, 44, solid=True)


def pillar(m: Mason, top: float) -> None:
    """A tall column with an eagle."""
    m.column(112, 58, top + 1, 26, m.identity.roof)
    m.box(88, 52, 136, 60, m.identity.trim, "stone")
    body = [(-9, 0), (-12, 18), (-6, 32), (4, 38), (14, 34), (20, 30), (10, 24), (10, 8), (5, 0)]
    wings = [
        [(-8, 14), (-34, 20), (-60, 42), (-52, 48), (-30, 42), (-8, 34)],
        [(8, 14), (34, 20), (60, 42), (52, 48), (30, 42), (8, 34)],
    ]
    cast(m, [_placed(part, 52) for part in (*wings, body)])
    m.ornament(112, 104, 34)


def ring(m: Mason, top: float) -> None:
    """A modern ring of coloured stones around a disc."""
    n = 7 + m.identity.form % 5
    for k in range(n):
        a = 2 * np.pi * k / n
        x, y = 112 + 48 * float(steady.cos(a)), top - 62 + 48 * float(steady.sin(a))
        m.disc(x, y, 17, 17, m.identity.roof if k % 2 else m.identity.accent, "plaster", round_shade(34, 0.4, 1.3))
    m.ornament(112, top - 62, 70, solid=True)
    m.box(100, top - 18, 124, top + 1, tone(m.identity.trim, 0.8), "stone", round_shade(24, 0.5))


STATUES: tuple[Callable[[Mason, float], None], ...] = (standing, horse, obelisk, globe, great_coin, lion, pillar, ring)
"""Eight figures; the sixteen statues of a round show each of them twice, in another metal and with another plinth."""
