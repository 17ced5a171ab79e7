"""The experiments about label safety, small: what they promise, and that only the augmentation differs between arms."""

import numpy as np
import pytest
import torch

from course_utils import augment
from course_utils.evidence import claim
from course_utils.evidence import label_safety_claims as safety


@pytest.fixture
def short(monkeypatch):
    """Few steps, few toys."""
    for name, value in {"DIGIT_STEPS": 3, "TOY_STEPS": 2, "N_TOYS": 24, "N_NEW_TOYS": 12, "TOY_WIDTH": 4}.items():
        monkeypatch.setattr(safety, name, value)
    caches = (safety.digit_network, safety.toy_accuracies, safety.toys)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


def test_a_split_has_ten_digits_of_each_class_and_shares_none_with_its_test_set():
    train, test = safety.split_digits(3)
    labels = safety.digits()[1]
    assert torch.bincount(labels[train]).tolist() == [10] * 10 and len(test) == safety.N_TEST
    assert not set(train.tolist()) & set(test.tolist())
    assert torch.equal(safety.split_digits(3)[1], test) and not torch.equal(safety.split_digits(4)[1], test)


def test_both_arms_see_the_same_batches_whatever_the_transform_draws():
    images, labels = torch.rand(40, 3, 8, 8), torch.arange(40) % 10
    seen = {}
    for name, transform in (("none", None), ("gate shut", augment.ISONoise(p=0.0)), ("still", augment.Rotation((0, 0)))):
        network = safety.training.SmallCNN(dim=4, n_classes=10, generator=torch.Generator().manual_seed(0))
        trained = safety.train_classifier(images, labels, transform, 1, network, 4, 8, 1e-2)
        seen[name] = torch.cat([p.detach().flatten() for p in trained.parameters()])
    assert torch.equal(seen["none"], seen["gate shut"]) and torch.equal(seen["none"], seen["still"])


def test_training_changes_neither_the_global_random_state_nor_its_images():
    images, labels = torch.rand(20, 3, 8, 8), torch.arange(20) % 10
    before, state = images.clone(), torch.get_rng_state()
    network = safety.training.SmallCNN(dim=4, n_classes=10, generator=torch.Generator().manual_seed(0))
    safety.train_classifier(images, labels, augment.GaussianNoise(0.2), 1, network, 2, 8, 1e-2)
    assert torch.equal(images, before) and torch.equal(torch.get_rng_state(), state)


def test_painted_digits_wear_the_colour_of_their_class_as_often_as_asked():
    train, test = safety.split_digits(1)
    rows = torch.cat([train, test])
    images, digit, colour = safety.painted_digits(5, rows, 0.95)
    assert 0.93 < float((colour == digit % 3).double().mean()) < 1  # 0.95 and a third of the rest
    assert torch.equal(digit, safety.digits()[1][rows])
    assert float(images.min()) >= 0 and float(images.max()) <= 1
    strongest = images.amax((2, 3)).argmax(1)
    assert torch.equal(strongest, colour)
    _, digit, colour = safety.painted_digits(5, rows, 0.0)
    assert abs(float((colour == digit % 3).double().mean()) - 1 / 3) < 0.05


def test_a_reader_that_knows_one_answer_reads_all_digits_so():
    class Always(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bias = torch.nn.Parameter(torch.eye(10)[9])

        def forward(self, images):
            return self.bias.expand(len(images), 10)

    rows = torch.arange(30)
    assert safety.read_as(Always(), rows, 180, 9) == 1 and safety.read_as(Always(), rows, 0, 6) == 0


def test_gains_are_differences_to_the_same_test_set_without_augmentation():
    views = list(safety.NUISANCES.values())
    cells = {f"none | {v}": 0.1 * j for j, v in enumerate(views)}
    cells |= {
        f"{name} | {v}": 0.1 * j + (0.3 if i == j else 0.0)
        for i, name in enumerate(safety.NUISANCES)
        for j, v in enumerate(views)
    }
    assert np.allclose(safety.gains(cells), 0.3 * np.eye(len(views)))


def test_toys_look_left_so_that_the_mirror_is_a_nuisance_of_its_own():
    for views in ("usual", *safety.NUISANCES.values()):
        assert safety.looking_left(views).mirrored is (views != "right")


def test_every_augmentation_draws_for_each_toy_and_keeps_values_and_shape():
    images = torch.rand(6, 3, 32, 32)
    for name, transform in safety.toy_transforms().items():
        if transform is None:
            continue
        out = transform.replay(images, transform.draw(images, torch.Generator().manual_seed(0)))
        assert out.shape == images.shape and float(out.min()) >= 0 and float(out.max()) <= 1, name
        assert not torch.equal(out, images), name


def test_the_experiments_give_every_figure_of_their_claims_and_repeat(short):
    for key, experiment in {
        "label-safety-helps": safety.safe_transforms,
        "label-safety-hurts": safety.unsafe_transforms,
        "label-safety-turned-six": safety.turned_sixes,
        "label-safety-two-questions": safety.two_questions,
        "augmentation-matches-nuisance": safety.augmentation_nuisance,
        "augmentation-nuisance-matrix": safety.toy_accuracies,
    }.items():
        figures = experiment(1)
        assert claim(key).experiment is experiment
        assert set(figures) >= {name for pair in claim(key).pairs for name in pair}
        assert all(-1 <= value <= 1 for value in figures.values())
        safety.digit_network.cache_clear()
        assert experiment(1) == figures
