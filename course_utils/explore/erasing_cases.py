"""What the erasing bench shows by default: creatures of the test split, and a small network that learned to name them.

The network is trained once, in some seconds, and kept in the cache folder. Chapter 14 passes its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.augment.filling import channel_means
from course_utils.checks import checked_array, checked_int, message
from course_utils.data.cache import cached_arrays
from course_utils.explore.erasing import Case
from course_utils.training import SmallCNN, fit, standardize

SIZE, DIM = 48, 16
N_TRAIN, N_PICTURES = 240, 8
N_STEPS, BATCH, RATE = 160, 24, 4e-3
VERSION = 1
"""Part of the cache key: raise it when the training changes."""


@cache
def default_network() -> SmallCNN:
    """Return the small network, from the cache if it was trained before; it must not be changed."""
    from course_utils.data.sprites.creatures import GENERATOR_VERSION

    network = SmallCNN(DIM, 4, torch.Generator().manual_seed(0))
    key = f"version {VERSION}, creatures {GENERATOR_VERSION}, size {SIZE}, dim {DIM}, {N_TRAIN} images, {N_STEPS} steps of {BATCH} at {RATE}"
    stored = cached_arrays("erasing-bench", key, lambda: {k: v.numpy() for k, v in _trained(network).state_dict().items()})
    network.load_state_dict({name: torch.from_numpy(array) for name, array in stored.items()})
    return network.eval()


def _trained(network: SmallCNN) -> SmallCNN:
    from course_utils.data import Creatures

    creatures = Creatures("train", n=N_TRAIN, size=SIZE)
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2 * RATE, total_steps=N_STEPS)

    def step(model: SmallCNN, rows: Tensor) -> Tensor:
        images, mirrored = creatures.images[rows], torch.rand(len(rows), generator=generator) < 0.5
        images = torch.where(mirrored[:, None, None, None], images.flip(-1), images)
        return F.cross_entropy(model(standardize(images)), creatures.labels[rows])

    batches = [torch.randint(len(creatures), (BATCH,), generator=generator) for _ in range(N_STEPS)]
    fit(network, batches, step, optimizer, n_steps=N_STEPS, schedule=schedule, device="cpu", description="erasing bench")
    return network


@cache
def default_cases() -> tuple[tuple[Case, ...], tuple[str, ...], tuple[float, ...]]:
    """Return pictures of the test split, the names of the classes, and the mean pixel of the pictures."""
    from course_utils.data import Creatures

    creatures = Creatures("test", n=N_PICTURES, size=SIZE)
    rows = zip(creatures.images, creatures.labels, creatures.boxes, creatures.masks, creatures.head_boxes)
    cases = tuple(Case(i, int(y), b.numpy().astype(float), m.numpy(), h.numpy().astype(float)) for i, y, b, m, h in rows)
    return cases, creatures.class_names, channel_means(creatures.images)


def own_cases(images: Any, labels: Any, boxes: Any, masks: Any = None, parts: Any = None) -> tuple[Case, ...]:
    """Return the reader's own pictures as cases.

    Parameters
    ----------
    images : Tensor of shape (N, 3, H, W), uint8, N at least 1
    labels : sequence of N int
    boxes : array-like of shape (N, 4)
    masks : array-like of bool, shape (N, H, W), optional
    parts : array-like of shape (N, 4), optional

    Raises
    ------
    TypeError, ValueError
        If a shape or dtype does not fit.
    """
    pixels = checked_array(images, "images", ("N", 3, "H", "W"), np.uint8)
    n, (height, width) = len(pixels), pixels.shape[2:]
    if not n or min(height, width) < 16:
        raise ValueError(message("images", "at least one picture of at least 16 x 16 pixels", f"shape {pixels.shape}"))
    names = checked_array(labels, "labels", (n,), np.int64)
    corners = checked_array(boxes, "boxes", (n, 4), np.float64)
    marks: Sequence[Any] = [None] * n if parts is None else checked_array(parts, "parts", (n, 4), np.float64)
    inside = [_box_mask(box, height, width) for box in corners]
    shapes = inside if masks is None else np.asarray(masks).astype(bool)
    if np.shape(shapes) != (n, height, width):
        raise ValueError(message("masks", f"of shape ({n}, {height}, {width})", f"shape {np.shape(shapes)}"))
    rows = zip(pixels, names, corners, shapes, marks)
    return tuple(Case(torch.from_numpy(i), checked_int(int(y), "labels", low=0), b, np.asarray(m), p) for i, y, b, m, p in rows)


def _box_mask(box: np.ndarray, height: int, width: int) -> np.ndarray:
    i, j = np.mgrid[:height, :width] + 0.5
    return (j >= box[0]) & (j < box[2]) & (i >= box[1]) & (i < box[3])
