"""A town of one crossing and a describer of four colours: light enough for hundreds of updates in a test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from course_utils.explore.city import City
from course_utils.retrieval.attribution import attribute_similarity

SIZE = (24, 32)
GRID = (6, 8)


@dataclass(frozen=True)
class Street:
    x0: float
    y0: float
    x1: float
    y1: float
    width: float


@dataclass(frozen=True)
class Camera:
    x: float
    y: float
    heading: float


class District:
    streets = (Street(0.0, 20.0, 100.0, 20.0, 14.0), Street(40.0, 0.0, 40.0, 60.0, 12.0))
    extent = (-20.0, 120.0, -20.0, 80.0)

    def map_image(self) -> np.ndarray:
        image = np.full((100, 140, 3), 180, np.uint8)
        image[55:65] = image[:, 55:65] = 90
        return image


class Renderer:
    """Paints a gradient whose colours depend on where and when: nearby views look alike."""

    def __init__(self) -> None:
        self.calls = 0

    def render(self, camera, condition="sun", season="summer", traversal=100, noise_seed=0) -> torch.Tensor:
        self.calls += 1
        rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
        angle = camera.heading + columns / SIZE[1]
        red = 128 + 90 * np.sin(angle + camera.x / 9)
        green = 128 + 90 * np.cos(angle + camera.y / 7)
        blue = 100 + 4.0 * rows
        light = 0.4 if condition == "night" else 1.0
        return torch.from_numpy(np.stack([red, green, blue]) * light).clamp(0, 255).byte()


class Describer:
    """VLAD over mean colours of 4 x 4 pixels."""

    centers = np.random.default_rng(3).uniform(40, 200, (5, 3))

    def _locals(self, image: torch.Tensor) -> np.ndarray:
        return torch.nn.functional.avg_pool2d(image.float(), 4).flatten(1).T.double().numpy()

    def describe(self, images: torch.Tensor) -> np.ndarray:
        vectors = []
        for image in images:
            points = self._locals(image)
            nearest = ((points[:, None] - self.centers) ** 2).sum(-1).argmin(1)
            blocks = np.stack([(points[nearest == k] - self.centers[k]).sum(0) for k in range(5)])
            blocks /= np.maximum(np.linalg.norm(blocks, axis=1, keepdims=True), 1e-12)
            vectors.append(blocks.ravel() / np.linalg.norm(blocks))
        return np.array(vectors, np.float32)

    def explain(self, query_image, database_image):
        grids = {"query_grid": GRID, "database_grid": GRID}
        return attribute_similarity(self._locals(query_image), self._locals(database_image), self.centers, **grids)


@dataclass(frozen=True)
class Views:
    images: torch.Tensor
    positions: np.ndarray
    headings: np.ndarray


def views(cameras: list[Camera]) -> Views:
    images = torch.stack([Renderer().render(camera) for camera in cameras])
    places = np.array([[camera.x, camera.y] for camera in cameras], np.float32)
    return Views(images, places, np.array([camera.heading for camera in cameras], np.float32))


@pytest.fixture(scope="session")
def city() -> City:
    stops = [(x, 20.0) for x in range(0, 101, 10)] + [(40.0, y) for y in range(0, 61, 10)]
    database = [Camera(x, y, turn * np.pi / 2) for x, y in stops for turn in range(4)]
    generator = np.random.default_rng(0)
    queries = [
        Camera(*(np.array(stops[i % len(stops)]) + generator.normal(0, 2, 2)), generator.uniform(-3, 3)) for i in range(30)
    ]
    names = ("sun", "overcast", "night"), ("summer", "winter")
    return City(District(), Renderer(), views(database), views(queries), Camera, *names, radius=12.0)


@pytest.fixture(scope="session")
def describer() -> Describer:
    return Describer()
