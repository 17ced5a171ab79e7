"""From a trained DELF to the local features of an image: pyramid, selection, key points, suppression, PCA.

1. **Pyramid.** The image is resized to seven scales, a factor of sqrt(2) apart, and each goes through the network. A cell
   at scale 0.25 sees eight times as much of the original as one at scale 2. A scale at which a side would be shorter
   than the network's stride is left out: it has no whole cell.
2. **Selection.** Every cell of every scale is a candidate. The best by attention are kept: at most so many, and if wanted
   the best share of the image, or those above a threshold. Scores of two models have nothing in common, so a threshold
   belongs to one model. If no cell passes, it is halved until one does, and the result says so.
3. **Key points.** A cell owns its receptive field; its centre, divided by the scale, is the key point in the original.
4. **Suppression.** Of overlapping boxes the one with the lower score goes. The released model uses an intersection over
   union of 1, which suppresses nothing.
5. **Descriptor.** Unit length, PCA to 40 numbers without whitening, unit length again.

Source: H. Noh et al., ICCV 2017, arXiv:1612.06321, section 5; scales, selection and receptive-field boxes as in the
official code, ``research/delf/delf/python/feature_extractor.py`` and its released configuration. The PyTorch port
whitens and leaves out the last normalisation: a distance threshold of the one is useless for the other.

**Convention.** Equal scores are ordered by scale, then row by row, so that a flat attention gives the same features
every time. A cell whose feature is all zero has no direction and is never a candidate.

Taught in ``03_delf``, steps 4 and 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import nms

from course_utils.checks import checked_float, checked_int, checked_tensor, message
from course_utils.retrieval.delf import DELF, unit
from course_utils.retrieval.delf_training import resized
from course_utils.retrieval.local_feature_set import LocalFeatureSet
from course_utils.retrieval.whitening import PCAWhitening
from course_utils.training import evaluating

SCALES = (0.25, 0.3536, 0.5, 0.7071, 1.0, 1.4142, 2.0)  # official configuration
MAX_FEATURES = 1000  # paper, section 5
HALVINGS = 10  # of a threshold that nothing passes; then the best cell is taken
BATCH_SIZE = 32
PIXELS_AT_ONCE = 200_000  # of a pass: larger layers leave a processor's cache, and a batch gets slower than single images
PCA_PER_IMAGE = 200  # training descriptors per image: the best ones


def extract_local_features(
    delf: DELF,
    images: Tensor | Sequence[Tensor],
    *,
    scales: Sequence[float] = SCALES,
    max_features: int = MAX_FEATURES,
    threshold: float | None = None,
    quantile: float | None = None,
    iou: float = 1.0,
    batch_size: int = BATCH_SIZE,
) -> LocalFeatureSet | list[LocalFeatureSet]:
    """Return the local features of one image or of many, in evaluation mode, without graph.

    Taught in ``03_delf``, step 4. Called as ``delf.extract(images, ...)``.

    Parameters
    ----------
    delf : DELF
    images : Tensor of shape (3, H, W) or (B, 3, H, W), or sequence of (3, H, W), uint8 or floating in [0, 255]
        A sequence may mix sizes; equal ones are computed together. A grey image (1, H, W) is taken three times.
    scales : sequence of float, default seven from 0.25 to 2
    max_features : int, default 1000
        The best by score, over all scales.
    threshold : float, optional
        Keep scores of at least this. Belongs to one trained model.
    quantile : float in [0, 1), optional
        Keep the scores above this quantile of the image's own: 0.9 keeps the best tenth.
    iou : float in (0, 1], default 1.0
        Intersection over union of two boxes above which the one with the lower score goes; 1.0 suppresses nothing.
    batch_size : int, default 32
        Images per pass.

    Returns
    -------
    LocalFeatureSet, or a list of them for a batch or a sequence
        Best score first. Descriptors have ``delf.pca``'s number of dimensions, or D without it.

    Raises
    ------
    TypeError, ValueError
        If an image or an option has another form; if an image is too small for every scale.
    """
    options = {
        "max_features": checked_int(max_features, "max_features", low=1),
        "threshold": None if threshold is None else checked_float(threshold, "threshold", low=0),
        "quantile": None if quantile is None else checked_float(quantile, "quantile", low=0, high=1),
        "iou": checked_float(iou, "iou", above=0, high=1),
    }
    factors = [checked_float(scale, "scales", above=0) for scale in scales]
    if not factors:
        raise ValueError(message("scales", "at least one scale", "none"))
    single = isinstance(images, Tensor) and images.ndim == 3
    pictures = [_colour(image) for image in ([images] if single else images)]
    groups: dict[tuple[int, int], list[int]] = {}
    for i, picture in enumerate(pictures):
        groups.setdefault(tuple(picture.shape[-2:]), []).append(i)
    found: list[Any] = [None] * len(pictures)
    for size, members in groups.items():
        for start in range(0, len(members), checked_int(batch_size, "batch_size", low=1)):
            chosen = members[start : start + batch_size]
            for i, candidates in zip(chosen, _candidates(delf, torch.stack([pictures[i] for i in chosen]), factors)):
                found[i] = _selected(candidates, size, delf.pca, **options)
    return found[0] if single else found


def learn_pca(delf: DELF, images: Tensor, n_components: int = 40, per_image: int = PCA_PER_IMAGE, **options: Any) -> PCAWhitening:
    """Learn a PCA without whitening from the best local descriptors of training images.

    Taught in ``03_delf``, step 5. Called as ``delf.fit_pca(images)``.

    Parameters
    ----------
    n_components : int, default 40
        Paper, section 5; the model of Detect-to-Retrieve keeps 128.
    per_image : int, default 200
        Descriptors of each image.
    options
        As in ``extract_local_features``.

    Raises
    ------
    ValueError
        If there are fewer descriptors or dimensions than components.
    """
    kept, delf.pca = delf.pca, None
    try:
        sets = extract_local_features(delf, images, **({"max_features": per_image} | options))
    finally:
        delf.pca = kept
    return PCAWhitening(n_components, whiten=False).fit(np.concatenate([one.descriptors for one in sets]))


def pyramid_sizes(size: tuple[int, int], scales: Sequence[float], stride: int) -> list[tuple[float, tuple[int, int]]]:
    """Return (scale, (height, width)) for every scale at which no side is shorter than the stride.

    >>> pyramid_sizes((112, 80), (0.1, 0.5, 1.0), stride=16)
    [(0.5, (56, 40)), (1.0, (112, 80))]
    """
    sizes = [(scale, (round(size[0] * scale), round(size[1] * scale))) for scale in scales]
    return [(scale, small) for scale, small in sizes if min(small) >= stride]


@torch.no_grad()
def _candidates(delf: DELF, images: Tensor, scales: Sequence[float]) -> list[dict[str, np.ndarray]]:
    """Return every cell of every scale of images (B, 3, H, W) of one size: score, scale, box, unit feature."""
    size, field = tuple(images.shape[-2:]), delf.receptive_field
    levels = pyramid_sizes(size, scales, field.stride)
    if not levels:
        expected = f"large enough for one of the scales: {field.stride} pixels, the stride of the network"
        raise ValueError(message("images", expected, f"{size[0]} x {size[1]} pixels at scales {tuple(scales)}"))
    parts: list[tuple[np.ndarray, ...]] = []
    on_device = images.to(delf.classifier.weight.device)
    with evaluating(delf):
        for scale, small in levels:
            at_once = max(1, PIXELS_AT_ONCE // (small[0] * small[1]))
            maps = torch.cat([delf.maps(resized(part, small)) for part in on_device.split(at_once)])  # (B, D, h, w)
            h, w = maps.shape[-2:]
            scores = delf.scores(maps).float().flatten(1).cpu().numpy()  # (B, h * w)
            features = unit(maps).float().flatten(2).transpose(1, 2).cpu().numpy()  # (B, h * w, D)
            boxes = field.boxes(h, w, scale=(small[0] / size[0], small[1] / size[1]))
            parts.append((scores, features, boxes, np.full(h * w, scale, np.float32)))
    boxes, factors = (np.concatenate([part[k] for part in parts]) for k in (2, 3))
    scores, features = (np.concatenate([part[k] for part in parts], axis=1) for k in (0, 1))
    return [
        {"scores": s[alive], "features": f[alive], "boxes": boxes[alive], "scales": factors[alive]}
        for s, f in zip(scores, features)
        for alive in [f.any(1)]
    ]


def _selected(
    candidates: dict[str, np.ndarray],
    size: tuple[int, int],
    pca: Any,
    max_features: int,
    threshold: float | None,
    quantile: float | None,
    iou: float,
) -> LocalFeatureSet:
    scores = candidates["scores"]
    if len(scores) == 0:  # an image of zeros in a network without biases
        return LocalFeatureSet.empty(_dimension(pca, candidates), size)
    chosen = np.ones(len(scores), bool) if quantile is None else scores >= np.quantile(scores, quantile)
    passed, below = _above(scores, threshold)
    chosen = np.flatnonzero(chosen & passed)
    chosen = chosen[np.argsort(-scores[chosen], kind="stable")]  # equal scores: by scale, then row by row
    boxes = candidates["boxes"][chosen]
    if iou < 1:
        kept = nms(torch.from_numpy(boxes), torch.from_numpy(scores[chosen]), iou).numpy()
        chosen, boxes = chosen[kept], boxes[kept]
    chosen, boxes = chosen[:max_features], boxes[:max_features]
    descriptors = candidates["features"][chosen]
    return LocalFeatureSet(
        points=(boxes[:, :2] + boxes[:, 2:]) / 2,
        descriptors=descriptors if pca is None or len(descriptors) == 0 else pca.transform(descriptors),
        scores=scores[chosen],
        scales=candidates["scales"][chosen],
        boxes=boxes,
        size=size,
        below_threshold=below,
    )


def _above(scores: np.ndarray, threshold: float | None) -> tuple[np.ndarray, bool]:
    """Return which scores pass, and whether the threshold had to be lowered for that."""
    if threshold is None:
        return np.ones(len(scores), bool), False
    for halving in range(HALVINGS + 1):
        passed = scores >= threshold / 2**halving
        if passed.any():
            return passed, halving > 0
    return scores >= scores.max(), True


def _colour(image: Any) -> Tensor:
    checked_tensor(image, "images", floating=False)
    if image.ndim != 3 or image.shape[0] not in (1, 3):
        raise ValueError(message("images", "of shape (3, H, W), one or several of them", f"shape {tuple(image.shape)}"))
    return image.expand(3, -1, -1) if image.shape[0] == 1 else image


def _dimension(pca: Any, candidates: dict[str, np.ndarray]) -> int:
    return candidates["features"].shape[1] if pca is None else pca.n_components_
