"""Sprites: the truth about every picture, the switches and what they leave alone, occluders, creatures, what is refused."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from torchvision import tv_tensors

from course_utils import data
from course_utils.data import occluders
from course_utils.data.occluders import SURFACES, occluder
from course_utils.data.photographs import photograph_array
from course_utils.data.sprite_scenes.backgrounds import REGIONS
from course_utils.data.sprite_scenes.drawing import Drawing, Pose, rendered
from course_utils.data.sprite_scenes.objects import CLASS_NAMES, DRAWN_BY
from course_utils.data.sprites import KEY_POINTS, PAIRS, VIEWS, Views, creatures, dataset
from course_utils.data.sprites.portrait import WORLDS, portrait
from course_utils.data.street_world.textures import stream

N = 36


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_CACHE", str(tmp_path_factory.mktemp("sprites")))
        yield data.Sprites("validation", n=N, size=48)


@pytest.fixture(scope="module")
def animals(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_CACHE", str(tmp_path_factory.mktemp("creatures")))
        yield data.Creatures("validation", n=24, size=48)


# -- the data set ---------------------------------------------------------------------------------------------------------
def test_every_attribute_has_its_promised_shape_and_type(toys):
    assert toys.images.shape == (N, 3, 48, 48) and toys.images.dtype == torch.uint8
    assert toys.masks.shape == (N, 48, 48) and toys.masks.dtype == torch.bool
    assert toys.boxes.shape == (N, 4) and toys.keypoints.shape == (N, 7, 2) and toys.poses.shape == (N, 3)
    assert toys.keypoints_visible.shape == (N, 7) and toys.visibility.shape == (N,)
    for index, toy in enumerate(toys):
        assert toy.image.shape == (3, 48, 48) and toy.label == index % 6 and toy.individual == index // 6
        assert isinstance(toy.box, tv_tensors.BoundingBoxes) and toy.box.shape == (1, 4)
        assert isinstance(toy.mask, tv_tensors.Mask) and isinstance(toy.keypoints, tv_tensors.KeyPoints)
        assert toy.box.canvas_size == toy.keypoints.canvas_size == (48, 48)
        assert isinstance(toy.pose, Pose) and toy.visibility == 1.0
        with pytest.raises(dataclasses.FrozenInstanceError):
            toy.label = 0


def test_a_box_is_the_extent_of_the_mask_where_nothing_stands_in_front(toys):
    for toy in toys:
        rows, columns = torch.nonzero(toy.mask, as_tuple=True)
        assert toy.box[0].tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_every_class_has_its_key_points_and_no_others(toys):
    assert set(KEY_POINTS) == set(CLASS_NAMES) == set(toys.keypoint_names)
    for toy in toys:
        named = [name is not None for name in KEY_POINTS[CLASS_NAMES[toy.label]]]
        assert torch.isfinite(toy.keypoints).all(dim=1).tolist() == named
        assert not toy.keypoints_visible[~torch.tensor(named)].any()


def test_key_points_lie_on_the_toy_or_next_to_it(toys):
    for toy in toys:
        rows, columns = np.nonzero(toy.mask.numpy())
        for x, y in toy.keypoints[toy.keypoints_visible].tolist():
            assert np.hypot(columns + 0.5 - x, rows + 0.5 - y).min() < 2.6


@pytest.mark.parametrize("name", CLASS_NAMES)
def test_the_left_point_of_a_pair_is_on_the_left_of_an_upright_toy_mirrored_or_not(name):
    for mirrored in (False, True):
        for i in range(8):
            marks = rendered(DRAWN_BY[name](stream(5, i)), Pose(60.0, mirrored=mirrored), stream(1)).marks
            assert set(marks) == {key for key in KEY_POINTS[name] if key}
            for left, right in PAIRS:
                if KEY_POINTS[name][left]:
                    assert KEY_POINTS[name][left].startswith("left") and KEY_POINTS[name][right].startswith("right")
                    assert marks[KEY_POINTS[name][left]][0] < marks[KEY_POINTS[name][right]][0]


def test_the_front_of_a_car_stays_the_front_when_it_is_mirrored():
    right, left = (rendered(DRAWN_BY["car"](stream(5)), Pose(60.0, mirrored=m), stream(1)).marks for m in (False, True))
    assert right["front wheel"][0] > right["rear wheel"][0] and left["front wheel"][0] < left["rear wheel"][0]


def test_a_mark_goes_where_the_paint_at_its_place_goes():
    drawing = Drawing()
    drawing.box(-0.5, 0, 0.5, 1, (200, 100, 50))
    drawing.box(0.2, 0.6, 0.4, 0.8, (0, 0, 255))
    drawing.mark("patch", 0.3, 0.7)
    for pose in (Pose(60.0), Pose(60.0, angle=0.7), Pose(60.0, angle=-0.4, mirrored=True)):
        sprite = rendered(drawing, pose, stream(1), (0.3, 0.6))
        blue = (sprite.colour[..., 2] - 50 * sprite.alpha).clip(4) - 4  # what the second box adds
        where = [np.average(np.arange(n) + 0.5, weights=blue.sum(axis=other)) for n, other in zip(blue.shape, (1, 0))]
        np.testing.assert_allclose(sprite.marks["patch"], where[::-1], atol=0.25)


def test_any_first_part_is_balanced_and_few_shot_takes_the_first_ones(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    few = data.Sprites("train", few_shot=2, size=24)
    assert torch.bincount(few.labels).tolist() == [2] * 6
    assert torch.equal(few.images, data.Sprites("train", n=14, size=24).images[:12])


# -- what a picture depends on --------------------------------------------------------------------------------------------
def test_a_picture_depends_on_split_seed_class_and_number_only(toys):
    def picture(seed=0, split=1, label=2, individual=1, number=0):
        key = (WORLDS["sprites"], seed, split, label, individual)
        split_name = ("train", "validation", "test")[split]
        return portrait(DRAWN_BY[CLASS_NAMES[label]], key, number, split_name, 48, VIEWS["usual"]).image

    alone = picture()
    assert np.array_equal(alone, toys.images[8].permute(1, 2, 0).numpy())
    others = [picture(seed=1), picture(split=2), picture(label=3), picture(individual=2), picture(number=1)]
    assert not any(np.array_equal(alone, other) for other in others)


def test_pictures_of_one_individual_show_the_same_toy_in_other_poses(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    drawn = []
    original = portrait
    monkeypatch.setattr(dataset, "portrait", lambda draw, key, *rest: drawn.append(key) or original(draw, key, *rest))
    toys = data.Sprites("test", n=18, size=24, per_individual=3)
    assert toys.individuals.tolist() == [0] * 18
    assert all(drawn[i] == drawn[i + 6] == drawn[i + 12] for i in range(6)) and len(set(drawn)) == 6
    assert len({tuple(pose) for pose in toys.poses.tolist()}) == 18


def test_the_fingerprints_have_not_changed(toys, animals):
    """Changed on purpose? Then raise GENERATOR_VERSION of the module and write the new fingerprint down here."""
    assert toys.fingerprint() == "d083b3b6f0d44d43"
    assert animals.fingerprint() == "574ef09562732020"


def test_the_fingerprint_notices_a_change(toys, animals):
    for pictures in (toys, animals):
        before, kept = pictures.fingerprint(), pictures.images[0].clone()
        pictures.images[0] //= 2
        try:
            assert pictures.fingerprint() != before
        finally:
            pictures.images[0] = kept
        assert pictures.fingerprint() == before


def test_the_second_time_the_pictures_come_from_the_disk(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    first, animal = data.Sprites("test", n=2, size=24), data.Creatures("test", n=2, size=24)
    for module in (dataset, creatures):
        monkeypatch.setattr(module, "portrait", lambda *key: pytest.fail("drawn again"))
    again = data.Sprites("test", n=2, size=24)
    assert torch.equal(again.images, first.images) and torch.equal(again.masks, first.masks)
    assert torch.equal(data.Creatures("test", n=2, size=24).head_boxes, animal.head_boxes)


# -- views ----------------------------------------------------------------------------------------------------------------
def test_every_other_kind_of_views_differs_from_the_usual_one_in_one_thing():
    usual = dataclasses.asdict(VIEWS["usual"])
    for name, views in VIEWS.items():
        changed = [field for field, value in dataclasses.asdict(views).items() if value != usual[field]]
        assert len(changed) == (name != "usual")


def test_views_do_what_their_names_say(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    sets = {name: data.Sprites("test", n=30, size=32, views=name) for name in VIEWS}
    usual = sets["usual"]
    assert sets["rotated"].poses[:, 1].abs().max() > 0.8 > 0.22 > usual.poses[:, 1].abs().max()
    assert sets["small"].poses[:, 0].max() < usual.poses[:, 0].min()
    assert sets["left"].poses[:, 2].all() and not sets["right"].poses[:, 2].any() and 0 < usual.poses[:, 2].mean() < 1
    assert sets["dark"].images.float().mean() < 0.6 * usual.images.float().mean()
    cast = {
        name: (s.images[:, 0].float().mean((1, 2)) / s.images[:, 2].float().mean((1, 2))).log().std() for name, s in sets.items()
    }
    assert cast["tinted"] > 1.5 * cast["usual"]
    rough = {name: (s.images[..., 1:].float() - s.images[..., :-1].float()).abs().mean() for name, s in sets.items()}
    assert rough["noisy"] > 1.2 * rough["usual"] > 1.5 * rough["blurred"]
    off = {name: (s.boxes[:, :2] + s.boxes[:, 2:] - 32).abs().mean() for name, s in sets.items()}
    assert off["moved"] > 1.3 * off["usual"]
    assert all(torch.equal(s.labels, usual.labels) for s in sets.values())


def test_own_views_are_taken_and_others_refused():
    assert data.Sprites("test", n=1, size=24, views=Views(mirrored=True, turn=0.0)).poses[0, 1:].tolist() == [0.0, 1.0]
    with pytest.raises(ValueError, match="`views` must be one of 'usual', 'rotated'"):
        data.Sprites(views="upside down")
    with pytest.raises(TypeError, match="`views` must be a name of"):
        data.Sprites(views=3)


# -- occluders ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9])
def test_an_occluder_covers_the_share_of_the_box_that_was_asked_for(share):
    for i in range(30):
        box = (5.0, 9.0, 29.0, 25.0)
        sprite = occluder(stream(3, i), box, share, ("validation", "test")[i % 2], 40, 48)
        assert sprite.alpha.shape == (40, 48) and sprite.colour.shape == (40, 48, 3)
        assert (sprite.alpha[9:25, 5:29] > 0.5).mean() == pytest.approx(share, abs=0.03)
        assert np.all(sprite.colour[sprite.alpha == 0] == 0) and sprite.colour.max() <= 255


def test_occluders_have_three_shapes_and_repeat():
    boxes = [occluder(stream(3, i), (8.0, 8.0, 40.0, 40.0), 0.3, "test", 48, 48) for i in range(40)]
    reach = [np.ptp(np.nonzero(b.alpha > 0.5), axis=1) + 1 for b in boxes]
    assert sum(height == 48 for height, _ in reach) > 5 and sum(max(r) < 40 for r in reach) > 10
    filled = [b.area / np.prod(r) for b, r in zip(boxes, reach)]
    assert min(filled) < 0.7 and max(filled) > 0.9
    again = occluder(stream(3, 0), (8.0, 8.0, 40.0, 40.0), 0.3, "test", 48, 48)
    assert np.array_equal(again.colour, boxes[0].colour)


def test_surfaces_of_occluders_are_never_seen_in_training():
    files = {file for file, _, _ in REGIONS.values()}
    for name, surfaces in SURFACES.items():
        for file, rows, columns in surfaces:
            assert file not in files and photograph_array(file)[slice(*rows), slice(*columns)].shape[0] >= 150
            for other_name, others in SURFACES.items():
                for other, other_rows, other_columns in others if other_name != name else ():
                    apart = [min(a[1], b[1]) <= max(a[0], b[0]) for a, b in ((rows, other_rows), (columns, other_columns))]
                    assert other != file or any(apart)


@pytest.mark.parametrize("kind", [data.Sprites, data.Creatures])
def test_something_in_front_changes_only_the_pixels_that_it_covers(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    free, hidden = kind("test", n=12, size=48), kind("test", n=12, size=48, occlusion=0.4)
    assert torch.equal(free.boxes, hidden.boxes) and torch.equal(free.labels, hidden.labels)
    assert not (hidden.masks & ~free.masks).any()
    assert 0.4 < float(hidden.masks.sum() / free.masks.sum()) < 0.75
    same = (free.images == hidden.images).all(dim=1)
    assert 0.4 < same.double().mean() < 0.95 and same[hidden.masks].double().mean() > 0.9
    shares = []
    for index, (left, top, right, bottom) in enumerate(free.boxes.int().tolist()):
        shares.append(float((~same[index, top:bottom, left:right]).double().mean()))
    assert np.mean(shares) == pytest.approx(0.42, abs=0.06)


def test_a_hidden_key_point_is_not_visible(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    free, hidden = data.Sprites("test", n=18, size=48), data.Sprites("test", n=18, size=48, occlusion=0.5)
    assert torch.equal(free.keypoints.nan_to_num(), hidden.keypoints.nan_to_num())
    lost = free.keypoints_visible & ~hidden.keypoints_visible
    assert 0.2 < float(lost.sum() / free.keypoints_visible.sum()) < 0.8
    for index, point in torch.nonzero(lost).tolist():
        column, row = hidden.keypoints[index, point].floor().int().tolist()
        assert not torch.equal(free.images[index, :, row, column], hidden.images[index, :, row, column])


def test_the_search_for_the_size_of_an_occluder_takes_the_nearer_of_two_covers():
    inside = np.ones((1, 10), bool)
    small, large = np.zeros((1, 10), np.float32), np.zeros((1, 10), np.float32)
    small[0, :3], large[0, :6] = 1, 1
    assert occluders._nearest(inside, 0.4, small, large) is small and occluders._nearest(inside, 0.5, small, large) is large


# -- creatures ------------------------------------------------------------------------------------------------------------
def test_creatures_have_a_head_inside_their_box_and_classes_in_turn(animals):
    assert animals.class_names == ("barred", "banded", "spotted", "saddled")
    assert animals.labels.tolist() == [0, 1, 2, 3] * 6
    for animal in animals:
        box, head = animal.box[0], animal.head[0]
        assert (head[2:] - head[:2]).tolist() == pytest.approx([float(head[2] - head[0])] * 2, abs=1e-4)
        assert 0.14 * 48 < head[2] - head[0] < 0.3 * 48
        assert (head[:2] > box[:2] - 1.5).all() and (head[2:] < box[2:] + 1.5).all()
        assert 0.1 < animal.mask.double().mean() < 0.5


def test_the_head_has_the_colour_of_its_class_and_the_body_does_not(animals):
    hues = {0: 0, 1: 2}  # barred: red, banded: blue
    for label, channel in hues.items():
        for index in torch.nonzero(animals.labels == label).flatten().tolist():
            x, y = ((animals.head_boxes[index, :2] + animals.head_boxes[index, 2:]) / 2).int().tolist()
            colour = animals.images[index, :, y - 1 : y + 2, x - 1 : x + 2].double().mean((1, 2))
            assert int(colour.argmax()) == channel


# -- arguments and workers ------------------------------------------------------------------------------------------------
def test_the_descriptions_say_what_there_is(toys, animals):
    assert f"{N} drawn pictures of one toy each" in toys.description and "100 percent of the toy is visible" in toys.description
    assert repr(toys) == f"Sprites('validation', seed=0: {N} images of 48 x 48, 6 classes)"
    assert "24 drawn pictures of one animal each" in animals.description
    assert repr(animals) == "Creatures('validation', seed=0: 24 images of 48 x 48, 4 classes)"


@pytest.mark.parametrize("kind", [data.Sprites, data.Creatures])
@pytest.mark.parametrize(
    "arguments, error, text",
    [
        ({"split": "val"}, ValueError, "`split` must be one of 'train', 'validation', 'test'"),
        ({"seed": -1}, ValueError, "`seed` must be an integer of at least 0"),
        ({"n": 0}, ValueError, "`n` must be an integer of at least 1"),
        ({"size": 8}, ValueError, "`size` must be an integer of at least"),
        ({"occlusion": 0.2}, ValueError, "`occlusion` must be 0 for the training split"),
        ({"split": "test", "occlusion": 0.95}, ValueError, "`occlusion` must be a finite number between 0 and 0.9"),
        ({"split": "test", "few_shot": 3}, ValueError, "`few_shot` must be None for validation and test"),
        ({"few_shot": 3, "n": 4}, ValueError, "`n` must be None where `few_shot` is given"),
        ({"few_shot": 0}, ValueError, "`few_shot` must be an integer of at least 1"),
    ],
)
def test_a_wrong_argument_is_refused(kind, arguments, error, text):
    with pytest.raises(error, match=text):
        kind(**arguments)


def test_an_index_beyond_the_end_is_refused_and_a_negative_one_counts_from_the_end(toys, animals):
    for pictures in (toys, animals):
        with pytest.raises(IndexError):
            pictures[len(pictures)]
        assert torch.equal(pictures[-1].image, pictures.images[-1])


def test_it_feeds_a_data_loader_with_workers(toys):
    batches = DataLoader(toys, batch_size=12, num_workers=2, collate_fn=list)
    for toy, other in zip((toy for batch in batches for toy in batch), toys, strict=True):
        assert torch.equal(toy.image, other.image) and torch.equal(toy.box, other.box) and toy.pose == other.pose
