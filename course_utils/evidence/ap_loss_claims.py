"""Noisy digits: does it pay to train on average precision itself, and what do its settings matter?

The claims: J. Revaud et al., "Learning with Average Precision", ICCV 2019, arXiv:1906.07589. The listwise AP loss
retrieves better than a triplet loss; the number of bins hardly matters; larger batches are better.

Here: scikit-learn's 1,797 digits of 8 x 8 pixels, scaled to [0, 1], under Gaussian noise of deviation 0.35. An MLP
64-64-16 maps them to unit vectors. Every image asks for the other images of its digit, and the mAP (step convention, the
query itself is junk) over one part of the data is the figure:

============  ==============================================================================================
part          images
============  ==============================================================================================
test          597, the same for every seed; only the recorded runs look at them
training      400, drawn per seed from the other 1,200
validation    400 of the remaining 800; bins, margin, mining and rates were chosen here, with other seeds
============  ==============================================================================================

The digits are the same ten in all parts: ten classes are too few to learn a similarity that serves unseen classes.

Two kinds of training noise. ``fixed``: each training image gets its noise once; 200 steps then suffice to learn the 400
images by heart (training mAP near 1), and the test figure says how gracefully a loss does that. ``fresh``: new noise at
every step, so that nothing can be learned by heart. The noise of validation and test images never changes.

Both losses were given the same care: a grid on the validation part, ``validation_map``, with the seeds 2001 to 2008.
AP loss: 3, 5, 7, 10, 15, 20, 50 bins. Triplets: margins 0.05 to 0.8, all / hard / semi-hard, mean over active or all
triplets. Learning rates 0.001 to 0.03 for both. ``CHOSEN`` holds the best of each. Hard mining collapses from the start.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils import retrieval, training
from course_utils.checks import checked_choice, checked_int
from course_utils.training import drawing_from

N_TEST, N_TRAIN, N_VALIDATION = 597, 400, 400
NOISE = 0.35  # standard deviation, of pixels between 0 and 1
STEPS = 200
BATCH = 40
RATE = 1e-2  # best on validation, or within 0.01 mAP of it, for every batch size
N_BINS = 10  # for the comparison of batch sizes
BINS = (3, 5, 10, 20, 50, 100)
BATCHES = (16, 40, 100, 200)
TIMINGS = 3  # repetitions; the shortest counts


@dataclass(frozen=True)
class Contestant:
    """A loss and the learning rate of Adam that suits it."""

    loss: nn.Module
    rate: float


CHOSEN = {
    "fixed": {
        "AP loss": Contestant(retrieval.ListwiseAPLoss(n_bins=7), 1e-2),
        "triplet": Contestant(retrieval.TripletListLoss(margin=0.4), 5e-3),
        "triplet over all": Contestant(retrieval.TripletListLoss(margin=0.7, average="all"), 1e-2),
    },
    "fresh": {
        "AP loss": Contestant(retrieval.ListwiseAPLoss(n_bins=15), 2e-2),
        "triplet": Contestant(retrieval.TripletListLoss(margin=0.6), 1e-2),
        "triplet over all": Contestant(retrieval.TripletListLoss(margin=0.5, average="all"), 1e-2),
    },
}
DEFAULTS = {
    "AP loss": Contestant(retrieval.ListwiseAPLoss(), 1e-3),
    "triplet": Contestant(retrieval.TripletListLoss(), 1e-3),
}


@dataclass(frozen=True)
class NoisyDigits:
    """One part of the data, (N, 64) float32 clean pixels in [0, 1], the noise (N, 64), and labels (N,) int64."""

    clean: Tensor
    noise: Tensor
    labels: Tensor

    @property
    def images(self) -> Tensor:
        """The noisy images, (N, 64)."""
        return self.clean + self.noise


@cache
def _digits() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(pixels))  # which images are test images never changes
    return torch.from_numpy(pixels[order] / 16).float(), torch.from_numpy(labels[order]).long()


def noisy_digits(seed: int, n_train: int = N_TRAIN) -> dict[str, NoisyDigits]:
    """Return the parts ``"train"``, ``"validation"`` and ``"test"`` for one seed (which draws the noise of all parts)."""
    pixels, labels = _digits()
    generator = torch.Generator().manual_seed(seed)
    rest = N_TEST + torch.randperm(len(pixels) - N_TEST, generator=generator)
    rows = {"test": torch.arange(N_TEST), "train": rest[:n_train], "validation": rest[n_train : n_train + N_VALIDATION]}
    parts = {}
    for name in ("train", "validation", "test"):
        clean = pixels[rows[name]]
        parts[name] = NoisyDigits(clean, NOISE * torch.randn(clean.shape, generator=generator), labels[rows[name]])
    return parts


class Embedding(nn.Sequential):
    """MLP 64-64-16 whose output has length 1."""

    def __init__(self, seed: int):
        with drawing_from(torch.Generator().manual_seed(seed)):
            super().__init__(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))

    def forward(self, images: Tensor) -> Tensor:
        return F.normalize(super().forward(images), dim=1)


def batches(part: NoisyDigits, size: int, seed: int, noise: str) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches without end: the part in random order, then again in another order; a remainder is left out."""
    checked_int(size, "size", low=2, high=len(part.labels))
    generator = torch.Generator().manual_seed(seed)
    images = part.images
    while True:
        for rows in torch.randperm(len(images), generator=generator).split(size):
            if len(rows) == size:
                if noise == "fresh":
                    yield part.clean[rows] + NOISE * torch.randn(size, images.shape[1], generator=generator), part.labels[rows]
                else:
                    yield images[rows], part.labels[rows]


def trained(
    part: NoisyDigits, contestant: Contestant, seed: int, steps: int = STEPS, batch: int = BATCH, noise: str = "fixed"
) -> tuple[Embedding, float]:
    """Train an embedding with Adam; return it with the processor seconds that the training took."""
    checked_choice(noise, "noise", ("fixed", "fresh"))
    model = Embedding(seed)

    def step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor | None:
        lists = retrieval.score_lists(model(batch[0]), batch[1])
        return contestant.loss(*lists) if bool(lists.counted.any()) else None  # ten different digits: nothing to learn

    optimizer = torch.optim.Adam(model.parameters(), contestant.rate)
    drawn = batches(part, batch, seed, noise)
    generator = torch.Generator().manual_seed(seed)
    start = time.process_time()
    training.fit(model, drawn, step, optimizer, n_steps=steps, generator=generator, device="cpu")
    return model, time.process_time() - start


def mean_ap(model: nn.Module, part: NoisyDigits) -> float:
    """Return the leave-one-out mAP of a part."""
    with torch.no_grad():
        lists = retrieval.score_lists(model(part.images), part.labels)
    return retrieval.mean_average_precision(*lists).mean


def ap_against_triplet(seed: int, noise: str = "fixed", steps: int = STEPS) -> dict[str, float]:
    """Return the test mAP of the AP loss and of triplets in batches of 40, at equal steps and at equal time.

    Parameters
    ----------
    seed : int
        Training part, noise, first weights, and order of the batches.
    noise : {"fixed", "fresh"}
    steps : int, default 200
        Of the AP loss, and of the triplets at equal steps. At equal time the triplets make as many steps as fit into the
        processor time that the AP loss needs here, but not fewer than ``steps``: where the machine is in doubt, they gain.

    Returns
    -------
    dict of method -> mAP in [0, 1]
        ``defaults`` are both losses as they come, with Adam's usual 0.001: what an untuned comparison would have found.
        "triplet" is the mean over the triplets that violate the margin, as usual since Hermans et al.; "triplet over all"
        divides by all triplets, so that its steps fade when most of them are right, as those of the AP loss do.
    """
    parts = noisy_digits(checked_int(seed, "seed", low=0))
    ap, triplet = CHOSEN[noise]["AP loss"], CHOSEN[noise]["triplet"]

    def run(contestant: Contestant, steps: int) -> tuple[nn.Module, float]:
        return trained(parts["train"], contestant, seed, steps, noise=noise)

    ap_seconds = min(run(ap, steps)[1] for _ in range(TIMINGS))
    triplet_seconds = min(run(triplet, steps)[1] for _ in range(TIMINGS))
    more_steps = max(steps, int(steps * ap_seconds / triplet_seconds))
    models = {
        "untrained": Embedding(seed),
        "triplet, defaults": run(DEFAULTS["triplet"], steps)[0],
        "AP loss, defaults": run(DEFAULTS["AP loss"], steps)[0],
        "triplet, equal steps": run(triplet, steps)[0],
        "triplet, equal time": run(triplet, more_steps)[0],
        "triplet over all, equal steps": run(CHOSEN[noise]["triplet over all"], steps)[0],
        "AP loss": run(ap, steps)[0],
    }
    return {name: mean_ap(model, parts["test"]) for name, model in models.items()}


def number_of_bins(
    seed: int, batch: int = BATCH, bins: tuple[int, ...] = BINS, noise: str = "fresh", steps: int = STEPS
) -> dict[str, float]:
    """Return the test mAP for each number of bins, ``"10 bins"`` and so on, at one batch size."""
    parts = noisy_digits(checked_int(seed, "seed", low=0))
    figures = {}
    for n_bins in bins:
        contestant = Contestant(retrieval.ListwiseAPLoss(n_bins), RATE)
        figures[f"{n_bins} bins"] = mean_ap(trained(parts["train"], contestant, seed, steps, batch, noise)[0], parts["test"])
    return figures


def batch_sizes(seed: int, noise: str = "fixed", sizes: tuple[int, ...] = BATCHES, steps: int = STEPS) -> dict[str, float]:
    """Return training and test mAP by batch size, at equal steps and at equal images seen.

    Parameters
    ----------
    seed : int
    noise : {"fixed", "fresh"}
    sizes : tuple of int
    steps : int, default 200
        For every batch size at equal steps; at equal images those of a batch of 40, which sees ``40 * steps`` images.

    Returns
    -------
    dict of ``"{training | test}, equal {steps | images}, B = {size}"`` -> mAP in [0, 1]
    """
    parts = noisy_digits(checked_int(seed, "seed", low=0))
    contestant = Contestant(retrieval.ListwiseAPLoss(N_BINS), RATE)
    found = {}
    for size in sizes:
        for equal, n_steps in (("steps", steps), ("images", max(1, steps * BATCH // size))):
            model, _ = trained(parts["train"], contestant, seed, n_steps, size, noise)
            for name, part in (("training", parts["train"]), ("test", parts["test"])):
                found[f"{name}, equal {equal}, B = {size}"] = mean_ap(model, part)
    return dict(sorted(found.items(), key=lambda item: item[0].split(", B")[0]))  # one curve after the other


def validation_map(seed: int, contestant: Contestant, noise: str, batch: int = BATCH, steps: int = STEPS) -> float:
    """Return the validation mAP of a loss and a rate: what the settings of this module were chosen by."""
    parts = noisy_digits(checked_int(seed, "seed", low=0))
    return mean_ap(trained(parts["train"], contestant, seed, steps, batch, noise)[0], parts["validation"])
