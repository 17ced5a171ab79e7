"""How well do maps localise? The measures of weakly supervised localisation, and an honest way to use them.

**Problem.** A map becomes a box only through a threshold, and the best threshold differs from method to method. With one fixed
threshold, the ranking of methods depends on it more than on the methods. **Idea.** Choose the threshold on a small validation
set with boxes, the same for every method, and judge on other images; or use measures over all thresholds.

===================  ====================================================================================================
GT-known Loc         share of images whose box overlaps a true box with IoU >= 0.5, the true class's map given
Top-1 Loc            ... and the predicted class is right
BoxAcc(t)            GT-known Loc at threshold t
MaxBoxAcc            max over t of BoxAcc(t)
MaxBoxAccV2          mean over IoU 0.3, 0.5, 0.7 of the max over t, where any connected piece may give the box
PxAP                 area under the precision-recall curve of all pixels of all images together
===================  ====================================================================================================

Source: J. Choe, S. J. Oh, S. Lee, S. Chun, Z. Akata, H. Shim, "Evaluating Weakly Supervised Object Localization Methods
Right", CVPR 2020, arXiv:2001.07437; V2 in the extended version, arXiv:2007.04178. The official code rounds maps to 8 bits,
counts a box's last pixel twice as "+1" and bins the pixel scores; here maps stay as they are, boxes are continuous, and the
average precision is exact (the step convention of scikit-learn).

MaxBoxAcc on test images chooses its threshold on test images. ``judge_localisation`` therefore reports the accuracy at the
threshold of the *validation* images beside it.

Taught in ``14_erasing``, step 5 and section *claim*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.augment.activation_maps import ZHOU_THRESHOLD, boxes_from_maps, checked_threshold, normalized_maps, piece_boxes
from course_utils.checks import checked_array, checked_choice, checked_float, message

THRESHOLDS = tuple(np.round(np.arange(0, 1, 0.01), 2).tolist())
V2_OVERLAPS = (0.3, 0.5, 0.7)


@dataclass(frozen=True)
class LocalisationSet:
    """Maps of some images and what is true about them.

    Attributes
    ----------
    maps : array-like of shape (B, H, W)
        Of the true class.
    boxes : array-like of shape (B, 4), or sequence of B arrays (N_i, 4)
        True boxes in pixels.
    masks : array-like of bool, shape (B, H, W), optional
        For PxAP.
    predicted, labels : array-like of int, shape (B,), optional
        For Top-1 Loc.
    """

    maps: Any
    boxes: Any
    masks: Any = None
    predicted: Any = None
    labels: Any = None


@dataclass(frozen=True)
class LocalisationReport:
    """The figures of one network, each in [0, 1].

    Attributes
    ----------
    threshold : float
        Chosen on the validation images.
    box_accuracy : float
        GT-known Loc of the test images at that threshold.
    fixed_accuracy : float
        GT-known Loc at the fixed threshold 0.2.
    max_box_accuracy, max_box_accuracy_v2 : float
        Of the test images, at their own best thresholds.
    top1 : float or None
        Top-1 Loc at the validation threshold.
    pixel_ap : float or None
    curve : BoxAccuracy
        BoxAcc(t) of the test images.
    """

    threshold: float
    box_accuracy: float
    fixed_accuracy: float
    max_box_accuracy: float
    max_box_accuracy_v2: float
    top1: float | None
    pixel_ap: float | None
    curve: BoxAccuracy


@dataclass(frozen=True)
class BoxAccuracy:
    """BoxAcc(t) for several overlaps.

    Attributes
    ----------
    thresholds : tuple of T floats
    overlaps : tuple of D floats
    accuracy : ndarray of shape (D, T)
    """

    thresholds: tuple[float, ...]
    overlaps: tuple[float, ...]
    accuracy: np.ndarray

    def best(self) -> np.ndarray:
        """Return the largest accuracy for every overlap, (D,)."""
        return self.accuracy.max(1)

    def best_threshold(self, overlap: float = 0.5) -> float:
        """Return the threshold of the largest accuracy; the middle one of several equally good ones."""
        row = self.accuracy[self.overlaps.index(overlap)]
        return self.thresholds[int(np.median(np.flatnonzero(row == row.max())))]


def localisation_hits(boxes: Any, truth: Any, overlap: float = 0.5) -> np.ndarray:
    """Tell for every image whether its box overlaps any of its true boxes enough.

    Parameters
    ----------
    boxes : array-like of shape (B, 4)
    truth : array-like of shape (B, 4), or sequence of B arrays (N_i, 4)
    overlap : float, default 0.5
        Smallest intersection over union.

    Returns
    -------
    ndarray of bool, shape (B,)
        Its mean is GT-known Loc; the mean of ``hits & (predicted == labels)`` is Top-1 Loc.

    Raises
    ------
    ValueError
        If there are not as many entries in ``truth`` as boxes, or an image has no true box.
    """
    boxes = checked_array(boxes, "boxes", ("B", 4), np.float64)
    truth = _true_boxes(truth, len(boxes))
    overlap = checked_float(overlap, "overlap", above=0, high=1)
    return np.array([overlaps_of(box[None], true).max() >= overlap for box, true in zip(boxes, truth)], bool)


def box_accuracy(
    maps: Any,
    truth: Any,
    thresholds: Sequence[float] = THRESHOLDS,
    overlaps: Sequence[float] = (0.5,),
    pieces: str = "largest",
) -> BoxAccuracy:
    """Return the share of images localised at every threshold.

    Parameters
    ----------
    maps : array-like of shape (B, H, W), B at least 1
        Normalised here, each by itself.
    truth : array-like of shape (B, 4), or sequence of B arrays (N_i, 4)
    thresholds : sequence of T floats in [0, 1)
    overlaps : sequence of D floats
    pieces : {"largest", "all"}
        "largest": the box of the largest piece counts; "all" (V2): the best box of any piece.

    Returns
    -------
    BoxAccuracy
    """
    maps = normalized_maps(maps)
    truth = _true_boxes(truth, len(maps))
    if not len(maps):
        raise ValueError(message("maps", "of at least one image", "none"))
    thresholds = tuple(checked_threshold(t) for t in thresholds)
    overlaps = tuple(checked_float(d, "overlaps", above=0, high=1) for d in overlaps)
    which = ("largest", "all").index(checked_choice(pieces, "pieces", ("largest", "all")))
    best = _overlaps_at(maps, truth, thresholds)[which]
    return BoxAccuracy(thresholds, overlaps, np.stack([(best >= d).mean(0) for d in overlaps]))


def _overlaps_at(maps: np.ndarray, truth: list[np.ndarray], thresholds: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the overlap of the largest piece's box, and of the best piece's box, both (B, T)."""
    largest, best = np.zeros((2, len(maps), len(thresholds)))
    for i, (one, true) in enumerate(zip(maps, truth)):
        for j, threshold in enumerate(thresholds):
            found = overlaps_of(piece_boxes(one, threshold), true)
            largest[i, j], best[i, j] = found[0].max(), found.max()
    return largest, best


def max_box_accuracy(maps: Any, truth: Any, overlap: float = 0.5, thresholds: Sequence[float] = THRESHOLDS) -> float:
    """Return MaxBoxAcc: the largest BoxAcc(t) over the thresholds."""
    return float(box_accuracy(maps, truth, thresholds, (overlap,)).best()[0])


def max_box_accuracy_v2(maps: Any, truth: Any, thresholds: Sequence[float] = THRESHOLDS) -> float:
    """Return MaxBoxAccV2: the mean over IoU 0.3, 0.5, 0.7 of the largest accuracy, boxes from any piece."""
    return float(box_accuracy(maps, truth, thresholds, V2_OVERLAPS, pieces="all").best().mean())


def pixel_average_precision(maps: Any, masks: Any) -> float:
    """Return PxAP: the average precision of all pixels, ranked by their normalised map value.

    Parameters
    ----------
    maps : array-like of shape (B, H, W)
        Normalised here, each by itself.
    masks : array-like of bool, shape (B, H, W)
        True where the object is.

    Raises
    ------
    ValueError
        If the shapes differ or no pixel belongs to an object.

    Notes
    -----
    ``sum_n (R_n - R_{n-1}) P_n`` over the distinct values, equal ones at the same time. For a constant map it is the
    share of object pixels.
    """
    scores = normalized_maps(maps)
    truth = np.asarray(masks.detach().cpu() if hasattr(masks, "detach") else masks).astype(bool)
    if truth.shape != scores.shape:
        raise ValueError(message("masks", f"of shape {scores.shape}, as the maps", f"shape {truth.shape}"))
    if not truth.any():
        raise ValueError(message("masks", "with at least one pixel of an object", "none"))
    scores, truth = scores.ravel(), truth.ravel()
    order = np.argsort(-scores, kind="stable")
    last_of_a_tie = np.append(np.diff(scores[order]) != 0, True)
    found = np.cumsum(truth[order])[last_of_a_tie]  # object pixels at or above each distinct value
    looked_at = np.flatnonzero(last_of_a_tie) + 1
    return float(np.sum(np.diff(found, prepend=0) * (found / looked_at)) / truth.sum())


def judge_localisation(
    validation: LocalisationSet, test: LocalisationSet, overlap: float = 0.5, thresholds: Sequence[float] = THRESHOLDS
) -> LocalisationReport:
    """Judge the maps of one network: the threshold comes from ``validation``, the figures from ``test``.

    Parameters
    ----------
    validation, test : LocalisationSet
        Of different images. ``masks``, ``predicted`` and ``labels`` are used where given, of ``test`` only.
    overlap : float, default 0.5
    thresholds : sequence of floats in [0, 1)
        Steps of 0.01 by default; ``fixed_accuracy`` uses 0.2 in any case.

    Returns
    -------
    LocalisationReport
    """
    thresholds = tuple(checked_threshold(t) for t in thresholds)
    threshold = box_accuracy(validation.maps, validation.boxes, thresholds, (overlap,)).best_threshold(overlap)
    hits = localisation_hits(boxes_from_maps(test.maps, threshold), test.boxes, overlap)
    fixed = localisation_hits(boxes_from_maps(test.maps, ZHOU_THRESHOLD), test.boxes, overlap)
    largest, best = _overlaps_at(normalized_maps(test.maps), _true_boxes(test.boxes, len(hits)), thresholds)
    curve = BoxAccuracy(thresholds, (overlap,), (largest >= overlap).mean(0)[None])
    top1 = None
    if test.predicted is not None and test.labels is not None:
        predicted, labels = (checked_array(v, "labels", (len(hits),), np.int64) for v in (test.predicted, test.labels))
        top1 = float((hits & (predicted == labels)).mean())
    return LocalisationReport(
        threshold=threshold,
        box_accuracy=float(hits.mean()),
        fixed_accuracy=float(fixed.mean()),
        max_box_accuracy=float(curve.best()[0]),
        max_box_accuracy_v2=float(np.mean([(best >= d).mean(0).max() for d in V2_OVERLAPS])),
        top1=top1,
        pixel_ap=None if test.masks is None else pixel_average_precision(test.maps, test.masks),
        curve=curve,
    )


def overlaps_of(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the intersection over union of boxes (n, 4) and (m, 4), both with corners: (n, m); 0 where both are empty."""
    first = np.maximum(boxes[:, None, :2], others[None, :, :2])
    last = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.clip(last - first, 0, None).prod(-1)
    areas = [np.clip(b[:, 2:] - b[:, :2], 0, None).prod(-1) for b in (boxes, others)]
    union = areas[0][:, None] + areas[1][None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _true_boxes(truth: Any, n: int) -> list[np.ndarray]:
    if len(truth) != n:
        raise ValueError(message("truth", f"one entry for each of {n} images", f"{len(truth)} entries"))
    single = n > 0 and np.ndim(truth[0]) == 1
    boxes = [checked_array([one] if single else one, f"truth[{i}]", ("N", 4), np.float64) for i, one in enumerate(truth)]
    empty = next((i for i, one in enumerate(boxes) if not len(one)), None)
    if empty is not None:
        raise ValueError(message(f"truth[{empty}]", "at least one true box", "none"))
    return boxes
