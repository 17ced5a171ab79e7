"""Where should one blend: outside or inside of the network? Experiments for `15_mixing` in the plane.

The claims: V. Verma et al., "Manifold Mixup", ICML 2019, arXiv:1806.05236 (blends of inputs may contradict the data, blends of
hidden tensors less; better likelihood; a larger region of low confidence; smoother borders; flatter representations);
H. Zhang et al., "mixup", ICLR 2018, arXiv:1710.09412, is the rival.

All arms of a comparison share the points, the weights at the start, the optimiser and the number of steps; every step sees all
points. The network has three hidden layers of 64 units; layer 1 is what leaves the first of them. The number of turns, the
noise, the learning rate and the number of steps were chosen on seed 0, which no recorded run uses. The alphas and layers are
those of the papers: 1 for mixup; 2 and the first two hidden layers for manifold mixup, and once with the input among the
layers. Mixup with alpha 2 tells apart what the larger alpha does and what the layer does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils import augment, data, training

N_TRAIN, N_TEST = 200, 1000
WIDTH, N_STEPS, RATE = 64, 800, 1e-2
LAYERS = ("2", "4", "6")
"""What the hidden layers 1, 2 and 3 enter: the next linear part of the network."""

ARMS: dict[str, tuple[tuple[int, ...], float] | None] = {
    "none": None,
    "mixup": ((0,), 1.0),
    "mixup, alpha 2": ((0,), 2.0),
    "manifold": ((1, 2), 2.0),
    "manifold with input": ((0, 1, 2), 2.0),
}
"""What each arm mixes: the layers to draw from, and alpha."""
MOONS_ARMS = ("none", "mixup", "manifold")

MARGIN = 0.02
"""What "does no harm" may cost at most: two points of accuracy."""


@dataclass(frozen=True)
class Outcome:
    """What became of one training.

    Attributes
    ----------
    accuracy, log_likelihood : float
        On test points; the mean log-probability of the true class.
    map : DecisionMap
        Of the box around the training points.
    distance : float
        Mean distance of the training points to the border.
    directions, spread : tuples of 3 floats
        Participation ratio and relative spread of the test points' hidden tensors in layers 1 to 3.
    """

    accuracy: float
    log_likelihood: float
    map: augment.DecisionMap
    distance: float
    directions: tuple[float, float, float]
    spread: tuple[float, float, float]


# ---------------------------------------------------------------------------------------------------------- the experiments


def spirals_accuracy(seed: int) -> dict[str, float]:
    """Return the test accuracy of every arm on the spirals, and what is still no harm."""
    figures = {arm: outcome(plane_data("spirals", seed), arm, seed).accuracy for arm in ARMS}
    return figures | {"none, less 2 points": figures["none"] - MARGIN}


def moons_likelihood(seed: int) -> dict[str, float]:
    """Return the mean log-likelihood of the test points of the moons."""
    return {arm: outcome(plane_data("moons", seed), arm, seed).log_likelihood for arm in MOONS_ARMS}


def unsure_share(seed: int) -> dict[str, float]:
    """Return the part of the plane where the network is at most 95 % sure, on both data sets."""
    return {
        f"{arm}, {name}": 1 - outcome(plane_data(name, seed), arm, seed).map.confident_share(0.95)
        for name in ("spirals", "moons")
        for arm in MOONS_ARMS
    }


def border_shortness(seed: int) -> dict[str, float]:
    """Return minus the length of the border between the moons."""
    return {arm: -outcome(plane_data("moons", seed), arm, seed).map.boundary_length for arm in MOONS_ARMS}


def flatness(seed: int) -> dict[str, float]:
    """Return minus the number of directions along which hidden tensors vary inside of their classes, on the spirals."""
    return _in_layers(seed, "directions")


def tightness(seed: int) -> dict[str, float]:
    """Return minus the width of the class clouds over the distance between them, layer by layer, on the spirals."""
    return _in_layers(seed, "spread")


def _in_layers(seed: int, measure: str) -> dict[str, float]:
    return {
        f"{arm}, layer {k + 1}": -getattr(outcome(plane_data("spirals", seed), arm, seed), measure)[k]
        for arm in ("none", "manifold")
        for k in range(len(LAYERS))
    }


# ------------------------------------------------------------------------------------------------------------ the trainings


@dataclass(frozen=True, eq=False)
class PlaneData:
    """Points to learn from, and points to be judged on."""

    train: data.PlanePoints
    test: data.PlanePoints


@lru_cache(maxsize=8)
def plane_data(name: str, seed: int) -> PlaneData:
    """Return training and test points of ``"spirals"`` or ``"moons"``; the two are independent draws."""
    make = {"spirals": data.spirals, "moons": data.moons}[name]
    train, test = (make(n, np.random.default_rng([seed, k])) for k, n in enumerate((N_TRAIN, N_TEST)))
    return PlaneData(train, test)


def plane_network(seed: int, width: int = WIDTH) -> nn.Sequential:
    """Return a network 2 - width - width - width - 2 with ReLU."""
    parts: list[nn.Module] = []
    with training.drawing_from(torch.Generator().manual_seed(seed)):
        for n_in in (2, width, width):
            parts += [nn.Linear(n_in, width), nn.ReLU()]
        return nn.Sequential(*parts, nn.Linear(width, 2))


def mixer_of(network: nn.Module, arm: str, loss: str = "ce") -> augment.ManifoldMixup | None:
    """Return the mixer of an arm around a network, or None where nothing is mixed."""
    if ARMS[arm] is None:
        return None
    layers, alpha = ARMS[arm]
    return augment.ManifoldMixup(network, LAYERS, layers, alpha, loss)


def plane_training(points: data.PlanePoints, arm: str, seed: int, n_steps: int | None = None) -> nn.Sequential:
    """Return a network that has learned the points by an arm of ``ARMS``, in evaluation mode.

    Parameters
    ----------
    points : PlanePoints
    arm : str
    seed : int
        Of the weights at the start, and of what is drawn in the steps.
    n_steps : int, optional
        Default: ``N_STEPS``.

    Examples
    --------
    >>> network = plane_training(data.spirals(20, 0), "manifold", seed=0, n_steps=2)
    >>> network(torch.zeros(1, 2)).shape
    torch.Size([1, 2])
    """
    network = plane_network(seed)
    mixer, chance = mixer_of(network, arm), torch.Generator().manual_seed(seed)

    def step(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        if mixer is None:
            return F.cross_entropy(network(batch[0]), batch[1])
        return mixer.loss(*mixer(*batch, generator=chance))

    n_steps = N_STEPS if n_steps is None else n_steps
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    batch = (points.points, points.labels)
    training.fit(network, repeat(batch), step, optimizer, n_steps=n_steps, device="cpu", description=arm)
    return network.eval()


@lru_cache(maxsize=32)
def outcome(points: PlaneData, arm: str, seed: int) -> Outcome:
    """Return what becomes of one training; every claim about a seed shares it."""
    network, test = plane_training(points.train, arm, seed), points.test
    with torch.no_grad():
        logits = network(test.points)
    picture = augment.decision_map(network, augment.plane_around(points.train.points))
    hidden = augment.ManifoldMixup(network, LAYERS).hidden_states(test.points)[1:]
    return Outcome(
        accuracy=float((logits.argmax(1) == test.labels).double().mean()),
        log_likelihood=-float(F.cross_entropy(logits.double(), test.labels)),
        map=picture,
        distance=float(picture.distances(points.train.points).mean()),
        directions=tuple(augment.participation_ratio(h, test.labels) for h in hidden),
        spread=tuple(augment.relative_spread(h, test.labels) for h in hidden),
    )
