"""The exercises of `04_landmark_recognition`.

===========  ============================================  =======  =============================================
key          title                                         minutes  what is judged
===========  ============================================  =======  =============================================
``04-1``     Global average precision                      15       a function, on 120 test sets
``04-2``     Junk leaves the list                          15       a function, on 120 ranked lists
``04-3``     How sure are you?                             20       a confidence of your own, on hidden test sets
===========  ============================================  =======  =============================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils import retrieval
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

N_SETS = 120
EXACT = 1e-9
CUTS = (1, 5, 10)
Predictions = dict[str, tuple[int, float]]
Truth = dict[str, set[int]]

# --- 04-1: global average precision -----------------------------------------------------------------------------------------


def answer_sets() -> list[tuple[Predictions, Truth]]:
    """Return the 120 test sets ``(predictions, truth)`` of exercise 04-1; every third has equal scores.

    The first three are the example of step 2, the same with an abstention, and a set in which nobody answers.
    """
    truth: Truth = {"q1": {5}, "q2": {7}, "q3": {9}, "q4": set(), "q5": set()}
    answers: Predictions = {"q1": (5, 0.9), "q4": (3, 0.8), "q2": (1, 0.7), "q3": (9, 0.6)}
    quiet = {image: answer for image, answer in answers.items() if image != "q4"}
    sets: list[tuple[Predictions, Truth]] = [(answers, truth), (quiet, truth), ({}, truth)]
    random = np.random.default_rng(4)
    while len(sets) < N_SETS:
        n = int(random.integers(8, 40))
        images = [f"image {i:02d}" for i in range(n)]
        truth = {image: set(random.choice(6, int(random.choice([0, 0, 1, 1, 2])), replace=False).tolist()) for image in images}
        truth[images[0]] = {int(random.integers(6))}
        answers = {}
        for image in random.permutation(images)[: int(random.integers(4, n + 1))].tolist():
            knows = truth[image] and random.random() < 0.6
            label = min(truth[image]) if knows else int(random.integers(6))
            score = float(random.integers(1, 5)) / 4 if len(sets) % 3 == 0 else round(float(random.random()), 6)
            answers[image] = (label, score)
        sets.append((answers, truth))
    return sets


def _ranked(predictions: Predictions, key: Callable[[str, tuple[int, float]], Any]) -> list[tuple[str, int]]:
    return [(image, predictions[image][0]) for image in sorted(predictions, key=lambda image: key(image, predictions[image]))]


def _sum_of_precision(ranked: list[tuple[str, int]], truth: Truth) -> float:
    hits, total = 0, 0.0
    for rank, (image, label) in enumerate(ranked, start=1):
        if label in truth[image]:
            hits += 1
            total += hits / rank
    return total


def _by_score(image: str, answer: tuple[int, float]) -> tuple[float, str]:
    return -answer[1], image


def global_ap(predictions: Predictions, truth: Truth) -> float:
    """The reference answer of exercise 04-1."""
    return _sum_of_precision(_ranked(predictions, _by_score), truth) / sum(len(labels) > 0 for labels in truth.values())


def _variant(
    divisor: Callable[[Predictions, Truth], float] = lambda p, t: sum(len(labels) > 0 for labels in t.values()),
    key: Callable[[str, tuple[int, float]], Any] = _by_score,
    keep: Callable[[str, Truth], bool] = lambda image, truth: True,
) -> Callable[[Predictions, Truth], float]:
    def rule(predictions: Predictions, truth: Truth) -> float:
        kept = {image: answer for image, answer in predictions.items() if keep(image, truth)}
        return _sum_of_precision(_ranked(kept, key), truth) / max(divisor(predictions, truth), 1)

    return rule


def _n_correct(predictions: Predictions, truth: Truth) -> int:
    return sum(label in truth[image] for image, (label, _) in predictions.items())


def _per_query(predictions: Predictions, truth: Truth) -> float:
    return _n_correct(predictions, truth) / sum(len(labels) > 0 for labels in truth.values())


GAP_TRAPS: dict[str, Callable[[Predictions, Truth], float]] = {
    "This averages over the queries one by one, which is top-1 accuracy; all answers belong into one list": _per_query,
    "Answers to images without a landmark are left out; they are errors and push the later answers down": _variant(
        keep=lambda image, truth: len(truth[image]) > 0
    ),
    "The sum is divided by the number of answers; divide by M, the images with a landmark": _variant(lambda p, t: len(p)),
    "The sum is divided by the number of correct answers; M counts the images that nobody answered, too": _variant(_n_correct),
    "The sum is divided by all test images; M counts those that show a landmark": _variant(lambda p, t: len(t)),
    "An image with two landmarks counts twice in M; it counts once": _variant(lambda p, t: sum(map(len, t.values()))),
    "M counts only landmark images that were answered; silence costs recall": _variant(
        lambda p, t: sum(len(t[image]) > 0 for image in p)
    ),
    "The list is sorted the wrong way round: the most confident answer comes first": _variant(key=lambda i, a: (a[1], i)),
    "Equal scores are left in input order; the rule orders them by image id": _variant(key=lambda i, a: -a[1]),
    "Equal scores are ordered by image id the wrong way round": _variant(
        key=lambda i, a: (-a[1], tuple(-ord(letter) for letter in i))
    ),
}


def judge_04_1(answer: Any) -> Verdict:
    """Judge ``gap(predictions, truth)`` on the dictionaries of ``answer_sets``."""
    sets = answer_sets()
    found = np.array(
        [
            float(as_array(called(answer, *one, name="`gap`", where=f"on test set {i}"), (), f"the value for test set {i}"))
            for i, one in enumerate(sets)
        ]
    )
    expected = np.array([global_ap(*one) for one in sets])
    wrong = np.flatnonzero(np.abs(found - expected) > EXACT)
    if not len(wrong):
        return right(
            f"All {N_SETS} test sets agree to {EXACT:.0e}. One list for everybody: that is why a confident answer to a "
            "picture without a landmark costs every correct answer below it."
        )
    first = int(wrong[0])
    where = f"{len(wrong)} of {N_SETS} test sets differ. Set {first} of `learn.chapter_04.answer_sets()`: "
    where += f"{found[first]:.4f}, expected {expected[first]:.4f}."
    trap = recognised_trap(found, {text: [rule(*one) for one in sets] for text, rule in GAP_TRAPS.items()}, EXACT)
    return not_yet(f"{trap}. {where}" if trap else where, hint=2 if trap else 1)


register(
    Exercise(
        key="04-1",
        title="Global average precision",
        minutes=15,
        dots=1,
        hints=(
            "Put the answers of all images into one list, the most confident first, and walk down it. At each correct answer, "
            "note the precision so far.",
            "$\\mathrm{GAP} = \\frac{1}{M} \\sum_i P(i)\\,\\mathrm{rel}(i)$, where $M$ counts the images whose truth is not "
            "empty. Equal scores: smaller image id first.",
            "`order = sorted(predictions, key=lambda image: (-predictions[image][1], image))`, then count `hits` and add "
            "`hits / rank` where `predictions[image][0] in truth[image]`.",
        ),
        judge=judge_04_1,
    )
)


# --- 04-2: junk leaves the list ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RevisitedAnswer:
    """What exercise 04-2 asks for: adjusted ranks (P,), trapezoid AP, precision at 1, 5 and 10."""

    ranks: np.ndarray
    average_precision: float
    precision: np.ndarray


def ranked_lists() -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Return the 120 lists ``(positive_ranks, junk_ranks, n_positives)`` of exercise 04-2.

    Ranks are zero-based places in the list, ascending. ``n_positives`` may be larger than the positives that were found. The
    first three are the smallest cases: junk above, junk below, nothing but positives.
    """
    lists = [
        (np.array([2]), np.array([0, 1]), 1),
        (np.array([1, 3]), np.array([4, 7]), 3),
        (np.arange(4), np.zeros(0, np.int64), 4),
    ]
    random = np.random.default_rng(44)
    while len(lists) < N_SETS:
        n = int(random.integers(8, 40))
        places = random.permutation(n)
        n_found, n_junk = int(random.integers(1, 7)), int(random.integers(0, n // 3))
        positives, junk = np.sort(places[:n_found]), np.sort(places[n_found : n_found + n_junk])
        lists.append((positives, junk, n_found + int(random.integers(0, 3))))
    return lists


def revisited(positive_ranks: np.ndarray, junk_ranks: np.ndarray, n_positives: int) -> RevisitedAnswer:
    """The reference answer of exercise 04-2."""
    return _revisited(positive_ranks, junk_ranks, n_positives)


def _revisited(
    positive_ranks: np.ndarray,
    junk_ranks: np.ndarray,
    n_positives: int,
    adjust: str = "above",
    area: str = "trapezoid",
    divisor: str = "declared",
    cut: str = "last",
    first: int = 0,
) -> RevisitedAnswer:
    above = (junk_ranks[None, :] < positive_ranks[:, None]).sum(axis=1)
    shift = {"above": above, "none": 0 * above, "all": 0 * above + len(junk_ranks)}[adjust]
    ranks = positive_ranks - shift
    t = np.arange(1, len(ranks) + 1)
    at = t / np.maximum(ranks + 1, 1)
    before = np.where(ranks > 0, (t - 1) / np.maximum(ranks, 1), 0.0 if area == "from zero" else 1.0)
    heights = at if area == "step" else (before + at) / 2
    total = heights.sum() / (n_positives if divisor == "declared" else len(ranks))
    last = int(ranks.max()) + 1
    depths = [max(k if cut == "k" else min(k, n_positives if cut == "positives" else last), 1) for k in CUTS]
    return RevisitedAnswer(ranks + first, float(total), np.array([(ranks < depth).sum() / depth for depth in depths]))


def _revisited_traps() -> dict[str, dict[str, Any]]:
    return {
        "ranks": {
            "Junk is still in the list: the ranks are those before it left": {"adjust": "none"},
            "Every rank falls by all junk; only junk above the positive counts": {"adjust": "all"},
            "The ranks start at 1; they are zero-based here": {"first": 1},
        },
        "average_precision": {
            "This is the step rule; the protocol takes the trapezoid": {"area": "step"},
            "The sum is divided by the positives found; divide by all of them": {"divisor": "found"},
            "The trapezoid starts at precision 0; before the first place of the list precision is 1": {"area": "from zero"},
            "The average precision is that of the list with junk in it": {"adjust": "none"},
        },
        "precision": {
            "Precision is taken at k; a query with fewer positives is cut at the last of them": {"cut": "k"},
            "The cut is the number of positives; it is the rank of the last one": {"cut": "positives"},
            "The precision is that of the list with junk in it": {"adjust": "none"},
        },
    }


def judge_04_2(answer: Any) -> Verdict:
    """Judge ``revisited(positive_ranks, junk_ranks, n_positives)``, a triple: ranks, AP, precision at 1, 5 and 10."""
    lists = ranked_lists()
    expected = [revisited(*one) for one in lists]
    found = [_triple(called(answer, *one, name="`revisited`", where=f"on list {i}"), one, i) for i, one in enumerate(lists)]
    for part, words in (("ranks", "adjusted ranks"), ("average_precision", "average precision"), ("precision", "precision")):
        theirs, ours = (_flat(rows, part) for rows in (found, expected))
        if np.allclose(theirs, ours, rtol=0, atol=EXACT):
            continue
        traps = {
            text: _flat([_revisited(*one, **slip) for one in lists], part) for text, slip in _revisited_traps()[part].items()
        }
        trap = recognised_trap(theirs, traps, EXACT)
        wrong = next(i for i, (a, b) in enumerate(zip(found, expected)) if not _equal(a, b, part))
        where = f"List {wrong} of `learn.chapter_04.ranked_lists()`: {words} {_shown(found[wrong], part)}"
        where += f", expected {_shown(expected[wrong], part)}."
        return not_yet(f"{trap}. {where}" if trap else where, hint=2)
    return right(
        f"All {N_SETS} lists agree. Ignored images change no number wherever they stand, and a query with three positives "
        "can reach a precision of 1 at 10."
    )


def _triple(value: Any, one: tuple[np.ndarray, np.ndarray, int], i: int) -> RevisitedAnswer:
    if not isinstance(value, (tuple, list)) or len(value) != 3:
        raise AnswerFailed("Three values are expected: adjusted ranks, average precision, precision at 1, 5 and 10.", hint=1)
    on = f"for list {i}"
    return RevisitedAnswer(
        as_array(value[0], (len(one[0]),), f"the ranks {on}"),
        float(as_array(value[1], (), f"the average precision {on}")),
        as_array(value[2], (len(CUTS),), f"the precision {on}"),
    )


def _flat(rows: list[RevisitedAnswer], part: str) -> np.ndarray:
    return np.concatenate([np.atleast_1d(getattr(row, part)) for row in rows]).astype(np.float64)


def _equal(one: RevisitedAnswer, other: RevisitedAnswer, part: str) -> bool:
    return bool(np.allclose(getattr(one, part), getattr(other, part), rtol=0, atol=EXACT))


def _shown(row: RevisitedAnswer, part: str) -> str:
    values = np.atleast_1d(getattr(row, part)).tolist()
    return " ".join(f"{value:.4g}" for value in values)


register(
    Exercise(
        key="04-2",
        title="Junk leaves the list",
        minutes=15,
        dots=2,
        hints=(
            "Take junk out of the list first. A positive then stands as many places higher as there is junk above it.",
            "With adjusted zero-based ranks $r_1 < r_2 < \\dots$: "
            "$\\mathrm{AP} = \\frac{1}{R} \\sum_t \\frac{1}{2} \\left( \\frac{t-1}{r_t} + \\frac{t}{r_t + 1} \\right)$, the first "
            "fraction is 1 where $r_t = 0$; $P@k$ is taken at $\\min(k, r_{\\mathrm{last}} + 1)$.",
            "`ranks = positive_ranks - (junk_ranks[None, :] < positive_ranks[:, None]).sum(axis=1)`; "
            "`before = np.where(ranks > 0, np.arange(len(ranks)) / np.maximum(ranks, 1), 1.0)`; "
            "`depth = min(k, ranks[-1] + 1)`.",
        ),
        judge=judge_04_2,
    )
)


# --- 04-3: how sure are you? ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Evidence:
    """Simulated answers of a recogniser: what it saw, and whether the answer was right.

    Attributes
    ----------
    similarity : ndarray of shape (P,), float64
        Cosine of the best neighbour.
    inliers : ndarray of shape (P,), int64
        Matches that agree with one map.
    correct : ndarray of shape (P,), bool
    n_landmark_images : int
        ``M``.
    """

    similarity: np.ndarray
    inliers: np.ndarray
    correct: np.ndarray
    n_landmark_images: int

    def gap(self, scores: Any) -> float:
        """Return the GAP of these answers with other scores, shape (P,)."""
        return retrieval.rank_answers(scores, self.correct, self.n_landmark_images).gap


N_LANDMARK, N_EMPTY = 200, 800
NEAR_BEST = 0.02
HIDDEN_SEEDS = (11, 12, 13)


def evidence(seed: int = 0) -> Evidence:
    """Return the evidence of one test set: 200 images with a landmark, 800 without, in random order.

    The shapes follow the picture of step 7. Right answers are a little more similar than wrong ones, and have more
    inliers, but some have few: a landmark that is small or seen from the side.
    """
    random = np.random.default_rng([seed, 4, 3])
    n = N_LANDMARK + N_EMPTY
    correct = np.zeros(n, bool)
    correct[:N_LANDMARK] = random.random(N_LANDMARK) < 0.7
    similarity = np.clip(random.normal(np.where(correct, 0.62, 0.48), 0.10), -1, 1)
    visible = random.gamma(1.5, 5.0, n)
    inliers = 4 + random.poisson(np.where(correct, 1 + visible, 2.5))
    order = random.permutation(n)
    return Evidence(similarity[order], inliers[order].astype(np.int64), correct[order], N_LANDMARK)


def log_odds(similarity: np.ndarray, inliers: np.ndarray) -> np.ndarray:
    """The reference confidence of exercise 04-3: a logistic regression on both kinds of evidence."""
    from sklearn.linear_model import LogisticRegression

    seen = evidence()
    model = LogisticRegression(C=100.0).fit(_columns(seen.similarity, seen.inliers), seen.correct)
    return model.decision_function(_columns(similarity, inliers))


def _columns(similarity: np.ndarray, inliers: np.ndarray) -> np.ndarray:
    return np.column_stack([10 * np.asarray(similarity), np.log(np.asarray(inliers))])


def judge_04_3(answer: Any) -> Verdict:
    """Judge ``confidence(similarity, inliers)``: one number for each answer, compared through GAP on hidden test sets."""
    sets = [evidence(seed) for seed in HIDDEN_SEEDS]
    gained: dict[str, list[float]] = {"yours": [], "similarity": [], "inliers": [], "reference": []}
    for one in sets:
        scores = as_array(
            called(answer, one.similarity, one.inliers, name="`confidence`"), one.similarity.shape, "the confidence"
        )
        half = slice(0, len(scores) // 2)
        alone = as_array(called(answer, one.similarity[half], one.inliers[half], name="`confidence`"), scores[half].shape)
        if not np.allclose(alone, scores[half], rtol=1e-6, atol=1e-9):
            return not_yet(
                "The confidence of an answer changes when other answers are left out. A score must mean the same for every "
                "image: use nothing but its own evidence, no ranks, no scaling by the largest.",
                hint=1,
            )
        gained["yours"].append(one.gap(scores))
        gained["similarity"].append(one.gap(one.similarity))
        gained["inliers"].append(one.gap(one.inliers))
        gained["reference"].append(one.gap(log_odds(one.similarity, one.inliers)))
    mean = {name: float(np.mean(values)) for name, values in gained.items()}
    numbers = f"GAP {100 * mean['yours']:.0f} %, similarity alone {100 * mean['similarity']:.0f} %"
    numbers += f", inliers alone {100 * mean['inliers']:.0f} %"
    if mean["yours"] < mean["similarity"] - 0.05 and mean["yours"] < mean["inliers"] - 0.05:
        return not_yet(f"Worse than either kind of evidence ({numbers}); is the sign right? High means sure.", hint=1)
    if mean["yours"] <= max(mean["similarity"], mean["inliers"]) + NEAR_BEST:
        return not_yet(f"No better than one kind of evidence alone ({numbers}). Combine the two.", hint=2)
    if mean["yours"] < mean["reference"] - NEAR_BEST:
        return not_yet(
            f"Both kinds help ({numbers}), but a better balance between them gains more than {100 * NEAR_BEST:.0f} points. Choose "
            "it on `learn.chapter_04.evidence()`.",
            hint=3,
        )
    return right(
        f"{numbers}, on hidden test sets. No answer changed, only how sure it is: a confidence that was learned on other images "
        "means the same for each of them."
    )


register(
    Exercise(
        key="04-3",
        title="How sure are you?",
        minutes=20,
        dots=3,
        hints=(
            "GAP asks whether right answers stand above wrong ones in one list. Draw both kinds of evidence for right and wrong "
            "answers of `learn.chapter_04.evidence()`; each separates a part of them.",
            "If the two kinds of evidence are nearly independent, the log-odds of *right* add up: "
            "$a \\cdot \\mathrm{similarity} + b \\cdot f(\\mathrm{inliers})$, with $f$ growing more slowly for large counts.",
            "`LogisticRegression().fit(np.column_stack([10 * seen.similarity, np.log(seen.inliers)]), seen.correct)`; the "
            "confidence is its `decision_function`.",
        ),
        judge=judge_04_3,
    )
)
