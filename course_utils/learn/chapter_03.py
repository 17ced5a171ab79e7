"""The exercises of `03_delf`.

===========  ============================================  =======  ==========================================
key          title                                         minutes  what is judged
===========  ============================================  =======  ==========================================
``03-1``     How far does a cell see?                      10       a function, on 60 stacks of layers
``03-2``     Scores have no unit                           15       properties of a pair of functions
``03-3``     One index row, one query                      20       a function, on 60 tables of neighbours
===========  ============================================  =======  ==========================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course_utils import retrieval
from course_utils.learn.exercise import (
    AnswerFailed,
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

Layers = list[tuple[int, int, int]]
N_PROBLEMS = 60

# --- 03-1: how far does a cell see? -----------------------------------------------------------------------------------------

VGG16_CONV5_3: Layers = [
    *([(3, 1, 1)] * 2 + [(2, 2, 0)]) * 2,
    *([(3, 1, 1)] * 3 + [(2, 2, 0)]) * 2,
    *[(3, 1, 1)] * 3,
]
PARTS = ("size", "stride", "padding")


def stack_field(layers: Layers) -> tuple[int, int, int]:
    """The reference answer of exercise 03-1: size, stride and padding of a stack of (kernel, stride, padding)."""
    size, jump, padding = 1, 1, 0
    for kernel, stride, border in layers:
        size += (kernel - 1) * jump
        padding += border * jump
        jump *= stride
    return size, jump, padding


def layer_stacks() -> list[Layers]:
    """Return the 60 stacks of exercise 03-1; the first five are the smallest cases, the sixth is VGG-16 up to conv5_3."""
    random = np.random.default_rng(31)
    stacks: list[Layers] = [
        [],
        [(1, 1, 0)],
        [(3, 1, 1)],
        [(7, 2, 3)],
        [(3, 2, 1), (5, 1, 0)],
        VGG16_CONV5_3,
    ]
    while len(stacks) < N_PROBLEMS:
        kernels = random.integers(1, 8, int(random.integers(2, 9)))
        stacks.append([(int(k), int(random.integers(1, 4)), int(random.integers(0, k // 2 + 1))) for k in kernels])
    return stacks


def judge_03_1(answer: Any) -> Verdict:
    """Judge ``field(layers)``, which returns (size, stride, padding)."""
    stacks = layer_stacks()
    found = np.stack([_three_numbers(answer, i, layers) for i, layers in enumerate(stacks)])  # (60, 3)
    expected = np.array([stack_field(layers) for layers in stacks], float)
    for part in (1, 0, 2):  # the stride first: the other two are built on it
        wrong = np.flatnonzero(found[:, part] != expected[:, part])
        if len(wrong):
            first, name = int(wrong[0]), PARTS[part]
            got = f"{name} {found[first, part]:g}, expected {expected[first, part]:g}"
            where = (
                f"{len(wrong)} of {len(stacks)} stacks differ, first stack {first} of `learn.chapter_03.layer_stacks()`: {got}."
            )
            order = [i for i in (1, 0, 2) if np.array_equal(found[:, part], expected[:, i])]
            if order:
                return not_yet(f"Your {name} is the {PARTS[order[0]]}: return (size, stride, padding), in this order. {where}", 1)
            traps = {text: [rule(layers) for layers in stacks] for text, rule in FIELD_TRAPS[name].items()}
            trap = recognised_trap(found[:, part], traps, 1e-9)
            return not_yet(f"The {name} is wrong. {trap + '. ' if trap else ''}{where}", hint=2)
    size, stride, padding = stack_field(VGG16_CONV5_3)
    return right(
        f"Cell (i, j) of VGG-16's conv5_3 sees {size} pixels from {stride}i - {padding} on; no table of networks is needed. "
        "Where a dilated kernel comes in, put dilation * (kernel - 1) in place of kernel - 1."
    )


def _three_numbers(answer: Any, i: int, layers: Layers) -> np.ndarray:
    where = f"on stack {i} of `learn.chapter_03.layer_stacks()` ({len(layers)} layers)"
    return as_array(called(answer, layers, name="`field`", where=where), (3,), f"the result {where}")


def _walked(
    layers: Layers,
    kernel_of: Callable[[int], int] = lambda kernel: kernel - 1,
    jump_of: Callable[[int, int], int] = lambda before, after: before,
    start: int = 1,
) -> int:
    """Add up, layer by layer, what ``kernel_of`` gives, times a jump."""
    total, jump = start, 1
    for kernel, stride, _ in layers:
        total += kernel_of(kernel) * jump_of(jump, jump * stride)
        jump *= stride
    return total


def _paddings(layers: Layers) -> Layers:
    """The same layers with the padding where the kernel was, so that ``_walked`` adds up paddings."""
    return [(padding, stride, padding) for _, stride, padding in layers]


def _added(kernel: int) -> int:
    return kernel


FIELD_TRAPS: dict[str, dict[str, Callable[[Layers], int]]] = {
    "stride": {
        "It is the last layer's stride alone; strides multiply": lambda layers: layers[-1][1] if layers else 1,
        "It is the first layer's stride alone; strides multiply": lambda layers: layers[0][1] if layers else 1,
        "Strides are added; they multiply, because a cell of the next layer skips cells that already skip pixels": lambda layers: (
            sum(stride for _, stride, _ in layers)
        ),
        "Strides are added to the first 1; they multiply": lambda layers: 1 + sum(stride for _, stride, _ in layers),
        "The last layer's stride is missing: it counts for the cells that come out": lambda layers: stack_field(layers[:-1])[1],
    },
    "size": {
        "Each layer's own stride is multiplied in before the layer uses it. Its window moves over the cells that come in: "
        "add first, multiply afterwards": lambda layers: _walked(layers, jump_of=lambda before, after: after),
        "A window of k cells adds k - 1 steps between cells, not k: it sees one cell already": lambda layers: _walked(
            layers, _added
        ),
        "The layers are taken in reversed order by a rule that starts at the image": lambda layers: stack_field(layers[::-1])[0],
        "kernel - 1 is not multiplied by the stride so far: after a stride of 2 the next window's cells are 2 pixels "
        "apart": lambda layers: _walked(layers, jump_of=lambda before, after: 1),
        "kernel - 1 is multiplied by the layer's own stride alone; the strides of all layers before it count": lambda layers: (
            1 + sum((kernel - 1) * stride for kernel, stride, _ in layers)
        ),
        "The size starts at 0; without any layer a cell is one pixel": lambda layers: _walked(layers, start=0),
        "Padding is taken off; it moves the square and leaves its size as it is": lambda layers: (
            stack_field(layers)[0] - 2 * stack_field(layers)[2]
        ),
    },
    "padding": {
        "It is not multiplied by the stride so far: one padded cell of a later layer is several pixels wide": lambda layers: sum(
            padding for *_, padding in layers
        ),
        "Each layer's own stride is multiplied in before its padding is added: add first, multiply afterwards": lambda layers: (
            _walked(_paddings(layers), _added, lambda before, after: after, start=0)
        ),
        "The layers are taken in reversed order by a rule that starts at the image": lambda layers: stack_field(layers[::-1])[2],
        "Both sides are counted; it is the offset of the first square, so one side counts": lambda layers: (
            2 * stack_field(layers)[2]
        ),
        "Half the size is not the padding: the layers say how much they pad": lambda layers: (stack_field(layers)[0] - 1) // 2,
        "It starts at 1; without any layer nothing is padded": lambda layers: 1 + stack_field(layers)[2],
        "It is the sum of padding times the layer's own stride; the strides of all layers before it count": lambda layers: sum(
            padding * stride for _, stride, padding in layers
        ),
        "The sign is turned: it counts pixels before the image's first one, so it is 0 or more": lambda layers: (
            -stack_field(layers)[2]
        ),
    },
}

register(
    Exercise(
        key="03-1",
        title="How far does a cell see?",
        minutes=10,
        dots=1,
        hints=(
            "Walk from the image towards the cell. Keep three numbers: the size of the square so far, its padding, and how many "
            "pixels lie between neighbouring cells.",
            "Start with size 1, jump 1, padding 0. A layer $(k, s, p)$ does, in this order: size $\\leftarrow$ size $+ (k - 1)$ "
            "jump; padding $\\leftarrow$ padding $+ p$ jump; jump $\\leftarrow$ jump $\\cdot s$. The last jump is the stride.",
            "`size, jump, padding = 1, 1, 0`, then `for k, s, p in layers:` with `size += (k - 1) * jump`, "
            "`padding += p * jump` and, last, `jump *= s`.",
        ),
        judge=judge_03_1,
    )
)

# --- 03-2: scores have no unit ----------------------------------------------------------------------------------------------

FACTORS = (0.001, 0.5, 10.0, 1000.0)
LOGIT_TOLERANCE = 1e-5  # of the largest logit: an answer in float32 passes


def rescaled_attention(alpha: np.ndarray, weight: np.ndarray, t: float) -> tuple[np.ndarray, np.ndarray]:
    """The first half of the reference answer of exercise 03-2."""
    return t * alpha, weight / t


def best_share(alpha: np.ndarray, share: float) -> np.ndarray:
    """The second half: mark the best ``ceil(share * N)`` cells; of equal scores the lower index first."""
    kept = np.zeros(len(alpha), bool)
    kept[np.argsort(-alpha, kind="stable")[: int(np.ceil(share * len(alpha)))]] = True
    return kept


def attention_models() -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Return 20 attention heads ``(alpha (N,), features (N, D), W (M, D), bias (M,))`` of exercise 03-2, float64."""
    random = np.random.default_rng(32)
    models = []
    for _ in range(20):
        n, dim, m = int(random.integers(1, 30)), int(random.integers(2, 9)), int(random.integers(2, 6))
        features = random.normal(size=(n, dim))
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        models.append((random.gamma(2.0, 1.0, n), features, random.normal(size=(m, dim)), random.normal(size=m)))
    return models


def logits(alpha: np.ndarray, features: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Return the class logits (M,) of an attention head: ``W (1/N) sum_n alpha_n f_n + b``."""
    return weight @ (alpha @ features / len(alpha)) + bias


def score_lists() -> list[tuple[np.ndarray, float]]:
    """Return the 60 problems ``(alpha, share)`` of exercise 03-2; about half of the scores share another's value.

    The first four are the smallest cases: one cell, a flat attention, everything kept, zeros among the scores.
    """
    random = np.random.default_rng(33)
    problems = [
        (np.array([0.7]), 0.25),
        (np.full(20, 1.5), 0.25),
        (np.array([0.3, 2.0, 1.1, 0.3]), 1.0),
        (np.array([0.0, 0.0, 3.0, 0.0, 0.0, 0.0]), 0.5),
    ]
    while len(problems) < N_PROBLEMS:
        n = int(random.integers(5, 65))
        alpha = random.integers(1, n + 1, n) / 16  # sixteenths: a factor makes or breaks no tie
        problems.append((alpha, int(random.integers(1, 8)) / 8))
    return problems


def judge_03_2(answer: Any) -> Verdict:
    """Judge the pair ``(rescaled, select)``: ``rescaled(alpha, W, t)`` and ``select(alpha, share)``."""
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        return not_yet(f"A pair of functions is expected, `(rescaled, select)`, but got a {type(answer).__name__}.", hint=1)
    rescaled, select = answer
    return _judge_rescaled(rescaled) or _judge_select(select) or _verdict_03_2()


def _verdict_03_2() -> Verdict:
    problems = score_lists()
    counts = [sum(int((t * alpha >= 1).sum()) for alpha, _ in problems) for t in FACTORS]
    total = sum(len(alpha) for alpha, _ in problems)
    return right(
        f"Every logit is the same under every factor, and so are the chosen cells. A threshold of 1 would have kept "
        f"{counts[0]} of {total} cells at t = {FACTORS[0]:g} and {counts[-1]} at t = {FACTORS[-1]:g}. So a threshold belongs to "
        "one trained network and cannot be handed on; a share of the cells can."
    )


def _judge_rescaled(rescaled: Any) -> Verdict | None:
    for i, (alpha, features, weight, bias) in enumerate(attention_models()):
        for t in FACTORS:
            where = f"on model {i} of `learn.chapter_03.attention_models()` with t = {t:g}"
            result = called_with_tensors_too(rescaled, alpha, weight, t, name="`rescaled`", where=where)
            if not isinstance(result, (tuple, list)) or len(result) != 2:
                if isinstance(result, (tuple, list)) and len(result) == 3:
                    text = "Two things are expected. The bias is added after the sum over cells, no score multiplies it: it stays"
                    return not_yet(f"{text}. Found {where}.", hint=2)
                return not_yet(f"`rescaled` must return a pair, the new scores and the new W, {where}.", hint=1)
            scores = as_array(result[0], alpha.shape, f"the scores {where}")
            new = as_array(result[1], weight.shape, f"W {where}")
            if not close(scores, t * alpha, LOGIT_TOLERANCE):
                trap = recognised_trap(scores, {"They are divided by t": alpha / t, "They are as before": alpha})
                return not_yet(f"The scores must be t times larger. {trap + '. ' if trap else ''}Found {where}.", hint=1)
            before, after = logits(alpha, features, weight, bias), logits(scores, features, new, bias)
            if not close(after, before, LOGIT_TOLERANCE):
                traps = {
                    "Both are multiplied by t, so the evidence grows by its square: what the scores gain, W has to lose": t
                    * weight,
                    "W is as before, so the evidence grows by t: what the scores gain, W has to lose": weight,
                    "W is divided by the square of t; the scores enter the sum once": weight / t**2,
                    "W is divided by the root of t; all of t must come out of it": weight / np.sqrt(t),
                }
                trap = recognised_trap(new, traps)
                change = f"The logits change, by up to {np.abs(after - before).max():.3g}"
                return not_yet(f"{change}. {trap + '. ' if trap else ''}Found {where}.", hint=2)
    return None


def _judge_select(select: Any) -> Verdict | None:
    problems = score_lists()
    masks = [_mask(select, alpha, share, f"on list {i}") for i, (alpha, share) in enumerate(problems)]
    expected = [best_share(*problem) for problem in problems]
    wrong = [i for i, (mask, best) in enumerate(zip(masks, expected)) if not np.array_equal(mask, best)]
    traps = {text: np.concatenate([rule(*problem) for problem in problems]) for text, rule in SELECT_TRAPS.items()}
    trap = recognised_trap(np.concatenate(masks).astype(float), traps, 1e-9) if wrong else None
    if trap is None and (changed := _changes_with_t(select, problems, masks)):
        return changed
    if not wrong:
        return None
    first = wrong[0]
    alpha, share = problems[first]
    if trap is None and all(np.array_equal(np.sort(p[0][m]), np.sort(p[0][e])) for p, m, e in zip(problems, masks, expected)):
        trap = "The scores are the right ones, but of equal scores the lower index comes first: sort stably"
    count = f"{len(wrong)} of {len(problems)} lists differ, first list {first} {_OF_LISTS}"
    numbers = f"share {share:g} of {len(alpha)} cells: {int(masks[first].sum())} kept, {int(expected[first].sum())} expected"
    return not_yet(f"{trap + '. ' if trap else ''}{count} ({numbers}).", hint=2)


def _changes_with_t(select: Any, problems: list[tuple[np.ndarray, float]], masks: list[np.ndarray]) -> Verdict | None:
    for i, ((alpha, share), mask) in enumerate(zip(problems, masks)):
        for t in FACTORS:
            again = _mask(select, t * alpha, share, f"on list {i}, all scores times {t:g}")
            if not np.array_equal(again, mask):
                text = f"`select` keeps {int(mask.sum())} of {len(alpha)} cells, and {int(again.sum())} after all scores are"
                rule = (
                    "It compares scores with a number that does not grow with them, as a threshold does; compare scores only with"
                )
                return not_yet(f"{text} multiplied by {t:g}. {rule} each other. Found on list {i} {_OF_LISTS}.", hint=1)
    return None


_OF_LISTS = "of `learn.chapter_03.score_lists()`"


def _mask(select: Any, alpha: np.ndarray, share: float, where: str) -> np.ndarray:
    result = called_with_tensors_too(select, alpha, share, name="`select`", where=f"{where} {_OF_LISTS}")
    return _flags(result, len(alpha), "cell", where)


def _flags(result: Any, n: int, thing: str, where: str) -> np.ndarray:
    """Return a student's mask as booleans (n,); indices and other shapes are refused."""
    flags = as_array(result, name=f"the result {where}")
    if flags.size != n:
        raise AnswerFailed(f"One flag for each {thing} is expected, {n}, but got {flags.size} {where}.", hint=1)
    if not np.isin(flags, (0, 1)).all():
        raise AnswerFailed(f"Flags are expected, true or false, but the result holds {flags.max():g} {where}.", hint=1)
    return flags.reshape(-1) == 1


def _first(order: np.ndarray, k: float) -> np.ndarray:
    kept = np.zeros(len(order), bool)
    kept[order[: int(k)]] = True
    return kept


def _mass(alpha: np.ndarray, share: float) -> np.ndarray:
    """The fewest cells that hold the share of the whole attention."""
    order = np.argsort(-alpha, kind="stable")
    return _first(order, 1 + np.searchsorted(np.cumsum(alpha[order]), share * alpha.sum() - 1e-9))


SELECT_TRAPS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "A share of the largest score is not a share of the cells": lambda alpha, share: alpha >= share * alpha.max(),
    "The largest score less the share is not a share of the cells": lambda alpha, share: alpha >= (1 - share) * alpha.max(),
    "All scores at or above the mean are kept, whatever the share": lambda alpha, share: alpha >= alpha.mean(),
    "Cells are kept until they hold the share of the attention; the share is one of the cells": _mass,
    "The quantile keeps all cells that share the score at the limit, so a flat attention keeps everything: take the first "
    "K cells of a sorted list": lambda alpha, share: alpha >= np.quantile(alpha, 1 - share),
    "All cells that share the score of the last one are kept: take exactly K": lambda alpha, share: (
        alpha >= np.sort(alpha)[::-1][int(np.ceil(share * len(alpha))) - 1]
    ),
    "Cells strictly above the quantile are kept, so a flat attention keeps nothing: take the first K cells of a sorted list": (
        lambda alpha, share: alpha > np.quantile(alpha, 1 - share)
    ),
    "The worst cells are kept; turn the order round": lambda alpha, share: _first(
        np.argsort(alpha, kind="stable"), np.ceil(share * len(alpha))
    ),
    "Of equal scores the higher index comes first: sort the negative scores, stably, instead of reversing the order": (
        lambda alpha, share: _first(np.argsort(alpha, kind="stable")[::-1], np.ceil(share * len(alpha)))
    ),
    "The number of cells is rounded down, so a small image may keep none: round up": lambda alpha, share: _first(
        np.argsort(-alpha, kind="stable"), share * len(alpha)
    ),
    "The number of cells is rounded to the nearest integer: round up": lambda alpha, share: _first(
        np.argsort(-alpha, kind="stable"), round(share * len(alpha))
    ),
    "The share is dropped instead of kept": lambda alpha, share: _first(
        np.argsort(-alpha, kind="stable"), len(alpha) - np.ceil(share * len(alpha))
    ),
    "The flags are in the order of the scores; give them back in input order": lambda alpha, share: (
        np.arange(len(alpha)) < np.ceil(share * len(alpha))
    ),
}

register(
    Exercise(
        key="03-2",
        title="Scores have no unit",
        minutes=15,
        dots=2,
        hints=(
            "The classifier sees the scores only through the product of W and the weighted mean. What one factor gains, the "
            "other may lose. What survives any such change is the *order* of the scores.",
            "$\\frac{W}{t} \\frac{1}{N} \\sum_n (t \\alpha_n) f_n = W \\frac{1}{N} \\sum_n \\alpha_n f_n$. Keep the "
            "$K = \\lceil \\mathrm{share} \\cdot N \\rceil$ cells that come first in a stable sort by falling score.",
            "`return t * alpha, W / t`; and `order = np.argsort(-alpha, kind='stable')`, then "
            "`mask[order[:int(np.ceil(share * len(alpha)))]] = True` in a mask of `False`.",
        ),
        judge=judge_03_2,
    )
)

# --- 03-3: one index row, one query -----------------------------------------------------------------------------------------

EVERYTHING = 3.0  # unit vectors are at most 2 apart: no pair fails this threshold


def nearest_query_of_each(nearest: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """The reference answer of exercise 03-3: which pairs (i, nearest[i]) stay when an index row is used once."""
    order = np.lexsort((np.arange(len(nearest)), distances, nearest))
    first = np.ones(len(order), bool)
    first[1:] = nearest[order][1:] != nearest[order][:-1]
    kept = np.zeros(len(order), bool)
    kept[order[first]] = True
    return kept


def descriptor_pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the 60 problems ``(a (N, D), b (M, D))`` of exercise 03-3: unit rows, N at least M.

    Some rows of ``a`` repeat, so distances tie. The first four are the smallest cases: no query, one query, equal
    queries, one index row for all.
    """
    random = np.random.default_rng(34)

    def rows(n: int, dim: int = 4) -> np.ndarray:
        vectors = random.normal(size=(n, dim))
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    one = rows(1)
    problems = [(rows(0), rows(3)), (one, rows(1)), (np.repeat(one, 3, axis=0), rows(2)), (rows(6), rows(1))]
    while len(problems) < N_PROBLEMS:
        n = int(random.integers(4, 16))
        a = rows(n)
        copies = random.integers(0, n, (2, n // 3))
        a[copies[0]] = a[copies[1]]
        problems.append((a, rows(int(random.integers(1, min(n, 8))))))
    return problems


def neighbour_tables() -> list[tuple[np.ndarray, np.ndarray]]:
    """Return ``(nearest (N,) int64, distances (N,) float32)`` of each pair in ``descriptor_pairs``."""
    pairs = [retrieval.match_descriptors(a, b, EVERYTHING, one_to_one=False) for a, b in descriptor_pairs()]
    return [(pair.indices[:, 1], pair.distances) for pair in pairs]


def kept_by_the_package(mutual: bool = False) -> list[np.ndarray]:
    """Return, for each pair in ``descriptor_pairs``, which queries ``retrieval.match_descriptors`` keeps one to one."""
    kept = []
    for a, b in descriptor_pairs():
        pairs = retrieval.match_descriptors(a, b, EVERYTHING, one_to_one=True, mutual=mutual)
        kept.append(np.isin(np.arange(len(a)), pairs.indices[:, 0]))
    return kept


def judge_03_3(answer: Any) -> Verdict:
    """Judge ``one_to_one(nearest, distances)``."""
    tables, expected = neighbour_tables(), kept_by_the_package()
    of = "of `learn.chapter_03.neighbour_tables()`"
    found = []
    for i, (nearest, distances) in enumerate(tables):
        where = f"on table {i} ({len(nearest)} queries)"
        result = called_with_tensors_too(answer, nearest, distances, name="`one_to_one`", where=f"{where} {of}")
        found.append(_flags(result, len(nearest), "query", where))
    wrong = [i for i, (mask, truth) in enumerate(zip(found, expected)) if not np.array_equal(mask, truth)]
    if wrong:
        first = wrong[0]
        count = f"{len(wrong)} of {len(tables)} tables differ, first table {first} {of}"
        traps = {text: np.concatenate([rule(*table) for table in tables]) for text, rule in PAIR_TRAPS.items()}
        trap = recognised_trap(np.concatenate(found).astype(float), traps, 1e-9)
        found_words = _pairs_in_words(tables[first][0], found[first], expected[first])
        return not_yet(f"{trap}. {count}." if trap else f"{count}. {found_words}", hint=2)
    n, one = sum(len(nearest) for nearest, _ in tables), sum(int(mask.sum()) for mask in expected)
    mutual = sum(int(mask.sum()) for mask in kept_by_the_package(mutual=True))
    return right(
        f"It agrees with `retrieval.match_descriptors`: {one} of {n} pairs stay. Without the rule, a transform that sends the "
        "whole image to one point would call all pairs on the index row there inliers. The mutual test is stricter and keeps "
        f"{mutual}: a row whose nearest query prefers another row loses its pair there."
    )


def _pairs_in_words(nearest: np.ndarray, found: np.ndarray, expected: np.ndarray) -> str:
    used, times = np.unique(nearest[found], return_counts=True)
    if len(times) and times.max() > 1:
        return f"There, index row {used[times.argmax()]} is used {times.max()} times."
    missing = np.setdiff1d(nearest, used)
    if len(missing):
        return f"There, index row {missing[0]} is not used at all, though a query has it as its nearest."
    query = int(np.flatnonzero(expected & ~found)[0])
    return f"There, index row {nearest[query]} belongs to query {query}, and another query got it."


def _best_of(key: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return a rule that keeps, for each index row, the query with the smallest key; the lower one of equals."""
    return lambda nearest, distances: nearest_query_of_each(nearest, key(nearest, distances))


def _among(nearest: np.ndarray, distances: np.ndarray, best: Callable) -> np.ndarray:
    """Return for each query the best distance among the queries of its index row."""
    return np.array([best(distances[nearest == row]) for row in nearest])


def _alone(nearest: np.ndarray, distances: np.ndarray) -> np.ndarray:
    return np.array([(nearest == row).sum() == 1 for row in nearest], bool)


def _next_to_each_other(nearest: np.ndarray, distances: np.ndarray) -> np.ndarray:
    return np.append(True, nearest[1:] != nearest[:-1])[: len(nearest)]


def _in_sorted_order(nearest: np.ndarray, distances: np.ndarray) -> np.ndarray:
    return nearest_query_of_each(nearest, distances)[np.argsort(distances, kind="stable")]


PAIR_TRAPS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "All pairs are kept: an index row is used by several queries": lambda nearest, distances: np.ones(len(nearest), bool),
    "The first query of an index row is kept; the nearest one is asked for": _best_of(lambda n, d: np.arange(len(n))),
    "The last query of an index row is kept, as a dictionary does that is overwritten; the nearest one is asked for": _best_of(
        lambda n, d: -np.arange(len(n))
    ),
    "The farthest query of an index row is kept; turn the order round": _best_of(lambda n, d: -d),
    "Where several queries share an index row all of them are dropped; the nearest one stays": _alone,
    "Of queries that are equally near all are kept, so an index row is used twice: the lower query wins": lambda n, d: (
        d == _among(n, d, np.min) if len(n) else np.zeros(0, bool)
    ),
    "Of queries that are equally near the higher one is kept; the lower query wins": lambda n, d: nearest_query_of_each(
        n[::-1], d[::-1]
    )[::-1],
    "This is a mutual test, with the wrong table: `nearest[nearest[i]] == i` asks a *query* for its nearest. Mutual pairs need "
    "the distances seen from the index rows. One to one is asked for: of the queries of a row, the nearest": lambda n, d: (
        n[n] == np.arange(len(n))
    ),
    "Only queries that follow each other are compared; sort by index row first": _next_to_each_other,
    "The flags are in the order of the distances; give them back in input order": _in_sorted_order,
}

register(
    Exercise(
        key="03-3",
        title="One index row, one query",
        minutes=20,
        dots=3,
        hints=(
            "Group the queries by the index row they chose. In each group one stays: the one at the smallest distance. "
            "The best pair of all is always safe, so let the pairs choose by growing distance.",
            "Pair $i$ stays if no other query $j$ with $\\mathrm{nearest}_j = \\mathrm{nearest}_i$ has "
            "$(d_j, j) < (d_i, i)$, compared first by distance, then by number.",
            "`taken, kept = set(), np.zeros(len(nearest), bool)`; `for i in np.argsort(distances, kind='stable'):` "
            "`if nearest[i] not in taken:` `kept[i] = True` and `taken.add(nearest[i])`.",
        ),
        judge=judge_03_3,
    )
)
