"""The exercises of `14_erasing`.

===========  ============================================  =======  =============================================
key          title                                         minutes  what is judged
===========  ============================================  =======  =============================================
``14-1``     How much does Cutout hide?                    5        a function, on 60 sizes and sides
``14-2``     The value that changes nothing                15       a function, on 20 sets of images
``14-3``     From a map to a box                           20       a function, on 120 maps
===========  ============================================  =======  =============================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import ndimage

from course_utils.learn.exercise import Exercise, Verdict, as_array, called, not_yet, recognised_trap, register, right

EXACT = 1e-9
NEAR = 0.02
"""A mean over some thousand draws is as near as this, and no exact answer."""

# --- 14-1: how much does Cutout hide? ---------------------------------------------------------------------------------------


def sizes_and_sides() -> list[tuple[int, int]]:
    """Return the 60 pairs ``(size, length)`` of exercise 14-1; the first three are the paper's data sets."""
    pairs = [(32, 16), (32, 8), (32, 20)]
    random = np.random.default_rng(14)
    while len(pairs) < 60:
        size = int(random.integers(4, 40))
        pairs.append((size, int(random.integers(1, size + size // 2 + 2))))
    return pairs


def _sides(size: int, length: int) -> np.ndarray:
    """Return how many pixels of a row the square covers, for every centre."""
    first = np.arange(size) - length // 2
    return np.minimum(first + length, size) - np.maximum(first, 0)


def masked_share(size: int, length: int) -> float:
    """The reference answer of exercise 14-1."""
    return float((_sides(size, length).mean() / size) ** 2)


def _of_code(size: int, length: int) -> float:
    centres, half = np.arange(size), length // 2
    return float(((np.minimum(centres + half, size) - np.maximum(centres - half, 0)).mean() / size) ** 2)


SHARE_TRAPS: dict[str, Callable[[int, int], float]] = {
    "This is L² / S², the share of a square that never sticks out; near the border a part of it is cut off": lambda s, length: (
        (min(length, s) / s) ** 2
    ),
    "This is L² / S², as if no square stuck out; near the border a part is cut off, and no more than the image can be hidden": (
        lambda s, length: (length / s) ** 2
    ),
    "This is what stays visible, one minus the hidden share": lambda s, length: 1 - masked_share(s, length),
    "This is the number of hidden pixels; divide it by that of the image": lambda s, length: s**2 * masked_share(s, length),
    "This is in percent; a share lies between 0 and 1": lambda s, length: 100 * masked_share(s, length),
    "This is the share of one row; the square is cut off in both directions": lambda s, length: float(
        _sides(s, length).mean() / s
    ),
    "The mean is taken over squared sides, as if row and column were cut off together; they are drawn independently": (
        lambda s, length: float(((_sides(s, length) / s) ** 2).mean())
    ),
    "For odd L this masks L - 1 pixels, as the official code does; here an odd side is exact": _of_code,
}


def judge_14_1(answer: Any) -> Verdict:
    """Judge ``share(size, length)`` on the pairs of ``sizes_and_sides``."""
    pairs = sizes_and_sides()
    found = np.array(
        [float(as_array(called(answer, *pair, name="`share`", where=f"with {pair}"), (), f"`share{pair}`")) for pair in pairs]
    )
    expected = np.array([masked_share(*pair) for pair in pairs])
    wrong = np.flatnonzero(np.abs(found - expected) > EXACT)
    if not len(wrong):
        return right(
            f"All {len(pairs)} pairs agree. So Cutout's L = 16 hides {masked_share(32, 16):.1%} of a 32 pixel image on average, and "
            "a fair comparison with another method sets the hidden share equal, not the side.".replace("%", " %")
        )
    k = int(wrong[0])
    where = f"`share{pairs[k]}` gives {found[k]:.6f}, expected {expected[k]:.6f}."
    trap = recognised_trap(found, {text: [rule(*pair) for pair in pairs] for text, rule in SHARE_TRAPS.items()}, EXACT)
    if not trap and np.abs(found - expected).max() < NEAR:
        trap = "Near, but not exact: go through all centres once instead of drawing some"
    return not_yet(f"{trap}. {where}" if trap else where, hint=2 if trap else 1)


register(
    Exercise(
        key="14-1",
        title="How much does Cutout hide?",
        minutes=5,
        dots=1,
        hints=(
            "Rows and columns are cut off independently. How many of the pixels of one row does the square cover, for each centre?",
            "With centre $c$ the rows $\\max(0, c - \\lfloor L/2 \\rfloor)$ to $\\min(S, c - \\lfloor L/2 \\rfloor + L)$ are covered. "
            "Take the mean over $c = 0 \\dots S - 1$, divide by $S$, and square.",
            "`first = np.arange(size) - length // 2` and `np.minimum(first + length, size) - np.maximum(first, 0)`.",
        ),
        judge=judge_14_1,
    )
)


# --- 14-2: the value that changes nothing -------------------------------------------------------------------------------------


def image_sets() -> list[np.ndarray]:
    """Return the 20 training sets of exercise 14-2, each (N, 3, H, W) with values in [0, 1]; brightness differs by image."""
    random = np.random.default_rng(142)
    sets = []
    for _ in range(20):
        n, height, width = (int(v) for v in random.integers((3, 4, 5), (9, 9, 10)))
        level = random.beta(1.2, 2.5, (n, 3, 1, 1))
        sets.append(np.clip(level + 0.15 * random.standard_normal((n, 3, height, width)) ** 3, 0, 1))
    return sets


def hidden_value(images: np.ndarray) -> np.ndarray:
    """The reference answer of exercise 14-2."""
    return images.mean(axis=(0, 2, 3))


VALUE_TRAPS: dict[str, Callable[[np.ndarray], Any]] = {
    "Black is far from what a filter sees at test time": lambda images: np.zeros(3),
    "Mid-grey is the middle of the scale, not of these images": lambda images: np.full(3, 0.5),
    "One number for all channels: each channel has its own mean, and a filter weighs them differently": lambda images: np.full(
        3, images.mean()
    ),
    "This is the median; an expected pre-activation needs the mean": lambda images: np.median(images, axis=(0, 2, 3)),
    "This is the mean of the first image; the value belongs to the whole training set": lambda images: images[0].mean((1, 2)),
    "The value is in levels up to 255; the images are in [0, 1]": lambda images: 255 * images.mean((0, 2, 3)),
}


def judge_14_2(answer: Any) -> Verdict:
    """Judge ``value(images)`` on the sets of ``image_sets``: the values, and what they do to a random filter."""
    sets = image_sets()
    found = np.array(
        [
            as_array(called(answer, one, name="`value`", where=f"on set {i}"), (3,), f"value of set {i}")
            for i, one in enumerate(sets)
        ]
    )
    expected = np.array([hidden_value(one) for one in sets])
    wrong = np.flatnonzero(np.abs(found - expected).max(1) > 1e-6)
    if not len(wrong):
        return right(
            "With your value, the expected answer of every first-layer filter is the same in training and at test time, whether "
            "its window is visible, hidden or mixed. Zeros after subtracting the mean are the same thing."
        )
    k = int(wrong[0])
    weights = np.random.default_rng(k).standard_normal(3)
    gap = float(weights @ (found[k] - expected[k]))
    where = (
        f"Set {k} of `learn.chapter_14.image_sets()`: {np.round(found[k], 3).tolist()}, expected {np.round(expected[k], 3).tolist()}. "
        f"A 1 x 1 filter with weights {np.round(weights, 2).tolist()} answers {gap:+.3f} more on hidden pixels than on average ones."
    )
    trap = recognised_trap(found, {text: [rule(one) for one in sets] for text, rule in VALUE_TRAPS.items()}, 1e-9)
    return not_yet(f"{trap}. {where}" if trap else where, hint=2 if trap else 1)


register(
    Exercise(
        key="14-2",
        title="The value that changes nothing",
        minutes=15,
        dots=2,
        hints=(
            "Write down the expected answer of one filter for a visible window, for a hidden one, and for a half-hidden one. "
            "When are the three equal?",
            "Visible: $\\mathrm{E}[\\sum w_i x_i] = \\sum w_i \\mathrm{E}[x_i]$. Hidden: $\\sum w_i v_i$. They agree for every $w$ only "
            "if $v = \\mathrm{E}[x]$, channel by channel.",
            "`images.mean(axis=(0, 2, 3))`",
        ),
        judge=judge_14_2,
    )
)


# --- 14-3: from a map to a box ------------------------------------------------------------------------------------------------


def maps_and_thresholds() -> list[tuple[np.ndarray, float]]:
    """Return the 120 pairs ``(map, threshold)`` of exercise 14-3.

    Values and thresholds are multiples of 1/16, and the range of a map is 1 or 4, so that the normalised values are exact in
    binary: a tie with the threshold is a tie for every way to compute it.

    The first four: two pieces that touch at a corner, a value that equals the threshold, a constant map, one bright pixel.
    """
    corner = np.zeros((6, 7))
    corner[:2, :2], corner[2:5, 2:5] = 1.0, 0.75
    equal = np.zeros((5, 5))
    equal[1:3, 1:4], equal[3:, :] = 1.0, 0.25
    spot = np.zeros((4, 6))
    spot[2, 5] = 1.0
    pairs = [(corner, 0.25), (equal, 0.25), (np.full((4, 6), 0.75), 0.25), (spot, 0.5)]
    random = np.random.default_rng(143)
    while len(pairs) < 120:
        shape = tuple(int(v) for v in random.integers(5, 14, 2))
        smooth = ndimage.gaussian_filter(random.random(shape), random.choice([0.5, 1.0, 1.5]))
        smooth = np.round(16 * (smooth - smooth.min()) / np.ptp(smooth)) / 16
        pairs.append((random.choice([1.0, 4.0]) * smooth + random.choice([0.0, -0.5]), float(random.choice([0.25, 0.375, 0.5]))))
    return pairs


def box_of(map_: np.ndarray, threshold: float) -> np.ndarray:
    """The reference answer of exercise 14-3."""
    return _box(map_, threshold)


def _box(
    map_: np.ndarray,
    threshold: float,
    normalise: bool = True,
    strict: bool = True,
    corners: bool = False,
    largest: bool = True,
    end: int = 1,
    swap: bool = False,
    empty: str = "whole",
    low: bool = True,
    brightest: bool = False,
    sides: bool = False,
) -> np.ndarray:
    height, width = map_.shape
    floor = map_.min() if low else 0.0
    spread = map_.max() - floor if np.ptp(map_) > 0 else 0.0
    one = ((map_ - floor) / spread if spread > 0 else np.zeros(map_.shape)) if normalise else map_
    above = one > threshold if strict else one >= threshold
    labels, n = ndimage.label(above, np.ones((3, 3)) if corners else None)
    if not n:
        return np.array([0, 0, width, height] if empty == "whole" else [0, 0, 0, 0], float)
    chosen = labels.flat[one.argmax()] if brightest else 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    piece = labels == chosen if largest else above
    rows, columns = np.nonzero(piece)
    x, y = (columns.min(), columns.max() + end), (rows.min(), rows.max() + end)
    if sides:
        return np.array([x[0], y[0], x[1] - x[0], y[1] - y[0]], float)
    return np.array([y[0], x[0], y[1], x[1]] if swap else [x[0], y[0], x[1], y[1]], float)


BOX_TRAPS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "The box ends at the first pixel after the piece: add one to the last row and column": lambda m, t: _box(m, t, end=0),
    "All bright pixels share one box here; only the largest connected piece counts": lambda m, t: _box(m, t, largest=False),
    "Pieces that touch at a corner are joined; neighbours share an edge": lambda m, t: _box(m, t, corners=True),
    "The comparison is strict: a value equal to the threshold stays out": lambda m, t: _box(m, t, strict=False),
    "The map is not brought to [0, 1] first": lambda m, t: _box(m, t, normalise=False),
    "The map is divided by its maximum; take its minimum off first, so that it begins at 0": lambda m, t: _box(m, t, low=False),
    "This is the piece that holds the brightest pixel; the largest piece counts": lambda m, t: _box(m, t, brightest=True),
    "The box has corner and sides here; return two corners: (left, top, right, bottom)": lambda m, t: _box(m, t, sides=True),
    "Rows and columns are exchanged: the box is (left, top, right, bottom)": lambda m, t: _box(m, t, swap=True),
    "A constant map gives the whole image, because no place is better than another": lambda m, t: _box(m, t, empty="none"),
}


def judge_14_3(answer: Any) -> Verdict:
    """Judge ``box(map, threshold)`` on the maps of ``maps_and_thresholds``."""
    pairs = maps_and_thresholds()
    found = np.array(
        [
            as_array(called(answer, *pair, name="`box`", where=f"on map {i}"), (4,), f"box of map {i}")
            for i, pair in enumerate(pairs)
        ]
    )
    expected = np.array([box_of(*pair) for pair in pairs])
    wrong = np.flatnonzero((found != expected).any(1))
    if len(wrong) == 0 or _only_ties(found, pairs, wrong):
        return right(
            f"All {len(pairs)} maps agree. The same map gives many boxes, one for each threshold; that is why the threshold is chosen "
            "on validation images, and why MaxBoxAcc looks at all of them."
        )
    k = int(wrong[0])
    where = (
        f"{len(wrong)} of {len(pairs)} maps differ. Map {k} of `learn.chapter_14.maps_and_thresholds()`: {found[k].tolist()}, "
        f"expected {expected[k].tolist()}."
    )
    trap = recognised_trap(found, {text: [rule(*pair) for pair in pairs] for text, rule in BOX_TRAPS.items()}, EXACT)
    return not_yet(f"{trap}. {where}" if trap else where, hint=2 if trap else 1)


def _only_ties(found: np.ndarray, pairs: list[tuple[np.ndarray, float]], wrong: np.ndarray) -> bool:
    """Whether every difference is another piece of the same, largest size: any of them is right."""
    for k in wrong:
        map_, threshold = pairs[k]
        one = (map_ - map_.min()) / np.ptp(map_) if np.ptp(map_) > 0 else np.zeros(map_.shape)
        labels, n = ndimage.label(one > threshold)
        sizes = np.bincount(labels.ravel(), minlength=2)[1:]
        best = [s for s, size in zip(ndimage.find_objects(labels), sizes) if size == sizes.max()] if n else []
        if found[k].tolist() not in [[s[1].start, s[0].start, s[1].stop, s[0].stop] for s in best]:
            return False
    return True


register(
    Exercise(
        key="14-3",
        title="From a map to a box",
        minutes=20,
        dots=3,
        hints=(
            "Four steps: bring the map to [0, 1], mark what is above the threshold, keep the largest connected piece, take its box.",
            "Neighbours share an edge. The piece's columns run from $j_0$ to $j_1$; the box from $j_0$ to $j_1 + 1$, because pixel "
            "$j$ is the square $[j, j + 1)$. A constant map has no piece: take the whole image.",
            "`labels, n = scipy.ndimage.label(normalised > threshold)`, `np.bincount(labels.ravel())[1:]`, then `np.nonzero`.",
        ),
        judge=judge_14_3,
    )
)
