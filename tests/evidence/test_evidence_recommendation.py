"""The recommendation: a plan that fits the budget, nothing believed that chance explains, and test images that nobody sees too early."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from course_utils.evidence import recommendation
from course_utils.evidence.image_training import LabelledImages
from course_utils.evidence.recommendation import (
    FolderPictures,
    Plan,
    ToyPictures,
    planned,
    recommend,
    trainings_in,
    visible_effect,
)
from course_utils.training import paired_comparison
from course_utils.training.choosing import holm


class Oracle:
    """Pictures whose accuracy is a table: an image is the number of its split, and networks know their arm and seed."""

    name, class_names = "oracle", ("a", "b")

    def __init__(self):
        self.tested = 0

    def split(self, seed):
        images = torch.full((4, 3, 8, 8), seed, dtype=torch.uint8)
        return LabelledImages(images, torch.tensor([0, 1, 0, 1]), images, torch.tensor([0, 1, 0, 1]))

    @property
    def test(self):
        self.tested += 1
        return torch.full((4, 3, 8, 8), 255, dtype=torch.uint8), torch.tensor([0, 1, 0, 1])


@pytest.fixture
def oracle(monkeypatch):
    """Return a function that sets the gains of arms; accuracies get noise that depends on arm and seed."""
    gains, trained = {}, []

    def network(pictures, name, strength, seed, n_steps):
        trained.append((name, seed))
        return (name, seed)

    def accuracy(network, images, labels):
        name, seed = network
        noise = np.random.default_rng([seed, len(name or ""), int(images[0, 0, 0, 0] == 255)]).normal(0, 0.004)
        return 0.6 + gains.get(name, 0.0) + noise

    monkeypatch.setattr(recommendation, "_network", network)
    monkeypatch.setattr(recommendation, "_accuracy", accuracy)
    return lambda **new: (gains.update(new), trained)[1]


@pytest.mark.parametrize("n_candidates", [1, 3, 8, 40])
def test_a_plan_fits_its_budget_and_can_decide(n_candidates):
    for n_trainings in range(14, 300):
        plan = planned(n_trainings, n_candidates)
        assert plan.n_trainings <= n_trainings and plan.smallest_p <= 0.05
        assert 1 <= plan.n_finalists <= plan.n_candidates <= n_candidates


def test_a_budget_that_cannot_decide_is_refused_with_what_it_takes():
    with pytest.raises(ValueError, match="at least 14, but got 9"):
        planned(9, 8)
    assert Plan(1, 1, 6).n_trainings == 14 and planned(14, 1) == Plan(1, 1, 6)


def test_a_real_gain_is_recommended_and_tested_once(oracle):
    trained, pictures = oracle(hue=0.05), Oracle()
    found = recommend(pictures, 60, ("cutout", "hue", "affine", "Mixup"))
    assert found.choice == "hue" and pictures.tested <= 2 * found.plan.n_seeds
    assert found.test.mean == pytest.approx(0.05, abs=0.01) and "use hue" in found.sentence
    assert len(trained) == found.plan.n_trainings
    screening, confirmation = ({seed for name, seed in trained if (seed == 0) == first} for first in (True, False))
    assert screening == {0} and confirmation == set(range(1, 1 + found.plan.n_seeds))


def test_without_a_gain_nothing_is_recommended_and_the_test_images_stay_unseen(oracle):
    oracle()
    pictures = Oracle()
    found = recommend(pictures, 60, ("cutout", "hue", "affine", "Mixup"))
    assert found.choice is None and found.test is None and pictures.tested == 0
    assert "use none of them" in found.sentence and found.visible > 0


def test_an_augmentation_that_harms_for_sure_is_not_recommended(oracle):
    oracle(hue=-0.2, cutout=-0.2)
    found = recommend(Oracle(), 40, ("hue", "cutout"))
    assert found.choice is None and min(found.p_values.values()) <= 0.05


def test_the_visible_effect_is_that_of_the_test_that_decides():
    """Planted at that size in one of three finalists, it is recommended about four times in five."""
    plan = Plan(3, 3, 8)
    effect, random, chosen = visible_effect(plan, 0.02), np.random.default_rng(3), []
    for _ in range(300):
        p_values = [paired_comparison(random.normal(mean, 0.02, 8), np.zeros(8)).p_value for mean in (effect, 0.0, 0.0)]
        chosen.append(holm(p_values)[0] <= 0.05)
    assert np.mean(chosen) == pytest.approx(0.8, abs=0.09)


def test_p_values_are_corrected_for_the_finalists(oracle):
    oracle(hue=0.05, cutout=0.05, affine=0.05)
    found = recommend(Oracle(), 60, ("hue", "cutout", "affine"))
    assert found.plan.n_finalists == 3
    smallest = min(gain.p_value for gain in found.confirmed.values())
    assert min(found.p_values.values()) == pytest.approx(3 * smallest)


def test_screening_seeds_do_not_confirm(oracle, monkeypatch):
    """A candidate that is lucky in the screening alone is a finalist, and is not recommended."""
    oracle()
    original = recommendation._accuracy
    monkeypatch.setattr(recommendation, "_accuracy", lambda n, *test: original(n, *test) + 0.3 * (n == ("cutout", 0)))
    found = recommend(Oracle(), 30, ("hue", "cutout", "affine"))
    assert next(iter(found.screened)) == "cutout" and "cutout" in found.confirmed and found.choice is None


def test_wrong_arguments_are_refused():
    for candidates in ((), ("hue", "hue")):
        with pytest.raises(ValueError, match="candidates"):
            recommend(Oracle(), 30, candidates)
    with pytest.raises(ValueError, match="'sharpen'"):
        recommend(Oracle(), 30, ("sharpen",))
    with pytest.raises(ValueError, match="strength"):
        recommend(Oracle(), 30, ("hue",), strength=0.0)
    with pytest.raises(ValueError, match="minutes"):
        trainings_in(0, Oracle())


def test_seeds_of_toys_differ_and_none_shares_the_test_images():
    pictures = ToyPictures(16, 4)
    one, two = pictures.split(1), pictures.split(2)
    assert not torch.equal(one.train_images, two.train_images) and pictures.split(1).n_classes == len(pictures.class_names) == 6
    assert torch.equal(pictures.split(1).test_images, one.test_images)
    images, labels = pictures.test
    assert images.shape == (600, 3, 16, 16) and labels.shape == (600,)


@pytest.fixture
def folder(tmp_path):
    """Twelve pictures of each of two classes, one in a deeper folder, and one that belongs to no class."""
    random = np.random.default_rng(0)
    for name, n in (("cats", 12), ("dogs", 12)):
        (tmp_path / name / "deep").mkdir(parents=True)
        for i in range(n):
            pixels = random.integers(0, 256, (24, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / ("deep" if i == 0 else "") / f"{i}.png")
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "lost.png")
    return tmp_path


def test_a_folder_is_split_by_class_and_its_test_pictures_never_train(folder):
    pictures = FolderPictures(folder, 16)
    assert pictures.class_names == ("cats", "dogs") and len(pictures.labels) == 24
    images, labels = pictures.test
    assert labels.bincount().tolist() == [3, 3]
    for seed in (1, 2):
        split = pictures.split(seed)
        assert split.train_labels.bincount().tolist() == [6, 6] and split.test_labels.bincount().tolist() == [3, 3]
        parts = [{tuple(image.flatten().tolist()) for image in part} for part in (images, split.train_images, split.test_images)]
        assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
        assert len(set.union(*parts)) == 24
    assert not torch.equal(pictures.split(1).train_images, pictures.split(2).train_images)


def test_a_recommendation_for_a_folder_runs_to_the_end(folder):
    found = recommend(FolderPictures(folder, 16), 14, ("hue",), n_steps=2)
    assert found.plan == Plan(1, 1, 6) and found.pictures == folder.name and set(found.confirmed) == {"hue"}
    assert trainings_in(1.0, FolderPictures(folder, 16), n_steps=20) > 0


def test_folders_without_classes_are_refused(folder, tmp_path_factory):
    alone = tmp_path_factory.mktemp("alone")
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(alone / "one.png")
    with pytest.raises(ValueError, match="one for each class"):
        FolderPictures(alone)
    (folder / "birds").mkdir()
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(folder / "birds" / "one.png")
    with pytest.raises(ValueError, match="1 in 'birds'"):
        FolderPictures(folder)


def test_the_network_is_trained_on_the_split_alone():
    pictures = Oracle()
    network = recommendation._network(pictures, "hue", 0.3, 1, 2)
    assert isinstance(network, nn.Module) and pictures.tested == 0
