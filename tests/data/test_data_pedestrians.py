"""Pedestrians: who is in which split, what a picture depends on, cameras, things in the way, what is refused."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from torchvision import tv_tensors

from course_utils import data
from course_utils.data.pedestrians import SPLITS, cameras, dataset
from course_utils.data.pedestrians.cameras import N_CAMERAS, camera_of
from course_utils.data.pedestrians.dataset import photographed
from course_utils.data.pedestrians.walker import FACINGS, walker
from course_utils.data.pedestrians.wardrobe import outfit
from course_utils.data.sprite_scenes.backgrounds import REGIONS
from course_utils.data.sprite_scenes.drawing import Pose, rendered
from course_utils.data.street_world.textures import stream


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_CACHE", str(tmp_path_factory.mktemp("people")))
        yield {split: data.Pedestrians(split, n_people=6, height=48) for split in SPLITS}


# -- the data set ---------------------------------------------------------------------------------------------------------
def test_every_attribute_has_its_promised_shape_and_type(people):
    for split, pictures in people.items():
        n = 6 * 4 * {"train": 3, "gallery": 2, "validation_gallery": 2}.get(split, 1)
        assert pictures.images.shape == (n, 3, 48, 24) and pictures.images.dtype == torch.uint8 and len(pictures) == n
        assert pictures.masks.shape == (n, 48, 24) and pictures.boxes.shape == (n, 4)
        assert pictures.identities.shape == pictures.cameras.shape == pictures.occluded.shape == (n,)
        picture = pictures[n - 1]
        assert isinstance(picture.box, tv_tensors.BoundingBoxes) and picture.box.canvas_size == (48, 24)
        assert isinstance(picture.mask, tv_tensors.Mask) and picture.image.shape == (3, 48, 24)
        with pytest.raises(dataclasses.FrozenInstanceError):
            picture.identity = 0


def test_every_person_passes_every_camera_equally_often(people):
    for pictures in people.values():
        table = torch.zeros(200, 4, dtype=torch.int64)
        table.index_put_((pictures.identities, pictures.cameras), torch.ones(len(pictures), dtype=torch.int64), accumulate=True)
        assert len(table[table.sum(1) > 0].unique()) == 1


def test_nobody_is_in_two_parts_and_queries_have_their_gallery():
    who = {split: set(range(*dataset._SPLITS[split].people)) for split in SPLITS}
    assert who["query"] == who["gallery"] and who["validation_query"] == who["validation_gallery"]
    assert not who["train"] & who["query"] and not who["validation_query"] & (who["train"] | who["query"])


def test_query_and_gallery_share_no_picture(people):
    for query, gallery in (("query", "gallery"), ("validation_query", "validation_gallery")):
        difference = people[query].images[:, None].int() - people[gallery].images[None].int()
        assert difference.abs().sum((2, 3, 4)).min() > 1000


def test_a_box_is_the_extent_of_the_mask_where_nothing_stands_in_front(people):
    for picture in people["gallery"]:
        rows, columns = torch.nonzero(picture.mask, as_tuple=True)
        assert picture.box[0].tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert 0.55 * 48 < picture.box[0, 3] - picture.box[0, 1] <= 48 and not picture.occluded


# -- what a picture depends on --------------------------------------------------------------------------------------------
def test_a_picture_depends_on_its_own_numbers_only(people):
    alone = photographed(0, 101, 2, 1, "gallery", 48, 0.4, 0.0)[0]
    assert np.array_equal(alone, people["gallery"].images[12].permute(1, 2, 0).numpy())
    others = [(1, 101, 2, 1), (0, 102, 2, 1), (0, 101, 3, 1), (0, 101, 2, 2)]
    assert not any(np.array_equal(alone, photographed(*key, "gallery", 48, 0.4, 0.0)[0]) for key in others)


def test_a_person_wears_the_same_in_every_picture(monkeypatch):
    seen = []
    original = dataset.walker
    monkeypatch.setattr(dataset, "walker", lambda person, *step: seen.append(person) or original(person, *step))
    for camera in range(4):
        photographed(0, 7, camera, 0, "train", 48, 0.4, 0.0)
    photographed(0, 8, 0, 0, "train", 48, 0.4, 0.0)
    assert seen[0] == seen[1] == seen[2] == seen[3] != seen[4]


def test_the_fingerprints_have_not_changed(people):
    """Changed on purpose? Then raise dataset.GENERATOR_VERSION and write the new fingerprints down here."""
    assert {split: pictures.fingerprint() for split, pictures in people.items() if split in ("train", "query")} == {
        "train": "0458718a6e5ae0e2",
        "query": "224614f2a17a0697",
    }


def test_the_fingerprint_notices_a_change(people):
    pictures = people["gallery"]
    before, kept = pictures.fingerprint(), pictures.images[0].clone()
    pictures.images[0] //= 2
    try:
        assert pictures.fingerprint() != before
    finally:
        pictures.images[0] = kept
    assert pictures.fingerprint() == before


def test_the_second_time_the_pictures_come_from_the_disk(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    first = data.Pedestrians("query", n_people=1, height=32)
    monkeypatch.setattr(dataset, "photographed", lambda *key: pytest.fail("drawn again"))
    again = data.Pedestrians("query", n_people=1, height=32)
    assert torch.equal(again.images, first.images) and torch.equal(again.occluded, first.occluded)


# -- things in the way ----------------------------------------------------------------------------------------------------
def test_half_of_the_queries_have_something_in_front_and_no_other_picture_has(people):
    for split, pictures in people.items():
        if split.endswith("query"):
            assert 0.2 < pictures.occluded.double().mean() < 0.8
        else:
            assert not pictures.occluded.any()


def test_a_larger_share_of_occluded_queries_keeps_the_others_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    shares = {s: data.Pedestrians("query", n_people=5, height=48, occluded_share=s) for s in (0.0, 0.4, 1.0)}
    none, some, every = shares.values()
    assert not none.occluded.any() and every.occluded.all() and 0 < some.occluded.sum() < len(some)
    assert torch.equal(some.images[~some.occluded], none.images[~some.occluded])
    assert torch.equal(some.images[some.occluded], every.images[some.occluded])
    assert torch.equal(none.boxes, every.boxes) and not (every.masks & ~none.masks).any()


@pytest.mark.parametrize("occlusion", [0.2, 0.5])
def test_the_wanted_share_of_the_box_is_hidden(occlusion, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    asked = []
    original = dataset.occluder

    def spied(r, box, share, *rest):
        thing = original(r, box, share, *rest)
        left, top, right, bottom = map(int, box)
        asked.append((thing.alpha[top:bottom, left:right] > 0.5).mean())
        return thing

    monkeypatch.setattr(dataset, "occluder", spied)
    data.Pedestrians("validation_query", n_people=3, height=64, occlusion=occlusion, occluded_share=1.0)
    assert len(asked) == 12 and np.allclose(asked, occlusion, atol=0.04)


# -- people and cameras ---------------------------------------------------------------------------------------------------
def test_the_cameras_of_a_seed_differ_and_those_of_another_seed_do_too():
    lenses = [camera_of(0, k) for k in range(N_CAMERAS)]
    warmth = [lens.tint[0] / lens.tint[2] for lens in lenses]
    assert min(abs(a - b) for i, a in enumerate(warmth) for b in warmth[:i]) > 0.02
    assert len({lens.walls for lens in lenses}) == 4 and camera_of(0, 0) == camera_of(0, 0) != camera_of(1, 0)
    used = {name for pairs in (*cameras._WALLS, *cameras._GROUNDS) for name in pairs}
    assert used <= set(REGIONS)


@pytest.mark.parametrize("facing", FACINGS)
def test_people_have_their_height_and_their_feet_on_the_ground_in_every_step(facing):
    for i in range(10):
        person = outfit(stream(9, i))
        for phase in np.linspace(0, 6, 5):
            x0, y0, x1, y1 = walker(person, facing, float(phase)).extent()
            assert -0.02 < y0 < 0.03 and 0.95 < y1 < 1.12 and x0 < 0 < x1 and x1 - x0 < 0.7


def test_the_rucksack_is_seen_from_the_back_and_not_from_the_front():
    person = dataclasses.replace(
        outfit(stream(9, 1)), bag="rucksack", bag_colour=(0.0, 0.0, 255.0), shirt=(200.0, 60.0, 60.0), pattern="plain"
    )
    blue = []
    for facing in ("back", "side", "front"):
        sprite = rendered(walker(person, facing, 0.5), Pose(80.0), stream(1))
        blue.append(int((sprite.colour[..., 2] > sprite.colour[..., 0] + 60).sum()))
    assert blue[0] > 2 * blue[1] > 2 * blue[2]


def test_no_two_people_wear_the_same():
    assert len({outfit(stream(cameras.WORLD, 0, 2, i)) for i in range(180)}) == 180


# -- arguments and workers ------------------------------------------------------------------------------------------------
def test_the_description_says_what_there_is(people):
    pictures = people["query"]
    assert "24 drawn pictures of 6 people by 4 cameras, 48 x 24 pixels (query split, seed 0)" in pictures.description
    assert f"in front of {int(pictures.occluded.sum())} of them" in pictures.description
    assert repr(pictures) == "Pedestrians('query', seed=0: 24 images of 48 x 24, 6 people, 4 cameras)"


@pytest.mark.parametrize(
    "arguments, error, text",
    [
        ({"split": "test"}, ValueError, "`split` must be one of 'train', 'validation_query'"),
        ({"seed": -1}, ValueError, "`seed` must be an integer of at least 0"),
        ({"height": 16}, ValueError, "`height` must be an integer of at least 32"),
        ({"height": 49}, ValueError, "`height` must be even"),
        ({"occlusion": 0.95}, ValueError, "`occlusion` must be a finite number between 0 and 0.9"),
        ({"occluded_share": 0.5}, ValueError, "`occluded_share` must be 0 for training people"),
        ({"split": "query", "occluded_share": 1.5}, ValueError, "`occluded_share` must be a finite number between 0 and 1"),
        ({"n_people": 61}, ValueError, "`n_people` must be an integer between 1 and 60"),
    ],
)
def test_a_wrong_argument_is_refused(arguments, error, text):
    with pytest.raises(error, match=text):
        data.Pedestrians(**arguments)


def test_an_index_beyond_the_end_is_refused_and_a_negative_one_counts_from_the_end(people):
    pictures = people["query"]
    with pytest.raises(IndexError):
        pictures[24]
    assert torch.equal(pictures[-1].image, pictures.images[-1])


def test_it_feeds_a_data_loader_with_workers(people):
    pictures = people["query"]
    batches = DataLoader(pictures, batch_size=8, num_workers=2, collate_fn=list)
    for picture, other in zip((p for batch in batches for p in batch), pictures, strict=True):
        assert torch.equal(picture.image, other.image) and picture.identity == other.identity
