"""A real district, shared by all tests, and a toy one whose pictures can be predicted."""

import numpy as np
import pytest

from course_utils.data.street_world.districts import District, Street, district
from course_utils.data.street_world.facades import Front
from course_utils.data.street_world.styles import WALL


@pytest.fixture(scope="session")
def place():
    """The smallest real district."""
    return district(11, "validation")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Never read or fill the reader's cache folder."""
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def make_toy():
    return toy_district


def toy_district(*walls: tuple) -> District:
    """Return an empty plain of 200 x 200 m with vertical walls ``(x0, y0, x1, y1, height, colour)``.

    A wall is seen from the side on which its first end is on the left.
    """
    ends = np.array([wall[:4] for wall in walls], np.float32)
    along = ends[:, 2:] - ends[:, :2]
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    heights = np.array([wall[4] for wall in walls], np.float32)
    fronts = []
    for x0, y0, x1, y1, height, colour in walls:
        shape = (round(12 * height), round(12 * np.hypot(x1 - x0, y1 - y0)))
        pixels = np.empty((*shape, 4), np.uint8)
        pixels[..., :3], pixels[..., 3] = colour, WALL
        fronts.append(Front(pixels, height, height, colour))
    return District(
        seed=0,
        number=9,
        name="toy",
        streets=[Street(-100.0, 0.0, 100.0, 0.0, 15.0)],
        blocks=np.array([[-100.0, 90.0, 100.0, 100.0], [-100.0, -100.0, 100.0, -90.0]]),
        lots=[],
        walls=ends,
        normals=np.stack([along[:, 1], -along[:, 0]], axis=1),
        eaves=heights,
        tops=heights,
        front_of=np.arange(len(walls)),
        fronts=fronts,
        trees=np.zeros((0, 2), np.float32),
        lamps=np.zeros((0, 2), np.float32),
    )
