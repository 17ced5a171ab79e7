"""One pass over a clean and a corrupted test set: against the parts done by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from course_utils.augment import corruptions, expected_calibration_error
from course_utils.evidence import robustness as module
from course_utils.evidence.robustness import corrupted_copies, robustness, spread_over_classes


class Halves(nn.Module):
    """Two classes: which half of the image is brighter? A dropout layer shows whether it runs in evaluation mode."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(8.0))
        self.dropout = nn.Dropout(0.9)

    def forward(self, x):
        width = x.shape[3] // 2
        halves = torch.stack([x[..., :width].mean((1, 2, 3)), x[..., width:].mean((1, 2, 3))], dim=1)
        return self.dropout(self.scale * halves)


def pictures(n=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(n, 3, 16, 16, generator=generator) * 0.5
    labels = torch.arange(n) % 2
    images[labels == 0, :, :, :8] += 0.03
    images[labels == 1, :, :, 8:] += 0.03
    return (images * 255).to(torch.uint8), labels


def test_every_figure_is_that_of_its_parts():
    images, labels = pictures()
    network = Halves()
    result = robustness(network, images, labels, seed=3, only=["fog", "contrast"], batch_size=7)
    network.eval()
    errors, calibration = {}, []
    for name, severity, copy in corruptions.suite(images, 3, ["fog", "contrast"]):
        p = network(copy.float() / 255).double().softmax(1).detach()
        errors[name, severity] = float((p.argmax(1) != labels).float().mean())
        calibration.append(expected_calibration_error(p, labels))
    clean = network(images.float() / 255).softmax(1).detach()
    assert result.clean.accuracy == pytest.approx(float((clean.argmax(1) == labels).float().mean()))
    assert result.errors.mean == pytest.approx(corruptions.corruption_error(errors).mean)
    assert result.mean("ece") == pytest.approx(np.mean([c.ece for c in calibration]))
    assert result.mean("nll") == pytest.approx(np.mean([c.nll for c in calibration]))
    figures = result.figures
    assert figures["weather error"] == pytest.approx(result.errors.per_corruption["fog"])
    assert figures["clean error"] == pytest.approx(1 - result.clean.accuracy)
    assert set(figures) >= {"mean corruption error", "corrupted ECE", "clean NLL", "corrupted NLL", "digital error"}
    assert all(np.isfinite(value) for value in figures.values())


def test_a_module_comes_back_in_its_mode_and_a_function_will_do():
    images, labels = pictures(10)
    network = Halves().train()
    by_module = robustness(network, images, labels, only=["contrast"])
    assert network.training and network.dropout.training
    network.eval()
    assert robustness(lambda x: network(x), images, labels, only=["contrast"]).figures == by_module.figures


def test_the_copies_are_made_once_for_a_test_set_and_a_seed(monkeypatch):
    images, labels = pictures(6)
    first = corrupted_copies(images, 5, ("fog",))
    assert corrupted_copies(images.clone(), 5, ("fog",)) is first
    assert corrupted_copies(images, 6, ("fog",)) is not first
    calls = []
    monkeypatch.setattr(module.corruptions, "suite", lambda *a: calls.append(a) or iter([]))
    corrupted_copies(images, 6, ("fog",))
    assert not calls
    corrupted_copies(255 - images, 6, ("fog",))
    assert len(calls) == 1
    module._kept.clear()


def test_floating_images_count_as_their_eight_bits():
    images, labels = pictures(8)
    a, b = (robustness(Halves(), x, labels, only=["contrast"]) for x in (images, images.float() / 255))
    assert a.figures == b.figures


def test_a_subset_takes_its_share_of_every_class():
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    chosen = spread_over_classes(labels, 20)
    assert np.bincount(labels[chosen]).tolist() == [12, 6, 2] and len(set(chosen.tolist())) == 20
    np.testing.assert_array_equal(spread_over_classes(labels, 100), np.arange(100))
    images, labels = pictures(40)
    assert robustness(Halves(), images, labels, only=["contrast"], n_images=10).n_images == 10


def test_the_quick_profile_takes_some_images_and_the_full_one_all(monkeypatch):
    images, labels = pictures(12)
    monkeypatch.setattr(module, "QUICK_IMAGES", 5)
    monkeypatch.setenv("COURSE_PROFILE", "quick")
    assert robustness(Halves(), images, labels, only=["contrast"]).n_images == 5
    monkeypatch.setenv("COURSE_PROFILE", "full")
    assert robustness(Halves(), images, labels, only=["contrast"]).n_images == 12


def test_corruptions_seen_in_training_can_be_left_out_of_the_mean():
    images, labels = pictures(20)
    result = robustness(Halves(), images, labels, only=["gaussian_noise", "shot_noise", "fog", "contrast"])
    per = result.errors.per_corruption
    assert result.mean_error_without() == pytest.approx(result.errors.mean)
    assert result.mean_error_without("GaussianNoise") == pytest.approx((per["fog"] + per["contrast"]) / 2)
    assert result.mean_error_without("GaussianNoise", "Fog") == pytest.approx(per["contrast"])
    with pytest.raises(ValueError, match="transforms"):
        result.mean_error_without("GaussianNoise", "Fog", "ContrastJitter")


def test_what_does_not_fit_is_refused():
    images, labels = pictures(6)
    with pytest.raises(ValueError, match="at least one image"):
        robustness(Halves(), images[:0], labels[:0])
    with pytest.raises(ValueError, match="labels"):
        robustness(Halves(), images, labels[:5])
    with pytest.raises(ValueError, match="0 to 1"):
        robustness(Halves(), images, labels + 1)
    with pytest.raises(ValueError, match="n_images"):
        robustness(Halves(), images, labels, n_images=7)
    with pytest.raises(ValueError, match="classifier"):
        robustness(lambda x: x, images, labels)
    with pytest.raises(ValueError, match="finite"):
        robustness(lambda x: torch.full((len(x), 2), torch.nan), images, labels)
    with pytest.raises(ValueError, match="fogg"):
        robustness(Halves(), images, labels, only=["fogg"])
    with pytest.raises(TypeError, match="images"):
        robustness(Halves(), images.numpy(), labels)
