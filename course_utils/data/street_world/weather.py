"""Weather, time of day and season: what changes the light but not the place.

Seven conditions, four seasons. A condition is a handful of numbers: the light of the sky and of the sun, how high the
sun stands, the colours of the sky, how far one sees, whether lamps are on. From them come

- the **sky**, a panorama with clouds and a glow around a low sun;
- the **shadows**. For a point ``p`` of the ground, walk towards the sun in steps of a metre and remember the highest
  line of shadow that a house casts back: ``S(p) = max_k H(p + k d) - k tan(elevation)``. A wall point above ``p`` is in
  the sun if it is higher than ``S(p)``; the ground is in the sun where ``S(p) <= 0``. One grid serves both;
- the **pools of light** under the lamps, a grid as well.

Night is the hardest condition for every descriptor of the course, as it is in Tokyo 24/7.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from course_utils.data import steady
from course_utils.data.street_world.districts import District

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Condition:
    """Light and air. Light is a factor per colour channel, sky colours are 0 to 255, distances metres.

    Attributes
    ----------
    ambient, sun : Colour
        Light from the whole sky and from the sun.
    elevation : float
        Height of the sun above the horizon in degrees.
    zenith, horizon : Colour
        Colours of the sky at the top of the panorama and at the horizon.
    fog : float
        Distance at which 63 % of the light has been replaced by the fog's.
    lamps : float
        How strongly street lamps and shop windows light the scene.
    lit : float
        Share of the windows with a light behind them.
    noise : float
        Standard deviation of the sensor's noise in grey levels.
    clouds : float
        0 = plain sky, 1 = fully modulated by clouds.
    wet : float
        1 = the road mirrors.
    glow : float
        Strength of the light around the sun.
    """

    ambient: Colour
    sun: Colour
    elevation: float
    zenith: Colour
    horizon: Colour
    fog: float
    lamps: float
    lit: float
    noise: float
    clouds: float
    wet: float = 0.0
    glow: float = 0.0


_NONE = (0.0, 0.0, 0.0)
LIGHT: dict[str, Condition] = {
    "sun": Condition((0.60, 0.65, 0.74), (0.86, 0.80, 0.68), 52, (84, 134, 204), (188, 212, 232), 600, 0, 0, 2, 0.4),
    "low sun": Condition(
        (0.55, 0.58, 0.67), (1.05, 0.86, 0.60), 22, (98, 142, 198), (228, 214, 190), 350, 0, 0.05, 2, 0.3, 0, 0.5
    ),
    "overcast": Condition((0.92, 0.95, 0.98), _NONE, 45, (178, 184, 192), (216, 219, 222), 260, 0, 0.08, 3, 0.3),
    "dusk": Condition((0.44, 0.40, 0.50), (0.72, 0.40, 0.22), 9, (66, 74, 122), (238, 170, 118), 250, 0.35, 0.35, 4, 0.3, 0, 0.6),
    "night": Condition((0.22, 0.23, 0.32), _NONE, 45, (9, 11, 26), (38, 36, 48), 220, 1.0, 0.42, 5, 0.15),
    "rain": Condition((0.60, 0.64, 0.69), _NONE, 45, (122, 129, 138), (168, 174, 180), 110, 0.15, 0.3, 4, 0.3, 1.0),
    "fog": Condition((0.80, 0.82, 0.84), _NONE, 45, (192, 196, 200), (202, 204, 206), 45, 0.05, 0.1, 3, 0.02),
}
CONDITIONS: tuple[str, ...] = tuple(LIGHT)
"""``"sun"``, ``"low sun"``, ``"overcast"``, ``"dusk"``, ``"night"``, ``"rain"``, ``"fog"``."""
SEASONS: tuple[str, ...] = ("spring", "summer", "autumn", "winter")

SKY_SHAPE = (64, 512)
"""Rows (zenith to horizon) and columns (once around) of the panorama."""
LAMP_LIGHT = np.array([1.0, 0.80, 0.54], np.float32)
LIGHT_SCALE = 4
"""Cells per metre of the grids that the renderer reads."""
_REACH = 60  # metres of shadow that are followed


def snow_cover(condition: str, season: str) -> float:
    """Return how much snow lies: in winter, unless the sun or the rain has taken it."""
    return 0.8 if season == "winter" and condition in ("overcast", "fog", "night", "dusk") else 0.0


def paint_sky(random: np.random.Generator, light: Condition, sun_azimuth: float) -> np.ndarray:
    """Return the panorama, float32 ``(3, 64, 512)``: columns by azimuth from east, counter-clockwise."""
    rows, columns = SKY_SHAPE
    cover = np.clip(0.5 + 0.55 * _clouds(random, rows, columns), 0, 1) * light.clouds
    down = steady.power(np.linspace(0, 1, rows, dtype=np.float32)[:, None], 1.3)
    white = np.array([250, 248, 244], np.float32) * np.clip(np.mean(light.horizon) / 205, 0.12, 1)
    angle = 2 * np.pi * (np.arange(columns) + 0.5) / columns - sun_azimuth
    angle = (angle + np.pi) % (2 * np.pi) - np.pi
    near = steady.exp(-((angle / 0.45) ** 2)).astype(np.float32)[None] * down**2 * light.glow
    sky = np.empty((3, rows, columns), np.float32)
    for channel, warm in enumerate((255.0, 226.0, 170.0)):
        base = light.zenith[channel] * (1 - down) + light.horizon[channel] * down
        sky[channel] = (base * (1 - cover) + white[channel] * cover) * (1 - near) + warm * near
    return sky


def _clouds(random: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Fractal noise without a seam where the panorama closes, mean 0, standard deviation 1."""
    total = np.zeros((rows, columns), np.float32)
    for octave in range(1, 6):
        cells = random.random((2**octave + 1, 2 ** (octave + 2))).astype(np.float32)
        cells = np.concatenate([cells, cells[:, :1]], axis=1)
        layer = Image.fromarray(cells).resize((columns, rows), Image.Resampling.BICUBIC)
        total += np.asarray(layer) / np.float32(steady.power(2, 0.8 * octave))
    return (total - total.mean()) / total.std()


# -- grids over the ground ------------------------------------------------------------------------------------------------
@lru_cache(maxsize=8)
def _heights(place: District) -> np.ndarray:
    """Heights of the houses on a grid of 1 m, float32 ``(rows, columns)``, row 0 in the south."""
    x_min, x_max, y_min, y_max = place.bounds
    grid = np.zeros((int(np.ceil(y_max - y_min)), int(np.ceil(x_max - x_min))), np.float32)
    for lot in place.lots:
        if not lot.is_park:
            x0, y0, x1, y1 = lot.footprint
            cells = grid[_cells(y0 - y_min, y1 - y_min), _cells(x0 - x_min, x1 - x_min)]
            np.maximum(cells, lot.height, out=cells)
    return grid


def _cells(low: float, high: float) -> slice:
    return slice(max(0, round(low)), max(0, round(high)))


def shadow_heights(place: District, azimuth: float, elevation: float) -> np.ndarray:
    """Return the height of the shadow above every point of the ground, float32, 4 cells per metre.

    Parameters
    ----------
    azimuth, elevation : float
        Direction of the sun: radians counter-clockwise from east, degrees above the horizon.
    """
    heights = _heights(place)
    padded = np.pad(heights, _REACH)
    north, east = float(steady.sin(azimuth)), float(steady.cos(azimuth))
    slope = float(steady.tan(np.radians(elevation)))
    shadow = np.full(heights.shape, -10.0, np.float32)
    rows, columns = heights.shape
    for step in range(1, _REACH):
        if step * slope > heights.max():
            break
        down, right = _REACH + round(step * north), _REACH + round(step * east)
        np.maximum(shadow, padded[down : down + rows, right : right + columns] - step * slope, out=shadow)
    return _finer(shadow)


@lru_cache(maxsize=8)
def lamp_pools(place: District) -> np.ndarray:
    """Return the light of the street lamps on the ground, float32 in [0, 1], 4 cells per metre."""
    from scipy.ndimage import gaussian_filter

    x_min, _, y_min, _ = place.bounds
    grid = np.zeros_like(_heights(place))
    for x, y in place.lamps:
        row, column = int(y - y_min), int(x - x_min)
        if 0 <= row < grid.shape[0] and 0 <= column < grid.shape[1]:
            grid[row, column] += 1
    pools = gaussian_filter(grid, 3.6)
    return _finer(np.minimum(pools * (2 * np.pi * 3.6**2), 1.2).astype(np.float32))


def _finer(grid: np.ndarray) -> np.ndarray:
    rows, columns = grid.shape
    size = (columns * LIGHT_SCALE, rows * LIGHT_SCALE)
    return np.asarray(Image.fromarray(grid).resize(size, Image.Resampling.BILINEAR))
