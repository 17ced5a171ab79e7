"""The figures of `14_erasing`: what the methods draw, what they hide, and what maps show.

Every function takes data and draws; nothing is computed here that a reader could want to know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from course_utils.augment.localisation import BoxAccuracy
from course_utils.plotting import BLUE, GREEN, GREY, LINE_COLOURS, VERMILION, as_picture, draw_boxes, draw_image, new_figure


def draw_sides(ax: Any, rectangles: Any, title: str, colour: str = BLUE) -> Any:
    """Draw height against width of rectangles (N, 4): points above the line are taller than wide."""
    sides = np.asarray(rectangles)[:, 2:]
    limit = sides.max() + 2
    ax.plot([0, limit], [0, limit], color=GREY, linewidth=1, linestyle="--")
    ax.scatter(sides[:, 1], sides[:, 0], s=5, color=colour, alpha=0.25, linewidths=0)
    ax.set(xlabel="width, pixels", ylabel="height, pixels", xlim=(0, limit), ylim=(0, limit), aspect="equal")
    ax.set_title(title, fontsize=12)
    return ax


def objects_figure(images: Sequence[Any], boxes: Sequence[Any], titles: Sequence[str]) -> Any:
    """Draw images in one row, each with its boxes."""
    height, width = as_picture(images[0]).shape[:2]
    figure, axes = new_figure(1, len(images), size=(9, 9 / len(images) * height / width + 0.4), squeeze=False)
    for ax, image, mine, title in zip(axes[0], images, boxes, titles):
        draw_boxes(draw_image(ax, image, title), mine)
    return figure


def frequency_figure(masks: Mapping[str, Any]) -> Any:
    """Draw, for each way to hide, how often every pixel is hidden, and how much of an image.

    Parameters
    ----------
    masks : mapping from title to array of bool, shape (N, H, W)
    """
    figure, axes = new_figure(2, len(masks), size=(8.4, 5.0), squeeze=False, height_ratios=(1.5, 1))
    top = max(float(np.mean(one, axis=0).max()) for one in masks.values())
    for column, (title, one) in enumerate(masks.items()):
        one = np.asarray(one)
        shown = axes[0, column].imshow(one.mean(0), vmin=0, vmax=top, cmap="viridis", interpolation="nearest")
        axes[0, column].set(xticks=[], yticks=[])
        axes[0, column].set_title(title, fontsize=12)
        shares = one.mean((1, 2))
        axes[1, column].hist(shares, bins=np.arange(-0.00625, 0.31, 0.0125), color=LINE_COLOURS[column % 4])
        axes[1, column].axvline(shares.mean(), color="black", linewidth=2)
        axes[1, column].set(xlabel="hidden share of an image", yticks=[], xlim=(0, 0.3))
    figure.colorbar(shown, ax=axes[0], label="share of draws", shrink=0.9)
    return figure


def magnitudes_figure(curves: Mapping[str, Mapping[str, Any]]) -> Any:
    """Draw sorted magnitudes, one panel a layer and one line a network.

    Parameters
    ----------
    curves : mapping from network to mapping from layer to array (U,)
        As ``sorted_activations`` returns them.
    """
    layers = list(next(iter(curves.values())))
    figure, axes = new_figure(1, len(layers), size=(9, 2.9), squeeze=False)
    for ax, layer in zip(axes[0], layers):
        for k, (name, one) in enumerate(curves.items()):
            values = np.asarray(one[layer])
            share = (np.arange(len(values)) + 0.5) / len(values)
            ax.plot(share, values, color=LINE_COLOURS[k], linestyle=("-", "--", ":")[k % 3], label=name)
        ax.set_title(layer, fontsize=12)
        ax.set(xlabel="share of units", ylim=(0, None), xlim=(0, 1))
    axes[0, 0].set_ylabel("mean magnitude")
    axes[0, -1].legend(fontsize=10)
    return figure


def draw_gaps(ax: Any, gaps: Mapping[str, Sequence[float]], ylabel: str) -> Any:
    """Draw one column of points per hidden value, and the band of three standard errors around 0."""
    ax.axhspan(-3, 3, color=GREEN, alpha=0.2, linewidth=0)
    for k, values in enumerate(gaps.values()):
        ax.scatter(np.full(len(values), k), values, color=LINE_COLOURS[k % 4], s=28, zorder=3)
    ax.set_xticks(range(len(gaps)), list(gaps))
    ax.set_xlim(-0.5, len(gaps) - 0.5)
    ax.set_ylabel(ylabel)
    return ax


def maps_figure(images: Sequence[Any], maps: Mapping[str, Any], truth: Any, found: Mapping[str, Any]) -> Any:
    """Draw images in the first row and each network's maps below, with the true box and the map's box.

    Parameters
    ----------
    images : sequence of N images
    maps : mapping from network to array (N, H, W), normalised
    truth : array (N, 4)
    found : mapping from network to array (N, 4)
    """
    figure, axes = new_figure(len(maps) + 1, len(images), size=(9, 9 / len(images) * (len(maps) + 1) + 0.5), squeeze=False)
    for column, image in enumerate(images):
        draw_image(axes[0, column], image)
        _outline(axes[0, column], truth[column], BLUE, "--")
        for row, (name, one) in enumerate(maps.items(), start=1):
            ax = draw_image(axes[row, column], as_picture(image).mean(2).astype(np.uint8))
            ax.imshow(one[column], alpha=0.6, vmin=0, vmax=1)
            _outline(ax, truth[column], BLUE, "--")
            _outline(ax, found[name][column], VERMILION, "-")
            if column == 0:
                ax.set_ylabel(name, fontsize=11)
    return figure


def draw_box_accuracy(ax: Any, curves: Mapping[str, BoxAccuracy], chosen: Mapping[str, float], overlap: float = 0.5) -> Any:
    """Draw the share of images localised against the threshold, one line a network, with the chosen threshold marked."""
    for k, (name, one) in enumerate(curves.items()):
        row = one.accuracy[one.overlaps.index(overlap)]
        colour = LINE_COLOURS[k % 4]
        ax.plot(one.thresholds, row, color=colour, linestyle=("-", "--", ":")[k % 3], label=name)
        at = int(np.argmin(np.abs(np.asarray(one.thresholds) - chosen[name])))
        ax.plot(one.thresholds[at], row[at], marker="os^"[k % 3], color=colour, markersize=9, markeredgecolor="white")
    ax.axvline(0.2, color=GREY, linewidth=1, linestyle=":")
    ax.set(xlabel="threshold of the map", ylabel="localised (IoU 0.5 or more)", ylim=(0, 1), xlim=(0, 1))
    ax.legend(fontsize=10)
    return ax


def _outline(ax: Any, box: Any, colour: str, style: str) -> None:
    x1, y1, x2, y2 = np.asarray(box, float) - 0.5
    ax.plot([x1, x2, x2, x1, x1], [y1, y1, y2, y2, y1], color=colour, linestyle=style, linewidth=2)
