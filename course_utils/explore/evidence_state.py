"""Looking at seeds one by one: the pure part of the evidence desk.

A pool holds the recorded figures of two methods, seed by seed. A state says how many of its seeds have been shown and in which
order. ``Evidence.compute`` compares the two on the shown ones with ``training.paired_comparison``, as every claim of the course
does, and counts with ``training.optional_stopping`` how often looking after every seed reports an effect that does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from course_utils.checks import message
from course_utils.explore.canvas import Event
from course_utils.training import PairedComparison, paired_comparison
from course_utils.training.optional_stopping import FalseAlarms, Pool, false_alarms, running_intervals

USUAL, STRICT = 0.95, 0.99
"""Confidence of the intervals, without and with the box for a stricter one."""
FIRST_LOOK, SHOWN, N_REPLAYS, MAX_ORDER = 3, 8, 500, 10_000


@dataclass(frozen=True)
class DeskState:
    """Everything that the reader can set.

    Attributes
    ----------
    preset : str
        The question; *Reset* leads to its start.
    shown : int
        How many seeds have been shown, at least 2.
    order : int
        0: as recorded; other numbers are random orders of the same seeds.
    strict : bool
        Intervals of 99 % instead of 95 %.
    stopped : bool
        The reader stopped here, and the rest of the pool is opened.
    """

    preset: str = ""
    shown: int = SHOWN
    order: int = 0
    strict: bool = False
    stopped: bool = False

    @property
    def confidence(self) -> float:
        """Of the intervals."""
        return STRICT if self.strict else USUAL


@dataclass(frozen=True, eq=False)
class DeskResult:
    """What follows from a state; N seeds in the pool.

    Attributes
    ----------
    pool : Pool
        In the order of the state.
    now, whole : PairedComparison
        Of the seeds shown, and of all.
    low, high : ndarrays (N,)
        Intervals of the first n seeds, in the figures' unit.
    alarms : FalseAlarms
    """

    pool: Pool
    now: PairedComparison
    whole: PairedComparison
    low: np.ndarray
    high: np.ndarray
    alarms: FalseAlarms


def excludes_zero(comparison: PairedComparison) -> bool:
    """Return whether an interval would be reported as an effect, of whichever sign."""
    return comparison.low > 0 or comparison.high < 0


class Evidence:
    """Some pools, and what their seeds say.

    Parameters
    ----------
    pools : mapping from question to Pool
    """

    def __init__(self, pools: Mapping[str, Pool]) -> None:
        if not pools or not all(isinstance(pool, Pool) for pool in pools.values()):
            raise ValueError(message("pools", "at least one question with its Pool", f"{len(pools)} entries"))
        self.pools = dict(pools)
        self._compared = lru_cache(maxsize=256)(self._compare)
        self._alarms = lru_cache(maxsize=64)(self._count_alarms)

    def admit(self, state: DeskState) -> DeskState:
        """Keep every value inside its range."""
        preset = state.preset if state.preset in self.pools else next(iter(self.pools))
        shown = min(max(round(state.shown), 2), len(self.pools[preset]))
        return replace(state, preset=preset, shown=shown, order=min(max(int(state.order), 0), MAX_ORDER))

    def compute(self, state: DeskState) -> DeskResult:
        """Return what the seeds shown say, and what all of them say."""
        pool = self._ordered(state.preset, state.order)
        low, high = running_intervals((pool.figures - pool.others)[None], state.confidence)
        return DeskResult(
            pool=pool,
            now=self._compared(state.preset, state.order, state.shown, state.confidence),
            whole=self._compared(state.preset, 0, len(pool), state.confidence),
            low=low[0],
            high=high[0],
            alarms=self._alarms(state.preset, state.confidence),
        )

    def _ordered(self, preset: str, order: int) -> Pool:
        pool = self.pools[preset]
        places = np.random.default_rng(order).permutation(len(pool)) if order else np.arange(len(pool))
        return replace(pool, figures=pool.figures[places], others=pool.others[places])

    def _compare(self, preset: str, order: int, shown: int, confidence: float) -> PairedComparison:
        pool = self._ordered(preset, order)
        return paired_comparison(pool.figures[:shown], pool.others[:shown], pool.smallest_effect, confidence)

    def _count_alarms(self, preset: str, confidence: float) -> FalseAlarms:
        pool = self.pools[preset]
        return false_alarms(pool.figures - pool.others, N_REPLAYS, FIRST_LOOK, confidence, np.random.default_rng(0))


# ---- what the reader does --------------------------------------------------------------------------------------------


def react_seeds(state: DeskState, event: Event) -> DeskState:
    """Return the state after the triangle was dragged: another number of seeds is shown."""
    return replace(state, shown=round(event.x), stopped=False) if event.kind == "move" else state


def next_seed(state: DeskState) -> DeskState:
    """Return the state with one more seed."""
    return replace(state, shown=state.shown + 1, stopped=False)


def other_order(state: DeskState) -> DeskState:
    """Return the state with the same pool in the next random order, from its start."""
    return replace(state, order=(state.order + 1) % MAX_ORDER, shown=FIRST_LOOK, stopped=False)
