"""The revisited Oxford and Paris protocol: one ranked list, judged as easy, medium and hard.

The problem
    Oxford5k and Paris6k marked each database image as good, ok, junk or absent, with mistakes, and became too easy.
    F. Radenovic, A. Iscen, G. Tolias, Y. Avrithis, O. Chum, "Revisiting Oxford and Paris: Large-Scale Image Retrieval
    Benchmarking", CVPR 2018, arXiv:1803.11285, labelled every (query, image) pair again: *easy*, *hard*, *unclear*, or
    *negative*. Three protocols read the same labels:

    ==========  =============  ==================
    protocol    positives      junk, ignored
    ==========  =============  ==================
    easy        easy           unclear and hard
    medium      easy and hard  unclear
    hard        hard           unclear and easy
    ==========  =============  ==================

The idea of junk
    A junk image is neither right nor wrong. It leaves the ranked list, and what stands below moves up: the zero-based
    rank of a positive falls by the number of junk images above it. Counted as a negative instead, every hard image that
    a good system finds would be a mistake under *easy*.

With the adjusted zero-based ranks ``r_1 < r_2 < ...`` of the positives that were found, and ``R`` positives in total:

- AP is the *trapezoid* rule of ``05_mean_average_precision``, divided by ``R``, found or not;
- ``mP@k`` is precision at ``min(k, r_last + 1)``: a query with three positives is not punished for having no tenth;
- recall@k, as in the TensorFlow code of DELF, is the share of all ``R`` positives at adjusted ranks below ``k``.

Conventions
    A query without a positive under a protocol is NaN and in no mean; the result counts these queries. (ROxford has two
    of them under *easy*.) A list may be partial: what is missing is not found. The query's box is given in pixels of the
    query image; crop first, then describe.
    Labels of the classical Oxford5k and Paris6k ("ok" and "junk") are read as easy without hard: use *medium*.

Follows the released code ``filipradenovic/revisitop``. Taught in ``04_landmark_recognition``, step 6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils.checks import checked_array, checked_choice, checked_int, message
from course_utils.data.restricted_pickle import load_plain_pickle
from course_utils.retrieval.average_precision import mean_average_precision

if TYPE_CHECKING:
    import torch

PROTOCOLS = {
    "easy": (("easy",), ("junk", "hard")),
    "medium": (("easy", "hard"), ("junk",)),
    "hard": (("hard",), ("junk", "easy")),
}
"""For each protocol, the labels that count as positive and the labels that are ignored."""

LABELS = ("easy", "hard", "junk")


@dataclass(frozen=True)
class RevisitedGroundTruth:
    """Labels of all (query, image) pairs, and the boxes of the queries.

    Attributes
    ----------
    images : tuple of M str
        Names of the database images.
    queries : tuple of Q str
    easy, hard, junk : tuple of Q ndarrays, int64
        Database indices with this label; all other images are negative.
    boxes : ndarray of shape (Q, 4), float64
        ``(x1, y1, x2, y2)`` in pixels of the query image; NaN where a query has no box.

    Raises
    ------
    ValueError
        If the lists do not fit together, an index is out of range, or an image carries two labels for one query.
    """

    images: tuple[str, ...]
    queries: tuple[str, ...]
    easy: tuple[np.ndarray, ...]
    hard: tuple[np.ndarray, ...]
    junk: tuple[np.ndarray, ...]
    boxes: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "images", tuple(self.images))
        object.__setattr__(self, "queries", tuple(self.queries))
        n_queries = len(self.queries)
        for label in LABELS:
            rows = getattr(self, label)
            if len(rows) != n_queries:
                raise ValueError(message(label, f"one index array per query, {n_queries}", str(len(rows))))
            rows = tuple(np.sort(checked_array(row, f"{label}[{q}]", ("P",), np.int64)) for q, row in enumerate(rows))
            object.__setattr__(self, label, rows)
        for q in range(n_queries):
            marked = np.concatenate([getattr(self, label)[q] for label in LABELS])
            if len(marked) and not (marked.min() >= 0 and marked.max() < len(self.images)):
                expected = f"database indices between 0 and {len(self.images) - 1}"
                raise ValueError(message(f"labels of query {q}", expected, f"{marked.min()} to {marked.max()}"))
            if len(np.unique(marked)) != len(marked):
                values, counts = np.unique(marked, return_counts=True)
                raise ValueError(message(f"labels of query {q}", "one per image", f"two for image {values[counts > 1][0]}"))
        boxes = checked_array(self.boxes, "boxes", (n_queries, 4), np.float64, finite=False)
        if ((boxes[:, 2:] <= boxes[:, :2]).any(1)).any():
            q = int(np.flatnonzero((boxes[:, 2:] <= boxes[:, :2]).any(1))[0])
            raise ValueError(message(f"boxes[{q}]", "x1, y1, x2, y2 with x1 < x2 and y1 < y2", str(boxes[q].tolist())))
        object.__setattr__(self, "boxes", boxes)

    def __repr__(self) -> str:
        counts = ", ".join(f"{sum(map(len, getattr(self, label)))} {label}" for label in LABELS)
        return f"RevisitedGroundTruth({len(self.queries)} queries, {len(self.images)} images; pairs: {counts})"

    @classmethod
    def from_file(cls, path: str | Path) -> RevisitedGroundTruth:
        """Read ``gnd_roxford5k.pkl`` or ``gnd_rparis6k.pkl`` through the restricted unpickler.

        Raises
        ------
        RefusedPickleError
            A ``ValueError``: the file is damaged or holds more than plain data; nothing of it is run.
        ValueError
            If the content is no ground truth.
        """
        return cls.from_dict(load_plain_pickle(path))

    @classmethod
    def from_dict(cls, data: Any) -> RevisitedGroundTruth:
        """Return the ground truth from the dictionary in such a file: ``imlist``, ``qimlist`` and ``gnd``.

        ``gnd`` holds one dictionary a query, with ``easy``, ``hard`` and ``junk`` (or ``ok`` and ``junk``, the classical
        labels) and ``bbx``.
        """
        if not isinstance(data, Mapping) or not {"imlist", "qimlist", "gnd"} <= set(data):
            got = f"the keys {sorted(map(str, data))}" if isinstance(data, Mapping) else type(data).__name__
            raise ValueError(message("data", "a dictionary with imlist, qimlist and gnd", got))
        entries = data["gnd"]
        if len(entries) != len(data["qimlist"]):
            raise ValueError(message("gnd", f"one entry per query, {len(data['qimlist'])}", str(len(entries))))
        rows: dict[str, list[np.ndarray]] = {label: [] for label in LABELS}
        boxes = np.full((len(entries), 4), np.nan)
        for q, entry in enumerate(entries):
            classical = "ok" in entry
            if "junk" not in entry or not (classical or {"easy", "hard"} <= set(entry)):
                expected = "with easy, hard and junk, or with ok and junk"
                raise ValueError(message(f"gnd[{q}]", f"a dictionary {expected}", f"the keys {sorted(map(str, entry))}"))
            for label in LABELS:
                values = entry["ok"] if classical and label == "easy" else entry.get(label, ())
                rows[label].append(np.asarray(values, dtype=None if len(values) else np.int64))
            if entry.get("bbx") is not None:
                boxes[q] = checked_array(entry["bbx"], f"gnd[{q}]['bbx']", (4,), np.float64)
        labels = (tuple(rows[label]) for label in LABELS)
        return cls(tuple(data["imlist"]), tuple(data["qimlist"]), *labels, boxes)

    def positives(self, protocol: str = "medium") -> list[np.ndarray]:
        """Return the database indices that count as positive, one array a query."""
        return self._joined(protocol, 0)

    def ignored(self, protocol: str = "medium") -> list[np.ndarray]:
        """Return the database indices that leave the list under this protocol, one array a query."""
        return self._joined(protocol, 1)

    def label(self, query: int) -> np.ndarray:
        """Return the label of every database image for one query, shape (M,): easy, hard, junk or negative."""
        names = np.full(len(self.images), "negative")
        for label in LABELS:
            names[getattr(self, label)[query]] = label
        return names

    def ignoring_queries(self) -> RevisitedGroundTruth:
        """Return the same labels with each query that is a database image itself declared junk for itself."""
        index = {name: i for i, name in enumerate(self.images)}
        rows = {label: list(getattr(self, label)) for label in LABELS}
        for q, name in enumerate(self.queries):
            if name in index:
                for label in LABELS:
                    rows[label][q] = np.setdiff1d(rows[label][q], [index[name]])
                rows["junk"][q] = np.append(rows["junk"][q], index[name])
        return replace(self, **{label: tuple(rows[label]) for label in LABELS})

    def crop_query(self, image: torch.Tensor, query: int) -> torch.Tensor:
        """Return the part of a query image ``(C, H, W)`` inside its box; the whole image if it has none.

        Box edges are rounded to whole pixels, as ``PIL.Image.crop`` does, and cut at the image's border.

        Raises
        ------
        ValueError
            If no pixel of the image lies in the box.
        """
        box = self.boxes[query]
        if np.isnan(box).any():
            return image
        height, width = image.shape[-2:]
        x1, y1, x2, y2 = np.clip(np.rint(box), 0, [width, height, width, height]).astype(int)
        if x1 >= x2 or y1 >= y2:
            got = f"{box.tolist()} for an image of {width} x {height} pixels"
            raise ValueError(message("image", f"the one that the box of query {query} belongs to", got))
        return image[..., y1:y2, x1:x2]

    def _joined(self, protocol: str, which: int) -> list[np.ndarray]:
        labels = PROTOCOLS[checked_choice(protocol, "protocol", PROTOCOLS)][which]
        return [np.sort(np.concatenate([getattr(self, label)[q] for label in labels])) for q in range(len(self.queries))]


@dataclass(frozen=True)
class RevisitedResult:
    """What one ranking per query is worth under one protocol.

    Attributes
    ----------
    protocol : str
    mean_average_precision : float, in [0, 1]
        NaN if no query counts.
    precision_at, recall_at : dict from k to float
        mP@k and mean recall@k.
    per_query : ndarray of shape (Q,), float64
        Trapezoid AP; NaN for a query without a positive.
    precision_per_query : dict from k to ndarray of shape (Q,)
    ranks : tuple of Q ndarrays, int64
        Zero-based ranks of the positives that were found, after junk left the list.
    n_queries, n_empty : int
        Queries in the means, and queries without a positive.
    """

    protocol: str
    mean_average_precision: float
    precision_at: dict[int, float]
    recall_at: dict[int, float]
    per_query: np.ndarray
    precision_per_query: dict[int, np.ndarray]
    ranks: tuple[np.ndarray, ...]
    n_queries: int
    n_empty: int

    def __repr__(self) -> str:
        precision = ", ".join(f"mP@{k} {value:.3f}" for k, value in self.precision_at.items())
        return (
            f"RevisitedResult({self.protocol}: mAP {self.mean_average_precision:.3f}, {precision}; "
            f"{self.n_queries} queries counted, {self.n_empty} without a positive)"
        )


def revisited_protocol(
    ranked: Any, truth: RevisitedGroundTruth, protocol: str = "medium", at: Sequence[int] = (1, 5, 10)
) -> RevisitedResult:
    """Return trapezoid mAP, mP@k and recall@k of rankings under the easy, medium or hard protocol.

    Taught in `04_landmark_recognition`, step 6.

    Parameters
    ----------
    ranked : array-like or Tensor of shape (Q, R), int
        Database indices, best first; -1 is "no result". (The released code takes the transpose.)
    truth : RevisitedGroundTruth
    protocol : {"easy", "medium", "hard"}, default "medium"
    at : sequence of int, default (1, 5, 10)

    Raises
    ------
    ValueError
        If there is not one list for each query, an index is out of range or twice in a list, or a k is below 1.

    Examples
    --------
    >>> truth = RevisitedGroundTruth(("a", "b", "c", "d"), ("q",), [[0]], [[1]], [[2]], [[0, 0, 9, 9]])
    >>> for protocol in ("easy", "medium", "hard"):
    ...     print(revisited_protocol([[2, 1, 3, 0]], truth, protocol, at=(1,)))
    RevisitedResult(easy: mAP 0.250, mP@1 0.000; 1 queries counted, 0 without a positive)
    RevisitedResult(medium: mAP 0.792, mP@1 1.000; 1 queries counted, 0 without a positive)
    RevisitedResult(hard: mAP 1.000, mP@1 1.000; 1 queries counted, 0 without a positive)
    """
    ranked = checked_array(ranked, "ranked", ("Q", "R"), np.int64)
    if len(ranked) != len(truth.queries):
        raise ValueError(message("ranked", f"one list for each of the {len(truth.queries)} queries", f"{len(ranked)} lists"))
    at = [checked_int(k, "at", low=1) for k in at]
    _check_ranked(ranked, len(truth.images))
    positives, ignored = truth.positives(protocol), truth.ignored(protocol)
    relevant, junk = _marks(ranked, positives), _marks(ranked, ignored) | (ranked < 0)
    n_positives = np.array([len(row) for row in positives], np.int64)
    position = np.arange(max(ranked.shape[1], 1), dtype=np.float64)
    if ranked.shape[1] == 0:
        relevant, junk = np.zeros((len(ranked), 1), bool), np.ones((len(ranked), 1), bool)
    found = mean_average_precision(
        np.broadcast_to(-position, relevant.shape), relevant, junk, "trapezoid", n_relevant=n_positives, empty="nan"
    )
    adjusted = np.cumsum(~junk, axis=1) - 1  # rank of each place when the junk above it is gone
    ranks = tuple(row[hit] for row, hit in zip(adjusted, relevant))
    counted = n_positives > 0
    precision = {k: np.where(counted, [_precision_at(row, k) for row in ranks], np.nan) for k in at}
    recall = {k: np.where(counted, [(row < k).sum() for row in ranks] / np.maximum(n_positives, 1), np.nan) for k in at}
    return RevisitedResult(
        protocol,
        found.mean,
        {k: _mean(values[counted]) for k, values in precision.items()},
        {k: _mean(values[counted]) for k, values in recall.items()},
        found.per_query,
        precision,
        ranks,
        found.n_queries,
        found.n_empty,
    )


def junk_adjusted_ranks(ranked: Any, positives: Any, junk: Any) -> np.ndarray:
    """Return the zero-based ranks of the positives in one list after junk has left it.

    Parameters
    ----------
    ranked : array-like of shape (R,), int
        Database indices, best first.
    positives, junk : array-like of int
        Disjoint sets of database indices.

    Raises
    ------
    ValueError
        If an image is positive and junk at once, or twice in the list.

    Examples
    --------
    >>> junk_adjusted_ranks([7, 3, 8, 5], positives=[3, 5], junk=[7, 8])
    array([0, 1])
    """
    ranked = checked_array(ranked, "ranked", ("R",), np.int64)
    positives = checked_array(positives, "positives", ("P",), np.int64)
    junk = checked_array(junk, "junk", ("J",), np.int64)
    both = np.intersect1d(positives, junk)
    if len(both):
        raise ValueError(message("junk", "disjoint from `positives`", f"image {both[0]} in both"))
    _check_ranked(ranked[None], None)
    keep = ~np.isin(ranked, junk) & (ranked >= 0)
    return (np.cumsum(keep) - 1)[np.isin(ranked, positives) & keep]


def _precision_at(ranks: np.ndarray, k: int) -> float:
    if len(ranks) == 0:
        return 0.0
    depth = min(k, int(ranks[-1]) + 1)
    return float((ranks < depth).sum() / depth)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _marks(ranked: np.ndarray, sets: list[np.ndarray]) -> np.ndarray:
    return np.stack([np.isin(row, wanted) for row, wanted in zip(ranked, sets)]) if len(ranked) else np.zeros_like(ranked, bool)


def _check_ranked(ranked: np.ndarray, size: int | None) -> None:
    if ranked.size and (ranked.min() < -1 or (size is not None and ranked.max() >= size)):
        upper = "" if size is None else f" and at most {size - 1}"
        expected = f"database indices of at least 0{upper}, or -1"
        raise ValueError(message("ranked", expected, f"values from {ranked.min()} to {ranked.max()}"))
    ordered = np.sort(ranked, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    if twice.any():
        query, place = np.argwhere(twice)[0]
        raise ValueError(message("ranked", "free of repeated images", f"image {ordered[query, place]} twice in list {query}"))
