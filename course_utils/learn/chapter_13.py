"""The exercises of `13_colour_and_space`.

===========  ============================================  =======  =============================================
key          title                                         minutes  what is judged
===========  ============================================  =======  =============================================
``13-1``     How loose does a box get?                     10       a function, on 1000 boxes and angles
``13-2``     Write the dot test                            20       a test, on two right and eight wrong mirrors
``13-3``     One matrix for a chain                        20       two functions, on 100 windows
===========  ============================================  =======  =============================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from course_utils.learn.exercise import (
    AnswerFailed,
    Exercise,
    Verdict,
    as_array,
    called,
    close,
    not_yet,
    recognised_trap,
    register,
    right,
)

TOLERANCE = 1e-5
N_BOXES, N_WINDOWS = 1000, 100

# --- 13-1: how loose does a box get? ----------------------------------------------------------------------------------------


def inflation(w: np.ndarray, h: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """The reference answer of exercise 13-1: area of the hull of a turned w x h box, divided by w h."""
    t = np.deg2rad(degrees)
    return 1 + (w / h + h / w) * np.abs(np.sin(t) * np.cos(t))


def boxes_and_angles() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return widths, heights and angles in degrees of exercise 13-1; the first three are easy to check by hand."""
    random = np.random.default_rng(13)
    w, h = random.uniform(1, 100, (2, N_BOXES))
    degrees = random.uniform(-180, 180, N_BOXES)
    w[:3], h[:3], degrees[:3] = (10, 10, 20), (10, 30, 10), (45, 90, -30)
    return w, h, degrees


def _turned(degrees: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))


def _signed(w: np.ndarray, h: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    c, s = _turned(degrees)
    return 1 + (w / h + h / w) * s * c


def _late(w: np.ndarray, h: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    c, s = _turned(degrees)
    return np.abs((w * c + h * s) * (w * s + h * c)) / (w * h)


def _two_corners(w: np.ndarray, h: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    c, s = _turned(degrees)
    return np.abs((w * c + h * s) * (h * c - w * s)) / (w * h)


def _ellipse(w: np.ndarray, h: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    c, s = _turned(degrees)
    return np.hypot(w * c, h * s) * np.hypot(w * s, h * c) / (w * h)


def _sides(w: np.ndarray, h: np.ndarray, degrees: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    c, s = np.abs(_turned(degrees))
    return w * c + h * s, w * s + h * c


INFLATION_TRAPS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "The angle is in degrees, and `np.sin` wants radians": lambda w, h, t: inflation(w, h, np.rad2deg(t)),
    "The sign of the angle must not matter: a box turned to the left is as loose as one turned to the right": _signed,
    "Take the magnitude of sin and cos each, before adding: half of all turns have a negative one": _late,
    "This is what the area grows by; the factor is one more": lambda w, h, t: inflation(w, h, t) - 1,
    "This is the hull's area; divide it by that of the box": lambda w, h, t: np.prod(_sides(w, h, t), axis=0),
    "This is the factor of the width alone": lambda w, h, t: _sides(w, h, t)[0] / w,
    "This is the factor of the height alone": lambda w, h, t: _sides(w, h, t)[1] / h,
    "The factor is turned over: hull divided by box": lambda w, h, t: 1 / inflation(w, h, t),
    "sin t cos t is half of sin 2t": lambda w, h, t: 2 * inflation(w, h, t) - 1,
    "Two opposite corners are not enough: the other two reach further": _two_corners,
    "This is the hull of the ellipse inside the box; corners reach further": _ellipse,
    "One of the two ratios is missing: w/h and h/w": lambda w, h, t: 1 + w / h * np.abs(np.prod(_turned(t), axis=0)),
    "One of the two ratios is missing: w/h and h/w, both": lambda w, h, t: 1 + h / w * np.abs(np.prod(_turned(t), axis=0)),
    "This is right for a square only; long boxes get looser": lambda w, h, t: 1 + 2 * np.abs(np.prod(_turned(t), axis=0)),
}


def judge_13_1(answer: Any) -> Verdict:
    """Judge ``inflation(w, h, degrees)``, arrays of shape (1000,)."""
    boxes = boxes_and_angles()
    found = as_array(called(answer, *boxes, name="`inflation`"), (N_BOXES,), "the result")
    expected = inflation(*boxes)
    if not close(found, expected, TOLERANCE):
        i = int(np.flatnonzero(np.abs(found - expected) > TOLERANCE)[0])
        w, h, degrees = (float(values[i]) for values in boxes)
        where = f"A box of {w:g} x {h:g} turned by {degrees:g} degrees: {found[i]:.4f}, expected {expected[i]:.4f}."
        trap = recognised_trap(found, {text: rule(*boxes) for text, rule in INFLATION_TRAPS.items()}, TOLERANCE)
        return not_yet(f"{trap}. {where}" if trap else where, hint=2)
    long, even = (float(inflation(np.array(side), np.array(1.0), np.array(45.0))) for side in (4.0, 1.0))
    return right(
        f"At 45 degrees a square box grows to {even:g} times its area, and one of 4 x 1 to {long:.3g} times. "
        "A detector that is trained on such boxes learns to draw loose ones; a mask gives the tight ones back."
    )


register(
    Exercise(
        key="13-1",
        title="How loose does a box get?",
        minutes=10,
        dots=1,
        hints=(
            "Turn the four corners about the middle of the box. The hull is as wide as the largest distance of two of them along "
            "x, and that is always one of the two diagonals.",
            "The hull is $w |\\cos t| + h |\\sin t|$ wide and $w |\\sin t| + h |\\cos t|$ high. Multiply, divide by $w h$.",
            "`t = np.deg2rad(degrees)`, `c, s = np.abs(np.cos(t)), np.abs(np.sin(t))`, then "
            "`(w * c + h * s) * (w * s + h * c) / (w * h)`.",
        ),
        judge=judge_13_1,
    )
)


# --- 13-2: write the dot test -----------------------------------------------------------------------------------------------

Mirrored = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def mirror(image: np.ndarray, mask: np.ndarray, points: np.ndarray, boxes: np.ndarray) -> Mirrored:
    """A right mirror: left to right, in continuous coordinates, hands exchanged."""
    width = np.shape(image)[1]
    points, boxes = np.array(points, float), np.array(boxes, float)
    points[..., 0] = width - points[..., 0]
    boxes[..., [0, 2]] = width - boxes[..., [2, 0]]
    return np.asarray(image)[:, ::-1].copy(), np.asarray(mask)[:, ::-1].copy(), _exchanged(points), boxes


def _exchanged(points: np.ndarray) -> np.ndarray:
    order = np.arange(len(points))
    order[:2] = order[:2][::-1]
    return points[order]


def _mirror_in_single_precision(image: Any, mask: Any, points: Any, boxes: Any) -> Mirrored:
    image, mask, points, boxes = mirror(image, mask, points, boxes)
    return image.astype(np.float32), mask, points.astype(np.float32), boxes.astype(np.float32)


RIGHT_MIRRORS: tuple[Callable, ...] = (mirror, _mirror_in_single_precision)


def _changed(part: int, change: Callable[[Mirrored, Mirrored], np.ndarray]) -> Callable:
    """Return a mirror whose result number ``part`` is ``change(input, right result)``."""

    def wrong(image: Any, mask: Any, points: Any, boxes: Any) -> Mirrored:
        given = tuple(np.array(one) for one in (image, mask, points, boxes))
        done = list(mirror(*given))
        done[part] = change(given, tuple(done))
        return tuple(done)

    return wrong


def _upside_down(image: Any, mask: Any, points: Any, boxes: Any) -> Mirrored:
    turned = mirror(np.transpose(image), np.transpose(mask), np.array(points)[..., ::-1], np.array(boxes)[..., [1, 0, 3, 2]])
    return turned[0].T, turned[1].T, turned[2][..., ::-1], turned[3][..., [1, 0, 3, 2]]


def _by_height(given: Mirrored, done: Mirrored) -> np.ndarray:
    return done[2] + np.array([given[0].shape[0] - given[0].shape[1], 0.0])


def _mixed(_given: Mirrored, done: Mirrored) -> np.ndarray:
    neighbour = np.concatenate([done[1][:, :1], done[1][:, :-1]], axis=1)
    return np.round((done[1] + neighbour) / 2).astype(done[1].dtype)


WRONG_MIRRORS: dict[str, Callable] = {
    "key points move to W - 1 - x, as if they were pixel indices": _changed(2, lambda _, done: done[2] - np.array([1.0, 0.0])),
    "boxes move to W - 1 - x": _changed(3, lambda _, done: done[3] - np.array([1.0, 0, 1, 0])),
    "boxes are inside out: their left end lies right of their right end": _changed(3, lambda _, done: done[3][..., [2, 1, 0, 3]]),
    "the left hand is still called left": _changed(2, lambda _, done: _exchanged(done[2])),
    "the mask stays behind": _changed(1, lambda given, _: given[1]),
    "the mask is mixed, so that between the classes 1 and 3 a class 2 appears": _changed(1, _mixed),
    "everything is mirrored top to bottom": _upside_down,
    "key points are mirrored with the height of the picture": _changed(2, _by_height),
}
"""What is wrong with a mirror, and the mirror."""


def judge_13_2(answer: Any) -> Verdict:
    """Judge ``is_right(mirror) -> bool``."""
    for number, candidate in enumerate(RIGHT_MIRRORS):
        if not _says_right(answer, candidate, "on a right mirror"):
            more = " It computes in single precision: compare coordinates with a tolerance." if number else ""
            return not_yet(f"Your test rejects a right mirror, `learn.chapter_13.RIGHT_MIRRORS[{number}]`.{more}", hint=2)
    alive = [text for text, candidate in WRONG_MIRRORS.items() if _says_right(answer, candidate, f"on the mirror where {text}")]
    if alive:
        others = f" {len(alive) - 1} more of {len(WRONG_MIRRORS)} survive." if len(alive) > 1 else ""
        return not_yet(f"Your test accepts a mirror where {alive[0]}.{others}", hint=3 if len(alive) < 4 else 1)
    return right(
        f"Both right mirrors pass, all {len(WRONG_MIRRORS)} wrong ones are caught. One dot, off the middle of a picture that is not "
        "square, is enough: it has no symmetry in which a mistake could hide."
    )


def _says_right(answer: Any, candidate: Callable, where: str) -> bool:
    verdict = called(answer, candidate, name="`is_right`", where=where)
    try:
        return bool(np.all(np.asarray(verdict, dtype=bool)))
    except (TypeError, ValueError):
        raise AnswerFailed(f"`is_right` should return True or False, but it returned a {type(verdict).__name__}.", 1) from None


register(
    Exercise(
        key="13-2",
        title="Write the dot test",
        minutes=20,
        dots=2,
        hints=(
            "Choose a picture without any symmetry: not square, one bright pixel off the middle, a mask of two classes whose numbers "
            "are not neighbours. Then you know every answer before you call the mirror.",
            "With one pixel in column $j$ and row $i$ of a picture $W$ wide: it lands in column $W - 1 - j$, its centre at "
            "$W - (j + 0.5)$, its box at $[W - 1 - j, i, W - j, i + 1]$. Points 0 and 1 change places. Compare coordinates with "
            "`np.allclose`.",
            "`image = np.zeros((8, 12)); image[2, 3] = 1`, `mask = np.ones((8, 12), int); mask[:, 6:] = 3`, "
            "`points = np.array([[3.5, 2.5], [9, 6]])`; the new points are `[[3, 6], [8.5, 2.5]]`, the new mask `mask[:, ::-1]`.",
        ),
        judge=judge_13_2,
    )
)


# --- 13-3: one matrix for a chain -------------------------------------------------------------------------------------------

Window, Size = tuple[float, float, float, float], tuple[int, int]


def chain_matrix(window: Window, size: Size) -> np.ndarray:
    """The reference answer of exercise 13-3: cut out, resize, mirror, as one matrix (3, 3)."""
    x1, y1, x2, y2 = window
    return _mirror_matrix(size[1]) @ _resize_matrix(window, size) @ _shift_matrix(-x1, -y1)


def moved_boxes(boxes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The reference answer of exercise 13-3: boxes (N, 4) moved by a matrix, corners in order."""
    corners = boxes.reshape(-1, 2, 2) @ matrix[:2, :2].T + matrix[:2, 2]
    return np.hstack([corners.min(1), corners.max(1)])


def windows_and_sizes() -> list[tuple[Window, Size, np.ndarray]]:
    """Return the 100 problems ``(window, size, boxes)`` of exercise 13-3; boxes (5, 4) lie in a picture of 200 x 150."""
    random = np.random.default_rng(31)
    problems = []
    while len(problems) < N_WINDOWS:
        x1, y1 = random.integers(0, 100), random.integers(0, 75)
        window = (float(x1), float(y1), float(x1 + random.integers(10, 100)), float(y1 + random.integers(10, 75)))
        size = (int(random.integers(16, 64)), int(random.integers(65, 128)))
        corner = random.uniform(0, 100, (5, 2))
        problems.append((window, size, np.hstack([corner, corner + random.uniform(1, 50, (5, 2))])))
    return problems


def one_after_the_other(window: Window, size: Size, boxes: np.ndarray) -> np.ndarray:
    """Return the boxes after each step on its own: cut out, resize, mirror."""
    x1, y1, x2, y2 = window
    cut = boxes - np.array([x1, y1, x1, y1])
    resized = cut * np.tile([size[1] / (x2 - x1), size[0] / (y2 - y1)], 2)
    return np.stack([size[1] - resized[:, 2], resized[:, 1], size[1] - resized[:, 0], resized[:, 3]], axis=1)


def _shift_matrix(x: float, y: float) -> np.ndarray:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


def _resize_matrix(window: Window, size: Size) -> np.ndarray:
    x1, y1, x2, y2 = window
    return np.diag([size[1] / (x2 - x1), size[0] / (y2 - y1), 1.0])


def _mirror_matrix(width: float) -> np.ndarray:
    return np.array([[-1, 0, width], [0, 1, 0], [0, 0, 1.0]])


MATRIX_TRAPS: Mapping[str, Callable[[Window, Size], np.ndarray]] = {
    "The matrices stand in the wrong order: what is done first stands rightmost": lambda w, s: (
        _shift_matrix(-w[0], -w[1]) @ _resize_matrix(w, s) @ _mirror_matrix(s[1])
    ),
    "The mirror is missing": lambda w, s: _resize_matrix(w, s) @ _shift_matrix(-w[0], -w[1]),
    "The corner of the window is taken off after the resizing; it is measured before": lambda w, s: (
        _mirror_matrix(s[1]) @ _shift_matrix(-w[0], -w[1]) @ _resize_matrix(w, s)
    ),
    "`size` is (height, width); here it is read as (width, height)": lambda w, s: chain_matrix(w, s[::-1]),
    "The mirror uses the height of the output": lambda w, s: (
        _mirror_matrix(s[0]) @ _resize_matrix(w, s) @ _shift_matrix(-w[0], -w[1])
    ),
    "The mirror uses the width of the window; it comes after the resizing": lambda w, s: (
        _mirror_matrix(w[2] - w[0]) @ _resize_matrix(w, s) @ _shift_matrix(-w[0], -w[1])
    ),
    "The mirror is W - 1 - x, which is for pixel indices": lambda w, s: (
        _mirror_matrix(s[1] - 1) @ _resize_matrix(w, s) @ _shift_matrix(-w[0], -w[1])
    ),
    "The mirror is -x: the picture lands left of its canvas": lambda w, s: (
        _mirror_matrix(0) @ _resize_matrix(w, s) @ _shift_matrix(-w[0], -w[1])
    ),
    "The window is moved away from the corner; subtract its corner": lambda w, s: (
        _mirror_matrix(s[1]) @ _resize_matrix(w, s) @ _shift_matrix(w[0], w[1])
    ),
    "The scale is turned over: new side divided by old side": lambda w, s: (
        _mirror_matrix(s[1]) @ np.linalg.inv(_resize_matrix(w, s)) @ _shift_matrix(-w[0], -w[1])
    ),
    "This is the way back, from the output to the picture": lambda w, s: np.linalg.inv(chain_matrix(w, s)),
    "The matrix is transposed; points are columns (x, y, 1)": lambda w, s: chain_matrix(w, s).T,
    "The picture is mirrored top to bottom": lambda w, s: (
        np.array([[1, 0, 0], [0, -1, s[0]], [0, 0, 1.0]]) @ _resize_matrix(w, s) @ _shift_matrix(-w[0], -w[1])
    ),
}

MOVE_TRAPS: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "A mirror exchanges left and right end of a box: put the smaller x first": lambda boxes, m: (
        boxes.reshape(-1, 2, 2) @ m[:2, :2].T + m[:2, 2]
    ).reshape(-1, 4),
    "The shift of the matrix, its last column, is not added (or the matrix is used transposed)": lambda boxes, m: moved_boxes(
        boxes, m * np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]])
    ),
    "Only the first corner is moved by the matrix": lambda boxes, m: np.hstack([moved_boxes(boxes, m)[:, :2], boxes[:, 2:]]),
}


def judge_13_3(answer: Any) -> Verdict:
    """Judge the pair ``(matrix(window, size), move(boxes, M))``."""
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        return not_yet("A pair of functions is expected: `(matrix, move)`.", hint=1)
    problems = windows_and_sizes()
    where = "window {} to size {}"
    found = [
        as_array(
            called(answer[0], window, size, name="`matrix`", where="on " + where.format(window, size)), (3, 3), "the matrix"
        ).reshape(3, 3)
        for window, size, _ in problems
    ]
    expected = [chain_matrix(window, size) for window, size, _ in problems]
    if not close(np.array(found), np.array(expected), TOLERANCE):
        traps = {text: [rule(window, size) for window, size, _ in problems] for text, rule in MATRIX_TRAPS.items()}
        trap = recognised_trap(np.array(found), traps, TOLERANCE)
        i = next(i for i, (a, b) in enumerate(zip(found, expected)) if not close(a, b, TOLERANCE))
        window, size, _ = problems[i]
        corner = found[i] @ np.array([window[0], window[1], 1.0])
        first = f"With {where.format(window, size)}, the window's top left corner lands at ({corner[0]:.4g}, {corner[1]:.4g})"
        return not_yet(f"{trap + '. ' if trap else ''}{first}, and should land at ({size[1]}, 0).", hint=2)
    moved = [
        as_array(called(answer[1], boxes, matrix, name="`move`"), (5, 4), "the moved boxes")
        for (_, _, boxes), matrix in zip(problems, expected)
    ]
    wanted = [one_after_the_other(*problem) for problem in problems]
    if not close(np.array(moved), np.array(wanted), TOLERANCE):
        traps = {text: [rule(p[2], m) for p, m in zip(problems, expected)] for text, rule in MOVE_TRAPS.items()}
        trap = recognised_trap(np.array(moved), traps, TOLERANCE)
        i = next(i for i, (a, b) in enumerate(zip(moved, wanted)) if not close(a, b, TOLERANCE))
        first = f"Box {np.round(problems[i][2][0], 1).tolist()} becomes {np.round(moved[i][0], 1).tolist()}"
        return not_yet(
            f"The matrix is right. {trap + '. ' if trap else ''}{first}, expected {np.round(wanted[i][0], 1).tolist()}.", hint=3
        )
    return right(
        f"On {N_WINDOWS} windows one matrix does what three steps do. The picture is read once for the whole chain, and the boxes "
        "are moved once, from the original corners."
    )


register(
    Exercise(
        key="13-3",
        title="One matrix for a chain",
        minutes=20,
        dots=3,
        hints=(
            "Write each step as a matrix on $(x, y, 1)$: cutting out is a shift, resizing a diagonal matrix, the mirror turns the sign "
            "of x and adds the new width. Multiply them; the first step stands rightmost.",
            "$M = \\begin{pmatrix} -1 & 0 & W' \\\\ 0 & 1 & 0 \\\\ 0 & 0 & 1 \\end{pmatrix} "
            "\\begin{pmatrix} W' / w & 0 & 0 \\\\ 0 & H' / h & 0 \\\\ 0 & 0 & 1 \\end{pmatrix} "
            "\\begin{pmatrix} 1 & 0 & -x_1 \\\\ 0 & 1 & -y_1 \\\\ 0 & 0 & 1 \\end{pmatrix}$ with $w = x_2 - x_1$, $h = y_2 - y_1$.",
            "Two opposite corners are enough, because nothing is turned: `corners = boxes.reshape(-1, 2, 2)`, "
            "`moved = corners @ M[:2, :2].T + M[:2, 2]`, then `np.hstack([moved.min(1), moved.max(1)])`.",
        ),
        judge=judge_13_3,
    )
)
