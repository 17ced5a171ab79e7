"""The landmark photographs: what they promise, whether their truth is true, and what they depend on."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import map_coordinates
from torch.utils.data import DataLoader
from torchvision import tv_tensors

from course_utils import data
from course_utils.data.landmarks import dataset, identity, ornaments, planes, plans, town, views
from course_utils.data.landmarks.dataset import CLASS_RANGES, SPLITS, _items, correspondences, rendered_view
from course_utils.data.landmarks.masonry import CANVAS
from course_utils.data.landmarks.monuments import METRES, PAINTERS, canvas_of
from course_utils.data.landmarks.planes import Camera, Pyramid, boxes_in_frame, mapped, warped

N = 60


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_CACHE", str(tmp_path_factory.mktemp("landmarks")))
        yield data.Landmarks("train", n_images=N)


def read(picture, homography, size):
    """A picture seen through a homography, by scipy: the value of every pixel's centre, 0 outside the picture."""
    y, x = np.mgrid[:size, :size] + 0.5
    points = mapped(np.linalg.inv(homography), np.stack([x.ravel(), y.ravel()], axis=1))
    values = map_coordinates(np.asarray(picture, float), (points - 0.5).T[::-1], order=1, cval=0.0)
    return values.reshape(size, size)


def fair_weather(plan, **changes):
    """The same photograph in flat light, without anything but the monument."""
    calm = {"condition": "overcast", "things": (), "shadow": None, "blur": 0.0, "exposure": (1.0, 1.0, 1.0)}
    return replace(plan, **{**calm, **changes})


# -- the data set ---------------------------------------------------------------------------------------------------------
def test_every_attribute_has_its_promised_shape_and_type(photos):
    assert photos.images.shape == (N, 3, 112, 112) and photos.images.dtype == torch.uint8
    assert photos.masks.shape == (N, 112, 112) and photos.masks.dtype == torch.bool
    assert photos.labels.shape == photos.numbers.shape == (N,) and photos.labels.dtype == torch.int64
    assert photos.homographies.shape == (N, 3, 3) and photos.homographies.dtype == torch.float64
    assert photos.n_classes == len(photos.classes) == 60 and len(photos.class_names) == 110
    for i, view in enumerate(photos):
        assert isinstance(view.label, int) and view.label == photos.labels[i]
        assert torch.equal(view.image, photos.images[i]) and torch.equal(view.homography, photos.homographies[i])
        assert isinstance(view.mask, tv_tensors.Mask) and torch.equal(view.mask, photos.masks[i])
        assert view.homography[2, 2] == 1
        with pytest.raises(AttributeError):
            view.label = 3


def test_a_street_without_a_landmark_has_no_label_no_mask_and_no_homography():
    empty = data.Landmarks("distractor", n_images=3)
    assert empty.labels.tolist() == [-1, -1, -1] and not empty.masks.any() and empty.homographies.isnan().all()
    assert empty.n_classes == 0 and empty.classes == () and float(empty.images.float().std()) > 20
    assert empty.description.endswith("None of them shows a landmark.")


def test_training_classes_have_a_long_tail():
    for seed in (1, 2):
        labels = [label for label, _ in _items("train", seed)]
        counts = np.bincount(labels)
        assert len(counts) == 60 and counts.min() == 8 and counts.max() == 200 and 1000 <= len(labels) <= 1300
        ordered = np.sort(counts)[::-1]
        assert ordered[:6].sum() > 0.4 * len(labels) and np.median(counts) < 15
    assert [label for label, _ in _items("train", 1)] != [label for label, _ in _items("train", 2)]


def test_splits_hold_the_classes_they_promise_and_share_no_photograph():
    recognition = set(range(60))
    assert CLASS_RANGES == {"train": (0, 60), "validation": (60, 80), "test": (80, 110)}
    expected = {"train": recognition, "validation": recognition, "test": recognition, "distractor": {-1}}
    expected |= {"index": {*range(80, 110), -1}, "query": set(range(80, 110)), "validation_distractor": {-1}}
    expected |= {"validation_index": {*range(60, 80), -1}, "validation_query": set(range(60, 80))}
    assert set(expected) == set(SPLITS)
    for split, classes in expected.items():
        items = _items(split, 1)
        assert {label for label, _ in items} == classes and len(set(items)) == len(items)
    counts = {split: len(_items(split, 1)) for split in SPLITS}
    empty = {split: sum(label < 0 for label, _ in _items(split, 1)) for split in SPLITS}
    assert empty["index"] == 200 and counts["index"] - empty["index"] == 30 * 6 and counts["query"] == 30 * 4
    same = [rendered_view(split, 65, 0, size=32).image for split in SPLITS]
    assert len({image.numpy().tobytes() for image in same}) == len(SPLITS)


def test_the_first_photographs_have_the_class_shares_of_the_whole():
    items = _items("train", 1)
    whole, part = (np.bincount([label for label, _ in some], minlength=60) for some in (items, items[: len(items) // 2]))
    assert np.abs(part - whole / 2).max() <= 1


def test_the_landmark_can_be_seen_on_every_photograph_and_covers_a_quarter_or_so(photos):
    shares = photos.masks.double().mean((1, 2))
    assert shares.min() > 0.8 * views.LEAST_AREA and shares.max() < 0.95
    assert 0.2 < shares.mean() < 0.38


# -- is the truth true? ---------------------------------------------------------------------------------------------------
def test_the_homography_is_what_a_pinhole_camera_does(photos):
    """By the definition, without matrices of planes: rays through the camera's centre, point by point."""
    for label in (0, 8, 33):
        plan = views.accepted_plan(1, 0, label, 3)
        camera = plan.camera
        homography = views.canvas_homography(plan, 112)
        for x, y in ((0, 0), (224, 0), (60, 200), (112, 112)):
            point = np.array([(x - 112) / 224 * plan.metres, 0.0, (224 - y) / 224 * plan.metres]) - camera.position
            east, north = (
                point[0] * np.cos(camera.heading) - point[1] * np.sin(camera.heading),
                point[0] * np.sin(camera.heading) + point[1] * np.cos(camera.heading),
            )
            depth = north * np.cos(camera.pitch) + point[2] * np.sin(camera.pitch)
            up = point[2] * np.cos(camera.pitch) - north * np.sin(camera.pitch)
            right, down = camera.focal * east / depth, -camera.focal * up / depth
            turned = (
                right * np.cos(camera.roll) - down * np.sin(camera.roll),
                right * np.sin(camera.roll) + down * np.cos(camera.roll),
            )
            expected = 112 * (0.5 + np.array(turned))
            np.testing.assert_allclose(mapped(homography, [[x, y]])[0], expected, atol=1e-5)


def test_the_mask_is_the_warped_alpha_minus_everything_in_front():
    """Brute force with scipy: the canvas's alpha through the homography, times one minus the alpha of each thing in front."""
    hidden = 0
    for label, number in ((0, 1), (3, 2), (5, 0), (13, 4), (25, 1), (46, 3)):
        plan = views.accepted_plan(1, 0, label, number)
        taken = views.photographed(plan, 1, 112)
        alpha = read(canvas_of(1, label)[..., 3] / 255, taken.homography, 112)
        visible = alpha.copy()
        forward = np.array([np.sin(plan.camera.heading), np.cos(plan.camera.heading)])
        here = np.array(plan.camera.position[:2])
        for thing in plan.things:
            if (np.array(thing.middle) - here) @ forward >= -here @ forward:
                continue
            homography = next((laid.homography for laid in views._layout(plan, 112) if laid.thing is thing), None)
            if homography is not None:
                picture = np.asarray(thing.flat.pyramid.level(1.0).getchannel("a")) / 255
                visible *= 1 - read(picture, homography, 112)
        expected = visible > 0.5
        agreement = np.count_nonzero(expected & taken.mask) / np.count_nonzero(expected | taken.mask)
        assert agreement > 0.96, (label, number, agreement)
        assert taken.mask.mean() == pytest.approx(expected.mean(), abs=0.012)
        hidden += np.count_nonzero((alpha > 0.5) & ~expected)
    assert hidden > 400  # something was in front, or this test says nothing


@pytest.mark.parametrize("label", [0, 5, 6, 11, 25])
def test_a_point_of_the_canvas_has_its_colour_where_the_homography_says(label):
    plan = fair_weather(views.accepted_plan(1, 0, label, 0))
    taken = views.photographed(plan, 1, 224)
    pixels = canvas_of(1, label).astype(float)
    expected = np.stack([read(pixels[..., c] * pixels[..., 3] / 255, taken.homography, 224) for c in range(3)])
    inside = read(pixels[..., 3] / 255, taken.homography, 224) > 0.999
    assert inside.sum() > 2000

    def agreement(shift):
        moved = np.roll(taken.image.astype(float), shift, axis=(1, 2))
        return np.corrcoef(moved[:, inside].ravel(), expected[:, inside].ravel())[0, 1]

    best = agreement((0, 0))
    assert best > 0.95
    assert all(best > agreement(shift) for shift in ((0, 1), (0, -1), (1, 0), (-1, 0)))


def test_another_size_shows_the_same_scene():
    small, large = (rendered_view("train", 4, 2, size=size) for size in (64, 128))
    double = torch.diag(torch.tensor([2.0, 2.0, 1.0], dtype=torch.float64))
    torch.testing.assert_close(large.homography, double @ small.homography)
    halved = large.mask.float().unfold(0, 2, 2).unfold(1, 2, 2).mean((2, 3)) > 0.5
    assert (halved & small.mask).sum() / (halved | small.mask).sum() > 0.93
    reduced = large.image.float().unfold(1, 2, 2).unfold(2, 2, 2).mean((3, 4))
    assert torch.corrcoef(torch.stack([reduced.flatten(), small.image.float().flatten()]))[0, 1] > 0.93


@pytest.mark.parametrize("size", [32, 64, 100, 224])
def test_every_size_is_drawn(size):
    view = rendered_view("query", 81, 0, size=size)
    assert view.image.shape == (3, size, size) and view.mask.shape == (size, size) and view.mask.any()


def test_light_changes_but_houses_sky_and_monument_stay_in_place():
    plan = views.accepted_plan(1, 0, 2, 5)
    calm, sunny = (views.photographed(replace(plan, condition=name, shadow=None), 1, 96) for name in ("overcast", "low sun"))
    assert np.array_equal(calm.mask, sunny.mask) and np.array_equal(calm.homography, sunny.homography)
    assert np.abs(calm.image.astype(float) - sunny.image).mean() > 5


def test_the_sun_throws_the_monuments_shadow_on_the_ground():
    plan = fair_weather(views.accepted_plan(1, 0, 7, 0), condition="low sun", sun=0.9)
    lit, unlit = (views.photographed(replace(plan, label=label), 1, 112) for label in (7, -1))
    darker = (unlit.image.astype(float) - lit.image).mean(axis=0)[~lit.mask] > 20
    assert darker.mean() > 0.01


def test_correspondences_are_the_homography_from_view_to_view(photos):
    first, second = rendered_view("train", 9, 0), rendered_view("train", 9, 1)
    canvas = np.array([[100.0, 150.0], [120.0, 190.0], [90.0, 120.0]])
    there, visible = correspondences(first, second, mapped(first.homography, canvas))
    np.testing.assert_allclose(there, mapped(second.homography, canvas), atol=1e-8)
    assert visible.dtype == torch.bool and visible.shape == (3,)
    rows, columns = np.nonzero(first.mask.numpy())
    points = np.stack([columns + 0.5, rows + 0.5], axis=1)
    there, visible = correspondences(first, second, points)
    inside = ((there >= 0) & (there < 112)).all(1).numpy()
    expected = np.zeros(len(points), bool)
    expected[inside] = second.mask.numpy()[there[inside, 1].long(), there[inside, 0].long()]
    assert np.array_equal(visible.numpy(), expected) and 0.1 < expected.mean() < 1
    same, seen = correspondences(first, first, points)
    np.testing.assert_allclose(same, points, atol=1e-8)
    assert seen.all()
    assert correspondences(first, second, np.zeros((0, 2)))[0].shape == (0, 2)


def test_correspondences_between_different_landmarks_are_refused():
    one, other, none = rendered_view("train", 9, 0), rendered_view("train", 10, 0), rendered_view("train", -1, 0)
    for a, b in ((one, other), (none, none), (one, none)):
        with pytest.raises(ValueError, match="`view_b` must be a view of the same landmark"):
            correspondences(a, b, np.zeros((1, 2)))
    with pytest.raises(ValueError, match=r"`points` must be an array of shape \(N, 2\)"):
        correspondences(one, one, np.zeros((4, 3)))


# -- what a photograph depends on -----------------------------------------------------------------------------------------
def test_a_photograph_depends_on_seed_split_class_and_number_but_not_on_how_many_there_are(photos):
    few = data.Landmarks("train", n_images=4)
    assert torch.equal(few.images, photos.images[:4]) and torch.equal(few.masks, photos.masks[:4])
    for i in (3, 17):
        again = rendered_view("train", int(photos.labels[i]), int(photos.numbers[i]))
        assert torch.equal(again.image, photos.images[i]) and torch.equal(again.homography, photos.homographies[i])
    base = rendered_view("train", 4, 2, size=48)
    changed = [rendered_view("train", 4, 2, seed=2, size=48), rendered_view("test", 4, 2, size=48)]
    changed += [rendered_view("train", 5, 2, size=48), rendered_view("train", 4, 3, size=48)]
    assert all(not torch.equal(base.image, other.image) for other in changed)


def test_the_fingerprint_of_the_landmarks_has_not_changed(photos):
    """Changed on purpose? Then raise dataset.GENERATOR_VERSION and write the new fingerprint down here."""
    assert photos.fingerprint() == "8a89bfd446581fc1"


def test_the_fingerprint_notices_a_change(photos):
    before, kept = photos.fingerprint(), photos.images[0].clone()
    photos.images[0] //= 2
    try:
        assert photos.fingerprint() != before
    finally:
        photos.images[0] = kept
    assert photos.fingerprint() == before


def test_the_second_time_the_photographs_come_from_the_disk(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    first = data.Landmarks("index", n_images=3, size=50)
    monkeypatch.setattr(dataset, "photographed", lambda *key: pytest.fail("drawn again"))
    again = data.Landmarks("index", n_images=3, size=50)
    assert torch.equal(again.images, first.images) and torch.equal(again.masks, first.masks)
    assert torch.equal(again.homographies.nan_to_num(), first.homographies.nan_to_num())


def test_every_class_is_photographed_in_the_same_streets():
    """Houses, grounds and lights come from one pool, whatever the class, and with and without a monument."""
    seen = {}
    for label in (-1, 0, 1, 61, 100):
        chosen = [plans.planned(1, 0, label, number) for number in range(40)]
        houses = [thing.number for plan in chosen for thing in plan.things if thing.kind == "house"]
        seen[label] = set(houses)
        assert len(set(houses)) > 0.8 * town.N_HOUSES
        assert {plan.ground for plan in chosen} == set(range(len(town.GROUNDS)))
        assert len({plan.condition for plan in chosen}) >= 5
    assert len(set.intersection(*seen.values())) > 0.7 * town.N_HOUSES


def test_the_streets_do_not_depend_on_the_seed_of_the_landmarks():
    plan = replace(plans.planned(1, 0, -1, 3), noise=4)
    assert np.array_equal(views.photographed(plan, 1, 64).image, views.photographed(plan, 2, 64).image)


def test_a_photograph_on_which_the_landmark_cannot_be_seen_is_taken_again(monkeypatch):
    plan = views.accepted_plan(1, 0, 20, 0)
    monkeypatch.setattr(views, "_is_seen", lambda plan, seed: False)
    last = views.accepted_plan(1, 0, 20, 0)
    assert last.camera == plans.planned(1, 0, 20, 0, views.TRIES - 1).camera != plan.camera
    assert all(thing.middle[1] > 0 for thing in last.things)
    monkeypatch.setattr(views, "_is_seen", lambda plan, seed: plan.camera != first.camera)
    first = plans.planned(1, 0, 20, 0, 0)
    assert views.accepted_plan(1, 0, 20, 0).camera == plans.planned(1, 0, 20, 0, 1).camera


# -- monuments ------------------------------------------------------------------------------------------------------------
def test_within_a_kind_no_two_monuments_share_walls_or_ornament():
    for sort, kind in enumerate(identity.KINDS):
        every = [identity.identity_of(1, label) for label in range(sort, 110, 7)]
        assert {one.kind for one in every} == {kind} and len(every) >= 15
        assert len({one.subject for one in every}) == len({one.form for one in every}) == len(every)
        walls = np.array([one.wall for one in every])
        apart = np.abs(walls[:, None] - walls[None]).max(axis=2)
        assert apart[~np.eye(len(every), dtype=bool)].min() > 12
        assert all(one.second != one.subject for one in every)


def test_no_two_monuments_look_alike():
    """Root mean square difference of two canvases at a sixteenth of their size, over what either of them covers."""
    small = np.array([np.asarray(Image.fromarray(canvas_of(1, label)).convert("RGBa").reduce(16)) for label in range(110)])
    small = small.astype(float)
    closest = np.inf
    for i in range(110):
        difference = ((small[i + 1 :, ..., :3] - small[i, ..., :3]) ** 2).mean(axis=3)
        either = np.maximum(small[i + 1 :, ..., 3], small[i, ..., 3]) > 60
        distance = np.sqrt((difference * either).sum(axis=(1, 2)) / either.sum(axis=(1, 2)))
        closest = min(closest, distance.min(initial=np.inf))
    assert closest > 14


def test_a_canvas_shows_a_monument_that_stands_on_its_lower_edge():
    for label in range(14):
        canvas = canvas_of(3, label)
        assert canvas.shape == (CANVAS, CANVAS, 4) and canvas.dtype == np.uint8 and not canvas.flags.writeable
        solid = canvas[..., 3] > 127
        assert 0.15 < solid.mean() < 0.85 and solid[-1].any() and not solid[0].all()
        assert canvas[solid][:, :3].std() > 15
    assert np.array_equal(canvas_of(3, 2), canvas_of.__wrapped__(3, 2)) and not np.array_equal(canvas_of(3, 2), canvas_of(4, 2))


def test_the_alpha_of_a_gate_has_the_hole_one_walks_through():
    gates = [canvas_of(1, label) for label in range(4, 60, 7)]
    assert all(gate[-4, 112, 3] == 0 for gate in gates)


def test_every_kind_has_a_painter_a_size_and_a_name():
    assert set(PAINTERS) == set(METRES) == set(identity.KINDS)
    assert identity.kind_of(0) == "church" and identity.kind_of(8) == "tower" and identity.kind_of(-1) == "none"
    assert dataset.class_name(10) == "statue 10" and dataset.class_name(-1) == "no landmark"


@pytest.mark.parametrize("subject", identity.SUBJECTS)
def test_an_ornament_is_a_round_picture_with_a_rim(subject):
    made = ornaments.ornament(np.random.default_rng(0), subject, 60, (250, 240, 230))
    assert made.shape == (60, 60, 4) and made[0, 0, 3] == 0 and made[30, 30, 3] == 255
    assert made[8:52, 8:52, :3].std() > 10 and made[30, 1, :3].min() > 150


def test_every_photograph_used_has_a_credit():
    credits = data.photograph_credits()
    used = {subject.split()[1] for subject in identity.SUBJECTS if subject.startswith(("rose", "photograph"))}
    assert used | set(ornaments._DETAILS) | {"coins"} <= set(credits)


# -- planes ---------------------------------------------------------------------------------------------------------------
def test_a_warped_picture_is_what_scipy_reads_through_the_homography():
    y, x = np.mgrid[:80, :120]
    picture = (128 + 60 * np.sin(x / 9) + 50 * np.cos(y / 7)).astype(np.uint8)
    homography = np.array([[0.9, 0.1, 5.0], [-0.05, 1.0, 8.0], [0.0008, 0.0004, 1.0]])
    box = tuple(boxes_in_frame(homography[None], np.array([[120, 80]]), 96)[0].tolist())
    seen = np.zeros((96, 96))
    seen[box[1] : box[3], box[0] : box[2]] = np.asarray(warped(Pyramid(Image.fromarray(picture)), homography, box))
    expected, inside = read(picture, homography, 96), read(np.ones((80, 120)), homography, 96) > 0.999
    assert inside.sum() > 4000
    np.testing.assert_allclose(seen[inside], expected[inside], atol=1.01)


def test_a_picture_seen_small_is_averaged_not_sampled():
    stripes = np.zeros((128, 128), np.uint8)
    stripes[:, ::2] = 255
    homography = np.diag([0.125, 0.125, 1.0])
    seen = np.asarray(warped(Pyramid(Image.fromarray(stripes)), homography, (0, 0, 16, 16)))
    assert np.abs(seen[2:-2, 2:-2].astype(float) - 127.5).max() < 20


def test_boxes_cover_the_picture_and_are_empty_outside_and_behind():
    inside, outside = np.eye(3), np.array([[1.0, 0, 500], [0, 1, 0], [0, 0, 1]])
    behind = np.array([[1.0, 0, 0], [0, 1, 0], [0.1, 0, -1]])
    boxes = boxes_in_frame(np.stack([inside, outside, behind]), np.array([[30, 20]] * 3), 64)
    assert boxes.tolist() == [[0, 0, 30, 20], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_the_camera_sees_the_horizon_where_its_pitch_puts_it():
    camera = Camera((3.0, -2.0, 1.7), 0.4, 0.1, 0.0, 1.2)
    far = np.array([[3 + 1e7 * np.sin(0.4), -2 + 1e7 * np.cos(0.4), 1.7]])
    spot, depth = camera.project(far, 100)
    np.testing.assert_allclose(spot[0], [50, 50 + 120 * np.tan(0.1)], atol=1e-4)
    assert depth[0] > 0 and np.allclose(camera.rotation @ camera.rotation.T, np.eye(3))
    assert np.linalg.det(camera.rotation) == pytest.approx(1)


def test_transparent_colours_do_not_bleed_into_an_edge():
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[..., 1] = 255  # green where nothing is
    pixels[16:48, 16:48] = (255, 0, 0, 255)
    seen = np.asarray(warped(Pyramid(Image.fromarray(pixels)), np.diag([0.3, 0.3, 1.0]), (0, 0, 19, 19)))
    assert seen[seen[..., 3] > 20][:, 1].max() < 12 and set(np.unique(seen[..., 3])) > {0, 255}


# -- arguments and workers ------------------------------------------------------------------------------------------------
def test_the_description_says_what_there_is(photos):
    assert f"{N} generated photographs of streets" in photos.description and "train split, seed 1" in photos.description
    kinds = len(set(photos.labels.tolist()))
    assert f"{N} of them show one of {kinds} landmarks" in photos.description and "; 0 show none." in photos.description
    share = 100 * float(photos.masks.double().mean())
    assert f"covers {share:.0f} percent" in photos.description
    assert repr(photos) == f"Landmarks('train', seed=1: {N} images of 112 x 112, 60 classes)"
    mixed = data.Landmarks("index", n_images=30)
    assert f"; {int((mixed.labels < 0).sum())} show none." in mixed.description and (mixed.labels < 0).sum() > 5


@pytest.mark.parametrize(
    "arguments, error, text",
    [
        ({"split": "val"}, ValueError, "`split` must be one of 'train', 'validation', .* but got 'val'"),
        ({"seed": -1}, ValueError, "`seed` must be an integer of at least 0"),
        ({"seed": 1.0}, TypeError, "`seed` must be an integer"),
        ({"size": 16}, ValueError, "`size` must be an integer of at least 32"),
        ({"size": (112, 112)}, TypeError, "`size` must be an integer"),
        ({"n_images": 0}, ValueError, "`n_images` must be an integer between 1 and"),
        ({"split": "query", "n_images": 121}, ValueError, "`n_images` must be an integer between 1 and 120"),
    ],
)
def test_a_wrong_argument_is_refused(arguments, error, text):
    with pytest.raises(error, match=text):
        data.Landmarks(**arguments)


@pytest.mark.parametrize(
    "arguments, error, text",
    [
        (("val", 0, 0), ValueError, "`split` must be one of"),
        (("train", -2, 0), ValueError, "`label` must be an integer between -1 and 109"),
        (("train", 110, 0), ValueError, "`label` must be an integer between -1 and 109"),
        (("train", 0, -1), ValueError, "`number` must be an integer of at least 0"),
        (("train", 0, 0, -1), ValueError, "`seed` must be an integer of at least 0"),
        (("train", 0, 0, 1, 8), ValueError, "`size` must be an integer of at least 32"),
        (("train", "church", 0), TypeError, "`label` must be an integer"),
    ],
)
def test_a_wrong_view_is_refused(arguments, error, text):
    with pytest.raises(error, match=text):
        rendered_view(*arguments)


def test_the_canvas_of_a_class_can_be_asked_for_and_of_none_cannot(photos):
    canvas = photos.canvas(109)
    assert canvas.shape == (4, CANVAS, CANVAS) and canvas.dtype == torch.uint8
    assert np.array_equal(canvas.permute(1, 2, 0).numpy(), canvas_of(1, 109))
    for label in (-1, 110):
        with pytest.raises(ValueError, match="`label` must be an integer between 0 and 109"):
            photos.canvas(label)


def test_an_index_beyond_the_end_is_refused_and_a_negative_one_counts_from_the_end(photos):
    with pytest.raises(IndexError):
        photos[N]
    assert torch.equal(photos[-1].image, photos[N - 1].image)


def test_it_feeds_a_data_loader_with_workers(photos):
    plain = [list(photos)[i : i + 25] for i in range(0, N, 25)]
    for batch, expected in zip(DataLoader(photos, batch_size=25, num_workers=2, collate_fn=list), plain, strict=True):
        for view, other in zip(batch, expected, strict=True):
            assert torch.equal(view.image, other.image) and torch.equal(view.homography, other.homography)
            assert isinstance(view.mask, tv_tensors.Mask) and torch.equal(view.mask, other.mask) and view.label == other.label


def test_the_planes_module_documents_points_as_x_then_y():
    assert mapped(np.diag([2.0, 3.0, 1.0]), [[1.0, 1.0]]).tolist() == [[2.0, 3.0]] and planes.STEP < 1
