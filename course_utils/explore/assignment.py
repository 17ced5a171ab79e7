"""Soft assignment and residuals of two small images in the plane: the pure part of the assignment laboratory.

Formulas, with assignment points ``w_k`` and anchors ``c_k`` (R. Arandjelovic et al., "NetVLAD: CNN architecture for
weakly supervised place recognition", CVPR 2016, arXiv:1511.07247, eq. (1)-(4) and figure 3)::

    a_k(x) = exp(-alpha |x - w_k|^2) / sum_j exp(-alpha |x - w_j|^2)
    V_k    = sum_i a_k(x_i) (x_i - c_k)
    similarity = <v_A, v_B> = sum_k <V_k^A, V_k^B>      after normalisation

which is ``softmax_k(w'_k . x + b_k)`` with ``w'_k = 2 alpha w_k`` and ``b_k = -alpha |w_k|^2``. Ten lines of NumPy,
tested against ``retrieval.NetVLAD`` and ``retrieval.VLAD``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from course_utils.checks import checked_choice
from course_utils.explore.scene import rectangle, rgba
from course_utils.plotting import GREEN, ORANGE, PURPLE, SKY

Point = tuple[float, float]

LIMIT = 2.0  # the plane is the square [-LIMIT, LIMIT]^2
WORD_COLOURS = (GREEN, ORANGE, PURPLE, SKY)
BURST = 20  # copies of one descriptor, as in a row of equal windows
SCHEMES = ("plain", "SSR", "intra")
_EPSILON = 1e-12


@dataclass(frozen=True)
class AssignmentState:
    """Everything that the reader can set.

    Attributes
    ----------
    a, b : tuples of points
        Descriptors of image A and image B.
    words : tuple of K points
        Assignment points.
    anchors : tuple of K points
    log_alpha : float
        Decimal logarithm of the sharpness alpha.
    intra : bool
        Intra-normalisation (every block to unit length) before the final L2 normalisation.
    together : bool
        Anchor and assignment point of a word move as one, as in VLAD.
    copies : int
        How often the first descriptor of A occurs; 1 or ``BURST``.
    preset : str
        ``"decoupling"`` or ``"burst"``: where *Reset* leads and which goal is shown.
    """

    a: tuple[Point, ...]
    b: tuple[Point, ...]
    words: tuple[Point, ...]
    anchors: tuple[Point, ...]
    log_alpha: float = 1.0
    intra: bool = True
    together: bool = False
    copies: int = 1
    preset: str = "decoupling"


_WORDS: tuple[Point, ...] = ((-1.25, 0.55), (1.1, 0.75), (0.1, -1.05))

PRESETS = {
    # A1 and B1 show different things and happen to share word 1; A2-B2 and A3-B3 match.
    "decoupling": AssignmentState(
        a=((-0.75, 1.75), (1.6, 1.6), (-0.75, -1.6)),
        b=((-0.2, 1.05), (1.75, 1.45), (-0.85, -1.4)),
        words=_WORDS,
        anchors=_WORDS,
        log_alpha=1.0,
        intra=True,
        preset="decoupling",
    ),
    # Two different places that have one thing in common, a window: A1 and B1. It can repeat in A.
    "burst": AssignmentState(
        a=((-0.65, 1.3), (1.75, 0.2), (0.9, -1.65), (0.75, 0.1)),
        b=((-0.55, 1.15), (0.5, 1.0), (1.9, 0.5), (-0.35, -1.75)),
        words=_WORDS,
        anchors=_WORDS,
        log_alpha=1.0,
        intra=False,
        together=True,
        preset="burst",
    ),
}


@dataclass(frozen=True, eq=False)
class AssignmentResult:
    """What follows from a state.

    Attributes
    ----------
    assignment_a, assignment_b : arrays (N, K)
        Soft weights; rows sum to 1.
    blocks_a, blocks_b : arrays (K, 2)
        Blocks of the two normalised image vectors.
    per_word : array (K,)
        What every word adds to the similarity.
    similarity : float
    schemes : dict from scheme to (similarity without burst, similarity with ``BURST`` copies of A1)
    cells : tuple of arrays (n, 2)
        Region of the plane where word k has the largest weight.
    shading : array (S, S, 4), uint8
        The soft assignment of every point of the plane, in the words' colours.
    boundaries_kept : bool
        The assignment points are where the preset put them.
    """

    assignment_a: np.ndarray
    assignment_b: np.ndarray
    blocks_a: np.ndarray
    blocks_b: np.ndarray
    per_word: np.ndarray
    similarity: float
    schemes: dict[str, tuple[float, float]]
    cells: tuple[np.ndarray, ...]
    shading: np.ndarray
    boundaries_kept: bool = field(default=True)


def soft_assignment(points: np.ndarray, words: np.ndarray, alpha: float) -> np.ndarray:
    """Return the weights ``a_k(x)``: points (N, 2), words (K, 2) -> (N, K), rows sum to 1.

    Examples
    --------
    >>> soft_assignment(np.array([[0.0, 0.0]]), np.array([[-1.0, 0.0], [1.0, 0.0]]), alpha=2.0)
    array([[0.5, 0.5]])
    """
    logits = -alpha * ((points[:, None] - words[None]) ** 2).sum(-1)  # (N, K)
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def residual_sums(
    points: np.ndarray, assignment: np.ndarray, anchors: np.ndarray, counts: np.ndarray | None = None
) -> np.ndarray:
    """Return ``V_k = sum_i n_i a_k(x_i) (x_i - c_k)``, shape (K, 2); ``counts`` (N,) are the multiplicities ``n_i``."""
    weights = assignment if counts is None else assignment * counts[:, None]  # (N, K)
    return weights.T @ points - weights.sum(0)[:, None] * anchors


def normalise(blocks: np.ndarray, scheme: str) -> np.ndarray:
    """Return the blocks (K, 2) of the unit image vector under ``"plain"``, ``"SSR"`` or ``"intra"``; zero stays zero."""
    checked_choice(scheme, "scheme", SCHEMES)
    if scheme == "SSR":
        blocks = np.sign(blocks) * np.sqrt(np.abs(blocks))
    elif scheme == "intra":
        norms = np.linalg.norm(blocks, axis=1, keepdims=True)
        blocks = np.where(norms > _EPSILON, blocks / np.maximum(norms, _EPSILON), 0.0)
    return blocks / max(float(np.linalg.norm(blocks)), _EPSILON)


def voronoi_cells(words: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the part of the plane nearest to each word as a polygon (n, 2), empty if a word owns nothing.

    Two words at one place share it; the lower index owns it, as in ``argmin``.
    """
    cells = []
    for k, word in enumerate(words):
        ring = rectangle(-LIMIT, LIMIT, -LIMIT, LIMIT).astype(float)
        for j, other in enumerate(words):
            normal = other - word
            if j == k or not len(ring):
                continue
            if not normal.any():
                ring = ring if k < j else ring[:0]
                continue
            ring = _clip(ring, normal, float(normal @ (word + other) / 2))
        cells.append(ring)
    return tuple(cells)


def _clip(ring: np.ndarray, normal: np.ndarray, offset: float) -> np.ndarray:
    """Keep the part of a convex ring with ``normal . x <= offset`` (Sutherland and Hodgman, 1974)."""
    side = ring @ normal - offset  # (n,)
    kept = []
    for i in range(len(ring)):
        here, there = side[i], side[(i + 1) % len(ring)]
        if here <= 0:
            kept.append(ring[i])
        if (here < 0 < there) or (there < 0 < here):
            kept.append(ring[i] + here / (here - there) * (ring[(i + 1) % len(ring)] - ring[i]))
    return np.array(kept).reshape(-1, 2)


_SHADING = 100
_AXIS = (np.arange(_SHADING) + 0.5) / _SHADING * 2 * LIMIT - LIMIT
_GRID = np.stack(np.meshgrid(_AXIS, -_AXIS), axis=-1).reshape(-1, 2)  # row 0 is the top


def shade(words: np.ndarray, alpha: float) -> np.ndarray:
    """Return the soft assignment of the plane as RGBA, (100, 100, 4) uint8: strong colour where one word is certain."""
    weights = soft_assignment(_GRID, words, alpha)  # (S * S, K)
    colours = np.stack([rgba(colour)[:3] for colour in WORD_COLOURS[: len(words)]]).astype(float)
    certainty = (weights.max(axis=1) - 1 / len(words)) / max(1 - 1 / len(words), _EPSILON)
    pixels = np.empty((len(_GRID), 4), np.uint8)
    pixels[:, :3] = weights @ colours
    pixels[:, 3] = 30 + 55 * certainty
    return pixels.reshape(_SHADING, _SHADING, 4)


def compute_assignment(state: AssignmentState) -> AssignmentResult:
    """Return everything that the laboratory shows for ``state``; deterministic.

    Examples
    --------
    >>> round(compute_assignment(PRESETS["decoupling"]).similarity, 2)
    0.9
    """
    a, b, words, anchors = (np.asarray(points, float) for points in (state.a, state.b, state.words, state.anchors))
    alpha = 10.0**state.log_alpha
    assignment_a, assignment_b = soft_assignment(a, words, alpha), soft_assignment(b, words, alpha)
    once = np.ones(len(a))
    burst = np.where(np.arange(len(a)) == 0, float(BURST), 1.0)
    sums_b = residual_sums(b, assignment_b, anchors)
    sums_once = residual_sums(a, assignment_a, anchors, once)
    sums_burst = residual_sums(a, assignment_a, anchors, burst)
    schemes = {
        scheme: tuple(float((normalise(sums, scheme) * normalise(sums_b, scheme)).sum()) for sums in (sums_once, sums_burst))
        for scheme in SCHEMES
    }
    scheme = "intra" if state.intra else "plain"
    blocks_a = normalise(sums_once if state.copies == 1 else sums_burst, scheme)
    blocks_b = normalise(sums_b, scheme)
    per_word = (blocks_a * blocks_b).sum(axis=1)
    return AssignmentResult(
        assignment_a,
        assignment_b,
        blocks_a,
        blocks_b,
        per_word,
        float(per_word.sum()),
        schemes,
        voronoi_cells(words),
        shade(words, alpha),
        boundaries_kept=state.words == PRESETS[state.preset].words,
    )
