"""How much of an attention lies on the landmark? A judgement against masks that the training never saw.

Every cell has a key point, the centre of its receptive field, and the key point lies on the landmark or not. Three
numbers per image compare the scores with that truth:

- ``mass``: the share of the summed scores that belongs to cells on the landmark. It depends on how strongly the scores
  differ, and that is what pooling sees;
- ``area``: the share of cells on the landmark, the mass of a constant attention;
- ``auc``: the area under the ROC curve, the chance that a random cell on the landmark has a higher score than a random
  cell beside it, ties counted half. It depends on the order alone, and that is what a selection of the best cells sees.

Taught in ``03_delf``, step 3. The mean over images is the figure of the claim.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

from course_utils.checks import checked_array, message
from course_utils.retrieval.receptive_field import ReceptiveField


@dataclass(frozen=True, eq=False)
class AttentionQuality:
    """One entry per image.

    Attributes
    ----------
    mass, area, auc : ndarray of shape (B,), float64
        NaN where there is nothing to measure: ``mass`` of scores that are all zero, ``auc`` where all cells are on the
        landmark or none is.
    """

    mass: np.ndarray
    area: np.ndarray
    auc: np.ndarray


def cells_on_landmark(masks: Any, field: ReceptiveField, h: int, w: int) -> np.ndarray:
    """Return which cells have their key point on the landmark, (B, h, w) bool, from masks (B, H, W).

    Raises
    ------
    ValueError
        If ``masks`` has another shape, or a key point lies outside the image.
    """
    masks = checked_array(masks, "masks", ("B", "H", "W"), np.uint8).astype(bool)
    columns, rows = np.floor(field.centers(h, w)).astype(np.int64).T
    if (
        (min(rows.min(initial=0), columns.min(initial=0)) < 0)
        or (rows >= masks.shape[1]).any()
        or (columns >= masks.shape[2]).any()
    ):
        raise ValueError(message("masks", "as large as the images of the map", f"{masks.shape[1]} x {masks.shape[2]} pixels"))
    return masks[:, rows, columns].reshape(len(masks), h, w)


def attention_quality(scores: Any, masks: Any, field: ReceptiveField) -> AttentionQuality:
    """Judge scores (B, h, w), 0 or more, against masks (B, H, W) of the landmark.

    Taught in ``03_delf``, step 3.

    Parameters
    ----------
    scores : array of shape (B, h, w), >= 0
        ``delf.score_maps(images)``, or any other map of the same cells, such as the length of the features.
    masks : array of shape (B, H, W), bool
        In pixels of the images.
    field : ReceptiveField
        Of the map: it says where the cells' key points lie.

    Returns
    -------
    AttentionQuality

    Raises
    ------
    ValueError
        If the shapes disagree or a score is negative.

    Examples
    --------
    >>> mask = np.zeros((1, 4, 4), bool); mask[0, :, :2] = True
    >>> scores = [[[3.0, 3.0, 1.0, 1.0]] * 4]
    >>> quality = attention_quality(scores, mask, ReceptiveField(1, 1, 0))
    >>> quality.mass.tolist(), quality.area.tolist(), quality.auc.tolist()
    ([0.75], [0.5], [1.0])
    """
    scores = checked_array(scores, "scores", ("B", "h", "w"), np.float64)
    if (scores < 0).any():
        raise ValueError(message("scores", "0 or more", f"{scores.min():.4g}"))
    inside = cells_on_landmark(masks, field, *scores.shape[1:])
    if len(inside) != len(scores):
        raise ValueError(message("masks", f"one mask per score map ({len(scores)})", f"{len(inside)} masks"))
    scores, inside = scores.reshape(len(scores), -1), inside.reshape(len(inside), -1)
    total = scores.sum(1)
    with np.errstate(invalid="ignore"):
        mass = (scores * inside).sum(1) / np.where(total > 0, total, np.nan)
    return AttentionQuality(mass, inside.mean(1), np.array([_auc(s, i) for s, i in zip(scores, inside)]))


def _auc(scores: np.ndarray, inside: np.ndarray) -> float:
    n_inside = int(inside.sum())
    n_outside = len(inside) - n_inside
    if n_inside == 0 or n_outside == 0:
        return float("nan")
    ranks = rankdata(scores)[inside].sum()  # ties get the mean of their ranks
    return float((ranks - n_inside * (n_inside + 1) / 2) / (n_inside * n_outside))
