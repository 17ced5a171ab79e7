"""Sprite scenes: the truth about every object, what a scene depends on and what it does not, what is refused."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import tv_tensors

from course_utils import data
from course_utils.data.sprite_scenes import composition, distractors, objects, scenes
from course_utils.data.sprite_scenes.backgrounds import BACKDROPS, FLATS, GREY, GROUNDS, QUARTERS, REGIONS, background, quarter
from course_utils.data.sprite_scenes.composition import LEAST_AREA, LEAST_VISIBLE, composed
from course_utils.data.sprite_scenes.drawing import Drawing, Pose, rendered
from course_utils.data.street_world.textures import stream

N = 40


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_CACHE", str(tmp_path_factory.mktemp("scenes")))
        yield data.SpriteScenes("train", n_images=N)


# -- the data set ---------------------------------------------------------------------------------------------------------
def test_every_attribute_has_its_promised_shape_and_type(toys):
    assert toys.images.shape == (N, 3, 96, 96) and toys.images.dtype == torch.uint8
    assert toys.class_names == ("boat", "car", "cup", "house", "person", "tree")
    for scene in toys:
        n = len(scene.labels)
        assert 1 <= n <= 6
        assert isinstance(scene.boxes, tv_tensors.BoundingBoxes) and scene.boxes.shape == (n, 4)
        assert scene.boxes.dtype == torch.float32 and scene.boxes.format == tv_tensors.BoundingBoxFormat.XYXY
        assert tuple(scene.boxes.canvas_size) == (96, 96)
        assert isinstance(scene.masks, tv_tensors.Mask) and scene.masks.shape == (n, 96, 96) and scene.masks.dtype == torch.bool
        assert scene.labels.dtype == torch.int64 and 0 <= scene.labels.min() and scene.labels.max() < 6
        assert scene.visibility.dtype == torch.float32 and scene.difficult.dtype == torch.bool
        assert scene.visibility.shape == scene.difficult.shape == (n,)
        with pytest.raises(AttributeError):
            scene.labels = None


def test_a_box_is_the_extent_of_the_visible_mask(toys):
    for scene in toys:
        for box, mask in zip(scene.boxes, scene.masks):
            rows, columns = torch.nonzero(mask, as_tuple=True)
            assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_masks_do_not_overlap_and_are_never_tiny(toys):
    for scene in toys:
        assert int(scene.masks.sum(0).max()) <= 1
        assert int(scene.masks.sum((1, 2)).min()) >= LEAST_AREA


def test_visibility_is_the_visible_area_over_the_area_inside_and_outside_the_frame(monkeypatch):
    """Drawn once more, each object alone in the middle of an empty frame that is large enough."""
    seen = []
    original = composition._truth

    def spied(toys, size):
        seen.append(toys)
        return original(toys, size)

    monkeypatch.setattr(composition, "_truth", spied)
    for index in range(12):
        scene = composed("train", 3, index, 96)
        placed = [toy for toy in seen[-1] if toy.label >= 0]
        assert [toy.label for toy in placed] == scene.labels.tolist()
        for number, toy in enumerate(placed):
            alone = np.zeros((400, 400))
            height, width = toy.sprite.alpha.shape
            alone[150 : 150 + height, 150 : 150 + width] = toy.sprite.alpha
            visible = (scene.instances == number + 1).sum()
            assert scene.visibility[number] == pytest.approx(visible / (alone > 0.5).sum())
            frame = alone[150 - toy.top : 246 - toy.top, 150 - toy.left : 246 - toy.left]
            assert scene.inside[number] == pytest.approx((frame > 0.5).sum() / (alone > 0.5).sum())
            assert LEAST_VISIBLE <= scene.visibility[number] <= scene.inside[number] <= 1


def test_a_pixel_belongs_to_the_toy_that_covers_more_than_half_of_it_behind_nothing(monkeypatch):
    """Brute force: per pixel, walk from the near toy to the far one and hand out what is left of the pixel."""
    seen = []
    original = composition._truth
    monkeypatch.setattr(composition, "_truth", lambda toys, size: seen.append(toys) or original(toys, size))
    scene = max((composed("train", 1, index, 96) for index in range(8)), key=lambda made: len(made.labels))
    toys = max(seen, key=lambda placed: sum(toy.label >= 0 for toy in placed))
    assert len(scene.labels) > 3
    numbers = np.cumsum([toy.label >= 0 for toy in toys])
    expected = np.zeros((96, 96), int)
    for y in range(96):
        for x in range(96):
            left = 1.0
            for toy, number in reversed(list(zip(toys, numbers))):
                row, column = y - toy.top, x - toy.left
                if not (0 <= row < toy.sprite.alpha.shape[0] and 0 <= column < toy.sprite.alpha.shape[1]):
                    continue
                alpha = float(toy.sprite.alpha[row, column])
                if alpha * left > 0.5 and toy.label >= 0:
                    expected[y, x] = number
                left *= 1 - alpha
    np.testing.assert_array_equal(scene.instances, expected)


def test_difficult_means_hidden_or_more_than_half_outside(toys):
    assert torch.equal(toys._difficult, (toys._visibility < 0.35) | (toys._inside < 0.5))
    share = float(toys._difficult.float().mean())
    assert 0.03 < share < 0.35


def test_scenes_hide_cut_and_vary(toys):
    sides = (toys._boxes[:, 2:] - toys._boxes[:, :2]).max(dim=1).values
    whole = toys._visibility == 1
    assert whole.float().mean() > 0.25 and (~whole & (toys._inside == 1)).any() and (toys._inside < 1).any()
    assert 8 <= sides[whole].min() and sides[whole].max() <= 54
    assert torch.bincount(toys._labels, minlength=6).min() > 0


def test_the_truth_as_dictionaries_agrees_with_the_scenes(toys):
    for entry, scene in zip(toys.objects, toys):
        assert set(entry) == {"boxes", "labels", "difficult", "area"}
        assert type(entry["boxes"]) is torch.Tensor and torch.equal(entry["boxes"], scene.boxes.as_subclass(torch.Tensor))
        assert torch.equal(entry["labels"], scene.labels) and torch.equal(entry["difficult"], scene.difficult)
        assert entry["area"].tolist() == scene.masks.sum((1, 2)).tolist()


# -- what a scene depends on ----------------------------------------------------------------------------------------------
def test_a_scene_depends_on_split_seed_and_index_but_not_on_the_number_of_scenes(toys, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    few = data.SpriteScenes("train", n_images=3)
    assert torch.equal(few.images, toys.images[:3]) and torch.equal(few.instances, toys.instances[:3])
    alone = composed("train", 1, 7, 96)
    assert np.array_equal(alone.image, toys.images[7].permute(1, 2, 0).numpy())
    others = [composed("train", 1, 8, 96), composed("train", 2, 7, 96), composed("test", 1, 7, 96)]
    assert not any(np.array_equal(alone.image, other.image) for other in others)


def test_the_fingerprint_of_the_scenes_has_not_changed(toys):
    """Changed on purpose? Then raise scenes.GENERATOR_VERSION and write the new fingerprint down here."""
    assert toys.fingerprint() == "dc9f04b66b456761"


def test_the_fingerprint_notices_a_change(toys):
    before, kept = toys.fingerprint(), toys.images[0].clone()
    toys.images[0] //= 2
    try:
        assert toys.fingerprint() != before
    finally:
        toys.images[0] = kept
    assert toys.fingerprint() == before


def test_the_second_time_the_scenes_come_from_the_disk(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    first = data.SpriteScenes("test", n_images=2, size=32)
    monkeypatch.setattr(scenes, "composed", lambda *key: pytest.fail("drawn again"))
    again = data.SpriteScenes("test", n_images=2, size=32)
    assert torch.equal(again.images, first.images) and torch.equal(again[1].boxes, first[1].boxes)


def test_splits_share_no_pixel_of_a_background():
    shares = list(QUARTERS.values())
    for i, ((y0, y1), (x0, x1)) in enumerate(shares):
        for (v0, v1), (u0, u1) in shares[i + 1 :]:
            assert min(y1, v1) <= max(y0, v0) or min(x1, u1) <= max(x0, u0)
    for name in REGIONS:
        pieces = [quarter(name, split) for split in QUARTERS]
        assert all(piece.shape[0] >= 40 and piece.shape[1] >= 90 and piece.std() > 1 for piece in pieces)


def test_regions_of_one_photograph_do_not_overlap_and_every_region_is_used():
    used = {*GROUNDS, *BACKDROPS, *FLATS}
    assert used == set(REGIONS) and set(GREY) < used
    by_file = {}
    for file, rows, columns in REGIONS.values():
        for other_rows, other_columns in by_file.get(file, []):
            apart = [min(a[1], b[1]) <= max(a[0], b[0]) for a, b in ((rows, other_rows), (columns, other_columns))]
            assert any(apart), f"two regions of {file} overlap"
        by_file.setdefault(file, []).append((rows, columns))


def test_splits_share_no_individual():
    """The random streams of the objects' drawings are different for every split, scene and place in the scene."""
    firsts = {
        stream(composition.WORLD, 1, split, index, 1 + number).random()
        for split in range(3)
        for index in range(200)
        for number in range(8)
    }
    assert len(firsts) == 3 * 200 * 8


def test_a_smaller_size_shows_smaller_toys():
    small, large = (composed("train", 1, 4, size) for size in (48, 96))
    assert small.image.shape == (48, 48, 3) and large.image.shape == (96, 96, 3)
    longest = [
        np.mean([(s.boxes[:, 2:] - s.boxes[:, :2]).max() for s in (composed("train", 1, i, n) for i in range(12))])
        for n in (48, 96)
    ]
    assert 0.4 < longest[0] / longest[1] < 0.6


# -- drawing --------------------------------------------------------------------------------------------------------------
def square(colour=(200, 100, 50)):
    drawing = Drawing()
    drawing.box(-0.5, 0, 0.5, 1, colour)
    return drawing


def test_a_sprite_has_the_size_of_its_pose_and_the_colour_of_its_paint():
    sprite = rendered(square(), Pose(20.0), stream(1))
    assert sprite.area == 400
    inner = sprite.alpha == 1
    assert inner.sum() >= 324 and np.all(sprite.colour[inner] == (200, 100, 50))
    assert np.all(sprite.colour[sprite.alpha == 0] == 0)


def test_edges_are_soft_and_colours_carry_their_share():
    sprite = rendered(square(), Pose(20.0, angle=0.2), stream(1))
    soft = (sprite.alpha > 0) & (sprite.alpha < 1)
    assert soft.sum() > 20 and abs(sprite.area - 400) < 12
    np.testing.assert_allclose(sprite.colour[soft], sprite.alpha[soft][:, None] * np.array([200, 100, 50]), atol=1)


def test_a_phase_moves_the_sprite_by_a_part_of_a_pixel():
    still, moved = (rendered(square(), Pose(20.0), stream(1), phase) for phase in ((0.0, 0.0), (0.5, 0.0)))
    rows = [np.average(np.arange(len(s.alpha)) - s.foot[0], weights=s.alpha.sum(axis=1)) for s in (still, moved)]
    assert rows[0] == pytest.approx(rows[1], abs=0.15)
    assert moved.foot[0] - int(moved.foot[0]) != still.foot[0] - int(still.foot[0])
    assert set(np.unique(moved.alpha).tolist()) > {0.0, 1.0}


def test_a_mirrored_toy_looks_the_other_way():
    drawing = square()
    drawing.box(0.3, 0.4, 0.5, 0.6, (0, 0, 255))
    right, left = (rendered(drawing, Pose(40.0, mirrored=m), stream(1)).colour[..., 2] > 200 for m in (False, True))
    centre = right.shape[1] / 2
    assert np.nonzero(right)[1].mean() > centre > np.nonzero(left)[1].mean()


def test_a_positive_angle_turns_the_top_to_the_left():
    drawing = Drawing()
    drawing.box(-0.05, 0, 0.05, 1, (255, 255, 255))
    sprite = rendered(drawing, Pose(40.0, angle=0.3), stream(1))
    columns = [np.nonzero(sprite.alpha[row] > 0.5)[0].mean() for row in (5, len(sprite.alpha) - 5)]
    assert columns[0] < columns[1] - 5


@pytest.mark.parametrize("name", [*objects.DRAWN_BY, *distractors.DRAWN_BY])
def test_every_toy_stands_on_its_foot_and_no_two_individuals_are_equal(name):
    draw = {**objects.DRAWN_BY, **distractors.DRAWN_BY}[name]
    drawings = [draw(stream(1, i)) for i in range(6)]
    for drawing in drawings:
        x0, y0, x1, y1 = drawing.extent()
        assert -0.1 < y0 < 0.15 and 0.5 < max(x1 - x0, y1 - y0) < 1.6
    sprites = [rendered(drawing, Pose(24.0), stream(2)) for drawing in drawings]
    images = [np.asarray(Image.fromarray(s.colour.clip(0, 255).astype(np.uint8)).resize((24, 24))) for s in sprites]
    assert all(not np.array_equal(images[0], image) for image in images[1:])
    again = rendered(draw(stream(1, 0)), Pose(24.0), stream(2))
    assert np.array_equal(again.colour, sprites[0].colour)


def test_toys_throw_a_shadow_on_the_ground():
    """The same stage with and without its toys: outside the toys it only gets darker."""
    scene = composed("train", 1, 11, 96)
    r = stream(composition.WORLD, 1, 0, 11, 0)
    light = composition._light(r)
    back = background(r, "train", 96)
    empty = composition.exposed(back.pixels, light, stream(0), 96).astype(float)
    outside = scene.instances == 0
    darker = (empty - scene.image).mean(axis=2)[outside]
    assert np.mean(darker > 25) > 0.01


# -- arguments and workers ------------------------------------------------------------------------------------------------
def test_the_description_says_what_there_is(toys):
    assert f"{N} drawn scenes of toys" in toys.description and "train split, seed 1" in toys.description
    assert (
        f"{len(toys._labels)} objects" in toys.description
        and f"{int(toys._difficult.sum())} of them are difficult" in toys.description
    )
    assert repr(toys) == f"SpriteScenes('train', seed=1: {N} images of 96 x 96, {len(toys._labels)} objects of 6 classes)"


@pytest.mark.parametrize(
    "arguments, error, text",
    [
        ({"split": "val"}, ValueError, "`split` must be one of 'train', 'validation', 'test', but got 'val'"),
        ({"seed": -1}, ValueError, "`seed` must be an integer of at least 0"),
        ({"n_images": 0}, ValueError, "`n_images` must be an integer of at least 1"),
        ({"n_images": 2.5}, TypeError, "`n_images` must be an integer"),
        ({"size": 16}, ValueError, "`size` must be an integer of at least 32"),
        ({"size": (96, 96)}, TypeError, "`size` must be an integer"),
    ],
)
def test_a_wrong_argument_is_refused(arguments, error, text):
    with pytest.raises(error, match=text):
        data.SpriteScenes(**arguments)


def test_an_index_beyond_the_end_is_refused_and_a_negative_one_counts_from_the_end(toys):
    with pytest.raises(IndexError):
        toys[N]
    assert torch.equal(toys[-1].image, toys[N - 1].image)


def test_it_feeds_a_data_loader_with_workers(toys):
    plain = [list(toys)[i : i + 16] for i in range(0, N, 16)]
    with_workers = DataLoader(toys, batch_size=16, num_workers=2, collate_fn=list)
    for batch, expected in zip(with_workers, plain, strict=True):
        for scene, other in zip(batch, expected, strict=True):
            assert torch.equal(scene.image, other.image) and torch.equal(scene.masks, other.masks)
            assert isinstance(scene.boxes, tv_tensors.BoundingBoxes) and torch.equal(scene.boxes, other.boxes)


# -- things in the way ----------------------------------------------------------------------------------------------------
def test_something_in_front_of_every_object_changes_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    free, hidden = data.SpriteScenes("test", n_images=10), data.SpriteScenes("test", n_images=10, occlusion=0.4)
    same = (free.images == hidden.images).all(dim=1)
    assert 0.5 < same.double().mean() < 0.99
    hidden_area, free_area = (hidden.instances > 0).sum(), (free.instances > 0).sum()
    assert 0.3 < float(hidden_area / free_area) < 0.75
    for without, scene in zip(free, hidden):
        assert len(scene.labels) <= len(without.labels) and (scene.visibility > 0).all()
        assert not (scene.masks.any(0) & ~without.masks.any(0)).any()
    assert hidden._visibility.mean() < 0.8 * free._visibility.mean() and hidden._difficult.sum() > free._difficult.sum()
    assert hidden.fingerprint() != free.fingerprint() and "occlusion" not in free.description


def test_an_object_that_is_hidden_altogether_is_not_in_the_truth():
    whole, hidden = (composed("test", 1, 3, 96, occlusion=share) for share in (0.0, 0.9))
    seen = set(np.unique(hidden.instances).tolist()) - {0}
    assert seen == set(range(1, len(hidden.labels) + 1)) and len(hidden.labels) <= len(whole.labels)
    assert (hidden.boxes[:, 2:] > hidden.boxes[:, :2]).all()


def test_training_scenes_have_nothing_in_front():
    with pytest.raises(ValueError, match="`occlusion` must be 0 for the training split"):
        data.SpriteScenes("train", occlusion=0.3)
