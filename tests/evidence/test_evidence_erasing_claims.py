"""The erasing experiments with a few pictures and a few steps in place of the whole."""

import numpy as np
import pytest
import torch

from course_utils import augment, data
from course_utils.evidence import claim, erasing_claims
from course_utils.evidence.erasing_claims import Recipe, train_classifier

KEYS = [
    "erasing-classification-occlusion",
    "erasing-detection-occlusion",
    "erasing-reid-occlusion",
    "erasing-fill",
    "cutout-size-curve",
    "cutout-activations",
    "cutout-targeted",
    "hide-and-seek-localisation",
    "hide-and-seek-fixed-threshold",
]


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Two steps, and as few pictures as each question can do with."""
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    few = {
        "CLASSIFIER": Recipe(4, 2, 8),
        "LOCALISER": Recipe(4, 2, 8),
        "REIDENTIFIER": Recipe(4, 2, 8),
        "PER_CLASS": 2,
        "N_TEST": 12,
        "LENGTHS": (0, 4, 8, 24),
        "DETECTOR_WIDTH": 16,
        "DETECTOR_STEPS": 2,
        "N_SCENES": {"train": 8, "test": 6},
        "N_CREATURES": {"train": 8, "validation": 8, "test": 8},
    }
    for name, value in few.items():
        monkeypatch.setattr(erasing_claims, name, value)
    people = data.Pedestrians
    monkeypatch.setattr(
        erasing_claims.data, "Pedestrians", lambda split, seed, height, *rest: people(split, seed, height, *rest, n_people=3)
    )
    forget_networks()  # the networks of a seed are kept; here they must be small ones
    yield
    forget_networks()


KEPT = (erasing_claims.toy_classifier, erasing_claims.train_creature_classifier)


def forget_networks():
    for function in KEPT:
        function.cache_clear()


@pytest.mark.parametrize("key", KEYS)
def test_an_experiment_gives_a_figure_for_every_method_of_its_claim_and_repeats(key, small):
    this = claim(key)
    figures = this.experiment(1)
    assert {name for pair in this.pairs for name in pair} <= set(figures)
    assert all(np.isfinite(value) and value >= 0 for value in figures.values())
    forget_networks()
    assert this.experiment(1) == figures


# -- the training ---------------------------------------------------------------------------------------------------------
def test_a_classifier_learns_what_separates_its_images():
    images = torch.zeros(40, 3, 16, 16, dtype=torch.uint8)
    labels = torch.arange(40) % 2
    images[labels == 1, :, 4:12, 4:12] = 200
    images += torch.randint(0, 30, images.shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    network = train_classifier(images, labels, None, 0, Recipe(8, 30, 16))
    assert not network.training

    class Pictures:
        pass

    pictures = Pictures()
    pictures.images, pictures.labels = images, labels
    assert erasing_claims.accuracy(network, pictures) > 0.95


# -- the arms -------------------------------------------------------------------------------------------------------------
def test_the_arms_hide_what_their_names_say():
    images = torch.randint(0, 256, (6, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    assert erasing_claims.hiding("none", images) is None and erasing_claims.hiding("Cutout 0", images) is None
    erasing, paper = (erasing_claims.hiding(f"Random Erasing{fill}", images) for fill in ("", ", random fill"))
    assert (erasing.value, paper.value) == ("mean", "random") and erasing.mean == augment.channel_means(images)
    assert erasing.scale == paper.scale == (0.02, 0.4) and erasing.aware == "image"
    assert erasing_claims.hiding("Random Erasing", images, "detection").aware == "both"
    assert isinstance(erasing_claims.hiding("Hide-and-Seek", images), augment.HideAndSeek)
    square = erasing_claims.hiding("Cutout 12", images)
    assert square.length == 12 and square.mean == augment.channel_means(images)


class Bright(torch.nn.Module):
    """A network whose strongest feature is the brightness, on a grid as fine as the image."""

    def __init__(self):
        super().__init__()
        self.classifier = torch.nn.Linear(2, 2)

    def features(self, images):
        return torch.cat([images[:, :1], 0 * images[:, :1]], dim=1)


def test_what_excites_the_network_is_hidden_as_a_region_or_as_a_square_around_its_middle():
    images = torch.zeros(2, 3, 12, 16, dtype=torch.uint8)
    images[0, :, 2:5, 6:11] = 250  # three rows, five columns; the second image has no strongest place
    mean = round(255 * augment.channel_means(images)[0])
    hidden = erasing_claims.hiding_what_excites(images)(Bright(), images)
    assert torch.equal(hidden[0] == mean, images[0] == 250) and torch.equal(hidden[1], images[1])
    square = erasing_claims.hiding_what_excites(images, 3)(Bright(), images)
    rows, columns = (square[0, 0] == mean).nonzero().unbind(1)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 4, 7, 9) and torch.equal(square[1], images[1])


def test_a_watching_change_sees_the_network_of_the_step_and_changes_what_it_learns_from():
    images = torch.randint(0, 256, (8, 3, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    seen = []

    def watching(network, batch):
        seen.append(next(network.parameters()).detach().clone())
        return torch.zeros_like(batch)

    labels, recipe = torch.arange(8) % 2, Recipe(4, 3, 4)
    blind = train_classifier(images, labels, None, 0, recipe, watching=watching)
    plain = train_classifier(images, labels, None, 0, recipe)
    assert len(seen) == 3 and not torch.equal(seen[0], seen[2])
    assert not torch.equal(blind.classifier.weight, plain.classifier.weight)


def test_the_chosen_side_of_the_square_comes_from_validation(small, monkeypatch):
    """Validation prefers 4, the test 8: the figure is the test accuracy of 4."""
    value = {
        ("validation", "Cutout 4"): 0.9,
        ("test", "Cutout 4"): 0.5,
        ("validation", "Cutout 8"): 0.7,
        ("test", "Cutout 8"): 0.8,
    }
    monkeypatch.setattr(erasing_claims, "toy_classifier", lambda seed, arm: arm)
    monkeypatch.setattr(erasing_claims, "toys", lambda split, seed: split)
    monkeypatch.setattr(erasing_claims, "accuracy", lambda network, split: value.get((split, network), 1.0))
    assert erasing_claims.cutout_sizes(1)["best inner side"] == 0.5


def test_networks_of_a_seed_are_trained_once(small, monkeypatch):
    trained = []
    original = erasing_claims.train_classifier
    monkeypatch.setattr(erasing_claims, "train_classifier", lambda *given: trained.append(1) or original(*given))
    erasing_claims.classification(1)
    erasing_claims.classification(1)
    assert len(trained) == 2
