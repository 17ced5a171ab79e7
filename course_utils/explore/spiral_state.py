"""The pure part of the spiral theatre: points, where to blend, how far the training is, and what follows.

``compute_spirals(state)`` trains a network from scratch for ``state.steps`` steps, so the same state always gives the same
picture. What was trained up to here is remembered: going from step 150 to step 200 costs 50 steps.

Blends are counted in three places, whether the training uses them or not: among the points themselves, and among what leaves
hidden layer 1 and 2. A blend *intrudes* if its nearest neighbour there, an example, has a class that gets less than half of the
blended label (``augment.intrusions``).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch

from course_utils import data
from course_utils.augment.decision_maps import decision_map, intrusions
from course_utils.explore.canvas import Event
from course_utils.explore.play import replaced
from course_utils.explore.spiral_training import Training, forward

Point = tuple[float, float]

N_POINTS, N_CURVE = 60, 100
N_STEPS, PIECE = 400, 50
CELLS = 75
"""Cells of the map, along each side."""
N_BLENDS = 120
SURE = 0.95
ALPHAS = (-1.0, 0.7)
"""Decimal exponents of the smallest and largest alpha."""
LARGEST_SEED = 99
LIMITS = {"spirals": 1.25, "moons": 2.0}
"""The plane is the square [-limit, limit]^2."""

PLACES: dict[str, tuple[int, ...]] = {
    "nowhere": (),
    "input (mixup)": (0,),
    "hidden layer 1": (1,),
    "hidden layer 2": (2,),
    "layers 1 and 2": (1, 2),
    "input, 1 and 2": (0, 1, 2),
}
"""Where a step may blend."""


@dataclass(frozen=True)
class Setting:
    """What decides about a training: hashable, so that trainings can be remembered."""

    preset: str
    points: tuple[Point, ...]
    layers: tuple[int, ...]
    log_alpha: float
    seed: int


@dataclass(frozen=True)
class SpiralState:
    """Everything that the reader can set, and how far the training is.

    Attributes
    ----------
    points : tuple of ``N_POINTS`` points
    layers : tuple of int
        One of the values of ``PLACES``.
    log_alpha : float
        Decimal logarithm of alpha.
    seed : int
        Of the weights at the start and of every draw.
    steps : int
        A multiple of ``PIECE`` up to ``N_STEPS``.
    blends : bool
        Whether blends are drawn.
    preset : str
        ``"spirals"`` or ``"moons"``: where *Reset* leads, and the classes of the points.
    """

    points: tuple[Point, ...]
    layers: tuple[int, ...] = ()
    log_alpha: float = 0.0
    seed: int = 0
    steps: int = N_STEPS
    blends: bool = True
    preset: str = "spirals"

    @property
    def setting(self) -> Setting:
        """Return what the training depends on."""
        return Setting(self.preset, self.points, self.layers, self.log_alpha, self.seed)

    @property
    def alpha(self) -> float:
        """Return alpha."""
        return 10.0**self.log_alpha


@dataclass(frozen=True, eq=False)
class Blends:
    """Blends in one place: ``where`` (M, D), the part of class 1 in their labels ``share`` (M,), ``wrong`` (M,) bool."""

    where: np.ndarray
    share: np.ndarray
    wrong: np.ndarray

    @property
    def intruding(self) -> float:
        """Return the share of blends that lie where another class lives."""
        return float(self.wrong.mean())


@dataclass(frozen=True, eq=False)
class SpiralResult:
    """What follows from a state.

    Attributes
    ----------
    confidence, predicted : arrays (CELLS, CELLS)
        Of the cells of the plane, row 0 below.
    border : array (M, 2)
        Where the class changes.
    sure : float
        The part of the plane where the network is more than 95 % sure.
    right : float
        The part of the noiseless curves that gets the right class.
    n_right : int
        Of the points.
    blends : tuple of 3 ``Blends``
        Among the points, and among what leaves hidden layers 1 and 2.
    layer : int
        The place that the second view shows.
    shown, shown_blends : arrays (N, 2), (M, 2)
        Hidden tensors of that place, seen along the line between the class centres and along the widest direction across it.
    """

    confidence: np.ndarray
    predicted: np.ndarray
    border: np.ndarray
    sure: float
    right: float
    n_right: int
    blends: tuple[Blends, Blends, Blends]
    layer: int
    shown: np.ndarray
    shown_blends: np.ndarray


def curves(preset: str, n: int = N_CURVE) -> np.ndarray:
    """Return the two curves without noise, (2, n, 2): the one of class 0 first."""
    if preset == "spirals":
        return data.spiral_arms(n).numpy().astype(float)
    turn = np.linspace(0, np.pi, n)
    upper = np.stack([np.cos(turn), np.sin(turn)], axis=1) - [0.5, 0.25]
    return np.stack([upper, -upper])


def _start(preset: str, noise: float) -> SpiralState:
    on_curves = curves(preset, N_POINTS // 2).reshape(-1, 2)
    made = on_curves + noise * np.random.default_rng(0).normal(size=on_curves.shape)
    points = tuple((round(float(x), 3), round(float(y), 3)) for x, y in made)
    return SpiralState(points, layers=(0,), preset=preset)


LABELS = np.repeat([0, 1], N_POINTS // 2)
PRESETS = {"spirals": _start("spirals", 0.02), "moons": _start("moons", 0.15)}


# ------------------------------------------------------------------------------------------------- what the reader does


def retrained(state: SpiralState, **changes: object) -> SpiralState:
    """Return a state with other settings and a training that has just begun."""
    return replace(state, steps=PIECE, **changes)  # type: ignore[arg-type]


def react_plane(state: SpiralState, event: Event) -> SpiralState:
    """Return the state after the point ``"p0"``, ``"p1"`` ... was moved."""
    if event.kind != "move" or not event.name.startswith("p"):
        return state
    return retrained(state, points=replaced(state.points, int(event.name[1:]), (event.x, event.y)))


def further(state: SpiralState) -> SpiralState:
    """Return the state one piece of training later."""
    return replace(state, steps=min(state.steps + PIECE, N_STEPS))


def admitted(state: SpiralState) -> SpiralState:
    """Keep every number in its range and the points inside the plane; what is not known becomes what a preset has."""
    state = state if state.preset in PRESETS else PRESETS["spirals"]
    limit = LIMITS[state.preset]
    points = tuple((float(np.clip(x, -limit, limit)), float(np.clip(y, -limit, limit))) for x, y in state.points)
    start = PRESETS[state.preset]
    return replace(
        state,
        points=points if len(points) == N_POINTS else start.points,
        layers=state.layers if state.layers in PLACES.values() else start.layers,
        log_alpha=float(np.clip(state.log_alpha, *ALPHAS)),
        seed=int(np.clip(state.seed, 0, LARGEST_SEED)),
        steps=int(np.clip(state.steps // PIECE * PIECE, 0, N_STEPS)),
    )


# --------------------------------------------------------------------------------------------------------- what follows


@lru_cache(maxsize=256)
def trained(setting: Setting, steps: int) -> Training:
    """Return the training of a setting after ``steps`` steps, a multiple of ``PIECE``; not to be changed."""
    if steps == 0:
        x, y = np.array(setting.points, float), np.eye(2)[LABELS]
        return Training(x, y, setting.layers, 10.0**setting.log_alpha, np.random.default_rng(setting.seed))
    training = copy.deepcopy(trained(setting, steps - PIECE))
    training.run(PIECE)
    return training


def compute_spirals(state: SpiralState) -> SpiralResult:
    """Return everything that the theatre shows for ``state``; deterministic.

    Examples
    --------
    >>> result = compute_spirals(PRESETS["spirals"])
    >>> result.confidence.shape
    (75, 75)
    """
    weights, limit = trained(state.setting, state.steps).weights, LIMITS[state.preset]
    points = np.array(state.points, float)

    def logits_of(xy: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(forward(weights, xy.numpy().astype(float))[0][-1])

    picture = decision_map(logits_of, (-limit, limit, -limit, limit), CELLS)
    *hidden, logits = forward(weights, points)[0]
    on_curves = forward(weights, curves(state.preset).reshape(-1, 2))[0][-1].argmax(1)
    pairs = _pairs(state)
    blends = tuple(_blends(h, *pairs) for h in hidden)
    layer = max(state.layers, default=0) or 2
    shown, shown_blends = _seen_from_the_side(hidden[layer], blends[layer].where, points[:, 0])
    return SpiralResult(
        confidence=picture.confidence.numpy(),
        predicted=picture.predicted.numpy(),
        border=picture.boundary.numpy(),
        sure=picture.confident_share(SURE),
        right=float((on_curves == np.repeat([0, 1], N_CURVE)).mean()),
        n_right=int((logits.argmax(1) == LABELS).sum()),
        blends=blends,  # type: ignore[arg-type]
        layer=layer,
        shown=shown,
        shown_blends=shown_blends,
    )


def _pairs(state: SpiralState) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return who is blended with whom, and lam; the same pairs in every place."""
    generator = np.random.default_rng([state.seed, 1])
    one, two = (generator.integers(N_POINTS, size=N_BLENDS) for _ in range(2))
    return one, two, generator.beta(state.alpha, state.alpha, N_BLENDS)


def _blends(h: np.ndarray, one: np.ndarray, two: np.ndarray, lam: np.ndarray) -> Blends:
    where = lam[:, None] * h[one] + (1 - lam[:, None]) * h[two]
    share = lam * LABELS[one] + (1 - lam) * LABELS[two]
    soft = torch.from_numpy(np.stack([1 - share, share], axis=1))
    wrong = intrusions(torch.from_numpy(where), soft, torch.from_numpy(h), torch.from_numpy(LABELS))
    return Blends(where, share, wrong.numpy())


def _seen_from_the_side(h: np.ndarray, others: np.ndarray, upright: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of ``h`` (N, D) and ``others`` (M, D) in the plane, inside [-1, 1]^2.

    To the right: from the centre of class 0 to that of class 1. Upwards: the direction across it along which the rows vary
    most, turned so that it agrees with ``upright`` (N,), because its sign is free.
    """
    middle = h.mean(axis=0)
    right = h[LABELS == 1].mean(axis=0) - h[LABELS == 0].mean(axis=0)
    right = right / max(float(np.linalg.norm(right)), 1e-12)
    rest = (h - middle) - np.outer((h - middle) @ right, right)
    up = np.linalg.svd(rest, full_matrices=False)[2][0]
    up = up * (1.0 if float((rest @ up) @ upright) >= 0 else -1.0)
    axes = np.stack([right, up], axis=1)
    low, high = (h @ axes).min(axis=0), (h @ axes).max(axis=0)
    half = np.maximum((high - low) / 2, 1e-12)
    seen, others_seen = ((rows @ axes - (low + high) / 2) / half for rows in (h, others))
    return seen, others_seen
