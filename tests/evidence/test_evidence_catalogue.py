"""The catalogue of augmentations: everyone can be drawn, nobody's labels lie, and what equals a test corruption is marked."""

from functools import partial

import pytest
import torch

from course_utils import augment, data
from course_utils.augment.mixing import Mixer
from course_utils.evidence import catalogue
from course_utils.evidence.affinity_and_diversity import train_with
from course_utils.evidence.catalogue import CATALOGUE, circular, made

NAMES = [entry.name for entry in CATALOGUE]


def pictures(n=6, size=32):
    return torch.randint(20, 200, (n, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def drawn(augmentation, images, seed=1):
    return augmentation.draw(images, torch.Generator().manual_seed(seed))


def test_names_are_different_and_chapters_are_those_of_augmentation():
    assert len(set(NAMES)) == len(NAMES) and {entry.chapter for entry in CATALOGUE} == {13, 14, 15, 16, 17}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("strength, size", [(0.01, 32), (1.0, 32), (1.0, 8)])
def test_everyone_returns_pictures_of_the_same_size_and_kind(name, strength, size):
    images = pictures(size=size)
    before, augmentation = images.clone(), made(name, strength, size=size)
    changed = augmentation.replay(images, drawn(augmentation, images))
    assert changed.shape == images.shape and torch.isfinite(changed.float()).all() and torch.equal(images, before)


@pytest.mark.parametrize("name", NAMES)
def test_everyone_changes_something_at_full_strength_and_repeats_itself(name):
    images, augmentation = pictures(), made(name, 1.0)
    one, other = (augmentation.replay(images, drawn(augmentation, images)) for _ in range(2))
    assert torch.equal(one, other) and not torch.equal(one.float(), images.float())


@pytest.mark.parametrize("name", [entry.name for entry in CATALOGUE if entry.family == "mixing"])
def test_labels_of_mixers_add_up_to_one(name):
    images, labels, mixer = pictures(), torch.arange(6), made(name)
    soft = mixer.replay_labels(labels, drawn(mixer, images))
    assert isinstance(mixer, Mixer) and soft.shape == (6, 6)
    torch.testing.assert_close(soft.sum(1), torch.ones(6))


def test_only_mixers_mix_labels():
    assert {entry.name for entry in CATALOGUE if isinstance(entry.make(0.5, 6, 32), Mixer)} == {
        entry.name for entry in CATALOGUE if entry.family == "mixing"
    }


def test_what_equals_a_test_corruption_is_marked():
    assert set(circular("noise")) >= {"gaussian_noise"} and circular("blur") and circular("fog") == ("fog",)
    assert circular("brightness") == ("brightness",) and not circular("AugMix") and not circular("CutMix")
    assert all(set(circular(name)) <= set(augment.corruptions.names) for name in NAMES)


@pytest.mark.parametrize("name", ["noise", "rotation", "cutout", "brightness", "Mixup"])
def test_a_greater_strength_changes_more(name):
    images = pictures(64)
    small, large = (
        float((a.replay(images, drawn(a, images)).float() - images.float()).abs().mean())
        for a in (made(name, strength) for strength in (0.1, 1.0))
    )
    assert 0 < small < large


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="'Mosaic'"):
        made("Mosaic")
    for strength in (0.0, 1.1, float("nan")):
        with pytest.raises(ValueError, match="strength"):
            made("hue", strength)
    with pytest.raises(ValueError, match="size"):
        made("hue", size=4)
    with pytest.raises(ValueError, match="n_classes"):
        made("hue", n_classes=1)


@pytest.fixture
def small_toys(monkeypatch):
    drawn = {split: catalogue.toys(1, split, 30) for split in ("validation", "test")}
    monkeypatch.setattr(catalogue, "toys", lambda seed, split="test", n_test=30: drawn[split])
    monkeypatch.setattr(catalogue, "training_of", partial(catalogue.training_of, n_steps=4))
    monkeypatch.setattr(catalogue, "N_CORRUPTED", 6)
    monkeypatch.setattr(catalogue, "N_NUISANCE", 12)
    kept = (catalogue.views, catalogue._plain)
    for function in kept:
        function.cache_clear()
    yield drawn
    for function in kept:
        function.cache_clear()


def test_an_augmentation_switched_off_at_once_is_none(small_toys):
    plain = catalogue.training_of(1, None)
    assert torch.equal(catalogue.training_of(1, "affine", off_after=0.0).losses, plain.losses)
    assert not torch.equal(catalogue.training_of(1, "affine").losses, plain.losses)
    assert 0 <= catalogue.accuracy(plain, 1) <= 1


def test_an_outcome_holds_what_the_parts_measure(small_toys, monkeypatch):
    monkeypatch.setattr(catalogue, "training_of", lambda *arguments: train_with(small_toys["test"], made("cutout"), 1, 4))
    monkeypatch.setattr(catalogue, "_plain", lambda seed: train_with(small_toys["test"], None, 1, 4))
    found = catalogue.outcome.__wrapped__(1, "cutout")
    assert found.accuracy == pytest.approx(sum(found.halves) / 2)
    assert found.accuracy == catalogue.accuracy(catalogue.training_of(1, "cutout", 0.3), 1)
    assert set(found.corrupted) == set(augment.corruptions.names) and set(found.nuisances) == set(catalogue.NUISANCES)
    assert found.diversity > 0 and found.affinity >= 0


def test_the_training_without_has_affinity_one_and_sees_every_corruption_as_new(small_toys):
    found = catalogue.outcome.__wrapped__(1, None)
    assert found.affinity == 1.0
    assert found.unseen(None) == pytest.approx(sum(found.corrupted.values()) / len(found.corrupted))


def test_corruptions_that_the_augmentation_equals_are_left_out():
    corrupted = {key: float(key == "fog") for key in augment.corruptions.names}
    one = catalogue.Outcome(0.5, 0.5, (0.5, 0.5), 0.0, 0.0, 0.1, 1.0, corrupted, {})
    assert one.unseen("fog") == 0 and one.unseen("hue") == pytest.approx(1 / len(corrupted))


def test_arms_are_all_augmentations_with_their_strengths():
    arms = catalogue.arms()
    assert len(set(arms)) == len(arms) and {name for name, _ in arms} == set(NAMES)
    assert {strength for name, strength in arms if name == "hue"} == set(catalogue.STRENGTHS)
    assert [strength for name, strength in arms if name == "random_square"] == [catalogue.USUAL]


def test_occluded_toys_are_those_of_the_plain_test_set_with_something_before_them():
    hidden, labels = catalogue.views(1, "occluded")
    usual = data.Sprites("test", 1, n=catalogue.N_NUISANCE, size=32)
    assert torch.equal(labels, usual.labels) and not torch.equal(hidden, usual.images)
