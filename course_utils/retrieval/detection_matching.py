"""Matching detections to objects: which predicted box counts as a find?

A detector returns boxes, each with a confidence. Before anything like precision exists, every box must be judged: true
positive, false positive, or neither. Retrieval has no such step; there each item is relevant or not by its label.
The judgement walks through the detections of one class from the highest confidence to the lowest and gives every object
to at most one of them. Two benchmarks do this in different ways, and the difference changes the numbers:

============== =============================================== ====================================================
step           ``protocol="voc"``                              ``protocol="coco"``
============== =============================================== ====================================================
candidate      the object with the largest IoU, taken or not   the *still free* object with the largest IoU
its IoU        at least ``iou_threshold``, else false positive the same
taken object   the detection is a duplicate: false positive    it goes to the next object that is free and overlaps enough
ignore         "difficult" objects absorb any number           ignored objects absorb one each, crowds any number;
                                                               a normal object is preferred to an ignored one
crowd          does not exist                                  overlap = intersection / area of the *detection*
box            inclusive pixel range: width = x2 - x1 + 1      continuous: width = x2 - x1
limit          none                                            the 100 most confident detections of an image (and class)
equal IoU      the first object                                the last object (as pycocotools does)
============== =============================================== ====================================================

A detection that an ignored object or a crowd absorbs is *ignored*: it is neither a true nor a false positive, and it is
taken out of the list. Ignored objects do not count as objects.

**Equal confidences.** The order among them is the order of the input: image by image, and inside an image as given.
Sorting is stable. Neither benchmark groups ties, so a detector that writes the same confidence many times gets a number
that depends on the order of its output; the explorer of chapter 05 shows it.

Sources
-------
M. Everingham, L. Van Gool, C. K. I. Williams, J. Winn, A. Zisserman, "The PASCAL Visual Object Classes (VOC) Challenge",
International Journal of Computer Vision 88, 2010, section 4.2, and its development kit (at least, not above, the
threshold). T.-Y. Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014, arXiv:1405.0312, and its evaluation
code `pycocotools`, which is what published numbers come from: it applies the limit of 100 per image *and class*.

Symbols: ``M`` detections, ``K`` objects, ``T`` IoU thresholds, ``N`` images; a *group* is one class in one image.
The only loop of the matching runs over the rank of a detection inside its group: all groups and thresholds take that
step together, padded to the same number of objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.checks import checked_array, checked_choice, checked_float, checked_int, message

MATCHING_PROTOCOLS = ("coco", "voc")
COCO_MAX_DETECTIONS = 100
_PADDED_CELLS = 400_000  # group x threshold x object cells of one chunk: about 3 MB in float64
_NEARLY_ONE = 1 - 1e-10  # the highest demand, as in COCO's code: an IoU of one survives rounding


@dataclass(frozen=True, eq=False)
class DetectionMatches:
    """The result of ``match_detections``: one row per detection, by falling confidence over all images.

    Attributes
    ----------
    scores : ndarray of shape (M,), float64
    is_true_positive : ndarray of shape (M,), bool
    is_ignored : ndarray of shape (M,), bool
        Absorbed by an ignored object or a crowd: neither true nor false positive.
    image, detection : ndarrays of shape (M,), int64
        Where the detection came from: ``boxes[image][detection]``.
    matched_object : ndarray of shape (M,), int64
        Index into ``objects[image]`` of the object that the detection found or that absorbed it; -1 for none.
    iou : ndarray of shape (M,), float64
        Overlap with that object; without a match, the largest overlap with any object of the image (0 if there is none).
    nearest_object : ndarray of shape (M,), int64
        The object with the largest overlap; -1 if nothing overlaps.
    n_objects : int
        Objects that count: all but the ignored ones and the crowds. The recall's denominator.
    iou_threshold, protocol : as asked for
    """

    scores: np.ndarray
    is_true_positive: np.ndarray
    is_ignored: np.ndarray
    image: np.ndarray
    detection: np.ndarray
    matched_object: np.ndarray
    iou: np.ndarray
    nearest_object: np.ndarray
    n_objects: int
    iou_threshold: float
    protocol: str

    @property
    def is_false_positive(self) -> np.ndarray:
        """Neither true positive nor ignored, (M,) bool."""
        return ~self.is_true_positive & ~self.is_ignored

    @property
    def is_duplicate(self) -> np.ndarray:
        """False positives that overlap an object enough, but others had taken it, (M,) bool."""
        enough = self.iou >= min(self.iou_threshold, _NEARLY_ONE)
        return self.is_false_positive & (self.nearest_object >= 0) & enough

    def __repr__(self) -> str:
        true, false, ignored = (int(x.sum()) for x in (self.is_true_positive, self.is_false_positive, self.is_ignored))
        counts = f"{true} true positives, {false} false positives, {ignored} ignored; {self.n_objects} objects"
        return f"DetectionMatches({counts}; {self.protocol}, IoU >= {self.iou_threshold:g})"


def match_detections(
    boxes: Sequence[Any],
    scores: Sequence[Any],
    objects: Sequence[Any],
    *,
    iou_threshold: float = 0.5,
    protocol: str = "coco",
    ignore: Sequence[Any] | None = None,
    crowd: Sequence[Any] | None = None,
    max_detections: int | str | None = "protocol",
) -> DetectionMatches:
    """Judge every detection of one class, over many images.

    Taught in `05_mean_average_precision`.

    Parameters
    ----------
    boxes : sequence of N arrays of shape (M_i, 4)
        Predicted boxes of each image, ``(x1, y1, x2, y2)`` in pixels, ``x2 >= x1`` and ``y2 >= y1``.
    scores : sequence of N arrays of shape (M_i,)
        Confidences, any finite numbers.
    objects : sequence of N arrays of shape (K_i, 4)
        True boxes of each image.
    iou_threshold : float, default 0.5
        Smallest overlap that counts, above 0 and at most 1; the end is included.
    protocol : {"coco", "voc"}, default "coco"
        See the table at the top of the module.
    ignore : sequence of N arrays of shape (K_i,), bool, optional
        Objects that need not be found (VOC's "difficult").
    crowd : sequence of N arrays of shape (K_i,), bool, optional
        Regions full of objects that nobody has outlined. COCO only.
    max_detections : int, None or "protocol", default "protocol"
        Keep the most confident detections of every image. "protocol" is 100 for COCO and no limit for VOC.

    Returns
    -------
    DetectionMatches

    Raises
    ------
    ValueError
        If the numbers of images differ, a box is not finite or has its corners exchanged, a confidence is not finite,
        or a crowd is given to VOC.

    Examples
    --------
    Two boxes on one object, one is a duplicate:

    >>> match_detections([[[0, 0, 9, 9], [0, 0, 10, 10]]], [[0.6, 0.9]], [[[0, 0, 10, 10]]]).is_duplicate
    array([False,  True])
    """
    checked_choice(protocol, "protocol", MATCHING_PROTOCOLS)
    threshold = checked_float(iou_threshold, "iou_threshold", above=0.0, high=1.0)
    limit = detection_limit(max_detections, protocol)
    n_images = _same_length(boxes=boxes, scores=scores, objects=objects, ignore=ignore, crowd=crowd)
    per_image = []
    for i in range(n_images):
        found = checked_boxes(boxes[i], f"boxes[{i}]")
        true = checked_boxes(objects[i], f"objects[{i}]")
        confidence = checked_array(scores[i], f"scores[{i}]", (len(found),), np.float64)
        flags = [
            checked_flags(None if f is None else f[i], f"{n}[{i}]", len(true)) for n, f in (("ignore", ignore), ("crowd", crowd))
        ]
        per_image.append((found, confidence, true, *flags))
    box, score, true, ignored, crowds = (np.concatenate(parts) for parts in zip(*per_image)) if per_image else _NOTHING
    if protocol == "voc":
        refuse_crowds(crowds)
    n_boxes, n_true = ([len(image[j]) for image in per_image] for j in (0, 2))
    image, object_image = np.repeat(np.arange(n_images), n_boxes), np.repeat(np.arange(n_images), n_true)
    kept = most_confident(score, image, limit)
    assigned, nearest, overlap, matched_overlap = greedy_matches(
        box[kept], image[kept], true, object_image, ignored | crowds, crowds, np.array([threshold]), protocol
    )
    order = np.argsort(-score[kept], kind="stable")
    match, nearest, overlap, matched_overlap = assigned[0][order], nearest[order], overlap[order], matched_overlap[0][order]
    absorbed = (ignored | crowds)[match] & (match >= 0) if len(true) else np.zeros(len(match), bool)
    rows = kept[order]
    first_box, first_object = (np.concatenate([[0], np.cumsum(n)]).astype(np.int64) for n in (n_boxes, n_true))

    def within(index: np.ndarray) -> np.ndarray:
        return np.where(index >= 0, index - first_object[image[rows]], -1)

    return DetectionMatches(
        scores=score[rows],
        is_true_positive=(match >= 0) & ~absorbed,
        is_ignored=absorbed,
        image=image[rows],
        detection=rows - first_box[image[rows]],
        matched_object=within(match),
        iou=np.where(match >= 0, matched_overlap, overlap),
        nearest_object=within(nearest),
        n_objects=int((~(ignored | crowds)).sum()),
        iou_threshold=threshold,
        protocol=protocol,
    )


_NOTHING = (np.zeros((0, 4)), np.zeros(0), np.zeros((0, 4)), np.zeros(0, bool), np.zeros(0, bool))


def detection_limit(value: int | str | None, protocol: str) -> int | None:
    """Return the largest number of detections per image and class, or None for no limit."""
    if isinstance(value, str):
        checked_choice(value, "max_detections", ("protocol", None, 1, 10, 100))  # the numbers stand for all integers
        return COCO_MAX_DETECTIONS if protocol == "coco" else None
    return None if value is None else checked_int(value, "max_detections", low=1)


def checked_boxes(value: Any, name: str) -> np.ndarray:
    """Return boxes (n, 4) as float64; refuse corners that are exchanged. An empty list is no box."""
    if not hasattr(value, "shape") and len(value) == 0:
        return np.zeros((0, 4))
    boxes = checked_array(value, name, ("n", 4), np.float64)
    wrong = np.flatnonzero((boxes[:, 2:] < boxes[:, :2]).any(1))
    if wrong.size:
        got = f"{boxes[wrong[0]].tolist()} in row {wrong[0]}"
        advice = "Boxes are (x1, y1, x2, y2); convert (x, y, width, height) with torchvision.ops.box_convert."
        raise ValueError(message(name, "boxes with x2 >= x1 and y2 >= y1", got, advice))
    return boxes


def checked_flags(value: Any, name: str, n: int) -> np.ndarray:
    """Return ``n`` booleans; 0 and 1 are accepted, None is all false."""
    if value is None:
        return np.zeros(n, bool)
    flags = checked_array(value, name, (n,), np.float64)
    if not np.isin(flags, (0.0, 1.0)).all():
        raise ValueError(message(name, "boolean, or 0 and 1", f"{flags[~np.isin(flags, (0.0, 1.0))][0]:g}"))
    return flags.astype(bool)


def refuse_crowds(crowd: np.ndarray) -> None:
    """Raise if there is a crowd: VOC has no such thing."""
    if crowd.any():
        advice = 'Call them "difficult" (`ignore`), or use protocol="coco".'
        raise ValueError(message("crowd", "false everywhere under the VOC protocol", f"{int(crowd.sum())} crowd regions", advice))


def _same_length(**sequences: Sequence[Any] | None) -> int:
    sizes = {name: len(value) for name, value in sequences.items() if value is not None}
    if len(set(sizes.values())) > 1:
        got = ", ".join(f"{name} {n}" for name, n in sizes.items())
        raise ValueError(message(" / ".join(sizes), "sequences with one entry per image, all of one length", got))
    return next(iter(sizes.values()))


def box_overlaps(boxes: np.ndarray, objects: np.ndarray, inclusive: bool, crowd: np.ndarray | None = None) -> np.ndarray:
    """Return overlaps by broadcasting: ``boxes (..., 4)`` and ``objects (..., 4)`` -> ``(...)``.

    Parameters
    ----------
    inclusive : bool
        True: the corners are pixels that belong to the box, so a width is ``x2 - x1 + 1`` (VOC).
    crowd : bool array, optional
        Where true, the intersection is divided by the area of the box instead of the union.

    A box without area overlaps nothing (``torchvision.ops.box_iou`` gives NaN for two such boxes).
    """
    more = 1.0 if inclusive else 0.0
    size = np.minimum(boxes[..., 2:], objects[..., 2:]) - np.maximum(boxes[..., :2], objects[..., :2]) + more
    size = np.maximum(size, 0.0)
    intersection = size[..., 0] * size[..., 1]
    area, object_area = box_areas(boxes, inclusive), box_areas(objects, inclusive)
    whole = area + object_area - intersection
    if crowd is not None:
        whole = np.where(crowd, area, whole)
    return np.divide(intersection, whole, out=np.zeros_like(intersection), where=intersection > 0)


def box_areas(boxes: np.ndarray, inclusive: bool = False) -> np.ndarray:
    """Return the areas of boxes ``(..., 4)`` in square pixels."""
    more = 1.0 if inclusive else 0.0
    return (boxes[..., 2] - boxes[..., 0] + more) * (boxes[..., 3] - boxes[..., 1] + more)


def most_confident(scores: np.ndarray, group: np.ndarray, limit: int | None) -> np.ndarray:
    """Return indices sorted by group, inside a group by falling score (stable), cut to ``limit`` per group."""
    order = np.argsort(-scores, kind="stable")
    order = order[np.argsort(group[order], kind="stable")]
    return order if limit is None else order[_rank_in_group(group[order]) < limit]


def _rank_in_group(group: np.ndarray) -> np.ndarray:
    """Return the position inside its group of every entry of a sorted array."""
    if not len(group):
        return np.zeros(0, np.int64)
    start = np.flatnonzero(np.append(True, np.diff(group) != 0))
    return np.arange(len(group)) - np.repeat(start, np.diff(np.append(start, len(group))))


def greedy_matches(
    boxes: np.ndarray,
    group: np.ndarray,
    objects: np.ndarray,
    object_group: np.ndarray,
    ignored: np.ndarray,
    crowd: np.ndarray,
    thresholds: np.ndarray,
    protocol: str,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Match all groups at all thresholds.

    Parameters
    ----------
    boxes, group : arrays of shape (M, 4) and (M,)
        Detections sorted by group and by falling confidence inside it, as ``most_confident`` returns them.
    objects, object_group, ignored, crowd : arrays of shape (K, 4), (K,), (K,), (K,)
        In any order; ``ignored`` is true for crowds too.
    thresholds : array of shape (T,)

    Returns
    -------
    matched : int64 array of shape (T, M)
        Index of the object, -1 for none.
    nearest, nearest_overlap : arrays of shape (M,)
        The object with the largest overlap, -1 and 0 for none.
    overlap : float64 array of shape (T, M)
        With the matched object, 0 for none.
    """
    voc = protocol == "voc"
    demand = np.minimum(thresholds, _NEARLY_ONE)
    matched = np.full((len(demand), len(boxes)), -1, np.int64)
    matched_overlap = np.zeros((len(demand), len(boxes)))
    nearest, nearest_overlap = np.full(len(boxes), -1, np.int64), np.zeros(len(boxes))
    for first, count, table in _chunks(group, object_group, len(demand), last_first=not voc):
        blank = table < 0
        truth, is_ignored, is_crowd = objects[table], ignored[table], crowd[table]
        taken = np.zeros((len(table), len(demand), table.shape[1]), bool)  # (groups, T, objects)
        any_ignored = bool((is_ignored & ~blank).any())
        for rank in range(int(count[0])):  # groups come with the largest number of detections first
            active = int(np.searchsorted(-count, -rank))  # groups with more than `rank` detections
            row = first[:active] + rank
            overlap = box_overlaps(boxes[row, None], truth[:active], voc, is_crowd[:active])  # (active, objects)
            overlap[blank[:active]] = -1.0
            best = overlap.argmax(1)
            largest = np.take_along_axis(overlap, best[:, None], 1)[:, 0]
            nearest[row] = np.where(largest > 0, np.take_along_axis(table[:active], best[:, None], 1)[:, 0], -1)
            nearest_overlap[row] = np.maximum(largest, 0.0)
            near = np.flatnonzero(largest >= demand.min())  # the others match nothing at any threshold
            if not len(near):
                continue
            overlap, best = overlap[near], best[near]
            if voc:
                # The best object decides, taken or not; a difficult one absorbs without being used up.
                enough = largest[near, None] >= demand  # (near, T)
                busy = taken[near, :, best]
                pick = np.broadcast_to(best[:, None], enough.shape)
                hit = enough & ~busy
                use = hit & ~is_ignored[near, best][:, None]
            else:
                open_ = ~taken[near] | is_crowd[near, None]
                open_ &= overlap[:, None] >= demand[:, None]  # (near, T, objects)
                regular = open_ & ~is_ignored[near, None] if any_ignored else open_
                worth = np.where(regular, overlap[:, None], -1.0)
                pick = worth.argmax(2)
                hit = regular.any(2)
                if any_ignored:
                    second = np.where(open_ & ~regular, overlap[:, None], -1.0).argmax(2)
                    pick = np.where(hit, pick, second)
                    hit = open_.any(2)
                use = hit
            g, t = np.nonzero(use)
            taken[near[g], t, pick[g, t]] = True
            g, t = np.nonzero(hit)
            matched[t, row[near[g]]] = table[near[g], pick[g, t]]
            matched_overlap[t, row[near[g]]] = overlap[g, pick[g, t]]
    return matched, nearest, nearest_overlap, matched_overlap


def _chunks(group: np.ndarray, object_group: np.ndarray, n_thresholds: int, last_first: bool) -> Any:
    """Yield ``(first row, number of detections, object table padded with -1)`` for groups with detections and objects.

    Groups of similar size go together, so that little is padding; inside a chunk the group with most detections leads.
    """
    names, first, count = np.unique(group, return_index=True, return_counts=True)
    order = np.argsort(object_group, kind="stable")
    owners, start, n_objects = np.unique(object_group[order], return_index=True, return_counts=True)
    both, here, there = np.intersect1d(names, owners, assume_unique=True, return_indices=True)
    first, count, start, n_objects = first[here], count[here], start[there], n_objects[there]
    by_size = np.argsort(n_objects, kind="stable")
    position = 0
    while position < len(both):
        cells = n_objects[by_size[position:]] * n_thresholds * np.arange(1, len(both) - position + 1)
        end = position + max(1, int(np.searchsorted(cells, _PADDED_CELLS, side="right")))
        chunk = by_size[position:end]
        chunk = chunk[np.argsort(-count[chunk], kind="stable")]
        slot = np.arange(n_objects[chunk].max())
        inside = slot < n_objects[chunk][:, None]
        step = n_objects[chunk][:, None] - 1 - slot if last_first else slot[None]
        table = np.where(inside, order[np.where(inside, start[chunk][:, None] + step, 0)], -1)
        yield first[chunk], count[chunk], table
        position = end
