"""A network small enough to be trained while one watches: 2 - 32 - 32 - 2, its gradients and Adam written out in NumPy.

A framework spends more time on organising such small steps than on computing them. Written out, a step is some thirty lines:
forward through three layers, a blend at layer k on the way, back through the same layers, and one update of all weights, which
lie in one vector. Tests compare it, step by step, with ``augment.ManifoldMixup``, autograd and torch's Adam.

===========  ==============  ============================================================
name         shape           meaning
===========  ==============  ============================================================
``weights``  (1218,)         all weights; ``parts`` gives them their shapes, as views
``x``        (N, 2)          the points
``y``        (N, 2)          their labels, one-hot or blended
``mix``      (k, lam, pi)    blend what enters layer k + 1: 0 the points, 1 and 2 the hidden tensors
===========  ==============  ============================================================

Sources: V. Verma et al., "Manifold Mixup", ICML 2019, arXiv:1806.05236; D. P. Kingma, J. Ba, "Adam", ICLR 2015,
arXiv:1412.6980, algorithm 1.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np

SIZES = (2, 32, 32, 2)
RATE, BETAS, EPSILON = 2e-2, (0.9, 0.999), 1e-8  # torch's Adam; the rate was chosen so that 400 steps are enough
Mix = tuple[int, float, np.ndarray]
"""Layer k, the part lam of the point itself, and the permutation pi (N,) of its partners."""


def n_weights() -> int:
    """Return the number of weights."""
    return sum((a + 1) * b for a, b in itertools.pairwise(SIZES))


def parts(weights: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return views of a vector of all weights: matrix (n_in, n_out) and offset (n_out,) of each layer."""
    found, start = [], 0
    for n_in, n_out in itertools.pairwise(SIZES):
        middle, end = start + n_in * n_out, start + (n_in + 1) * n_out
        found.append((weights[start:middle].reshape(n_in, n_out), weights[middle:end]))
        start = end
    return found


def start_weights(generator: np.random.Generator) -> np.ndarray:
    """Return weights to begin with, uniform within 1 / sqrt(n_in), as torch's linear layers."""
    weights = np.empty(n_weights())
    for (matrix, offset), n_in in zip(parts(weights), SIZES):
        matrix[:] = generator.uniform(-1, 1, matrix.shape) / np.sqrt(n_in)
        offset[:] = generator.uniform(-1, 1, offset.shape) / np.sqrt(n_in)
    return weights


def blended(h: np.ndarray, mix: Mix) -> np.ndarray:
    """Return ``lam h + (1 - lam) h[pi]`` for rows (N, D)."""
    return mix[1] * h + (1 - mix[1]) * h[mix[2]]


def forward(weights: np.ndarray, x: np.ndarray, mix: Mix | None = None) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return two lists, each with what comes to layer 1, 2 and 3 and at last the logits (N, 2).

    The first list has it as it enters, blended where ``mix`` says so; the second as it was before the blend.
    """
    h, entered, arrived = x, [], []
    layers = parts(weights)
    for k, (matrix, offset) in enumerate(layers):
        arrived.append(h)
        h = h if mix is None or mix[0] != k else blended(h, mix)
        entered.append(h)
        h = h @ matrix + offset
        if k + 1 < len(layers):
            h = np.maximum(h, 0)
    return [*entered, h], [*arrived, h]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities, row by row."""
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def gradient(weights: np.ndarray, x: np.ndarray, y: np.ndarray, mix: Mix | None = None) -> np.ndarray:
    """Return the gradient (1218,) of the mean cross-entropy; with ``mix``, of blended points against blended labels."""
    entered, arrived = forward(weights, x, mix)
    y = y if mix is None else blended(y, mix)
    slope = (softmax(entered[-1]) - y) / len(x)  # by the logits
    out = np.empty_like(weights)
    layers, gradients = parts(weights), parts(out)
    for k in reversed(range(len(layers))):
        gradients[k][0][:] = entered[k].T @ slope
        gradients[k][1][:] = slope.sum(axis=0)
        if k == 0:
            return out
        slope = slope @ layers[k][0].T  # by what entered the layer
        if mix is not None and mix[0] == k:  # back through both parts of the blend
            both = mix[1] * slope
            both[mix[2]] += (1 - mix[1]) * slope  # everybody is the partner of one row
            slope = both
        slope = slope * (arrived[k] > 0)
    return out


@dataclass
class Training:
    """A training that can go on.

    Attributes
    ----------
    x, y : arrays (N, 2)
    layers : tuple of int
        Where to blend; empty for a clean training.
    alpha : float
        Of the Beta distribution.
    generator : numpy.random.Generator
        Draws the weights at the start, then every step's layer, lam and permutation.
    """

    x: np.ndarray
    y: np.ndarray
    layers: tuple[int, ...]
    alpha: float
    generator: np.random.Generator
    weights: np.ndarray = field(init=False)
    n_steps: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.weights = start_weights(self.generator)
        self._mean = np.zeros_like(self.weights)
        self._square = np.zeros_like(self.weights)

    def draw(self) -> Mix | None:
        """Return the next step's layer, lam and permutation, or None for a clean training."""
        if not self.layers:
            return None
        k = self.layers[int(self.generator.integers(len(self.layers)))]
        return k, float(self.generator.beta(self.alpha, self.alpha)), self.generator.permutation(len(self.x))

    def run(self, n_steps: int) -> None:
        """Take so many steps of Adam."""
        for _ in range(n_steps):
            self.step(self.draw())

    def step(self, mix: Mix | None) -> None:
        """Take one step of Adam with a given draw."""
        slope = gradient(self.weights, self.x, self.y, mix)
        self.n_steps += 1
        fast, slow = BETAS
        self._mean += (1 - fast) * (slope - self._mean)
        self._square += (1 - slow) * (slope * slope - self._square)
        scale = np.sqrt(self._square / (1 - slow**self.n_steps)) + EPSILON
        self.weights -= RATE / (1 - fast**self.n_steps) * self._mean / scale
