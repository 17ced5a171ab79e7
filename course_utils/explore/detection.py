"""Judging boxes on one picture: the pure part of the detection bench.

A state holds true boxes, predicted boxes with a confidence, an IoU threshold and a protocol. ``compute_bench`` says
what becomes of every box and what average precision follows, by calling ``retrieval.match_detections`` and
``retrieval.detection_mean_average_precision``: the bench shows the package, not a copy of it.

Boxes on the bench are continuous, ``(left, top, right, bottom)`` in pixels of the picture. VOC reads its corners as
pixels that belong to the box, so under VOC one pixel is taken off right and bottom first. The overlaps are then the same
under both protocols, and only their rules differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from course_utils.retrieval.detection_matching import DetectionMatches, match_detections
from course_utils.retrieval.detection_metrics import COCO_IOU_THRESHOLDS, detection_mean_average_precision
from course_utils.retrieval.precision_recall import precision_recall_curve

Numbers = tuple[float, ...]

PROTOCOLS = {"COCO": ("coco", "coco"), "VOC 2010": ("voc2010", "voc"), "VOC 2007": ("voc2007", "voc")}
"""Name on the bench: protocol of ``detection_mean_average_precision``, protocol of ``match_detections``."""
TASKS = ("loose boxes", "confidences", "two rules")
MAX_BOXES = 12  # more cannot be told apart, nor listed
MIN_SIDE = 4.0  # pixels
THRESHOLDS = tuple(k / 100 for k in range(5, 101))
NEW_CONFIDENCE = 0.5


@dataclass(frozen=True)
class BenchState:
    """Everything that the reader can set.

    Attributes
    ----------
    detections : tuple of (left, top, right, bottom, confidence)
    objects : tuple of (left, top, right, bottom, difficult)
        ``difficult`` is 1 for an object that need not be found, else 0.
    iou_threshold : float
        From 0.05 to 1 in steps of 0.01.
    protocol : str
        A key of ``PROTOCOLS``.
    chosen : str
        ``"d2"``, ``"o0"`` or "": the box with handles at its corners.
    draft : (left, top, right, bottom) or None
        A box that is being drawn.
    compare : bool
        Show what the other matching rule gives, too.
    preset : str
        One of ``TASKS``: where *Reset* leads and which goal is shown.
    """

    detections: tuple[Numbers, ...]
    objects: tuple[Numbers, ...]
    iou_threshold: float = 0.5
    protocol: str = "COCO"
    chosen: str = ""
    draft: Numbers | None = None
    compare: bool = True
    preset: str = TASKS[0]


@dataclass(frozen=True, eq=False)
class BenchResult:
    """What follows from a state; ``n`` detections, ``m`` objects, ``c`` detections in the list (not ignored).

    Attributes
    ----------
    order : ndarray of shape (n,), int64
        Detections by falling confidence.
    verdicts : tuple of n strings
        "true positive", "false positive", "duplicate" or "ignored", in the order of the state.
    matched, nearest : ndarrays of shape (n,), int64
        The object that a detection found (or that absorbed it), and the one that it overlaps most; -1 for none.
    iou : ndarray of shape (n,)
        Overlap with the former, or the latter if there is no match.
    found_by : ndarray of shape (m,), int64
        The detection that found each object; -1 for none.
    rule_differs : tuple of int
        Detections that are true positives under one matching rule and not under the other.
    counted : ndarray of shape (c,), int64
        Detections in the list, by falling confidence.
    precision, recall, envelope : ndarrays of shape (c,)
        After each of them; empty without objects.
    average_precision : float
        Under the chosen protocol at the chosen threshold; NaN without objects.
    curve, other_curve : ndarrays of shape (96,)
        Average precision at every threshold of ``THRESHOLDS``: chosen protocol, and the one with the other rule.
    other_protocol : str
    ap50, ap75, ap50_95 : float
        Under the chosen protocol: at 0.50, at 0.75, and the mean over COCO's ten thresholds.
    n_objects : int
        Objects that count.
    """

    order: np.ndarray
    verdicts: tuple[str, ...]
    matched: np.ndarray
    nearest: np.ndarray
    iou: np.ndarray
    found_by: np.ndarray
    rule_differs: tuple[int, ...]
    counted: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    envelope: np.ndarray
    average_precision: float
    curve: np.ndarray
    other_curve: np.ndarray
    other_protocol: str
    ap50: float
    ap75: float
    ap50_95: float
    n_objects: int

    def count(self, verdict: str) -> int:
        """Return how many detections have a verdict."""
        return self.verdicts.count(verdict)


def _rows(values: Sequence[Numbers], width: int) -> np.ndarray:
    return np.asarray(values, np.float64).reshape(-1, width)


def _corners(rows: np.ndarray, rule: str) -> np.ndarray:
    """Return boxes (n, 4) as the rule wants them: VOC's last pixel lies one before the continuous end."""
    return rows[:, :4] - (np.array([0.0, 0.0, 1.0, 1.0]) if rule == "voc" else 0.0)


def judged(state: BenchState, protocol: str) -> DetectionMatches:
    """Return the matches of the state under a protocol of ``PROTOCOLS``."""
    found, true, rule = _rows(state.detections, 5), _rows(state.objects, 5), PROTOCOLS[protocol][1]
    return match_detections(
        [_corners(found, rule)],
        [found[:, 4]],
        [_corners(true, rule)],
        ignore=[true[:, 4]],
        iou_threshold=state.iou_threshold,
        protocol=rule,
        max_detections=None,
    )


def precision_by_threshold(state: BenchState, protocol: str) -> np.ndarray:
    """Return the average precision at every IoU threshold of ``THRESHOLDS``, (96,)."""
    found, true, (name, rule) = _rows(state.detections, 5), _rows(state.objects, 5), PROTOCOLS[protocol]
    ones = [np.ones(len(rows), np.int64) for rows in (found, true)]
    detections = [{"boxes": _corners(found, rule), "scores": found[:, 4], "labels": ones[0]}]
    objects = [{"boxes": _corners(true, rule), "labels": ones[1], "difficult": true[:, 4]}]
    result = detection_mean_average_precision(detections, objects, protocol=name, iou_thresholds=THRESHOLDS, max_detections=None)
    return np.array([result.per_threshold[t] for t in THRESHOLDS])


def compute_bench(state: BenchState) -> BenchResult:
    """Return everything that the bench shows for ``state``; deterministic.

    Examples
    --------
    >>> state = BenchState(((0, 0, 20, 20, 0.9), (40, 0, 60, 20, 0.8)), ((0, 0, 20, 22, 0), (100, 0, 120, 20, 0)))
    >>> compute_bench(state).verdicts
    ('true positive', 'false positive')
    """
    matches = judged(state, state.protocol)
    n, order = len(state.detections), matches.detection
    verdicts, differs = [""] * n, []
    matched, nearest, iou = np.full(n, -1), np.full(n, -1), np.zeros(n)
    matched[order], nearest[order], iou[order] = matches.matched_object, matches.nearest_object, matches.iou
    duplicate = matches.is_duplicate
    for row, d in enumerate(order):
        verdicts[d] = (
            "true positive"
            if matches.is_true_positive[row]
            else "ignored"
            if matches.is_ignored[row]
            else "duplicate"
            if duplicate[row]
            else "false positive"
        )
    other_protocol = "VOC 2010" if state.protocol == "COCO" else "COCO"
    other = judged(state, other_protocol)  # the same confidences, so the same order
    differs = sorted(order[matches.is_true_positive != other.is_true_positive].tolist())
    found_by = np.full(len(state.objects), -1)
    true = np.flatnonzero(matches.is_true_positive)
    found_by[matches.matched_object[true]] = order[true]
    counted = ~matches.is_ignored
    points = [np.zeros(0)] * 3
    if matches.n_objects and counted.any():
        hits = matches.is_true_positive[counted]
        line = precision_recall_curve(matches.scores[counted], hits, ties="stable", n_relevant=matches.n_objects)
        points = [line.precision, line.recall, line.envelope]
    curve = precision_by_threshold(state, state.protocol)
    at = {t: float(value) for t, value in zip(THRESHOLDS, curve)}
    return BenchResult(
        order=order,
        verdicts=tuple(verdicts),
        matched=matched,
        nearest=nearest,
        iou=iou,
        found_by=found_by,
        rule_differs=tuple(differs),
        counted=order[counted],
        precision=points[0],
        recall=points[1],
        envelope=points[2],
        average_precision=at[state.iou_threshold],
        curve=curve,
        other_curve=precision_by_threshold(state, other_protocol),
        other_protocol=other_protocol,
        ap50=at[0.5],
        ap75=at[0.75],
        ap50_95=float(np.mean([at[t] for t in COCO_IOU_THRESHOLDS])),
        n_objects=matches.n_objects,
    )


# ---- moves -----------------------------------------------------------------------------------------------------


def admit_bench(state: BenchState, width: float, height: float) -> BenchState:
    """Return the state with every box inside the picture and every number inside its range."""
    detections = tuple((*_inside(row, width, height), min(max(row[4], 0.0), 1.0)) for row in state.detections[:MAX_BOXES])
    objects = tuple((*_inside(row, width, height), float(row[4] > 0)) for row in state.objects[:MAX_BOXES])
    group, number = state.chosen[:1], state.chosen[1:]
    size = {"d": len(detections), "o": len(objects)}.get(group, 0)
    return replace(
        state,
        detections=detections,
        objects=objects,
        iou_threshold=min(max(round(state.iou_threshold, 2), THRESHOLDS[0]), THRESHOLDS[-1]),
        chosen=state.chosen if number.isdigit() and int(number) < size else "",
    )


def _inside(row: Numbers, width: float, height: float) -> Numbers:
    """Return the corners in order, at least ``MIN_SIDE`` apart, shifted into the picture."""
    left, right = sorted((float(row[0]), float(row[2])))
    top, bottom = sorted((float(row[1]), float(row[3])))
    wide, high = min(max(right - left, MIN_SIDE), width), min(max(bottom - top, MIN_SIDE), height)
    left, top = min(max(left, 0.0), width - wide), min(max(top, 0.0), height - high)
    return left, top, left + wide, top + high


def box_of(state: BenchState, name: str) -> Numbers:
    """Return the row of ``"d2"`` or ``"o0"``."""
    return (state.detections if name[0] == "d" else state.objects)[int(name[1:])]


def with_box(state: BenchState, name: str, corners: Sequence[float]) -> BenchState:
    """Return the state after a box was moved, which also chooses it."""
    field = "detections" if name[0] == "d" else "objects"
    rows, index = getattr(state, field), int(name[1:])
    row = (*map(float, corners), rows[index][4])
    return replace(state, **{field: (*rows[:index], row, *rows[index + 1 :])}, chosen=name)


def with_confidence(state: BenchState, index: int, confidence: float) -> BenchState:
    """Return the state after a confidence was moved; hundredths, so that two can be made equal."""
    rows = state.detections
    row = (*rows[index][:4], round(confidence, 2))
    return replace(state, detections=(*rows[:index], row, *rows[index + 1 :]), chosen=f"d{index}")


def with_new_box(state: BenchState, corners: Sequence[float]) -> BenchState:
    """Return the state with one detection more, chosen; unchanged if the bench is full."""
    if len(state.detections) >= MAX_BOXES:
        return replace(state, draft=None)
    row = (*map(float, corners), NEW_CONFIDENCE)
    return replace(state, detections=(*state.detections, row), chosen=f"d{len(state.detections)}", draft=None)


def without_chosen(state: BenchState) -> BenchState:
    """Return the state without the chosen box; unchanged if none is chosen. The box before it is chosen then."""
    if not state.chosen:
        return state
    field, index = ("detections" if state.chosen[0] == "d" else "objects"), int(state.chosen[1:])
    rows = getattr(state, field)
    left = (*rows[:index], *rows[index + 1 :])
    return replace(state, **{field: left}, chosen=f"{state.chosen[0]}{max(index - 1, 0)}" if left else "")


def box_under(state: BenchState, x: float, y: float) -> str:
    """Return the name of the smallest box around a point, detections first; "" if there is none."""
    for group, rows in (("d", state.detections), ("o", state.objects)):
        around = [(r[2] - r[0]) * (r[3] - r[1]) if r[0] <= x <= r[2] and r[1] <= y <= r[3] else np.inf for r in rows]
        if around and min(around) < np.inf:
            return f"{group}{int(np.argmin(around))}"
    return ""


# ---- where to begin --------------------------------------------------------------------------------------------

# Shift and growth of a predicted box, as shares of the width and height of its object, and its confidence.
_TIGHT = ((0.03, 0.02, 0.02, 0.0), (-0.03, 0.02, 0.0, 0.03), (0.02, -0.03, 0.03, 0.02), (0.0, 0.03, 0.02, -0.02))
_LOOSE = ((0.04, 0.03, 0.05, 0.0), (0.32, 0.1, 0.1, 0.0), (-0.1, 0.08, 0.25, 0.2), (0.0, -0.22, 0.0, 0.15), (0.45, 0.2, 0.2, 0.0))


def start_detections(objects: tuple[Numbers, ...], preset: str, width: float, height: float) -> tuple[Numbers, ...]:
    """Return the predicted boxes with which a task begins: boxes near the objects, and some that are wrong on purpose."""

    def near(k: int, change: Numbers) -> Numbers:
        left, top, right, bottom, _ = objects[k]
        wide, high = right - left, bottom - top
        dx, dy, gx, gy = change[0] * wide, change[1] * high, change[2] * wide / 2, change[3] * high / 2
        return left + dx - gx, top + dy - gy, right + dx + gx, bottom + dy + gy

    corner = (0.06 * width, 0.03 * height, 0.28 * width, 0.22 * height)
    patch = (0.74 * width, 0.7 * height, 0.95 * width, 0.93 * height)
    count = range(len(objects))
    if preset == "loose boxes":
        rows = [(*near(k, _LOOSE[k % 5]), 0.95 - 0.12 * k) for k in count]
        rows += [(*near(0, (-0.04, 0.2, 0.0, 0.0)), 0.66)] if objects else []
        rows += [(*corner, 0.3)]
    elif preset == "confidences":
        confidence = (0.83, 0.41, 0.72, 0.35, 0.64)
        rows = [(*near(k, _TIGHT[k % 4]), confidence[k % 5]) for k in count]
        rows += [(*corner, 0.9), (*patch, 0.55)]
    else:
        rows = [(*near(k, _TIGHT[k % 4]), 0.92 - 0.1 * k) for k in count]
    return tuple(tuple(round(float(value), 2) for value in row) for row in rows[:MAX_BOXES])
