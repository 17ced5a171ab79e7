"""The exercises of `17_patchshuffle_and_augmix`.

===========  ============================================  =======  =============================================
key          title                                         minutes  what is judged
===========  ============================================  =======  =============================================
``17-1``     The divergence of three answers               10       a function, on 60 sets of distributions
``17-2``     Shuffle the windows                           15       a function, on 40 images
``17-3``     Why a mixture stays near                      20       a function, on 30 pairs of alpha and width
===========  ============================================  =======  =============================================
"""

from __future__ import annotations

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

EXACT = 1e-9
NEAR = 0.01
"""A mean over some thousand draws is as near as this, and no formula."""

# --- 17-1: the divergence of three answers ------------------------------------------------------------------------------------


def answers() -> list[np.ndarray]:
    """Return the 60 sets of exercise 17-1, each (V, K): V distributions over K classes, some with zeros."""
    random = np.random.default_rng(17)
    sets = [np.array([[0.7, 0.3], [0.5, 0.5], [0.2, 0.8]]), np.eye(3)]
    while len(sets) < 60:
        n_views, n_classes = int(random.integers(2, 6)), int(random.integers(2, 8))
        p = random.dirichlet(np.full(n_classes, 0.5), n_views)
        if len(sets) % 4 == 0:
            p[0] = np.eye(n_classes)[0]  # certain
        sets.append(p)
    return sets


def _entropy(p: np.ndarray) -> np.ndarray:
    return -np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0.0).sum(-1)


def _divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """KL(p || q) with q kept off zero, for the slips."""
    ratio = np.where(p > 0, p, 1) / np.maximum(q, 1e-12)
    return np.where(p > 0, p * np.log(ratio), 0.0).sum(-1)


def divergence(p: np.ndarray) -> float:
    """The reference answer of exercise 17-1."""
    return float(_entropy(p.mean(0)) - _entropy(p).mean())


DIVERGENCE_TRAPS: dict[str, Callable[[np.ndarray], float]] = {
    "This measures from the first answer, the clean one, and not from the mixture of all": lambda p: float(
        _divergence(p, p[:1]).mean()
    ),
    "This is KL(M || p), the other way round; the answer stands first": lambda p: float(_divergence(p.mean(0)[None], p).mean()),
    "The divergences are summed; take their mean": lambda p: len(p) * divergence(p),
    "The logarithm has base 2; the loss uses natural logarithms": lambda p: divergence(p) / np.log(2),
    "This is the entropy of the mixture; the mean entropy of the answers has to be taken off": lambda p: float(
        _entropy(p.mean(0))
    ),
    "This is the square root, a distance; the loss takes the divergence itself": lambda p: float(np.sqrt(max(divergence(p), 0))),
    "The sign is turned round": lambda p: -divergence(p),
    "This is the mean over classes, too; a divergence sums over the classes": lambda p: divergence(p) / p.shape[1],
    "Only the first two answers are compared; the mixture is the mean of all": lambda p: divergence(p[:2]),
}


def judge_17_1(answer: Any) -> Verdict:
    """Judge ``divergence(p)`` on the sets of ``answers``."""
    sets = answers()
    with np.errstate(all="ignore"):
        found = np.array([_number(called(answer, p.copy(), name="`js`", where=f"on set {i}"), i) for i, p in enumerate(sets)])
    expected = np.array([divergence(p) for p in sets])
    wrong = np.flatnonzero(~(np.abs(found - expected) <= EXACT))
    if not len(wrong):
        return right(
            f"All {len(sets)} sets agree. Three certain and different answers give ln 3 = {np.log(3):.4f}, the largest value, so "
            "twelve times the divergence is at most 13.2: the loss cannot run away, whatever the mixtures look like."
        )
    k = int(wrong[0])
    where = f"Set {k} of `learn.chapter_17.answers()`: {found[k]:.4f}, expected {expected[k]:.4f}."
    trap = recognised_trap(found, {text: [rule(p) for p in sets] for text, rule in DIVERGENCE_TRAPS.items()}, EXACT)
    return not_yet(f"{trap}. {where}" if trap else where, hint=2 if trap else 1)


def _number(result: Any, i: int) -> float:
    """Return a result as a number; what 0 in an answer does to a logarithm or a quotient is said in words."""
    name = f"`js` of set {i}"
    if isinstance(result, (float, np.ndarray)) and np.size(result) == 1 and not np.isfinite(result):
        if np.isnan(result):
            what = "NaN. A certain answer holds zeros, and 0 · ln 0 counts as 0; NumPy says NaN"
        else:
            what = (
                "infinity. Something is divided by an entry that is 0. Divide by the mixture: it is 0 only where every answer is"
            )
        raise AnswerFailed(f"{name} is {what}.", 3)
    return float(as_array(result, (), name))


register(
    Exercise(
        key="17-1",
        title="The divergence of three answers",
        minutes=10,
        dots=1,
        hints=(
            "First make the mixture: the mean of the answers, class by class. Then ask of each answer how far it is from the mixture.",
            "$\\mathrm{JS} = \\frac{1}{V} \\sum_v \\sum_k p_{vk} \\ln (p_{vk} / M_k)$ with $M = \\frac{1}{V} \\sum_v p_v$; "
            "equally, entropy of the mixture minus mean entropy.",
            "`scipy.special.xlogy(p, p)` is 0 where p is 0; then `H = -xlogy(p, p).sum(-1)`.",
        ),
        judge=judge_17_1,
    )
)


# --- 17-2: shuffle the windows -----------------------------------------------------------------------------------------------


def images_and_orders() -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the 40 pairs of exercise 17-2: an image (C, H, W) and an order (P, 4) for its windows of 2 x 2."""
    random = np.random.default_rng(172)
    pairs = []
    for _ in range(40):
        channels, height, width = (int(v) for v in random.integers((2, 3, 4), (5, 9, 10)))
        image = random.permutation(channels * height * width).reshape(channels, height, width).astype(float)
        order = random.permuted(np.tile(np.arange(4), ((height // 2) * (width // 2), 1)), axis=1)
        pairs.append((image, order))
    return pairs


def _shuffled(
    image: np.ndarray, order: np.ndarray, *, inverse=False, columns=False, inside=False, torn=False, first=False, still=False
) -> np.ndarray:
    """The definition with a loop; the slips are options."""
    out = image.copy()
    order = np.broadcast_to(np.arange(4) if still else order[0] if first else order, order.shape)
    down, across = image.shape[1] // 2, image.shape[2] // 2
    for w in range(down * across):
        row, column = (w % down, w // down) if columns else divmod(w, across)
        block = image[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        pixels = (block.transpose(0, 2, 1) if inside else block).reshape(len(image), 4)
        source = np.argsort(order[w]) if inverse else order[w]
        moved = pixels[:, source]
        if torn:
            moved = np.stack([pixels[c, np.roll(source, c)] for c in range(len(image))])
        moved = moved.reshape(len(image), 2, 2)
        out[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = moved.transpose(0, 2, 1) if inside else moved
    return out


def shuffled(image: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The reference answer of exercise 17-2."""
    return _shuffled(image, order)


SHUFFLE_TRAPS: dict[str, dict[str, bool]] = {
    "Pixel j is sent to place order[j]; it has to come from there": {"inverse": True},
    "The windows are counted column by column; count them row by row": {"columns": True},
    "The pixels inside a window are counted column by column; count them row by row": {"inside": True},
    "The first window's order is used for all windows; each has its own": {"first": True},
    "No pixel has moved": {"still": True},
}


def judge_17_2(answer: Any) -> Verdict:
    """Judge ``shuffle_image(image, order)`` on the pairs of ``images_and_orders``."""
    pairs = images_and_orders()
    found = []
    for i, (image, order) in enumerate(pairs):
        out = called(answer, image.copy(), order.copy(), name="`shuffle_image`", where=f"on pair {i}")
        found.append(as_array(out, image.shape, f"`shuffle_image` of pair {i}"))
    expected = [shuffled(*pair) for pair in pairs]
    wrong = [i for i, (a, b) in enumerate(zip(found, expected, strict=True)) if not np.array_equal(a, b)]
    if not wrong:
        return right(
            f"All {len(pairs)} images agree. Every window kept its values, so its mean and its maximum are the old ones: what is "
            "larger than a window does not notice."
        )
    flat = np.concatenate([one.ravel() for one in found])
    slips = {text: np.concatenate([_shuffled(*p, **slip).ravel() for p in pairs]) for text, slip in SHUFFLE_TRAPS.items()}
    trap = recognised_trap(flat, slips, EXACT)
    k = wrong[0]
    where = f"Pair {k} of `learn.chapter_17.images_and_orders()` differs."
    if not trap and any(_touched_border(pairs[i][0], found[i]) for i in wrong):
        trap = "A row or column that belongs to no whole window has changed; it stays as it is"
    elif not trap and any(_torn(pairs[i][0], found[i]) for i in wrong):
        trap = "The channels of a pixel were moved apart; a colour moves as one"
    return not_yet(f"{trap}. {where}" if trap else where, hint=2 if trap else 1)


def _touched_border(image: np.ndarray, out: np.ndarray) -> bool:
    height, width = image.shape[1] // 2 * 2, image.shape[2] // 2 * 2
    return not (np.array_equal(out[:, height:], image[:, height:]) and np.array_equal(out[..., width:], image[..., width:]))


def _torn(image: np.ndarray, out: np.ndarray) -> bool:
    """Tell whether some colour of ``out`` is no colour of ``image`` although every value is."""
    before, after = (set(map(tuple, one.reshape(len(one), -1).T)) for one in (image, out))
    return set(image.ravel()) == set(out.ravel()) and before != after


register(
    Exercise(
        key="17-2",
        title="Shuffle the windows",
        minutes=15,
        dots=2,
        hints=(
            "Cut the image into windows, change the order inside each, and put them back. A loop over the windows is fine.",
            "Window w has its top left pixel at row `2 * (w // across)` and column `2 * (w % across)`, with "
            "`across = W // 2`. All channels use the same order.",
            "`block = image[:, y:y+2, x:x+2].reshape(C, 4)` and `out[:, y:y+2, x:x+2] = block[:, order[w]].reshape(C, 2, 2)`.",
        ),
        judge=judge_17_2,
    )
)


# --- 17-3: why a mixture stays near ------------------------------------------------------------------------------------------


def settings() -> list[tuple[float, int]]:
    """Return the 30 pairs (alpha, k) of exercise 17-3; the first is the paper's."""
    random = np.random.default_rng(173)
    return [(1.0, 3), *((float(a), int(k)) for a, k in zip(random.uniform(0.1, 8, 29).round(2), random.integers(1, 9, 29)))]


def distance(alpha: float, k: int) -> float:
    """The reference answer of exercise 17-3."""
    return (alpha + 1) / (2 * (2 * alpha + 1)) * (alpha + 1) / (k * alpha + 1)


DISTANCE_TRAPS: dict[str, Callable[[float, int], float]] = {
    "This is the mean of the squared weights alone; m shrinks every deviation, too": lambda a, k: (a + 1) / (k * a + 1),
    "This is E[m^2] alone; the weights of the chains are missing": lambda a, k: (a + 1) / (2 * (2 * a + 1)),
    "The weights are taken as 1/k each; they are random, and a square rewards the uneven draws": lambda a, k: (
        (a + 1) / (2 * (2 * a + 1)) / k
    ),
    "m is taken as its mean 1/2; the square of m is larger on average than 1/4": lambda a, k: (a + 1) / (k * a + 1) / 4,
    "The weights are taken as 1/k each, and m as 1/2; both are random, and squares reward the uneven draws": lambda a, k: (
        1 / (4 * k)
    ),
    "This is the square root; the squared distance is asked for": lambda a, k: np.sqrt(distance(a, k)),
    "This is E[m] instead of E[m^2]": lambda a, k: (a + 1) / (k * a + 1) / 2,
    "Only one squared weight is counted; there are k of them": lambda a, k: (
        (a + 1) / (2 * (2 * a + 1)) * (a + 1) / (k * (k * a + 1))
    ),
}


def judge_17_3(answer: Any) -> Verdict:
    """Judge ``distance_of_mixture(alpha, k)`` on the pairs of ``settings``."""
    pairs, name = settings(), "distance_of_mixture"
    found = np.array(
        [float(as_array(called(answer, *pair, name=f"`{name}`", where=f"with {pair}"), (), f"`{name}{pair}`")) for pair in pairs]
    )
    expected = np.array([distance(*pair) for pair in pairs])
    wrong = np.flatnonzero(~(np.abs(found - expected) <= EXACT))
    if not len(wrong):
        return right(
            f"All {len(pairs)} pairs agree. With the paper's numbers a mixture keeps a factor of {distance(1.0, 3):.3f} of the squared "
            "distance that one chain alone goes: three chains, and room left for strong ones."
        )
    k = int(wrong[0])
    where = f"`{name}{pairs[k]}` gives {found[k]:.6f}, expected {expected[k]:.6f}."
    trap = recognised_trap(found, {text: [rule(*pair) for pair in pairs] for text, rule in DISTANCE_TRAPS.items()}, EXACT)
    if not trap and np.abs(found - expected).max() < NEAR:
        trap = "Near, but a mean over draws is no formula: the two expectations can be written down"
    return not_yet(f"{trap}. {where}" if trap else where, hint=2 if trap else 1)


register(
    Exercise(
        key="17-3",
        title="Why a mixture stays near",
        minutes=20,
        dots=3,
        hints=(
            "The mixture differs from x by m times the weighted sum of the deviations. Square it; what happens to the mixed terms "
            "when the deviations are independent and have mean 0?",
            "$\\mathbb{E}[m^2] \\cdot \\mathbb{E}[\\sum_i w_i^2]$, because m and w are independent. For the Dirichlet distribution "
            "$\\mathbb{E}[w_i^2] = \\frac{\\alpha (\\alpha + 1)}{k \\alpha (k \\alpha + 1)}$, and Beta is the case of two shares.",
            "`(alpha + 1) / (k * alpha + 1)` is the sum over the chains; `m` gets `alpha * (alpha + 1) / (2 * alpha * (2 * alpha + 1))`.",
        ),
        judge=judge_17_3,
    )
)
