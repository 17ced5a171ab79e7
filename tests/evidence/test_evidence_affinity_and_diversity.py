"""Affinity and diversity: limits that are known exactly, and what a mixed label counts."""

import pytest
import torch
from torch import nn

from course_utils import augment, evidence
from course_utils.evidence.affinity_and_diversity import Affinity, AugmentedTraining, train_with
from course_utils.evidence.image_training import LabelledImages


class ByColour(nn.Module):
    """Answers with the channel that is brightest."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images):
        return self.scale * images.float().mean((2, 3))


class Majority(ByColour):
    """Answers class 0, whatever it sees."""

    def forward(self, images):
        return super().forward(images) * 0 + torch.tensor([1.0, 0.0, 0.0])


class Turned:
    """An augmentation without chance: the channels roll by some places."""

    def __init__(self, places, keep=None):
        self.places, self.keep = places, keep

    def draw(self, images, generator=None):
        return None

    def replay(self, images, draw):
        return images.roll(self.places, 1)[: self.keep]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def flat():
    """Nine images, each bright in the channel of its class."""
    labels = torch.arange(9) % 3
    images = torch.eye(3)[labels][:, :, None, None].expand(9, 3, 4, 4).contiguous()
    return images, labels


def small_pictures(n=48):
    labels = torch.arange(n) % 3
    images = torch.randint(0, 120, (n, 3, 16, 16), dtype=torch.uint8, generator=generator(1))
    images[torch.arange(n), labels] += 100
    return LabelledImages(images, labels, images, labels)


def test_what_changes_nothing_has_affinity_one(flat):
    assert evidence.affinity(ByColour(), *flat, Turned(0)) == Affinity(1.0, 1.0, 1.0)
    assert evidence.affinity(ByColour(), *flat, augment.Flip(p=1.0)).ratio == 1.0


def test_what_changes_every_answer_has_affinity_zero(flat):
    assert evidence.affinity(ByColour(), *flat, Turned(1)).ratio == 0.0


def test_who_answers_always_alike_has_affinity_one_for_all(flat):
    found = evidence.affinity(Majority(), *flat, augment.Invert())
    assert found.ratio == pytest.approx(1.0) and found.clean == pytest.approx(1 / 3)


def test_affinity_may_rise_above_one_up_to_one_over_the_clean_accuracy():
    images = torch.eye(3)[[1, 2, 0, 0]][:, :, None, None].expand(4, 3, 2, 2)  # all but the last answer the next class
    labels = torch.tensor([0, 1, 2, 0])
    found = evidence.affinity(ByColour(), images, labels, Turned(-1))
    assert found.clean == 0.25 and found.augmented == 0.75 and found.ratio == 3.0


def test_a_mixed_label_counts_in_parts(flat):
    """The network answers the larger part, so the expected accuracy is that part of the label."""
    images, labels = flat
    mixer = augment.MixUp(num_classes=3)
    drawn = mixer.draw(images, generator(5))
    larger = mixer.replay_labels(labels, drawn).max(1).values.double().mean()
    found = evidence.affinity(ByColour(), images, labels, mixer, n_draws=1, generator=generator(5))
    assert found.augmented == pytest.approx(float(larger), abs=1e-6) and 0.5 < found.augmented < 1


def test_draws_are_averaged_and_a_seed_repeats(flat):
    half = augment.Invert(p=0.5)
    one, other = (evidence.affinity(ByColour(), *flat, half, 20, generator(3)) for _ in range(2))
    assert one == other and 0.3 < one.ratio < 0.7


def test_the_network_is_asked_in_evaluation_mode_and_left_as_it_was(flat):
    network = nn.Sequential(nn.Dropout(0.99), ByColour())
    network.train()
    assert evidence.affinity(network, *flat, Turned(0)).clean == 1.0 and network.training


def test_wrong_arguments_are_refused(flat):
    images, labels = flat
    with pytest.raises(ValueError, match="accuracy of 0"):
        evidence.affinity(ByColour(), images, (labels + 1) % 3, Turned(0))
    with pytest.raises(ValueError, match="at least one image"):
        evidence.affinity(ByColour(), images[:0], labels[:0], Turned(0))
    with pytest.raises(ValueError, match=r"\(9,\)"):
        evidence.affinity(ByColour(), images, labels[:4], Turned(0))
    with pytest.raises(ValueError, match="returns 9 images"):
        evidence.affinity(ByColour(), images, labels, Turned(0, keep=2))
    with pytest.raises(TypeError, match="AugmentedTraining"):
        evidence.diversity(torch.ones(3))


def test_diversity_is_the_final_loss_above_the_entropy_of_the_labels():
    training = AugmentedTraining(nn.Identity(), torch.arange(10.0), torch.full((10,), 0.5))
    assert evidence.diversity(training) == pytest.approx((8 + 9) / 2 - 0.5)
    assert evidence.diversity(training, 1.0) == pytest.approx(4.5 - 0.5)
    assert evidence.diversity(training, 1e-9) == pytest.approx(9 - 0.5)


def test_an_augmentation_that_changes_nothing_has_the_diversity_of_none_bit_by_bit():
    pictures = small_pictures()
    plain, same = train_with(pictures, None, 1, 12), train_with(pictures, Turned(0), 1, 12)
    assert torch.equal(plain.losses, same.losses) and evidence.diversity(plain) == evidence.diversity(same)
    assert (plain.floors == 0).all() and len(plain.losses) == 12


def test_mixed_labels_have_a_floor_and_hard_ones_have_none():
    mixed = train_with(small_pictures(), augment.MixUp(num_classes=3), 1, 6)
    assert (mixed.floors > 0).all() and (mixed.losses >= mixed.floors).all()


def test_a_static_augmentation_shows_the_same_changed_images_again():
    pictures, noise = small_pictures(), augment.GaussianNoise(sigma=(0.5, 0.5))
    static, fresh = (train_with(pictures, noise, 1, 8, static=flag).losses for flag in (True, False))
    assert not torch.equal(static, fresh)
    mixed = train_with(pictures, augment.MixUp(num_classes=3), 1, 8, static=True)
    assert (mixed.floors > 0).all()


def test_a_slingshot_is_the_augmentation_first_and_the_plain_training_after():
    pictures = small_pictures()
    with_all, shot, plain = (train_with(pictures, augment.Invert(), 1, 8, until=until).losses for until in (None, 4, 0))
    assert torch.equal(shot[:4], with_all[:4]) and not torch.equal(shot[4:], with_all[4:])
    assert torch.equal(plain, train_with(pictures, None, 1, 8).losses)
