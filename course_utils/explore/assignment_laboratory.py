"""Assignment laboratory: what a VLAD or NetVLAD layer does with two images of a few descriptors each, in the plane.

Image A (filled circles) and image B (hollow squares) have two-dimensional descriptors. Every visual word k has two
handles: the **assignment point** (diamond), which with the others decides who belongs to whom, and the **anchor**
(cross), from which residuals are measured. VLAD has one point for both. NetVLAD separates them, and the task of this
explorer shows why: moving only the anchor of a word can make two residuals that do not match orthogonal, so that they
add nothing to the similarity, while every assignment stays as it is.

Taught in `02_netvlad`; the burst preset in `01_vlad`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import ipywidgets as widgets
import numpy as np

from course_utils.explore.assignment import (
    BURST,
    LIMIT,
    PRESETS,
    SCHEMES,
    WORD_COLOURS,
    AssignmentResult,
    AssignmentState,
    Point,
    compute_assignment,
)
from course_utils.explore.base import Action, Control, PresetExplorer, View
from course_utils.explore.canvas import Event
from course_utils.explore.scene import Layer, Mark, Picture, Points, Polygons, Scene, Segments, Text, rectangle, rgba
from course_utils.plotting import BLUE, GREEN, SKY, VERMILION

PLANE = 500  # pixels
SIDE = 372  # pixels, width of the bar charts
ALPHA_RANGE = (-1.0, 2.0)  # decimal exponents of alpha: from nearly uniform to hard
ARROW = 1.1  # length on screen, in data units, of a block that carries the whole unit vector
QUIET = 0.03  # a word that adds less than this to the similarity counts as silent


def signed(value: float) -> str:
    """Return a number with sign and two decimals, and never a negative zero.

    >>> signed(-0.001), signed(0.25)
    ('+0.00', '+0.25')
    """
    return f"{round(float(value), 2) + 0.0:+.2f}"


def react_plane(state: AssignmentState, event: Event) -> AssignmentState:
    """Return the state after a mark was moved; marks are named ``"a0"``, ``"b0"``, ``"w0"``, ``"c0"`` ..."""
    if event.kind != "move" or len(event.name) < 2:
        return state
    group, index = event.name[0], int(event.name[1:])
    point = (event.x, event.y)

    def moved(points: tuple[Point, ...]) -> tuple[Point, ...]:
        return (*points[:index], point, *points[index + 1 :])

    if group in "wc" and state.together:
        return replace(state, words=moved(state.words), anchors=moved(state.anchors))
    name = {"a": "a", "b": "b", "w": "words", "c": "anchors"}[group]
    return replace(state, **{name: moved(getattr(state, name))})


# ---- views -----------------------------------------------------------------------------------------------------


def draw_plane(state: AssignmentState, result: AssignmentResult) -> Scene:
    """Return the plane: regions, descriptors, residuals, blocks and handles."""
    a, b, anchors = (np.asarray(points, float) for points in (state.a, state.b, state.anchors))
    layers: list[Layer] = [
        Picture(result.shading, (-LIMIT, LIMIT, -LIMIT, LIMIT), smooth=True),
        Polygons([cell for cell in result.cells if len(cell)], outline="muted", width=1.5),
    ]
    for points, assignment, colour in ((a, result.assignment_a, BLUE), (b, result.assignment_b, VERMILION)):
        n, k = assignment.shape
        starts, ends = np.tile(anchors, (n, 1)), np.repeat(points, k, axis=0)
        colours = np.tile(rgba(colour), (n * k, 1))
        colours[:, 3] = np.round(200 * assignment.ravel())
        visible = assignment.ravel() > 0.05
        layers.append(Segments(starts[visible], ends[visible], colours[visible], width=1.5, dashed=True))
    for blocks, colour in ((result.blocks_b, VERMILION), (result.blocks_a, BLUE)):
        layers.append(Segments(anchors, anchors + 0.85 * ARROW * blocks, "background", width=7))
        layers.append(Segments(anchors, anchors + ARROW * blocks, colour, width=4, arrow=True))
    if state.copies > 1:
        spread = 0.09 * np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1) * (0.5 + 0.5 * _TURN[:, None] / _TURN[-1])
        layers.append(Points(a[0] + spread, BLUE, size=4))
        layers.append(Text(a[:1] + [0.16, -0.14], [f"{state.copies} copies"], size=13, bold=True, halo=True))
    return Scene(
        PLANE,
        PLANE,
        (-LIMIT, LIMIT, -LIMIT, LIMIT),
        "Plane of descriptors: image A as filled circles, image B as hollow squares, words as diamonds, anchors as crosses.",
        layers,
        _handles(state),
    )


_TURN = np.linspace(0, 6 * np.pi, BURST - 1)


def _handles(state: AssignmentState) -> list[Mark]:
    marks = []
    for k, (word, anchor) in enumerate(zip(state.words, state.anchors)):
        colour = WORD_COLOURS[k]
        look = {"colour": colour, "shape": "diamond", "size": 12.0, "filled": False}
        marks.append(Mark(f"w{k}", *word, label=f"assignment point of word {k + 1}", tag=f"w{k + 1}", **look))
        # At the start the anchor lies in the middle of its assignment point: the pointer takes the cross or the rim.
        tag = "" if anchor == word else f"c{k + 1}"
        marks.append(Mark(f"c{k}", *anchor, label=f"anchor of word {k + 1}", tag=tag, colour="text", shape="plus", size=9.0))
    for i, point in enumerate(state.a):
        marks.append(Mark(f"a{i}", *point, label=f"descriptor {i + 1} of image A", tag=f"A{i + 1}", colour=BLUE, size=8.0))
    for i, point in enumerate(state.b):
        look = {"colour": VERMILION, "shape": "square", "size": 8.0, "filled": False}
        marks.append(Mark(f"b{i}", *point, label=f"descriptor {i + 1} of image B", tag=f"B{i + 1}", **look))
    return marks


def draw_split(state: AssignmentState, result: AssignmentResult) -> Scene:
    """Return the bar charts: what every word adds, and the three normalisations without and with the burst."""
    layers: list[Layer] = [Text([[8, 18]], ["What each word adds to the similarity"], size=15, bold=True)]
    names = [f"word {k + 1}" for k in range(len(result.per_word))]
    layers += _bars(names, result.per_word, 40, [WORD_COLOURS[k] for k in range(len(names))], reach=1.0)
    below = 40 + 32 * len(names)
    layers += _bars(["sum"], np.array([result.similarity]), below, ["text"], reach=1.0)
    layers.append(Segments([[8, below - 3]], [[SIDE - 8, below - 3]], "border", width=1))
    head = below + 68
    title = f"The same images if A1 occurs {BURST} times"
    layers.append(Text([[8, head]], [title], size=15, bold=True))
    layers.append(Text([[8, head + 24]], ["light: once    strong: burst"], colour="muted", size=13))
    for row, scheme in enumerate(SCHEMES):
        once, many = result.schemes[scheme]
        y = head + 46 + 46 * row
        layers += _bars([scheme], np.array([once]), y, [SKY], reach=1.0, height=16)
        layers += _bars([""], np.array([many]), y + 18, [BLUE], reach=1.0, height=16)
    layers += _legend(PLANE - 92)
    words = ", ".join(f"{name} {signed(value)}" for name, value in zip(names, result.per_word))
    return Scene(SIDE, PLANE, None, f"Bar charts: {words}; similarity {result.similarity:.2f}.", layers)


def _legend(top: float) -> list[Layer]:
    rows = top + 26 * np.arange(4)
    says = (
        "image A: descriptors",
        "image B: descriptors",
        "w: decides who belongs to the word",
        "c: anchor, residuals start here",
    )
    return [
        Points([[16, rows[0]]], BLUE, 7),
        Points([[16, rows[1]]], VERMILION, 7, "square", filled=False),
        Points([[16, rows[2]]], GREEN, 9, "diamond", filled=False),
        Points([[16, rows[3]]], "text", 8, "plus", outline=""),
        Segments([[180, rows[0]]], [[212, rows[0]]], BLUE, width=4, arrow=True),
        Segments([[180, rows[1]]], [[212, rows[1]]], VERMILION, width=4, arrow=True),
        Text([[222, rows[0]], [222, rows[1]]], ["block of its vector"] * 2, size=13),
        Text(np.stack([np.full(4, 32.0), rows], axis=1), says, size=13),
    ]


def _bars(
    names: Sequence[str], values: np.ndarray, top: float, colours: Sequence[str], reach: float, height: int = 24
) -> list[Layer]:
    """Horizontal bars from a zero line; ``reach`` is the value of the longest bar that fits."""
    zero, unit = 150.0, 150.0 / reach
    layers: list[Layer] = []
    for row, (name, value, colour) in enumerate(zip(names, values, colours)):
        y, tip = top + 32 * row, zero + unit * float(np.clip(value, -0.5 * reach, reach))
        layers.append(Polygons([rectangle(min(zero, tip), max(zero, tip), y + height, y)], colour, "text", width=1))
        layers.append(Text([[8, y + height / 2]], [name], size=14))
        x, align = (tip + 8, "left") if value >= 0 else (zero + 8, "left")
        layers.append(Text([[x, y + height / 2]], [signed(value)], size=14, align=align, bold=True))
    layers.append(Segments([[zero, top - 3]], [[zero, top + 32 * (len(names) - 1) + height + 3]], "text", width=1.5))
    return layers


class AssignmentLaboratory(PresetExplorer):
    """Drag descriptors, assignment points and anchors; see the two image vectors and their similarity follow.

    Parameters
    ----------
    preset : {"decoupling", "burst"}
        Where to begin, and where *Reset* leads.
    scheduler : callable, optional
        See ``Explorer``.
    """

    presets = PRESETS
    css_class = "explorer-assignment"
    help_text = "Drag a descriptor (A circles, B squares), an assignment point w (diamond) or an anchor c (cross)."

    def admit(self, state: AssignmentState) -> AssignmentState:
        """Keep every point inside the plane and alpha inside the slider's range."""

        def inside(points: tuple[Point, ...]) -> tuple[Point, ...]:
            return tuple((min(max(x, -LIMIT), LIMIT), min(max(y, -LIMIT), LIMIT)) for x, y in points)

        places = {name: inside(getattr(state, name)) for name in ("a", "b", "words", "anchors")}
        return replace(state, log_alpha=min(max(state.log_alpha, ALPHA_RANGE[0]), ALPHA_RANGE[1]), **places)

    def compute(self, state: AssignmentState) -> AssignmentResult:
        """Return the result; see ``compute_assignment``."""
        return compute_assignment(state)

    def controls(self) -> Sequence[Control | Action]:
        """Return preset, alpha, the two switches and the burst button."""
        low, high = ALPHA_RANGE
        alpha = widgets.FloatLogSlider(value=10, base=10, min=low, max=high, step=0.05, description="alpha", readout_format=".3g")
        alpha.layout.width = "225px"
        slim = widgets.Layout(width="auto")
        intra = widgets.Checkbox(description="intra-normalise", indent=False, layout=slim)
        together = widgets.Checkbox(description="w and c move together", indent=False, layout=slim)
        presets = widgets.Dropdown(options=list(PRESETS), description="preset", layout=widgets.Layout(width="160px"))
        presets.style.description_width = alpha.style.description_width = "50px"
        return (
            Control(presets, "preset", apply=lambda _state, preset: PRESETS[preset]),
            Control(alpha, "log_alpha", lambda v: round(float(np.log10(v)), 4), lambda v: 10.0**v),
            Control(intra, "intra"),
            Control(together, "together"),
            Action(
                f"Burst x {BURST}", lambda s: replace(s, copies=BURST if s.copies == 1 else 1), "Repeat descriptor A1, or undo it"
            ),
        )

    def views(self) -> Sequence[View]:
        """Return the plane and the bar charts."""
        return (View("plane", draw_plane, react_plane), View("split", draw_split))

    def sentence(self, state: AssignmentState, result: AssignmentResult) -> str:
        """Return the similarity and its split."""
        split = ", ".join(f"word {k + 1} {signed(value)}" for k, value in enumerate(result.per_word))
        scheme = "intra" if state.intra else "plain"
        burst = f", A1 repeated {state.copies} times" if state.copies > 1 else ""
        return (
            f"The similarity of A and B is {result.similarity:.2f} ({scheme}, alpha {10**state.log_alpha:.3g}{burst}): {split}."
        )

    def goal(self, state: AssignmentState, result: AssignmentResult) -> str:
        """Return the next thing to try."""
        if state.preset == "burst":
            return _burst_goal(state, result)
        gain = result.per_word[0]
        if not result.boundaries_kept:
            return "The boundaries have moved. Press Reset and drag only the anchor c1."
        if state.a != PRESETS["decoupling"].a or state.b != PRESETS["decoupling"].b:
            return "The descriptors have moved, so this is another pair of images. Press Reset for the task."
        if abs(gain) >= QUIET:
            return (
                f"Task: A1 and B1 do not match, yet word 1 adds {signed(gain)}. Drag the anchor c1 until its two arrows stand at a "
                "right angle; leave the boundaries alone."
            )
        return f"Done: word 1 adds {signed(gain)}, no boundary has moved, and the two true matches keep their share."


def _burst_goal(state: AssignmentState, result: AssignmentResult) -> str:
    shift = {scheme: abs(many - once) for scheme, (once, many) in result.schemes.items()}
    order = ", ".join(f"{scheme} by {shift[scheme]:.2f}" for scheme in SCHEMES)
    start = (
        "The burst moves"
        if state.copies > 1
        else "Task: guess which normalisation a burst of A1 moves most, then press Burst. It moves"
    )
    return f"{start} the similarity: {order}."
