"""State, computation and tasks of the AugMix graph; no widget.

Two mixtures of one picture are kept; the reader edits the one that is shown. A chain has three places; a place holds an
operation and a level with a sign, or nothing. The network's answers to the clean picture and both mixtures, and their
Jensen-Shannon divergence, follow from that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from course_utils.augment.augmix import AugMix, AugMixParams
from course_utils.augment.augmix_operations import LARGEST_LEVEL, OPERATIONS, PAPER, SMALLEST_LEVEL
from course_utils.augment.jensen_shannon import jensen_shannon_divergence
from course_utils.explore.play import Task, replaced

WIDTH, DEPTH = 3, 3
NOTHING = "nothing"
CHOICES = (NOTHING, *PAPER)
MIX = AugMix(severity=LARGEST_LEVEL, width=WIDTH)
"""Every level the reader can choose is allowed; what is drawn has severity 3."""

Place = tuple[str, float]
"""Name of the operation, or ``NOTHING``; level with the sign of its direction."""


@dataclass(frozen=True)
class Mixture:
    """Chains (3 of 3 places), their weights, and the share m of the mixed chains."""

    chains: tuple[tuple[Place, ...], ...]
    weights: tuple[float, float, float]
    m: float


@dataclass(frozen=True)
class GraphState:
    """What the AugMix graph shows.

    Attributes
    ----------
    picture : int
        Which of the pictures.
    first, other : Mixture
        The two mixtures.
    second : bool
        The second mixture is the one shown and edited.
    chosen : (int, int)
        Chain and place that the controls change.
    draws : int
        How often the reader drew anew.
    moving : str
        Name of the mark in the hand, or "".
    task : int
    preset : str
    """

    picture: int = 0
    first: Mixture = Mixture((((NOTHING, 1.0),) * DEPTH,) * WIDTH, (0.4, 0.3, 0.3), 0.5)
    other: Mixture = Mixture((((NOTHING, 1.0),) * DEPTH,) * WIDTH, (0.4, 0.3, 0.3), 0.5)
    second: bool = False
    chosen: tuple[int, int] = (0, 0)
    draws: int = 0
    moving: str = ""
    task: int = 0
    preset: str = "a draw"

    @property
    def shown(self) -> Mixture:
        """The mixture that is shown and edited."""
        return self.other if self.second else self.first

    @property
    def operation(self) -> str:
        """Name of the operation in the chosen place."""
        return self.shown.chains[self.chosen[0]][self.chosen[1]][0]

    @property
    def level(self) -> float:
        """Level in the chosen place, with the sign of its direction."""
        return self.shown.chains[self.chosen[0]][self.chosen[1]][1]


@dataclass(frozen=True)
class GraphResult:
    """What follows from the state.

    Attributes
    ----------
    steps : ndarray of shape (3, 4, H, W, 3), uint8
        The shown mixture's chains: the clean picture and the picture after each place.
    amounts : tuple of tuple of str
        The operation of each place in words, "" where there is none.
    views : ndarray of shape (3, H, W, 3), uint8
        Clean picture, first and second mixture.
    probabilities : ndarray of shape (3, K), float64
        The network's answers to the views.
    mixture : ndarray of shape (K,), float64
        M, their mean.
    divergence : float
        In nats.
    label : int
        The true class.
    """

    steps: np.ndarray
    amounts: tuple[tuple[str, ...], ...]
    views: np.ndarray
    probabilities: np.ndarray
    mixture: np.ndarray
    divergence: float
    label: int


# ------------------------------------------------------------------------------------------------------------ computation


def as_params(mixtures: Sequence[Mixture]) -> AugMixParams:
    """Return mixtures as the parameters that ``AugMix.apply`` takes."""
    number = {name: i for i, name in enumerate(PAPER)}
    names = [[[number.get(name, -1) for name, _ in chain] for chain in one.chains] for one in mixtures]
    levels = torch.tensor([[[level for _, level in chain] for chain in one.chains] for one in mixtures])
    weights, m = (torch.tensor([getattr(one, name) for one in mixtures]) for name in ("weights", "m"))
    return AugMixParams(torch.tensor(names), levels.abs(), torch.where(levels < 0, -1.0, 1.0), weights, m)


def drawn(seed: int, severity: float = 3.0) -> tuple[Mixture, Mixture]:
    """Return two mixtures as AugMix draws them."""
    mix = AugMix(severity=severity, width=WIDTH)
    params = mix.sample(2, (3, 32, 32), torch.Generator().manual_seed(seed))
    signed = (params.levels * params.signs).double()
    rounded = (signed * 100).round() / 100
    mixtures = []
    for i in range(2):
        chains = tuple(
            tuple((PAPER[o] if o >= 0 else NOTHING, level) for o, level in zip(*rows, strict=True))
            for rows in zip(params.operations[i].tolist(), rounded[i].tolist(), strict=True)
        )
        mixtures.append(Mixture(chains, convex(params.weights[i].tolist()), round(float(params.m[i]), 3)))
    return mixtures[0], mixtures[1]


def convex(weights: Sequence[float]) -> tuple[float, float, float]:
    """Return three weights made not negative and of sum 1; equal ones where that is impossible.

    >>> convex((2.0, 2.0, -1.0))
    (0.5, 0.5, 0.0)
    """
    kept = [max(float(w), 0.0) if math.isfinite(w) else 0.0 for w in (*weights, 0.0, 0.0, 0.0)[:WIDTH]]
    total = sum(kept)
    return tuple(w / total for w in kept) if total > 0 else (1 / WIDTH,) * WIDTH  # type: ignore[return-value]


def compute_graph(state: GraphState, pictures: Tensor, labels: Sequence[int], network: Callable[[Tensor], Tensor]) -> GraphResult:
    """Return pictures, answers and divergence of an admitted state.

    Parameters
    ----------
    pictures : Tensor of shape (N, 3, H, W), uint8
    labels : sequence of N int
    network : callable
        Floating images (B, 3, H, W) in [0, 1] to logits (B, K).
    """
    clean = pictures[state.picture][None]
    both = clean.expand(2, *clean.shape[1:])
    params = as_params((state.first, state.other))
    steps = MIX.steps(both, params)[int(state.second)]
    floats = both.float() / 255
    views = torch.cat([floats[:1], MIX.apply(floats, params)])
    with torch.no_grad():
        log_p = network(views).double().log_softmax(1)
    amounts = MIX.amounts(params, *clean.shape[2:])[int(state.second)].tolist()
    words = tuple(
        tuple(OPERATIONS[name].words(a) if name != NOTHING else "" for (name, _), a in zip(chain, row, strict=True))
        for chain, row in zip(state.shown.chains, amounts, strict=True)
    )
    return GraphResult(
        steps.movedim(2, -1).numpy(),
        words,
        (views * 255).round().to(torch.uint8).movedim(1, -1).numpy(),
        log_p.exp().numpy(),
        log_p.exp().mean(0).numpy(),
        max(0.0, float(jensen_shannon_divergence(log_p[:, None]))),
        int(labels[state.picture]),
    )


# ------------------------------------------------------------------------------------------------------- changes of a state


def with_shown(state: GraphState, mixture: Mixture) -> GraphState:
    """Return the state with another mixture in place of the one shown."""
    return replace(state, **{"other" if state.second else "first": mixture})


def with_place(state: GraphState, operation: str | None = None, level: float | None = None) -> GraphState:
    """Return the state with another operation or level in the chosen place."""
    chain, step = state.chosen
    place = (state.operation if operation is None else operation, state.level if level is None else level)
    chains = replaced(state.shown.chains, chain, replaced(state.shown.chains[chain], step, place))
    return with_shown(state, replace(state.shown, chains=chains))


def drawn_again(state: GraphState) -> GraphState:
    """Return the state with two new mixtures."""
    first, other = drawn(1000 + state.draws)
    return replace(state, first=first, other=other, draws=state.draws + 1)


def admitted(state: GraphState, n_pictures: int, presets: dict[str, GraphState]) -> GraphState:
    """Return the state with everything moved into its range."""
    return replace(
        state,
        picture=min(max(state.picture, 0), n_pictures - 1),
        first=_admitted(state.first),
        other=_admitted(state.other),
        chosen=(min(max(state.chosen[0], 0), WIDTH - 1), min(max(state.chosen[1], 0), DEPTH - 1)),
        draws=max(state.draws, 0),
        task=min(max(state.task, 0), len(TASKS)),
        preset=state.preset if state.preset in presets else next(iter(presets)),
    )


def _admitted(mixture: Mixture) -> Mixture:
    chains = tuple(tuple(_place(*place) for place in chain) for chain in mixture.chains)
    m = min(max(mixture.m, 0.0), 1.0) if math.isfinite(mixture.m) else 0.5
    return Mixture(chains, convex(mixture.weights), m)


def _place(name: str, level: float) -> Place:
    """Levels lie between 0.1 and the largest one, to either side."""
    level = level if math.isfinite(level) else 1.0
    size = min(max(abs(level), SMALLEST_LEVEL), LARGEST_LEVEL)
    return (name if name in CHOICES else NOTHING, math.copysign(size, level))


# ----------------------------------------------------------------------------------------------------------- where to begin

_SERIES = Mixture(
    (
        (("rotate", 6.0), ("posterize", 2.0), (NOTHING, 1.0)),
        (("shear_x", -5.0), (NOTHING, 1.0), (NOTHING, 1.0)),
        (("equalize", 1.0), ("translate_y", 3.0), ("solarize", 3.0)),
    ),
    (0.34, 0.33, 0.33),
    1.0,
)


def presets_for(n_pictures: int) -> dict[str, GraphState]:
    """Return the prepared states by name, for so many pictures."""
    first, other = drawn(184)  # seven operations, and one of the three answers is wrong
    far = drawn(5, severity=9.5)
    return {
        "a draw": GraphState(4 % n_pictures, replace(first, m=0.8), replace(other, m=0.7), preset="a draw"),
        "chains alone": GraphState(3 % n_pictures, _SERIES, drawn(11)[1], preset="chains alone"),
        "too strong": GraphState(5 % n_pictures, *(replace(one, m=0.95) for one in far), preset="too strong"),
    }


TASKS = (
    Task(
        "Drag m to the left end. Which picture remains?",
        "With m = 0 the mixture is the clean picture, pixel by pixel.",
        lambda state, result: state.shown.m <= 0.01,
    ),
    Task(
        "Make m large, and give one chain all the weight: drag the point into a corner of the triangle.",
        "In a corner there is one chain, and no ghost of the others: a chain alone can go far away from the data.",
        lambda state, result: state.shown.m >= 0.8 and max(state.shown.weights) >= 0.97,
    ),
    Task(
        "Find mixtures with a divergence above 0.2.",
        "The three answers differ, so the loss pulls at all three, twelve times as hard as the divergence says.",
        lambda state, result: result.divergence > 0.2,
    ),
    Task(
        "Bring the divergence below 0.02 without m below 0.4 in either mixture.",
        "This is what the loss asks of the network for every picture; you did it by choosing weaker pictures.",
        lambda state, result: result.divergence < 0.02 and min(state.first.m, state.other.m) >= 0.4,
    ),
)
