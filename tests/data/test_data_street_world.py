"""Districts and the data set: what is where, what is noisy, what is disjoint, what never changes."""

import numpy as np
import pytest
import torch

from course_utils import data
from course_utils.data.street_world import places
from course_utils.data.street_world.districts import LAYOUTS
from course_utils.data.street_world.facades import paint_front
from course_utils.data.street_world.ground import GRASS, PAVING, ROAD
from course_utils.data.street_world.sprites import POOL, SpriteAtlas, draw_sprite
from course_utils.data.street_world.styles import DISPLAY, LAST_WINDOW, SIGN, make_style
from course_utils.data.street_world.textures import PIXELS_PER_METRE, cut, material, painted, stream
from course_utils.data.street_world.traversals import make_traversal
from course_utils.data.street_world.weather import paint_sky

SMALL = (24, 32)


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_CACHE", str(tmp_path_factory.mktemp("views")))
        yield data.StreetWorld("validation_database", size=SMALL)


@pytest.fixture(scope="module")
def queries(database, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_CACHE", str(tmp_path_factory.mktemp("views")))
        yield data.StreetWorld("validation_queries", size=SMALL)


# -- the data set ---------------------------------------------------------------------------------------------------------
def test_every_attribute_has_its_promised_shape_and_type(database, queries):
    for world in (database, queries):
        n = len(world)
        assert world.images.shape == (n, 3, *SMALL) and world.images.dtype == torch.uint8
        assert world.positions.shape == world.true_positions.shape == (n, 2)
        assert world.positions.dtype == world.true_positions.dtype == world.headings.dtype == torch.float32
        assert world.traversals.shape == (n,) and world.traversals.dtype == torch.int64
        assert len(world.conditions) == len(world.seasons) == len(world.cameras) == n
        assert world.district is data.district(11, "validation")


def test_an_item_agrees_with_the_tensors(queries):
    view = queries[5]
    assert torch.equal(view.image, queries.images[5]) and torch.equal(view.position, queries.positions[5])
    assert view.heading == pytest.approx(float(queries.headings[5])) and view.traversal == int(queries.traversals[5])
    assert view.condition == queries.conditions[5] and view.season == queries.seasons[5]
    with pytest.raises(AttributeError):
        view.heading = 0.0


def test_the_images_can_be_rendered_again_from_their_cameras(queries):
    renderer = data.StreetRenderer(queries.district, SMALL)
    for i in (0, 7, 31):
        again = renderer.render(
            queries.cameras[i], queries.conditions[i], queries.seasons[i], int(queries.traversals[i]), 1_000_000 + i
        )
        assert torch.equal(again, queries.images[i])


def test_the_fingerprint_of_the_world_has_not_changed(database, queries):
    """Changed on purpose? Then raise places.GENERATOR_VERSION and write the new fingerprints down here."""
    assert (database.fingerprint(), queries.fingerprint()) == ("8de718003472bf3a", "dde0e753fd668c4a")


def test_the_fingerprint_notices_a_change(queries):
    before = queries.fingerprint()
    queries.images[0] //= 2
    try:
        assert queries.fingerprint() != before
    finally:
        queries.images[0] = data.StreetRenderer(queries.district, SMALL).render(
            queries.cameras[0], queries.conditions[0], queries.seasons[0], int(queries.traversals[0]), 1_000_000
        )
    assert queries.fingerprint() == before


def test_the_second_time_the_images_come_from_the_disk(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    monkeypatch.setitem(places.N_QUERIES, "validation", (3, 3))
    first = data.StreetWorld("validation_queries", size=(8, 8))
    monkeypatch.setattr(data.StreetWorld, "_render", lambda self: pytest.fail("rendered again"))
    assert torch.equal(data.StreetWorld("validation_queries", size=(8, 8)).images, first.images)


def test_the_database_looks_in_four_directions_from_every_stop(database):
    headings = database.headings.reshape(-1, 4)
    turns = torch.diff(headings, dim=1)
    assert (turns - np.pi / 2).abs().max() < np.radians(4) * 2 * 5
    stops = database.true_positions.reshape(-1, 4, 2)
    assert torch.equal(stops, stops[:, :1].expand_as(stops))
    assert set(database.conditions) == {"overcast"} and set(database.traversals.tolist()) == {0}


def test_stops_are_eight_metres_apart(database):
    stops = database.true_positions[::4].double()
    nearest = (torch.cdist(stops, stops) + 1e9 * torch.eye(len(stops))).min(dim=1).values
    assert 6.5 < nearest.median() < 9


def test_gps_noise_has_the_stated_size_and_no_bias(database, queries):
    noise = torch.cat([w.positions - w.true_positions for w in (database, queries)])
    n = len(noise)
    assert noise.mean(dim=0).abs().max() < 4 * places.GPS_NOISE / n**0.5
    assert abs(noise.std() - places.GPS_NOISE) < 4 * places.GPS_NOISE / (4 * n) ** 0.5
    assert abs(torch.corrcoef(noise.T)[0, 1]) < 4 / n**0.5


def test_queries_come_in_all_conditions_and_seasons_and_never_on_a_survey_drive(queries):
    assert set(queries.conditions) == set(data.CONDITIONS) and set(queries.seasons) == set(data.SEASONS)
    assert queries.traversals.min() >= 100


def test_every_query_has_a_database_image_within_the_evaluation_radius(database, queries):
    nearest = torch.cdist(queries.positions, database.positions).min(dim=1).values
    assert (nearest < data.EVALUATION_RADIUS).all()
    assert data.POSITIVE_RADIUS < data.EVALUATION_RADIUS < data.NEGATIVE_RADIUS


def test_cameras_stand_on_the_carriageway(queries):
    for camera in queries.cameras:
        x, y, _ = data.nearest_street_point(queries.district, camera.x, camera.y)
        assert np.hypot(x - camera.x, y - camera.y) < 1e-6


def test_the_description_says_what_there_is(database, queries):
    assert "one every 8 m in four directions" in database.description and "overcast" in database.description
    assert f"{len(queries)} query images" in queries.description and "7 conditions" in queries.description
    assert repr(queries) == f"StreetWorld('validation_queries', seed=11: {len(queries)} images of 24 x 32)"


def test_an_unknown_split_is_refused_with_the_list():
    with pytest.raises(ValueError, match="`split` must be one of 'train_database', .* but got 'test'"):
        data.StreetWorld("test")


@pytest.mark.parametrize("seed, error", [(-1, ValueError), (1.5, TypeError), (True, TypeError)])
def test_a_wrong_seed_is_refused(seed, error):
    with pytest.raises(error, match="`seed` must be an integer of at least 0"):
        data.StreetWorld("test_queries", seed=seed)


def test_it_feeds_a_data_loader(queries):
    batch = next(iter(torch.utils.data.DataLoader(queries, batch_size=4, collate_fn=list)))
    assert [view.image.shape for view in batch] == [(3, *SMALL)] * 4


# -- districts ------------------------------------------------------------------------------------------------------------
def test_the_splits_are_different_districts_without_a_common_house():
    numbers = [LAYOUTS[name][0] for name in ("train", "validation", "test")]
    assert len(set(numbers)) == 3
    style = make_style(11, 0)
    fronts = [paint_front((11, 12, number, 0, 0, 0), 10.0, 3, style).pixels for number in numbers]
    shapes = {front.shape for front in fronts}
    assert len(shapes) > 1 or not any(np.array_equal(fronts[0], front) for front in fronts[1:])


def test_another_seed_is_another_town_and_the_same_seed_the_same_one(place):
    from course_utils.data.street_world.districts import _Builder

    again = _Builder(11, "validation", *(LAYOUTS["validation"][0], *LAYOUTS["validation"][1])).build()
    np.testing.assert_array_equal(again.walls, place.walls)
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(again.fronts, place.fronts))
    assert make_style(11, 3) == make_style(11, 3) != make_style(12, 3)


def test_walls_face_the_street(place):
    """A step outward from the middle of every front leads to the pavement, never into a house."""
    walls, normals = place.walls, place.normals
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, rtol=1e-5)
    along = walls[:, 2:] - walls[:, :2]
    np.testing.assert_allclose((along * normals).sum(axis=1), 0, atol=1e-3)
    for x0, y0, x1, _ in place.blocks:
        on_edge = (np.abs(walls[:, 1] - y0) < 1.7) & (np.abs(walls[:, 3] - y0) < 1.7) & (normals[:, 1] == -1)
        on_edge &= (walls[:, 0] >= x0 - 1e-3) & (walls[:, 2] <= x1 + 1e-3)
        assert (walls[on_edge, 2] > walls[on_edge, 0]).all()


def test_streets_are_free_of_houses(place):
    for street in place.streets:
        for along in np.linspace(0, street.length, 50):
            for aside in (-0.45, 0.0, 0.45):
                x, y = street.point(along, aside * street.width)
                assert not any(x0 < x < x1 and y0 < y < y1 for x0, y0, x1, y1 in (lot.footprint for lot in place.lots))


def test_the_nearest_street_point_of_a_point_on_the_road_is_the_point(place):
    street = place.streets[0]
    x, y = street.point(30.0, 2.0)
    assert data.nearest_street_point(place, x, y) == pytest.approx((x, y, street.heading))


def test_the_nearest_street_point_agrees_with_a_search_over_all_streets(place):
    r = np.random.default_rng(0)
    x_min, x_max, y_min, y_max = place.bounds
    for x, y in zip(r.uniform(x_min - 50, x_max + 50, 40), r.uniform(y_min - 50, y_max + 50, 40)):
        best = np.inf
        for street in place.streets:
            for aside in np.linspace(-1, 1, 41) * (street.width / 2 - 2.2):
                px, py = street.point(np.linspace(0, street.length, 200), aside)
                best = min(best, np.hypot(px - x, py - y).min())
        px, py, _ = data.nearest_street_point(place, x, y)
        assert np.hypot(px - x, py - y) <= best + 1e-6
        assert best - np.hypot(px - x, py - y) < 1.0
        assert data.nearest_street_point(place, px, py)[:2] == pytest.approx((px, py))


def test_the_nearest_street_point_refuses_a_point_that_is_none(place):
    with pytest.raises(ValueError, match="`x` must be a finite number"):
        data.nearest_street_point(place, float("inf"), 0.0)


def test_the_map_is_to_scale(place):
    """The centre lines are asphalt or paint on the map, the middle of a roof is not."""
    scale = 4.0
    picture = place.map_image(scale)
    x_min, x_max, y_min, y_max = place.extent
    assert picture.dtype == np.uint8
    assert picture.shape == (round((y_max - y_min) * scale), round((x_max - x_min) * scale), 3)

    def at(x, y):
        return picture[int((y_max - y) * scale), int((x - x_min) * scale)].astype(int)

    for street in place.streets:
        for along in np.linspace(5, street.length - 5, 23):
            red, green, blue = at(*street.point(along, 0.8))
            assert abs(red - green) < 14 and abs(green - blue) < 14
    middles = [((lot.footprint[0] + lot.footprint[2]) / 2, (lot.footprint[1] + lot.footprint[3]) / 2) for lot in place.lots]
    inside = [m for m in middles if x_min + 3 < m[0] < x_max - 3 and y_min + 3 < m[1] < y_max - 3]
    coloured = [np.ptp(at(*m)) > 8 for m in inside]
    assert np.mean(coloured) > 0.7


def test_the_ground_knows_road_pavement_and_grass(place):
    x_min, _, y_min, _ = place.bounds

    def snow(x, y):
        return place.ground[int((y - y_min) * 5), int((x - x_min) * 5), 3]

    street = place.streets[0]
    assert snow(*street.point(30.3, 2.0)) == ROAD
    assert snow(*street.point(30.0, street.width / 2 - 1.0)) == PAVING
    x0, y0, x1, y1 = max(place.blocks, key=lambda b: (b[2] - b[0]) * (b[3] - b[1]))
    assert snow((x0 + x1) / 2, (y0 + y1) / 2) == GRASS


def test_a_district_says_what_it_is(place):
    assert repr(place).startswith("District('validation', seed=11: 6 streets,")
    with pytest.raises(ValueError, match="`split` must be one of 'train', 'validation', 'test', but got 'holdout'"):
        data.district(11, "holdout")


# -- what it is made of -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", list(PIXELS_PER_METRE))
def test_a_material_is_level_and_repeats_without_a_seam(name):
    tile = material(name, 24.0).astype(float)
    assert abs(tile.mean() - 128) < 4
    for axis in (0, 1):
        inner = np.abs(np.diff(tile, axis=axis)).mean()
        seam = np.abs(np.take(tile, 0, axis) - np.take(tile, -1, axis)).mean()
        assert seam <= inner


def test_a_piece_of_material_may_be_larger_than_the_material():
    piece = cut(stream(1), "wood", 700, 900, 24.0)
    assert piece.shape == (700, 900) and piece.std() > 1


def test_painting_puts_the_colour_on_and_keeps_the_detail():
    detail = np.array([[128, 64, 192]], np.uint8)
    np.testing.assert_array_equal(painted(detail, (100, 200, 40), 1.0)[0, :, 0], [100, 50, 150])
    np.testing.assert_array_equal(painted(detail, (100, 200, 40), 0.0)[0, :, 1], [200, 200, 200])


def test_streams_are_repeatable_and_independent():
    assert stream(1, 2).random() == stream(1, 2).random() != stream(2, 1).random()


def test_a_front_has_eaves_windows_and_somewhere_a_shop():
    labels = set()
    for number in range(6):
        front = paint_front((5, number), 11.0, 4, make_style(5, number))
        assert 0 < front.eaves <= front.top
        assert front.pixels.shape == (round(front.top * 12), 132, 4)
        labels |= set(np.unique(front.pixels[..., 3]).tolist())
    assert {0, 1, 2, 3} <= labels and {DISPLAY, SIGN} <= labels
    assert not labels & set(range(LAST_WINDOW + 1, DISPLAY))


def test_a_side_wall_has_neither_shop_nor_roof():
    front = paint_front((5, 1), 9.0, 4, make_style(5, 1), side=True)
    assert front.eaves == front.top and front.pixels[..., 3].max() <= LAST_WINDOW and front.pixels[..., 3].min() > 0


@pytest.mark.parametrize("kind", list(POOL))
def test_every_sprite_stands_on_its_shadow(kind):
    sprite = draw_sprite(kind, 0, "side", "summer")
    assert sprite.pixels.shape[:2] == sprite.glow.shape
    alpha = sprite.pixels[..., 3]
    assert alpha[: len(alpha) // 2].max() > 200 and alpha[-1].max() > 0
    assert (sprite.glow.max() > 200) == (kind in ("car", "lamp"))


def test_trees_are_bare_in_winter():
    cover = {season: (draw_sprite("tree", 2, "side", season).pixels[..., 3] > 128).mean() for season in data.SEASONS}
    assert cover["winter"] < 0.7 * min(cover[s] for s in ("spring", "summer", "autumn"))


def test_the_atlas_gives_back_what_was_drawn_and_does_not_depend_on_the_order():
    first, second = SpriteAtlas(), SpriteAtlas()
    keys = [("car", 1, "side", "summer"), ("tree", 2, "side", "winter"), ("person", 3, "rear", "spring")]
    numbers = [[atlas.number(*key) for key in order] for atlas, order in ((first, keys), (second, keys[::-1]))]
    for i, key in enumerate(keys):
        pixels = []
        for atlas, number in ((first, numbers[0][i]), (second, numbers[1][::-1][i])):
            start, rows, columns = atlas.start[number, 0], atlas.rows[number, 0], atlas.columns[number, 0]
            pixels.append(atlas.colour[start : start + rows * columns].view(np.uint8).reshape(rows, columns, 4))
        np.testing.assert_array_equal(pixels[0], pixels[1])
        season = "" if key[0] == "car" else key[3]
        np.testing.assert_array_equal(pixels[0], draw_sprite(key[0], key[1], key[2], "" if key[0] == "person" else season).pixels)
    assert first.number(*keys[0]) == numbers[0][0]


def test_the_sky_closes_without_a_seam_and_glows_where_the_sun_is(place):
    light = make_traversal(place, 0, "dusk", "summer").light
    sky = paint_sky(stream(4), light, sun_azimuth=np.pi)
    step = np.abs(np.diff(sky, axis=2)).mean()
    assert np.abs(sky[:, :, 0] - sky[:, :, -1]).mean() < 4 * step
    low = sky[0, -20:].mean(axis=0)
    assert abs(int(low.argmax()) - 256) < 60


def test_more_views_along_a_street_are_common_near_by_than_far_away(place):
    """The reason for the radii: what two pictures across a street share is gone at the negative radius."""
    renderer = data.StreetRenderer(place, (48, 64))
    street = max(place.streets, key=lambda s: s.length)

    def points(along):
        from course_utils.data.street_world.scene import Scene

        x, y = street.point(along)
        camera = data.Camera(x, y, street.heading + np.pi / 2)
        horizon = np.full(64, 24 + camera.pitch * 48, np.float32)
        made = Scene(renderer, camera, make_traversal(place, 0, "overcast", "summer"), horizon)
        made.draw_walls()
        pixels = np.flatnonzero(~made.free & (made.depth < 60))
        column, depth = renderer._column_of[pixels], made.depth[pixels]
        at = made.origin + depth[:, None] * (made.forward + renderer._tangent[column][:, None] * made.right)
        return {tuple(p) for p in np.rint(at / 2).astype(int).tolist()}

    def common(metres):
        return np.mean([len(points(u) & points(u + metres)) / len(points(u)) for u in np.linspace(20, street.length - 50, 5)])

    assert common(4.0) > 0.5 > common(data.EVALUATION_RADIUS) > common(data.NEGATIVE_RADIUS)
    assert common(data.NEGATIVE_RADIUS) < 0.1
