"""What a camera does to everybody: its light and colour, where it hangs, what is behind the people.

The cameras are those of a seed and the same in every split, as in a building; only the photographs behind the people come
from the split's own part. Colour is where re-identification is hard: the same shirt is warm and dark in one camera, cold and
bright in the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from course_utils.data import steady
from course_utils.data.sprite_scenes.backgrounds import cropped
from course_utils.data.street_world.textures import stream

WORLD = 808
"""First number of every random stream of the people."""
N_CAMERAS = 4
_FACINGS = ((0.6, 0.2, 0.2), (0.2, 0.6, 0.2), (0.2, 0.2, 0.6), (0.34, 0.33, 0.33))
"""How often people are seen from the front, the back and the side."""
_WALLS = (("brick", "launch pad"), ("lake", "foliage"), ("workshop", "table"), ("gravel", "fur"))
_GROUNDS = (("gravel", "moon"), ("grass", "moon"), ("table", "gravel"), ("moon", "brick"))


@dataclass(frozen=True)
class PedestrianCamera:
    """One camera.

    Attributes
    ----------
    tint : (float, float, float)
        Factors of the channels: exposure and white balance together.
    contrast : float
        Factor around the middle grey.
    share : float
        Height of an average person as a share of the picture's.
    horizon : float
        Row where the ground begins, as a share of the height.
    facings : (float, float, float)
        Chances of front, back and side.
    blur, noise : float
        Standard deviations, in pixels at a height of 64 and in grey levels.
    walls, grounds : tuple of str
        Photographs behind and under the people.
    """

    tint: tuple[float, float, float]
    contrast: float
    share: float
    horizon: float
    facings: tuple[float, float, float]
    blur: float
    noise: float
    walls: tuple[str, str]
    grounds: tuple[str, str]


@cache
def camera_of(seed: int, number: int) -> PedestrianCamera:
    """Return camera ``number`` of a seed."""
    order = stream(WORLD, seed, 0).permutation(N_CAMERAS)
    r = stream(WORLD, seed, 1, number)
    place = int(order[number])  # warm and cold, bright and dark are dealt out, so that no two cameras are alike
    warmth = (-0.20, 0.18, -0.04, 0.10)[place] + r.normal(0, 0.03)
    exposure = float(steady.exp((0.10, -0.32, -0.10, 0.22)[place] + r.normal(0, 0.05)))
    return PedestrianCamera(
        tint=(exposure * (1 + warmth), exposure * (1 + r.normal(0, 0.03)), exposure * (1 - 1.1 * warmth)),
        contrast=r.uniform(0.75, 1.1),
        share=r.uniform(0.74, 0.86),
        horizon=r.uniform(0.35, 0.6),
        facings=_FACINGS[number],
        blur=r.uniform(0.0, 0.7),
        noise=r.uniform(1.5, 5.0),
        walls=_WALLS[place],
        grounds=_GROUNDS[place],
    )


def backdrop(r: np.random.Generator, camera: PedestrianCamera, split: str, height: int, width: int) -> np.ndarray:
    """Return what is behind the people, float32 ``(height, width, 3)``: a wall and the ground in front of it."""
    edge = round(height * (camera.horizon + r.uniform(-0.06, 0.06)))
    pixels = np.empty((height, width, 3), np.float32)
    pixels[:edge] = cropped(r, camera.walls[int(r.integers(2))], split, edge, width, 0.6)
    pixels[edge:] = cropped(r, camera.grounds[int(r.integers(2))], split, height - edge, width)
    return pixels


def taken(pixels: np.ndarray, camera: PedestrianCamera, r: np.random.Generator) -> np.ndarray:
    """Return what the camera makes of the scene, uint8 of the same shape."""
    light = float(steady.exp(r.normal(0, 0.08)))  # the sun comes and goes
    picture = pixels * (light * np.asarray(camera.tint, np.float32))
    picture = 118 + np.float32(camera.contrast) * (picture - 118)
    picture += np.float32(camera.noise) * r.standard_normal((*picture.shape[:2], 1), dtype=np.float32)
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8)
