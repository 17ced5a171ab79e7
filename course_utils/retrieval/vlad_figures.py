"""The figures of `01_vlad`: descriptors, visual words, residual arrows, bursts, results on the map, the index's price.

The functions that draw take finished data and return the axes or the figure; the others choose what to draw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils import plotting
from course_utils.retrieval.local_features import CELLS, ORIENTATIONS, LocalFeatures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from course_utils.data import District

WORD_COLOURS = (plotting.VERMILION, plotting.SKY, plotting.YELLOW, plotting.GREEN, plotting.PURPLE, plotting.ORANGE)


def look_alikes(queries: Any, database: Any, query: int, n: int = 2) -> list[int]:
    """Return database images for a riddle: the right one, then the ``n`` whose thumbnails are most like it elsewhere.

    Parameters
    ----------
    queries, database : StreetWorld
    query : int
    n : int, default 2

    Notes
    -----
    Right: the nearest of the images within 12 m that look within 45 degrees of the query's heading. Elsewhere: more than
    60 m away. Thumbnails are 12 x 16 grey pixels without their mean.
    """
    metres = np.linalg.norm(database.positions.numpy() - queries.positions[query].numpy(), axis=1)
    same_way = np.cos(database.headings.numpy() - float(queries.headings[query])) > np.cos(np.pi / 4)
    right = int(np.flatnonzero(same_way & (metres <= 12))[metres[same_way & (metres <= 12)].argmin()])
    height, width = database.images.shape[-2:]
    small = (
        database.images.float().mean(1).reshape(len(metres), 12, height // 12, 16, width // 16).mean((2, 4)).flatten(1).numpy()
    )
    small = small - small.mean(1, keepdims=True)
    small /= np.linalg.norm(small, axis=1, keepdims=True)
    likeness = np.where(metres > 60, small @ small[right], -np.inf)
    return [right, *(int(i) for i in np.argsort(-likeness)[:n])]


def descriptor_figure(image: Any, features: LocalFeatures, patch: int) -> Figure:
    """Return a figure: the grid of patches on the image, one patch, and its 16 histograms as stars of eight rays.

    Parameters
    ----------
    image : Tensor (3, H, W)
    features : LocalFeatures
        Of this image alone, with one cell size.
    patch : int
        Which patch to show.
    """
    figure, (left, middle, right) = plotting.new_figure(1, 3, size=(9.0, 3.0), width_ratios=[1.5, 1, 1])
    centers, size = features.centers.numpy(), float(features.sizes[patch])
    valid = features.valid[0].numpy()
    x, y = centers[patch] - size / 2
    plotting.draw_image(left, image, f"{len(centers)} patches on a grid")
    left.plot(*centers[valid].T, ".", color=plotting.YELLOW, markersize=6, markeredgecolor="black", markeredgewidth=0.5)
    left.plot(*centers[~valid].T, "x", color=plotting.GREY, markersize=4)
    _square(left, x, y, size, plotting.VERMILION)
    plotting.draw_image(middle, image, "one patch, 4 x 4 cells")
    middle.set(xlim=(x, x + size), ylim=(y + size, y))
    for i in range(1, CELLS):
        middle.axhline(y + i * size / CELLS, color=plotting.VERMILION, linewidth=0.8)
        middle.axvline(x + i * size / CELLS, color=plotting.VERMILION, linewidth=0.8)
    draw_stars(right, features.descriptors[0, patch].numpy())
    right.set_title("its 128 numbers", fontsize=11, fontweight="normal", loc="center")
    return figure


def draw_stars(ax: Axes, descriptor: np.ndarray) -> Axes:
    """Draw a descriptor (128,) as 4 x 4 stars: a ray per orientation, as long as its entry."""
    rays = descriptor.reshape(CELLS, CELLS, ORIENTATIONS)
    angle = 2 * np.pi * np.arange(ORIENTATIONS) / ORIENTATIONS
    length = 0.48 * rays / max(rays.max(), 1e-12)
    for i in range(CELLS):
        for j in range(CELLS):
            tips = np.stack([j + length[i, j] * np.cos(angle), i + length[i, j] * np.sin(angle)])  # image rows run down
            ax.plot([np.full(ORIENTATIONS, j), tips[0]], [np.full(ORIENTATIONS, i), tips[1]], color=plotting.BLUE, linewidth=1.8)
    for line in np.arange(-0.5, CELLS):
        ax.axhline(line, color=plotting.GREY, linewidth=0.5)
        ax.axvline(line, color=plotting.GREY, linewidth=0.5)
    ax.set(xlim=(-0.5, CELLS - 0.5), ylim=(CELLS - 0.5, -0.5), aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return ax


def words_in_pictures(features: LocalFeatures, centers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each descriptor's word (B, N), -1 where invalid, and its distance to that word's centre (B, N)."""
    x = features.descriptors.numpy()
    squared = (x**2).sum(-1)[..., None] - 2 * x @ centers.T + (centers**2).sum(1)  # (B, N, K)
    words = np.where(features.valid.numpy(), squared.argmin(-1), -1)
    return words, np.sqrt(np.maximum(squared.min(-1), 0))


def gallery_figure(
    images: Any, features: LocalFeatures, words: np.ndarray, distances: np.ndarray, chosen: Sequence[int]
) -> Figure:
    """Return a figure with one row per chosen visual word: its best patches, at most one from each image.

    Parameters
    ----------
    images : Tensor (B, 3, H, W)
    features : LocalFeatures
        Of these images.
    words, distances : ndarray of shape (B, N)
        From ``words_in_pictures``.
    chosen : sequence of int
        Up to six words; their colours are those of ``word_map_figure``.
    """
    columns, centers = 10, features.centers.numpy()
    half = int(features.sizes[0]) // 2
    rows = []
    for word in chosen:
        best = np.where(words == word, distances, np.inf)  # (B, N)
        order = np.argsort(best.min(1))[:columns]
        corners = [(b, *np.round(centers[best[b].argmin()] + 0.5 - half).astype(int)) for b in order]
        patches = [np.moveaxis(images[b][:, y : y + 2 * half, x : x + 2 * half].numpy(), 0, -1) for b, x, y in corners]
        rows.append(np.concatenate([np.pad(p, ((1, 1), (1, 1), (0, 0)), constant_values=255) for p in patches], axis=1))
    side = 2 * half + 2
    figure, ax = plotting.new_figure(size=(7.6, 0.7 * len(chosen) + 0.1))
    ax.imshow(np.concatenate(rows), interpolation="nearest")
    for i, word in enumerate(chosen):
        ax.plot(
            [-10], [(i + 0.5) * side], marker="s", markersize=15, color=WORD_COLOURS[i], markeredgecolor="black", clip_on=False
        )
        ax.text(-20, (i + 0.5) * side, f"word {word}", ha="right", va="center", fontsize=11)
    ax.set(xticks=[], yticks=[], xlim=(-0.5, columns * side - 0.5))
    ax.spines[:].set_visible(False)
    return figure


def word_map_figure(images: Any, features: LocalFeatures, words: np.ndarray, chosen: Sequence[int]) -> Figure:
    """Return a figure: pictures with a mark in the word's colour wherever one of the chosen words was found."""
    figure, axes = plotting.new_figure(1, len(images), size=(9.0, 9.0 / len(images) * 0.78), squeeze=False)
    for ax, image, found in zip(axes.flat, images, words):
        plotting.draw_image(ax, image)
        for i, word in enumerate(chosen):
            ax.plot(
                *features.centers.numpy()[found == word].T,
                marker=plotting.MARKERS[i],
                linestyle="",
                color=WORD_COLOURS[i],
                markersize=7,
                markeredgecolor="black",
                markeredgewidth=0.7,
            )
    return figure


def draw_residuals(
    ax: Axes,
    x: np.ndarray,
    centers: np.ndarray,
    sums: np.ndarray,
    title: str,
    limits: tuple[float, float, float, float] = (-2.2, 6.8, -2.7, 4.0),
) -> Axes:
    """Draw points (N, 2) in the plane, their centres (K, 2), thin residuals and the thick sums (K, 2).

    ``limits`` are (left, right, bottom, top), the same for all panels that are compared.
    """
    assigned = ((x[:, None] - centers) ** 2).sum(-1).argmin(1)
    for k, centre in enumerate(centers):
        colour = plotting.LINE_COLOURS[k]
        for point in x[assigned == k]:
            ax.plot(*np.stack([centre, point]).T, color=colour, linewidth=1.2, linestyle="--")
        ax.plot(*x[assigned == k].T, marker="o", linestyle="", color=colour, markersize=8)
        tip = centre + sums[k]
        ax.annotate("", tip, centre, arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 3.5, "mutation_scale": 18})
        ax.plot(*centre, marker="X", color="black", markersize=11)
        ax.text(centre[0], limits[2] + 0.4, f"word {k}: {int((assigned == k).sum())} points", fontsize=11, ha="center")
    ax.set_title(title)
    ax.set(aspect="equal", xlim=limits[:2], ylim=limits[2:])
    return ax


def draw_burst(ax: Axes, repeats: Sequence[int], similarity: Mapping[str, Sequence[float]]) -> Axes:
    """Draw the similarity of an image to itself with one word repeated: one labelled line per normalisation."""
    for i, (name, values) in enumerate(similarity.items()):
        colour = plotting.LINE_COLOURS[i % 4]
        ax.plot(repeats, values, marker=plotting.MARKERS[i], color=colour)
        ax.annotate(name, (repeats[-1], values[-1]), xytext=(8, 0), textcoords="offset points", color=colour, va="center")
    ax.set(
        xscale="log",
        xlabel="times that the descriptors of one word are repeated",
        ylabel="similarity to the image before",
        title="One word repeated",
    )
    ax.set_xticks(list(repeats), [str(r) for r in repeats])
    ax.minorticks_off()
    ax.grid(axis="y")
    ax.margins(x=0.14)
    return ax


def draw_block_lengths(ax: Axes, lengths: np.ndarray, title: str) -> Axes:
    """Draw the share of the squared length that each word's block holds, largest first (K,)."""
    share = np.sort(lengths**2 / (lengths**2).sum())[::-1]
    ax.bar(np.arange(len(share)), 100 * share, color=plotting.BLUE, width=1.0, edgecolor="white", linewidth=0.4)
    ax.set_title(title)
    ax.set(xlabel="words, largest first", ylabel="share of the vector, %")
    return ax


def results_figure(queries: Any, database: Any, chosen: Sequence[int], ranked: np.ndarray, radius: float, n: int = 5) -> Figure:
    """Return a figure: one row per chosen query, then its first ``n`` results with distance, tick or cross.

    Parameters
    ----------
    queries, database : StreetWorld
    chosen : sequence of int
        Queries.
    ranked : ndarray of shape (Q, R), int
    radius : float
        Metres; a result at most this far away is right.
    """
    images, titles, frames = [], [], []
    for q in chosen:
        images.append(queries.images[q])
        titles.append(f"query: {queries.conditions[q]}")
        frames.append(None)
        for r in ranked[q, :n]:
            metres = float(np.linalg.norm((database.positions[r] - queries.positions[q]).numpy()))
            right = metres <= radius
            images.append(database.images[r])
            titles.append(f"{'✓' if right else '✗'} {metres:.0f} m")
            frames.append(plotting.GREEN if right else plotting.VERMILION)
    return plotting.image_grid(images, titles, n_columns=n + 1, frames=frames)


def belief_figure(image: Any, district: District, positions: np.ndarray, similarity: np.ndarray, truth: np.ndarray) -> Figure:
    """Return a figure: the query, and the town from above with every database position coloured by its best similarity.

    Parameters
    ----------
    image : Tensor (3, H, W)
        The query.
    district : District
    positions : array-like of shape (M, 2)
        Of the database images, metres.
    similarity : ndarray of shape (M,)
    truth : array-like of shape (2,)
        Where the query was taken.
    """
    figure, (left, right) = plotting.new_figure(1, 2, size=(9.0, 3.5), width_ratios=[1, 1.75])
    plotting.draw_image(left, image, "Where was this taken?")
    xmin, xmax, ymin, ymax = district.extent
    town = district.map_image(scale=3.0).astype(float)
    right.imshow(0.45 * town / 255 + 0.55, extent=district.extent, interpolation="antialiased")
    order = np.argsort(similarity)  # the most similar are drawn last, on top
    positions = np.asarray(positions)[order]
    size = 12 + 160 * np.clip(similarity[order] / max(similarity.max(), 1e-12), 0, 1) ** 3
    points = right.scatter(*positions.T, c=similarity[order], s=size, cmap="viridis", edgecolor="black", linewidth=0.3)
    right.plot(
        *np.asarray(truth),
        marker="o",
        markersize=20,
        markerfacecolor="none",
        markeredgecolor=plotting.VERMILION,
        markeredgewidth=3,
    )
    right.set(xlim=(xmin, xmax), ylim=(ymin, ymax), xticks=[], yticks=[])
    right.spines[:].set_visible(False)
    right.set_title("the ring is the truth", fontsize=11, fontweight="normal", loc="center")
    figure.colorbar(points, ax=right, shrink=0.85, label="similarity")
    return figure


def draw_spectrum(ax: Axes, expected: np.ndarray, found: np.ndarray) -> Axes:
    """Draw the variance along each principal direction: in the training vectors and in new ones, (d,) each."""
    ax.semilogy(expected, color=plotting.BLUE)
    ax.semilogy(found, color=plotting.VERMILION, linestyle="--")
    place = int(0.72 * len(expected))
    ax.annotate("new images", (place, found[place]), xytext=(8, 12), textcoords="offset points", color=plotting.VERMILION)
    ax.annotate(
        "training images", (place, expected[place]), xytext=(-8, -18), textcoords="offset points", ha="right", color=plotting.BLUE
    )
    ax.set(xlabel="principal direction", ylabel="variance (log scale)", title="Promised and found")
    ax.grid(axis="y")
    return ax


def draw_trade_off(ax: Axes, share: Sequence[float], curves: Mapping[str, Sequence[float]]) -> Axes:
    """Draw the share of true neighbours found (curves) over the share of the database that was looked at."""
    for i, (name, found) in enumerate(curves.items()):
        colour = plotting.LINE_COLOURS[i % 4]
        ax.plot(100 * np.asarray(share), 100 * np.asarray(found), marker=plotting.MARKERS[i], color=colour)
        ax.annotate(
            name, (100 * share[-1], 100 * found[-1]), xytext=(-4, -18), textcoords="offset points", color=colour, ha="right"
        )
    ax.set(
        xscale="log",
        xlabel="share of the database that is looked at, %",
        ylabel="true neighbours found, %",
        ylim=(0, 109),
        title="Work against answers",
    )
    ticks = [100 * value for value in share]
    ax.set_xticks(ticks, [f"{tick:.2g}" if tick < 10 else f"{tick:.0f}" for tick in ticks])
    ax.minorticks_off()
    ax.grid()
    return ax


def _square(ax: Axes, x: float, y: float, size: float, colour: str) -> None:
    ax.plot([x, x + size, x + size, x, x], [y, y, y + size, y + size, y], color=colour, linewidth=2.5)


@dataclass(frozen=True)
class PictureCrops:
    """Pieces of photographs, with the attributes of a ``data.ImageFolder``: ``images (N, 3, H, W)``, ``paths``, ``skipped``."""

    images: Any
    paths: list[Path]
    skipped: list[tuple[Path, str]]


def photograph_crops(size: tuple[int, int] = (96, 128), step: float = 0.6, most: int = 12) -> PictureCrops:
    """Return overlapping pieces of the embedded photographs: a stand-in for a folder of the reader's own pictures.

    Parameters
    ----------
    size : (int, int), default (96, 128)
    step : float, default 0.6
        Distance between neighbouring pieces, as a share of the piece: 0.6 leaves 40 % of overlap.
    most : int, default 12
        Pieces per photograph, spread evenly.
    """
    import torch

    from course_utils import data

    height, width = size
    images, paths = [], []
    for name in data.photograph_names():
        photo = data.photograph(name)
        corners = [
            (y, x)
            for y in range(0, photo.shape[1] - height + 1, round(step * height))
            for x in range(0, photo.shape[2] - width + 1, round(step * width))
        ][:most]
        images += [photo[:, y : y + height, x : x + width] for y, x in corners]
        paths += [Path(f"{name.replace('motorcycle', 'motor').replace('_right', ' R')} {i + 1}.jpg") for i in range(len(corners))]
    return PictureCrops(torch.stack(images), paths, [])


def search_figure(pictures: Any, chosen: Sequence[int], indices: np.ndarray, similarities: np.ndarray) -> Figure:
    """Return a figure: one row per chosen picture, then what a search with it returns (the picture itself left out).

    Parameters
    ----------
    pictures : ImageFolder or PictureCrops
    chosen : sequence of int
    indices, similarities : ndarray of shape (len(chosen), k)
        -1 is "no result".
    """
    images, titles, frames, columns = [], [], [], indices.shape[1]
    for query, row, values in zip(chosen, indices, similarities):
        found = [(i, s) for i, s in zip(row, values) if i not in (query, -1)][: columns - 1]
        blank = [(None, 0.0)] * (columns - 1 - len(found))
        images += [
            pictures.images[query],
            *(
                np.full_like(plotting.as_picture(pictures.images[query]), 255) if i is None else pictures.images[i]
                for i, _ in found + blank
            ),
        ]
        titles += [
            pictures.paths[query].stem[:18],
            *("" if i is None else f"{pictures.paths[i].stem[:14]}: {s:.2f}" for i, s in found + blank),
        ]
        frames += [plotting.BLUE, *([None] * (columns - 1))]
    return plotting.image_grid(images, titles, n_columns=columns, frames=frames)
