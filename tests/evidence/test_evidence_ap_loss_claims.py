"""The experiments on noisy digits: parts that do not touch, figures for every method, the same figures for the same seed."""

import pytest
import torch

from course_utils import evidence
from course_utils.evidence import ap_loss_claims
from course_utils.evidence.ap_loss_claims import (
    DEFAULTS,
    Embedding,
    ap_against_triplet,
    batch_sizes,
    batches,
    mean_ap,
    noisy_digits,
    number_of_bins,
    trained,
    validation_map,
)


def rows(part):
    return {tuple(image.tolist()) for image in part.clean}


def test_the_parts_share_no_image_and_the_test_images_are_the_same_for_every_seed():
    first, second = noisy_digits(1), noisy_digits(2)
    assert {name: len(part.labels) for name, part in first.items()} == {"train": 400, "validation": 400, "test": 597}
    assert not rows(first["train"]) & rows(first["validation"])
    for seed in (first, second):
        assert not rows(seed["test"]) & (rows(seed["train"]) | rows(seed["validation"]))
    assert torch.equal(first["test"].clean, second["test"].clean)
    assert not torch.equal(first["test"].noise, second["test"].noise)
    assert not torch.equal(first["train"].labels, second["train"].labels)
    assert torch.equal(first["train"].images, noisy_digits(1)["train"].images)


def test_the_noise_has_the_deviation_it_says():
    part = noisy_digits(3)["test"]
    assert float((part.images - part.clean).std()) == pytest.approx(0.35, abs=0.01)
    assert 0 <= float(part.clean.min()) <= float(part.clean.max()) <= 1


def test_fixed_noise_repeats_and_fresh_noise_does_not():
    part = noisy_digits(1)["train"]
    fixed = [batch for batch, _ in zip(batches(part, 400, 5, "fixed"), range(2))]
    fresh = [batch for batch, _ in zip(batches(part, 400, 5, "fresh"), range(2))]

    def images(batch):
        return {tuple(image.tolist()) for image in batch[0]}

    assert images(fixed[0]) == images(fixed[1]) == {tuple(image.tolist()) for image in part.images}
    assert not images(fresh[0]) & images(fresh[1])


def test_the_embedding_has_unit_length_and_a_few_steps_improve_it():
    parts = noisy_digits(1)
    before = Embedding(1)
    lengths = before(parts["train"].images).norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones_like(lengths))
    after, seconds = trained(parts["train"], DEFAULTS["AP loss"], 1, steps=30, batch=100)
    assert seconds > 0
    assert mean_ap(after, parts["train"]) > mean_ap(before, parts["train"]) + 0.05


@pytest.mark.parametrize("noise", ["fixed", "fresh"])
def test_every_contestant_gets_a_figure_that_the_seed_repeats(noise, monkeypatch):
    monkeypatch.setattr(ap_loss_claims, "TIMINGS", 1)
    figures = ap_against_triplet(1, noise, steps=2)
    assert list(figures) == [
        "untrained",
        "triplet, defaults",
        "AP loss, defaults",
        "triplet, equal steps",
        "triplet, equal time",
        "triplet over all, equal steps",
        "AP loss",
    ]
    assert all(0 < value < 1 for value in figures.values())
    again = ap_against_triplet(1, noise, steps=2)
    del figures["triplet, equal time"], again["triplet, equal time"]  # its steps depend on the clock
    assert figures == again


def test_at_equal_time_the_triplets_get_the_steps_that_fit_and_never_fewer(monkeypatch):
    steps_made = []

    def clocked(part, contestant, seed, steps=200, batch=40, noise="fixed"):
        steps_made.append(steps)
        return Embedding(seed), clocked.ap if isinstance(contestant.loss, type(DEFAULTS["AP loss"].loss)) else 1.0

    monkeypatch.setattr(ap_loss_claims, "trained", clocked)
    for clocked.ap, expected in ((1.5, 15), (0.5, 10)):
        steps_made.clear()
        ap_against_triplet(1, steps=10)
        assert max(steps_made) == expected
        assert min(steps_made) == 10


def test_bins_and_batch_sizes_get_the_figures_that_the_claims_compare():
    assert list(number_of_bins(1, bins=(3, 10), steps=2)) == ["3 bins", "10 bins"]
    figures = batch_sizes(1, sizes=(16, 40), steps=2)
    assert len(figures) == 8
    assert figures["test, equal steps, B = 40"] == figures["test, equal images, B = 40"]
    assert figures["test, equal steps, B = 16"] != figures["test, equal images, B = 16"]
    assert list(figures)[:2] == ["test, equal images, B = 16", "test, equal images, B = 40"]


def test_the_settings_were_chosen_on_the_validation_part(monkeypatch):
    judged = []
    monkeypatch.setattr(ap_loss_claims, "mean_ap", lambda model, part: judged.append(part) or 0.5)
    assert validation_map(2001, DEFAULTS["triplet"], "fixed", steps=1) == 0.5
    assert torch.equal(judged[0].clean, noisy_digits(2001)["validation"].clean)


@pytest.mark.parametrize(
    "key",
    [
        "ap-loss-beats-triplet",
        "ap-loss-beats-triplet-fresh-noise",
        "ap-loss-bins",
        "ap-loss-bins-large-batch",
        "ap-loss-batch-size",
        "ap-loss-batch-size-fresh-noise",
    ],
)
def test_every_claim_runs_end_to_end_and_compares_methods_that_exist(key, monkeypatch):
    monkeypatch.setattr(ap_loss_claims, "trained", lambda part, contestant, seed, *_, **__: (Embedding(seed), 1.0))
    (record,) = evidence.run([key], n_seeds=2)
    assert len(record.comparisons) == len(evidence.claim(key).pairs)
    assert record.verdict in ("holds", "does not hold", "undecided")


def test_wrong_settings_are_named():
    part = noisy_digits(1)["train"]
    with pytest.raises(ValueError, match="`noise` must be one of 'fixed', 'fresh'"):
        trained(part, DEFAULTS["triplet"], 1, noise="none")
    with pytest.raises(ValueError, match="`size` must be an integer between 2 and 400"):
        next(batches(part, 401, 1, "fixed"))
    with pytest.raises(ValueError, match="`seed`"):
        number_of_bins(-1)
