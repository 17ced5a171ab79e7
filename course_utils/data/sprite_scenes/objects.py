"""Six kinds of toys that a person names at once: boat, car, cup, house, person, tree.

Each function draws one individual from a stream of random numbers: its shape, its colours and its patterns. Colours
are shared by the kinds (a red cup, a red car, a red house), so that a detector has to look at the shape; only trees
keep to the colours of leaves. All toys look to the right; ``Pose.mirrored`` turns them.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable

import numpy as np

from course_utils.data.sprite_scenes.drawing import Colour, Drawing

_TOY_COLOURS: tuple[Colour, ...] = (
    (196, 44, 40),
    (226, 122, 36),
    (238, 194, 62),
    (74, 146, 76),
    (36, 132, 140),
    (54, 104, 176),
    (40, 58, 112),
    (122, 72, 140),
    (222, 132, 150),
    (236, 230, 214),
    (150, 152, 156),
    (70, 72, 78),
    (136, 90, 58),
)
_LEAVES: tuple[Colour, ...] = (
    (78, 116, 50),
    (54, 98, 54),
    (112, 140, 62),
    (96, 124, 84),
    (188, 112, 40),
    (206, 160, 56),
    (158, 60, 40),
    (222, 158, 172),
)
_SKIN: tuple[Colour, ...] = ((240, 204, 176), (216, 168, 132), (162, 112, 80), (104, 72, 52))
_HAIR: tuple[Colour, ...] = ((34, 28, 24), (84, 56, 36), (168, 124, 66), (150, 70, 36), (170, 168, 164))
_BARK: Colour = (104, 78, 58)
_GLASS: Colour = (62, 82, 98)
_TYRE: Colour = (28, 28, 31)
_PRINTS = ("flower", "chelsea", "china", "retina", "coffee", "hubble")


def toy_colour(r: np.random.Generator) -> Colour:
    """Return a colour of the toy box, a little different each time."""
    return jittered(r, _TOY_COLOURS[int(r.integers(len(_TOY_COLOURS)))])


def jittered(r: np.random.Generator, colour: Colour) -> Colour:
    """Return a colour with slightly changed hue, saturation and lightness."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(v / 255 for v in colour))
    hue = (hue + r.normal(0, 0.012)) % 1
    saturation = min(1.0, saturation * math.exp(r.normal(0, 0.12)))
    value = min(1.0, max(0.18, value * math.exp(r.normal(0, 0.08))))
    return tuple(255 * v for v in colorsys.hsv_to_rgb(hue, saturation, value))


def shaded(colour: Colour, factor: float, add: float = 0.0) -> Colour:
    """Return a colour made lighter or darker, within 0 to 255."""
    return tuple(min(255.0, max(0.0, factor * v + add)) for v in colour)


def another_colour(r: np.random.Generator, colour: Colour) -> Colour:
    """Return a toy colour that stands out from the given one."""
    for _ in range(8):
        other = toy_colour(r)
        if sum(abs(a - b) for a, b in zip(other, colour)) > 150:
            break
    return other


# -- car ------------------------------------------------------------------------------------------------------------------
def car(r: np.random.Generator) -> Drawing:
    """A saloon, a hatchback, a van or a pick-up from the side."""
    d = Drawing(metres=4.4)
    kind = ("saloon", "hatchback", "van", "pick-up")[int(r.choice(4, p=[0.35, 0.3, 0.2, 0.15]))]
    paint = toy_colour(r)
    height = {"saloon": 0.37, "hatchback": 0.42, "van": 0.5, "pick-up": 0.42}[kind] * r.uniform(0.92, 1.12)
    belt, low, wheel = 0.56 * height, 0.085, r.uniform(0.088, 0.108)
    axles = (-0.30 + r.uniform(-0.02, 0.02), 0.29 + r.uniform(-0.02, 0.02))
    top = height
    roof = {  # from the rear window's foot over the roof to the windscreen's foot, front at the right
        "saloon": [(-0.36, belt), (-0.24, top), (0.06, top), (0.23, belt)],
        "hatchback": [(-0.46, belt), (-0.38, top), (0.04, top), (0.24, belt)],
        "van": [(-0.485, belt), (-0.475, top), (0.26, top), (0.40, belt)],
        "pick-up": [(-0.06, belt), (-0.04, top), (0.14, top), (0.27, belt)],
    }[kind]
    nose = belt * r.uniform(0.78, 0.95)
    body = [(-0.49, low), (-0.5, 0.5 * belt), (-0.485, belt), *roof, (0.44, nose), (0.5, 0.55 * nose), (0.495, low)]
    d.smooth([p for p in body for _ in range(2)], paint, "plaster", 0.3)
    glass = shaded(_GLASS, r.uniform(0.75, 1.25))
    (x0, _), (x1, y1), (x2, _), (x3, _) = roof
    if kind == "van" and r.random() < 0.6:  # a closed body with a side panel in a second colour
        second = another_colour(r, paint)
        d.box(-0.44, 0.5 * belt, 0.06, 0.86 * top, second, "plaster", 0.25)
        d.polygon([(0.12, belt), (0.12, 0.92 * top), (0.245, 0.92 * top), (0.34, belt)], glass)
    else:
        inner, foot, pillar = 0.9 * y1, 1.02 * belt, 0.5 * (x1 + x2) + r.uniform(-0.03, 0.05)
        d.polygon([(x0 + 0.06, foot), (x1 + 0.025, inner), (pillar - 0.014, inner), (pillar - 0.014, foot)], glass)
        d.polygon([(pillar + 0.014, foot), (pillar + 0.014, inner), (x2 - 0.012, inner), (x3 - 0.05, foot)], glass)
        d.line([(pillar, 0.97 * belt), (pillar, low + 0.03)], 0.010, shaded(paint, 0.62))
    stripe = shaded(paint, 1.3, 18) if r.random() < 0.6 else another_colour(r, paint)
    d.box(-0.492, 0.66 * belt, 0.475, 0.66 * belt + 0.022, stripe)
    d.box(-0.497, low, 0.497, low + 0.045, shaded(paint, 0.5))
    d.ellipse(0.475, 0.62 * nose + 0.02, 0.026, 0.03, (255, 246, 214))
    d.box(-0.503, 0.62 * belt, -0.47, 0.62 * belt + 0.055, (196, 32, 30))
    hub = (188, 190, 194) if r.random() < 0.7 else stripe
    for x in axles:
        d.ellipse(x, wheel, 1.16 * wheel, 1.16 * wheel, shaded(paint, 0.32))
        d.ellipse(x, wheel, wheel, wheel, _TYRE)
        d.ellipse(x, wheel, 0.55 * wheel, 0.55 * wheel, hub)
        d.ellipse(x, wheel, 0.18 * wheel, 0.18 * wheel, (60, 60, 64))
    d.mark("roof", (x1 + x2) / 2, top)
    d.mark("front wheel", axles[1], wheel)
    d.mark("rear wheel", axles[0], wheel)
    return d


# -- house ----------------------------------------------------------------------------------------------------------------
def house(r: np.random.Generator) -> Drawing:
    """A gable with the long side beside it, or the long side alone."""
    d = Drawing(metres=r.uniform(5.5, 8.0))
    wall, roof = toy_colour(r), toy_colour(r)
    if sum(abs(a - b) for a, b in zip(wall, roof)) < 120:
        roof = shaded(wall, 0.45) if sum(wall) > 330 else shaded(wall, 1.3, 70)
    surface = ("brick", "plaster", "stone", "wood")[int(r.integers(4))]
    strength = {"brick": 0.95, "plaster": 0.4, "stone": 0.9, "wood": 0.8}[surface]
    tiles = ("slate", "brick", "wood")[int(r.integers(3))]
    storeys = 1 if r.random() < 0.55 else 2
    eaves, rise = 0.40 * storeys**0.6 * r.uniform(0.9, 1.15), r.uniform(0.24, 0.42)
    frame = (240, 238, 230) if sum(wall) < 560 else shaded(wall, 0.45)
    glass = (250, 216, 128) if r.random() < 0.3 else shaded(_GLASS, r.uniform(0.8, 1.3))
    door = another_colour(r, wall)
    chimney = r.random() < 0.65
    if r.random() < 0.6:
        gable = r.uniform(0.44, 0.58)  # width of the gable wall; the long side stands left of it, in the shade
        left, edge, right, lift = -0.5, 0.5 - gable, 0.5, 0.05
        ridge = (edge + right) / 2
        if chimney:
            x = left + 0.22 + r.uniform(0, 0.08)
            d.box(x, eaves, x + 0.085, eaves + rise + 0.1, shaded(wall, 0.8), "brick", 0.9)
        d.polygon([(left, lift), (edge, 0), (edge, eaves), (left, eaves + lift * 0.4)], shaded(wall, 0.72), surface, strength)
        d.polygon([(edge, 0), (right, 0), (right, eaves), (ridge, eaves + rise), (edge, eaves)], wall, surface, strength)
        slope = [(left - 0.03, eaves - 0.02), (edge - 0.03, eaves - 0.05), (ridge, eaves + rise + 0.02)]
        d.polygon([*slope, (left + 0.16, eaves + rise)], roof, tiles, 0.8)
        for x in (edge - 0.035, right + 0.035):
            d.line([(x, eaves - 0.055), (ridge, eaves + rise + 0.01)], 0.05, shaded(roof, 0.72))
        fronts, sides = (edge + 0.06, right - 0.06), (left + 0.05, edge - 0.04)
        _window(d, (sides[0] + sides[1]) / 2, 0.56 * eaves + 0.03, 0.11, 0.14, frame, glass)
        d.ellipse(ridge, eaves + 0.32 * rise, 0.05, 0.05, frame)
        d.ellipse(ridge, eaves + 0.32 * rise, 0.036, 0.036, glass)
        d.mark("ridge", ridge, eaves + rise)
        d.mark("left eaves", left, eaves + 0.4 * lift)
        d.mark("left corner", left, lift)
    else:
        left, right, inset = -0.46, 0.46, r.uniform(0.0, 0.16)
        if chimney:
            x = r.uniform(-0.3, 0.22)
            d.box(x, eaves, x + 0.09, eaves + rise + 0.08, shaded(wall, 0.8), "brick", 0.9)
        d.box(left, 0, right, eaves, wall, surface, strength)
        slope = [(left - 0.05, eaves - 0.03), (right + 0.05, eaves - 0.03)]
        d.polygon([*slope, (right - inset, eaves + rise), (left + inset, eaves + rise)], roof, tiles, 0.8)
        d.box(left - 0.05, eaves - 0.045, right + 0.05, eaves - 0.015, shaded(roof, 0.6))
        fronts = (left + 0.05, right - 0.05)
        d.mark("ridge", 0, eaves + rise)
        d.mark("left eaves", left, eaves)
        d.mark("left corner", left, 0)
    d.mark("right eaves", right, eaves)
    d.mark("right corner", right, 0)
    _doors_and_windows(d, r, fronts, eaves, storeys, door, frame, glass)
    return d


def _doors_and_windows(
    d: Drawing, r: np.random.Generator, span: tuple[float, float], eaves: float, storeys: int, door: Colour, frame, glass
) -> None:
    n = max(2, round((span[1] - span[0]) / 0.2))
    at = np.linspace(span[0] + 0.06, span[1] - 0.06, n)
    way_in = int(r.integers(n))
    floor = eaves / storeys
    for storey in range(storeys):
        for k, x in enumerate(at):
            if storey == 0 and k == way_in:
                d.box(x - 0.062, 0, x + 0.062, 0.66 * floor, frame)
                d.box(x - 0.046, 0, x + 0.046, 0.62 * floor, door, "wood", 0.5)
                d.ellipse(x + 0.028, 0.3 * floor, 0.011, 0.011, (240, 210, 110))
                d.mark("door", x, 0.31 * floor)
            else:
                _window(d, x, floor * (storey + 0.56), 0.09, 0.36 * floor, frame, glass)


def _window(d: Drawing, x: float, y: float, width: float, height: float, frame: Colour, glass: Colour) -> None:
    d.box(x - width / 2 - 0.014, y - height / 2 - 0.014, x + width / 2 + 0.014, y + height / 2 + 0.014, frame)
    d.box(x - width / 2, y - height / 2, x + width / 2, y + height / 2, glass)
    d.box(x - 0.006, y - height / 2, x + 0.006, y + height / 2, frame)


# -- tree -----------------------------------------------------------------------------------------------------------------
def tree(r: np.random.Generator) -> Drawing:
    """A round tree, a slender one, or a fir."""
    d = Drawing(metres=7.0)
    kind = ("round", "slender", "fir")[int(r.choice(3, p=[0.5, 0.2, 0.3]))]
    leaf = jittered(r, _LEAVES[int(r.integers(4 if kind == "fir" else len(_LEAVES)))])
    bark, thick = jittered(r, _BARK), r.uniform(0.035, 0.055)
    if kind == "fir":
        d.polygon([(-thick, 0), (thick, 0), (0.6 * thick, 0.4), (-0.6 * thick, 0.4)], bark, "wood", 0.7)
        tiers, broad = int(r.integers(3, 5)), r.uniform(0.26, 0.36)
        for k in range(tiers):
            y0, y1 = 0.13 + 0.80 * k / (tiers + 0.4), min(1.0, 0.13 + 0.80 * (k + 1.75) / (tiers + 0.4))
            half = broad * (1 - 0.78 * k / tiers)
            hem = [(x, y0 + 0.028 * (-1) ** j) for j, x in enumerate(np.linspace(-half, half, 9).tolist())]
            d.polygon([*hem, (0.0, y1)], shaded(leaf, 0.8 + 0.12 * k), "leaves", 0.8)
        d.mark("top", 0, y1)
        d.mark("foot", 0, 0)
        d.mark("left twigs", -broad, 0.13)
        d.mark("right twigs", broad, 0.13)
        return d
    trunk = 0.34 if kind == "round" else 0.22
    flare = 1.7 * thick
    d.polygon([(-flare, 0), (flare, 0), (thick, 0.1), (0.7 * thick, 0.7), (-0.7 * thick, 0.7), (-thick, 0.1)], bark, "wood", 0.7)
    for side in (-1, 1):
        d.line([(0, trunk * 0.8), (side * r.uniform(0.1, 0.18), trunk + 0.16)], 0.6 * thick, shaded(bark, 0.8))
    width = r.uniform(0.30, 0.42) if kind == "round" else r.uniform(0.14, 0.19)
    middle, half = (1 + trunk) / 2, (1 - trunk) / 2
    n = int(r.integers(8, 12))
    blobs = []
    for k in range(n):
        turn = 2 * math.pi * (k + r.uniform(-0.25, 0.25)) / n
        blobs.append((0.62 * width * math.cos(turn), middle + 0.62 * half * math.sin(turn), r.uniform(0.34, 0.46)))
    d.ellipse(0, middle, 0.75 * width, 0.8 * half, shaded(leaf, 0.85), "leaves", 0.8)
    for x, y, share in sorted(blobs, key=lambda blob: blob[1]):  # upper tufts catch more light
        light = 0.8 + 0.32 * (y - trunk) / (1 - trunk)
        d.ellipse(x, y, share * width, share * (half if kind == "slender" else width), shaded(leaf, light), "leaves", 0.8)
    if kind == "round" and r.random() < 0.3:
        fruit = ((200, 40, 36), (236, 150, 40), (246, 232, 226))[int(r.integers(3))]
        for _ in range(9):
            turn, reach = r.uniform(0, 2 * math.pi), 0.8 * math.sqrt(r.random())
            d.ellipse(reach * width * math.cos(turn), middle + reach * half * math.sin(turn), 0.026, 0.026, fruit)
    d.mark("top", 0, 1)
    d.mark("foot", 0, 0)
    d.mark("left twigs", -width, middle)
    d.mark("right twigs", width, middle)
    return d


# -- boat -----------------------------------------------------------------------------------------------------------------
def boat(r: np.random.Generator) -> Drawing:
    """A sailing boat, or a steamer with a cabin and a funnel."""
    d = Drawing(metres=5.0)
    hull, keel = toy_colour(r), r.uniform(0.16, 0.22)
    rim, second = shaded(hull, 1.25, 24), another_colour(r, hull)
    sailing = r.random() < 0.6
    shape = [(-0.40, 0.0), (0.30, 0.0), (0.42, 0.45 * keel), (0.52, keel * r.uniform(1.05, 1.3)), (-0.48, keel)]
    if sailing:
        mast, height = r.uniform(-0.08, 0.08), r.uniform(0.82, 1.05)
        cloth = (242, 238, 226) if r.random() < 0.55 else toy_colour(r)
        stripe, boom = another_colour(r, cloth), keel + 0.09
        d.line([(mast, keel * 0.8), (mast, height)], 0.026, (120, 88, 58))
        main = [(mast - 0.02, height - 0.03), (mast - 0.02, boom), (mast - r.uniform(0.34, 0.42), boom + 0.015)]
        d.polygon(main, cloth, "plaster", 0.3)
        if r.random() < 0.6:  # a band across the sail: the same share of both edges
            (x0, y0), (x1, y1), (x2, y2) = main
            low, high = sorted(r.uniform(0.3, 0.8, 2))
            band = [(x0 + s * (x1 - x0), y0 + s * (y1 - y0)) for s in (low, high)]
            band += [(x0 + s * (x2 - x0), y0 + s * (y2 - y0)) for s in (high, low)]
            d.polygon(band, stripe, "plaster", 0.3)
        if r.random() < 0.8:
            jib = [(mast + 0.02, height - 0.14), (mast + 0.02, boom), (mast + r.uniform(0.28, 0.36), boom - 0.01)]
            d.polygon(jib, shaded(cloth, 0.9) if r.random() < 0.6 else stripe, "plaster", 0.3)
        tip = [(mast, height + 0.03), (mast, height - 0.05), (mast - 0.12, height - 0.005)]
        d.polygon(tip, second)
        d.mark("top", mast, height)
    else:
        cabin, top = (240, 236, 226) if r.random() < 0.6 else toy_colour(r), keel + r.uniform(0.15, 0.22)
        x0, x1 = -0.30, r.uniform(0.06, 0.20)
        funnel = r.uniform(-0.2, -0.06)
        d.polygon([(funnel - 0.05, top), (funnel + 0.06, top), (funnel + 0.045, top + 0.2), (funnel - 0.06, top + 0.2)], second)
        d.polygon(
            [(funnel - 0.06, top + 0.15), (funnel + 0.05, top + 0.15), (funnel + 0.047, top + 0.2), (funnel - 0.062, top + 0.2)],
            shaded(second, 0.3),
        )
        d.box(x0, keel * 0.9, x1, top, cabin, "plaster", 0.3)
        d.box(x0 - 0.025, top - 0.012, x1 + 0.04, top + 0.022, shaded(cabin, 0.75))
        for x in np.arange(x0 + 0.06, x1 - 0.03, 0.11):
            d.ellipse(float(x), (keel + top) / 2 + 0.012, 0.03, 0.032, _GLASS)
        d.line([(0.33, keel), (0.33, keel + 0.24)], 0.016, (110, 84, 60))
        d.mark("top", funnel - 0.0075, top + 0.2)
    d.smooth([p for p in shape for _ in range(2)], hull, "wood", 0.55)
    d.polygon([(-0.482, keel), (-0.472, keel * 0.82), (0.47, keel * 0.87), (0.515, keel * 1.08)], rim)
    d.polygon([(-0.405, 0.012), (-0.43, keel * 0.3), (0.375, keel * 0.3), (0.3, 0.012)], shaded(hull, 0.55))
    d.mark("bow", *shape[3])
    d.mark("stern", *shape[4])
    return d


# -- person ---------------------------------------------------------------------------------------------------------------
def person(r: np.random.Generator) -> Drawing:
    """A toy figure: large head, jointed limbs, trousers or a dress, sometimes a hat or a bag."""
    d = Drawing(metres=6.0)
    top, skin, hair = toy_colour(r), jittered(r, _SKIN[int(r.integers(4))]), jittered(r, _HAIR[int(r.integers(5))])
    legs, shoes = another_colour(r, top), (44, 38, 36)
    dress = r.random() < 0.3
    stride, broad = r.uniform(0.02, 0.13), r.uniform(0.105, 0.14)
    hip, shoulder, head = 0.44, 0.735, 0.118 * r.uniform(0.94, 1.1)
    if r.random() < 0.25:
        d.smooth([(-broad - 0.06, 0.5), (-broad - 0.06, 0.72), (0, 0.72), (0, 0.5)], another_colour(r, top))  # a rucksack
    back, front = -stride, stride
    d.mark("left foot", back, 0.028)
    d.mark("right foot", front, 0.028)
    for foot, factor in ((back, 0.8), (front, 1.0)):
        colour = shaded(skin if dress else legs, factor)
        d.line([(0.45 * foot, hip), (0.8 * foot, 0.24), (foot, 0.045)], 0.092, colour)
        d.line([(foot, 0.028), (foot + 0.055, 0.028)], 0.056, shaded(shoes, factor))
    swing = r.uniform(0.05, 0.17)
    raised = r.random() < 0.3  # one arm up: it waves
    for side, factor in ((-1, 0.72), (1, 0.9)):
        x = side * broad * 0.9
        if raised and side > 0:
            reach = [(x, shoulder - 0.03), (x + 0.12, shoulder + 0.04), (x + 0.14, shoulder + 0.2)]
        else:
            reach = [(x, shoulder - 0.03), (x + side * 0.6 * swing, 0.57), (x + side * swing * 0.7, 0.44)]
        d.line(reach, 0.066, shaded(top, factor))
        d.ellipse(*reach[-1], 0.04, 0.04, skin)
        d.mark("left hand" if side < 0 else "right hand", *reach[-1])
    if dress:
        d.smooth(
            [(-0.2, 0.27), (-0.2, 0.27), (-broad, shoulder), (broad, shoulder), (0.2, 0.27), (0.2, 0.27)], top, "concrete", 0.22
        )
    else:
        low = hip - 0.06 - (0.12 if r.random() < 0.25 else 0)
        body = [(-broad, low), (-broad, low), (-broad, shoulder), (broad, shoulder), (broad, low), (broad, low)]
        d.smooth(body, top, "concrete", 0.22)
        if r.random() < 0.4:
            y = r.uniform(0.5, 0.62)
            d.box(-broad + 0.012, y, broad - 0.012, y + 0.05, another_colour(r, top))
    d.box(-0.035, shoulder - 0.03, 0.035, shoulder + 0.05, shaded(skin, 0.85))
    y = 1 - head - 0.01
    long_hair = r.random() < 0.4
    if long_hair:
        d.ellipse(-0.38 * head, y - 0.05, 0.85 * head, 1.3 * head, shaded(hair, 0.85))
    d.ellipse(0, y, head, head, skin)
    d.mark("head", 0, y)
    cap = [(1.05 * head * math.cos(t), y + 0.01 + 1.05 * head * math.sin(t)) for t in np.linspace(0.05, math.pi - 0.05, 14)]
    if r.random() < 0.3:
        hat = another_colour(r, top)
        d.polygon(cap, hat)
        d.line([(-0.9 * head, y + 0.03), (1.35 * head, y + 0.03)], 0.035, shaded(hat, 0.75))
    else:
        d.polygon([*cap, (-0.98 * head, y - 0.02), (-0.6 * head, y + 0.045)], hair)
    for x in (-0.01, 0.062):
        d.ellipse(x, y - 0.008, 0.014, 0.018, (36, 28, 26))
    return d


# -- cup ------------------------------------------------------------------------------------------------------------------
def cup(r: np.random.Generator) -> Drawing:
    """A mug or a tea cup with its handle at the right, full of something to drink."""
    d = Drawing(metres=6.0)
    glaze = toy_colour(r)
    tea = r.random() < 0.4
    top, bottom = (0.40, r.uniform(0.20, 0.28)) if tea else (0.36, r.uniform(0.30, 0.36))
    height = r.uniform(0.46, 0.58) if tea else r.uniform(0.66, 0.86)
    base = 0.0
    if tea and r.random() < 0.7:
        base = 0.05
        d.ellipse(0, 0.055, 0.58, 0.085, shaded(glaze, 0.8))
        d.ellipse(0, 0.075, 0.55, 0.072, shaded(glaze, 1.1, 8))
        d.ellipse(0, 0.07, 0.32, 0.04, shaded(glaze, 0.75))
    tilt = 0.085
    middle, reach = base + 0.54 * height, r.uniform(0.2, 0.27)
    ring = [(0.86 * top + reach * math.cos(t), middle + 0.27 * height * math.sin(t)) for t in np.linspace(-1.9, 1.9, 13).tolist()]
    d.line(ring, 0.075, shaded(glaze, 0.88))
    d.mark("handle", 0.86 * top + reach, middle)
    rows = np.linspace(0, 1, 7)
    bulge = 0.5 if tea else 1.0
    half = bottom + (top - bottom) * rows**bulge
    sides = [(float(w), base + 0.04 + float(s) * (height - 0.04)) for w, s in zip(half, rows)]
    foot = [(bottom * math.cos(t), base + 0.045 + 0.045 * math.sin(t)) for t in np.linspace(math.pi, 2 * math.pi, 9).tolist()]
    body = [*foot, *sides, *[(-x, y) for x, y in reversed(sides)]]
    d.polygon(body, glaze, "plaster", 0.22)
    pattern = r.random()
    second = another_colour(r, glaze)

    def width_at(share: float) -> float:
        return float(np.interp(share, rows, half))

    def band(low: float, high: float, colour: Colour, material: str | None = None) -> None:
        def y(share: float) -> float:
            return base + 0.04 + share * (height - 0.04)

        sag = [-0.05 * (1 - (k / 4 - 1) ** 2) for k in range(9)]
        lower = [(width_at(low) * (k / 4 - 1), y(low) + sag[k]) for k in range(9)]
        upper = [(width_at(high) * (k / 4 - 1), y(high) + sag[k]) for k in range(9)]
        d.polygon([*lower, *reversed(upper)], colour, material, 0.22)

    if pattern < 0.3:
        band(0.30, 0.72, second, "plaster")
    elif pattern < 0.5:
        for low in (0.24, 0.46, 0.68):
            band(low, low + 0.1, second)
    elif pattern < 0.75:
        band(0.2, 0.82, second, f"photograph {_PRINTS[int(r.integers(len(_PRINTS)))]}")
    elif pattern < 0.9:
        for k in range(9):
            share = 0.3 + 0.2 * (k // 3)
            x = width_at(share) * (0.62 * (k % 3 - 1) + (0.2 if k // 3 % 2 else 0))
            d.ellipse(x, base + share * height - 0.02, 0.045, 0.045, second)
    d.ellipse(0, base + height, top, tilt, shaded(glaze, 1.12, 14))
    d.ellipse(0, base + height - 0.005, top - 0.035, tilt - 0.022, shaded(glaze, 0.62))
    drink = ((70, 44, 30), (168, 96, 40), (120, 76, 52), (226, 214, 196))[int(r.integers(4))]
    d.ellipse(0, base + height - 0.018, top - 0.065, tilt - 0.032, drink)
    for side, sign in (("left", -1), ("right", 1)):
        d.mark(f"{side} rim", sign * top, base + height)
        d.mark(f"{side} base", sign * bottom, base + 0.045)
    return d


DRAWN_BY: dict[str, Callable[[np.random.Generator], Drawing]] = {
    "boat": boat,
    "car": car,
    "cup": cup,
    "house": house,
    "person": person,
    "tree": tree,
}
"""The classes in the order of their labels, and who draws them."""
CLASS_NAMES: tuple[str, ...] = tuple(DRAWN_BY)
