"""Do the matched points of two images move together? Affine RANSAC for many image pairs at once.

Two views of one facade are related by a map that is almost affine, ``y = A x + t``. Correct matches obey one such map,
wrong ones point anywhere. Three matches fix an affine map; so draw three matches, fit the map, count the matches that
agree (*inliers*), repeat, and keep the map with most of them. Their number is the score of the image pair.

Sources: M. Fischler, R. Bolles, "Random Sample Consensus", CACM 24(6), 1981; H. Noh, A. Araujo, J. Sim, T. Weyand, B. Han,
"Large-Scale Image Retrieval with Attentive Deep Local Features", ICCV 2017, arXiv:1612.06321, section 4.3 (affine model,
number of inliers as score); its official code: 3-point samples, 1000 trials, 20 pixels (demo) or 10 pixels (re-ranking),
``skimage.measure.ransac``. The re-fit on the inliers is the simplest local optimisation of O. Chum, J. Matas,
J. Kittler, "Locally Optimized RANSAC", DAGM 2003.

Conventions
-----------
Residual
    The transfer error ``|A a + t - b|`` in pixels of the *second* image, not symmetric; an inlier is *below* the threshold.
    Both as in ``skimage.measure.ransac`` with ``AffineTransform``. Swapping the images with a change of size therefore
    changes the meaning of the threshold.
Samples
    If there are no more than ``n_trials`` triplets of matches, every one is tried once, and nothing is random. Otherwise
    ``n_trials`` triplets of different matches are drawn. All pairs of one call share the random numbers, so that the
    result of a pair does not depend on the pairs beside it.
Degenerate triplets
    A triangle that is flatter than 1 : 1000 in either image fixes no map and is not counted; repeated points are such
    triangles. A map that stretches or shrinks a direction more than ``max_stretch`` times is no view of the same facade:
    without this limit a map that collapses the image into one crowded spot would win.
Best map
    Most inliers; among equals the smallest sum of squared residuals of the inliers; then the earliest trial.
Re-fit
    Least squares on the inliers, new count, again while the count rises (at most 10 times). A re-fit that loses inliers is
    thrown away. ``inliers`` are always those of the ``transform`` that is returned; skimage re-fits without a new count.
No model
    Fewer than four matches, or no triplet that fixes a map: 0 inliers and a ``transform`` of NaN. Any three matches agree
    with some map, so a count of 3 says nothing, and three matches are not even tried (as in the paper's code).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from course_utils.checks import checked_array, checked_float, checked_int, message

MIN_MATCHES = 4
FLATTEST = 1e-3  # height over longest side of the flattest triangle that counts
MAX_REFITS = 10
BLOCK = 1_000_000  # residuals held at a time; 8 MB, so that they stay in a processor's cache


@dataclass(frozen=True, eq=False)
class GeometricVerification:
    """What geometry says about the N matches of one image pair.

    Attributes
    ----------
    inliers : ndarray of shape (N,), bool
        Matches that agree with ``transform``.
    n_inliers : int
        The score of the pair. 0 without a model, else at least 3.
    transform : ndarray of shape (2, 3), float64
        ``b = transform[:, :2] @ a + transform[:, 2]`` in pixels; NaN without a model.
    """

    inliers: np.ndarray
    n_inliers: int
    transform: np.ndarray

    def __repr__(self) -> str:
        return f"GeometricVerification({self.n_inliers} inliers of {len(self.inliers)} matches)"


def verify_geometry(
    points_a: Any,
    points_b: Any,
    threshold: float = 3.0,
    n_trials: int = 1000,
    generator: torch.Generator | None = None,
    max_stretch: float | None = 10.0,
    device: torch.device | str = "cpu",
) -> GeometricVerification | list[GeometricVerification]:
    """Find the affine map that most matches agree with, for one image pair or for many.

    Taught in ``03_delf``, step 6.

    Parameters
    ----------
    points_a, points_b : array-like of shape (N, 2), or two sequences of P such arrays
        Matched points ``(x, y)`` in pixels: row i of one belongs to row i of the other. Sequences (or arrays of shape
        (P, N, 2)) hold one pair of images each, with a number of matches of its own.
    threshold : float, default 3.0
        Pixels of the second image. The paper's code takes 10 (re-ranking) for photographs of about 1000 pixels.
    n_trials : int, default 1000 (the paper's code)
        Triplets tried for each pair.
    generator : torch.Generator, optional
        On the CPU. Default: torch's global generator.
    max_stretch : float of at least 1, or None, default 10
        Largest change of length that a map may cause in any direction, larger or smaller. None: any map that can be
        inverted.
    device : default "cpu"
        Where to compute; results are NumPy arrays in any case.

    Returns
    -------
    GeometricVerification, or a list of P of them

    Raises
    ------
    TypeError, ValueError
        If the points are not finite arrays of shape (N, 2), differ in number, or an option is out of range.

    Examples
    --------
    >>> a = np.array([[0, 0], [8, 0], [0, 8], [8, 8], [4, 4], [2, 6]], float)
    >>> b = 2 * a + [5, 1]
    >>> b[5] = [50, 50]                                   # one wrong match
    >>> result = verify_geometry(a, b)
    >>> result.n_inliers, result.inliers.tolist(), result.transform.round(6).tolist()
    (5, [True, True, True, True, True, False], [[2.0, 0.0, 5.0], [0.0, 2.0, 1.0]])
    """
    threshold = checked_float(threshold, "threshold", above=0)
    n_trials = checked_int(n_trials, "n_trials", low=1)
    stretch = math.inf if max_stretch is None else checked_float(max_stretch, "max_stretch", low=1)
    one = _is_one_pair(points_a)
    pairs = _checked_pairs([points_a] if one else points_a, [points_b] if one else points_b, single=one)
    uniform = torch.rand((n_trials, 3), generator=generator, dtype=torch.float64).to(device)
    results: list[GeometricVerification] = [
        GeometricVerification(np.zeros(len(a), bool), 0, np.full((2, 3), np.nan)) for a, _ in pairs
    ]
    sizes = np.array([len(a) for a, _ in pairs], int)
    order = [int(i) for i in np.argsort(sizes, kind="stable") if sizes[i] >= MIN_MATCHES]  # equal sizes pad little
    while order:
        largest = sizes[order[: max(1, BLOCK // (n_trials * int(sizes[order[0]])))]].max()
        block = order[: max(1, BLOCK // (n_trials * int(largest)))]
        order = order[len(block) :]
        for i, result in zip(block, _verify_block([pairs[i] for i in block], threshold, uniform, stretch)):
            results[i] = result
    return results[0] if one else results


@dataclass(frozen=True, eq=False)
class AffineTrials:
    """Every sample that RANSAC drew for one image pair.

    Attributes
    ----------
    triplets : ndarray of shape (T, 3), int64
        Rows of the three matches.
    transforms : ndarray of shape (T, 2, 3), float64
        The map through the three; NaN where they fix no admissible map.
    n_inliers : ndarray of shape (T,), int64
        Matches that agree with it; 0 without a map.
    """

    triplets: np.ndarray
    transforms: np.ndarray
    n_inliers: np.ndarray


def affine_trials(
    points_a: Any,
    points_b: Any,
    threshold: float = 3.0,
    n_trials: int = 100,
    generator: torch.Generator | None = None,
    max_stretch: float | None = 10.0,
) -> AffineTrials:
    """Draw three matches ``n_trials`` times and count who agrees: RANSAC with every step kept, for looking at.

    Taught in ``03_delf``, step 6. The arguments are those of ``verify_geometry``, for one pair. Triplets are always drawn,
    even if there are fewer than trials, and nothing is re-fitted. Fewer than three matches give no trial.

    Examples
    --------
    >>> a = np.array([[0, 0], [8, 0], [0, 8], [8, 8]], float)
    >>> affine_trials(a, a + 2, n_trials=3).n_inliers.tolist()
    [4, 4, 4]
    """
    threshold = checked_float(threshold, "threshold", above=0)
    n_trials = checked_int(n_trials, "n_trials", low=1)
    stretch = math.inf if max_stretch is None else checked_float(max_stretch, "max_stretch", low=1)
    a, b = _checked_pairs([points_a], [points_b], single=True)[0]
    if len(a) < 3:
        return AffineTrials(np.zeros((0, 3), np.int64), np.zeros((0, 2, 3)), np.zeros(0, np.int64))
    uniform = torch.rand((n_trials, 3), generator=generator, dtype=torch.float64)
    a, b = torch.from_numpy(a)[None], torch.from_numpy(b)[None]
    triplets = _drawn_triplets(torch.tensor([a.shape[1]]), uniform)
    maps, proper = _fit_triplets(a, b, triplets, stretch)
    inliers = (_squared_residuals(a, b, maps) < threshold**2).sum(-1)
    maps[~proper] = math.nan
    return AffineTrials(triplets[0].numpy(), maps[0].numpy(), torch.where(proper, inliers, 0)[0].numpy())


def ransac_trials(inlier_share: float, confidence: float = 0.99, sample_size: int = 3) -> int:
    """Return how many samples make it ``confidence`` likely that at least one holds only inliers.

    ``log(1 - confidence) / log(1 - inlier_share ** sample_size)``, rounded up: with a third of the matches right, one
    triplet in 27 is.

    Raises
    ------
    ValueError
        If ``inlier_share`` is not in (0, 1], or ``confidence`` not in (0, 1).

    Examples
    --------
    >>> ransac_trials(0.4), ransac_trials(0.2), ransac_trials(0.1), ransac_trials(1.0)
    (70, 574, 4603, 1)
    """
    share = checked_float(inlier_share, "inlier_share", above=0, high=1)
    confidence = checked_float(confidence, "confidence", above=0, high=1)
    if confidence == 1:
        raise ValueError(message("confidence", "below 1", "1", "No number of samples makes it certain."))
    size = checked_int(sample_size, "sample_size", low=1)
    good = share**size
    return 1 if good == 1 else max(1, math.ceil(math.log1p(-confidence) / math.log1p(-good)))


def fit_affine(points_a: Any, points_b: Any) -> np.ndarray:
    """Return the affine map (2, 3) that sends ``points_a`` to ``points_b`` with least squares; NaN if they fix none.

    Parameters
    ----------
    points_a, points_b : array-like of shape (N, 2)
        Three points that are not on a line fix the map exactly.

    Raises
    ------
    TypeError, ValueError
        If the points are not finite arrays of shape (N, 2), or differ in number.

    Examples
    --------
    >>> fit_affine([[0, 0], [1, 0], [0, 1]], [[3, 4], [5, 5], [2, 7]]).round(6).tolist()
    [[2.0, -1.0, 3.0], [1.0, 3.0, 4.0]]
    """
    a, b = _checked_pairs([points_a], [points_b], single=True)[0]
    if len(a) < 3:
        return np.full((2, 3), np.nan)
    a, b = torch.from_numpy(a)[None], torch.from_numpy(b)[None]
    maps, proper = _least_squares(a, b, torch.ones(a.shape[:2], dtype=a.dtype))
    return (maps[0] if proper[0] else torch.full((2, 3), math.nan, dtype=a.dtype)).numpy()


def apply_affine(points: Any, transform: Any) -> np.ndarray:
    """Return ``A x + t`` for points (N, 2) and ``transform = [A | t]`` (2, 3).

    >>> apply_affine([[1, 1]], [[2, 0, 5], [0, 3, 0]]).tolist()
    [[7.0, 3.0]]
    """
    points = checked_array(points, "points", ("N", 2), np.float64)
    transform = checked_array(transform, "transform", (2, 3), np.float64, finite=False)
    return points @ transform[:, :2].T + transform[:, 2]


# ---- arguments ---------------------------------------------------------------------------------------------------


def _is_one_pair(points: Any) -> bool:
    """Tell ``(N, 2)`` from a sequence of such arrays; an empty list is no pair at all."""
    if hasattr(points, "ndim"):
        return points.ndim != 3
    if not isinstance(points, Sequence):
        return True  # the check below says what is wrong
    return len(points) > 0 and np.ndim(points[0]) < 2


def _checked_pairs(points_a: Any, points_b: Any, single: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    if not hasattr(points_b, "__len__") or len(points_a) != len(points_b):
        got = f"{len(points_b)} sets" if hasattr(points_b, "__len__") else type(points_b).__name__
        raise ValueError(message("points_b", f"as many sets of points as `points_a` ({len(points_a)})", got))
    pairs = []
    for i, (a, b) in enumerate(zip(points_a, points_b)):
        where = "" if single else f"[{i}]"
        a = checked_array(a, f"points_a{where}", ("N", 2), np.float64)
        pairs.append((a, checked_array(b, f"points_b{where}", (len(a), 2), np.float64)))
    return pairs


# ---- RANSAC on a padded block of P pairs, T trials, at most N matches ----------------------------------------------


def _verify_block(
    pairs: list[tuple[np.ndarray, np.ndarray]], threshold: float, uniform: torch.Tensor, stretch: float
) -> list[GeometricVerification]:
    device = uniform.device
    sizes = torch.tensor([len(a) for a, _ in pairs], device=device)
    a, b = (_padded([pair[side] for pair in pairs], device) for side in (0, 1))  # (P, N, 2)
    real = torch.arange(a.shape[1], device=device) < sizes[:, None]  # (P, N); False for padding
    middle_a, middle_b = ((x.sum(1) / sizes[:, None])[:, None] for x in (a, b))
    a, b = (a - middle_a) * real[..., None], (b - middle_b) * real[..., None]  # small numbers: better conditioned
    triplets, counts = _triplets(sizes, uniform)
    maps, proper = _fit_triplets(a, b, triplets, stretch)  # (P, T, 2, 3)
    proper &= counts
    score = _score(a, b, real, maps, proper, threshold)  # (P, T)
    best = score.argmax(1)
    rows = torch.arange(len(pairs), device=device)
    transform, found = maps[rows, best], proper[rows, best]
    transform, inliers = _refit(a, b, real, transform, found, threshold, stretch)
    transform[:, :, 2] += middle_b[:, 0] - (transform[:, :, :2] @ middle_a.mT)[..., 0]
    transform[~found] = math.nan
    numbers, masks = transform.cpu().numpy(), inliers.cpu().numpy()
    return [
        GeometricVerification(masks[i, : len(pair[0])].copy(), int(masks[i].sum()), numbers[i].copy())
        for i, pair in enumerate(pairs)
    ]


def _padded(points: list[np.ndarray], device: torch.device) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence([torch.from_numpy(p) for p in points], batch_first=True).to(device)


def _drawn_triplets(sizes: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Return three different matches for each pair and trial, (P, T, 3).

    The second index is drawn from the n - 1 that are left, and steps over the first; the third steps over both.
    """
    n = sizes[:, None]
    first, second, third = ((uniform[:, i] * (n - i)).long().minimum(n - i - 1) for i in range(3))  # (P, T) each
    second += second >= first
    low, high = torch.minimum(first, second), torch.maximum(first, second)
    third += third >= low
    third += third >= high
    return torch.stack([first, second, third], dim=-1)


def _triplets(sizes: torch.Tensor, uniform: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the triplets to try, (P, T, 3), and which of them count, (P, T): all there are if these are no more than T."""
    triplets = _drawn_triplets(sizes, uniform)
    counts = torch.ones(triplets.shape[:2], dtype=torch.bool, device=sizes.device)
    for size in sizes.unique().tolist():
        n_all = math.comb(size, 3)
        if n_all <= len(uniform):
            rows = torch.nonzero(sizes == size)[:, 0, None]
            columns = torch.arange(n_all, device=sizes.device)
            triplets[rows, columns] = torch.combinations(torch.arange(size, device=sizes.device), 3)
            counts[rows[:, 0], n_all:] = False
    return triplets, counts


def _fit_triplets(a: torch.Tensor, b: torch.Tensor, triplets: torch.Tensor, stretch: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the affine map of every triplet, (P, T, 2, 3), and whether the triplet fixes an admissible one, (P, T)."""
    rows = torch.arange(len(a), device=a.device)[:, None, None]
    p, q = a[rows, triplets], b[rows, triplets]  # (P, T, 3, 2)
    sides_p, sides_q = p[..., 1:, :] - p[..., :1, :], q[..., 1:, :] - q[..., :1, :]  # two sides as rows
    proper = _is_triangle(sides_p) & _is_triangle(sides_q)
    safe = torch.where(proper[..., None, None], sides_p, torch.eye(2, dtype=a.dtype, device=a.device))
    linear = torch.linalg.solve(safe, sides_q).mT  # sides_p @ A^T = sides_q
    offset = q[..., 0, :] - (linear @ p[..., 0, :, None])[..., 0]
    return torch.cat([linear, offset[..., None]], dim=-1), proper & _is_moderate(linear, stretch)


def _is_triangle(sides: torch.Tensor) -> torch.Tensor:
    """Whether height / longest side of the triangle with these two sides (..., 2, 2) is above ``FLATTEST``."""
    area = sides[..., 0, 0] * sides[..., 1, 1] - sides[..., 0, 1] * sides[..., 1, 0]  # twice the area
    third = sides[..., 1, :] - sides[..., 0, :]
    longest = torch.maximum(sides.square().sum(-1).amax(-1), third.square().sum(-1))
    return area.abs() > FLATTEST * longest


def _is_moderate(linear: torch.Tensor, stretch: float) -> torch.Tensor:
    """Whether both singular values of ``A`` (..., 2, 2) lie in [1 / stretch, stretch]."""
    squares = linear.square().sum((-2, -1))  # s1^2 + s2^2
    product = (linear[..., 0, 0] * linear[..., 1, 1] - linear[..., 0, 1] * linear[..., 1, 0]).abs()  # s1 s2
    spread = (squares.square() - 4 * product.square()).clamp(min=0).sqrt()
    largest = ((squares + spread) / 2).sqrt()
    smallest = product / largest.clamp(min=1e-300)
    return (product > 0) & (largest <= stretch) & (smallest >= 1 / stretch)


def _squared_residuals(a: torch.Tensor, b: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """Return ``|A a + t - b|^2`` for maps (P, T, 2, 3) and points (P, N, 2), as (P, T, N)."""
    total = None
    for axis in (0, 1):
        x, y, t = (maps[:, :, axis, i, None] for i in range(3))  # (P, T, 1)
        gap = torch.addcmul(t - b[:, None, :, axis], x, a[:, None, :, 0]).addcmul_(y, a[:, None, :, 1]).square_()
        total = gap if total is None else total.add_(gap)
    return total


def _score(
    a: torch.Tensor, b: torch.Tensor, real: torch.Tensor, maps: torch.Tensor, proper: torch.Tensor, threshold: float
) -> torch.Tensor:
    """Return inliers plus a part below 1 that prefers small residuals, (P, T); -1 for maps that do not count."""
    squares = _squared_residuals(a, b, maps) / threshold**2  # (P, T, N)
    squares.masked_fill_(~real[:, None], 1.0)
    inliers = (squares < 1).sum(-1)
    cost = squares.clamp_(max=1.0).sum(-1) - (squares.shape[-1] - inliers)  # the inliers' part, below their number
    return torch.where(proper, inliers - cost / (inliers + 1), -1.0)


def _refit(
    a: torch.Tensor,
    b: torch.Tensor,
    real: torch.Tensor,
    transform: torch.Tensor,
    found: torch.Tensor,
    threshold: float,
    stretch: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the maps after least squares on their inliers, (P, 2, 3), and these inliers, (P, N)."""

    def inliers_of(maps: torch.Tensor) -> torch.Tensor:
        return (_squared_residuals(a, b, maps[:, None])[:, 0] < threshold**2) & real & found[:, None]

    transform = transform.clone()
    inliers = inliers_of(transform)
    for _ in range(MAX_REFITS):
        fitted, proper = _least_squares(a, b, inliers.to(a.dtype))
        proper &= found & _is_moderate(fitted[..., :2], stretch)
        new = inliers_of(torch.where(proper[:, None, None], fitted, transform))
        gain = new.sum(1) - inliers.sum(1)
        taken = proper & (gain >= 0)
        transform = torch.where(taken[:, None, None], fitted, transform)
        inliers = torch.where(taken[:, None], new, inliers)
        if not (taken & (gain > 0)).any():
            break
    return transform, inliers


def _least_squares(a: torch.Tensor, b: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the weighted least-squares maps (P, 2, 3), and whether the points fix one, (P,)."""
    total = weights.sum(1).clamp(min=1)[:, None]
    mean_a, mean_b = ((x * weights[..., None]).sum(1) / total for x in (a, b))  # (P, 2)
    p, q = a - mean_a[:, None], b - mean_b[:, None]
    spread = (p * weights[..., None]).mT @ p  # (P, 2, 2), the scatter of the points
    determinant, trace = torch.linalg.det(spread), spread.diagonal(dim1=-2, dim2=-1).sum(-1)
    proper = determinant > (FLATTEST * trace).square() / 4  # smaller over larger axis of the scatter
    safe = torch.where(proper[:, None, None], spread, torch.eye(2, dtype=a.dtype, device=a.device))
    linear = torch.linalg.solve(safe, (p * weights[..., None]).mT @ q).mT
    offset = mean_b - (linear @ mean_a[..., None])[..., 0]
    return torch.cat([linear, offset[..., None]], dim=-1), proper
