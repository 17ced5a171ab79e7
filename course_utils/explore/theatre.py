"""Confidence against GAP: the pure part of the threshold theatre.

A *cast* is what stays: queries, what they show, what one or more systems answered with which confidence, and their
ranked lists of index images. A *state* is what the reader moves: the confidence of every answer, the threshold, how
many pictures without a landmark are in the test set. All numbers are the package's (``retrieval.recognition_ranking``,
``retrieval.retrieval_at_k``), for the state and for the state before the last move.

An answer is given if its confidence is above the threshold; at or below it the system abstains.

Moving a query's confidence is the same as giving that query its own monotone scale: the order inside its ranked list
stays, its place among the other queries changes. So mAP@100, which looks inside lists, never follows a confidence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from course_utils import retrieval
from course_utils.explore.play import SAME

MEASURES = ("GAP", "precision", "recall", "top-1 accuracy", "mAP@100")
NOW, BEFORE = 0, 1
RIGHT, WRONG, DISTRACTOR = KINDS = ("right", "wrong landmark", "no landmark")
NARROWEST = 0.04  # slope of the flattest map that is drawn for a query


@dataclass(frozen=True, eq=False)
class System:
    """What one system answered.

    Attributes
    ----------
    labels : tuple of N labels
        None: the system has no answer for this query, and no confidence can give it one.
    confidences : tuple of N floats in [0, 1]
        0 abstains.
    lists : dict from query to a list of index ids, best first
        Empty if the system was not asked for lists.
    recalibrated : tuple of N floats in [0, 1], or ()
        Scores that are comparable between queries, whatever was done to the scales.
    """

    labels: tuple[Any, ...]
    confidences: tuple[float, ...]
    lists: Mapping[int, Sequence[Any]] = field(default_factory=dict)
    recalibrated: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Cast:
    """What the reader cannot move. Queries are numbered 0 to N - 1, those with a landmark first.

    Attributes
    ----------
    truth : tuple of N sets of labels
        Empty: no landmark.
    systems : dict from name to System
    relevant : dict from query to a set of index ids
        Empty for a query that is in no mean average precision.
    pictures : sequence of N arrays (H, W, 3) uint8, or ()
    index_pictures : dict from index id to array (H, W, 3) uint8
    label_names : dict from label to its name
    ids : tuple of N ids
        Under which the package sees the queries: they order equal confidences. Default: the numbers.
    """

    truth: tuple[frozenset, ...]
    systems: Mapping[str, System]
    relevant: Mapping[int, frozenset] = field(default_factory=dict)
    pictures: Sequence[np.ndarray] = ()
    index_pictures: Mapping[Any, np.ndarray] = field(default_factory=dict)
    label_names: Mapping[Any, str] = field(default_factory=dict)
    ids: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if not self.ids:
            object.__setattr__(self, "ids", tuple(range(len(self.truth))))

    @property
    def n_landmarks(self) -> int:
        """Number of queries that show a landmark."""
        return sum(len(labels) > 0 for labels in self.truth)

    @property
    def n_others(self) -> int:
        """Number of pictures without a landmark that are at hand."""
        return len(self.truth) - self.n_landmarks

    def name(self, query: int) -> str:
        """Return the short name of a query: a number for a landmark, a letter for anything else.

        After Z come AA, AB and so on.
        """
        if query < self.n_landmarks:
            return str(query + 1)
        first, last = divmod(query - self.n_landmarks, 26)
        return (chr(64 + first) if first else "") + chr(65 + last)

    def label(self, label: Any) -> str:
        """Return the name of a label."""
        return self.label_names.get(label, str(label))

    def kind(self, system: str, query: int) -> str:
        """Return whether the answer of a system is right, wrong, or about a picture without a landmark."""
        if not self.truth[query]:
            return DISTRACTOR
        return RIGHT if self.systems[system].labels[query] in self.truth[query] else WRONG


class Moment(NamedTuple):
    """A state that changes are counted from; the fields are those of ``TheatreState``."""

    confidences: tuple[float, ...] = ()
    threshold: float = 0.1
    n_others: int = 10
    draws: int = 0
    preset: str = ""


@dataclass(frozen=True)
class TheatreState:
    """Everything that the reader can set.

    Attributes
    ----------
    confidences : tuple of N floats in [0, 1]
    threshold : float in [0, 1]
        Answers at or below it are withheld.
    n_others : int
        How many pictures without a landmark are in the test set: the first ones of the cast.
    chosen : int
        The query whose picture is shown.
    draws : int
        How often a map per query was drawn.
    before : Moment
        What changes are counted from.
    pinned : bool
        Changes are counted from the pinned state, not from the last move.
    moving : str
        Name of the mark in the reader's hand, or "".
    task : int
        Number of the task, counted from 0.
    preset : str
        The system on the stage.
    """

    confidences: tuple[float, ...]
    threshold: float = 0.1
    n_others: int = 10
    chosen: int = 0
    draws: int = 0
    before: Moment = field(default_factory=Moment)
    pinned: bool = False
    moving: str = ""
    task: int = 0
    preset: str = ""


@dataclass(frozen=True, eq=False)
class TheatreResult:
    """What follows from a state.

    Attributes
    ----------
    values : array (5, 2)
        Rows as in ``MEASURES``; columns now and before. NaN where nothing is answered (precision) or no list is known.
    order : tuple of int
        Queries that are answered, the most confident first.
    correct : tuple of bool
        Of the answers in that order.
    precision : array (P,)
        Among the first i answers.
    gain : array (P,)
        How much GAP would change if this answer were withheld.
    abstaining : tuple of int
        Queries of the test set without an answer.
    kinds : tuple of N str
        One of ``KINDS`` for each query of the cast.
    systems : dict from name to (gap, accuracy, mean average precision, kinds in ranked order)
        All systems as they came, nobody abstains.
    """

    values: np.ndarray
    order: tuple[int, ...]
    correct: tuple[bool, ...]
    precision: np.ndarray
    gain: np.ndarray
    abstaining: tuple[int, ...]
    kinds: tuple[str, ...]
    systems: Mapping[str, tuple[float, float, float, tuple[str, ...]]]

    def value(self, name: str) -> float:
        """Value of a measure now."""
        return float(self.values[MEASURES.index(name), NOW])

    def change(self, name: str) -> float:
        """Change of a measure; 0 where it is rounding or undefined."""
        change = float(np.subtract(*self.values[MEASURES.index(name)]))
        return change if abs(change) > SAME else 0.0

    def rank(self, query: int) -> int:
        """Rank of an answer, counted from 1; 0 if the query is not answered."""
        return self.order.index(query) + 1 if query in self.order else 0

    def wrong_above(self, query: int) -> tuple[int, ...]:
        """Return the wrong answers that stand above an answer."""
        above = self.order[: max(self.rank(query) - 1, 0)]
        return tuple(other for other, right in zip(above, self.correct) if not right)

    def right_below(self, query: int) -> tuple[int, ...]:
        """Return the right answers that stand below an answer."""
        rank = self.rank(query)
        return tuple(other for other, right in zip(self.order[rank:], self.correct[rank:]) if right) if rank else ()


def asked(cast: Cast, n_others: int) -> range:
    """Return the queries that are asked: all landmarks, and the first ``n_others`` pictures of anything else."""
    return range(cast.n_landmarks + n_others)


def ranking_of(
    cast: Cast, system: str, confidences: Sequence[float], threshold: float, n_others: int
) -> retrieval.RecognitionRanking:
    """Return the ranked answers above the threshold."""
    labels, queries = cast.systems[system].labels, asked(cast, n_others)
    answers = {cast.ids[query]: (labels[query], confidences[query]) for query in queries if confidences[query] > threshold}
    return retrieval.recognition_ranking(answers, {cast.ids[query]: cast.truth[query] for query in queries})


def order_of(cast: Cast, ranking: retrieval.RecognitionRanking) -> tuple[int, ...]:
    """Return the queries of a ranking, the most confident first."""
    numbers = {identity: query for query, identity in enumerate(cast.ids)}
    return tuple(numbers[identity] for identity in ranking.ids.tolist())


def measures_of(cast: Cast, system: str, ranking: retrieval.RecognitionRanking) -> list[float]:
    """Return the five numbers for the answers of a system; accuracy as if it answered every query."""
    answered = len(ranking) > 0
    right = [cast.kind(system, query) == RIGHT for query in range(cast.n_landmarks)]
    full = retrieval.rank_answers(np.zeros(len(right)), right, len(right))
    return [
        ranking.gap,
        float(ranking.precision[-1]) if answered else math.nan,
        float(ranking.recall[-1]) if answered else 0.0,
        full.top_1_accuracy,
        mean_average_precision_of(cast, system),
    ]


@lru_cache(maxsize=32)
def mean_average_precision_of(cast: Cast, system: str) -> float:
    """Return mAP@100 of the lists of a system, NaN if it has none; no confidence enters."""
    lists = cast.systems[system].lists
    return (
        retrieval.mean_average_precision_at_k(lists, cast.relevant, k=100) if lists and any(cast.relevant.values()) else math.nan
    )


def moment_of(state: TheatreState) -> Moment:
    """Return the part of a state that changes are counted from."""
    return Moment(state.confidences, state.threshold, state.n_others, state.draws, state.preset)


def compute_theatre(state: TheatreState, cast: Cast) -> TheatreResult:
    """Return everything that the theatre shows for ``state``; deterministic, a few milliseconds."""
    moments = (moment_of(state), state.before)
    rankings = [ranking_of(cast, one.preset, one.confidences, one.threshold, one.n_others) for one in moments]
    ranking = rankings[NOW]
    order = order_of(cast, ranking)
    return TheatreResult(
        np.array([measures_of(cast, one.preset, ranking) for one, ranking in zip(moments, rankings)]).T,
        order,
        tuple(bool(right) for right in ranking.correct),
        ranking.precision,
        ranking.gain_if_withdrawn,
        tuple(query for query in asked(cast, state.n_others) if query not in order),
        tuple(cast.kind(state.preset, query) for query in range(len(cast.truth))),
        {name: _as_it_came(cast, name, state.n_others) for name in cast.systems},
    )


def _as_it_came(cast: Cast, system: str, n_others: int) -> tuple[float, float, float, tuple[str, ...]]:
    ranking = ranking_of(cast, system, cast.systems[system].confidences, 0.0, n_others)
    gap, _, _, accuracy, mean = measures_of(cast, system, ranking)
    return gap, accuracy, mean, tuple(cast.kind(system, query) for query in order_of(cast, ranking))


def random_maps(confidences: Sequence[float], draw: int) -> tuple[float, ...]:
    """Return the confidences after every query got its own increasing map ``s -> a + (b - a) s``.

    A confidence of 0 abstains and stays 0.

    Parameters
    ----------
    confidences : sequence of N floats in [0, 1]
    draw : int
        Which maps; the same number gives the same maps.
    """
    ends = np.sort(np.random.default_rng([4, draw]).uniform(0.02, 1.0, (len(confidences), 2)))
    low, high = ends[:, 0], np.maximum(ends[:, 1], np.minimum(ends[:, 0] + NARROWEST, 1.0))
    old = np.asarray(confidences, float)
    new = np.round(low + (high - low) * old, 3)
    return tuple(np.where(old > 0, new, 0.0).tolist())
