"""The camera: geometry against pictures that can be predicted, then determinism and light in a real district."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course_utils import data
from course_utils.data.street_world.renderer import FIELD_OF_VIEW
from course_utils.data.street_world.scene import Scene
from course_utils.data.street_world.traversals import CAR, LAMP, PERSON, TREE, make_traversal

RED, GREEN, BLUE = (220, 20, 20), (20, 200, 20), (20, 20, 220)
HEIGHT, WIDTH = 60, 80
FOCAL = WIDTH / 2 / np.tan(np.radians(FIELD_OF_VIEW / 2))


def scene(place, camera, condition="overcast", size=(HEIGHT, WIDTH), season="summer", traversal=0):
    """The picture before sprites and sensor: float image, depth and which pixels are not walls."""
    renderer = data.StreetRenderer(place, size)
    horizon = size[0] / 2 + camera.pitch * size[0] + np.tan(camera.roll) * renderer._across
    made = Scene(renderer, camera, make_traversal(place, traversal, condition, season), horizon.astype(np.float32))
    made.draw_walls()
    made.draw_sky()
    made.draw_ground()
    return made.image.reshape(3, *size), made.depth.reshape(size), ~made.free.reshape(size)


def share_of(image, colour):
    """Where the picture has the hue of ``colour``."""
    channel = int(np.argmax(colour))
    others = [c for c in range(3) if c != channel]
    return image[channel] > 2.2 * np.maximum(image[others[0]], image[others[1]])


def ahead(distance, half_width=5.0, height=6.0, colour=RED, shift=0.0):
    """A wall across the x axis, seen by a camera at the origin that looks east."""
    return (distance, shift + half_width, distance, shift - half_width, height, colour)


def test_a_wall_has_the_size_that_the_pinhole_equation_gives(make_toy):
    place = make_toy(ahead(20.0))
    _, depth, wall = scene(place, data.Camera(0, 0, 0, z=2.0, pitch=0.0))
    rows, columns = np.flatnonzero(wall.any(1)), np.flatnonzero(wall.any(0))
    assert len(columns) == pytest.approx(FOCAL * 10 / 20, abs=1)
    assert len(rows) == pytest.approx(FOCAL * 6 / 20, abs=1)
    assert rows[-1] == pytest.approx(HEIGHT / 2 + FOCAL * 2 / 20, abs=1)
    np.testing.assert_allclose(depth[wall], 20.0, rtol=1e-5)


def test_the_horizon_lies_where_pitch_and_roll_put_it(make_toy):
    place = make_toy(ahead(500.0))
    for pitch, roll in ((0.0, 0.0), (0.2, 0.0), (-0.2, 0.0), (0.0, 0.2)):
        _, depth, _ = scene(place, data.Camera(0, 0, 0, pitch=pitch, roll=roll))
        first_ground_row = np.isfinite(depth).argmax(axis=0)
        expected = HEIGHT / 2 + pitch * HEIGHT + np.tan(roll) * (np.arange(WIDTH) - (WIDTH - 1) / 2)
        np.testing.assert_allclose(first_ground_row, expected, atol=1.6)


def test_ground_depth_follows_the_row(make_toy):
    place = make_toy(ahead(500.0))
    _, depth, _ = scene(place, data.Camera(0, 0, 0, z=1.5, pitch=0.0))
    rows = np.arange(HEIGHT // 2 + 2, HEIGHT)
    np.testing.assert_allclose(depth[rows, 10], FOCAL * 1.5 / (rows - HEIGHT / 2), rtol=1e-4)


def test_what_stands_to_the_left_appears_on_the_left(make_toy):
    place = make_toy(ahead(20.0, 3.0, shift=6.0, colour=RED), ahead(20.0, 3.0, shift=-6.0, colour=BLUE))
    image, _, _ = scene(place, data.Camera(0, 0, 0))
    red, blue = share_of(image, RED), share_of(image, BLUE)
    assert np.flatnonzero(red.any(0)).max() < WIDTH / 2 < np.flatnonzero(blue.any(0)).min()


def test_turning_left_moves_the_picture_to_the_right(make_toy):
    place = make_toy(ahead(20.0, 2.0))
    middle = [np.flatnonzero(scene(place, data.Camera(0, 0, h))[2].any(0)).mean() for h in (-0.3, 0.0, 0.3)]
    assert middle[0] < middle[1] < middle[2]
    assert middle[1] == pytest.approx((WIDTH - 1) / 2, abs=0.6)


def test_a_wall_is_seen_from_its_front_only_and_reads_from_left_to_right(make_toy):
    wall = ahead(20.0)
    place = make_toy(wall)
    place.fronts[0].pixels[:, : place.fronts[0].pixels.shape[1] // 2, :3] = GREEN
    image, _, seen = scene(place, data.Camera(0, 0, 0))
    assert np.flatnonzero(share_of(image, GREEN).any(0)).max() < np.flatnonzero(share_of(image, RED).any(0)).min() + 1
    assert seen.any()
    assert not scene(place, data.Camera(40, 0, np.pi))[2].any()


def test_moving_forward_enlarges(make_toy):
    place = make_toy(ahead(40.0))
    sizes = [scene(place, data.Camera(x, 0, 0))[2].sum() for x in (0, 10, 20, 30)]
    assert sizes[0] < sizes[1] < sizes[2] < sizes[3]


def test_a_nearer_wall_hides_a_farther_one_and_the_taller_rises_above_it(make_toy):
    place = make_toy(ahead(40.0, 8.0, 20.0, RED), ahead(20.0, 8.0, 4.0, BLUE))
    image, depth, _ = scene(place, data.Camera(0, 0, 0, pitch=0.3))
    column = WIDTH // 2
    red, blue = share_of(image, RED)[:, column], share_of(image, BLUE)[:, column]
    assert red.any() and blue.any()
    assert np.flatnonzero(red).max() < np.flatnonzero(blue).min()
    assert set(np.unique(depth[red, column].round())) == {40.0} and set(np.unique(depth[blue, column].round())) == {20.0}
    only_near = scene(make_toy(ahead(20.0, 8.0, 4.0, BLUE)), data.Camera(0, 0, 0, pitch=0.3))[0]
    np.testing.assert_array_equal(image[:, blue, column], only_near[:, blue, column])


def test_a_low_wall_does_not_hide_the_ground_behind_it_from_a_high_camera(make_toy):
    place = make_toy(ahead(10.0, 30.0, 1.0, BLUE))
    _, depth, wall = scene(place, data.Camera(0, 0, 0, z=4.0, pitch=0.0))
    column = WIDTH // 2
    above = np.isfinite(depth[:, column]) & ~wall[:, column] & (np.arange(HEIGHT) < np.flatnonzero(wall[:, column])[0])
    assert above.any() and (depth[above, column] > 10).all()


def test_fog_swallows_what_is_far(make_toy):
    place = make_toy(ahead(60.0, 3.0, 6.0, RED, 8.0), ahead(12.0, 3.0, 6.0, RED, -4.0))
    image, depth, wall = scene(place, data.Camera(0, 0, 0), "fog")
    redness = image[0] - image[2]
    far, near = redness[wall & (depth > 50)].mean(), redness[wall & (depth < 15)].mean()
    assert 0 < far < 0.45 * near


def test_a_shadow_of_a_house_lies_on_the_side_away_from_the_sun(place):
    from course_utils.data.street_world.weather import shadow_heights

    shadow = shadow_heights(place, azimuth=0.0, elevation=45.0)  # the sun stands in the east
    x_min, _, y_min, _ = place.bounds
    lot = max(place.lots, key=lambda lot: lot.height)
    x0, y0, _, y1 = lot.footprint
    row = int(((y0 + y1) / 2 - y_min) * 4)
    west = shadow[row, int((x0 - 2 - x_min) * 4)] if x0 - 2 > x_min else np.inf
    assert west > lot.height - 5
    np.testing.assert_array_less(shadow, max(lot.height for lot in place.lots))


# -- in a real district ---------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def renderer(place):
    return data.StreetRenderer(place)


@pytest.fixture(scope="module")
def cameras(place):
    return [
        data.Camera(*street.point(0.4 * street.length, 1.0), street.heading + 1.5 * i) for i, street in enumerate(place.streets)
    ]


def test_a_view_is_the_same_bytes_alone_and_in_any_batch(renderer, cameras):
    n = len(cameras)
    conditions, seasons = [data.CONDITIONS[i % 7] for i in range(n)], [data.SEASONS[i % 4] for i in range(n)]
    together = renderer.render_many(cameras, conditions, seasons, list(range(100, 100 + n)), list(range(n)))
    assert together.shape == (n, 3, 96, 128) and together.dtype == torch.uint8
    order = list(reversed(range(n)))
    backwards = renderer.render_many(
        [cameras[i] for i in order], [conditions[i] for i in order], [seasons[i] for i in order], [100 + i for i in order], order
    )
    for i in range(n):
        alone = data.StreetRenderer(renderer.district).render(cameras[i], conditions[i], seasons[i], 100 + i, i)
        assert torch.equal(alone, together[i]) and torch.equal(alone, backwards[order.index(i)])


def test_an_array_holds_the_same_bytes_as_the_tensor(renderer, cameras):
    array = renderer.render_array(cameras[0], "dusk", "autumn", 101, 7)
    assert isinstance(array, np.ndarray) and array.dtype == np.uint8
    np.testing.assert_array_equal(array, renderer.render(cameras[0], "dusk", "autumn", 101, 7).numpy())


def test_a_view_can_be_made_without_loading_torch():
    program = (
        "import sys; from course_utils import data\n"
        "data.StreetRenderer(data.district(11, 'validation'), (24, 32)).render_array(data.Camera(60.0, 0.0, 0.0))\n"
        "print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_view_does_not_depend_on_the_number_of_threads(renderer, cameras):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        two = renderer.render(cameras[0], "rain")
        torch.set_num_threads(1)
        assert torch.equal(renderer.render(cameras[0], "rain"), two)
    finally:
        torch.set_num_threads(threads)


def test_another_noise_seed_changes_grain_but_not_the_scene(renderer, cameras):
    first, second = (renderer.render(cameras[1], "overcast", traversal=0, noise_seed=s).float() for s in (2, 3))
    assert not torch.equal(first, second)
    coarse = [torch.nn.functional.avg_pool2d(v, 16).flatten() for v in (first, second)]
    assert torch.corrcoef(torch.stack(coarse))[0, 1] > 0.97


def test_another_traversal_moves_cars_and_people_but_neither_walls_nor_trees(place, cameras):
    one, two = (make_traversal(place, number, "overcast", "summer") for number in (0, 1))
    for kind in (TREE, LAMP):
        np.testing.assert_array_equal(one.position[one.kind == kind], two.position[two.kind == kind])
    for kind in (CAR, PERSON):
        first, second = one.position[one.kind == kind], two.position[two.kind == kind]
        apart = np.linalg.norm(first[:, None] - second[None], axis=2).min(axis=1)
        assert len(first) > 20 and np.median(apart) > 0.1
    views = [scene(place, cameras[0], traversal=number) for number in (0, 1)]
    np.testing.assert_array_equal(views[0][1], views[1][1])


def test_the_weather_moves_nothing(place):
    one, two = make_traversal(place, 104, "night", "winter"), make_traversal(place, 104, "sun", "summer")
    np.testing.assert_array_equal(one.position, two.position)
    np.testing.assert_array_equal(one.individual, two.individual)


def test_night_is_darker_than_every_other_condition(renderer, cameras):
    brightness = {
        condition: renderer.render_many(cameras, condition).float().mean().item() for condition in data.CONDITIONS
    }  # fmt: skip
    assert min(brightness, key=brightness.get) == "night"
    assert brightness["night"] < 0.55 * brightness["overcast"]


def test_lamps_light_the_road_at_night(place):
    street = place.streets[0]
    lamp = min(map(tuple, place.lamps.tolist()), key=lambda p: abs(p[0] - street.x0))
    from course_utils.data.street_world.weather import lamp_pools

    pools = lamp_pools(place)
    x_min, _, y_min, _ = place.bounds
    assert pools[int((lamp[1] - y_min) * 4), int((lamp[0] - x_min) * 4)] > 0.7
    assert 0 <= pools.min() < 0.05 and pools.max() < 1.3


def test_snow_lies_on_the_ground_in_winter_only(place, renderer, cameras):
    summer, winter = (renderer.render_many(cameras, "overcast", season).float() for season in ("summer", "winter"))
    assert winter[..., 80:, :].mean() > summer[..., 80:, :].mean() + 15


def test_a_car_stands_in_front_of_the_walls_behind_it(place, cameras):
    renderer = data.StreetRenderer(place)
    found = 0
    for camera in cameras:
        bare = scene(place, camera, size=(96, 128))[1]
        drive = make_traversal(place, 0, "overcast", "summer")
        made = Scene(renderer, camera, drive, (48 + camera.pitch * 96 + 0 * renderer._across).astype(np.float32))
        made.draw_walls(), made.draw_sky(), made.draw_ground()
        from course_utils.data.street_world.billboards import draw_billboards

        draw_billboards(made)
        after = made.depth.reshape(96, 128)
        assert (after <= bare).all()
        found += (after < bare).sum()
    assert found > 200


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    x=st.floats(-500, 500), y=st.floats(-500, 500), heading=st.floats(-20, 20), z=st.floats(0.1, 60),
    pitch=st.floats(-3, 3), roll=st.floats(-1, 1), condition=st.sampled_from(data.CONDITIONS),
)  # fmt: skip
def test_any_pose_gives_a_picture(place, x, y, heading, z, pitch, roll, condition):
    """Inside houses, outside the district, with the horizon far out of the picture."""
    renderer = data.StreetRenderer(place, (24, 32))
    view = renderer.render(data.Camera(x, y, heading, z, pitch, roll), condition)
    assert view.shape == (3, 24, 32) and view.dtype == torch.uint8


@pytest.mark.parametrize("size", [(8, 8), (33, 47), (120, 90)])
def test_any_size_is_rendered(place, cameras, size):
    assert data.StreetRenderer(place, size).render(cameras[0], "rain").shape == (3, *size)


@pytest.mark.parametrize(
    "options, text",
    [
        ({"condition": "snow"}, "`condition` must be one of 'sun', 'low sun'"),
        ({"season": "monsoon"}, "`season` must be one of 'spring'"),
        ({"traversal": -1}, "`traversal` must be an integer of at least 0"),
        ({"noise_seed": -1}, "`noise_seed` must be an integer of at least 0"),
        ({"camera": data.Camera(float("nan"), 0, 0)}, "`camera.x` must be a finite number, but got nan"),
        ({"camera": data.Camera(0, 0, 0, z=-1)}, "`camera.z` must be a finite number between 0.1 and 100.0"),
    ],
)
def test_wrong_arguments_are_named(renderer, options, text):
    arguments = {"camera": data.Camera(0, 0, 0)} | options
    with pytest.raises(ValueError, match=text):
        renderer.render(arguments.pop("camera"), **arguments)


def test_wrong_kinds_are_named(renderer):
    with pytest.raises(TypeError, match=r"`camera` must be a Camera, but got tuple. Make one with data.Camera"):
        renderer.render((0, 0, 0))
    with pytest.raises(TypeError, match=r"`district` must be a District, but got str. Make one with data.district"):
        data.StreetRenderer("test")
    with pytest.raises(ValueError, match="`condition` must be one value or 2 values, one per camera, but got 1 values"):
        renderer.render_many([data.Camera(0, 0, 0)] * 2, condition=["sun"])


def test_no_cameras_give_no_views(renderer):
    assert renderer.render_many([]).shape == (0, 3, 96, 128)
