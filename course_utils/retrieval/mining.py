"""Mining: which images should a query be trained with?

**Problem.** A query has a handful of images nearby and thousands elsewhere. Nearly all of the thousands are already
far away in descriptor space and teach nothing. **Idea.** Describe everything once with the present network (the
*cache*), look for the negatives that violate the margin, train on the hardest of them, and refresh the cache now and
then, because the network has moved on.

Source: R. Arandjelovic et al., "NetVLAD", CVPR 2016, arXiv:1511.07247, section 4 and appendix A; the numbers below
are the defaults of the authors' code:

====================  =====================================================================================
potential positives   database images within ``positive_radius`` (10 m); nearer than 1 m they may be skipped
definite negatives    database images farther than ``negative_radius`` (25 m)
searched              1000 random negatives and the 10 hardest remembered from this query's last visit
kept                  those with ``d^2(q, n) < d^2(q, best positive) + margin``, at most the 10 hardest
====================  =====================================================================================

Negatives that are closer than the positive ("very hard") are kept, as in the official code. Radii are inclusive:
an image at exactly 10.0 m is a positive, one at exactly 25.0 m is not yet a negative. Re-implementations build a
nearest-neighbour object per query; here one matrix product per refresh serves all queries.

Taught in ``02_netvlad``, step 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.checks import checked_array, checked_float, checked_int, message, numpy_generator
from course_utils.retrieval.recall import positives_within

POSITIVE_RADIUS = 10.0  # metres; official code, nonTrivPosDistSqThr
NEGATIVE_RADIUS = 25.0  # metres; official code, posDistThr
N_NEGATIVES = 10  # official code, nNegCap
N_POOL = 1000  # official code, nNegChoice
MARGIN = 0.1


@dataclass(frozen=True)
class MinedTuple:
    """What one query is trained with.

    Attributes
    ----------
    query : int
        Index of the query.
    positive : int
        Database index of the best potential positive under the cached descriptors.
    negatives : array of shape (n,), int64
        Database indices that violate the margin, hardest first; may be empty.
    positive_distance : float
        Squared descriptor distance to ``positive``.
    negative_distances : array of shape (n,), float32
        Squared descriptor distances, ascending.
    n_searched, n_violating : int
        How many negatives were looked at, and how many of them violated the margin.
    """

    query: int
    positive: int
    negatives: np.ndarray
    positive_distance: float
    negative_distances: np.ndarray
    n_searched: int
    n_violating: int


class TupleMiner:
    """Find training tuples for weakly supervised place recognition.

    Parameters
    ----------
    query_positions : array of shape (Q, 2), metres
        In a local plane, not latitude and longitude; see ``retrieval.local_metres``.
    database_positions : array of shape (M, 2), metres
    positive_radius : float, default 10
        Potential positives lie at most this far.
    negative_radius : float, default 25
        Definite negatives lie farther than this.
    minimal_distance : float, default 0
        Skip positives nearer than this as trivial; the official code uses 1 where queries and database come from one
        drive.
    n_negatives : int, default 10
        Most negatives of a tuple.
    n_pool : int, default 1000
        Random negatives searched at each visit, without replacement; all of them in a smaller database.
    margin : float, default 0.1
        Of the loss.
    random_state : None, int or numpy generator
        Draws the pools.

    Attributes
    ----------
    positives : list of Q int64 arrays
        Potential positives of every query, ascending indices.
    queries : array of int64
        Queries with at least one potential positive: the ones to train with.
    unmatched : array of int64
        The others. They are counted, never mined.

    Raises
    ------
    ValueError
        If positions are not finite or not (., 2); if the radii are not in order; if no query has a positive; if
        nothing is farther away than ``negative_radius`` (the usual sign of degrees given as metres).

    Examples
    --------
    >>> miner = TupleMiner([[0, 0], [60, 0]], [[1, 0], [9, 0], [30, 0], [90, 0]], random_state=0)
    >>> miner.unmatched.tolist()
    [1]
    >>> miner.refresh(np.eye(2), np.array([[0.0, 1], [1, 0], [0.9, 0.1], [0, 1]]))
    >>> found = miner.mine(0)
    >>> found.positive, found.negatives.tolist()
    (1, [2])
    """

    def __init__(
        self,
        query_positions: Any,
        database_positions: Any,
        positive_radius: float = POSITIVE_RADIUS,
        negative_radius: float = NEGATIVE_RADIUS,
        minimal_distance: float = 0.0,
        n_negatives: int = N_NEGATIVES,
        n_pool: int = N_POOL,
        margin: float = MARGIN,
        random_state: Any = None,
    ):
        query_positions = checked_array(query_positions, "query_positions", ("Q", 2), np.float64)
        database_positions = checked_array(database_positions, "database_positions", ("M", 2), np.float64)
        self.minimal_distance = checked_float(minimal_distance, "minimal_distance", low=0.0)
        self.positive_radius = checked_float(positive_radius, "positive_radius", above=self.minimal_distance)
        self.negative_radius = checked_float(negative_radius, "negative_radius", low=self.positive_radius)
        self.n_negatives = checked_int(n_negatives, "n_negatives", low=1)
        self.n_pool = checked_int(n_pool, "n_pool", low=1)
        self.margin = checked_float(margin, "margin", low=0.0)
        self._generator = numpy_generator(random_state)

        not_negative = positives_within(query_positions, database_positions, self.negative_radius)
        _refuse_degrees(not_negative, database_positions, self.negative_radius)
        self._not_negative = not_negative  # Q index arrays: within the negative radius, so never a definite negative
        beyond = self.minimal_distance if self.minimal_distance > 0 else -1.0
        self.positives = positives_within(query_positions, database_positions, self.positive_radius, beyond)
        has_positive = np.array([len(found) > 0 for found in self.positives])
        self.queries, self.unmatched = np.flatnonzero(has_positive), np.flatnonzero(~has_positive)
        self._n_images = len(database_positions)
        if len(self.queries) == 0:
            expected = f"such that some database image lies within {self.positive_radius:g} m of a query"
            raise ValueError(message("positive_radius", expected, "no query with a potential positive", "Enlarge it."))
        self._remembered: dict[int, np.ndarray] = {}
        self._squared: np.ndarray | None = None  # (Q, M) squared descriptor distances: the cache

    def negatives(self, query: int) -> np.ndarray:
        """Return the database indices of all definite negatives of a query, ascending."""
        far = np.ones(self._n_images, bool)
        far[self._not_negative[query]] = False
        return np.flatnonzero(far)

    def refresh(self, query_descriptors: Any, database_descriptors: Any) -> None:
        """Replace the cache: one product of a (Q, V) and an (M, V) matrix, kept as (Q, M) float32.

        Parameters
        ----------
        query_descriptors, database_descriptors : arrays of shape (Q, V), (M, V)
            Image vectors of the present network.

        Raises
        ------
        ValueError
            If the row numbers do not match the positions, or a value is not finite.
        """
        queries = checked_array(query_descriptors, "query_descriptors", (len(self.positives), "V"))
        images = checked_array(database_descriptors, "database_descriptors", (self._n_images, queries.shape[1]))
        lengths = (queries**2).sum(1)[:, None] + (images**2).sum(1)
        self._squared = np.maximum(lengths - 2 * queries @ images.T, 0)

    def mine(self, query: int) -> MinedTuple:
        """Return the tuple of one query from the cached descriptors.

        Parameters
        ----------
        query : int
            One of ``queries``.

        Raises
        ------
        RuntimeError
            Before the first ``refresh``.
        ValueError
            If the query has no potential positive.
        """
        query = checked_int(query, "query", low=0, high=len(self.positives) - 1)
        if self._squared is None:
            raise RuntimeError("The miner has no descriptors yet; call `refresh(query_descriptors, database_descriptors)` first.")
        positives = self.positives[query]
        if len(positives) == 0:
            raise ValueError(
                message("query", "one with a potential positive", f"query {query} without any", "Draw from `miner.queries`.")
            )
        row = self._squared[query]  # (M,)
        positive = int(positives[row[positives].argmin()])
        searched = self._searched(query)
        hardest = searched[np.argsort(row[searched], kind="stable")]  # ties: lowest database index
        self._remembered[query] = hardest[: self.n_negatives]
        violating = hardest[row[hardest] < row[positive] + self.margin]
        kept = violating[: self.n_negatives]
        return MinedTuple(query, positive, kept, float(row[positive]), row[kept], len(searched), len(violating))

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the next ``mine`` depends on, in types that ``torch.load`` accepts as safe."""
        import torch

        return {
            "generator": self._generator.bit_generator.state,
            "remembered": {query: torch.from_numpy(found) for query, found in self._remembered.items()},
            "squared": None if self._squared is None else torch.from_numpy(self._squared),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self._generator.bit_generator.state = state["generator"]
        self._remembered = {int(query): found.numpy() for query, found in state["remembered"].items()}
        self._squared = None if state["squared"] is None else state["squared"].numpy()

    def __repr__(self) -> str:
        return (
            f"TupleMiner({len(self.positives)} queries, {self._n_images} database images, positives within {self.positive_radius:g} m, "
            f"negatives beyond {self.negative_radius:g} m, {len(self.unmatched)} queries unmatched)"
        )

    def _searched(self, query: int) -> np.ndarray:
        available = self.negatives(query)
        if len(available) > self.n_pool:
            available = self._generator.choice(available, self.n_pool, replace=False, shuffle=False)
        return np.union1d(available, self._remembered.get(query, np.empty(0, np.int64))).astype(np.int64)


def _refuse_degrees(not_negative: list[np.ndarray], database_positions: np.ndarray, negative_radius: float) -> None:
    """A city in degrees is a fraction of a unit across: everything is "within 10 m" and nothing beyond 25."""
    if len(not_negative) == 0 or len(database_positions) == 0:
        got = f"{len(not_negative)} queries and {len(database_positions)} database images"
        raise ValueError(message("query_positions", "at least one query and one database image", got))
    if all(len(found) == len(database_positions) for found in not_negative):
        extent = float(np.ptp(database_positions, axis=0).max())
        raise ValueError(
            message(
                "database_positions",
                f"in metres, with some image farther than {negative_radius:g} m from some query",
                f"positions that spread over {extent:.3g} units",
                "Latitude and longitude in degrees look like this: convert them with `retrieval.local_metres`.",
            )
        )
