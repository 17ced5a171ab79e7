"""The figures of `04_landmark_recognition`: the long tail, the one list of answers, confidences, crowds, three protocols.

Drawing only: every function takes finished data and returns the axes or the figure. A right answer is filled blue with a
tick, a wrong answer on a landmark is hollow with a cross, an answer to a picture without a landmark is hatched. The two
confidences keep their colours: similarity is vermilion, inliers are blue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils import plotting
from course_utils.checks import message

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from course_utils.retrieval.recognition_metrics import RecognitionRanking
    from course_utils.retrieval.revisited import RevisitedResult

CELL = 0.86
RIGHT, WRONG, EMPTY = "right", "wrong landmark", "no landmark there"
LOOKS: Mapping[str, tuple[str, str, str, str]] = {  # face, edge, hatch, mark
    RIGHT: (plotting.BLUE, plotting.BLUE, "", "✓"),
    WRONG: ("white", plotting.VERMILION, "", "✗"),
    EMPTY: ("white", plotting.VERMILION, "////", ""),
}
SYSTEM_COLOURS: Mapping[str, str] = {"similarity": plotting.VERMILION, "inliers": plotting.BLUE}
CHIPS: Mapping[str, tuple[str, str]] = {  # colour and letter of each label of the revisited sets
    "easy": (plotting.GREEN, "E"),
    "hard": (plotting.BLUE, "H"),
    "junk": (plotting.GREY, "?"),
    "negative": (plotting.VERMILION, "✗"),
}

SHORT = {"easy": "easy", "hard": "hard", "junk": "junk", "negative": "neg."}


def kinds_of(ranking: RecognitionRanking) -> list[str]:
    """Return what each answer of a ranking is: right, a wrong landmark, or a landmark where there is none."""
    return [
        RIGHT if correct else WRONG if on_landmark else EMPTY
        for correct, on_landmark in zip(ranking.correct, ranking.on_landmark)
    ]


def draw_long_tail(ax: Axes, sizes: Any) -> Axes:
    """Draw the sizes of classes, largest first, and their mean and median.

    Parameters
    ----------
    sizes : array-like of shape (C,), int
        Images of every class.
    """
    sizes = np.sort(np.asarray(sizes))[::-1]
    ax.bar(np.arange(1, len(sizes) + 1), sizes, color=plotting.BLUE, width=1.0, edgecolor="white", linewidth=0.5)
    for value, name, style in ((sizes.mean(), "mean", "-"), (float(np.median(sizes)), "median", "--")):
        ax.axhline(value, color="black", linewidth=1.2, linestyle=style)
        ax.annotate(f"{name} {value:.0f}", (len(sizes), value), (0, 3), textcoords="offset points", ha="right", va="bottom")
    ax.set(xlabel="landmark, most photographed first", ylabel="training images", yscale="log", xlim=(0.3, len(sizes) + 0.7))
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if sizes[-1] <= tick <= 1.05 * sizes[0]]
    ax.set_yticks(ticks, [str(tick) for tick in ticks])
    ax.minorticks_off()
    ax.grid(axis="y")
    return ax


def draw_answers(ax: Axes, ranking: RecognitionRanking, first: int | None = None, precision: bool = True) -> Axes:
    """Draw the answers of a test set as one ranked strip, the most confident first, with precision at the right ones.

    Parameters
    ----------
    first : int, optional
        Only so many of the answers.
    precision : bool, default True
        Write hits / rank above each right answer.
    """
    from matplotlib.patches import Rectangle

    kinds = kinds_of(ranking)[:first]
    hits = np.cumsum(ranking.correct)
    for i, kind in enumerate(kinds):
        face, edge, hatch, mark = LOOKS[kind]
        corner = (i + 1 - CELL / 2, -CELL / 2)
        ax.add_patch(Rectangle(corner, CELL, CELL, facecolor=face, edgecolor=edge, hatch=hatch, linewidth=1.5))
        ax.text(i + 1, 0, mark, ha="center", va="center", color="white" if kind == RIGHT else edge, fontsize=12)
        ax.text(i + 1, -0.62, str(i + 1), ha="center", va="top", fontsize=9, color=plotting.GREY)
        if precision and kind == RIGHT:
            ax.text(i + 1, 0.6, f"{hits[i]}/{i + 1}", ha="center", va="bottom", fontsize=10)
    ax.set_xlim(0.2, len(kinds) + 0.8)
    ax.set_ylim(-1.4, 1.4)
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax


def answer_key(ax: Axes) -> Axes:
    """Draw the legend of the three kinds of answers below the axes."""
    from matplotlib.patches import Patch

    handles = [Patch(facecolor=f, edgecolor=e, hatch=h, label=f"{m} {kind}".strip()) for kind, (f, e, h, m) in LOOKS.items()]
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.06), ncols=3, frameon=False)
    return ax


def draw_gains(ax: Axes, ranking: RecognitionRanking) -> Axes:
    """Draw by how much GAP would change if one answer after the other were withheld, in the order of the ranking."""
    gains = 100 * ranking.gain_if_withdrawn
    for i, (kind, gain) in enumerate(zip(kinds_of(ranking), gains)):
        face, edge, hatch, _ = LOOKS[kind]
        ax.bar(i + 1, gain, color=face, edgecolor=edge, hatch=hatch, linewidth=1.5, width=CELL)
    ax.axhline(0, color="black", linewidth=1)
    ax.set(xlabel="rank of the answer", ylabel="GAP, points", xlim=(0.2, len(gains) + 0.8))
    ax.set_xticks(np.arange(1, len(gains) + 1))
    return ax


def draw_confidences(ax: Axes, ranking: RecognitionRanking, xlabel: str) -> Axes:
    """Draw the scores of all answers in three rows: right, wrong landmark, no landmark there.

    Dots of equal or near scores are piled up, so that the height of a heap is a number of answers.
    """
    kinds = np.array(kinds_of(ranking))
    low, high = (float(ranking.scores.min()), float(ranking.scores.max())) if len(ranking) else (0.0, 1.0)
    width = (high - low or 1.0) / 70
    for row, kind in enumerate((RIGHT, WRONG, EMPTY)):
        face, edge, hatch, _ = LOOKS[kind]
        scores = ranking.scores[kinds == kind]
        columns = np.floor((scores - low) / width).astype(int)
        height = np.zeros(len(scores))
        for column in np.unique(columns):
            members = np.flatnonzero(columns == column)
            height[members] = np.arange(len(members))
        step = 0.75 / max(height.max(initial=0.0), 11.0)
        marker = {RIGHT: "o", WRONG: "x", EMPTY: "s"}[kind]
        style = {"c": edge} if marker == "x" else {"facecolors": face if kind == RIGHT else "none", "edgecolors": edge}
        ax.scatter(low + (columns + 0.5) * width, -row - 0.4 + height * step, s=13, marker=marker, linewidths=0.9, **style)
    ax.set_yticks([0, -1, -2], [RIGHT, WRONG, "no landmark\nthere"])
    ax.set_ylim(-2.6, 0.6)
    ax.set_xlabel(xlabel)
    ax.tick_params(axis="y", length=0)
    return ax


def answers_figure(
    rows: Mapping[str, tuple[Sequence[Any], Sequence[str]]], values: Mapping[str, str], n_columns: int = 10
) -> Figure:
    """Return strips of photographs: the most confident answers of each system, framed by whether they are right.

    Parameters
    ----------
    rows : mapping from system to (images, kinds)
        Images in the order of the ranking, and the kind of each answer.
    values : mapping from system to str
        Written above its strip.
    n_columns : int, default 10
    """
    n_rows = sum(-(-len(images) // n_columns) for images, _ in rows.values())
    figure, axes = plotting.new_figure(n_rows, n_columns, size=(9, 1.4 * n_rows), squeeze=False)
    figure.get_layout_engine().set(hspace=0.22)
    line, starts = 0, {}
    for name, (images, kinds) in rows.items():
        if len(images) != len(kinds):
            raise ValueError(message("rows", f"one kind for each of the {len(images)} images of {name}", str(len(kinds))))
        for i in range(0, -(-len(images) // n_columns) * n_columns):
            ax = axes[line + i // n_columns, i % n_columns]
            if i >= len(images):
                ax.set_axis_off()
                continue
            right = kinds[i] == RIGHT
            colour = plotting.BLUE if right else plotting.VERMILION
            plotting.draw_image(ax, images[i], frame=colour)
            ax.set_xlabel(f"{i + 1} {'✓' if right else '✗'}", color=colour, fontsize=11, labelpad=2)
        starts[name] = axes[line, 0]
        line += -(-len(images) // n_columns)
    figure.draw_without_rendering()  # a title is as long as its row: it is placed when the columns have their width
    for name, ax in starts.items():
        box = ax.get_position()
        figure.text(box.x0, box.y1 + 0.03, values[name], ha="left", va="bottom", fontsize=11, fontweight="bold")
    return figure


def draw_kept(ax: Axes, ranking: RecognitionRanking) -> Axes:
    """Draw what a threshold does: GAP, precision and recall of the first n answers, for every n."""
    kept = np.arange(1, len(ranking) + 1)
    gap = np.cumsum(np.where(ranking.correct, ranking.precision, 0.0)) / ranking.n_landmark_images
    curves = {
        "precision": (ranking.precision, plotting.VERMILION, "--"),
        "recall": (ranking.recall, plotting.GREEN, "-."),
        "GAP": (gap, plotting.BLUE, "-"),
    }
    for name, (values, colour, style) in curves.items():
        ax.plot(kept, values, color=colour, linestyle=style, linewidth=2)
        ax.annotate(name, (kept[-1], values[-1]), (5, 0), textcoords="offset points", va="center", color=colour)
    ax.set(xlabel="answers kept, most confident first", ylim=(0, 1.02), xlim=(1, 1.16 * len(ranking)))
    ax.grid(axis="y")
    return ax


def draw_crowd(ax: Axes, shares: Any, curves: Mapping[str, Any], here: float | None = None) -> Axes:
    """Draw GAP against the share of test images without a landmark, one line for each confidence.

    Parameters
    ----------
    shares : array-like of shape (S,)
        Between 0 and 1.
    curves : mapping from "similarity" or "inliers" to S numbers
    here : float, optional
        Share of the test set at hand, marked by a line.
    """
    ax.set_ylim(0, 1.25 * max(max(values) for values in curves.values()))
    for i, (name, values) in enumerate(curves.items()):
        colour = SYSTEM_COLOURS.get(name, plotting.LINE_COLOURS[i])
        ax.plot(shares, values, color=colour, linestyle=("-", "--")[i % 2], marker=plotting.MARKERS[i], linewidth=2)
        ax.annotate(name, (shares[0], values[0]), (2, 7), textcoords="offset points", color=colour)
    if here is not None:
        ax.axvline(here, color=plotting.GREY, linewidth=1)
        ax.annotate("this test set", (here, ax.get_ylim()[1]), (-4, -2), textcoords="offset points", ha="right", va="top")
    ax.set(xlabel="share of test images without a landmark", ylabel="GAP")
    ax.grid(axis="y")
    return ax


def draw_two_by_two(ax: Axes, values: Mapping[tuple[str, str], float]) -> Axes:
    """Draw GAP for each choice of label (rows) and confidence (columns), darker where higher.

    Parameters
    ----------
    values : mapping from (label by, confidence by) to GAP
    """
    labels = list(dict.fromkeys(label for label, _ in values))
    confidences = list(dict.fromkeys(confidence for _, confidence in values))
    table = np.array([[values[label, confidence] for confidence in confidences] for label in labels])
    ax.imshow(table, cmap="Blues", vmin=0, vmax=max(1.15 * table.max(), 1e-9), aspect="auto")
    for (i, j), value in np.ndenumerate(table):
        ax.text(
            j,
            i,
            f"{100 * value:.0f} %",
            ha="center",
            va="center",
            fontsize=15,
            color="white" if value > 0.6 * table.max() else "black",
        )
    ax.set_xticks(range(len(confidences)), [f"confidence by\n{name}" for name in confidences])
    ax.set_yticks(range(len(labels)), [f"label by\n{name}" for name in labels])
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax


def protocol_figure(
    query: Any, images: Sequence[Any], labels: Sequence[str], results: Mapping[str, RevisitedResult], first: int = 12
) -> Figure:
    """Return one ranked list of photographs, and what easy, medium and hard make of it.

    Parameters
    ----------
    query : image
    images : sequence of images
        In the order of the ranking.
    labels : sequence of {"easy", "hard", "junk", "negative"}
    results : mapping from protocol to RevisitedResult
        Of this one query.
    first : int, default 12
        Places that are drawn.
    """
    from matplotlib.patches import Rectangle

    from course_utils.retrieval.revisited import PROTOCOLS

    images, labels = list(images)[:first], list(labels)[:first]
    figure, axes = plotting.new_figure(2, 1, size=(9, 3.2), height_ratios=(1, 2.3))
    grid = axes[0].get_subplotspec().subgridspec(1, first + 1, wspace=0.06)
    axes[0].set_axis_off()
    for i, image in enumerate([query, *images]):
        ax = figure.add_subplot(grid[i])
        frame = "black" if i == 0 else CHIPS[labels[i - 1]][0]
        plotting.draw_image(ax, image, "query" if i == 0 else SHORT[labels[i - 1]], frame)
        ax.title.set_fontsize(9)
    ax = axes[1]
    for row, (protocol, result) in enumerate(results.items()):
        positive, ignored = PROTOCOLS[protocol]
        rank = 0
        for i, label in enumerate(labels):
            colour, letter = CHIPS[label]
            x, y = i + 1 - CELL / 2, -1.15 * row - CELL / 2
            if label in ignored:
                ax.add_patch(
                    Rectangle((x, y), CELL, CELL, facecolor="none", edgecolor=plotting.GREY, linestyle=":", linewidth=1.2)
                )
                ax.text(i + 1, -1.15 * row, letter, ha="center", va="center", color=plotting.GREY, fontsize=10)
                continue
            rank += 1
            filled = label in positive
            ax.add_patch(Rectangle((x, y), CELL, CELL, facecolor=colour if filled else "white", edgecolor=colour, linewidth=1.5))
            text = f"{letter} {rank}" if filled else str(rank)
            ax.text(i + 1, -1.15 * row, text, ha="center", va="center", color="white" if filled else "black", fontsize=10)
        ax.text(0.4, -1.15 * row, protocol, ha="right", va="center")
        value = result.mean_average_precision
        words = "no positive" if np.isnan(value) else f"AP {value:.2f}"
        ax.text(len(labels) + 0.6, -1.15 * row, words, ha="left", va="center", fontweight="bold")
    ax.set_xlim(-0.9, len(labels) + 2.4)
    ax.set_ylim(-1.15 * len(results) + 0.4, 0.75)
    ax.set_aspect("equal")
    ax.set_axis_off()
    return figure
