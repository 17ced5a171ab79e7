"""The exercises of `00_start_here`.

===========  ============================================  =======  ==========================================
key          title                                         minutes  what is judged
===========  ============================================  =======  ==========================================
``00-1``     The nearest picture                           5        indices, on three random problems
``00-2``     Lost at night                                 10       a state of the city navigator
===========  ============================================  =======  ==========================================
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from course_utils.learn.exercise import Exercise, Verdict, as_array, called, not_yet, recognised_trap, register, right


def unit_rows(rng: np.random.Generator, n: int, dim: int) -> np.ndarray:
    """Draw n random vectors of length 1, (n, dim)."""
    rows = rng.normal(size=(n, dim))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def judge_00_1(answer: Any) -> Verdict:
    """Judge ``nearest(queries, database)``: the row of the most similar database vector for every query."""
    for seed in (1, 2, 3):
        rng = np.random.default_rng(seed)
        queries, database = unit_rows(rng, 6, 4), unit_rows(rng, 9, 4)
        where = f"on 6 queries and 9 database vectors (`np.random.default_rng({seed})`)"
        found = as_array(called(answer, queries, database, name="`nearest`", where=where), (6,), "the result of `nearest`")
        similarity = queries @ database.T
        expected = similarity.argmax(1).astype(float)
        if np.array_equal(found, expected):
            continue
        traps = {
            "the *least* similar picture: `argmin` where `argmax` belongs": similarity.argmin(1),
            "the number counted from 1: Python counts from 0": expected + 1,
            "the similarity itself, not where it stands: `max` where `argmax` belongs": similarity.max(1),
        }
        trap = recognised_trap(found, traps)
        if trap is not None:
            return not_yet(f"This is {trap}.", hint=2)
        row = int(np.flatnonzero(found != expected)[0])
        return not_yet(
            f"{where.capitalize()}: query {row} is most similar ({similarity[row].max():.2f}) to database vector "
            f"{int(expected[row])}, and `nearest` returned {found[row]:g}.",
            hint=2,
        )
    return right("One matrix product compares every query with every picture: the whole search of chapters 01 and 02.")


def judge_00_2(answer: Any) -> Verdict:
    """Judge a city navigator: right by overcast day and wrong at night, at the same place and heading."""
    if not all(hasattr(answer, name) for name in ("state", "compute", "result")):
        return not_yet(f"The answer should be the explorer itself, `city`, but it is of type `{type(answer).__name__}`.", hint=1)
    state = replace(answer.state, choice=0, why=False)
    if state.condition != "night":
        return not_yet(f'The clock shows "{state.condition}", not "night".', hint=1)
    night, day = answer.compute(state), answer.compute(replace(state, condition="overcast"))
    if night.right[0]:
        return not_yet(
            f"The first result at night is right: it lies {night.distances[0]:.0f} m away. Look for a darker place.", hint=1
        )
    if not day.right[0]:
        return not_yet(
            f"The first result at night is wrong, and so is the one by day ({day.distances[0]:.0f} m away). "
            "Find a place where only the night is to blame.",
            hint=2,
        )
    return right(
        f"By day the first result lies {day.distances[0]:.0f} m away, at night {night.distances[0]:.0f} m. "
        "The place has not moved: its picture has."
    )


register(
    Exercise(
        key="00-1",
        title="The nearest picture",
        minutes=5,
        dots=1,
        hints=(
            "For vectors of length 1 the inner product is the similarity. Which matrix product holds all of them?",
            "$S = Q D^\\top$ has one row per query and one column per database vector; look for the largest entry of each row.",
            "`(queries @ database.T).argmax(axis=1)`",
        ),
        judge=judge_00_1,
    )
)
register(
    Exercise(
        key="00-2",
        title="Lost at night",
        minutes=10,
        dots=2,
        hints=(
            "Press *night*, then drag the camera along a street until the first result turns red. Then write `answer = city`.",
            "Press *overcast* at the same spot: the first result must be green there. Crossings and dark corners are good.",
            'From a cell: `city.state = dataclasses.replace(city.state, x=100, condition="night")`, in a loop over `x`.',
        ),
        judge=judge_00_2,
    )
)
