"""One classifier on a clean and on a corrupted test set: errors and calibration in one pass, for every claim about them.

The corrupted copies of a test set depend on its pixels and a seed alone. They are made once and kept in memory until
another test set comes, so that the methods of a claim are compared on the same pixels. Images are kept as uint8: 500
images of 32 pixels take about 100 MB.

Sources: D. Hendrycks, T. Dietterich, ICLR 2019, arXiv:1903.12261; the averages over all copies as in D. Hendrycks et al.,
"AugMix", ICLR 2020, arXiv:1912.02781.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.augment import corruptions
from course_utils.augment.calibration import CalibrationError, expected_calibration_error
from course_utils.augment.sampling import to_uint8
from course_utils.checks import checked_array, checked_int, checked_tensor, message
from course_utils.profile import batches, by_profile
from course_utils.training.evaluation import evaluating

QUICK_IMAGES = 300

_kept: dict[tuple[str, int, tuple[str, ...]], list[corruptions.Corrupted]] = {}


@dataclass(frozen=True)
class Robustness:
    """What one classifier does on clean and on corrupted images.

    Attributes
    ----------
    clean : CalibrationError
        On the clean images; its ``accuracy`` is 1 minus the clean error.
    corrupted : dict from (name, severity) to CalibrationError
    errors : corruptions.CorruptionError
        Errors per corruption, per family, mean and relative.
    n_images : int
    """

    clean: CalibrationError
    corrupted: dict[tuple[str, int], CalibrationError]
    errors: corruptions.CorruptionError
    n_images: int

    def mean(self, field: str) -> float:
        """Return the mean of a field of ``CalibrationError``, such as ``"ece"`` or ``"nll"``, over all corrupted copies."""
        return float(np.mean([getattr(result, field) for result in self.corrupted.values()]))

    def mean_error_without(self, *transforms: str) -> float:
        """Return the mean corruption error over the corruptions that none of these transforms equals.

        A network that was trained with ``GaussianNoise`` has seen three of the noises: they test nothing new.

        Raises
        ------
        ValueError
            If no corruption remains.
        """
        kept = [
            error
            for name, error in self.errors.per_corruption.items()
            if not set(transforms) & set(corruptions.CORRUPTIONS[name].same_as)
        ]
        if not kept:
            raise ValueError(message("transforms", "names that leave some corruption unseen", ", ".join(transforms)))
        return float(np.mean(kept))

    @property
    def figures(self) -> dict[str, float]:
        """Return everything as a flat dictionary of numbers; lower is better in all of them."""
        return {
            "clean error": 1 - self.clean.accuracy,
            "mean corruption error": self.errors.mean,
            **{f"{family} error": error for family, error in self.errors.per_family.items()},
            "clean ECE": self.clean.ece,
            "corrupted ECE": self.mean("ece"),
            "clean RMS calibration error": self.clean.rms,
            "corrupted RMS calibration error": self.mean("rms"),
            "clean NLL": self.clean.nll,
            "corrupted NLL": self.mean("nll"),
        }


def robustness(
    classifier: Callable[[Tensor], Tensor],
    images: Tensor,
    labels: Any,
    seed: int = 0,
    *,
    n_images: int | None = None,
    only: Iterable[str] | None = None,
    batch_size: int = 256,
) -> Robustness:
    """Measure a classifier on a test set and on all its corrupted copies.

    Parameters
    ----------
    classifier : callable or nn.Module
        Maps floating images (b, C, H, W) in [0, 1] to logits (b, K). A module is put into evaluation mode, and the images
        go to its device.
    images : Tensor of shape (N, C, H, W)
        uint8, or floating in [0, 1] (rounded to 8 bits, as a stored test set is).
    labels : array-like or Tensor of shape (N,), integers
    seed : int, default 0
        Of the corruptions.
    n_images : int, optional
        Use so many images, spread evenly over the classes; default: 300 in the quick profile, all otherwise.
    only : iterable of str, optional
        Names of corruptions; the 14 test corruptions by default.
    batch_size : int, default 256

    Returns
    -------
    Robustness

    Raises
    ------
    TypeError, ValueError
        If the labels do not fit the images or the classifier returns anything but finite logits (b, K), and as
        ``corruptions.suite``.

    Examples
    --------
    >>> images = torch.rand(20, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    >>> brighter = lambda x: torch.stack([x.mean((1, 2, 3)), torch.full((len(x),), 0.5)], dim=1)
    >>> result = robustness(brighter, images, torch.zeros(20, dtype=torch.long), only=["brightness"])
    >>> sorted(result.errors.per_family), result.n_images
    (['digital'], 20)
    """
    images = checked_tensor(images, "images", ("N", "C", "H", "W"), floating=False)
    if not len(images):
        raise ValueError(message("images", "at least one image", "none"))
    labels = checked_array(labels, "labels", (len(images),), np.int64)
    n_images = by_profile(min(QUICK_IMAGES, len(images)), len(images)) if n_images is None else n_images
    chosen = spread_over_classes(labels, checked_int(n_images, "n_images", low=1, high=len(images)))
    images = images[torch.from_numpy(chosen).to(images.device)].cpu()
    images, labels = images if images.dtype == torch.uint8 else to_uint8(images), labels[chosen]
    only = corruptions.names if only is None else tuple(only)
    batch_size = checked_int(batch_size, "batch_size", low=1)
    clean = _measured(classifier, images, labels, batch_size)
    corrupted = {
        (name, severity): _measured(classifier, copy, labels, batch_size)
        for name, severity, copy in corrupted_copies(images, seed, only)
    }
    errors = {key: 1 - result.accuracy for key, result in corrupted.items()}
    return Robustness(clean, corrupted, corruptions.corruption_error(errors, 1 - clean.accuracy), len(images))


def corrupted_copies(images: Tensor, seed: int, only: tuple[str, ...] = corruptions.names) -> list[corruptions.Corrupted]:
    """Return the copies of ``corruptions.suite``, those of the last test set from memory; they must not be written into."""
    key = (hashlib.sha256(images.numpy().tobytes()).hexdigest(), seed, only)
    if key not in _kept:
        copies = list(corruptions.suite(images, seed, only))
        _kept.clear()
        _kept[key] = copies
    return _kept[key]


def spread_over_classes(labels: np.ndarray, n: int) -> np.ndarray:
    """Return ``n`` sorted indices that take about the same share of every class.

    >>> spread_over_classes(np.array([0, 0, 0, 0, 1, 1]), 3).tolist()
    [0, 2, 4]
    """
    by_class = np.argsort(labels, kind="stable")
    return np.sort(by_class[np.arange(n) * len(labels) // n])


@torch.no_grad()
def _measured(classifier: Any, images: Tensor, labels: np.ndarray, batch_size: int) -> CalibrationError:
    module = isinstance(classifier, nn.Module)
    device = next((p.device for p in classifier.parameters()), torch.device("cpu")) if module else torch.device("cpu")
    parts = []
    with evaluating(classifier) if module else nullcontext():
        for part in batches(len(images), batch_size):
            logits = checked_tensor(classifier(images[part].to(device).float() / 255), "classifier(images)", ("b", "K"))
            parts.append(logits.double().softmax(1).cpu())
    return expected_calibration_error(torch.cat(parts), labels)
