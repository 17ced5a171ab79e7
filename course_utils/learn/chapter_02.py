"""The exercises of `02_netvlad`.

===========  ============================================  =======  ==========================================
key          title                                         minutes  what is judged
===========  ============================================  =======  ==========================================
``02-1``     How sharp?                                    5        two numbers, on three random sets of gaps
``02-2``     Repair the loss                               15       values and limit cases of a loss
``02-3``     Two images, one vector                        20       properties: several answers are right
===========  ============================================  =======  ==========================================
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from course_utils import retrieval
from course_utils.learn.exercise import (
    Exercise,
    Verdict,
    as_array,
    called,
    called_with_tensors_too,
    close,
    not_yet,
    recognised_trap,
    register,
    right,
)

RATIO = 100.0
MARGIN = 0.1


# --- 02-1: how sharp? -----------------------------------------------------------------------------------------------------


def sharpness(gaps: np.ndarray) -> tuple[float, float]:
    """The reference answer of exercise 02-1: alpha, and the arithmetic mean of the ratios that it gives."""
    alpha = retrieval.alpha_from_gaps(gaps)
    return alpha, float(np.exp(alpha * gaps).mean())


def judge_02_1(answer: Any) -> Verdict:
    """Judge ``sharpness(gaps)``, which returns alpha and the arithmetic mean of the ratios."""
    for seed in (1, 2, 3):
        gaps = np.random.default_rng(seed).gamma(1.5, 0.05, size=40)
        where = f"on `gaps = np.random.default_rng({seed}).gamma(1.5, 0.05, size=40)`"
        found = called(answer, gaps, name="`sharpness`", where=where)
        if not isinstance(found, (tuple, list, np.ndarray)) or len(found) != 2:
            return not_yet("Two numbers are expected: `return alpha, mean_ratio`.", hint=1)
        alpha, mean_ratio = (float(as_array(value, (), name)) for value, name in zip(found, ("alpha", "the mean ratio")))
        expected, expected_ratio = sharpness(gaps)
        if not math.isclose(alpha, expected, rel_tol=1e-3):
            return not_yet(_wrong_alpha(alpha, gaps), hint=2)
        if not math.isclose(mean_ratio, expected_ratio, rel_tol=1e-3):
            return not_yet(_wrong_mean(mean_ratio, alpha, gaps), hint=3)
    return right(
        f"The geometric mean is {RATIO:.0f}, but the arithmetic mean of the same ratios is {expected_ratio:.1e}: "
        "a few descriptors right beside a centre decide it alone, so it says nothing about the others."
    )


def _wrong_alpha(alpha: float, gaps: np.ndarray) -> str:
    geometric = float(np.exp(np.clip(alpha * gaps.mean(), -700, 700)))
    traps = {
        "the logarithm is missing: the ratio of two soft weights is exp(alpha * gap), so alpha is a logarithm over a gap": [
            (1 - 1 / RATIO) / gaps.mean(),
            RATIO / gaps.mean(),
            1 / (RATIO * gaps.mean()),
        ],
        "this is the logarithm to base 10; exp belongs to the natural one": [math.log10(RATIO) / gaps.mean()],
        "the sign is turned round: a negative alpha prefers the farthest centre": [-math.log(RATIO) / gaps.mean()],
        "you averaged one alpha per descriptor; there is one alpha, from the mean gap": [(math.log(RATIO) / gaps).mean()],
        "you used the median gap; the geometric mean needs the mean gap": [math.log(RATIO) / np.median(gaps)],
        "this alpha gives an arithmetic mean of 100; the rule is about the geometric mean": [_arithmetic_alpha(gaps)],
    }
    for text, wrong in traps.items():
        if any(math.isclose(alpha, value, rel_tol=1e-3) for value in wrong):
            return f"alpha = {alpha:.4g}: {text}."
    return f"With alpha = {alpha:.4g} the geometric mean of the ratios is {geometric:.4g}, not {RATIO:.0f}."


def _wrong_mean(mean_ratio: float, alpha: float, gaps: np.ndarray) -> str:
    if math.isclose(mean_ratio, RATIO, rel_tol=1e-3):
        return "alpha is right. The second number is the geometric mean again; the arithmetic one is asked for."
    if math.isclose(mean_ratio, float(np.exp(-alpha * gaps).mean()), rel_tol=1e-3):
        return "alpha is right. The second number averages second to first; first to second is asked for."
    return f"alpha is right. The second number is {mean_ratio:.4g}; average exp(alpha * gap) over the descriptors."


def _arithmetic_alpha(gaps: np.ndarray) -> float:
    low, high = 0.0, math.log(RATIO * len(gaps)) / gaps.max()
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.exp(middle * gaps).mean() < RATIO else (low, middle)
    return low


register(
    Exercise(
        key="02-1",
        title="How sharp?",
        minutes=5,
        dots=1,
        hints=(
            "Take the logarithm of the ratio of the first two soft weights: it is proportional to the gap. "
            "A geometric mean is an arithmetic mean of logarithms.",
            "$\\exp(\\alpha \\cdot \\overline{\\mathrm{gap}}) = 100$, hence $\\alpha = \\ln 100 \\,/\\, \\overline{\\mathrm{gap}}$.",
            "`alpha = np.log(100) / gaps.mean()`; the ratios themselves are `np.exp(alpha * gaps)`.",
        ),
        judge=judge_02_1,
    )
)


# --- 02-2: repair the loss ------------------------------------------------------------------------------------------------

BUGS = {
    "squared": "distances are not squared. The hinge of the paper compares squared distances, so it switches at other places",
    "best": "it compares with the average positive. Some of the images nearby look the other way; only the best one counts",
    "clamped": "negatives that are far enough away lower the loss. Each negative counts at least zero on its own: clamp, then sum",
}


def loss_with_bugs(
    query: np.ndarray,
    positives: np.ndarray,
    negatives: np.ndarray,
    squared: bool = False,
    best: bool = False,
    clamped: bool = False,
) -> float:
    """The colleague's loss of exercise 02-2: each flag repairs one of its three bugs."""
    power = 2 if squared else 1
    to_positives = np.linalg.norm(positives - query, axis=1) ** power
    to_negatives = np.linalg.norm(negatives - query, axis=1) ** power
    positive = to_positives.min() if best else to_positives.mean()
    violation = positive + MARGIN - to_negatives
    return float(np.maximum(violation, 0).sum() if clamped else max(violation.sum(), 0.0))


def _tuple_02_2(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Query (4,), positives (3, 4), negatives (5, 4) of unit length, some negatives active and some not."""
    random = np.random.default_rng(seed)
    query, positives, negatives = (
        v / np.linalg.norm(v, axis=-1, keepdims=True) for v in (random.normal(size=s) for s in ((4,), (3, 4), (5, 4)))
    )
    negatives[0] = query + 0.4 * (positives[0] - query)  # between query and a positive: surely active
    negatives[0] /= np.linalg.norm(negatives[0])
    negatives[1] = -query  # surely not active
    return query, positives, negatives


def judge_02_2(answer: Any) -> Verdict:
    """Judge ``ranking_loss(query, positives, negatives)`` with margin 0.1."""
    for seed in (1, 2, 3):
        arguments = _tuple_02_2(seed)
        where = f"on the tuple of seed {seed} (3 positives, 5 negatives)"
        result = called_with_tensors_too(answer, *arguments, name="`ranking_loss`", where=where)
        found = float(as_array(result, (), "the loss"))
        expected = loss_with_bugs(*arguments, squared=True, best=True, clamped=True)
        if not close(np.array(found), np.array(expected), 1e-4):
            return not_yet(f"{_first_bug(found, arguments)} ({where}: {found:.4f}, expected {expected:.4f}).", hint=1)
    query, positives, negatives = arguments
    arguments = query, positives, negatives[:0]
    alone = called_with_tensors_too(answer, *arguments, name="`ranking_loss`", where="without negatives")
    without = float(as_array(alone, (), "the loss"))
    if without != 0:
        return not_yet(f"Without negatives there is nothing to rank: the loss should be 0, but it is {without:.4f}.", hint=3)
    return right(
        "One potential positive is enough, whichever it is: that is how the loss lives with positions that do not say "
        "which way the camera looked."
    )


def _first_bug(found: float, arguments: tuple[np.ndarray, np.ndarray, np.ndarray]) -> str:
    for repaired in itertools.product((True, False), repeat=3):
        flags = dict(zip(BUGS, repaired))
        if not all(repaired) and close(np.array(found), np.array(loss_with_bugs(*arguments, **flags)), 1e-4):
            left = [name for name, done in flags.items() if not done]
            more = {1: "One bug is left", 2: "Two bugs are left", 3: "All three bugs are still there"}[len(left)]
            return f"{more}: {BUGS[left[0]]}"
    query, positives, negatives = arguments
    p, n = ((positives - query) ** 2).sum(1), ((negatives - query) ** 2).sum(1)
    hinge = np.maximum(p.min() + MARGIN - n, 0)
    traps = {
        "You average over the negatives; the paper sums": hinge.mean(),
        "Only the hardest negative counts in yours; every violating one does": hinge.max(),
        "The worst positive is compared; the best one, the nearest, is meant": np.maximum(p.max() + MARGIN - n, 0).sum(),
        "The margin has the wrong sign: it is added on the side of the positive": np.maximum(p.min() - MARGIN - n, 0).sum(),
        "The margin is missing": np.maximum(p.min() - n, 0).sum(),
        "Every positive is compared with every negative; only the best positive is": np.maximum(p[:, None] + MARGIN - n, 0).sum(),
        "Positive and negative are exchanged in the difference": np.maximum(n + MARGIN - p.min(), 0).sum(),
    }
    return recognised_trap(np.array(found), {text: np.array(value) for text, value in traps.items()}) or (
        "The value is another one. Check in this order: squared distances, the nearest positive, a clamp for each negative"
    )


register(
    Exercise(
        key="02-2",
        title="Repair the loss",
        minutes=15,
        dots=2,
        hints=(
            "Read the loss aloud: *for each negative*, how far does *the best* positive, plus the margin, exceed it, in "
            "*squared* distance, and at least zero?",
            "$L = \\sum_j \\max\\left(0,\\; \\min_i \\lVert q - p_i \\rVert^2 + m - \\lVert q - n_j \\rVert^2\\right)$.",
            "`to_positives = ((positives - query) ** 2).sum(1)`, the same for the negatives, then "
            "`np.maximum(to_positives.min() + 0.1 - to_negatives, 0).sum()`.",
        ),
        judge=judge_02_2,
    )
)


# --- 02-3: two images, one vector -----------------------------------------------------------------------------------------

SAME_VECTOR = 0.999
OTHER_CONTENT = 0.2


@dataclass(frozen=True)
class CollisionProblem:
    """The data of exercise 02-3.

    Attributes
    ----------
    layer : NetVLAD
        Variant v2, 3 clusters in 4 dimensions, sharp.
    descriptors : ndarray of shape (9, 4)
        Unit rows; three belong to each cluster, in order.
    """

    layer: retrieval.NetVLAD
    descriptors: np.ndarray

    def describe(self, descriptors: Any) -> np.ndarray:
        """Return the image vector (12,) of descriptors (N, 4)."""
        rows = torch.from_numpy(np.array(descriptors, dtype=np.float64))
        return self.layer(rows[None])[0].detach().numpy()


def collision_problem() -> CollisionProblem:
    """Return a layer and an image for exercise 02-3."""
    random = np.random.default_rng(7)
    centers = np.eye(4)[:3]
    rows = np.repeat(centers, 3, axis=0) + 0.25 * random.normal(size=(9, 4))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    layer = retrieval.NetVLAD(4, 3, "v2").double().init_from(rows, centers=centers).set_alpha(40.0)
    return CollisionProblem(layer, rows)


def judge_02_3(answer: Any) -> Verdict:
    """Judge descriptors (M, 4) that give the vector of the problem's image although they show something else."""
    problem = collision_problem()
    rows = as_array(answer, name="the set of descriptors")
    if rows.ndim != 2 or rows.shape[1] != 4 or len(rows) == 0:
        return not_yet(f"A set of descriptors of shape (M, 4) is expected, but the shape is {rows.shape}.", hint=1)
    if len(rows) > 10_000:
        return not_yet(f"{len(rows)} descriptors are more than any image has; 10,000 must do.", hint=1)
    vector, given = problem.describe(rows), problem.describe(problem.descriptors)
    similarity = float(vector @ given)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = (rows / np.maximum(norms, 1e-12))[norms[:, 0] > 0]
    if len(unit) == 0:
        return not_yet("All descriptors are zero; the layer leaves them out, and the vector is zero.", hint=1)
    if _same_set(unit, problem.descriptors):
        return not_yet(
            "These are the same nine directions. Order and length do not count: the layer sums, and it normalises each descriptor.",
            hint=1,
        )
    change = float(np.linalg.norm(unit.mean(0) - problem.descriptors.mean(0)))
    if change < OTHER_CONTENT:
        note = " Repeating everything alike keeps every share." if similarity >= SAME_VECTOR else ""
        return not_yet(
            f"The mean descriptor moved by {change:.3f}; at least {OTHER_CONTENT} is asked for, "
            f"so that the two images really show different amounts of things.{note}",
            hint=2,
        )
    if similarity < SAME_VECTOR:
        return not_yet(
            f"The images differ (the mean moved by {change:.2f}), but the vectors do too: "
            f"similarity {similarity:.4f}, at least {SAME_VECTOR} is asked for.",
            hint=2,
        )
    return right(
        f"Similarity {similarity:.4f} although the mean descriptor moved by {change:.2f}: intra-normalisation hears which way a "
        "word points, not how often it is said. That is its strength against bursts, and its price."
    )


def _same_set(unit: np.ndarray, given: np.ndarray) -> bool:
    """Whether the rows are the given ones in some order."""
    if len(unit) != len(given):
        return False
    return bool(np.allclose(unit[np.lexsort(unit.round(6).T)], given[np.lexsort(given.round(6).T)], atol=1e-5))


register(
    Exercise(
        key="02-3",
        title="Two images, one vector",
        minutes=20,
        dots=3,
        hints=(
            "After intra-normalisation a block keeps only the direction of its residual sum. "
            "What can you do to the descriptors of one cluster that makes the sum longer but does not turn it?",
            "Say the three descriptors of one cluster $r$ times: $V_k \\to r V_k$, and $V_k / \\lVert V_k \\rVert$ stays. "
            "The other clusters do not notice, as long as the assignment is sharp.",
            "`X = problem.descriptors`, then `np.concatenate([X, np.repeat(X[:3], 9, axis=0)])`.",
        ),
        judge=judge_02_3,
    )
)
