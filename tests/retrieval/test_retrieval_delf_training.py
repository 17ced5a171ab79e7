"""Training DELF on toy landmarks: a coloured pattern somewhere in clutter that all classes share."""

from types import SimpleNamespace

import pytest
import torch

from course_utils.retrieval import (
    DELF,
    Attention,
    LandmarkBackbone,
    UniformAttention,
    delf_training,
    probe_receptive_field,
    receptive_field,
    train_attention,
    train_delf,
    train_descriptors,
)
from course_utils.retrieval.delf_training import _CachedMaps, random_crops, resized
from course_utils.training import SmallCNN

SIDE = 32


def toy(n=48, seed=0, n_classes=3):
    """Class k has k + 2 bright stripes in a 12 x 12 square; the rest is noise that says nothing."""
    g = torch.Generator().manual_seed(seed)
    images = 60 * torch.rand(n, 3, SIDE, SIDE, generator=g) + 60
    labels = torch.arange(n) % n_classes
    masks = torch.zeros(n, SIDE, SIDE, dtype=torch.bool)
    for i, label in enumerate(labels.tolist()):
        y, x = (torch.rand(2, generator=g) * (SIDE - 12)).long().tolist()
        images[i, label % 3, y : y + 12, x : x + 12] += 120
        images[i, :, y : y + 12 : 4, x : x + 12] += 20
        masks[i, y : y + 12, x : x + 12] = True
    return SimpleNamespace(images=images.clamp(0, 255).to(torch.uint8), labels=labels, masks=masks)


def network(seed=0, **options):
    g = torch.Generator().manual_seed(seed)
    return DELF(SmallCNN(8, generator=g), 3, **({"hidden": 8, "generator": g} | options))


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def copied(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def unchanged(module, before):
    return all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_the_second_stage_leaves_backbone_weights_and_batch_norm_statistics_untouched():
    delf = network().train()
    backbone, first = copied(delf.backbone), copied(delf.descriptor_classifier)
    attention = copied(delf.attention)
    train_attention(delf, toy(), 2, generator=generator())
    assert unchanged(delf.backbone, backbone)
    assert unchanged(delf.descriptor_classifier, first)
    assert not unchanged(delf.attention, attention)
    assert all(p.grad is None for p in delf.backbone.parameters())


def test_the_first_stage_leaves_the_attention_untouched():
    delf = network()
    attention, backbone = copied(delf.attention), copied(delf.backbone)
    train_descriptors(delf, toy(), 1, generator=generator())
    assert unchanged(delf.attention, attention)
    assert not unchanged(delf.backbone, backbone)


class Colours(torch.nn.Module):
    """A backbone that is finished: the mean colour of every 4 x 4 pixels."""

    dim = 3

    def forward(self, images):
        return torch.nn.functional.avg_pool2d(images, 4)


def coloured_squares(n, seed):
    """Dim squares of 4 x 4 pixels in random colours, and one bright square of 8 x 8 in the colour of the class."""
    g = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 3
    cells = 60.0 * torch.nn.functional.one_hot(torch.randint(0, 3, (n, 8, 8), generator=g), 3).permute(0, 3, 1, 2)
    masks = torch.zeros(n, 8, 8, dtype=torch.bool)
    for i, label in enumerate(labels.tolist()):
        y, x = torch.randint(0, 7, (2,), generator=g).tolist()
        masks[i, y : y + 2, x : x + 2] = True
        cells[i, :, y : y + 2, x : x + 2] = 0
        cells[i, label, y : y + 2, x : x + 2] = 200
    images = cells.repeat_interleave(4, 2).repeat_interleave(4, 3)
    return SimpleNamespace(images=images.to(torch.uint8), labels=labels, masks=masks)


def test_attention_learns_from_labels_alone_which_cells_tell_the_class():
    seen, held_out = coloured_squares(90, seed=0), coloured_squares(60, seed=1)
    accuracy = {}
    for name, attention in (("learned", Attention(3, 8, generator=generator())), ("uniform", UniformAttention())):
        delf = DELF(Colours(), 3, attention=attention, normalize=lambda images: images.float() / 255, generator=generator())
        options = {"learning_rate": 0.1, "crop": 1.0, "gammas": (1.0,), "versions": 1, "generator": generator()}
        accuracy[name] = train_attention(delf, seen, 40, held_out, **options).best_score
        if name == "learned":
            scores = torch.from_numpy(delf.score_maps(held_out.images))
    mass = (scores * held_out.masks).sum((1, 2)) / scores.sum((1, 2))
    assert accuracy["learned"] > 0.95 > accuracy["uniform"]
    assert mass.mean() > 3 * held_out.masks.float().mean()


def test_both_stages_learn_to_name_the_pattern():
    delf, held_out = network(), toy(24, seed=9)
    first = train_descriptors(delf, toy(48), 12, held_out, learning_rate=1e-2, generator=generator())
    assert first.best_score > 0.8
    assert train_attention(delf, toy(48), 12, held_out, gammas=(1.0,), generator=generator()).best_score > 0.6


def test_maps_of_the_frozen_network_are_computed_once(monkeypatch):
    calls = []
    original = SmallCNN.forward
    monkeypatch.setattr(SmallCNN, "forward", lambda self, x: (calls.append(len(x)), original(self, x))[1])
    train_attention(network(), toy(16), 5, versions=2, generator=generator())
    assert sum(calls) == 2 * 16


def test_the_cache_holds_every_image_in_several_sizes_with_its_own_label():
    delf, seen = network(), toy(20)
    cache = _CachedMaps(delf, seen.images, seen.labels, 4, 0.8, (0.5, 1.0), 2, generator())
    assert sorted(tuple(maps.shape[-2:]) for maps, _ in cache.groups) == [(3, 3), (6, 6)]
    assert all(sorted(labels.tolist()) == sorted(seen.labels.tolist()) for _, labels in cache.groups)
    batches = list(cache)
    assert len(batches) == len(cache) == 10
    assert sum(len(labels) for _, labels in batches) == 40


def test_cached_maps_are_those_of_the_network_in_evaluation_mode():
    delf, seen = network().train(), toy(6)
    cache = _CachedMaps(delf, seen.images, seen.labels, 4, 1.0, (1.0,), 1, generator())
    torch.testing.assert_close(cache.groups[0][0], delf.in_parts(delf.maps, seen.images))
    assert delf.training


def test_in_one_stage_the_attention_loss_does_not_reach_the_backbone(monkeypatch):
    monkeypatch.setattr(DELF, "descriptor_logits", lambda self, maps: self.descriptor_classifier(maps.detach().mean((2, 3))))
    delf = network()
    weights = [p.detach().clone() for p in delf.backbone.parameters()]
    result = train_delf(delf, toy(), 1, 0, mode="one stage", generator=generator())
    assert result.descriptors is None
    assert all(torch.equal(a, b) for a, b in zip(weights, delf.backbone.parameters()))  # only the descriptors' loss moves it


def test_one_stage_trains_both_and_logs_both_losses():
    delf, held_out = network(), toy(12, seed=9)
    backbone, attention = copied(delf.backbone), copied(delf.attention)
    result = train_delf(delf, toy(), 2, 0, held_out, mode="one stage", generator=generator())
    assert not unchanged(delf.backbone, backbone)
    assert not unchanged(delf.attention, attention)
    assert len(result.attention.logs["attention"]) == len(result.attention.losses) == result.attention.n_steps
    assert len(result.attention.validation) == 2


def test_the_same_generator_trains_the_same_network():
    states = []
    for _ in range(2):
        delf = network()
        train_delf(delf, toy(), 1, 1, toy(12, seed=9), generator=generator())
        states.append(copied(delf))
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_training_resumes_where_it_was_interrupted(tmp_path, monkeypatch):
    expected = network()
    train_attention(expected, toy(), 3, generator=generator())
    real, calls = DELF.attention_logits, []

    def interrupted(self, maps):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return real(self, maps)

    delf = network()
    monkeypatch.setattr(DELF, "attention_logits", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_attention(delf, toy(), 3, generator=generator(), checkpoint=tmp_path / "attention.pt")
    train_attention(delf, toy(), 3, generator=generator(), checkpoint=tmp_path / "attention.pt")
    assert unchanged(delf, copied(expected))


def test_uniform_attention_trains_a_classifier_on_the_plain_average():
    result = train_attention(network(attention=UniformAttention()), toy(), 2, generator=generator())
    assert result.n_steps > 0


def test_stages_can_be_left_out():
    delf = network()
    only_first = train_delf(delf, toy(), 1, 0, generator=generator())
    assert only_first.attention.n_steps == 0
    assert train_delf(delf, toy(), 0, 1, generator=generator()).descriptors is None


def test_a_single_image_and_a_batch_of_one_can_be_trained_on():
    seen = toy(1)
    result = train_delf(network(), seen, 1, 1, generator=generator())
    assert result.descriptors.n_steps == 1


def test_crops_are_parts_of_the_images_at_places_of_their_own():
    images = torch.arange(2 * 3 * 9 * 9).reshape(2, 3, 9, 9)
    crops = random_crops(images.repeat(20, 1, 1, 1), 7, generator())
    assert crops.shape == (40, 3, 7, 7)
    corners = {int(crop[0, 0, 0]) for crop in crops[::2]}
    assert corners <= {9 * y + x for y in range(3) for x in range(3)}
    assert len(corners) > 5


def test_resizing_keeps_a_constant_and_a_gradient():
    ramp = torch.arange(16.0).repeat(1, 3, 16, 1)
    small = resized(ramp, (8, 8))
    torch.testing.assert_close(small[0, 0, 0, 2:6], torch.tensor([4.5, 6.5, 8.5, 10.5]))
    assert resized(ramp.to(torch.uint8), (16, 16)).dtype == torch.float32


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"labels": torch.tensor([0, 1, 3])}, ValueError, "`data.labels` must be classes from 0 to 2, but got 3"),
        ({"labels": torch.tensor([0, -1, 1])}, ValueError, "but got -1. -1 marks images without a landmark"),
        ({"labels": torch.tensor([0, 1])}, ValueError, r"`data.labels` must be a tensor of shape \(3,\)"),
        ({"labels": torch.tensor([0.0, 1, 2])}, TypeError, "`data.labels` must be a tensor of integers"),
        ({"images": torch.zeros(3, 1, 8, 8)}, ValueError, "`data.images` must be a tensor of shape"),
        ({"images": torch.zeros(0, 3, 8, 8), "labels": torch.zeros(0, dtype=torch.int64)}, ValueError, "at least one image"),
    ],
)
def test_bad_data_are_refused_by_name(changes, error, text):
    data = SimpleNamespace(**({"images": toy(3).images, "labels": torch.tensor([0, 1, 2])} | changes))
    for train in (train_descriptors, train_attention):
        with pytest.raises(error, match=text):
            train(network(), data, 1)


def test_bad_options_are_refused_by_name():
    with pytest.raises(ValueError, match="`mode` must be one of 'two stages', 'one stage', but got 'joint'"):
        train_delf(network(), toy(), 1, 1, mode="joint")
    with pytest.raises(ValueError, match="`attention_epochs` must be at least 1"):
        train_delf(network(), toy(), 0, 0)
    with pytest.raises(ValueError, match="`gammas` must be a finite number above 0 and at most 1"):
        train_attention(network(), toy(), 1, gammas=(2.0,))
    with pytest.raises(ValueError, match="`gammas` must be at least one factor"):
        train_attention(network(), toy(), 1, gammas=())
    with pytest.raises(ValueError, match="`crop` must be a finite number"):
        train_descriptors(network(), toy(), 1, crop=0.0)
    with pytest.raises(ValueError, match="`validation.labels` must be classes"):
        train_descriptors(network(), toy(), 1, SimpleNamespace(images=toy(3).images, labels=torch.tensor([7, 0, 1])))


def test_the_official_numbers_are_kept():
    assert (delf_training.DESCRIPTOR_CROP, delf_training.ATTENTION_CROP) == (0.896, 0.8)
    assert min(delf_training.GAMMAS) == pytest.approx(0.3535, abs=1e-3)
    assert Attention(4).hidden.out_channels == 512


def test_a_frozen_stem_is_computed_once_and_stays_as_it_was(monkeypatch):
    calls = []
    original = LandmarkBackbone.stem
    monkeypatch.setattr(LandmarkBackbone, "stem", lambda self, x: (calls.append(len(x)), original(self, x))[1])
    delf = DELF(LandmarkBackbone(8, width=6, generator=generator()), 3, hidden=4, generator=generator())
    before = copied(delf.backbone)
    train_descriptors(delf, toy(16), 3, toy(8, seed=2), generator=generator())
    assert sum(calls) == 16 + 8
    after = delf.backbone.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in after if "first" in name or "second" in name)
    assert not torch.equal(after["oriented.project.weight"], before["oriented.project.weight"])


def test_a_stem_that_is_not_frozen_learns():
    delf = DELF(LandmarkBackbone(8, width=6, generator=generator()), 3, hidden=4, generator=generator())
    before = copied(delf.backbone)
    train_descriptors(delf, toy(8), 1, frozen_stem=False, generator=generator())
    assert not torch.equal(delf.backbone.oriented.first.weight, before["oriented.first.weight"])


def test_the_landmark_backbone_is_head_after_stem_and_sees_88_pixels_every_8():
    backbone = LandmarkBackbone(8, width=6, generator=generator()).eval()
    images = torch.randn(2, 3, 48, 64)
    assert backbone(images).shape == (2, 8, 6, 8)
    torch.testing.assert_close(backbone(images), backbone.head(backbone.stem(images)))
    assert (backbone(images) >= 0).all()
    field = receptive_field(backbone)
    assert (field.size, field.stride) == (88, 8)
    assert field == probe_receptive_field(backbone)
