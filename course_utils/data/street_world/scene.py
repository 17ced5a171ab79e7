"""One picture in the making: walls by ray casting, then sky and ground, with light and fog.

A **ray caster**: all walls are vertical and all rays of one image column lie in one vertical plane, so that one ray per
column finds every wall the column can show. With the camera at the origin looking along the depth axis, column ``c``
has the direction ``(1, tan_c)``; a wall from ``(d0, s0)`` to ``(d1, s1)`` (depth, side) is met where::

    u = (tan_c d0 - s0) / ((s1 - s0) - tan_c (d1 - d0)),   0 <= u <= 1,      depth = d0 + u (d1 - d0)

and a point at height ``h`` on it appears in row ``horizon_c - f (h - z) / depth``. The nearest walls are kept in order,
leaving out those that do not rise above the solid part of a nearer one. What no wall covers is sky above the horizon and
ground below it, where row ``r`` shows depth ``f z / (r - horizon_c)``.

Then come light (ambient, sun with shadows, lamps) and fog (``exp(-depth / distance)``).

The idea of casting one ray per column is that of the games of 1992; nothing here is new except that the walls are cut
from photographs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from course_utils.data import steady
from course_utils.data.street_world.atlas import N_LEVELS, ground_atlas, wall_atlas
from course_utils.data.street_world.facades import FACADE_SCALE, display_pictures
from course_utils.data.street_world.ground import GROUND_SCALE
from course_utils.data.street_world.styles import DISPLAY, FIRST_WINDOW, LAST_WINDOW, SIGN
from course_utils.data.street_world.traversals import Traversal
from course_utils.data.street_world.weather import LAMP_LIGHT, LIGHT_SCALE, SKY_SHAPE, lamp_pools

if TYPE_CHECKING:
    from course_utils.data.street_world.renderer import Camera, StreetRenderer

MAX_LAYERS = 6
NEAREST, FARTHEST = 0.25, 150.0
"""Walls nearer than this are not drawn, nor ground farther than this; in metres."""
LAMP_HEIGHT = 3.2
"""Up to this height a street lamp lights a wall fully."""


class Scene:
    """One picture in the making: ``image`` float32 ``(3, H * W)`` in grey levels and ``depth`` ``(H * W,)`` in metres."""

    def __init__(self, renderer: StreetRenderer, camera: Camera, drive: Traversal, horizon: np.ndarray) -> None:
        self.renderer, self.camera, self.drive, self.horizon = renderer, camera, drive, horizon
        self.place, self.focal = renderer.district, renderer.focal
        height, width = self.size = renderer.size
        self.origin = np.array([camera.x, camera.y], np.float32)
        self.forward = np.array([steady.cos(camera.heading), steady.sin(camera.heading)], np.float32)
        self.right = np.array([self.forward[1], -self.forward[0]], np.float32)
        self.image = np.empty((3, height * width), np.float32)
        self.depth = np.full(height * width, np.inf, np.float32)
        self.tall = np.full(width, np.inf, np.float32)  # depth of the first wall that hides whatever stands behind it
        self.light = drive.light
        self.ambient, self.sun = np.array(drive.light.ambient, np.float32), np.array(drive.light.sun, np.float32)
        self.haze = drive.sky[:, 40:].mean(axis=(1, 2))
        x_min, _, y_min, _ = self.place.bounds
        self.corner = np.array([x_min, y_min], np.float32)

    def look_up(self, grid: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Read a grid of light (4 cells per metre) at points in metres."""
        rows, columns = grid.shape
        column = np.clip((x - self.corner[0]) * LIGHT_SCALE, 0, columns - 1).astype(np.int32)
        row = np.clip((y - self.corner[1]) * LIGHT_SCALE, 0, rows - 1).astype(np.int32)
        return grid.take(row * columns + column)

    def clearness(self, depth: np.ndarray) -> np.ndarray:
        """Return the share of light that reaches the camera through the fog."""
        return steady.exp(depth * np.float32(-1 / self.light.fog))

    # -- walls --------------------------------------------------------------------------------------------------------
    def draw_walls(self) -> None:
        numbers, depth0, side0, d_depth, d_side = self._candidates()
        n_pixels, width = self.depth.size, self.size[1]
        free = np.ones(n_pixels, bool)
        drawn = []
        for layer in self._layers(numbers, depth0, side0, d_depth, d_side):
            pixels, words = self._texels(layer, free)
            free[pixels] = False
            drawn.append((layer, pixels, words))
        self.free = free
        if not drawn:
            return
        layers = [layer for layer, _, _ in drawn]
        pixels = np.concatenate([p for _, p, _ in drawn])
        words = np.concatenate([w for _, _, w in drawn])
        key = np.concatenate([self.renderer._column_of[p] + i * width for i, (_, p, _) in enumerate(drawn)])
        self._shade_walls(layers, pixels, words, key)

    def _candidates(self) -> tuple[np.ndarray, ...]:
        """Return the walls that face the camera within its field of view, as (number, depth, side, differences)."""
        place = self.place
        first, second = place.walls[:, :2] - self.origin, place.walls[:, 2:] - self.origin
        depth0, side0 = steady.along(first, self.forward), steady.along(first, self.right)
        depth1, side1 = steady.along(second, self.forward), steady.along(second, self.right)
        edge = self.renderer._tangent[-1]
        seen = (first * place.normals).sum(axis=1) < 0
        seen &= np.maximum(depth0, depth1) > NEAREST
        seen &= np.minimum(depth0, depth1) < FARTHEST
        seen &= (side0 <= edge * depth0) | (side1 <= edge * depth1)
        seen &= (side0 >= -edge * depth0) | (side1 >= -edge * depth1)
        numbers = np.flatnonzero(seen)
        depth0, side0 = depth0[numbers], side0[numbers]
        return numbers, depth0, side0, depth1[numbers] - depth0, side1[numbers] - side0

    def _layers(
        self, numbers: np.ndarray, depth0: np.ndarray, side0: np.ndarray, d_depth: np.ndarray, d_side: np.ndarray
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yield, near to far, dictionaries of per-column arrays: wall number, depth, place ``u`` along the wall."""
        if len(numbers) == 0:
            return
        tangent = self.renderer._tangent
        bottom = d_side[:, None] - tangent * d_depth[:, None]
        bottom = np.where(np.abs(bottom) < 1e-7, np.float32(1e-7), bottom)
        u = (tangent * depth0[:, None] - side0[:, None]) / bottom
        depth = depth0[:, None] + u * d_depth[:, None]
        depth[(u < -1e-4) | (u > 1.0001) | (depth < NEAREST)] = np.inf
        eaves, tops = self.place.eaves[numbers] - self.camera.z, self.place.tops[numbers] - self.camera.z
        slope = tops[:, None] / depth
        columns = np.arange(len(tangent))
        solid = np.full(len(tangent), -np.inf, np.float32)
        for _ in range(MAX_LAYERS):
            nearest = depth.argmin(axis=0)
            here = depth[nearest, columns]
            hit = np.isfinite(here)
            if not hit.any():
                return
            eave = eaves[nearest]
            np.copyto(self.tall, here, where=hit & (eave > 1.5) & np.isinf(self.tall))
            yield {"wall": numbers[nearest], "depth": here, "hit": hit, "u": np.clip(u[nearest, columns], 0, 0.9999)}
            solid = np.maximum(solid, np.where(hit, eave / here, -np.inf))
            depth[nearest, columns] = np.inf
            depth[slope <= solid] = np.inf

    def _texels(self, layer: dict, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the pixels that a layer covers first, and their words of the atlas."""
        place, renderer = self.place, self.renderer
        atlas = wall_atlas(place)
        depth = np.where(layer["hit"], layer["depth"], np.float32(1.0))
        wall = layer["wall"]
        top = self.horizon - self.focal * (place.tops[wall] - self.camera.z) / depth
        foot = np.where(layer["hit"], self.horizon + self.focal * self.camera.z / depth, np.float32(-1e9))
        covered = (renderer._rows >= top) & (renderer._rows < foot)
        pixels = np.flatnonzero(covered.ravel() & free)
        front = place.front_of[wall]
        along = place.walls[wall, 2:] - place.walls[wall, :2]
        direction = self.forward + renderer._tangent[:, None] * self.right
        slant = np.abs((place.normals[wall] * direction).sum(axis=1)) / np.sqrt((direction**2).sum(axis=1))
        level = steady.log2(np.maximum(depth * FACADE_SCALE / self.focal / np.sqrt(np.maximum(slant, 0.08)), 1.0)) - 0.25
        level = np.clip(np.rint(level), 0, N_LEVELS - 1).astype(np.int32)
        rows, columns, start = atlas.rows[front, level], atlas.columns[front, level], atlas.start[front, level]
        texel = start + np.minimum((layer["u"] * columns).astype(np.int32), columns - 1)
        pace = rows * depth / (place.tops[wall] * self.focal)  # texel rows per pixel row
        layer |= {"depth": depth, "front": front, "length": np.sqrt((along**2).sum(axis=1)), "direction": direction}
        column = renderer._column_of[pixels]
        down = ((renderer._row_of[pixels] - top[column]) * pace[column].astype(np.float32)).astype(np.int32)
        down = np.minimum(down, rows[column] - 1)
        words = atlas.words[texel[column] + down * columns[column]]
        opaque = words >> 24 > 0
        if opaque.all():
            return pixels, words
        return pixels[opaque], words[opaque]

    def _shade_walls(self, layers: list[dict], pixels: np.ndarray, words: np.ndarray, key: np.ndarray) -> None:
        place, light, drive = self.place, self.light, self.drive

        def joined(name: str) -> np.ndarray:
            return np.concatenate([layer[name] for layer in layers])

        depth, wall, front = joined("depth"), joined("wall"), joined("front")
        normal = place.normals[wall]
        x, y = (self.origin + depth[:, None] * joined("direction") + 0.8 * normal).T
        height = (self.camera.z - (self.renderer._row_of[pixels] - self.horizon[self.renderer._column_of[pixels]])
                  * (depth / np.float32(self.focal))[key])  # fmt: skip
        colour = np.empty((3, len(pixels)), np.float32)
        for channel in range(3):
            colour[channel] = words >> (8 * channel) & 255
        label = words >> 24
        self._change_displays(colour, label, key, height, front, joined("u") * joined("length"))
        bare = colour.copy() if light.lamps > 0 else None
        sunny = None
        if drive.shadow is not None:
            towards = np.maximum(steady.along(normal, drive.sun), 0) * np.float32(steady.cos(np.radians(light.elevation)) * 1.1)
            shadow = self.look_up(drive.shadow, x, y)
            sunny = np.clip((height - shadow[key]) * 1.5 + 0.5, 0, 1) * towards[key]
        lamp = None
        if light.lamps > 0:
            pool = 0.16 + 0.84 * self.look_up(lamp_pools(place), x, y)
            lamp = pool[key] * steady.exp(-((np.maximum(height - LAMP_HEIGHT, 0) / 3.0) ** 2)) * np.float32(0.85 * light.lamps)
        for channel in range(3):
            factor = self.ambient[channel]
            if sunny is not None:
                factor = factor + self.sun[channel] * sunny
            if lamp is not None:
                factor = factor + LAMP_LIGHT[channel] * lamp
            colour[channel] *= factor
        if light.lamps > 0:
            self._light_windows(colour, bare, label, front[key])
        clear = self.clearness(depth)[key]
        for channel in range(3):
            self.image[channel][pixels] = colour[channel] * clear + self.haze[channel] * (1 - clear)
        self.depth[pixels] = depth[key]

    def _change_displays(
        self, colour: np.ndarray, label: np.ndarray, key: np.ndarray, height: np.ndarray, front: np.ndarray, metres: np.ndarray
    ) -> None:
        """Shop windows and posters show something else on every drive."""
        chosen = np.flatnonzero(label == DISPLAY)
        if len(chosen) == 0:
            return
        pictures = display_pictures()
        where = key[chosen]
        which = (front[where] * 2654435761 + self.drive.number * 40503) % len(pictures)
        size = pictures.shape[1]
        row = (np.clip(1 - height[chosen] / 3.2, 0, 0.999) * size).astype(np.int32)
        column = (metres[where] / 3.6 % 1 * size).astype(np.int32)
        colour[:, chosen] = pictures[which, row, np.minimum(column, size - 1)].T

    def _light_windows(self, colour: np.ndarray, bare: np.ndarray, label: np.ndarray, front: np.ndarray) -> None:
        """Some windows have a light behind them; shops and their signs shine when it is dark."""
        light = self.light
        glass = np.flatnonzero((label >= FIRST_WINDOW) & (label <= LAST_WINDOW))
        chance = ((label[glass].astype(np.int64) * 7919 + front[glass] * 104729 + self.drive.number * 15485863) % 1000) / 1000
        glass, chance = glass[chance < light.lit], chance[chance < light.lit].astype(np.float32)
        strength = (0.45 + 0.4 * chance / max(light.lit, 1e-6)) * (0.35 + 0.65 * light.lamps)
        for channel, warm in enumerate((226.0, 176.0, 104.0)):
            colour[channel][glass] = bare[channel][glass] * 0.35 * (0.5 + 0.5 * light.lamps) + warm * strength
        if light.lamps > 0.2:
            shop = np.flatnonzero((label == DISPLAY) | (label == SIGN))
            colour[:, shop] = bare[:, shop] * (0.5 + 0.6 * light.lamps)

    # -- sky and ground -----------------------------------------------------------------------------------------------
    def draw_sky(self) -> None:
        renderer, sky = self.renderer, self.drive.sky
        below = renderer._rows - self.horizon
        pixels = np.flatnonzero(self.free & (below <= 0.5).ravel())
        if len(pixels) == 0:
            return
        rows, columns = SKY_SHAPE
        azimuth = (self.camera.heading - renderer._angle) / (2 * np.pi)
        column = np.minimum((azimuth % 1 * columns).astype(np.int32), columns - 1)
        row = np.clip((1 + below.ravel()[pixels] / (self.focal * 0.9)) * rows, 0, rows - 1).astype(np.int32)
        texel = row * columns + column[renderer._column_of[pixels]]
        for channel in range(3):
            self.image[channel][pixels] = sky[channel].ravel()[texel]

    def draw_ground(self) -> None:
        renderer, light, drive = self.renderer, self.light, self.drive
        below = (renderer._rows - self.horizon).ravel()
        pixels = np.flatnonzero(self.free & (below > 0.5))
        if len(pixels) == 0:
            return
        column = renderer._column_of[pixels]
        depth = np.minimum(self.focal * self.camera.z / below[pixels], FARTHEST).astype(np.float32)
        side = depth * renderer._tangent[column]
        x = self.origin[0] + depth * self.forward[0] + side * self.right[0]
        y = self.origin[1] + depth * self.forward[1] + side * self.right[1]
        words = self._ground_words(x, y, depth)
        colour = np.empty((3, len(pixels)), np.float32)
        for channel in range(3):
            colour[channel] = words >> (8 * channel) & 255
        if drive.snow > 0:
            cover = (words >> 24).astype(np.float32) * np.float32(drive.snow / 255)
            colour += (226 - colour) * cover
        sunny = 0.0
        if drive.shadow is not None:
            steep = np.float32(steady.sin(np.radians(light.elevation)))
            sunny = np.clip(0.5 - 1.5 * self.look_up(drive.shadow, x, y), 0, 1) * steep
        lamp = (0.12 + 0.88 * self.look_up(lamp_pools(self.place), x, y)) * np.float32(0.95 * light.lamps) if light.lamps else 0.0
        for channel in range(3):
            colour[channel] *= self.ambient[channel] + self.sun[channel] * sunny + LAMP_LIGHT[channel] * lamp
        if light.wet > 0:
            colour = self._mirrored(colour, pixels, below, column, depth)
        clear = self.clearness(depth)
        for channel in range(3):
            self.image[channel][pixels] = colour[channel] * clear + self.haze[channel] * (1 - clear)
        self.depth[pixels] = depth

    def _ground_words(self, x: np.ndarray, y: np.ndarray, depth: np.ndarray) -> np.ndarray:
        atlas = ground_atlas(self.place)
        level = steady.log2(np.maximum(depth * np.float32(1.6 * GROUND_SCALE / self.focal), 1.0)).astype(np.int32)
        level = np.minimum(level, N_LEVELS - 1)
        scale = (GROUND_SCALE / (1 << np.arange(N_LEVELS))).astype(np.float32)[level]
        rows, columns = atlas.rows[0], atlas.columns[0]
        column = np.clip((x - self.corner[0]) * scale, 0, columns[level] - 1).astype(np.int32)
        row = np.clip((y - self.corner[1]) * scale, 0, rows[level] - 1).astype(np.int32)
        return atlas.words[atlas.start[0][level] + row * columns[level] + column]

    def _mirrored(
        self, colour: np.ndarray, pixels: np.ndarray, below: np.ndarray, column: np.ndarray, depth: np.ndarray
    ) -> np.ndarray:
        """A wet road mirrors what stands above it, more so at a flat angle."""
        height, width = self.size
        row = np.clip(np.rint(self.horizon[column] - below[pixels]), 0, height - 1).astype(np.int32)
        mirror = row * width + column
        share = np.where(
            self.free[mirror] & (below[mirror] > 0.5), 0.0, self.light.wet * (0.12 + 0.28 * np.minimum(depth / 15, 1))
        )
        share = share.astype(np.float32)
        reflection = np.where(share > 0, self.image[:, mirror], 0.0)
        return colour * (0.8 - 0.5 * share) + reflection * share
