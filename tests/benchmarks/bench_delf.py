"""Benchmarks of chapter 03: extraction of local features, many images together against one after the other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from harness import benchmark

from course_utils import retrieval
from course_utils.retrieval.delf_extraction import SCALES
from course_utils.training import OrientedBackbone

N_IMAGES, SIZE = 16, 112
TOLERANCE = 1e-4  # of a score or a unit descriptor: the order of additions depends on the size of the batch


def extraction(*scales: float) -> tuple[Callable, Callable]:
    """Return both ways to extract 16 images; each gives the list of their local feature sets."""
    generator = torch.Generator().manual_seed(0)
    delf = retrieval.DELF(OrientedBackbone(generator=generator), n_classes=60, hidden=64, generator=generator)
    images = torch.randint(0, 256, (N_IMAGES, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator)
    return lambda: delf.extract(images, scales=scales), lambda: [delf.extract(image, scales=scales) for image in images]


def same_features(ours: list[retrieval.LocalFeatureSet], theirs: list[retrieval.LocalFeatureSet]) -> bool:
    """Whether both ways keep the same cells of every image, with the same scores and descriptors, up to rounding.

    Sorted by scores, cells of nearly equal scores may change places, and at the last place one may be cut off for
    another; so at least 99 of 100 cells must be shared, and those must agree.
    """
    return len(ours) == len(theirs) and all(_same(a, b) for a, b in zip(ours, theirs))


def _same(a: retrieval.LocalFeatureSet, b: retrieval.LocalFeatureSet) -> bool:
    rows_a, rows_b = ({tuple(box): i for i, box in enumerate(one.boxes.tolist())} for one in (a, b))
    shared = [box for box in rows_a if box in rows_b]
    if len(a) != len(b) or len(shared) < 0.99 * len(a):
        return False
    a, b = a[[rows_a[box] for box in shared]], b[[rows_b[box] for box in shared]]
    pairs = ((a.scores, b.scores), (a.descriptors, b.descriptors), (a.scales, b.scales), (a.points, b.points))
    return all(np.allclose(x, y, rtol=TOLERANCE, atol=TOLERANCE) for x, y in pairs)


@benchmark(f"DELF, {N_IMAGES} images of {SIZE} pixels, seven scales", ours="batched", theirs="one at a time", agree=same_features)
def all_scales() -> tuple[Callable, Callable]:
    """The whole extraction, up to 1000 features an image."""
    return extraction(*SCALES)


for _scale in SCALES:
    benchmark(
        f"DELF, {N_IMAGES} images of {SIZE} pixels, scale {_scale:g}", ours="batched", theirs="one at a time", agree=same_features
    )(lambda scale=_scale: extraction(scale))
