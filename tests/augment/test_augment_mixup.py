"""MixUp and SamplePairing: limits, statistics, torchvision, and the schedule epoch by epoch."""

import pytest
import torch
from scipy import stats
from torchvision.transforms import v2

from course_utils import augment
from course_utils.augment import mixing
from course_utils.augment.mixup import Lambda, MixUp, PairingSchedule, SamplePairing


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def ring(n):
    """Partners as torchvision takes them: the batch rolled by one."""
    return torch.stack([torch.arange(n), torch.arange(n).roll(1)], dim=1)


@pytest.mark.parametrize("alpha", [0.4, 1.0, 2.0])  # below, many numbers are closer to 1 than float32 can say
def test_lambda_follows_the_beta_distribution(alpha):
    lam = MixUp(alpha).sample(5000, (3, 8, 8), generator(3)).lam
    assert stats.kstest(lam.double().numpy(), stats.beta(alpha, alpha).cdf).pvalue > 1e-3


def test_the_smaller_part_is_as_large_as_the_notes_say():
    for alpha, part in ((0.1, 0.06), (0.2, 0.10), (0.4, 0.16), (1.0, 0.25), (2.0, 0.31)):
        lam = MixUp(alpha).sample(40_000, (3, 8, 8), generator(1)).lam
        assert float(torch.minimum(lam, 1 - lam).mean()) == pytest.approx(part, abs=0.006)


def test_it_equals_torchvisions_mixup_under_the_same_draw(monkeypatch):
    images, labels = torch.rand(6, 3, 9, 12, generator=generator()), torch.tensor([0, 1, 2, 3, 3, 1])
    theirs = v2.MixUp(num_classes=4)
    monkeypatch.setattr(theirs, "make_params", lambda inputs: {"lam": 0.3, "labels": labels, "batch_size": 6})
    expected = theirs.transform(images, {"lam": 0.3, "labels": labels, "batch_size": 6})
    soft = theirs.transform(labels, {"lam": 0.3, "labels": labels, "batch_size": 6})
    mixer = MixUp(num_classes=4)
    drawn = mixing.MixDraw(torch.ones(6, dtype=torch.bool), mixer.plan(ring(6), Lambda(torch.full((6,), 0.3)), (3, 9, 12)))
    torch.testing.assert_close(mixer.replay(images, drawn), expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(mixer.replay_labels(labels, drawn), soft, atol=1e-6, rtol=0)


def test_lambda_one_and_zero_are_the_two_images_themselves():
    images = torch.rand(5, 3, 6, 7, generator=generator())
    mixer = MixUp(num_classes=5)
    for lam, expected in ((1.0, images), (0.0, images.roll(1, 0))):
        plan = mixer.plan(ring(5), Lambda(torch.full((5,), lam)), (3, 6, 7))
        assert torch.equal(plan.images(images), expected)


def test_alpha_zero_mixes_nothing():
    images, labels = torch.rand(5, 3, 6, 7), torch.arange(5)
    mixed, soft = MixUp(0, num_classes=5)(images, labels)
    assert torch.equal(mixed, images) and torch.equal(soft, torch.eye(5))


def test_one_lambda_for_the_batch_or_one_for_each():
    images = torch.rand(50, 1, 2, 2)
    for per, n in (("batch", 1), ("sample", 50)):
        assert len(MixUp(num_classes=2, per=per).draw(images, generator()).plan.weights[:, 0].unique()) == n


def test_the_gradient_reaches_both_images_with_their_parts():
    images = torch.rand(4, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    plan = MixUp(num_classes=2).plan(ring(4), Lambda(torch.full((4,), 0.3)), (2, 3, 3))
    plan.images(images)[0].sum().backward()
    torch.testing.assert_close(images.grad[0], torch.full_like(images[0], 0.3), atol=1e-6, rtol=0)
    torch.testing.assert_close(images.grad[3], torch.full_like(images[3], 0.7), atol=1e-6, rtol=0)


def test_cross_entropy_with_the_soft_label_is_the_weighed_sum_of_two():
    logits, labels = torch.randn(6, 4, generator=generator()), torch.tensor([0, 1, 2, 3, 3, 1])
    lam = torch.rand(6, generator=generator(1))
    plan = MixUp(num_classes=4).plan(ring(6), Lambda(lam), (3, 4, 4))
    soft = plan.labels(mixing.soft_labels(labels, 4))
    each = [torch.nn.functional.cross_entropy(logits, one, reduction="none") for one in (labels, labels.roll(1))]
    found = torch.nn.functional.cross_entropy(logits, soft)
    torch.testing.assert_close(found, (lam * each[0] + (1 - lam) * each[1]).mean())


# --- SamplePairing


def test_the_image_is_the_mean_and_the_label_is_the_first():
    images, labels = torch.rand(6, 3, 5, 4, generator=generator()), torch.tensor([0, 1, 2, 0, 1, 2])
    mixer = SamplePairing(num_classes=3)
    drawn = mixer.draw(images, generator(2))
    partners = drawn.plan.partners[:, 1]
    torch.testing.assert_close(mixer.replay(images, drawn), (images + images[partners]) / 2)
    assert torch.equal(mixer.replay_labels(labels, drawn), torch.eye(3)[labels])
    soft = torch.full((6, 3), 1 / 3)
    assert mixer.replay_labels(soft, drawn) is soft


def test_a_label_follows_its_image_when_both_are_marked():
    """Image k is the number k everywhere: the result says who was paired, the label must be the first one's."""
    images = torch.arange(8.0)[:, None, None, None].expand(8, 1, 2, 2).contiguous()
    mixed, soft = SamplePairing(num_classes=8)(images, torch.arange(8))
    partner = 2 * mixed.mean((1, 2, 3)) - torch.arange(8)
    assert sorted(partner.tolist()) == list(range(8)) and torch.equal(soft, torch.eye(8))


def test_the_schedule_of_twenty_epochs():
    schedule = PairingSchedule(start=2, end=16, on=8, off=2)
    expected = [False] * 2 + [True] * 8 + [False] * 2 + [True] * 4 + [False] * 4
    assert [schedule(epoch) for epoch in range(20)] == expected
    assert PairingSchedule.scaled(20) == schedule


def test_the_papers_schedule_for_cifar():
    schedule = PairingSchedule()
    assert not schedule(99) and schedule(100) and schedule(107) and not schedule(108) and not schedule(109) and schedule(110)
    assert not schedule(800) and not schedule(999)
    assert PairingSchedule.scaled(1000) == PairingSchedule(100, 800, 8, 2)


def test_off_means_untouched_images_and_hard_labels():
    images, labels = torch.rand(4, 3, 5, 5), torch.tensor([0, 1, 1, 0])
    mixer = SamplePairing(PairingSchedule(start=1, end=3, on=1, off=1), num_classes=2)
    for epoch, on in enumerate([False, True, False, False]):
        mixed, soft = mixer.set_epoch(epoch)(images, labels)
        assert mixer.is_on == on and torch.equal(mixed, images) != on
        assert torch.equal(soft, torch.eye(2)[labels])


@pytest.mark.parametrize("n", [0, 1, 2, 3])
@pytest.mark.parametrize("make", [MixUp, SamplePairing])
def test_small_batches(make, n):
    images = torch.rand(n, 3, 5, 5)
    mixed, soft = make(num_classes=3)(images, torch.arange(n))
    assert mixed.shape == images.shape and soft.shape == (n, 3)
    if n == 1:
        assert torch.equal(mixed, images)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="`alpha`"):
        MixUp(-0.5)
    with pytest.raises(TypeError, match="`schedule` must be a PairingSchedule"):
        SamplePairing(lambda epoch: True)
    with pytest.raises(ValueError, match="`end`"):
        PairingSchedule(start=5, end=4)
    with pytest.raises(ValueError, match="`on`"):
        PairingSchedule(on=0)
    with pytest.raises(ValueError, match="`epoch`"):
        SamplePairing().set_epoch(-1)
    assert "alpha=0.4" in repr(augment.MixUp(0.4))
