"""Flat tables of pictures at several resolutions, so that one index reads any texel of any wall.

A picture seen from far away is read from a smaller copy of itself (a mip level): every texel then covers about one
pixel of the view, and distant windows do not flicker. Level 0 is the painted picture, each next level has half its
rows and columns. All levels of all pictures lie one behind the other in one array of 32-bit words; a word is red,
green, blue and the fourth channel (label or snow), lowest byte first.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from course_utils.data.street_world.districts import District
from course_utils.data.street_world.textures import halved

N_LEVELS = 5


@dataclass(frozen=True, eq=False)
class Atlas:
    """``words`` uint32; level ``l`` of picture ``p`` starts at ``start[p, l]`` with ``rows[p, l]`` x ``columns[p, l]``."""

    words: np.ndarray
    start: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


def make_atlas(pictures: list[np.ndarray], labelled: bool) -> Atlas:
    """Return the atlas of uint8 pictures ``(h, w, 4)``.

    ``labelled`` says that the fourth channel is a label, which is picked, not averaged, when a level is halved.
    """
    words, tables, used = [], [], 0
    for picture in pictures:
        table = []
        for level in range(N_LEVELS):
            if level:
                picture = _halved_with_labels(picture) if labelled else halved(picture)
            rows, columns = picture.shape[:2]
            words.append(_words(picture))
            table.append((used, rows, columns))
            used += rows * columns
        tables.append(table)
    table = np.array(tables, np.int32)
    return Atlas(np.concatenate(words), table[..., 0], table[..., 1], table[..., 2])


def _halved_with_labels(picture: np.ndarray) -> np.ndarray:
    height, width = max(1, picture.shape[0] // 2), max(1, picture.shape[1] // 2)
    colour = halved(np.ascontiguousarray(picture[..., :3]))
    return np.dstack([colour, picture[: 2 * height : 2, : 2 * width : 2, 3][:height, :width]])


def _words(picture: np.ndarray) -> np.ndarray:
    parts = picture.astype(np.uint32)
    return (parts[..., 0] | parts[..., 1] << 8 | parts[..., 2] << 16 | parts[..., 3] << 24).ravel()


@lru_cache(maxsize=6)
def wall_atlas(place: District) -> Atlas:
    """Return the atlas of a district's house fronts; the fourth byte is the label of ``facades``."""
    return make_atlas([front.pixels for front in place.fronts], labelled=True)


@lru_cache(maxsize=6)
def ground_atlas(place: District) -> Atlas:
    """Return the atlas of a district's ground (one picture); the fourth byte says how much snow stays lying."""
    return make_atlas([place.ground], labelled=False)
