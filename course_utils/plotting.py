"""The look of the course: one style, one palette, one way to show a figure.

``show`` is the only way a chapter displays a figure. It writes three things into the output: the picture, its
alternative text (the ``alt`` metadata that nbconvert's classic template reads) and the same sentence as
``text/plain``, which a screen reader finds and nbval compares. A figure whose numbers change therefore fails the
chapter's test, as long as the sentence quotes them.

Colours are those of Okabe and Ito (2008). The four in ``LINE_COLOURS`` keep a contrast of at least 3:1 on white
and on JupyterLab's dark background, so lines and small marks use only these; the others fill areas.
"""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils.checks import checked_choice, message

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, YELLOW, GREY = "#E69F00", "#56B4E9", "#F0E442", "#7A7A7A"
LINE_COLOURS = (BLUE, VERMILION, GREEN, PURPLE)
FILL_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, YELLOW)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

JPEG_QUALITY = 70  # photographs of 230 pixels show no artefacts, and a chapter stays below 1 MB
DPI = 100  # a figure of 9 inches fills the 900 pixels of a notebook's column

STYLE: Mapping[str, Any] = {
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "figure.figsize": (7.0, 3.6),
    "figure.constrained_layout.use": True,
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.grid": False,
    "grid.alpha": 0.35,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "lines.markersize": 6.5,
    "image.cmap": "viridis",
    "svg.hashsalt": "course",
}


def use_course_style() -> None:
    """Apply the course's figure style to matplotlib, for this process."""
    import matplotlib as mpl
    from cycler import cycler

    mpl.rcParams.update(STYLE)
    mpl.rcParams["axes.prop_cycle"] = cycler(color=LINE_COLOURS)


def new_figure(
    n_rows: int = 1, n_columns: int = 1, size: tuple[float, float] | None = None, **options: Any
) -> tuple[Figure, Any]:
    """Return ``(figure, axes)`` like ``plt.subplots``, in the course's style and without pyplot's global list.

    Parameters
    ----------
    size : (width, height), optional
        In inches at 100 dpi; at most 9 wide, the width of a notebook column.
    options
        Passed to ``Figure.subplots`` (``sharex``, ``width_ratios`` ...).
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, dpi=DPI, layout="constrained")
        axes = figure.subplots(n_rows, n_columns, **options)
    return figure, axes


def encode(figure: Figure, kind: str = "png", tight: bool = True) -> bytes:
    """Return the figure as PNG or JPEG bytes that are the same at every run (no version, no date inside).

    Parameters
    ----------
    kind : {"png", "jpeg"}
        A PNG gets a palette of 256 colours: a plot has few, and the file shrinks to a third. Photographs belong in JPEG.
    tight : bool, default True
        Cut the white border.
    """
    from PIL import Image

    checked_choice(kind, "kind", ("png", "jpeg"))
    drawn, buffer = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", bbox_inches="tight" if tight else None)
    picture = Image.open(drawn).convert("RGB")
    if kind == "png":
        picture.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(buffer, "png", optimize=True)
    else:
        picture.save(buffer, "jpeg", quality=JPEG_QUALITY, optimize=True)
    return buffer.getvalue()


def show(figure: Figure, alt: str, photo: bool = False) -> None:
    """Display a figure with its alternative text.

    Parameters
    ----------
    figure : Figure
        From ``new_figure`` or from ``plt.subplots``; it is closed, so it never appears twice.
    alt : str
        One or two full sentences that say what the figure shows, with its main number. nbval compares them.
    photo : bool, default False
        Encode as JPEG: a grid of photographs is five times smaller than as PNG.

    Raises
    ------
    ValueError
        If ``alt`` is not a sentence.
    """
    from IPython.display import display

    if not isinstance(alt, str) or not alt.strip().endswith((".", "?", "!")):
        raise ValueError(message("alt", "a sentence that ends with a full stop", repr(alt)))
    mime = "image/jpeg" if photo else "image/png"
    picture = base64.b64encode(encode(figure, mime.removeprefix("image/"))).decode()
    _forget(figure)
    display({mime: picture, "text/plain": alt}, metadata={mime: {"alt": alt}}, raw=True)


def _forget(figure: Figure) -> None:
    import sys

    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(figure)


def say(text: str) -> None:
    """Display a computed sentence as Markdown, so that text which quotes a result can never go stale."""
    from IPython.display import Markdown, display

    display(Markdown(text))


def as_picture(image: Any) -> np.ndarray:
    """Return an image as ``(H, W, 3)`` uint8 for drawing.

    Parameters
    ----------
    image : Tensor or array
        ``(3, H, W)``, ``(1, H, W)``, ``(H, W)`` or ``(H, W, 3)``; uint8, or float in [0, 1] (clipped).

    Raises
    ------
    ValueError
        For any other shape.
    """
    array = np.asarray(image.detach().cpu() if hasattr(image, "detach") else image)
    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[-1] != 3:
        array = np.moveaxis(array, 0, -1)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[-1] not in (1, 3):
        raise ValueError(message("image", "of shape (3, H, W), (1, H, W), (H, W) or (H, W, 3)", f"shape {np.shape(image)}"))
    if array.dtype != np.uint8:
        array = np.round(np.clip(array, 0, 1) * 255).astype(np.uint8)
    return np.repeat(array, 3, axis=-1) if array.shape[-1] == 1 else array


def draw_image(ax: Axes, image: Any, title: str = "", frame: str | None = None) -> Axes:
    """Draw an image without axes; ``frame`` colours its border (green for right, vermilion for wrong)."""
    picture = as_picture(image)
    ax.imshow(picture, interpolation="nearest" if max(picture.shape[:2]) < 64 else "antialiased")
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(frame is not None)
        if frame is not None:
            spine.set(color=frame, linewidth=4)
    if title:
        ax.set_title(title, fontsize=11, fontweight="normal", loc="center")
    return ax


def image_grid(
    images: Sequence[Any],
    titles: Sequence[str] | None = None,
    n_columns: int = 6,
    frames: Sequence[str | None] | None = None,
    width: float = 9.0,
) -> Figure:
    """Return a figure with the images in rows of ``n_columns``; cells take the first image's aspect ratio.

    Parameters
    ----------
    images : sequence of images
        In any form that ``as_picture`` takes.
    titles, frames : sequence, optional
        One entry per image: a caption, and a border colour or None.
    width : float, default 9
        Of the whole figure, in inches.
    """
    if len(images) == 0:
        raise ValueError(message("images", "a sequence with at least one image", "an empty one"))
    n_columns = min(n_columns, len(images))
    n_rows = -(-len(images) // n_columns)
    height, cell = as_picture(images[0]).shape[:2], width / n_columns
    row_height = cell * height[0] / height[1] + (0.32 if titles is not None else 0.06)
    figure, axes = new_figure(n_rows, n_columns, size=(width, n_rows * row_height), squeeze=False)
    for i, ax in enumerate(axes.flat):
        if i >= len(images):
            ax.set_axis_off()
            continue
        draw_image(ax, images[i], titles[i] if titles is not None else "", frames[i] if frames is not None else None)
    return figure


def draw_boxes(
    ax: Axes,
    boxes: Any,
    labels: Sequence[str] | None = None,
    classes: Sequence[int] | None = None,
    right: Sequence[bool] | None = None,
    font_size: float = 9,
) -> Axes:
    """Draw boxes over an image; the class is told by colour and by text, right from wrong by the line.

    Parameters
    ----------
    ax : Axes
        With the image on it, as ``draw_image`` leaves it.
    boxes : Tensor or array of shape (n, 4)
        Left, top, right, bottom in pixels, continuous: a box around the whole of a 96 pixel image is 0, 0, 96, 96.
    labels : sequence of n str, optional
        Text at each box, for example ``"car 0.93"``; boxes without are drawn plain.
    classes : sequence of n int, optional
        Chooses the colours; default: equal labels get equal colours.
    right : sequence of n bool, optional
        Solid lines where true, dashed where false; default: all solid.
    font_size : float, default 9

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    array = np.asarray(boxes.detach().cpu() if hasattr(boxes, "detach") else boxes, float).reshape(-1, 4)
    n = len(array)
    for name, given in (("labels", labels), ("classes", classes), ("right", right)):
        if given is not None and len(given) != n:
            raise ValueError(message(name, f"one entry for each of the {n} boxes", f"{len(given)} entries"))
    if classes is None:
        names = list(dict.fromkeys(labels)) if labels is not None else [None]
        classes = [names.index(label) for label in labels] if labels is not None else [0] * n
    for i, (x0, y0, x1, y1) in enumerate(array - 0.5):  # imshow puts the middle of the first pixel at 0
        colour = FILL_COLOURS[int(classes[i]) % len(FILL_COLOURS)]
        corners = ([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0])
        ax.plot(*corners, color="black", linewidth=3.4, alpha=0.55, solid_joinstyle="miter", zorder=3)
        ax.plot(*corners, color=colour, linewidth=2, linestyle="-" if right is None or right[i] else (0, (3, 2)), zorder=4)
        if labels is not None and labels[i]:
            dark = sum(int(colour[k : k + 2], 16) * share for k, share in ((1, 0.3), (3, 0.59), (5, 0.11))) < 140
            ax.annotate(
                labels[i],
                (x0, y0),
                xytext=(0, 1),
                textcoords="offset points",
                va="bottom" if y0 > 0.12 * np.ptp(ax.get_ylim()) else "top",
                color="white" if dark else "black",
                fontsize=font_size,
                bbox={"boxstyle": "square,pad=0.15", "facecolor": colour, "edgecolor": "none", "alpha": 0.9},
                annotation_clip=True,
                zorder=5,
            )
    return ax


def draw_seeds(ax: Axes, values: Mapping[str, Sequence[float]], ylabel: str, paired: bool = True) -> Axes:
    """Draw one column of points per method: a dot per seed, a bar at the mean, thin lines joining equal seeds.

    Parameters
    ----------
    values : mapping from method name to S numbers
        The same seeds in the same order for every method.
    ylabel : str
        The quantity, with its unit.
    paired : bool, default True
        Join the points that share a seed.
    """
    names = list(values)
    table = np.asarray([np.asarray(values[name], float) for name in names])  # (methods, seeds)
    if paired:
        ax.plot(np.arange(len(names)), table, color=GREY, linewidth=0.8, alpha=0.6, zorder=1)
    for column, row in enumerate(table):
        colour = LINE_COLOURS[column % len(LINE_COLOURS)]
        ax.scatter(np.full(row.size, column), row, color=colour, marker=MARKERS[column % len(MARKERS)], zorder=3)
        ax.hlines(row.mean(), column - 0.28, column + 0.28, color=colour, linewidth=3, zorder=2)
    ax.set_xticks(np.arange(len(names)), [textwrap.fill(name, 12) for name in names])
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.set_ylabel(ylabel)
    ax.grid(axis="y")
    return ax


def draw_bars(ax: Axes, values: Mapping[str, float], xlabel: str) -> Axes:
    """Draw named values as horizontal bars with their number at the end, first on top, from zero."""
    names = list(values)[::-1]
    bars = ax.barh(names, [values[name] for name in names], color=BLUE, height=0.62)
    ax.bar_label(bars, fmt="{:.2f}", padding=4)
    ax.set(xlabel=xlabel, xlim=(0, 1.15 * max(max(values.values()), 1e-9)))
    return ax
