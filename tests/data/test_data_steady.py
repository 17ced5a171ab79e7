"""Pictures that repeat byte for byte: the functions that make it so, and the proof under other instruction sets."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import elsewhere
import numpy as np
import pytest

from course_utils.data import steady, street_world

ROOMS = ("street_world", "sprite_scenes", "sprites", "pedestrians")
FREE = {"exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2",
        "hypot", "power", "angle", "dot", "matmul", "einsum", "inner", "tensordot", "linalg"}  # fmt: skip
"""What IEEE 754 leaves to the library."""

DRAW = """
import sys
import numpy as np
from course_utils import data
from course_utils.data.sprite_scenes.composition import composed

place, pictures = data.district(11, "validation"), {"map": None, "ground": None}
pictures["map"], pictures["ground"] = place.map_image(), place.ground
renderer = data.StreetRenderer(place)
for i, condition in enumerate(data.CONDITIONS):
    for k, street in enumerate(place.streets):
        camera = data.Camera(*street.point(0.37 * street.length, 0.8), street.heading + 0.4 + k, roll=0.02)
        pictures[f"street {condition} {k}"] = renderer.render_array(camera, condition, data.SEASONS[(i + k) % 4], 100 + i, k)
for i in range(12):
    scene = composed("train", 1, i, 96)
    pictures[f"scene {i}"], pictures[f"boxes {i}"] = scene.image, scene.boxes
for label in (-1, 0, 3):
    view = data.landmarks.rendered_view("query", label, 0)
    pictures[f"landmark {label}"], pictures[f"mask {label}"] = view.image.numpy(), view.mask.numpy()
for views in data.sprites.VIEWS:
    toys = data.Sprites("test", n=6, size=40, occlusion=0.3, views=views)
    pictures[f"sprites {views}"], pictures[f"masks {views}"] = toys.images.numpy(), toys.masks.numpy()
    pictures[f"points {views}"] = toys.keypoints.nan_to_num().numpy()
pictures["creatures"] = data.Creatures("test", n=8, size=48, occlusion=0.3).images.numpy()
pictures["people"] = data.Pedestrians("query", n_people=6).images.numpy()
pictures["hidden scene"] = composed("test", 1, 3, 96, occlusion=0.3).image
np.savez(sys.argv[1], **pictures)
"""


def drawn(file: Path, settings: dict[str, str]) -> dict[str, np.ndarray]:
    environment = {**os.environ, **settings, "COURSE_CACHE": str(file.parent / file.stem)}
    done = subprocess.run([sys.executable, "-c", DRAW, str(file)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with np.load(file) as archive:
        return dict(archive)


@pytest.mark.slow
def test_every_generated_picture_is_the_same_bytes_under_other_instruction_sets(tmp_path):
    if not elsewhere.the_simplest():
        pytest.skip("NumPy uses nothing here that could be switched off")
    here, there = drawn(tmp_path / "here.npz", {}), drawn(tmp_path / "there.npz", elsewhere.the_simplest())
    different = {name: int((here[name] != there[name]).sum()) for name in here if not np.array_equal(here[name], there[name])}
    assert len(here) > 60 and not different, f"values that differ: {different}"


@pytest.mark.parametrize("room", ROOMS)
def test_what_draws_takes_its_elementary_functions_and_products_from_one_place(room):
    """The test above sees some pictures; this one sees all code."""
    found = []
    for file in sorted((Path(street_world.__file__).parents[1] / room).glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            numpy_name = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "np"
            if numpy_name and node.attr in FREE:
                found.append(f"{file.name}:{node.lineno} np.{node.attr}")
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
                found.append(f"{file.name}:{node.lineno} @")
    assert not found, f"{found}: use course_utils.data.steady"


FUNCTIONS = [(steady.exp, np.exp), (steady.log2, np.log2), (steady.sin, np.sin), (steady.cos, np.cos), (steady.tan, np.tan)]


@pytest.mark.parametrize(("own", "numpy"), FUNCTIONS, ids=lambda f: f.__name__)
def test_a_steady_function_is_numpys_to_nine_decimals(own, numpy):
    x = np.random.default_rng(0).uniform(0.1, 1.4, 1000)
    np.testing.assert_allclose(own(x), numpy(x), rtol=0, atol=6e-10)
    assert own(x).dtype == np.float64 and own(x.astype(np.float32)).dtype == np.float32


def test_power_and_arctan2_are_numpys_to_nine_decimals():
    x = np.random.default_rng(0).uniform(0, 2, 1000)
    np.testing.assert_allclose(steady.power(x, 1.3), x**1.3, rtol=0, atol=6e-10)
    np.testing.assert_allclose(steady.arctan2(x - 1, x[::-1] - 1), np.arctan2(x - 1, x[::-1] - 1), rtol=0, atol=6e-10)


def test_the_last_bits_of_a_library_vanish():
    x = np.random.default_rng(0).uniform(-1, 1, 10_000)
    np.testing.assert_array_equal(steady.rounded(np.nextafter(x, np.inf)), steady.rounded(x))


def test_a_product_along_a_direction_is_the_matrix_product():
    r = np.random.default_rng(0)
    vectors, direction = r.normal(size=(50, 2)), r.normal(size=2)
    np.testing.assert_allclose(steady.along(vectors, direction), vectors @ direction, rtol=1e-14)
    assert steady.along(vectors.astype(np.float32), direction.astype(np.float32)).dtype == np.float32
