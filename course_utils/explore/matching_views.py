"""The two charts of the matching bench: how far every match is from the map, and the score of every index image.

Below the residuals stand the stepper's samples as bars; thresholds of RANSAC and of acceptance are handles.
"""

from __future__ import annotations

import numpy as np

from course_utils import retrieval
from course_utils.explore.matching import N_TRIALS, RIGHT, THRESHOLDS, WRONG, MatchResult, MatchState
from course_utils.explore.matching_cases import Case
from course_utils.explore.scene import Field, Layer, Mark, Points, Polygons, Rail, Scene, Segments, Text, rectangle
from course_utils.plotting import BLUE, GREEN, GREY, SKY, VERMILION

SIDE, HEIGHT = 408, 218  # pixels
OCTAVES = (-1.0, 7.0)  # residuals from 0.5 to 128 pixels, as powers of two
BASE, REACH = 114.0, 78.0  # pixels: the residuals' axis, and the room above it
BARS = 60  # samples shown by the stepper
FLOOR, TALL = 212.0, 42.0  # pixels: ground and height of the stepper's bars
AXIS, LANE = 118.0, 14.0  # pixels: the scores' axis, and the distance of dots in a pile
_WIDE = 26.0  # pixels beside the axis


# ---- residuals ---------------------------------------------------------------------------------------------------


def residual_scene(state: MatchState, result: MatchResult) -> Scene:
    """Return the residuals of all matches on a logarithmic axis, with RANSAC's threshold as a handle, and the samples."""
    low, high = OCTAVES
    unit = (high - low) / (SIDE - 2 * _WIDE)  # octaves per pixel
    box = (low - _WIDE * unit, high + _WIDE * unit, HEIGHT, 0.0)
    at = float(np.log2(state.threshold))
    ticks = np.arange(0, 8)
    n, inliers = len(result.residuals), int(result.inliers.sum())
    known = bool(np.isfinite(result.residuals).all()) and n > 0
    drawn = f"sample {len(result.history)}" if len(result.history) else "RANSAC's map"
    if known:
        title = f"{inliers} of {n} matches agree with {drawn}"
    elif len(result.history):
        title = f"The three matches of {drawn} fix no map"
    else:
        title = "No map: RANSAC is off" if not state.verify else "No map fits four of the matches" if n else "No match"
    layers: list[Layer] = [
        Text([[box[0] + 4 * unit, 16]], [title], size=15, bold=True),
        Polygons([rectangle(low, at, BASE, BASE - REACH)], SKY, "", 0, opacity=0.18),
        Segments([[low, BASE]], [[high, BASE]], "text", 1.5),
        Segments([[t, BASE] for t in ticks], [[t, BASE + 5] for t in ticks], "text", 1.5),
        Text([[t, BASE + 16] for t in ticks], [str(2**t) for t in ticks], "muted", 12, "centre"),
        Text([[low, BASE + 16]], ["px"], "muted", 12, "centre"),
        Segments([[at, BASE]], [[at, BASE - REACH]], "text", 1.5),
    ]
    if known:
        layers += _residual_dots(result)
    layers += _samples(state, result, box, unit)
    rail = Rail(((float(np.log2(THRESHOLDS[0])), BASE, float(np.log2(THRESHOLDS[1])), BASE, 0.0),))
    label = f"RANSAC threshold {state.threshold:.1f} pixels"
    mark = Mark(
        "threshold", at, BASE, label, f"{state.threshold:.1f} px", shape="triangle", size=8.0, step=0.1, leap=0.5, rail=rail
    )
    return Scene(SIDE, HEIGHT, box, f"Residuals of {n} matches: {inliers} below {state.threshold:.1f} pixels.", layers, [mark])


def _residual_dots(result: MatchResult) -> list[Layer]:
    octave = np.clip(np.log2(np.maximum(result.residuals, 1e-9)), *OCTAVES)
    bins = np.clip(np.floor(4 * (octave - OCTAVES[0])).astype(int), 0, 4 * int(OCTAVES[1] - OCTAVES[0]) - 1)
    order = np.lexsort((octave, result.right != RIGHT, bins))  # right ones at the bottom of every pile
    place = np.empty(len(bins))
    place[order] = np.arange(len(bins)) - np.searchsorted(bins[order], bins[order])
    pitch = min(9.0, (REACH - 8) / max(place.max(), 1.0))
    xy = np.column_stack([OCTAVES[0] + (bins + 0.5) / 4, BASE - 8 - pitch * place])
    layers: list[Layer] = []
    for truth, shape in ((WRONG, "cross"), (-1, "circle"), (RIGHT, "diamond")):
        for inside, colour in ((False, GREY), (True, BLUE)):
            mine = (result.right == truth) & (result.inliers == inside)
            if mine.any():
                layers.append(Points(xy[mine], colour, 4.2, shape, outline="background"))
    return layers


def _samples(state: MatchState, result: MatchResult, box: tuple[float, float, float, float], unit: float) -> list[Layer]:
    """Return what the stepper has drawn, or what RANSAC did."""
    left, y = box[0] + 4 * unit, 152.0
    if not len(result.history):
        if not state.verify:
            return [Text([[left, y]], ["Tick RANSAC to ask whether the matches move together."], "muted", 13)]
        lines = [f"RANSAC tried {N_TRIALS} samples of three matches, or all of them."]
        share = result.now.right_share
        if np.isfinite(share) and 0 < share < 1:
            needed = retrieval.ransac_trials(share)
            lines.append(f"{100 * share:.0f} % of the matches are right: {needed:,} samples hold a clean")
            lines.append("one with a probability of 99 %. Draw some yourself.")
        return [Text([[left, y + 20 * i] for i in range(len(lines))], lines, "muted", 13)]
    first = max(len(result.history) - BARS, 0)
    shown = result.history[first:]
    top = max(int(result.history.max()), int(result.n_inliers[state.shown]), 4)
    step = (SIDE - 2 * _WIDE) * unit / BARS
    x = OCTAVES[0] + step * np.arange(len(shown))
    high = FLOOR - TALL * shown / top
    bars = [rectangle(a, a + 0.72 * step, FLOOR, b) for a, b in zip(x, high)]
    best = FLOOR - TALL * int(result.history.max()) / top
    goal = FLOOR - TALL * int(result.n_inliers[state.shown]) / top
    words = f"Inliers: {shown[-1]} now, {result.history.max()} at best (sample {result.best + 1})"
    end = OCTAVES[1]
    return [
        Text([[left, y]], [words], size=13, bold=True),
        Text([[box[1] - 4 * unit, y]], [f"RANSAC {int(result.n_inliers[state.shown])}"], BLUE, 13, "right", True),
        Segments([[OCTAVES[0], FLOOR]], [[end, FLOOR]], "text", 1.5),
        Polygons(bars[:-1], GREY, "", 0),
        Polygons(bars[-1:], VERMILION, "", 0),
        Segments([[OCTAVES[0], best]], [[end, best]], "text", 1.5, dashed=True),
        Segments([[OCTAVES[0], goal]], [[end, goal]], BLUE, 1.5),
    ]


# ---- scores of all index images ----------------------------------------------------------------------------------


def shortlist_scene(state: MatchState, result: MatchResult, case: Case) -> Scene:
    """Return the score of every index image: those that show the same above the axis, the others below."""
    scores = result.scores
    end = 8 * max(3, int(np.ceil((scores.max(initial=0) + 2) / 8)))  # not of the threshold: the axis stays while it is dragged
    unit = end / (SIDE - 2 * _WIDE)
    box = (-_WIDE * unit, end + _WIDE * unit, HEIGHT, 0.0)
    what = "inliers" if state.verify else "matches"
    same = np.array([one.same is not False for one in case.index])
    place = np.array([int(np.sum((scores[:i] == scores[i]) & (same[:i] == same[i]))) for i in range(len(scores))])
    pitch = min(LANE, 54.0 / max(place.max(initial=0), 1))
    y = np.where(same, AXIS - 12 - pitch * place, AXIS + 34 + pitch * place)
    xy = np.column_stack([scores, y])
    ticks = np.arange(0, end + 1, 8 if end <= 48 else 16)
    reached = scores >= state.accept
    first = "the same" if any(one.same for one in case.index) else "yours"
    upper, lower = (
        f"accepted, {name}: {int((reached & group).sum())} of {int(group.sum())}" if group.any() else ""
        for name, group in ((first, same), ("others", ~same))
    )
    at = min(state.accept - 0.5, end)
    layers: list[Layer] = [
        Text([[box[0] + 4 * unit, 16]], [f"{what.capitalize()} with all {len(scores)} index images"], size=15, bold=True),
        Polygons([rectangle(at, box[1], HEIGHT - 4, 30)], SKY, "", 0, opacity=0.18),
        Segments([[at, 30]], [[at, HEIGHT - 4]], "text", 1.5, dashed=True),
        Segments([[0, AXIS]], [[end, AXIS]], "text", 1.5),
        Segments([[t, AXIS] for t in ticks], [[t, AXIS + 5] for t in ticks], "text", 1.5),
        Text([[t, AXIS + 16] for t in ticks], [str(t) for t in ticks], "muted", 12, "centre"),
        Text([[box[1] - 6 * unit, 42]], [upper], GREEN, 13, "right", True, True),
        Text([[box[1] - 6 * unit, HEIGHT - 14]], [lower], VERMILION, 13, "right", True, True),
        Points(xy[same], GREEN, 6.0, outline="background"),
        Points(xy[~same], VERMILION, 5.0, "square", filled=False),
        Points(xy[[state.shown]], "text", 11.0, "ring"),
    ]
    fields = []
    for i, (one, score) in enumerate(zip(case.index, scores)):
        half = (9 * unit, max(min(pitch / 2, 9.0), 4.0))
        around = (xy[i, 0] - half[0], xy[i, 0] + half[0], xy[i, 1] + half[1], xy[i, 1] - half[1])
        fields.append(Field(f"image{i}", around, f"{one.name}: {score} {what}; Enter shows it"))
    rail = Rail(((0.5, AXIS, end - 0.5, AXIS, 0.0),))
    label = f"threshold of acceptance: {state.accept} {what}"
    mark = Mark("accept", at, AXIS, label, f"{state.accept}", shape="triangle", size=8.0, step=1.0, leap=5.0, rail=rail)
    label = f"Scores of {len(scores)} index images; {result.now.accepted} reach the threshold of {state.accept}."
    return Scene(SIDE, HEIGHT, box, label, layers, [mark], fields)
