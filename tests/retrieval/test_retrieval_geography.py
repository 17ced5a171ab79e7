"""Degrees to metres against known arc lengths and great-circle distances."""

import numpy as np
import pytest

from course_utils.retrieval import local_metres, positives_within


@pytest.mark.parametrize(
    ("latitude", "north", "east"),
    [(0.0, 110_574.3, 111_319.5), (45.0, 111_131.7, 78_846.8), (60.0, 111_412.3, 55_800.0)],  # WGS84 length of one degree
)
def test_one_degree_has_its_known_length(latitude, north, east):
    d = 1e-3
    metres = local_metres([latitude, latitude + d, latitude], [10.0, 10.0, 10.0 + d], origin=(latitude, 10.0))
    assert metres[1, 1] / d == pytest.approx(north, abs=3)
    assert metres[2, 0] / d == pytest.approx(east, abs=3)


def test_distances_within_five_kilometres_agree_with_the_great_circle():
    rng = np.random.default_rng(0)
    latitude, longitude = 37.5 + rng.uniform(-0.02, 0.02, 50), 127.0 + rng.uniform(-0.025, 0.025, 50)
    metres = local_metres(latitude, longitude)
    flat = np.hypot(*np.moveaxis(metres[:, None] - metres, -1, 0))
    a, b = np.deg2rad(latitude), np.deg2rad(longitude)
    h = np.sin((a[:, None] - a) / 2) ** 2 + np.cos(a[:, None]) * np.cos(a) * np.sin((b[:, None] - b) / 2) ** 2
    sphere = 2 * 6_371_000 * np.arcsin(np.sqrt(h))
    pairs = sphere > 50
    assert np.abs(flat[pairs] / sphere[pairs] - 1).max() < 5e-3  # the sphere itself is wrong by up to 3e-3


def test_25_metres_are_25_metres_and_not_25_degrees():
    latitude, longitude = np.array([37.5, 37.5 + 24.9 / 110_990, 37.5 + 30 / 110_990]), np.full(3, 127.0)
    metres = local_metres(latitude, longitude, origin=(37.5, 127.0))
    np.testing.assert_array_equal(positives_within(metres[:1], metres, 25.0)[0], [0, 1])
    assert len(positives_within(np.stack([latitude, longitude], 1)[:1], np.stack([latitude, longitude], 1), 25.0)[0]) == 3


def test_neighbours_across_the_date_line_stay_neighbours():
    metres = local_metres([0.0, 0.0], [179.9995, -179.9995])
    assert np.hypot(*(metres[0] - metres[1])) == pytest.approx(111.3, abs=0.1)
    np.testing.assert_allclose(metres.mean(0), 0, atol=1e-6)


def test_queries_and_database_with_one_origin_lie_on_one_map():
    origin = (37.5, 127.0)
    both = local_metres([37.501, 37.502], [127.001, 127.0], origin)
    np.testing.assert_allclose(
        np.concatenate([local_metres([37.501], [127.001], origin), local_metres([37.502], [127.0], origin)]), both
    )


def test_no_positions_give_an_empty_map():
    assert local_metres([], []).shape == (0, 2)


@pytest.mark.parametrize(
    ("latitude", "longitude", "text"),
    [
        ([127.0], [37.5], "Are latitude and longitude swapped"),
        ([37.5], [400.0], "`longitude` must be between -180 and 360"),
        ([37.5, 37.6], [127.0], r"`longitude` must be an array of shape \(2,\)"),
        ([np.nan], [127.0], "`latitude` must be finite"),
    ],
)
def test_wrong_degrees_are_refused_in_words(latitude, longitude, text):
    with pytest.raises(ValueError, match=text):
        local_metres(latitude, longitude)
