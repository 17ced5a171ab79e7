"""Sprites in a picture: cars, people, trees and lamps that stand in front of walls.

All sprites of a view are drawn at once. Each becomes a rectangle of pixels; the rectangles are unrolled into one long
list of *fragments* (pixel, colour, transparency), ordered from far to near. A fragment behind a wall is dropped. Of the
opaque fragments on one pixel the last, the nearest, stays; then the nearest half-transparent one in front of it (edges,
shadows, thin twigs) is blended over it. That is exact except where two half-transparent fragments meet on one pixel, and
it replaces a loop over the sprites by a few operations on arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from course_utils.data import steady
from course_utils.data.street_world.sprites import N_LEVELS, SHADOW_DEPTH, SpriteAtlas, sprite_atlas
from course_utils.data.street_world.traversals import CAR, KINDS, LAMP, PERSON, TREE
from course_utils.data.street_world.weather import LAMP_LIGHT, lamp_pools

if TYPE_CHECKING:
    from course_utils.data.street_world.scene import Scene

NEAREST_SPRITE, FARTHEST_SPRITE = 3.0, 70.0
OPAQUE, SEEN = 190, 20
"""Transparency (0 to 255) from which a fragment counts as opaque, and from which it is drawn at all."""
_PEOPLE_VIEWS = ("side", "front", "rear", "side")


def draw_billboards(scene: Scene) -> None:
    """Draw everything that stands in the district into the scene."""
    atlas = sprite_atlas()
    things = _visible(scene)
    if len(things) == 0:
        return
    boxes = _boxes(scene, things, atlas)
    if boxes is None:
        return
    _draw(scene, atlas, *boxes)


def _visible(scene: Scene) -> np.ndarray:
    """Return the numbers of the things in the field of view, far to near."""
    drive = scene.drive
    away = drive.position - scene.origin
    depth, side = steady.along(away, scene.forward), steady.along(away, scene.right)
    reach = min(FARTHEST_SPRITE, 4 * scene.light.fog)
    edge = scene.renderer._tangent[-1]
    seen = np.flatnonzero((depth > NEAREST_SPRITE) & (depth < reach) & (np.abs(side) < depth * edge + 5))
    return seen[np.argsort(-depth[seen], kind="stable")]


def _boxes(scene: Scene, things: np.ndarray, atlas: SpriteAtlas) -> tuple | None:
    """Return depth, sprite number, exact rectangle and pixel rectangle of everything that no wall hides."""
    drive, (height, width), focal = scene.drive, scene.size, np.float32(scene.focal)
    away = drive.position[things] - scene.origin
    depth, side = steady.along(away, scene.forward), steady.along(away, scene.right)
    middle = (width - 1) / 2 + side / depth * focal
    column = np.clip(np.rint(middle), 0, width - 1).astype(np.int32)
    half = np.where(drive.kind[things] == CAR, 5.0, 3.0) / depth * focal
    behind = np.ones(len(things), bool)
    for share in (-1.0, -0.5, 0.0, 0.5, 1.0):
        at = np.clip(middle + share * half, 0, width - 1).astype(np.int32)
        behind &= scene.tall[at] < depth - 0.5
    keep = np.flatnonzero(~behind)
    if len(keep) == 0:
        return None
    things, depth, middle, column = things[keep], depth[keep], middle[keep], column[keep]
    sprite = _sprite_numbers(scene, things, away[keep], atlas)
    metres = atlas.metres[sprite]
    wide, high = metres[:, 0] / depth * focal, metres[:, 1] / depth * focal
    foot = scene.horizon[column] + (scene.camera.z + SHADOW_DEPTH) / depth * focal
    left, top = middle - wide / 2, foot - high
    x0, x1 = np.clip(np.ceil(left - 0.5), 0, width), np.clip(np.ceil(left + wide - 0.5), 0, width)
    y0, y1 = np.clip(np.ceil(top - 0.5), 0, height), np.clip(np.ceil(foot - 0.5), 0, height)
    full = np.flatnonzero((x1 > x0) & (y1 > y0))
    if len(full) == 0:
        return None
    pixels = np.stack([x0, x1, y0, y1]).astype(np.int32)[:, full]
    return things[full], depth[full], sprite[full], left[full], top[full], wide[full], high[full], pixels


def _sprite_numbers(scene: Scene, things: np.ndarray, away: np.ndarray, atlas: SpriteAtlas) -> np.ndarray:
    drive = scene.drive
    angle = steady.arctan2(away[:, 1], away[:, 0]) - drive.heading[things]
    from_the_side, behind = np.abs(steady.sin(angle)) > 0.5, steady.cos(angle) * drive.facing[things] < 0
    numbers = np.empty(len(things), np.int64)
    for i, thing in enumerate(things.tolist()):
        kind = drive.kind[thing]
        view = "side"
        if kind == CAR and not from_the_side[i]:
            view = "rear" if behind[i] else "front"
        elif kind == PERSON:
            view = _PEOPLE_VIEWS[drive.facing[thing]]
        numbers[i] = atlas.number(KINDS[kind], int(drive.individual[thing]), view, drive.season)
    return numbers


def _draw(
    scene: Scene,
    atlas: SpriteAtlas,
    things: np.ndarray,
    depth: np.ndarray,
    sprite: np.ndarray,
    left: np.ndarray,
    top: np.ndarray,
    wide: np.ndarray,
    high: np.ndarray,
    pixels: np.ndarray,
) -> None:
    """Unroll the rectangles into fragments, keep what is seen, and put it into the picture."""
    x0, x1, y0, y1 = pixels
    width = scene.size[1]
    columns, counts = x1 - x0, (x1 - x0) * (y1 - y0)
    owner = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    within = np.arange(counts.sum(), dtype=np.int32) - np.repeat((np.cumsum(counts) - counts).astype(np.int32), counts)
    down, right = np.divmod(within, columns[owner])
    pixel = (y0[owner] + down) * width + x0[owner] + right

    level = np.clip(np.rint(steady.log2(np.maximum(atlas.columns[sprite, 0] / np.maximum(wide, 1e-3), 1.0))), 0, N_LEVELS - 1)
    level = level.astype(np.int32)
    rows_of, columns_of = atlas.rows[sprite, level].astype(np.int32), atlas.columns[sprite, level].astype(np.int32)
    start = atlas.start[sprite, level].astype(np.int32)
    pace_x, pace_y = (columns_of / wide).astype(np.float32), (rows_of / high).astype(np.float32)
    first_x, first_y = ((x0 - left + 0.5) * pace_x).astype(np.float32), ((y0 - top + 0.5) * pace_y).astype(np.float32)
    texel_x = np.minimum((first_x[owner] + right * pace_x[owner]).astype(np.int32), (columns_of - 1)[owner])
    texel_y = np.minimum((first_y[owner] + down * pace_y[owner]).astype(np.int32), (rows_of - 1)[owner])
    texel = (start[owner] + texel_y * columns_of[owner]) + texel_x
    words = atlas.colour[texel]
    cover = words >> 24
    seen = (cover > SEEN) & (depth[owner] < scene.depth[pixel])
    opaque = np.flatnonzero(seen & (cover >= OPAQUE))
    soft = np.flatnonzero(seen & (cover < OPAQUE))

    light = _light_on(scene, things, depth)
    shown = np.full(scene.depth.size, -1, np.int32)
    shown[pixel[opaque]] = opaque  # the last of several, which is the nearest, stays
    spots = np.flatnonzero(shown >= 0)
    chosen = shown[spots]
    scene.image[:, spots] = _colour(scene, atlas, words[chosen], texel[chosen], owner[chosen], light)
    scene.depth[spots] = depth[owner[chosen]]

    soft = soft[depth[owner[soft]] < scene.depth[pixel[soft]]]
    shown.fill(-1)
    shown[pixel[soft]] = soft
    spots = np.flatnonzero(shown >= 0)
    chosen = shown[spots]
    share = cover[chosen].astype(np.float32) / 255
    colour = _colour(scene, atlas, words[chosen], texel[chosen], owner[chosen], light)
    scene.image[:, spots] += (colour - scene.image[:, spots]) * share


def _light_on(scene: Scene, things: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the light on each thing, ``(3, T)``, and the share of it that the fog lets through, ``(T,)``."""
    drive, light = scene.drive, scene.light
    x, y = drive.position[things].T
    level = np.repeat(scene.ambient[:, None], len(things), axis=1)
    if drive.shadow is not None:
        tree = np.where(drive.kind[things] == TREE, 4.0, 1.0)
        level = level + 0.62 * scene.sun[:, None] * np.clip(tree - scene.look_up(drive.shadow, x, y), 0.15, 1)
    if light.lamps > 0:
        pool = 0.10 + 0.42 * scene.look_up(lamp_pools(scene.place), x, y)
        level = level + LAMP_LIGHT[:, None] * pool * light.lamps * np.where(drive.kind[things] == LAMP, 0.5, 1.0)
    return level.astype(np.float32), scene.clearness(depth.astype(np.float32))


def _colour(
    scene: Scene,
    atlas: SpriteAtlas,
    words: np.ndarray,
    texel: np.ndarray,
    owner: np.ndarray,
    light: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    level, clear = light
    colour = np.empty((3, len(words)), np.float32)
    through = clear[owner]
    lamps_on = scene.light.lamps > 0
    glow = atlas.glow[texel].astype(np.float32) * np.float32(min(1.0, 0.5 + scene.light.lamps) / 255) if lamps_on else None
    for channel in range(3):
        own = (words >> (8 * channel) & 255).astype(np.float32)
        lit = own * level[channel][owner]
        if glow is not None:
            lit += (own - lit) * glow
        colour[channel] = lit * through + scene.haze[channel] * (1 - through)
    return colour
