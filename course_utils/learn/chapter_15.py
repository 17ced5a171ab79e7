"""The exercises of `15_mixing`.

===========  ============================================  =======  =============================================
key          title                                         minutes  what is judged
===========  ============================================  =======  =============================================
``15-1``     A test that finds the liars                   10       a function, on 8 mixers of which 4 are wrong
``15-2``     VH-Mixup from three simple ways               15       a function, on 60 pairs of images
``15-3``     Invent a way of mixing                        20       a function that draws masks, by its properties
===========  ============================================  =======  =============================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course_utils.learn.exercise import AnswerFailed, Exercise, Verdict, as_array, called, close, not_yet, register, right

Mix = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

# --- 15-1: a test that finds the liars --------------------------------------------------------------------------------------

WRONG = {
    "raw lambda": "the box is clipped at the border, the label is not",
    "inverted lambda": "the two labels are exchanged",
    "side squared": "the mask's sum is divided by H², which is right for square images only",
    "another image": "the second label belongs to another image than the second picture",
}
"""The four wrong mixers of exercise 15-1, and what is wrong with them."""


def mixers(seed: int) -> dict[str, Mix]:
    """Return the 8 mixers of exercise 15-1 by name; the four in ``WRONG`` are wrong.

    Each takes images (B, C, H, W) and class numbers (B,) of C classes, and returns mixed images and soft labels (B, C).
    A mixer goes on drawing from where its last call stopped.
    """
    names = ("mixup", "cutmix", "rows", "smooth", *WRONG)
    return {name: _mixer(name, np.random.default_rng((15, seed, i))) for i, name in enumerate(names)}


def _mixer(name: str, random: np.random.Generator) -> Mix:
    def mix(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        images, labels = np.array(images, dtype=np.float64), np.asarray(labels).astype(int)
        n, classes, height, width = images.shape
        partner = (np.arange(n) + 1) % n
        mask, claimed = _mask(name, random, height, width)
        weight = mask.mean() if claimed is None else claimed
        named = (partner + 1) % n if name == "another image" else partner
        one_hot = np.eye(classes)
        mixed = mask * images + (1 - mask) * images[partner]
        return mixed, weight * one_hot[labels] + (1 - weight) * one_hot[labels[named]]

    return mix


def _mask(name: str, random: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, float | None]:
    """Return the part of the first image (H, W), and the label weight where the mixer does not take the mask's mean."""
    lam = float(random.uniform(0.1, 0.45)) if random.random() < 0.5 else float(random.uniform(0.55, 0.9))
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    if name in ("cutmix", "raw lambda"):
        y, x = random.integers(height), random.integers(width)
        half_height, half_width = np.sqrt(1 - lam) * height / 2, np.sqrt(1 - lam) * width / 2
        inside = (np.abs(rows + 0.5 - y) < half_height) & (np.abs(columns + 0.5 - x) < half_width)
        return 1.0 - inside, lam if name == "raw lambda" else None
    if name == "rows":
        return np.repeat(random.random((height, 1)) < lam, width, axis=1).astype(float), None
    if name in ("smooth", "side squared"):
        y, x, spread = random.integers(height), random.integers(width), random.uniform(0.25, 0.5)
        bump = np.exp(-(((rows - y) / height) ** 2 + ((columns - x) / width) ** 2) / (2 * spread**2))
        return bump, None if name == "smooth" else min(bump.sum() / height**2, 1.0)
    return np.full((height, width), lam), 1 - lam if name == "inverted lambda" else None


def finds_wrong_labels(mix: Mix, n_classes: int) -> bool:
    """The reference answer of exercise 15-1: True if the mixer's labels are what its images say."""
    return _agrees(mix, n_classes)


def _agrees(mix: Mix, n_classes: int, size: tuple[int, int] = (7, 12), n_draws: int = 20) -> bool:
    labels = np.arange(n_classes)
    images = np.eye(n_classes)[:, :, None, None] * np.ones(size)
    for _ in range(n_draws):
        mixed, soft = mix(images, labels)
        if np.abs(mixed.mean((2, 3)) - soft).max() > 1e-6:
            return False
    return True


def _sums_to_one(mix: Mix, n_classes: int) -> bool:
    _, soft = mix(np.random.default_rng(0).random((n_classes, n_classes, 7, 12)), np.arange(n_classes))
    return bool(np.abs(soft.sum(1) - 1).max() < 1e-6)


TEST_TRAPS: dict[str, Callable[[Mix, int], bool]] = {
    "Labels of sum 1 are no proof: all eight mixers have them. Compare the label with what the image holds": _sums_to_one,
    "Square images hide a mistake: try a height that differs from the width": lambda mix, n: _agrees(mix, n, size=(8, 8)),
}


def judge_15_1(answer: Any) -> Verdict:
    """Judge ``is_right(mix, n_classes)`` on the mixers of ``mixers``, for three seeds."""
    found: dict[tuple[int, str], bool] = {}
    for seed in range(3):
        for name, mix in mixers(seed).items():
            result = as_array(called(answer, mix, 5, name="`is_right`", where=f"on {name!r}"), (), f"is_right({name!r})")
            found[seed, name] = bool(result)
    missed = {name: WRONG[name] for (_, name), verdict in found.items() if verdict and name in WRONG}
    accused = sorted({name for (_, name), verdict in found.items() if not verdict and name not in WRONG})
    if not missed and not accused:
        return right(
            "Your test finds all four wrong mixers and accuses no right one. Run it on a library before you train with it: "
            "chapter 16 does, and three public implementations fail."
        )
    if accused:
        return not_yet(
            f"Your test accuses {accused[0]!r} of `learn.chapter_15.mixers(seed)`, which is right. Its label is the mean of its mask, to "
            "1e-6; is your image of class k equal to 1 in channel k and 0 elsewhere?",
            hint=2,
        )
    for text, test in TEST_TRAPS.items():
        if all(test(mix, 5) == found[seed, name] for seed in range(3) for name, mix in mixers(seed).items()):
            return not_yet(f"{text}. Missed: {', '.join(missed)}.", hint=2)
    name, what = next(iter(missed.items()))
    often = sum(found[seed, name] for seed in range(3))
    advice = "" if often == 3 else " One draw may be right by chance: call the mixer many times."
    return not_yet(f"Your test lets {name!r} pass for {often} of 3 seeds: {what}.{advice}", hint=1)


register(
    Exercise(
        key="15-1",
        title="A test that finds the liars",
        minutes=10,
        dots=1,
        hints=(
            "Choose images for which you can read off what the mixed image is made of. If every image of class k is the same "
            "flat colour, how much of that colour is left?",
            "Let the image of class $k$ be 1 in channel $k$ and 0 elsewhere. Then the mean of channel $k$ of the mixed image *is* "
            "the share of class $k$. Use several images, $H \\neq W$, and many draws.",
            "`images = np.eye(n)[:, :, None, None] * np.ones((7, 12))`, then compare `mixed.mean((2, 3))` with the soft labels.",
        ),
        judge=judge_15_1,
    )
)


# --- 15-2: VH-Mixup ----------------------------------------------------------------------------------------------------------


def pairs_and_splits() -> list[tuple[np.ndarray, np.ndarray, int, int, float]]:
    """Return the 60 inputs ``(a, b, h, w, lam)`` of exercise 15-2; the first four have a split at a border."""
    random = np.random.default_rng(152)
    cases = []
    for i in range(60):
        height, width = int(random.integers(3, 9)), int(random.integers(3, 9))
        a, b = random.random((2, 3, height, width))
        h, w = [(0, 0), (0, width - 1), (height - 1, 0), (height - 1, width - 1)][i] if i < 4 else (-1, -1)
        if h < 0:
            h, w = int(random.integers(height)), int(random.integers(width))
        cases.append((a, b, h, w, float(random.random())))
    return cases


def vh_mixup(a: np.ndarray, b: np.ndarray, h: int, w: int, lam: float) -> tuple[np.ndarray, float]:
    """The reference answer of exercise 15-2."""
    return _vh(a, b, h, w, lam)


def _vh(
    a: np.ndarray,
    b: np.ndarray,
    h: int,
    w: int,
    lam: float,
    lam_image: Callable[[float], float] = lambda lam: lam,
    weight: Callable[[float, float, float], float] = lambda lam, rows, columns: lam * rows + (1 - lam) * columns,
    swap: bool = False,
) -> tuple[np.ndarray, float]:
    _, height, width = a.shape
    vertical = np.concatenate([a[:, :h], b[:, h:]], axis=1)
    horizontal = np.concatenate([a[:, :, :w], b[:, :, w:]], axis=2)
    if swap:
        vertical, horizontal = horizontal, vertical
    part = lam_image(lam)
    return part * vertical + (1 - part) * horizontal, weight(lam, h / height, w / width)


VH_TRAPS: dict[str, dict[str, Any]] = {
    "lam belongs to the vertical concat, 1 - lam to the horizontal one; here they are exchanged in the image": {"swap": True},
    "The image is right, but the weight exchanges h / H and w / W": {"weight": lambda lam, r, c: lam * c + (1 - lam) * r},
    "The image is right, but the weight is lam: the mean of the mask is wanted": {"weight": lambda lam, r, c: lam},
    "The image is right, but this is the weight of b": {"weight": lambda lam, r, c: 1 - lam * r - (1 - lam) * c},
    "The image is right, but the weight is the plain mean of h / H and w / W": {"weight": lambda lam, r, c: (r + c) / 2},
    "The two concats are averaged half and half; lam is drawn for that": {"lam_image": lambda lam: 0.5},
}


def judge_15_2(answer: Any) -> Verdict:
    """Judge ``vh(a, b, h, w, lam)`` on the inputs of ``pairs_and_splits``: the image, and the weight of a."""
    cases, found = pairs_and_splits(), []
    for i, case in enumerate(cases):
        result = called(answer, *case, name="`vh`", where=f"on pair {i}")
        if not isinstance(result, tuple) or len(result) != 2:
            raise AnswerFailed("`vh` should return two things, the image and the weight of a.", hint=1)
        image = as_array(result[0], case[0].shape, f"the image of pair {i}")
        found.append((image, float(as_array(result[1], (), f"the weight of pair {i}"))))
    wrong = [i for i, case in enumerate(cases) if not _same(found[i], vh_mixup(*case))]
    if not wrong:
        return right(
            "All 60 images and weights agree. Four regions come out: a alone, b alone, and two mixtures in between. The paper reports "
            "this way as the best of its fourteen."
        )
    i = wrong[0]
    image, weight = vh_mixup(*cases[i])
    _, h, w = cases[i][0].shape
    where = (
        f"Pair {i} of `learn.chapter_15.pairs_and_splits()`, {h} x {w} pixels, h = {cases[i][2]}, w = {cases[i][3]}, lam = {cases[i][4]:.2f}: "
        f"the image is off by up to {np.abs(found[i][0] - image).max():.2f}, the weight is {found[i][1]:.3f}, expected {weight:.3f}."
    )
    for text, slip in VH_TRAPS.items():
        if all(_same(one, _vh(*case, **slip)) for one, case in zip(found, cases)):
            return not_yet(f"{text}. {where}", hint=2)
    return not_yet(where, hint=1)


def _same(one: tuple[np.ndarray, float], other: tuple[np.ndarray, float]) -> bool:
    return close(one[0], other[0], 1e-5) and abs(one[1] - other[1]) < 1e-5


register(
    Exercise(
        key="15-2",
        title="VH-Mixup from three simple ways",
        minutes=15,
        dots=2,
        hints=(
            "Make the vertical concat and the horizontal concat of the same two images, then blend the two results with lam.",
            "Vertical: rows $[0, h)$ from $a$, so its mask has the mean $h / H$. Horizontal: $w / W$. The mean of a blend is the blend "
            "of the means: $\\lambda h / H + (1 - \\lambda) w / W$.",
            "`vertical = np.concatenate([a[:, :h], b[:, h:]], axis=1)`, `lam * vertical + (1 - lam) * horizontal`.",
        ),
        judge=judge_15_2,
    )
)


# --- 15-3: invent a way of mixing ---------------------------------------------------------------------------------------------

SIZES = ((8, 8), (6, 11), (15, 10))
N_DRAWS = 200


def draws_of(answer: Any, size: tuple[int, int], seed: int) -> np.ndarray:
    """Return ``N_DRAWS`` masks (N_DRAWS, H, W) of a student's function, drawn from one generator.

    Raises
    ------
    AnswerFailed
        If it is not a function, stops, or returns something other than (H, W) finite numbers.
    """
    if not callable(answer):
        raise AnswerFailed(f"`mask` must be a function, but it is of type `{type(answer).__name__}`.", hint=1)
    random = np.random.default_rng((153, seed))
    masks = []
    for _ in range(N_DRAWS):
        try:
            one = answer(*size, random)
        except Exception as problem:
            raise AnswerFailed(f"`mask` stopped with {type(problem).__name__}: {problem} for the size {size}.") from problem
        masks.append(as_array(one, size, f"mask{size}"))
    return np.stack(masks)


def judge_15_3(answer: Any) -> Verdict:
    """Judge ``mask(height, width, random)`` by its properties, on ``SIZES``."""
    for size in SIZES:
        masks = draws_of(answer, size, seed=1)
        name = f"mask{size}"
        if masks.min() < 0 or masks.max() > 1:
            return not_yet(
                f"{name} reaches from {masks.min():.2f} to {masks.max():.2f}; a part of an image is in [0, 1].", hint=2
            )
        if not np.array_equal(masks, draws_of(answer, size, seed=1)):
            return not_yet(
                f"The same generator gives different masks for the size {size}. Draw from `random` alone, and keep nothing between calls.",
                hint=3,
            )
        if (masks == masks[0]).all():
            return not_yet(f"All {N_DRAWS} masks of the size {size} are the same; draw something from `random`.", hint=3)
        if max(np.ptp(masks, axis=1).max(), np.ptp(masks, axis=2).max()) < 1e-6:
            return not_yet("Every mask is one constant: that is Mixup. Let the part depend on the place.", hint=1)
        weights = masks.mean((1, 2))
        if not 0.35 <= weights.mean() <= 0.65:
            return not_yet(
                f"On average {weights.mean():.0%} of {name} belong to the first image. Make it fair: between 35 and 65 %.".replace(
                    "%", " %", 1
                ),
                hint=2,
            )
        both = ((weights > 0.02) & (weights < 0.98)).mean()
        if both < 0.9:
            return not_yet(f"Only {100 * both:.0f} % of the masks of the size {size} show both images; 90 % are wanted.", hint=2)
        if weights.std() < 0.08:  # a fair coin for every pixel has 0.06 with 8 x 8 pixels, and less with more
            return not_yet(
                f"The label weight hardly changes: its standard deviation is {weights.std():.3f} for the size {size}. Without different "
                "labels, the network never learns what lies between; 0.08 is wanted.",
                hint=2,
            )
        along_rows, along_columns = np.ptp(masks, axis=2).max(), np.ptp(masks, axis=1).max()
        if min(along_rows, along_columns) < 1e-6:
            axis = "rows" if along_rows < 1e-6 else "columns"
            return not_yet(
                f"Every mask is made of whole {axis}: the chapter has that already. Let it vary in both directions.", hint=1
            )
    return right(
        "Random, fair, in [0, 1], for every size, and none of the simple ways. Its label weight needs no formula: it is the mean of the "
        "mask. Is it better than Mixup? Chapter 18 shows how to find out without fooling yourself."
    )


register(
    Exercise(
        key="15-3",
        title="Invent a way of mixing",
        minutes=20,
        dots=3,
        hints=(
            "Any picture of numbers from 0 to 1 is a way of mixing: a diagonal, a circle, stripes at an angle, a chess board, clouds.",
            "A line $\\cos\\varphi \\, (x - x_0) + \\sin\\varphi \\, (y - y_0) > 0$ with random $\\varphi, x_0, y_0$ is fair, because both sides "
            "of it are equally likely to be the first image.",
            "`rows, columns = np.mgrid[:height, :width]`, `angle = random.uniform(0, 2 * np.pi)`, then compare with 0.",
        ),
        judge=judge_15_3,
    )
)
