"""Which augmentation helps on *these* pictures? A recommendation within a budget, without fooling oneself.

**Problem.** Whoever tries eight augmentations with one seed each and takes the best one has measured luck. **Idea.** Three
steps that never share what they judge on:

1. *Screening*: every candidate once, on validation images. Cheap, and not believed.
2. *Confirmation*: the best few get new seeds, each beside a training without augmentation that shares everything else. Their
   p-values are those of the sign-flip test, after Holm's correction for how many there are.
3. *Test*: the one that is chosen, if any, meets the test images, once. If none is chosen they stay untouched.

How many candidates, finalists and seeds there are follows from the budget; a budget too small to decide anything is refused, and
a result that says nothing says how large an effect it would have seen.

==================  ======  =====================================================================
name in code        symbol  meaning
==================  ======  =====================================================================
``n_finalists``      M      augmentations that are confirmed
``n_seeds``          S      seeds of the confirmation; ``M * 2 ** (1 - S)`` is the smallest p possible
==================  ======  =====================================================================

Sources: S. Holm, Scandinavian Journal of Statistics, 1979; R. A. Fisher, "The Design of Experiments", 1935.

Taught in ``18_does_it_help``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from course_utils import data
from course_utils.checks import checked_float, checked_int, message
from course_utils.evidence.affinity_and_diversity import train_with
from course_utils.evidence.catalogue import USUAL, made
from course_utils.evidence.image_training import LabelledImages
from course_utils.profile import by_profile, progress
from course_utils.training import PairedComparison, in_parts, paired_comparison
from course_utils.training.choosing import holm, visible_by_sign_flips

CANDIDATES = ("hue", "brightness", "affine", "resized crop", "cutout", "Mixup", "CutMix", "AugMix")
LEVEL, POWER = 0.05, 0.8
MOST_FINALISTS, MOST_SEEDS = 3, 40
SCREENING_SHARE = 1 / 3
FEWEST_PER_CLASS = 8
"""Pictures of each class that a folder must have: four to learn from, two to choose by, two to test on."""


class Pictures(Protocol):
    """Labelled pictures that can be split anew for every seed, and test pictures that nobody looks at before the end."""

    name: str
    class_names: tuple[str, ...]

    def split(self, seed: int) -> LabelledImages:
        """Return training images, and validation images in the place of the test images."""

    @property
    def test(self) -> tuple[Tensor, Tensor]:
        """Test images (N, 3, H, W), uint8, and labels (N,), int64."""


class ToyPictures:
    """The course's toys; every seed draws others.

    Parameters
    ----------
    size : int, optional
        Height and width in pixels, at least 16; default: 16 in the quick profile, 32 otherwise.
    per_class : int, default 50
        Training images of each class.

    Examples
    --------
    >>> ToyPictures(16, 8).split(1).train_images.shape
    torch.Size([48, 3, 16, 16])
    """

    name = "toys"

    def __init__(self, size: int | None = None, per_class: int = 50) -> None:
        self.size = by_profile(16, 32) if size is None else checked_int(size, "size", low=16)
        self.per_class = checked_int(per_class, "per_class", low=2)
        self.class_names = data.Sprites("validation", 0, n=6, size=self.size).class_names
        self._last_drawn = lru_cache(maxsize=1)(self._drawn)

    def split(self, seed: int) -> LabelledImages:
        """Return training and validation images of a seed."""
        return self._last_drawn(seed)

    def _drawn(self, seed: int) -> LabelledImages:
        train = data.Sprites("train", seed, size=self.size, few_shot=self.per_class)
        validation = data.Sprites("validation", seed, n=300, size=self.size)
        return LabelledImages(train.images, train.labels, validation.images, validation.labels)

    @cached_property
    def test(self) -> tuple[Tensor, Tensor]:
        """Test images and labels; no seed shares them."""
        pictures = data.Sprites("test", 0, n=600, size=self.size)
        return pictures.images, pictures.labels


class FolderPictures:
    """A folder of the reader's own pictures, with one folder for each class in it.

    A quarter of each class, drawn once, is for the test. The rest is split anew for every seed: two thirds to learn from, one third
    to choose by. The interval of a recommendation covers the split and the training; it cannot cover which pictures were taken.

    Parameters
    ----------
    root : str or Path
        Its folders are the classes; pictures in deeper folders belong to them.
    size : int, default 32
        Height and width in pixels, at least 8. Pictures are cropped to a square around their centre.

    Raises
    ------
    ValueError
        If there are fewer than two classes, or fewer than ``FEWEST_PER_CLASS`` usable pictures of one.
    FileNotFoundError, NotADirectoryError
        As ``data.ImageFolder``.
    """

    def __init__(self, root: str | os.PathLike[str], size: int = 32) -> None:
        size = checked_int(size, "size", low=8)
        folder = data.ImageFolder(root, (size, size))
        parts = [path.relative_to(folder.root).parts for path in folder.paths]
        classes = [part[0] if len(part) > 1 else None for part in parts]
        names, counts = np.unique([name for name in classes if name is not None], return_counts=True)
        advice = "Make a folder for each class inside of it."
        if len(names) < 2:
            raise ValueError(message("root", "at least two folders with pictures, one for each class", f"{len(names)}", advice))
        if counts.min() < FEWEST_PER_CLASS:
            few = f"{counts.min()} in {str(names[counts.argmin()])!r}"
            raise ValueError(message("root", f"at least {FEWEST_PER_CLASS} usable pictures of each class", few))
        used = torch.tensor([name is not None for name in classes])
        self.name, self.class_names = folder.root.name, tuple(str(name) for name in names)
        self.images = folder.images[used]
        self.labels = torch.tensor([int(np.searchsorted(names, name)) for name in classes if name is not None])
        self.rest, self._tested = _parted(torch.arange(len(self.labels)), self.labels, 1 / 4, seed=0)

    def split(self, seed: int) -> LabelledImages:
        """Return training and validation images of a seed; none of them is for the test."""
        train, validation = _parted(self.rest, self.labels[self.rest], 1 / 3, seed)
        return LabelledImages(self.images[train], self.labels[train], self.images[validation], self.labels[validation])

    @property
    def test(self) -> tuple[Tensor, Tensor]:
        """Test images and labels."""
        return self.images[self._tested], self.labels[self._tested]


def _parted(rows: Tensor, labels: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Split rows (N,) with labels (N,) in two, the second with ``share`` of each class."""
    from sklearn.model_selection import train_test_split

    first, second = train_test_split(rows.numpy(), test_size=share, random_state=seed, stratify=labels.numpy())
    return torch.from_numpy(np.sort(first)), torch.from_numpy(np.sort(second))


# ---------------------------------------------------------------------------------------------------------------- the plan


@dataclass(frozen=True)
class Plan:
    """What a budget is spent on."""

    n_candidates: int
    n_finalists: int
    n_seeds: int

    @property
    def n_trainings(self) -> int:
        """Trainings in all, those without augmentation included."""
        return self.n_candidates + 1 + (self.n_finalists + 1) * self.n_seeds

    @property
    def smallest_p(self) -> float:
        """The smallest p-value that the sign-flip test with Holm's correction can give."""
        return min(1.0, self.n_finalists * 2.0 ** (1 - self.n_seeds))


def planned(n_trainings: int, n_candidates: int) -> Plan:
    """Return how to spend a number of trainings.

    A third of them may screen. As many finalists are confirmed, up to three, as the rest can decide about.

    Parameters
    ----------
    n_trainings : int
    n_candidates : int
        At least 1; fewer are screened if the budget is small.

    Raises
    ------
    ValueError
        If so few trainings cannot decide about one augmentation.

    Examples
    --------
    >>> planned(60, 8)
    Plan(n_candidates=8, n_finalists=3, n_seeds=12)
    >>> planned(20, 8)
    Plan(n_candidates=5, n_finalists=1, n_seeds=7)
    """
    n_trainings = checked_int(n_trainings, "n_trainings", low=0)
    n_candidates = checked_int(n_candidates, "n_candidates", low=1)
    fewest = next(n for n in range(2, 99) if 2.0 ** (1 - n) <= LEVEL)
    needed = Plan(1, 1, fewest).n_trainings
    if n_trainings < needed:
        advice = f"With fewer than {fewest} seeds no result is surprising enough; train shorter or allow more time."
        raise ValueError(message("n_trainings", f"at least {needed}", f"{n_trainings}", advice))
    n_screened = min(n_candidates, max(1, int(n_trainings * SCREENING_SHARE) - 1), 1 + n_trainings - needed)
    rest = n_trainings - n_screened - 1
    plans = [
        Plan(n_screened, n, min(rest // (n + 1), MOST_SEEDS)) for n in range(min(MOST_FINALISTS, n_screened), 0, -1)
    ]  # the most finalists first
    return next(plan for plan in plans if plan.smallest_p <= LEVEL)


# ------------------------------------------------------------------------------------------------------ the recommendation


@dataclass(frozen=True)
class Recommendation:
    """What a budget found out.

    Attributes
    ----------
    pictures : str
        Name of the data set.
    plan : Plan
    screened : dict from name to float
        Gain on validation images with one seed, best first. Not to be believed.
    confirmed : dict from name to PairedComparison
        Gains of the finalists on validation images, with new seeds.
    p_values : dict from name to float
        Theirs, after Holm's correction.
    choice : str or None
        The augmentation to use; None if no finalist was better for sure.
    test : PairedComparison or None
        Gain of the choice on the test images; None if nothing was chosen, and then nobody has seen them.
    visible : float
        See ``visible_effect``; from the largest spread among the finalists.
    """

    pictures: str
    plan: Plan
    screened: dict[str, float]
    confirmed: dict[str, PairedComparison]
    p_values: dict[str, float]
    choice: str | None
    test: PairedComparison | None
    visible: float

    @property
    def sentence(self) -> str:
        """The recommendation in words."""
        see = f"With {self.plan.n_seeds} seeds and this spread, an effect of {100 * self.visible:.1f} points is seen four times in five."
        if self.choice is None or self.test is None:
            return (
                f"On {self.pictures}: use none of them. No finalist was better for sure, and the test images stay unseen. " + see
            )
        gain = self.confirmed[self.choice]
        return (
            f"On {self.pictures}: use {self.choice}. Validation images: {_gain(gain)}, p = {self.p_values[self.choice]:.3f} after "
            f"Holm's correction. Test images, looked at once: {_gain(self.test)}. {see}"
        )


def recommend(
    pictures: Pictures,
    n_trainings: int,
    candidates: Sequence[str] = CANDIDATES,
    strength: float = USUAL,
    n_steps: int | None = None,
    seed: int = 0,
) -> Recommendation:
    """Find out within a budget which augmentation helps on some pictures.

    Parameters
    ----------
    pictures : ToyPictures or FolderPictures
    n_trainings : int
        The budget; ``trainings_in`` says how many fit into some minutes.
    candidates : sequence of str
        Names from ``evidence.catalogue.CATALOGUE``, all different; a small budget screens the first of them only.
    strength : float, default 0.3
        Of all candidates; see ``evidence.catalogue.made``.
    n_steps : int, optional
        Of a training; default: 400 in the quick profile, 4000 otherwise.
    seed : int, default 0
        Of the screening; the confirmation takes the seeds after it.

    Raises
    ------
    ValueError
        If a candidate is unknown or named twice, or the budget cannot decide about one augmentation.
    """
    names = tuple(candidates)
    if not names or len(set(names)) < len(names):
        raise ValueError(message("candidates", "at least one name, all different", ", ".join(names) or "none"))
    for name in names:
        made(name, strength)
    plan, n_steps = planned(n_trainings, len(names)), _steps(n_steps)
    with progress(total=plan.n_trainings, desc=f"trainings on {pictures.name}", unit="training") as bar:

        def trained(name: str | None, seed: int) -> tuple[nn.Module, float]:
            network, split = _network(pictures, name, strength, seed, n_steps), pictures.split(seed)
            bar.update()
            return network, _accuracy(network, split.test_images, split.test_labels)

        _, plain = trained(None, seed)
        gains = {name: trained(name, seed)[1] - plain for name in names[: plan.n_candidates]}
        screened = dict(sorted(gains.items(), key=lambda item: -item[1]))
        arms = (None, *list(screened)[: plan.n_finalists])
        runs = [{arm: trained(arm, one) for arm in arms} for one in range(seed + 1, seed + 1 + plan.n_seeds)]
    accuracies = {arm: [run[arm][1] for run in runs] for arm in arms}
    confirmed = {arm: paired_comparison(accuracies[arm], accuracies[None]) for arm in arms if arm is not None}
    p_values = dict(zip(confirmed, holm([gain.p_value for gain in confirmed.values()]).tolist()))
    sure = [name for name, gain in confirmed.items() if gain.mean > 0 and p_values[name] <= LEVEL]
    choice = max(sure, key=lambda name: confirmed[name].mean) if sure else None
    test = None
    if choice is not None:
        ours, theirs = ([_accuracy(run[arm][0], *pictures.test) for run in runs] for arm in (choice, None))
        test = paired_comparison(ours, theirs)
    spread = max(float(np.std(np.subtract(accuracies[name], accuracies[None]), ddof=1)) for name in confirmed)
    visible = visible_effect(plan, spread, seed) if spread > 0 else 0.0
    return Recommendation(pictures.name, plan, screened, confirmed, p_values, choice, test, visible)


def visible_effect(plan: Plan, spread: float, seed: int = 0) -> float:
    """Return the effect that the confirmation of a plan finds with a chance of 80 %, with the test that it uses.

    One finalist alone has it, so its p-value must survive the first step of Holm's correction.

    Parameters
    ----------
    plan : Plan
    spread : float
        Standard deviation of the gains over seeds, above 0; the result has its unit.
    seed : int, default 0
        Of the simulated studies.
    """
    return visible_by_sign_flips(spread, plan.n_seeds, LEVEL / plan.n_finalists, POWER, generator=np.random.default_rng(seed))


def trainings_in(minutes: float, pictures: Pictures, n_steps: int | None = None) -> int:
    """Return how many trainings fit into some minutes on this machine, from the time that a twentieth of one takes.

    Parameters
    ----------
    minutes : float
        Above 0.
    pictures, n_steps
        As in ``recommend``.
    """
    minutes, n_steps = checked_float(minutes, "minutes", above=0), _steps(n_steps)
    few = max(1, n_steps // 20)
    _network(pictures, None, USUAL, 0, 1)  # draws or reads the pictures
    started = time.perf_counter()
    _network(pictures, None, USUAL, 0, few)
    return int(60 * minutes * few / ((time.perf_counter() - started) * n_steps))


def _steps(n_steps: int | None) -> int:
    return by_profile(400, 4000) if n_steps is None else checked_int(n_steps, "n_steps", low=1)


def _network(pictures: Pictures, name: str | None, strength: float, seed: int, n_steps: int) -> nn.Module:
    split = pictures.split(seed)
    size = split.train_images.shape[-1]
    augmentation = None if name is None else made(name, strength, len(pictures.class_names), size)
    return train_with(split, augmentation, seed, n_steps).network


def _accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    return float((in_parts(network, network, images, 256).argmax(1) == labels).double().mean())


def _gain(gain: PairedComparison) -> str:
    return f"{100 * gain.mean:+.1f} points (95 % interval {100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
