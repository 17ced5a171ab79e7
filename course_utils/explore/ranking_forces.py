"""Who is pushed, and who is not: the gradient of a ranking loss on one short list. The pure part of ``PushAndPull``.

A query has given scores to N items; some of them are relevant. Every loss of the chapter is asked for its gradient with
respect to each single score. What the explorer draws as an arrow is the *push*, minus that gradient: the direction in
which one step of gradient descent moves the item.

The losses are the package's own modules, called in float64 on a list of one query. The histograms of soft counts are
computed a second time here, in ten lines of NumPy, because the explorer shows them bin by bin::

    centre     b_m = 1 - (m - 1) width,  width = 2 / (M - 1),  m = 1..M from the best score downwards
    tent       delta(s, m) = max(0, 1 - |s - b_m| / width)
    counts     h_m = sum_j delta(s_j, m),   h+_m the same over the relevant items
    AP_Q       sum_m P_m h+_m / R,          P_m = (h+_1 + .. + h+_m) / (h_1 + .. + h_m)

(J. Revaud et al., "Learning with Average Precision: Training Image Retrieval with a Listwise Loss", ICCV 2019,
arXiv:1906.07589, section 3.) Tests hold them against ``retrieval.ListwiseAPLoss``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import torch

from course_utils import retrieval

FEWEST_BINS, MOST_BINS = 2, 50
STEP = 0.03  # how far one step moves the item under the strongest push, in units of the score
WEAK = 0.05  # gradients below this are not scaled up: a vanishing push moves nothing
RACE_STEPS = 40
LONGEST_PATH = 400  # steps that are remembered
SILENT = 1e-12  # an absolute gradient below this is a rounding error of zero
TINY = 1e-16  # the paper's code adds it to an empty denominator


@dataclass(frozen=True)
class Dial:
    """The one number of a loss that the reader can turn.

    Attributes
    ----------
    field : str
        Name in the state.
    name : str
        What the reader sees.
    value : callable
        Position of the slider, an integer from 0 to ``DIAL_TOP``, to the number.
    text : str
        Format of the number.
    """

    field: str
    name: str
    value: Callable[[int], float]
    text: str = "{:.3g}"

    def position(self, number: float) -> int:
        """Return the position whose number is nearest."""
        return int(np.argmin([abs(self.value(i) - number) for i in range(DIAL_TOP + 1)]))


DIAL_TOP = MOST_BINS - FEWEST_BINS
_BINS = Dial("n_bins", "bins M", lambda i: i + FEWEST_BINS, "{:.0f}")
_TEMPERATURE = Dial("temperature", "temperature", lambda i: float(f"{10 ** (i / 20 - 2.5):.2g}"))  # 0.0032 to 0.79
_INTERPOLATION = Dial("interpolation", "lambda", lambda i: float(f"{10 ** (i / 20 - 0.7):.2g}"))  # 0.2 to 50
_MARGIN = Dial("margin", "margin", lambda i: round(0.02 * i, 2))  # 0 to 0.96


@dataclass(frozen=True)
class Contestant:
    """A loss that the reader can choose.

    Attributes
    ----------
    name : str
        In words.
    dial : Dial
        What its slider turns.
    build : callable
        ``build(state) -> nn.Module``.
    reach : callable
        ``reach(state) -> float``: the distance between two scores up to which one of them can feel the other; for
        ``"blackbox"`` it also depends on the gradient and is not given (NaN).
    """

    name: str
    dial: Dial
    build: Callable[[PushState], torch.nn.Module]
    reach: Callable[[PushState], float]


@dataclass(frozen=True)
class RaceStart:
    """Where all losses start together, and with which parameters."""

    scores: tuple[float, ...]
    relevant: tuple[bool, ...]
    n_bins: int
    temperature: float
    interpolation: float
    margin: float


@dataclass(frozen=True)
class PushState:
    """Everything that the reader can set.

    Attributes
    ----------
    scores : tuple of N floats in [-1, 1]
        Similarity of every item to the query.
    relevant : tuple of N bools
    loss : str
        Key of ``CONTESTANTS``.
    n_bins : int
        Bins of the three binned losses, 2 to 50.
    temperature, interpolation, margin : float
        Of Smooth-AP, of blackbox AP (lambda) and of the triplet losses. Lambda is larger than the package's 0.5: on a list
        of ten items the gradient of a rank is so small that 0.5 moves no item past another, and nothing is pushed.
    normalised : bool
        The longest arrow always has the same length; otherwise a gradient of 1 has the same length in every picture.
    path : tuple of floats
        True AP before every step that the reader took from the present start.
    race : RaceStart or None
        The start of the race that is shown.
    preset : str
        Key of ``PRESETS``: where *Reset* leads and which task is shown.
    """

    scores: tuple[float, ...]
    relevant: tuple[bool, ...]
    loss: str = "listwise"
    n_bins: int = 20
    temperature: float = 0.01
    interpolation: float = 10.0
    margin: float = 0.1
    normalised: bool = True
    path: tuple[float, ...] = ()
    race: RaceStart | None = None
    preset: str = "far error"

    @property
    def dial(self) -> int:
        """Position of the slider for the chosen loss."""
        dial = CONTESTANTS[self.loss].dial
        return dial.position(getattr(self, dial.field))


def _width(state: PushState) -> float:
    return 2 / (state.n_bins - 1)


CONTESTANTS: dict[str, Contestant] = {
    "listwise": Contestant("listwise AP", _BINS, lambda s: retrieval.ListwiseAPLoss(s.n_bins), _width),
    "tie-aware": Contestant(
        "listwise AP, tie-aware", _BINS, lambda s: retrieval.ListwiseAPLoss(s.n_bins, tie_aware=True), _width
    ),
    "smooth": Contestant("Smooth-AP", _TEMPERATURE, lambda s: retrieval.SmoothAPLoss(s.temperature), lambda s: 5 * s.temperature),
    "blackbox": Contestant("blackbox AP", _INTERPOLATION, lambda s: retrieval.BlackboxAPLoss(s.interpolation), lambda s: np.nan),
    "triplet": Contestant("triplet, all", _MARGIN, lambda s: retrieval.TripletListLoss(s.margin), lambda s: s.margin),
    "hard": Contestant("triplet, hardest", _MARGIN, lambda s: retrieval.TripletListLoss(s.margin, "hard"), lambda s: s.margin),
}
BINNED = ("listwise", "tie-aware")

PRESETS = {
    # A negative far above every positive: with few bins it feels them, with many it does not.
    "far error": PushState(
        (0.86, 0.62, 0.47, 0.31, 0.22, 0.04, -0.13, -0.29, -0.42, -0.77),
        (False, True, False, False, True, False, False, True, False, False),
        n_bins=5,
        preset="far error",
    ),
    # Positives and negatives close together in the middle of the range.
    "crowd": PushState(
        (0.44, 0.35, 0.28, 0.19, 0.13, 0.06, -0.02, -0.09, -0.18, -0.31),
        (False, False, True, False, True, False, True, False, True, False),
        n_bins=10,
        preset="crowd",
    ),
    # Four items with one score, two of them relevant.
    "tie": PushState(
        (0.72, 0.3, 0.3, 0.3, 0.3, 0.05, -0.2, -0.35, -0.5, -0.8),
        (False, False, True, False, True, False, False, True, False, False),
        n_bins=20,
        preset="tie",
    ),
}


@dataclass(frozen=True, eq=False)
class PushResult:
    """What follows from a state.

    Attributes
    ----------
    push : array (N,)
        Minus the gradient of the chosen loss.
    silent : array (N,) of bool
        Items that get exactly no gradient.
    against : array (N,) of bool
        Items that are pushed the wrong way: relevant ones down, the others up.
    loss : float
    true_ap : float
        Average precision of the list; equal scores form one step.
    order : array (N,)
        Items from the best score downwards; equal scores in input order.
    centres, counts, relevant_counts, precision : arrays (M,)
        The bins from the best score downwards, the soft counts h and h+, and the precision P.
    quantised_ap : float
        AP_Q of the bins.
    race : dict from key of ``CONTESTANTS`` to array (``RACE_STEPS`` + 1,)
        True AP before every step; empty without a race.
    """

    push: np.ndarray
    silent: np.ndarray
    against: np.ndarray
    loss: float
    true_ap: float
    order: np.ndarray
    centres: np.ndarray
    counts: np.ndarray
    relevant_counts: np.ndarray
    precision: np.ndarray
    quantised_ap: float
    race: dict[str, np.ndarray] = field(default_factory=dict)


def tents(scores: np.ndarray, n_bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the centres (M,), best first, and the weights (N, M) of scores in [-1, 1]; rows sum to 1.

    Examples
    --------
    >>> tents(np.array([0.25]), 5)[1]
    array([[0. , 0.5, 0.5, 0. , 0. ]])
    """
    centres = np.linspace(1, -1, n_bins)
    width = 2 / (n_bins - 1)
    return centres, np.maximum(0, 1 - np.abs(np.clip(scores, -1, 1)[:, None] - centres) / width)


def push_of(loss: torch.nn.Module, scores: np.ndarray, relevant: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the value of a loss on one list and minus its gradient (N,); zero if there is nothing to compare."""
    if relevant.all() or not relevant.any():
        return 0.0, np.zeros(len(scores))
    leaf = torch.tensor(scores[None], dtype=torch.float64, requires_grad=True)
    value = loss(leaf, torch.from_numpy(relevant[None]))
    (gradient,) = torch.autograd.grad(value, leaf)
    push = -gradient[0].numpy()
    return float(value.detach()), np.where(np.abs(push) <= SILENT, 0.0, push)


def stepped(scores: np.ndarray, push: np.ndarray) -> np.ndarray:
    """Return the scores after one step along the push, inside [-1, 1].

    The item under the strongest push moves by ``STEP`` and the others in proportion. If no push reaches ``WEAK``, the
    whole step shrinks with it, so that a gradient that has nearly vanished moves nearly nothing.
    """
    return np.clip(scores + STEP * push / max(float(np.abs(push).max(initial=0.0)), WEAK), -1.0, 1.0)


def true_average_precision(scores: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Return the step AP (Q,) of lists (Q, N) that share their relevance (N,)."""
    return retrieval.mean_average_precision(scores, np.broadcast_to(relevant, scores.shape)).per_query


def advance(state: PushState, n_steps: int = 1) -> PushState:
    """Return the state after ``n_steps`` steps of the chosen loss."""
    scores, relevant = np.array(state.scores), np.array(state.relevant)
    loss = CONTESTANTS[state.loss].build(state)
    stops = []
    for _ in range(n_steps):
        stops.append(scores)
        scores = stepped(scores, push_of(loss, scores, relevant)[1])
    path = (*state.path, *map(float, true_average_precision(np.array(stops), relevant)))
    return replace(state, scores=tuple(map(float, scores)), path=path[:LONGEST_PATH])


def start_of_race(state: PushState) -> RaceStart:
    """Return the present list and parameters as the common start of all losses."""
    return RaceStart(state.scores, state.relevant, state.n_bins, state.temperature, state.interpolation, state.margin)


@lru_cache(maxsize=32)
def run_race(start: RaceStart) -> dict[str, np.ndarray]:
    """Return the true AP before every step for every loss, from one start; the arrays are read-only."""
    state = PushState(**{name: getattr(start, name) for name in RaceStart.__dataclass_fields__})
    relevant = np.array(start.relevant)
    curves = {}
    for key, contestant in CONTESTANTS.items():
        loss, stops = contestant.build(state), [np.array(start.scores)]
        for _ in range(RACE_STEPS):
            stops.append(stepped(stops[-1], push_of(loss, stops[-1], relevant)[1]))
        curves[key] = true_average_precision(np.array(stops), relevant)
        curves[key].setflags(write=False)
    return curves


def compute_pushes(state: PushState) -> PushResult:
    """Return everything that the explorer shows for ``state``; deterministic.

    Examples
    --------
    >>> result = compute_pushes(PRESETS["far error"])
    >>> round(result.true_ap, 3), bool(result.silent[0])
    (0.425, False)
    """
    scores, relevant = np.array(state.scores), np.array(state.relevant)
    value, push = push_of(CONTESTANTS[state.loss].build(state), scores, relevant)
    centres, weights = tents(scores, state.n_bins)
    counts, relevant_counts = weights.sum(0), weights[relevant].sum(0)
    precision = relevant_counts.cumsum() / (counts.cumsum() + TINY)
    return PushResult(
        push=push,
        silent=push == 0,
        against=np.where(relevant, push < 0, push > 0),
        loss=value,
        true_ap=float(true_average_precision(scores[None], relevant)[0]),
        order=np.argsort(-scores, kind="stable"),
        centres=centres,
        counts=counts,
        relevant_counts=relevant_counts,
        precision=precision,
        quantised_ap=float(precision @ relevant_counts / relevant.sum()),
        race=run_race(state.race) if state.race is not None else {},
    )
