"""The exercises of `01_vlad`.

===========  ============================================  =======  ==========================================
key          title                                         minutes  what is judged
===========  ============================================  =======  ==========================================
``01-1``     VLAD without a loop                           5        values, on three random images
``01-2``     One ranking, four recalls                     15       four numbers of ``panorama_problem()``
``01-3``     Invent a normalisation                        20       properties: several answers are right
===========  ============================================  =======  ==========================================
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils import retrieval
from course_utils.learn.exercise import Exercise, Verdict, called, not_yet, register, right

TOLERANCE = 1e-4


# --- 01-1: VLAD without a loop ------------------------------------------------------------------------------------------


def reference_sums(x: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Residual sums (K, D) by the double loop of the definition."""
    sums = np.zeros(centers.shape)
    for row in x:
        nearest = int(((row - centers) ** 2).sum(1).argmin())
        sums[nearest] += row - centers[nearest]
    return sums


def judge_01_1(answer: Any) -> Verdict:
    """Judge ``vlad(X, C)``: raw residual sums, cluster-major, without a Python loop."""
    for seed in (1, 2, 3):
        rng = np.random.default_rng(seed)
        n, k, d = rng.integers(6, 12), rng.integers(3, 5), rng.integers(4, 7)
        centers = rng.normal(size=(k, d)) * np.linspace(0.5, 2.0, k)[:, None]
        centers[-1] = 50.0  # an empty cluster
        x = rng.normal(size=(n, d))
        problem = _compare_01_1(answer, x, centers, f"on a random image (`np.random.default_rng({seed})`, N={n}, K={k}, D={d})")
        if problem is not None:
            return problem
    empty = _values(
        called(answer, np.zeros((0, d)), centers, name="`vlad`", where="on an image without descriptors, `X` of shape (0, D)")
    )
    if empty is None or empty.size != k * d or not np.isfinite(empty).all() or np.abs(empty).max() > 0:
        return not_yet("An image without descriptors (N = 0) must give K * D zeros.", hint=2)
    if _has_loop(answer):
        return not_yet("The numbers are right, but there is still a Python loop. Two matrix products can replace it.", hint=2)
    return right(
        "Two matrix products serve one image or a thousand: this is what `retrieval.VLAD` does for a whole data set at once."
    )


def _compare_01_1(answer: Any, x: np.ndarray, centers: np.ndarray, where: str) -> Verdict | None:
    sums = reference_sums(x, centers)
    values = _values(called(answer, x, centers, name="`vlad`", where=where))
    where = where[0].upper() + where[1:]
    if values is None:
        return not_yet(f"{where}: the result must be an array of numbers.", hint=1)
    k, d = centers.shape
    if values.size == k:
        return not_yet(
            f"{where}: {k} numbers came back, one per word. That is a bag of words; VLAD has K * D = {k * d} numbers.", hint=1
        )
    if values.size != k * d:
        return not_yet(f"{where}: {values.size} numbers came back, but K * D = {k * d} are expected.", hint=1)
    v = values.ravel()
    if np.allclose(v, sums.ravel(), atol=TOLERANCE):
        return None
    if not np.isfinite(v).all():
        return not_yet(f"{where}: NaN or infinity came back. Word {k - 1} has no descriptor: do not divide by its count.", hint=2)
    assigned = ((x[:, None] - centers) ** 2).sum(-1).argmin(1)
    counts = np.bincount(assigned, minlength=k)[:, None]
    by_product = (x @ centers.T).argmax(1)
    plain_sums = sums + counts * centers
    traps = [
        (-sums.ravel(), "the sign is turned round: a residual is descriptor minus centre", 1),
        (sums.T.ravel(), "the order is component-major; VLAD is cluster-major: all D numbers of word 0 come first", 2),
        (sums.ravel() / max(np.linalg.norm(sums), 1e-12), "the vector is normalised, but the raw sums are asked for", 1),
        (
            (sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)).ravel(),
            "the blocks are normalised, but the raw sums are asked for",
            1,
        ),
        ((sums / np.maximum(counts, 1)).ravel(), "residuals are averaged; VLAD sums them", 1),
        (plain_sums.ravel(), "descriptors are summed, but the centres are not subtracted", 2),
        ((plain_sums - centers).ravel(), "each centre is subtracted once; subtract it once per descriptor, n_k times", 2),
        (
            np.stack([(x[by_product == j] - centers[j]).sum(0) for j in range(k)]).ravel(),
            "descriptors go to the centre with the largest inner product; the nearest centre is meant, so |c|^2 counts too",
            2,
        ),
    ]
    for trap, text, hint in traps:
        if np.allclose(v, trap, atol=TOLERANCE):
            return not_yet(f"{where}: {text}.", hint=hint)
    worst = int(np.abs(v - sums.ravel()).argmax())
    return not_yet(
        f"{where}: entry {worst} (word {worst // d}, component {worst % d}) is {v[worst]:.4g}, expected {sums.ravel()[worst]:.4g}.",
        hint=2,
    )


def _values(result: Any) -> np.ndarray | None:
    """The result as float array, or None; tensors are welcome."""
    if hasattr(result, "detach"):
        result = result.detach().cpu().numpy()
    try:
        return np.asarray(result, float)
    except (TypeError, ValueError):
        return None


def _has_loop(function: Callable) -> bool:
    """Whether the function's own source holds a loop or a comprehension; False where the source cannot be read."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return False
    loops = (ast.For, ast.While, ast.ListComp, ast.GeneratorExp, ast.DictComp, ast.SetComp)
    return any(isinstance(node, loops) for node in ast.walk(tree))


register(
    Exercise(
        key="01-1",
        title="VLAD without a loop",
        minutes=5,
        dots=1,
        hints=(
            "Write the assignment as a matrix `A` of shape (N, K): row i has a single 1, in the column of the nearest centre. "
            "Which matrix product of `A` and `X` sums the descriptors of each word?",
            "$V = A^\\top X - \\mathrm{diag}(A^\\top \\mathbf{1})\\, C$, and the nearest centre minimises "
            "$\\lVert c_k \\rVert^2 - 2\\, x_i^\\top c_k$.",
            "`a = ((C ** 2).sum(1) - 2 * X @ C.T).argmin(1)` and `A = np.eye(len(C))[a]`; `A.sum(0)[:, None]` holds the counts.",
        ),
        judge=judge_01_1,
    )
)


# --- 01-2: one ranking, four recalls --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PanoramaProblem:
    """The data of exercise 01-2.

    Attributes
    ----------
    query_positions, database_positions : ndarray of shape (Q, 2) and (M, 2)
        Metres.
    panoramas : ndarray of shape (M,), int
        Panorama that each database image was cut from; all crops of one stand at the same position.
    ranked : ndarray of shape (Q, M), int
        The whole database in order, best first.
    radius : float
        25 metres; the end is included.
    """

    query_positions: np.ndarray
    database_positions: np.ndarray
    panoramas: np.ndarray
    ranked: np.ndarray
    radius: float = 25.0


FOUR_RECALLS = ("all queries", "with a match", "all queries, suppressed", "with a match, suppressed")


def panorama_problem(seed: int = 101) -> PanoramaProblem:
    """Return 24 queries, 30 panoramas of 4 crops each, and a ranking in which crops of one panorama stand together."""
    rng = np.random.default_rng(seed)
    panorama_positions = np.stack([20.0 * np.arange(30), np.zeros(30)], axis=1)
    query_positions = np.stack([rng.integers(0, 118, 24) * 5.0, np.full(24, 15.0)], axis=1)  # 20 m to the side: exactly 25 m
    query_positions[:5, 1] = 400.0  # places that the database never saw
    panoramas = np.repeat(np.arange(30), 4)
    distance = np.linalg.norm(query_positions[:, None] - panorama_positions, axis=2)
    liking = -distance / 40 + rng.normal(size=distance.shape) * 2.2  # a mediocre method: near panoramas are preferred
    crops = liking[:, panoramas] + 0.25 * rng.normal(size=(24, 120))
    return PanoramaProblem(query_positions, panorama_positions[panoramas], panoramas, np.argsort(-crops, axis=1, kind="stable"))


def four_recalls(problem: PanoramaProblem, n: int = 5) -> dict[str, float]:
    """The reference answer of exercise 01-2."""
    positives = retrieval.positives_within(problem.query_positions, problem.database_positions, problem.radius)
    rankings = (problem.ranked, retrieval.suppress_groups(problem.ranked, problem.panoramas))
    values = [retrieval.recall_at_n(r, positives, (n,), empty=e).recall[n] for r in rankings for e in ("count", "drop")]
    return dict(zip(FOUR_RECALLS, values))


def judge_01_2(answer: Any) -> Verdict:
    """Judge the four values of Recall@5."""
    names = ", ".join(f'"{name}"' for name in FOUR_RECALLS)
    if isinstance(answer, Mapping):
        missing = [name for name in FOUR_RECALLS if name not in answer]
        if missing:
            return not_yet(f'There is no entry "{missing[0]}". The four names are: {names}.', hint=1)
        answer = [answer[name] for name in FOUR_RECALLS]
    values = _values(answer)
    if values is None or values.size != 4:
        return not_yet(f"Four numbers are expected, in a dictionary with the names {names}.", hint=1)
    got, problem = values.ravel(), panorama_problem()
    expected = np.array(list(four_recalls(problem).values()))
    if np.allclose(got, expected, atol=1e-3):
        return right(
            f"One ranking, four honest numbers from {expected.min():.2f} to {expected.max():.2f}: "
            "a table that does not name its convention cannot be compared with another."
        )
    if np.allclose(got, 100 * expected, atol=0.1):
        return not_yet("These are percent. Recall is asked for as a share between 0 and 1.", hint=1)
    for trap, text, hint in _traps_01_2(problem, expected):
        if np.allclose(got, trap, atol=1e-3):
            return not_yet(text, hint=hint)
    wrong = int(np.flatnonzero(np.abs(got - expected) > 1e-3)[0])
    return not_yet(f'"{FOUR_RECALLS[wrong]}" is {got[wrong]:.3f}, which is not right yet.', hint=1 if wrong < 2 else 2)


def _traps_01_2(problem: PanoramaProblem, expected: np.ndarray) -> list[tuple[np.ndarray, str, int]]:
    distance = np.linalg.norm(problem.query_positions[:, None] - problem.database_positions, axis=2)
    exclusive = [np.flatnonzero(row < problem.radius) for row in distance]
    inclusive = [np.flatnonzero(row <= problem.radius) for row in distance]
    suppressed = retrieval.suppress_groups(problem.ranked, problem.panoramas)
    late = retrieval.suppress_groups(problem.ranked[:, :5], problem.panoramas)

    def four(positives: list[np.ndarray], rankings: tuple, n: int = 5) -> np.ndarray:
        return np.array(
            [retrieval.recall_at_n(r, positives, (n,), empty=e).recall[n] for r in rankings for e in ("count", "drop")]
        )

    def share_found() -> np.ndarray:
        rows = []
        for ranking in (problem.ranked, suppressed):
            share = [np.isin(p, r[:5]).mean() if len(p) else 0.0 for p, r in zip(inclusive, ranking)]
            rows += [np.mean(share), np.sum(share) / sum(len(p) > 0 for p in inclusive)]
        return np.array(rows)

    both = (problem.ranked, suppressed)
    return [
        (expected[[1, 0, 3, 2]], "The two denominators are exchanged: over all queries the number is the smaller one.", 1),
        (expected[[2, 3, 0, 1]], "The rankings with and without suppression are exchanged.", 1),
        (
            four(inclusive, (problem.ranked, late)),
            "Suppression changed nothing. You cut to 5 first; removing doubles from five results cannot bring a new one in. "
            "Suppress first, then cut.",
            2,
        ),
        (four(exclusive, both), "A query exactly 25 m from an image counts as matched: the radius includes its end.", 2),
        (four(inclusive, both, 1), "These are the values of Recall@1. Recall@5 is asked for.", 1),
        (four(inclusive, both, 4), "Only the first 4 results were looked at. Recall@5 looks at 5.", 1),
        (four(inclusive, both, 6), "The first 6 results were looked at. Recall@5 looks at 5.", 1),
        (
            share_found(),
            "This is the share of all correct images that were found, the recall of information retrieval. "
            "Recall@N of place recognition asks whether there is at least one.",
            1,
        ),
    ]


register(
    Exercise(
        key="01-2",
        title="One ranking, four recalls",
        minutes=15,
        dots=2,
        hints=(
            "A query succeeds if at least one of its first 5 results is within 25 m. First find, for every query, the database "
            "images within 25 m; then count successes; then choose what to divide by.",
            "With suppression: walk down the whole ranking, keep the best crop of each panorama, and cut to 5 *afterwards*. "
            "With a match: divide by the number of queries that have at least one database image within 25 m.",
            "`retrieval.positives_within(...)`, `retrieval.suppress_groups(ranked, panoramas)`, "
            "`retrieval.recall_at_n(ranked, positives, n=(5,), empty='drop').recall[5]`.",
        ),
        judge=judge_01_2,
    )
)


# --- 01-3: invent a normalisation -------------------------------------------------------------------------------------------


def _images_01_3() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Residual sums (8, 6) of an image, of the same image with one word repeated 20 times, and of an unrelated image."""
    rng = np.random.default_rng(5)
    image, other = rng.normal(size=(8, 6)), rng.normal(size=(8, 6))
    image[3] = other[3] = 0.0  # an empty word
    burst = image.copy()
    burst[5] *= 20.0
    return image, burst, other


def judge_01_3(answer: Any) -> Verdict:
    """Judge ``normalise(V)`` by its properties."""
    image, burst, other = _images_01_3()
    results = []
    for sums in (image, burst, other, -image):
        v = _values(called(answer, sums, name="`normalise`", where="on V of shape (8, 6)"))
        if v is None or v.size != sums.size:
            size = "no array" if v is None else f"{v.size} numbers"
            return not_yet(f"{size} came back, but V has K * D = {sums.size}.", hint=1)
        results.append(v.reshape(sums.shape))
    a, b, c, minus = results
    if not all(np.isfinite(v).all() for v in results):
        where = "word 3, which is empty" if not np.isfinite(a[3]).all() else "an entry of V that is negative"
        return not_yet(f"NaN or infinity came back for {where}. Guard the division; keep the sign outside the root.", hint=2)
    length = np.linalg.norm(a)
    if abs(length - 1) > 1e-3:
        return not_yet(f"The vector has length {length:.3f}, not 1: inner products of such vectors are no cosines.", hint=1)
    if np.abs(a[3]).max() > 1e-6:
        return not_yet("Word 3 is empty, but its block is not zero: an absent word must not speak.", hint=1)
    if np.abs(minus + a).max() > 1e-3:
        return not_yet(
            "`normalise(-V)` should be `-normalise(V)`. The sign is lost: residuals to the left and right look alike.", hint=2
        )
    plain = 1 - _cosine(image, burst)
    change = 1 - float((a * b).sum())
    wrong_axis = image / np.maximum(np.linalg.norm(image, axis=0, keepdims=True), 1e-12)
    if np.allclose(a, wrong_axis / np.linalg.norm(wrong_axis), atol=1e-3):
        return not_yet("The blocks run along the wrong axis: a word is a row of V, so take the length over `axis=1`.", hint=2)
    if change > plain / 2:
        return not_yet(
            f"Repeating one word 20 times changes your vector by {change:.2f} (1 - cosine); plain VLAD changes by {plain:.2f}. "
            "At most half of that is asked for.",
            hint=1,
        )
    mixed = float((a * c).sum())
    if abs(mixed) > 0.6:
        return not_yet(
            f"Two unrelated images have similarity {mixed:.2f}: so much was removed that all images look alike.", hint=1
        )
    return right(
        f"Your vector changes by {change:.3f} under a burst, plain VLAD by {plain:.2f}. "
        "Now compare your normalisation with `intra` on the street world: that is how the published ones were found."
    )


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b))


register(
    Exercise(
        key="01-3",
        title="Invent a normalisation",
        minutes=20,
        dots=3,
        hints=(
            "A burst makes one block of V long without changing its direction. What could you do to the *length* of each block "
            "before the last L2 normalisation?",
            "$V_k \\cdot f(\\lVert V_k \\rVert) / \\lVert V_k \\rVert$ with a function $f$ that grows slowly, $f(0) = 0$: "
            "a constant gives intra-normalisation, $\\sqrt{\\cdot}$ or $\\log(1 + \\cdot)$ lie between it and plain VLAD.",
            "`n = np.linalg.norm(V, axis=1, keepdims=True)`, then `V = V / np.maximum(n, 1e-12) * np.log1p(n)`, then L2.",
        ),
        judge=judge_01_3,
    )
)
