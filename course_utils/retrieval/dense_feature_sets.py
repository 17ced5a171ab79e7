"""Local features without any training: dense RootSIFT on an image pyramid, selected by contrast.

DELF learns what to describe and what to keep. This is the same recipe with nothing learned: the descriptor of chapter 01 on
a grid at several scales, the contrast of the patch in place of the attention, non-maximum suppression, and the best ones.
It gives any picture a ``LocalFeatureSet`` in a fraction of a second: a baseline for DELF, and material for matching and
geometric verification before a network is trained.

Taught in ``03_delf``, step 5.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from course_utils.checks import checked_array, checked_float, checked_int, message
from course_utils.retrieval.local_feature_set import LocalFeatureSet
from course_utils.retrieval.local_features import DIMENSION, GREY, DenseRootSIFT

SCALES = (0.25, 0.3536, 0.5, 0.7071, 1.0)
"""The coarser part of DELF's pyramid: a patch is small already at scale 1."""


@torch.no_grad()
def dense_feature_set(
    image: torch.Tensor,
    n_features: int = 200,
    scales: Sequence[float] = SCALES,
    describer: DenseRootSIFT | None = None,
    max_overlap: float = 0.25,
) -> LocalFeatureSet:
    """Return the ``n_features`` patches of highest contrast, over all scales.

    Parameters
    ----------
    image : Tensor of shape (3, H, W), uint8, or float in [0, 1]
    n_features : int, default 200
        Kept at most; a flat image has fewer.
    scales : sequence of float above 0
        Factors by which the image is resized; a scale at which no patch fits is skipped.
    describer : DenseRootSIFT, default ``DenseRootSIFT(cell=4, stride=4)``
        With one cell size.
    max_overlap : float in (0, 1], default 0.25
        Of two patches with a larger intersection over union the one with less contrast is dropped; 1 keeps both.

    Returns
    -------
    LocalFeatureSet
        ``scores`` are the standard deviations of the grey values (0 to 1) inside the patches.

    Raises
    ------
    TypeError, ValueError
        If the image is no RGB image, or an option is out of range.

    Examples
    --------
    >>> image = torch.rand(3, 64, 96, generator=torch.Generator().manual_seed(0))
    >>> dense_feature_set(image, n_features=30)
    LocalFeatureSet(30 features of 128 numbers at scales 1, image 64 x 96)
    """
    from torchvision.ops import nms
    from torchvision.transforms.v2.functional import resize, to_dtype

    if not isinstance(image, torch.Tensor) or image.ndim != 3 or image.shape[0] != 3:
        got = f"shape {tuple(image.shape)}" if isinstance(image, torch.Tensor) else type(image).__name__
        raise (ValueError if isinstance(image, torch.Tensor) else TypeError)(message("image", "a tensor of shape (3, H, W)", got))
    n_features = checked_int(n_features, "n_features", low=1)
    max_overlap = checked_float(max_overlap, "max_overlap", above=0, high=1)
    scales = checked_array(scales, "scales", ("S",), np.float64)
    if len(scales) == 0 or (scales <= 0).any():
        raise ValueError(message("scales", "at least one factor above 0", str(scales.tolist())))
    describer = DenseRootSIFT(cell=4, stride=4) if describer is None else describer
    height, width = image.shape[1:]
    image = to_dtype(image, torch.float32, scale=True)
    found = []
    for scale in scales.tolist():
        size = max(round(height * scale), 1), max(round(width * scale), 1)
        resized = image if size == (height, width) else resize(image, list(size), antialias=True)
        features = describer(resized)
        valid = features.valid[0]
        if not valid.any():
            continue
        factor = torch.tensor([width / size[1], height / size[0]])  # rounded sizes: not exactly 1 / scale
        points, half = (features.centers[valid] + 0.5), features.sizes[valid, None] / 2  # the first pixel's centre is 0.5
        contrast = _contrast(resized, torch.cat([points - half, points + half], 1))
        boxes = torch.cat([points - half, points + half], 1) * factor.repeat(2)
        found.append((points * factor, features.descriptors[0, valid], contrast, torch.full_like(contrast, scale), boxes))
    if not found:
        return LocalFeatureSet.empty(DIMENSION, (height, width))
    points, descriptors, scores, at, boxes = (torch.cat(parts) for parts in zip(*found))
    order = torch.sort(scores, descending=True, stable=True).indices
    if max_overlap < 1:
        rank = torch.arange(len(order), 0, -1, dtype=torch.float32)  # distinct: equal contrasts keep their order
        order = order[nms(boxes[order], rank, max_overlap)]
    order = order[:n_features]
    kept = (part[order].numpy() for part in (points, descriptors, scores, at, boxes))
    return LocalFeatureSet(*kept, size=(height, width))


def _contrast(image: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """Return the standard deviation of the grey values in every box, through tables of sums."""
    grey = (torch.tensor(GREY)[:, None, None] * image).sum(0).double()
    height, width = grey.shape
    x0, y0, x1, y1 = boxes.round().long().T
    x0, x1, y0, y1 = x0.clamp(0, width - 1), x1.clamp(1, width), y0.clamp(0, height - 1), y1.clamp(1, height)
    area = ((x1 - x0) * (y1 - y0)).double()

    def mean(values: torch.Tensor) -> torch.Tensor:
        table = torch.nn.functional.pad(values.cumsum(0).cumsum(1), (1, 0, 1, 0))
        return (table[y1, x1] - table[y0, x1] - table[y1, x0] + table[y0, x0]) / area

    return (mean(grey.square()) - mean(grey).square()).clamp(min=0).sqrt().float()
