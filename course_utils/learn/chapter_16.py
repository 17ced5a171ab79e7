"""The exercises of `16_cutting_and_pasting`.

===========  ============================================  =======  =============================================
key          title                                         minutes  what is judged
===========  ============================================  =======  =============================================
``16-1``     How much does CutMix paste?                   10       a number
``16-2``     Repair this CutMix                            15       a function, on 40 batches
``16-3``     Whose boxes survive a mosaic?                 20       a function, on 80 sets of boxes
===========  ============================================  =======  =============================================
"""

from __future__ import annotations

from typing import Any

import numpy as np

from course_utils.learn.exercise import AnswerFailed, Exercise, Verdict, as_array, called, not_yet, register, right

# --- 16-1: how much does CutMix paste? ----------------------------------------------------------------------------------------

PASTED = 1 / 2 - 1 / 5 + 1 / 48
"""Mean share of the box: the integral of (s - s²/4)² 2s over s from 0 to 1."""

WEIGHT_TRAPS: dict[str, float] = {
    "This is the mean of lam, before the box is cut off at the border": 0.5,
    "This is the share of the box; the weight of the first image is what is left": PASTED,
    "This is what 32 pixels give, where a side is a whole number of pixels; the limit of many pixels is asked for": 0.701,
    "Here the side s is uniform; lam is uniform, and s = √(1 - lam)": 1 - (1 / 3 - 1 / 8 + 1 / 80),
    "Here the mean side is squared; height and width share one s, so the square is inside the mean": 1 - (2 / 3 - 1 / 8) ** 2,
    "Only one direction is cut off here; rows and columns both are": 1 - (1 / 2 - 1 / 10),
}


def judge_16_1(answer: Any) -> Verdict:
    """Judge the mean label weight of the first image under CutMix, in the limit of many pixels, to 0.002."""
    found = float(as_array(answer, (), "the weight"))
    if abs(found - (1 - PASTED)) <= 0.002:
        return right(
            f"The weight is {1 - PASTED:.3f}: the first image keeps two thirds, and not the half that lam has on average. Who trusts lam "
            "tells the network for every fifth pixel that it belongs to the wrong image."
        )
    for text, value in WEIGHT_TRAPS.items():
        if abs(found - value) <= 0.0015:
            return not_yet(f"{text}.", hint=2)
    return not_yet(
        f"{found:.4g} is not it; 100,000 draws of `augment.CutMix` on large images come close to the right answer.", hint=1
    )


register(
    Exercise(
        key="16-1",
        title="How much does CutMix paste?",
        minutes=10,
        dots=1,
        hints=(
            "The box has the side $s$ in units of the image, and its centre is anywhere. How long is the part of a side that lies inside, "
            "on average over the centre?",
            "Inside lies $s - s^2 / 4$ on average. With $\\lambda$ uniform, $s = \\sqrt{1 - \\lambda}$ has the density $2s$, and rows and "
            "columns are independent given $s$: $\\mathrm{E}[\\text{area}] = \\int_0^1 (s - s^2 / 4)^2 \\, 2s \\, ds$.",
            "`s = np.sqrt(np.random.default_rng(0).random(1_000_000))`, then `1 - ((s - s**2 / 4) ** 2).mean()`.",
        ),
        judge=judge_16_1,
    )
)


# --- 16-2: repair this CutMix -------------------------------------------------------------------------------------------------


def broken_cutmix(
    images: np.ndarray, labels: np.ndarray, partner: np.ndarray, centre: tuple[int, int], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Paste one box of each partner: with four mistakes that are easy to make and hard to see.

    Parameters
    ----------
    images : (B, C, H, W) float
    labels : (B, K) float, rows of sum 1
    partner : (B,) int
    centre : (int, int)
        Row and column of the box's centre.
    size : (int, int)
        Height and width of the box, even numbers; the box may stick out.
    """
    height, width = images.shape[2:]
    top, left = max(centre[0] - size[0] // 2, 0), max(centre[1] - size[1] // 2, 0)
    bottom, right_ = min(top + size[0], height), min(left + size[1], width)
    for i in range(len(images)):
        images[i, :, top:bottom, left:right_] = images[partner[i], :, top:bottom, left:right_]
    weight = 1 - size[0] * size[1] / (height * width)
    return images, weight * labels[partner] + (1 - weight) * labels


def batches_and_boxes() -> list[tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, int], tuple[int, int]]]:
    """Return the 40 inputs of exercise 16-2; in the first the box is inside, in the second it covers nothing."""
    random = np.random.default_rng(162)
    cases = []
    for i in range(40):
        n, channels, height, width = (int(v) for v in random.integers((3, 1, 5, 5), (6, 4, 10, 12)))
        images, labels = random.random((n, channels, height, width)), random.dirichlet(np.ones(4), n)
        centre = int(random.integers(height)), int(random.integers(width))
        size = 2 * int(random.integers(1, height // 2 + 1)), 2 * int(random.integers(1, width // 2 + 1))
        if i == 0:
            centre, size = (height // 2, width // 2), (2, 2)
        if i == 1:
            size = (0, 4)
        cases.append((images, labels, random.permutation(n), centre, size))
    return cases


def repaired_cutmix(*case: Any) -> tuple[np.ndarray, np.ndarray]:
    """The reference answer of exercise 16-2."""
    return _cutmix(*case)


def _cutmix(
    images: np.ndarray,
    labels: np.ndarray,
    partner: np.ndarray,
    centre: tuple[int, int],
    size: tuple[int, int],
    moved: bool = False,
    chained: bool = False,
    raw: bool = False,
    exchanged: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    height, width = images.shape[2:]
    first = [c - s // 2 for c, s in zip(centre, size)]
    clipped = [max(v, 0) for v in first]
    last = [min((c if moved else f) + s, end) for c, f, s, end in zip(clipped, first, size, (height, width))]
    (top, left), (bottom, right_) = clipped, last
    mixed = images.copy()
    source = mixed if chained else images
    for i in range(len(images)):
        mixed[i, :, top:bottom, left:right_] = source[partner[i], :, top:bottom, left:right_]
    area = size[0] * size[1] if raw else max(bottom - top, 0) * max(right_ - left, 0)
    weight = 1 - area / (height * width)
    weight = 1 - weight if exchanged else weight
    return mixed, weight * labels + (1 - weight) * labels[partner]


REPAIR_TRAPS: dict[str, dict[str, bool]] = {
    "The end of the box is counted from the clipped start, so a box at the upper or left border is pushed inside and not cut off": {
        "moved": True
    },
    "Later images get pixels of images that are mixed already: read from the images as they came": {"chained": True},
    "The label uses the area before the box is cut off at the border": {"raw": True},
    "The labels are exchanged: the first image keeps what is *not* pasted": {"exchanged": True},
}


def judge_16_2(answer: Any) -> Verdict:
    """Judge ``repaired(images, labels, partner, centre, size)`` on ``batches_and_boxes``."""
    cases, found = batches_and_boxes(), []
    for i, case in enumerate(cases):
        result = called(answer, *case, name="`repaired`", where=f"on batch {i}")
        if not isinstance(result, tuple) or len(result) != 2:
            raise AnswerFailed("`repaired` should return two things, mixed images and soft labels.", hint=1)
        mixed = as_array(result[0], case[0].shape, f"the images of batch {i}")
        found.append((mixed, as_array(result[1], case[1].shape, f"the labels of batch {i}")))
    expected = [repaired_cutmix(*case) for case in cases]
    wrong = [i for i in range(len(cases)) if not _same(found[i], expected[i])]
    if not wrong:
        return right(
            f"All {len(cases)} batches agree, and yours are untouched. Four small slips, and none of them stops a training: the loss goes "
            "down, the network is only a little worse than it could be. So test labels by their mass, not by the loss."
        )
    i = wrong[0]
    part = "images" if not np.allclose(found[i][0], expected[i][0], atol=1e-6) else "labels"
    where = f"{len(wrong)} of {len(cases)} batches differ, the first in batch {i} of `learn.chapter_16.batches_and_boxes()`, in its {part}."
    for text, slip in REPAIR_TRAPS.items():
        if all(_same(one, _cutmix(*case, **slip)) for one, case in zip(found, cases)):
            return not_yet(f"{text}. {where}", hint=2)
    left = [text for text, slip in REPAIR_TRAPS.items() if all(_shares_slip(one, case, slip) for one, case in zip(found, cases))]
    return not_yet(f"{len(left)} of the four mistakes may be left. {where}" if left else where, hint=1)


def _same(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> bool:
    return all(np.allclose(a, b, atol=1e-6) for a, b in zip(one, other))


def _shares_slip(one: tuple[np.ndarray, np.ndarray], case: tuple, slip: dict[str, bool]) -> bool:
    """Whether images or labels, the ones that the slip changes, are those of the slip."""
    with_slip, without = _cutmix(*case, **slip), _cutmix(*case)
    return all(np.allclose(a, b, atol=1e-6) for a, b, c in zip(one, with_slip, without) if not np.allclose(b, c, atol=1e-6))


register(
    Exercise(
        key="16-2",
        title="Repair this CutMix",
        minutes=15,
        dots=2,
        hints=(
            "Look at four things: a box at the upper border, the order in which images are read and written, whose label gets the weight, "
            "and what happens to the weight when the box is cut off.",
            "The box is $[c - s/2, c + s/2)$ in each direction, cut off *after* both ends are known. The weight is "
            "$1 - h' w' / (H W)$ with the cut-off $h', w'$, and belongs to the image that is not pasted.",
            "`mixed = images.copy()`, `top, bottom = max(y - h // 2, 0), min(y + h // 2, height)`, and read from `images`.",
        ),
        judge=judge_16_2,
    )
)


# --- 16-3: whose boxes survive a mosaic? ------------------------------------------------------------------------------------

SHORTEST, KEPT_SHARE, LONGEST = 2.0, 0.1, 100.0  # a side in pixels, a share of the area, and a ratio of sides


def tiles_and_boxes() -> list[tuple[np.ndarray, tuple[int, int], tuple[int, int, int, int]]]:
    """Return the 80 inputs ``(boxes, offset, tile)`` of exercise 16-3; the first holds one box for each rule."""
    by_rule = np.array(
        [
            [10, 10, 30, 30],
            [-15, 10, 12, 30],
            [-60, 5, 4, 25],
            [3, 3, 5, 30],
            [20, 20, 22.5, 40],
            [80, 80, 90, 90],
            [0, 20, 400, 24],
        ]
    )
    cases = [(by_rule.astype(float), (0, 0), (0, 0, 50, 50)), (np.zeros((0, 4)), (3, 4), (0, 0, 20, 20))]
    random = np.random.default_rng(163)
    while len(cases) < 80:
        corner = random.uniform(-10, 45, (int(random.integers(1, 9)), 2))
        side = random.choice([0.5, 2, 3, 8, 30, 320], corner.shape) * random.uniform(0.8, 1.2, corner.shape)
        left, top = (int(v) for v in random.integers(0, 20, 2))
        tile = (left, top, left + int(random.integers(10, 40)), top + int(random.integers(10, 320)))
        cases.append((np.concatenate([corner, corner + side], axis=1), tuple(int(v) for v in random.integers(-30, 20, 2)), tile))
    return cases


def surviving_boxes(boxes: np.ndarray, offset: tuple[int, int], tile: tuple[int, int, int, int]) -> np.ndarray:
    """The reference answer of exercise 16-3."""
    return _survivors(boxes, offset, tile)


def _survivors(
    boxes: np.ndarray,
    offset: tuple[int, int],
    tile: tuple[int, int, int, int],
    shift: float = 1.0,
    clip: bool = True,
    short: bool = True,
    share: bool = True,
    long: bool = True,
    swap: bool = False,
) -> np.ndarray:
    dx, dy = (offset[1], offset[0]) if swap else offset
    moved = boxes + shift * np.array([dx, dy, dx, dy])
    left, top, right_, bottom = tile
    cut = np.clip(moved, [left, top, left, top], [right_, bottom, right_, bottom])
    before, after = moved[:, 2:] - moved[:, :2], cut[:, 2:] - cut[:, :2]
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.ones(len(boxes), dtype=bool)
        if short:
            kept &= (after > SHORTEST).all(1)
        if share:
            kept &= after.prod(1) / before.prod(1) > KEPT_SHARE
        if long:
            kept &= np.maximum(after[:, 0] / after[:, 1], after[:, 1] / after[:, 0]) < LONGEST
    return (cut if clip else moved)[kept]


SURVIVOR_TRAPS: dict[str, dict[str, Any]] = {
    "The boxes stay where they were in the picture: add the offset": {"shift": 0.0},
    "The offset is subtracted; where the picture moves, its boxes move too": {"shift": -1.0},
    "The offset is (x, y), and the box is (left, top, right, bottom): x and y are exchanged": {"swap": True},
    "The boxes that stick out of the tile are not cut off": {"clip": False},
    "Boxes with a side of at most 2 pixels are kept": {"short": False},
    "Boxes of which at most a tenth is left are kept; compare the cut-off box with the whole one": {"share": False},
    "Boxes 100 times as long as wide are kept": {"long": False},
}


def judge_16_3(answer: Any) -> Verdict:
    """Judge ``survivors(boxes, offset, tile)`` on ``tiles_and_boxes``."""
    cases, found = tiles_and_boxes(), []
    for i, case in enumerate(cases):
        result = as_array(called(answer, *case, name="`survivors`", where=f"on set {i}"), None, f"the boxes of set {i}")
        if result.size % 4:
            raise AnswerFailed(f"the boxes of set {i} should have the shape (M, 4), but it is {result.shape}.", hint=1)
        found.append(result.reshape(-1, 4))
    expected = [surviving_boxes(*case) for case in cases]
    wrong = [i for i in range(len(cases)) if not _equal(found[i], expected[i])]
    if not wrong:
        return right(
            f"All {len(cases)} sets agree. A mosaic has no label weights: a box that survives counts as one object, however much of the canvas "
            "its picture got. That is right, because a detector is asked what is there, and not how much."
        )
    i = wrong[0]
    where = (
        f"{len(wrong)} of {len(cases)} sets differ. Set {i} of `learn.chapter_16.tiles_and_boxes()`: {len(found[i])} boxes, expected "
        f"{len(expected[i])}."
    )
    for text, slip in SURVIVOR_TRAPS.items():
        if all(_equal(one, _survivors(*case, **slip)) for one, case in zip(found, cases)):
            return not_yet(f"{text}. {where}", hint=2)
    return not_yet(where, hint=1)


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, atol=1e-6))


register(
    Exercise(
        key="16-3",
        title="Whose boxes survive a mosaic?",
        minutes=20,
        dots=3,
        hints=(
            "Three steps: move the boxes with their picture, cut them off at the tile, and keep those of which enough is left.",
            "With $w, h$ after and $w_0, h_0$ before cutting: keep if $w > 2$, $h > 2$, $w h / (w_0 h_0) > 0.1$, and "
            "$\\max(w / h, h / w) < 100$.",
            "`moved = boxes + np.array([dx, dy, dx, dy])`, then `np.clip(moved, [l, t, l, t], [r, b, r, b])`.",
        ),
        judge=judge_16_3,
    )
)
