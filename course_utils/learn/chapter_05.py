"""The exercises of `05_mean_average_precision`.

===========  ============================================  =======  ==========================================
key          title                                         minutes  what is judged
===========  ============================================  =======  ==========================================
``05-1``     Average precision with ties                   15       a function, on 200 lists with 30 % ties
``05-2``     Step against trapezoid                        15       a number and a set of lists
``05-3``     Match boxes to objects                        20       a function, on 60 overlap tables
===========  ============================================  =======  ==========================================
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from course_utils.learn.exercise import (
    AnswerFailed,
    Exercise,
    Verdict,
    as_array,
    called,
    not_yet,
    recognised_trap,
    register,
    right,
)

N_LISTS = 200
TIED = 0.3
EXACT = 1e-12
LONGEST = 6
THRESHOLD = 0.5

# --- 05-1: average precision with ties --------------------------------------------------------------------------------------


def step_average_precision(scores: np.ndarray, relevant: np.ndarray) -> float:
    """The reference answer of exercise 05-1: step AP where equal scores are one threshold."""
    order = np.argsort(-scores)
    ordered, hits = scores[order], np.cumsum(relevant[order])
    last = np.append(ordered[1:] != ordered[:-1], True)  # the end of each tie group
    accepted, hits = np.flatnonzero(last) + 1, hits[last]
    gained = np.diff(hits, prepend=0)
    return float((gained * hits / accepted).sum() / hits[-1])


def tied_lists() -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the 200 lists ``(scores, relevant)`` of exercise 05-1: 30 % of the items share another item's score.

    The first three are the smallest cases: one item, one score for all, all items relevant.
    """
    random = np.random.default_rng(5)
    lists = [
        (np.array([0.4]), np.array([True])),
        (np.full(8, 0.5), np.arange(8) % 4 == 1),
        (random.random(6), np.ones(6, bool)),
    ]
    while len(lists) < N_LISTS:
        n = int(random.integers(6, 41))
        scores, relevant = random.random(n), random.random(n) < 0.3
        copies = random.permutation(n)[: round(TIED * n)]
        scores[copies] = scores[random.integers(0, n, len(copies))]
        relevant[random.integers(n)] = True
        lists.append((scores, relevant))
    return lists


def judge_05_1(answer: Any) -> Verdict:
    """Judge ``average_precision(scores, relevant)`` with scores (N,) float64 and relevant (N,) bool."""
    lists = tied_lists()
    name = "`average_precision`"
    found = np.array(
        [
            float(as_array(called(answer, *one, name=name, where=f"on list {i}"), (), f"the value for list {i}"))
            for i, one in enumerate(lists)
        ]
    )
    expected = np.array([step_average_precision(*one) for one in lists])
    wrong = np.flatnonzero(np.abs(found - expected) > EXACT)
    if len(wrong):
        first = int(wrong[0])
        where = f"List {first} of `learn.chapter_05.tied_lists()`: {found[first]:.4f}, expected {expected[first]:.4f}."
        count = f"{len(wrong)} of {N_LISTS} lists differ."
        if np.abs(found - expected).max() < 1e-5:
            return not_yet(f"Right up to {np.abs(found - expected).max():.0e}: compute in float64, not in float32.", hint=3)
        trap = recognised_trap(found, {text: [rule(*one) for one in lists] for text, rule in AP_TRAPS.items()}, 1e-9)
        if trap:
            return not_yet(f"{trap}. {count} {where}", hint=2)
        if _depends_on_input_order(answer, lists):
            text = "The value changes when the same list is given in another input order: luck decides the ties"
            return not_yet(f"{text}. {count} {where}", hint=1)
        return not_yet(f"{count} {where}", hint=2)
    return right(
        f"All {N_LISTS} lists agree with the definition to {EXACT:.0e}, and so with scikit-learn. Equal scores are one "
        "threshold: a system that gives one score to everything gets the share of relevant items, and no lucky order helps it."
    )


def _depends_on_input_order(answer: Callable, lists: list[tuple[np.ndarray, np.ndarray]]) -> bool:
    random = np.random.default_rng(0)
    for scores, relevant in lists[1:20]:
        order = random.permutation(len(scores))
        values = [
            float(np.asarray(answer(s.copy(), r.copy()))) for s, r in ((scores, relevant), (scores[order], relevant[order]))
        ]
        if abs(values[0] - values[1]) > 1e-9:
            return True
    return False


def _thresholds(scores: np.ndarray, relevant: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return accepted items, hits and gained hits for each distinct score, falling."""
    distinct = np.unique(scores)[::-1]
    accepted = np.array([(scores >= t).sum() for t in distinct])
    hits = np.array([(relevant & (scores >= t)).sum() for t in distinct])
    return accepted, hits, np.diff(hits, prepend=0)


def _sorted_step(scores: np.ndarray, relevant: np.ndarray, *tie_break: np.ndarray) -> float:
    """Step AP of a list that is sorted item by item; ties by the extra keys, then by input order."""
    order = np.lexsort((np.arange(len(scores)), *tie_break, -scores))
    hits = np.cumsum(relevant[order])
    return float((relevant[order] * hits / np.arange(1, len(hits) + 1)).sum() / hits[-1])


def _grouped(height: Callable, divisor: Callable = lambda scores, relevant: relevant.sum()) -> Callable:
    """Return a rule that adds up ``height(accepted, hits, gained)`` over thresholds."""

    def rule(scores: np.ndarray, relevant: np.ndarray) -> float:
        accepted, hits, gained = _thresholds(scores, relevant)
        return float(height(accepted, hits, gained).sum() / divisor(scores, relevant))

    return rule


def _trapezoid(accepted: np.ndarray, hits: np.ndarray, gained: np.ndarray) -> np.ndarray:
    precision = hits / accepted
    return gained * (precision + np.concatenate([[1.0], precision[:-1]])) / 2


def _envelope(accepted: np.ndarray, hits: np.ndarray, gained: np.ndarray) -> np.ndarray:
    return gained * np.maximum.accumulate((hits / accepted)[::-1])[::-1]


def _without_first(accepted: np.ndarray, hits: np.ndarray, gained: np.ndarray) -> np.ndarray:
    return (gained * hits / accepted)[1:]


def _area_under_roc(scores: np.ndarray, relevant: np.ndarray) -> float:
    above, below = scores[relevant][:, None], scores[~relevant]
    return float(((above > below) + 0.5 * (above == below)).mean()) if below.size else 1.0


AP_TRAPS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "Equal scores are opened in input order: the value depends on luck. Give all of them one threshold": _sorted_step,
    "Equal scores are opened in reversed input order (a sort turned round): luck decides": lambda s, r: _sorted_step(
        s, r, -np.arange(len(s))
    ),
    "Relevant items come first among equal scores, which is too kind": lambda s, r: _sorted_step(s, r, ~r),
    "Relevant items come last among equal scores, which is too strict": lambda s, r: _sorted_step(s, r, r),
    "The list is sorted the wrong way round: the highest score comes first": lambda s, r: step_average_precision(-s, r),
    "This is the trapezoid rule; the step rule takes the precision at the threshold itself": _grouped(_trapezoid),
    "This is the interpolated precision of PASCAL VOC; the step rule takes precision as it is": _grouped(_envelope),
    "The sum is divided by the length of the list; divide by the number of relevant items": _grouped(
        lambda a, h, g: g * h / a, lambda s, r: len(s)
    ),
    "Nothing divides the sum; divide by the number of relevant items": _grouped(lambda a, h, g: g * h / a, lambda s, r: 1),
    "The gain in recall at the first threshold is missing: recall starts at 0": _grouped(_without_first),
    "Each threshold counts once; weight it by the relevant items that it adds": _grouped(
        lambda a, h, g: (g > 0) * h / a, lambda s, r: len(np.unique(s[r]))
    ),
    "This is the mean precision over all thresholds; only those that add relevant items count": _grouped(
        lambda a, h, g: h / a, lambda s, r: len(np.unique(s))
    ),
    "This is the area under the ROC curve, another number": _area_under_roc,
}

register(
    Exercise(
        key="05-1",
        title="Average precision with ties",
        minutes=15,
        dots=2,
        hints=(
            "A threshold accepts every item with that score or a higher one, so equal scores enter together. "
            "Precision and recall exist only at the ends of the tie groups.",
            "$\\mathrm{AP} = \\frac{1}{R} \\sum_m P(t_m)\\,\\left(\\mathrm{hits}(t_m) - \\mathrm{hits}(t_{m-1})\\right)$ over "
            "the distinct scores $t_1 > t_2 > \\dots$, with $\\mathrm{hits}(t_0) = 0$.",
            "`order = np.argsort(-scores)`, `hits = np.cumsum(relevant[order])`; then keep only the positions where the next "
            "score differs: `last = np.append(ordered[1:] != ordered[:-1], True)`. `np.diff(hits[last], prepend=0)` is the gain.",
        ),
        judge=judge_05_1,
    )
)


# --- 05-2: step against trapezoid -------------------------------------------------------------------------------------------


def rank_terms(labels: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return, for the relevant items of a list, the precision right before each of them (1 at the first rank) and at it."""
    ranks = np.flatnonzero(labels) + 1
    t = np.arange(1, len(ranks) + 1)
    before = np.where(ranks > 1, (t - 1) / np.maximum(ranks - 1, 1), 1.0)
    return before, t / ranks


def largest_gap(longest: int = LONGEST) -> tuple[float, list[tuple[int, ...]]]:
    """The reference answer of exercise 05-2: the largest step AP - trapezoid AP, and every list that attains it."""
    return _largest(lambda labels: float(np.subtract(*rank_terms(labels)[::-1]).mean() / 2), longest)


def _largest(gap: Callable[[tuple[int, ...]], float], longest: int = LONGEST) -> tuple[float, list[tuple[int, ...]]]:
    gaps = {labels: gap(labels) for n in range(1, longest + 1) for labels in itertools.product((0, 1), repeat=n) if any(labels)}
    best = max(gaps.values())
    return best, [labels for labels, value in gaps.items() if value > best - 1e-9]


def _from_precision_zero(labels: tuple[int, ...]) -> float:
    before, at = rank_terms(labels)
    return float((at - np.where(np.array(labels[:1]) == 1, np.append(0.0, before[1:]), before)).mean() / 2)


def _to_previous_relevant(labels: tuple[int, ...]) -> float:
    at = rank_terms(labels)[1]
    return float((at - np.append(1.0, at[:-1])).mean() / 2)


def _divided_by_length(labels: tuple[int, ...]) -> float:
    before, at = rank_terms(labels)
    return float((at - before).sum() / 2 / len(labels))


def _left_end_only(labels: tuple[int, ...]) -> float:
    before, at = rank_terms(labels)
    return float((at - before).mean())


GAP_TRAPS = {
    "The trapezoid starts at precision 0; before the first rank its precision is 1": _from_precision_zero,
    "The left end is the precision right before the item, not at the previous relevant item": _to_previous_relevant,
    "The sums are divided by the length of the list; divide by the number of relevant items": _divided_by_length,
    "The trapezoid takes the mean of both ends, not the left end alone": _left_end_only,
}


def judge_05_2(answer: Any) -> Verdict:
    """Judge ``(gap, lists)``: a number, and the lists as tuples, lists, arrays or strings of 0 and 1, best rank first."""
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        return not_yet("A pair is expected: `(gap, lists)`, the largest difference and every list that attains it.", hint=1)
    gap = float(as_array(answer[0], (), "the gap"))
    found = _as_lists(answer[1])
    expected_gap, expected = largest_gap()
    if not np.isclose(gap, expected_gap, rtol=0, atol=1e-6):
        return not_yet(_wrong_gap(gap, found, expected_gap), hint=2)
    wrong = sorted(found - set(expected), key=lambda labels: (len(labels), labels))
    if wrong:
        return not_yet(f"The gap is right, but the list {_words(wrong[0])} does not attain it: {_reason(wrong[0])}.", hint=3)
    missing = [labels for labels in expected if labels not in found]
    if missing:
        hidden = "shorter" if all(len(labels) == LONGEST for labels in found) and found else "other"
        return not_yet(
            f"The gap is right, and so is what you list, but {len(missing)} of {len(expected)} lists are missing: "
            f"{hidden} lengths up to {LONGEST} count, too.",
            hint=3,
        )
    return right(
        "Only one relevant item, at rank 2: right before it precision is 0, at it 1/2. The step rule reads the right end of the "
        "segment and ignores the left one; the trapezoid takes the mean of both. At rank 1 both agree: the curve starts at 1."
    )


def _as_lists(lists: Any) -> set[tuple[int, ...]]:
    try:
        rows = [tuple(int(label) for label in row) for row in lists]
    except (TypeError, ValueError):
        raise AnswerFailed("The second part should be a collection of lists of 0 and 1, such as `[(1, 0), (0, 1)]`.", 1) from None
    for row in rows:
        if not set(row) <= {0, 1}:
            raise AnswerFailed(f"The second part holds {row}; the labels are 0 (not relevant) and 1 (relevant), not ranks.", 1)
    return set(rows)


def _wrong_gap(gap: float, lists: set[tuple[int, ...]], expected: float) -> str:
    """Name the slip with this gap; where two slips share it, the one with these lists."""
    if np.isclose(gap, -expected, atol=1e-6):
        return f"{gap:.4f} has the wrong sign: the gap is step minus trapezoid, and it is never negative."
    slips = {text: _largest(rule) for text, rule in GAP_TRAPS.items()}
    fitting = {text: set(attained) for text, (value, attained) in slips.items() if np.isclose(gap, value, rtol=0, atol=1e-6)}
    for text, attained in fitting.items():
        if attained == lists or len(fitting) == 1:
            return f"{gap:.4f}: {text}."
    if fitting:
        return f"{gap:.4f} comes out by two slips. " + ". Or: ".join(fitting) + "."
    return f"The largest gap is not {gap:.4f}. Try the list 0 1 by hand: step gives 1/2, the trapezoid the mean of 0 and 1/2."


def _words(labels: tuple[int, ...]) -> str:
    return " ".join(str(label) for label in labels) or "of length 0"


def _reason(labels: tuple[int, ...]) -> str:
    if not any(labels):
        return "without a relevant item there is no average precision"
    if len(labels) > LONGEST:
        return f"it is longer than {LONGEST}"
    before, at = rank_terms(labels)
    return f"step {at.mean():.4f}, trapezoid {(before + at).mean() / 2:.4f}"


register(
    Exercise(
        key="05-2",
        title="Step against trapezoid",
        minutes=15,
        dots=2,
        hints=(
            "There are only 126 lists: `itertools.product((0, 1), repeat=n)` gives those of one length. Compute both numbers for "
            "each list that has a relevant item.",
            "$\\mathrm{gap} = \\frac{1}{R} \\sum_t \\frac{p_1 - p_0}{2}$ with $p_1 = t / r_t$ and $p_0 = (t - 1) / (r_t - 1)$, "
            "and $p_0 = 1$ for an item at rank 1. Call `retrieval.average_precision` with both conventions, or use the formula.",
            "`gaps = {labels: step(labels) - trapezoid(labels) for n in range(1, 7) for labels in product((0, 1), repeat=n) "
            "if any(labels)}`; then all keys whose value is within 1e-9 of the maximum.",
        ),
        judge=judge_05_2,
    )
)


# --- 05-3: match boxes to objects -------------------------------------------------------------------------------------------


def match_like_coco(ious: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """The reference answer of exercise 05-3: by falling confidence, each detection takes the best object that is still free.

    Parameters
    ----------
    ious : ndarray of shape (n, m)
        Overlap of detection i with object j.
    scores : ndarray of shape (n,)
        Confidences.
    threshold : float
        A match needs at least this overlap.

    Returns
    -------
    ndarray of shape (n,), bool
        True positives, in input order.
    """
    return _matched(ious, scores, threshold)


def overlap_tables() -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the 60 problems ``(ious, scores)`` of exercise 05-3; the first four are the smallest cases."""
    random = np.random.default_rng(53)
    problems = [
        (np.array([[0.5]]), np.array([0.9])),  # an overlap of exactly the threshold
        (np.zeros((3, 0)), np.array([0.3, 0.9, 0.5])),  # no object
        (np.zeros((0, 2)), np.zeros(0)),  # no detection
        (np.array([[0.6], [0.9]]), np.array([0.9, 0.4])),  # the better box is less sure
    ]
    while len(problems) < 60:
        n, m = int(random.integers(2, 9)), int(random.integers(1, 6))
        ious = random.random((n, m)) * (random.random((n, m)) < 0.7)
        problems.append((ious, random.permutation(n) / n + 0.05))
    return problems


def judge_05_3(answer: Any) -> Verdict:
    """Judge ``match(ious, scores, threshold)``; COCO's rule is asked for."""
    problems = overlap_tables()
    rows = []
    for i, (ious, scores) in enumerate(problems):
        where = f"on table {i} of `learn.chapter_05.overlap_tables()` ({ious.shape[0]} boxes, {ious.shape[1]} objects)"
        result = as_array(called(answer, ious, scores, THRESHOLD, name="`match`", where=where), name=f"the result {where}")
        if result.size != len(scores):
            return not_yet(f"One flag for each detection is expected, {len(scores)}, but got {result.size} {where}.", hint=1)
        if not np.isin(result, (0, 1)).all():
            return not_yet(f"Flags are expected, true or false, but the result holds {result.max():g} {where}.", hint=1)
        rows.append(result.reshape(-1))
    expected = [match_like_coco(*problem, THRESHOLD).astype(float) for problem in problems]
    wrong = [i for i, (row, right_row) in enumerate(zip(rows, expected)) if not np.array_equal(row, right_row)]
    if wrong:
        traps = {text: np.concatenate([rule(*p, THRESHOLD) for p in problems]) for text, rule in MATCH_TRAPS.items()}
        first = wrong[0]
        count = f"{len(wrong)} of {len(problems)} tables differ, first table {first} of `learn.chapter_05.overlap_tables()`."
        trap = recognised_trap(np.concatenate(rows), traps, 1e-9)
        return not_yet(f"{trap}. {count}" if trap else f"{count} {_counts(rows[first], expected[first])}", hint=2)
    voc = sum(int(_matched(*problem, THRESHOLD, best_only=True).sum()) for problem in problems)
    coco = int(sum(row.sum() for row in expected))
    return right(
        f"COCO's rule finds {coco} true positives in these tables; the rule of PASCAL VOC, which looks only at the object with "
        f"the largest overlap, finds {voc}. The same boxes, two numbers: a paper must say which rule it used."
    )


def _counts(found: np.ndarray, expected: np.ndarray) -> str:
    if found.sum() != expected.sum():
        return f"There are {int(found.sum())} true positives in yours, and {int(expected.sum())} by the rule."
    return f"The number of true positives is right, {int(found.sum())}, but other detections got them."


def _matched(
    ious: np.ndarray,
    scores: np.ndarray,
    threshold: float,
    *,
    order: Callable[[np.ndarray], np.ndarray] = lambda scores: np.argsort(-scores, kind="stable"),
    best_only: bool = False,
    many: bool = False,
    strict: bool = False,
    first_free: bool = False,
    in_order: bool = False,
) -> np.ndarray:
    """Match greedily; each keyword plants one well-known mistake."""
    taken, matched = np.zeros(ious.shape[1], bool), np.zeros(len(scores), bool)
    sequence = order(scores)
    for i in sequence:
        free = np.ones_like(taken) if many or best_only else ~taken
        enough = (ious[i] > threshold if strict else ious[i] >= threshold) & free
        if not enough.any():
            continue
        j = int(np.argmax(enough)) if first_free else int(np.argmax(np.where(enough, ious[i], -1.0)))
        if best_only and taken[j]:
            continue
        taken[j] = matched[i] = True
    return matched[sequence] if in_order else matched


def _objects_choose(ious: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Each object in turn takes the free detection with the largest overlap."""
    matched = np.zeros(len(scores), bool)
    for j in range(ious.shape[1]):
        overlap = np.where(matched, -1.0, ious[:, j])
        if len(overlap) and overlap.max() >= threshold:
            matched[overlap.argmax()] = True
    return matched


def _largest_overlap_first(ious: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Pairs by falling overlap, whatever the confidence."""
    left, matched = ious.copy(), np.zeros(len(scores), bool)
    while left.size and left.max() >= threshold:
        i, j = np.unravel_index(left.argmax(), left.shape)
        matched[i] = True
        left[i, :] = left[:, j] = -1.0
    return matched


def _best_assignment(ious: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """The assignment with the largest sum of overlaps."""
    from scipy.optimize import linear_sum_assignment

    matched = np.zeros(len(scores), bool)
    rows, columns = linear_sum_assignment(-np.where(ious >= threshold, ious, 0.0))
    matched[rows[ious[rows, columns] >= threshold]] = True
    return matched


MATCH_TRAPS: dict[str, Callable[[np.ndarray, np.ndarray, float], np.ndarray]] = {
    "One object is matched by several detections; the second one is a false positive": lambda *p: _matched(*p, many=True),
    "This is the rule of PASCAL VOC: a detection whose best object is taken gives up. COCO's rule is asked for: it takes the "
    "best object that is still free": lambda *p: _matched(*p, best_only=True),
    "Detections are matched in input order; the most confident one comes first": lambda *p: _matched(
        *p, order=lambda scores: np.arange(len(scores))
    ),
    "The least confident detection comes first; turn the order round": lambda *p: _matched(*p, order=np.argsort),
    "An overlap of exactly the threshold is a match: use at least, not more than": lambda *p: _matched(*p, strict=True),
    "The first free object above the threshold is taken; take the one with the largest overlap": lambda *p: _matched(
        *p, first_free=True
    ),
    "The flags are in the order of confidence; give them back in input order": lambda *p: _matched(*p, in_order=True),
    "Each object chooses its detection; it is the detections that choose, by confidence": _objects_choose,
    "The pair with the largest overlap comes first; confidence decides the order": _largest_overlap_first,
    "This is the best assignment of all; the benchmarks match greedily, by confidence": _best_assignment,
}

register(
    Exercise(
        key="05-3",
        title="Match boxes to objects",
        minutes=20,
        dots=3,
        hints=(
            "The most confident detection chooses first. It takes, among the objects that nobody has taken yet and that overlap "
            "enough, the one with the largest overlap. If there is none, it is a false positive.",
            "For $i$ by falling score: $j^* = \\arg\\max_{j \\text{ free}} \\mathrm{IoU}_{ij}$; a true positive if "
            "$\\mathrm{IoU}_{ij^*} \\ge \\mathrm{threshold}$, and then $j^*$ is no longer free.",
            "`for i in np.argsort(-scores):` `overlap = np.where(free, ious[i], -1)`; "
            "`if overlap.size and overlap.max() >= threshold:` set `matched[i] = True` and `free[overlap.argmax()] = False`.",
        ),
        judge=judge_05_3,
    )
)
