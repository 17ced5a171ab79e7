"""Average precision of detections: the same name as in retrieval, with more steps and another denominator.

For one class, pool the detections of all images, judge each one (``detection_matching``), sort by confidence, and read
precision and recall down the list. Four things differ from the average precision of a ranked database:

- the list holds only what the detector chose to return, so the number of objects ``R`` is declared, not counted in the
  list; an object without a detection never appears in it, and recall may end below 1;
- relevance is not a property of an item: whether a box is right depends on the boxes before it and on the IoU threshold;
- ignored detections leave the list, as junk images do in landmark retrieval;
- mAP averages over *classes* (and in COCO over IoU thresholds), not over queries.

=========== =============================== ============= ========================== ==================
protocol    matching                        convention    IoU thresholds             detections
=========== =============================== ============= ========================== ==================
``voc2007`` VOC                             11-point      .50                        all
``voc2010`` VOC                             all-point     .50                        all
``coco``    COCO                            101-point     .50, .55, ..., .95 (mean)  100 per image, class
=========== =============================== ============= ========================== ==================

A class without objects has no average precision: it is NaN in the table and left out of the mean (COCO's code writes
-1). Recalls are compared with levels in whole numbers. COCO's code compares them in floating point and misses some
levels that are reached exactly: 7 of 10 objects found is a recall of 0.7, but the level it is compared with is
0.7000000000000001. The difference is at most one step of 1/101 per such level.

After matching, the number itself is ``average_precision`` with the order of the list kept (``ties="stable"``), the
objects declared (``n_relevant``) and the ignored detections as junk. Sources: see ``detection_matching``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.checks import checked_array, checked_choice, checked_float, checked_int, message
from course_utils.retrieval.average_precision import average_precision, mean_average_precision
from course_utils.retrieval.detection_matching import (
    box_areas,
    checked_boxes,
    checked_flags,
    detection_limit,
    greedy_matches,
    most_confident,
    refuse_crowds,
)

DETECTION_PROTOCOLS = ("coco", "voc2007", "voc2010")
COCO_IOU_THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
AREA_RANGES = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""Square pixels, both ends included, as in COCO's code."""

DETECTION_CONVENTIONS = ("all-point", "11point", "101point", "step")
_CONVENTION_OF = {"voc2007": "11point", "voc2010": "all-point", "coco": "101point"}


def detection_average_precision(
    scores: Any, is_true_positive: Any, n_objects: int, convention: str = "all-point", ignored: Any = None
) -> float:
    """Return the average precision of one class.

    Taught in `05_mean_average_precision`.

    Parameters
    ----------
    scores : array-like of shape (M,)
        Confidences of all detections of the class, finite. Equal ones keep the order of the input.
    is_true_positive : array-like of shape (M,), bool or 0/1
        From ``match_detections``.
    n_objects : int
        Objects of the class in the data set, found or not.
    convention : {"all-point", "11point", "101point", "step"}, default "all-point"
        VOC from 2010 on, VOC 2007, COCO, and the finite sum of retrieval.
    ignored : array-like of shape (M,), bool, optional
        Detections that leave the list.

    Returns
    -------
    float
        Between 0 and 1; NaN without objects; 0 with objects and without detections.

    Raises
    ------
    ValueError
        If there are more true positives than objects, a detection is both true positive and ignored, or a confidence is
        not finite.

    Examples
    --------
    >>> detection_average_precision([0.9, 0.8, 0.7], [True, False, True], n_objects=2)
    0.833...
    """
    scores = checked_array(scores, "scores", ("M",), np.float64)
    true = checked_flags(is_true_positive, "is_true_positive", len(scores))
    ignored = checked_flags(ignored, "ignored", len(scores))
    n_objects = checked_int(n_objects, "n_objects", low=0)
    checked_choice(convention, "convention", DETECTION_CONVENTIONS)
    if (true & ignored).any():
        row = int(np.flatnonzero(true & ignored)[0])
        raise ValueError(message("ignored", "false for every true positive", f"both true for detection {row}"))
    if true.sum() > n_objects:
        advice = "An object can be found once only: further detections of it are false positives."
        raise ValueError(message("n_objects", f"at least {int(true.sum())}, the true positives", str(n_objects), advice))
    return average_precision(scores, true, convention, junk=ignored, ties="stable", n_relevant=n_objects)


@dataclass(frozen=True, eq=False)
class DetectionMeanAveragePrecision:
    """The result of ``detection_mean_average_precision``.

    Attributes
    ----------
    mean : float
        Over the thresholds and over the classes that have objects; NaN if none has.
    per_class : dict from label to float
        Mean over the thresholds; NaN for a class without objects.
    per_threshold : dict from IoU threshold to float
        Mean over the classes that have objects.
    table : ndarray of shape (T, C), float64
        Every threshold (row) and class (column, in the order of ``classes``).
    classes : tuple of int
        All labels in the objects or detections, ascending.
    n_objects : dict from label to int
        Objects that count: not ignored, and inside the range of areas.
    protocol, area : str
    max_detections : int or None
    """

    mean: float
    per_class: dict[int, float]
    per_threshold: dict[float, float]
    table: np.ndarray
    classes: tuple[int, ...]
    n_objects: dict[int, int]
    protocol: str
    area: str
    max_detections: int | None

    @property
    def ap50(self) -> float:
        """Mean over the classes at IoU 0.50; NaN if that threshold was not asked for."""
        return self.per_threshold.get(0.5, float("nan"))

    @property
    def ap75(self) -> float:
        """Mean over the classes at IoU 0.75; NaN if that threshold was not asked for."""
        return self.per_threshold.get(0.75, float("nan"))

    def __repr__(self) -> str:
        counted = sum(n > 0 for n in self.n_objects.values())
        where = "" if self.area == "all" else f", {self.area} objects"
        points = "".join(f", AP{round(100 * t)} {v:.3f}" for t, v in self.per_threshold.items() if t in (0.5, 0.75))
        return (
            f"DetectionMeanAveragePrecision(mean {self.mean:.3f}{points}; {self.protocol}{where}, "
            f"{counted} of {len(self.classes)} classes with objects)"
        )


def detection_mean_average_precision(
    detections: Sequence[Mapping[str, Any]],
    objects: Sequence[Mapping[str, Any]],
    *,
    protocol: str = "coco",
    iou_thresholds: Sequence[float] | None = None,
    max_detections: int | str | None = "protocol",
    area: str = "all",
) -> DetectionMeanAveragePrecision:
    """Return the mean average precision of a detector, over classes and IoU thresholds.

    Taught in `05_mean_average_precision`.

    Parameters
    ----------
    detections : sequence of N dictionaries
        ``"boxes" (M_i, 4)`` as ``(x1, y1, x2, y2)``, ``"scores" (M_i,)``, ``"labels" (M_i,)`` int: what torchvision's
        detection models return. Arrays or tensors.
    objects : sequence of N dictionaries
        ``"boxes" (K_i, 4)``, ``"labels" (K_i,)``; optional ``"crowd"`` (torchvision's ``"iscrowd"`` is read too) and
        ``"difficult"``, (K_i,) bool; optional ``"area"`` (K_i,) in square pixels for the ranges of areas, such as the area
        of a mask (default: of the box). Other entries are not read.
    protocol : {"coco", "voc2007", "voc2010"}, default "coco"
        Under COCO, difficult objects are ignored objects: each absorbs one detection.
    iou_thresholds : sequence of float, optional
        Default: the protocol's own.
    max_detections : int, None or "protocol", default "protocol"
        Per image and class.
    area : {"all", "small", "medium", "large"}, default "all"
        COCO only. Objects outside the range are ignored, and so are unmatched detections outside it.

    Returns
    -------
    DetectionMeanAveragePrecision

    Raises
    ------
    ValueError
        If an entry is missing, a box is not finite or has its corners exchanged, shapes differ, or VOC gets crowds or a
        range of areas.

    Examples
    --------
    >>> found = [{"boxes": [[0, 0, 10, 10]], "scores": [0.9], "labels": [1]}]
    >>> truth = [{"boxes": [[0, 0, 10, 12]], "labels": [1]}]
    >>> detection_mean_average_precision(found, truth)
    DetectionMeanAveragePrecision(mean 0.700, AP50 1.000, AP75 1.000; coco, 1 of 1 classes with objects)
    """
    checked_choice(protocol, "protocol", DETECTION_PROTOCOLS)
    checked_choice(area, "area", AREA_RANGES)
    matching = "coco" if protocol == "coco" else "voc"
    if matching == "voc" and area != "all":
        raise ValueError(
            message("area", "'all' under the VOC protocols", repr(area), 'Ranges of areas belong to protocol="coco".')
        )
    limit = detection_limit(max_detections, matching)
    thresholds = _checked_thresholds(iou_thresholds, protocol)
    if len(detections) != len(objects):
        got = f"{len(detections)} and {len(objects)}"
        raise ValueError(message("detections and objects", "of one length, an entry per image", got))
    boxes, scores, labels, image = _flat_detections(detections)
    truth, object_labels, object_image, ignored, crowd, areas = _flat_objects(objects)
    if matching == "voc":
        refuse_crowds(crowd)
    low, high = AREA_RANGES[area]
    ignored = ignored | crowd | (areas < low) | (areas > high)

    classes, codes = np.unique(np.concatenate([labels, object_labels]), return_inverse=True)
    code, object_code = codes[: len(labels)], codes[len(labels) :]
    kept = most_confident(scores, code * len(objects) + image, limit)
    boxes, scores, code, image = boxes[kept], scores[kept], code[kept], image[kept]
    group, object_group = code * len(objects) + image, object_code * len(objects) + object_image
    matched, _, _, _ = greedy_matches(boxes, group, truth, object_group, ignored, crowd, np.array(thresholds), matching)
    n_objects = np.bincount(object_code[~ignored], minlength=len(classes))
    found = matched >= 0
    absorbed = found & ignored[matched] if len(truth) else found
    outside = (box_areas(boxes) < low) | (box_areas(boxes) > high)
    absorbed |= ~found & outside
    found &= ~absorbed

    table = np.full((len(thresholds), len(classes)), np.nan)
    order = np.lexsort((-scores, code))  # stable: equal confidences stay in the order of images
    bounds = np.searchsorted(code[order], np.arange(len(classes) + 1))
    for c in np.flatnonzero(n_objects):
        mine = order[bounds[c] : bounds[c + 1]]
        places = np.broadcast_to(-np.arange(len(mine)), (len(thresholds), len(mine)))  # in order already, without ties
        rows = mean_average_precision(
            places, found[:, mine], absorbed[:, mine], _CONVENTION_OF[protocol], n_relevant=int(n_objects[c])
        )
        table[:, c] = rows.per_query
    counted = table[:, n_objects > 0]
    over_classes = counted.mean(axis=1) if counted.size else np.full(len(thresholds), np.nan)
    names = [int(label) for label in classes]
    return DetectionMeanAveragePrecision(
        mean=float(counted.mean()) if counted.size else float("nan"),
        per_class=dict(zip(names, table.mean(axis=0).tolist())),
        per_threshold=dict(zip(thresholds, over_classes.tolist())),
        table=table,
        classes=tuple(names),
        n_objects=dict(zip(names, n_objects.tolist())),
        protocol=protocol,
        area=area,
        max_detections=limit,
    )


def _checked_thresholds(values: Sequence[float] | None, protocol: str) -> tuple[float, ...]:
    if values is None:
        return COCO_IOU_THRESHOLDS if protocol == "coco" else (0.5,)
    thresholds = tuple(checked_float(float(v), "iou_thresholds", above=0.0, high=1.0) for v in values)
    if not thresholds or len(set(thresholds)) < len(thresholds):
        raise ValueError(message("iou_thresholds", "at least one threshold, each once", repr(thresholds)))
    return thresholds


def _entry(image: Mapping[str, Any], key: str, name: str, needed: str) -> Any:
    if not isinstance(image, Mapping):
        raise TypeError(message(name, f"a dictionary with {needed}", type(image).__name__))
    if key not in image:
        raise ValueError(message(name, f"a dictionary with {needed}", f"the keys {sorted(map(str, image))}"))
    return image[key]


def _labels(value: Any, name: str, n: int) -> np.ndarray:
    if not hasattr(value, "shape") and len(value) == 0:
        value = np.zeros(0, np.int64)
    return checked_array(value, name, (n,), np.int64)


def _flat_detections(detections: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, ...]:
    """Return boxes (M, 4), scores (M,), labels (M,) and image (M,) of all images."""
    rows, needed = [], '"boxes", "scores" and "labels"'
    for i, entry in enumerate(detections):
        name = f"detections[{i}]"
        boxes = checked_boxes(_entry(entry, "boxes", name, needed), f'{name}["boxes"]')
        scores = checked_array(_entry(entry, "scores", name, needed), f'{name}["scores"]', (len(boxes),), np.float64)
        labels = _labels(_entry(entry, "labels", name, needed), f'{name}["labels"]', len(boxes))
        rows.append((boxes, scores, labels, np.full(len(boxes), i)))
    if not rows:
        return np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64)
    return tuple(np.concatenate(parts) for parts in zip(*rows))


def _flat_objects(objects: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, ...]:
    """Return boxes (K, 4), labels, image, difficult, crowd and areas (K,) of all images."""
    rows, needed = [], '"boxes" and "labels"'
    for i, entry in enumerate(objects):
        name = f"objects[{i}]"
        boxes = checked_boxes(_entry(entry, "boxes", name, needed), f'{name}["boxes"]')
        labels = _labels(_entry(entry, "labels", name, needed), f'{name}["labels"]', len(boxes))
        difficult = checked_flags(entry.get("difficult"), f'{name}["difficult"]', len(boxes))
        crowd = checked_flags(entry.get("crowd", entry.get("iscrowd")), f'{name}["crowd"]', len(boxes))
        areas = entry.get("area")
        areas = box_areas(boxes) if areas is None else checked_array(areas, f'{name}["area"]', (len(boxes),), np.float64)
        rows.append((boxes, labels, np.full(len(boxes), i), difficult, crowd, areas))
    if not rows:
        none = np.zeros(0, np.int64)
        return np.zeros((0, 4)), none, none, np.zeros(0, bool), np.zeros(0, bool), np.zeros(0)
    return tuple(np.concatenate(parts) for parts in zip(*rows))
