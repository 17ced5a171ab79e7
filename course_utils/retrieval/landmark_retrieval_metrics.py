"""mAP@100, the metric of landmark retrieval: one ranked list of index images for each query.

The retrieval task of Google Landmarks asks for all index images of the query's landmark, best first, at most 100 of
them. With ``m_q`` relevant index images, of which ``n_q`` ids were returned::

    mAP@k = (1 / Q) * sum over q of  (1 / min(m_q, k)) * sum over j <= min(n_q, k) of  P_q(j) rel_q(j)

Conventions
    The sum over ranks is step AP of ``05_mean_average_precision``; the denominator ``min(m_q, k)`` lets a query with
    more than ``k`` relevant images reach 1.
    An id that appears a second time is no second hit, but it *keeps its rank*: repeating oneself costs precision.
    A query without an answer counts 0. A query without a relevant index image is *ignored*: it is in no mean. (Google
    Landmarks writes such queries into the solution file as ``None``.)

Source: T. Weyand, A. Araujo, B. Cao, J. Sim, "Google Landmarks Dataset v2", CVPR 2020, arXiv:2004.01804, and its
official code. Taught in ``04_landmark_recognition``, step 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.checks import checked_int, message
from course_utils.retrieval.average_precision import mean_average_precision
from course_utils.retrieval.recognition_metrics import check_set


@dataclass(frozen=True)
class MeanAveragePrecisionAtK:
    """mAP@k and what it was averaged from.

    Attributes
    ----------
    mean : float, in [0, 1]
    per_query : dict from query id to float
        Of the scored queries, in the order of ``truth``.
    k : int
    n_ignored : int
        Queries without a relevant index image.
    n_unanswered : int
        Scored queries without any result; each counts 0.
    """

    mean: float
    per_query: dict[Any, float]
    k: int
    n_ignored: int
    n_unanswered: int

    def __repr__(self) -> str:
        return (
            f"MeanAveragePrecisionAtK(mAP@{self.k} {self.mean:.4f}; {len(self.per_query)} queries scored, "
            f"{self.n_unanswered} of them unanswered, {self.n_ignored} ignored)"
        )


def mean_average_precision_at_k(predictions: Mapping[Any, Any], truth: Mapping[Any, Any], k: int = 100) -> float:
    """Return mAP@k of retrieval results.

    Taught in `04_landmark_recognition`, step 5.

    Parameters
    ----------
    predictions : mapping from query id to a list of index ids
        Best first; ids after the first ``k`` are not looked at. An absent query has no result.
    truth : mapping from query id to a set of index ids
        An empty set, or None: the query is ignored.
    k : int, default 100

    Returns
    -------
    float, in [0, 1]

    Raises
    ------
    TypeError
        If a value of ``predictions`` is not a list or one of ``truth`` not a set, or returned ids are text and
        relevant ones numbers.
    ValueError
        For a query that ``truth`` does not know, and if every query is ignored (Q = 0).

    Examples
    --------
    >>> truth = {"q1": {"a", "b"}, "q2": {"c"}, "q3": None}
    >>> mean_average_precision_at_k({"q1": ["a", "x", "b"], "q2": ["x", "c"]}, truth, k=3)
    0.666...
    """
    return retrieval_at_k(predictions, truth, k).mean


def retrieval_at_k(predictions: Mapping[Any, Any], truth: Mapping[Any, Any], k: int = 100) -> MeanAveragePrecisionAtK:
    """Return mAP@k with the value of every query.

    Parameters
    ----------
    predictions, truth, k
        As in ``mean_average_precision_at_k``.

    Raises
    ------
    TypeError, ValueError
        As ``mean_average_precision_at_k``.

    Examples
    --------
    >>> retrieval_at_k({"q1": ["a", "a", "b"]}, {"q1": {"a", "b"}}, k=3).per_query   # the second "a" holds rank 2
    {'q1': 0.833...}
    """
    k = checked_int(k, "k", low=1)
    for name, value in (("predictions", predictions), ("truth", truth)):
        if not isinstance(value, Mapping):
            raise TypeError(message(name, "a mapping from query ids", type(value).__name__))
    for query, wanted in truth.items():
        if wanted is not None:
            check_set(wanted, f"truth[{query!r}]", "index ids")
    unknown = [query for query in predictions if query not in truth]
    if unknown:
        got = f"{len(unknown)} others, such as {unknown[0]!r}"
        raise ValueError(message("predictions", "about queries of `truth`", got))
    for query, returned in predictions.items():
        if isinstance(returned, (str, bytes)) or not (isinstance(returned, Sequence) or hasattr(returned, "__array__")):
            raise TypeError(message(f"predictions[{query!r}]", "a list of index ids, best first", repr(returned)))
    scored = [query for query, wanted in truth.items() if wanted is not None and len(wanted)]
    if not scored:
        got = "none" if truth else "no query at all"
        raise ValueError(message("truth", "at least one query with a relevant index image (Q > 0)", got))
    _check_id_kinds(predictions, truth)
    hits = [_hits(list(predictions.get(query, ()))[:k], truth[query]) for query in scored]
    width = max(1, max(len(row) for row in hits))
    relevant = np.zeros((len(scored), width), bool)
    for row, values in zip(relevant, hits):
        row[: len(values)] = values
    # places after the end of a list are negatives at the end of a ranking, which change no average precision
    found = mean_average_precision(
        np.broadcast_to(-np.arange(width, dtype=np.float64), relevant.shape),
        relevant,
        at=k,
        denominator="min",
        n_relevant=np.array([len(set(truth[query])) for query in scored]),
    )
    per_query = dict(zip(scored, found.per_query.tolist()))
    return MeanAveragePrecisionAtK(found.mean, per_query, k, len(truth) - len(scored), sum(len(row) == 0 for row in hits))


def _hits(returned: list[Any], wanted: Any) -> list[bool]:
    """Return which results are relevant and new; a repeated id is not."""
    wanted, seen, hits = set(wanted), set(), []
    for item in returned:
        hits.append(item in wanted and item not in seen)
        seen.add(item)
    return hits


def _check_id_kinds(predictions: Mapping[Any, Any], truth: Mapping[Any, Any]) -> None:
    """Refuse results "17" to a truth of 17: they never match, and the result would be a silent 0."""
    returned = {isinstance(item, str) for row in predictions.values() for item in row}
    wanted = {isinstance(item, str) for row in truth.values() if row is not None for item in row}
    if returned and wanted and not returned & wanted:
        words = {True: "text", False: "numbers"}
        expected = f"{words[wanted.pop()]}, like those of `truth`"
        raise TypeError(message("ids in `predictions`", expected, words[returned.pop()]))
