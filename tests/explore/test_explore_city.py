"""The city navigator on a town of one crossing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from course_utils.explore.canvas import Event
from course_utils.explore.city import CityModel, compass
from course_utils.explore.city_navigator import CityNavigator
from course_utils.explore.city_views import MAP_SIZE, STRIP, _apart, heat
from course_utils.explore.scene import Circle, Picture


@pytest.fixture(scope="module")
def navigator(city, describer) -> CityNavigator:
    return CityNavigator(describer, city=city)


@pytest.fixture(autouse=True)
def _start(navigator) -> None:
    navigator.reset()


def _send(navigator, view: str, *events: dict) -> None:
    canvas = navigator.canvases[view]
    canvas.receive({"kind": "events", "counter": canvas.answer + 1, "events": list(events)})
    assert navigator.last_error is None


def test_results_are_the_most_similar_database_images_in_order(navigator, city, describer) -> None:
    result = navigator.result
    view = describer.describe(city.renderer.render(city.camera(*_pose(navigator)), condition="overcast", season="summer")[None])
    similarities = describer.describe(city.database.images) @ view[0]
    assert result.ranked.tolist() == np.argsort(-similarities, kind="stable")[:5].tolist()
    np.testing.assert_allclose(result.similarities, similarities, atol=1e-6)


def _pose(navigator) -> tuple[float, float, float]:
    return navigator.state.x, navigator.state.y, navigator.state.heading


def test_right_means_within_the_radius_and_the_radius_is_drawn(navigator, city) -> None:
    result, state = navigator.result, navigator.state
    distance = np.hypot(*(city.database.positions[result.ranked] - [state.x, state.y]).T)
    assert result.right.tolist() == (distance <= city.radius).tolist()
    circles = [layer for layer in navigator.scenes()["map"].layers if isinstance(layer, Circle)]
    assert {circle.radius for circle in circles} == {city.radius}


def test_the_attribution_sums_to_the_similarity_of_the_chosen_result(navigator) -> None:
    for choice in range(5):
        navigator.state = replace(navigator.state, choice=choice)
        result = navigator.result
        similarity = result.similarities[result.ranked[choice]]
        assert result.attribution.per_cluster.sum() == pytest.approx(similarity, abs=1e-6)
        assert result.attribution.query.sum() == pytest.approx(similarity, abs=1e-6)


def test_a_move_renders_one_view_and_hovering_choosing_brushing_none(navigator, city) -> None:
    before = city.renderer.calls
    _send(navigator, "map", {"kind": "move", "name": "camera", "x": 55.0, "y": 21.0})
    assert city.renderer.calls == before + 1
    word = int(navigator.result.words[0])
    _send(navigator, "camera", {"kind": "hover", "name": f"word{word}"})
    _send(navigator, "results", {"kind": "press", "name": "result2"})
    _send(navigator, "map", {"kind": "brush", "name": "brush", "box": [0, 50, 0, 50]})
    assert city.renderer.calls == before + 1


def test_the_camera_cannot_leave_the_streets(navigator) -> None:
    _send(navigator, "map", {"kind": "move", "name": "camera", "x": 70.0, "y": 40.0})
    assert (navigator.state.x, navigator.state.y) == pytest.approx((70.0, 20.0 + 14 / 2 - 2.2))


def test_a_tap_on_the_map_jumps_to_the_nearest_street(navigator) -> None:
    _send(navigator, "map", {"kind": "tap", "name": "", "x": 44.0, "y": 58.0})
    assert navigator.state.x == pytest.approx(43.8) and navigator.state.y == pytest.approx(58.0)


def test_the_arrow_turns_the_camera(navigator) -> None:
    x, y, _ = _pose(navigator)
    _send(navigator, "map", {"kind": "move", "name": "heading", "x": x, "y": y + 15})
    assert navigator.state.heading == pytest.approx(np.pi / 2)
    assert "Looking north" in navigator.status


def test_recall_in_a_rectangle_counts_the_queries_inside(navigator, city, describer) -> None:
    box = (-5.0, 60.0, 10.0, 70.0)
    _send(navigator, "map", {"kind": "brush", "name": "brush", "box": list(box)})
    found, n = {1: 0, 5: 0, 10: 0}, 0
    database = describer.describe(city.database.images)
    for position, vector in zip(city.queries.positions, describer.describe(city.queries.images)):
        if not (box[0] <= position[0] <= box[1] and box[2] <= position[1] <= box[3]):
            continue
        n += 1
        order = np.argsort(-(database @ vector), kind="stable")
        near = np.hypot(*(city.database.positions[order] - position).T) <= city.radius
        for k in found:
            found[k] += bool(near[:k].any())
    assert 0 < n < len(city.queries.positions)
    assert navigator.result.inside.sum() == n
    assert navigator.result.recall == pytest.approx({k: count / n for k, count in found.items()})
    assert f"In the rectangle: {n} queries, Recall@1 {found[1] / n:.2f}" in navigator.status
    _send(navigator, "map", {"kind": "press", "name": "clear"})
    assert navigator.state.brush is None and "On the whole map" in navigator.status


def test_an_empty_rectangle_says_so(navigator) -> None:
    navigator.state = replace(navigator.state, brush=(500.0, 510.0, 500.0, 510.0))
    assert "no queries" in navigator.status and "nan" not in navigator.status


def test_choosing_a_result_shows_why_and_a_word_shows_only_its_pixels(navigator) -> None:
    def pictures() -> list[np.ndarray]:
        return [layer.pixels for layer in navigator.scenes()["camera"].layers if isinstance(layer, Picture)]

    assert len(pictures()) == 2
    _send(navigator, "results", {"kind": "press", "name": "result1"})
    assert navigator.state.why and navigator.state.choice == 1
    everything = pictures()
    assert len(everything) == 4
    word = int(navigator.result.words[0])
    _send(navigator, "camera", {"kind": "press", "name": f"word{word}"})
    assert navigator.result.word == word and f"Word {word} adds" in navigator.status
    assert not np.array_equal(pictures()[2], everything[2])
    _send(navigator, "camera", {"kind": "press", "name": f"word{word}"})
    assert navigator.result.word == -1


def test_night_is_another_picture_than_day(navigator) -> None:
    day = navigator.result.image.mean()
    navigator.state = replace(navigator.state, condition="night")
    assert navigator.result.image.mean() < 0.6 * day


def test_an_unknown_condition_is_told_in_the_error_line(navigator) -> None:
    good = navigator.state
    navigator.state = replace(navigator.state, condition="hail")
    assert "`condition` must be one of 'sun'" in navigator.error
    assert navigator.state == good
    navigator.last_error = None


def test_given_vectors_are_used_and_must_fit(city, describer) -> None:
    vectors = describer.describe(city.database.images), describer.describe(city.queries.images)

    class Silent:
        explain = describer.explain

        def describe(self, images):
            assert len(images) == 1, "only the camera's view is left to describe"
            return describer.describe(images)

    CityNavigator(Silent(), city=city, database_vectors=vectors[0], query_vectors=vectors[1])
    with pytest.raises(ValueError, match=r"`database_vectors` must be of shape \(72, V\), but got shape \(71, 15\)"):
        CityModel(describer, city, database_vectors=vectors[0][1:])


def test_a_describer_without_explain_is_refused(city) -> None:
    with pytest.raises(TypeError, match="`describer` must be an object with describe and explain, but got dict"):
        CityModel({}, city)


def test_heat_is_yellow_where_it_adds_blue_where_it_takes_and_dark_elsewhere() -> None:
    centers = np.array([2.0, 6.0, 10.0])
    overlay = heat(np.array([1.0, 0, 0, 0, 0, 0, 0, 0, -1.0]), (3, 3), (centers, centers), (12, 12))
    assert overlay.shape == (12, 12, 4)
    first, middle, last = overlay[1, 1, :3].astype(int), overlay[5, 5, :3].astype(int), overlay[10, 10, :3].astype(int)
    assert first[0] > 100 > first[2]  # yellow
    assert last[2] > 100 > last[0]  # blue
    assert middle.max() < 60


def test_numbers_of_results_do_not_cover_each_other_or_the_camera() -> None:
    places = _apart(np.zeros((5, 2)), 4.0, np.zeros((1, 2)))
    everything = np.concatenate([np.zeros((1, 2)), places])
    gaps = np.hypot(*(everything[:, None] - everything).transpose(2, 0, 1)) + 99 * np.eye(6)
    assert gaps.min() >= 7.5


def test_the_map_is_drawn_to_scale_and_shows_every_street(navigator, city) -> None:
    left, right, bottom, top = navigator.scenes()["map"].box
    assert (right - left) / MAP_SIZE[0] == pytest.approx((top - bottom) / MAP_SIZE[1])
    metre = (right - left) / MAP_SIZE[0]
    for street in city.district.streets:
        assert left < min(street.x0, street.x1) and max(street.x0, street.x1) < right
        assert bottom + STRIP * metre < min(street.y0, street.y1) and max(street.y0, street.y1) < top


def test_unknown_events_change_nothing(navigator) -> None:
    for react in (navigator.react_map, navigator.react_camera, navigator.react_results):
        assert react(navigator.state, Event("release", "camera")) == navigator.state


def test_eight_directions_have_names() -> None:
    assert [compass(k * np.pi / 4) for k in (0, 1, 2, 3, 4, -3, -2, -1)] == [
        "east", "north-east", "north", "north-west", "west", "south-west", "south", "south-east",
    ]  # fmt: skip
