"""From key points to a decision: the pure part of the matching bench.

The query's features inside the crop are matched with every index image, each set of matches is verified by affine RANSAC,
and the number of inliers is compared with a threshold of acceptance. Everything the bench shows about one moment follows
from a ``MatchState``: ``Matcher.compute`` is a pure function of it. Results of earlier settings are remembered, so that
acceptance, probe and stepper answer at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from course_utils import retrieval
from course_utils.explore.matching_cases import Case
from course_utils.retrieval import AffineTrials, GeometricVerification, LocalFeatureSet, apply_affine

Box = tuple[float, float, float, float]

N_TRIALS = 500  # ransac_trials(0.21): enough where a fifth of the matches is right
MAX_STEPS = 200
SEED = 5  # of RANSAC and of the stepper: its first samples fail, as most do
MIN_KEEP, MAX_KEEP = 8, 160
MIN_SIDE = 16.0  # pixels of the smallest crop
THRESHOLDS = (0.5, 64.0)  # smallest and largest RANSAC threshold in pixels
SCALES = {
    "all scales": (0.0, np.inf),
    "only 1": (0.9, 1.1),
    "0.5 and below": (0.0, 0.51),
    "above 0.5": (0.51, np.inf),
}
NO_GUESS = "no prediction"
RIGHT, WRONG, UNKNOWN = 1, 0, -1


@dataclass(frozen=True)
class MatchState:
    """Everything that the reader can set.

    Attributes
    ----------
    crop : (x0, y0, x1, y1)
        In pixels of the query image.
    keep : int
        Features kept of every image, those of the highest scores.
    scales : str
        One of ``SCALES``.
    threshold : float
        Of RANSAC, in pixels of the index image.
    verify : bool
        False: an image's score is its number of matches, and geometry is not asked.
    accept : int
        Index images with at least this score are accepted.
    shown : int
        The index image that is drawn.
    probe : (x, y)
        Where the reader looks for a key point, in pixels of the query image.
    step : int
        Samples drawn by the stepper; 0: the result of RANSAC is shown.
    guess : str
        What the reader says the next move will do.
    judged : bool
        The guess was about the last move.
    moving : str
        What the reader holds, or "".
    last : str
        What was moved last; moving it again continues the same move.
    before : (crop, keep, scales, threshold, verify) or ()
        The settings that changes are counted from.
    task : int
    preset : str
    """

    crop: Box
    keep: int = 80
    scales: str = "all scales"
    threshold: float = 6.0
    verify: bool = True
    accept: int = 14
    shown: int = 0
    probe: tuple[float, float] = (0.0, 0.0)
    step: int = 0
    guess: str = NO_GUESS
    judged: bool = False
    moving: str = ""
    last: str = ""
    before: tuple = ()
    task: int = 0
    preset: str = ""

    @property
    def settings(self) -> tuple:
        """What decides about matches and inliers."""
        return self.crop, self.keep, self.scales, self.threshold, self.verify


@dataclass(frozen=True)
class Score:
    """Numbers of one setting.

    ``n_matches``, ``n_right``, ``n_inliers`` and ``n_right_inliers`` are those of the index image that is shown (-1: the
    truth is not known); ``accepted`` and ``n_false`` count index images at the threshold of acceptance.
    """

    n_points: int
    n_matches: int
    n_right: int
    n_inliers: int
    n_right_inliers: int
    accepted: int
    n_false: int

    @property
    def right_share(self) -> float:
        """Share of the matches that are right; NaN without matches or truth."""
        return self.n_right / self.n_matches if self.n_matches and self.n_right >= 0 else float("nan")


@dataclass(frozen=True, eq=False)
class MatchResult:
    """What follows from a state.

    Attributes
    ----------
    query_rows, outside_rows : ndarray of int
        Features of the query that take part, and those that would without the crop.
    index_rows : ndarray of int
        Features of the index image that is shown.
    pairs : ndarray of shape (M, 2), int64
        Matches: feature of the query, feature of the index image.
    distances : ndarray of shape (M,)
        Between descriptors.
    right : ndarray of shape (M,), int8
        ``RIGHT``, ``WRONG`` or ``UNKNOWN``.
    transform : ndarray of shape (2, 3)
        RANSAC's map, or the stepper's; NaN if there is none.
    inliers : ndarray of shape (M,), bool
        Matches that agree with it.
    residuals : ndarray of shape (M,)
        Pixels; NaN without a map.
    scores, n_matches, n_inliers : ndarray of shape (P,), int64
        Of every index image; ``scores`` is one of the two others.
    triplet : ndarray of shape (3,) or (0,), int64
        The matches of the stepper's last sample.
    history : ndarray of shape (step,), int64
        Inliers of the samples drawn so far.
    best : int
        The sample with most inliers so far, counted from 0; -1 without one.
    probe_row, probe_match : int
        The feature at the probe, and its match; -1 for none.
    probe_distance : float
        From the feature at the probe to its nearest neighbour in the index image; NaN without one.
    now, old : Score
        For the settings as they are, and before the last move.
    """

    query_rows: np.ndarray
    outside_rows: np.ndarray
    index_rows: np.ndarray
    pairs: np.ndarray
    distances: np.ndarray
    right: np.ndarray
    transform: np.ndarray
    inliers: np.ndarray
    residuals: np.ndarray
    scores: np.ndarray
    n_matches: np.ndarray
    n_inliers: np.ndarray
    triplet: np.ndarray
    history: np.ndarray
    best: int
    probe_row: int
    probe_match: int
    probe_distance: float
    now: Score
    old: Score


@dataclass(frozen=True, eq=False)
class _Run:
    """Matching and verification with every index image, for one setting."""

    query_rows: np.ndarray
    outside_rows: np.ndarray
    index_rows: tuple[np.ndarray, ...]
    pairs: tuple[np.ndarray, ...]
    distances: tuple[np.ndarray, ...]
    right: tuple[np.ndarray, ...]
    verified: tuple[GeometricVerification, ...]


class Matcher:
    """Computes what the bench shows for one case.

    Parameters
    ----------
    case : Case
    max_distance : float
        Two descriptors further apart are no match.
    """

    def __init__(self, case: Case, max_distance: float) -> None:
        self.case, self.max_distance = case, max_distance
        self._run = lru_cache(maxsize=64)(self._match)
        self._trials = lru_cache(maxsize=16)(self._sample)

    def compute(self, state: MatchState) -> MatchResult:
        """Return everything that the bench shows for ``state``; deterministic."""
        run, shown = self._run(*state.settings[:4]), state.shown
        pairs, right = run.pairs[shown], run.right[shown]
        points = self._points(pairs, shown)
        transform, triplet, history, best = run.verified[shown].transform, np.zeros(0, np.int64), np.zeros(0, np.int64), -1
        if state.step and state.verify:
            trials = self._trials(*state.settings[:4], shown)
            history = trials.n_inliers[: state.step]
            if len(history):
                transform, triplet, best = (
                    trials.transforms[len(history) - 1],
                    trials.triplets[len(history) - 1],
                    history.argmax(),
                )
        if not state.verify:
            transform = np.full((2, 3), np.nan)
        residuals = np.linalg.norm(apply_affine(points[0], transform) - points[1], axis=1)
        probe_row = _nearest(self.case.features.points, run.query_rows, state.probe)
        matched = np.flatnonzero(pairs[:, 0] == probe_row)
        votes = [np.array(n, np.int64) for n in ([len(p) for p in run.pairs], [v.n_inliers for v in run.verified])]
        return MatchResult(
            run.query_rows,
            run.outside_rows,
            run.index_rows[shown],
            pairs,
            run.distances[shown],
            right,
            transform,
            residuals < state.threshold,
            residuals,
            votes[1] if state.verify else votes[0],
            *votes,
            triplet,
            history,
            int(best),
            probe_row,
            int(matched[0]) if len(matched) else -1,
            self._nearest_distance(probe_row, run.index_rows[shown], shown),
            self._score(state, state.settings),
            self._score(state, state.before or state.settings),
        )

    def _match(self, crop: Box, keep: int, scales: str, threshold: float) -> _Run:
        features = self.case.features
        usable = _ranked(features, scales)
        x, y = features.points[usable].T
        inside = (x >= crop[0]) & (x < crop[2]) & (y >= crop[1]) & (y < crop[3])
        rows = usable[inside][:keep]  # the crop comes first: it does not spend features on what is cut away
        index_rows = tuple(_ranked(one.features, scales)[:keep] for one in self.case.index)
        mine = features.descriptors[rows]
        pairs, distances, right = [], [], []
        for i, (one, theirs) in enumerate(zip(self.case.index, index_rows)):
            found = retrieval.match_descriptors(mine, one.features.descriptors[theirs], self.max_distance)
            pair = np.column_stack([rows[found.indices[:, 0]], theirs[found.indices[:, 1]]])
            pairs.append(pair)
            distances.append(found.distances)
            right.append(self._judge(pair, i))
        points = [self._points(pair, i) for i, pair in enumerate(pairs)]
        generator = torch.Generator().manual_seed(SEED)
        verified = retrieval.verify_geometry([a for a, _ in points], [b for _, b in points], threshold, N_TRIALS, generator)
        return _Run(
            rows, usable[:keep][~inside[:keep]], index_rows, tuple(pairs), tuple(distances), tuple(right), tuple(verified)
        )

    def _sample(self, crop: Box, keep: int, scales: str, threshold: float, shown: int) -> AffineTrials:
        points = self._points(self._run(crop, keep, scales, threshold).pairs[shown], shown)
        return retrieval.affine_trials(*points, threshold, MAX_STEPS, torch.Generator().manual_seed(SEED))

    def _points(self, pairs: np.ndarray, which: int) -> tuple[np.ndarray, np.ndarray]:
        return self.case.features.points[pairs[:, 0]], self.case.index[which].features.points[pairs[:, 1]]

    def _judge(self, pairs: np.ndarray, which: int) -> np.ndarray:
        truth = self.case.index[which].truth
        if truth is None:
            return np.full(len(pairs), UNKNOWN, np.int8)
        gap = np.linalg.norm(truth[pairs[:, 0]] - self._points(pairs, which)[1], axis=1)
        return np.where(gap <= self.case.tolerance(which), RIGHT, WRONG).astype(np.int8)  # NaN: belongs nowhere

    def _nearest_distance(self, row: int, index_rows: np.ndarray, which: int) -> float:
        if row < 0 or not len(index_rows):
            return float("nan")
        theirs = self.case.index[which].features.descriptors[index_rows]
        return float(np.linalg.norm(theirs - self.case.features.descriptors[row], axis=1).min())

    def _score(self, state: MatchState, settings: tuple) -> Score:
        run = self._run(*settings[:4])
        right, inliers = run.right[state.shown], run.verified[state.shown].inliers
        known = not (right == UNKNOWN).any() and self.case.index[state.shown].truth is not None
        votes = [v.n_inliers if settings[4] else len(p) for v, p in zip(run.verified, run.pairs)]
        accepted = [one.same for one, n in zip(self.case.index, votes) if n >= state.accept]
        return Score(
            len(run.query_rows),
            len(right),
            int((right == RIGHT).sum()) if known else -1,
            int(inliers.sum()),
            int((inliers & (right == RIGHT)).sum()) if known else -1,
            len(accepted),
            sum(same is False for same in accepted),
        )


def admit_match(state: MatchState, case: Case) -> MatchState:
    """Return the state with the crop inside the image, at least ``MIN_SIDE`` wide, and every number in its range."""
    width, height = case.size
    n = len(case.index)
    return MatchState(
        crop=_admitted_box(state.crop, width, height),
        keep=int(min(max(state.keep, MIN_KEEP), MAX_KEEP)),
        scales=state.scales if state.scales in SCALES else "all scales",
        threshold=float(min(max(state.threshold, THRESHOLDS[0]), THRESHOLDS[1])),
        verify=bool(state.verify),
        accept=int(min(max(state.accept, 1), MAX_KEEP)),
        shown=int(min(max(state.shown, 0), n - 1)),
        probe=(float(min(max(state.probe[0], 0.0), width)), float(min(max(state.probe[1], 0.0), height))),
        step=int(min(max(state.step, 0), MAX_STEPS)),
        guess=state.guess,
        judged=state.judged,
        moving=state.moving,
        last=state.last,
        before=state.before,
        task=state.task,
        preset=state.preset,
    )


def _admitted_box(box: Box, width: float, height: float) -> Box:
    sides = []
    for low, high, end in ((box[0], box[2], width), (box[1], box[3], height)):
        low, high = sorted((min(max(low, 0.0), end), min(max(high, 0.0), end)))
        if high - low < MIN_SIDE:
            low = min(max((low + high - MIN_SIDE) / 2, 0.0), end - MIN_SIDE)
            high = low + MIN_SIDE
        sides.append((float(low), float(high)))
    return sides[0][0], sides[1][0], sides[0][1], sides[1][1]


def _ranked(features: LocalFeatureSet, scales: str) -> np.ndarray:
    """Return the rows of the features on these scales, the highest score first."""
    low, high = SCALES[scales]
    order = np.argsort(-features.scores, kind="stable")
    return order[(features.scales[order] >= low) & (features.scales[order] <= high)]


def _nearest(points: np.ndarray, rows: np.ndarray, at: tuple[float, float]) -> int:
    if not len(rows):
        return -1
    return int(rows[np.linalg.norm(points[rows] - np.array(at), axis=1).argmin()])
