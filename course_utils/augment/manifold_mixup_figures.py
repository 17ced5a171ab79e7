"""The figures of `15_mixing` in the plane: decision maps side by side, blends on the wrong arm, hidden tensors from the side.

Every function takes data and draws. Class 0 is blue with circles, class 1 vermilion with squares; a strong ground says that the
network is more than 95 % sure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from course_utils.augment.decision_maps import DecisionMap, intrusions
from course_utils.plotting import BLUE, VERMILION, new_figure

COLOURS, MARKERS = (BLUE, VERMILION), ("o", "s")
SURE = 0.95
FAINT, STRONG = 0.25, 0.55
"""Opacity of the ground: just below ``SURE``, and above it."""


def draw_map(ax: Any, decisions: DecisionMap, title: str = "") -> Any:
    """Draw a decision map: the colour is the class, its strength the confidence, the line the border."""
    from matplotlib.colors import to_rgb

    confidence = decisions.confidence.numpy()
    ground = np.ones((*confidence.shape, 4))
    ground[..., :3] = np.array([to_rgb(colour) for colour in COLOURS])[decisions.predicted.numpy()]
    ground[..., 3] = np.where(confidence > SURE, STRONG, FAINT * (2 * confidence - 1))
    ax.imshow(ground, extent=decisions.box, origin="lower", interpolation="nearest", aspect="equal")
    ax.scatter(*decisions.boundary.T.numpy(), s=1.5, color="black", linewidths=0)
    ax.set(xticks=[], yticks=[], xlim=decisions.box[:2], ylim=decisions.box[2:])
    ax.set_title(title, fontsize=11)
    return ax


def draw_points(ax: Any, points: Tensor, labels: Tensor, size: float = 12) -> Any:
    """Draw examples (N, 2) of two classes."""
    for label, (colour, marker) in enumerate(zip(COLOURS, MARKERS)):
        chosen = points[labels == label].numpy()
        ax.scatter(*chosen.T, s=size, color=colour, marker=marker, edgecolors="white", linewidths=0.4, zorder=3)
    return ax


def maps_figure(maps: Mapping[str, DecisionMap], points: Tensor, labels: Tensor) -> Any:
    """Return decision maps side by side, with the examples, and the part of the plane where each network is sure.

    Parameters
    ----------
    maps : mapping from a name to a DecisionMap
        At most four.
    points : Tensor of shape (N, 2)
    labels : Tensor of shape (N,), int64
    """
    figure, axes = new_figure(1, len(maps), size=(min(9, 2.6 * len(maps)), 2.95), squeeze=False)
    for ax, (name, decisions) in zip(axes[0], maps.items()):
        draw_points(draw_map(ax, decisions, name), points, labels, 8)
        ax.set_xlabel(f"sure on {100 * decisions.confident_share(SURE):.0f} %", fontsize=11)
    return figure


def draw_blends(ax: Any, points: Tensor, labels: Tensor, mixed: Tensor, soft: Tensor, title: str = "") -> Any:
    """Draw blends (M, 2) with soft labels (M, 2) among the examples that they are made of.

    A small dot has the colour of its larger part; a cross is a blend that lies where the other class lives. The label of the
    horizontal axis counts them.
    """
    wrong = intrusions(mixed, soft, points, labels)
    for label, colour in enumerate(COLOURS):
        chosen = mixed[(soft.argmax(1) == label) & ~wrong].numpy()
        ax.scatter(*chosen.T, s=9, color=colour, alpha=0.7, linewidths=0)
    draw_points(ax, points, labels)
    ax.scatter(*mixed[wrong].numpy().T, s=22, color="black", marker="x", linewidths=1.2, zorder=4)
    ax.set(xticks=[], yticks=[], aspect="equal")
    ax.set_title(title, fontsize=11)
    ax.set_xlabel(f"{int(wrong.sum())} of {len(mixed)} blends on the wrong class", fontsize=11)
    return ax


def from_the_side(hidden: Tensor, labels: Tensor) -> Tensor:
    """Return hidden tensors (N, ...) of two classes as points (N, 2), seen across the line between the class centres.

    To the right: from the centre of class 0 to that of class 1, divided by their distance, so that the centres are 1 apart.
    Upwards, in the same unit: the direction at a right angle along which the tensors vary most.

    Examples
    --------
    >>> import torch
    >>> hidden = torch.tensor([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0], [4.0, 1.0, 0.0], [4.0, -1.0, 0.0]])
    >>> from_the_side(hidden, torch.tensor([0, 0, 1, 1]))[:, 0].tolist()
    [-0.5, -0.5, 0.5, 0.5]
    """
    rows = hidden.double().flatten(1)
    low, high = rows[labels == 0].mean(0), rows[labels == 1].mean(0)
    distance = (high - low).norm().clamp_min(1e-12)
    right = (high - low) / distance
    centred = rows - (low + high) / 2
    along = centred @ right
    across = centred - along[:, None] * right
    up = np.linalg.svd(across.numpy() - across.mean(0).numpy(), full_matrices=False)[2][0]
    upwards = across.numpy() @ up
    sign = 1.0 if abs(upwards.max()) >= abs(upwards.min()) else -1.0  # the sign of a direction is free: longer end up
    return (hidden.new_tensor(np.stack([along.numpy(), sign * upwards], axis=1)) / distance).to(hidden.dtype)


def hidden_figure(hidden: Mapping[str, Tensor], labels: Tensor) -> Any:
    """Return the clouds of the two classes in a hidden layer, one panel per training, the centres always 1 apart.

    Parameters
    ----------
    hidden : mapping from a name to hidden tensors (N, ...)
    labels : Tensor of shape (N,), int64
        0 or 1.
    """
    figure, axes = new_figure(1, len(hidden), size=(min(9, 3 * len(hidden)), 3.1), squeeze=False, sharex=True, sharey=True)
    for ax, (name, tensors) in zip(axes[0], hidden.items()):
        draw_points(ax, from_the_side(tensors, labels), labels, 10)
        ax.set_aspect("equal")
        ax.set_title(name, fontsize=11)
    axes[0, 0].set_xlabel("from class to class")
    axes[0, 0].set_ylabel("widest direction across")
    return figure
