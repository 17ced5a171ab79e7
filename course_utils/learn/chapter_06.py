"""The exercises of `06_listwise_ap_loss`.

===========  ============================================  =======  ==========================================
key          title                                         minutes  what is judged
===========  ============================================  =======  ==========================================
``06-1``     How far does the loss reach?                  10       a number of bins, by autograd on three lists
``06-2``     The tents                                     10       properties of a soft histogram
``06-3``     Repair the three stages                       20       gradient and saved memory
===========  ============================================  =======  ==========================================
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_utils import retrieval, training
from course_utils.learn.exercise import (
    AnswerFailed,
    Exercise,
    Verdict,
    as_array,
    called,
    called_with_tensors_too,
    close,
    not_yet,
    recognised_trap,
    register,
    right,
)

# --- 06-1: how far does the loss reach? -----------------------------------------------------------------------------------

MOST_BINS = 100
LISTS = (3, 6, 2)  # seeds


def wrong_on_top(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a list with a wrong item on top: scores (13,) in [-1, 1] and relevant (13,) bool, 4 of them true."""
    random = np.random.default_rng(seed)
    top = random.uniform(0.5, 0.9)
    gap = random.uniform(0.12, 0.3)  # to the best relevant item
    relevant_scores = top - gap - np.concatenate([[0.0], random.uniform(0.05, 0.8, 3)])
    scores = np.concatenate([[top], relevant_scores, random.uniform(-0.6, top - 0.02, 8)])
    relevant = np.zeros(len(scores), dtype=bool)
    relevant[1:5] = True
    order = random.permutation(len(scores))
    return scores[order], relevant[order]


def gradient_on_top(scores: np.ndarray, relevant: np.ndarray, n_bins: int) -> float:
    """Return the gradient of ``ListwiseAPLoss(n_bins)`` with respect to the highest score, by autograd."""
    list_of_scores = torch.tensor(scores, dtype=torch.float64)[None].requires_grad_()
    loss = retrieval.ListwiseAPLoss(n_bins)(list_of_scores, torch.tensor(np.asarray(relevant, dtype=bool))[None])
    loss.backward()
    return float(list_of_scores.grad[0, int(np.argmax(scores))])


def most_bins(scores: np.ndarray, relevant: np.ndarray) -> int:
    """The reference answer of exercise 06-1: the largest number of bins with which the wrong top item is pushed down."""
    wrong, best = scores.max(), scores[relevant].max()
    for n_bins in range(MOST_BINS, 1, -1):
        width = 2 / (n_bins - 1)
        upper = 1 - np.floor((1 - wrong) / width) * width  # centre of the upper one of the wrong item's two bins
        if best > upper - width:  # a relevant item has weight in that bin
            return n_bins
    return 2


def judge_06_1(answer: Any) -> Verdict:
    """Judge ``most_bins(scores, relevant)``: the largest M up to 100 that gives the wrong top item a gradient."""
    holes = False
    for seed in LISTS:
        scores, relevant = wrong_on_top(seed)
        where = f"on the list of seed {seed}"
        found = float(as_array(called(answer, scores, relevant, name="`most_bins`", where=where), (), "the number of bins"))
        if found != int(found) or not 2 <= found <= MOST_BINS:
            return not_yet(f"A whole number from 2 to {MOST_BINS} is expected, but {where} it is {found:g}.", hint=1)
        expected = most_bins(scores, relevant)
        reaches = {m: gradient_on_top(scores, relevant, m) != 0 for m in range(2, expected + 1)}
        holes = holes or not all(reaches.values())
        if found != expected:
            return not_yet(_wrong_bins(int(found), expected, scores, relevant, where), hint=2 if found > expected else 3)
    more = " On some lists even fewer bins lost it again: their centres lie badly." if holes else ""
    return right(
        "A bin wider than the gap is necessary, not sufficient: a relevant item must have weight in the *upper* bin of the wrong "
        f"one.{more} So fine bins rank exactly, and do not see far."
    )


def _wrong_bins(found: int, expected: int, scores: np.ndarray, relevant: np.ndarray, where: str) -> str:
    gap, width = scores.max() - scores[relevant].max(), 2 / (found - 1)
    if found == _bins_with_width_off_by_one(scores, relevant):
        return (
            f"M = {found} {where} fits bins that are 2 / M wide. From -1 to 1 there are M - 1 gaps between M centres, "
            "so a bin is 2 / (M - 1) wide."
        )
    gradient = gradient_on_top(scores, relevant, found)
    if gradient == 0 and width > gap:
        return (
            f"With M = {found} {where} a bin is wider than the gap to the best relevant item ({width:.3f} > {gap:.3f}), and still "
            "the gradient of the wrong item is exactly 0. That condition is necessary, not sufficient: which bins does the "
            "wrong item share with a relevant one?"
        )
    if gradient == 0:
        return (
            f"With M = {found} {where} the gradient of the wrong item is exactly 0: the bins are {width:.3f} wide, and the best "
            f"relevant item lies {gap:.3f} below."
        )
    reached = f"With M = {found} {where} the wrong item has a gradient ({gradient:.2g}), but so it has with some larger M"
    first_zero = next((m for m in range(2, MOST_BINS + 1) if gradient_on_top(scores, relevant, m) == 0), MOST_BINS + 1)
    if found == first_zero - 1:
        return (
            f"{reached}. You stopped at the first M without a gradient; more bins can bring it back, so go down from {MOST_BINS}."
        )
    return f"{reached}. The largest is asked for, because more bins mean finer ranks."


def _bins_with_width_off_by_one(scores: np.ndarray, relevant: np.ndarray) -> int:
    wrong, best = scores.max(), scores[relevant].max()
    for n_bins in range(MOST_BINS, 1, -1):
        width = 2 / n_bins
        if best > 1 - np.floor((1 - wrong) / width) * width - width:
            return n_bins
    return 2


register(
    Exercise(
        key="06-1",
        title="How far does the loss reach?",
        minutes=10,
        dots=1,
        hints=(
            "Moving the wrong item changes only how its weight is shared between its two bins, so only the count of the upper "
            "one. Who notices that count? You may also let autograd answer: try every M.",
            "With $\\Delta = 2 / (M - 1)$ and the upper bin's centre $b = 1 - \\lfloor (1 - s) / \\Delta \\rfloor \\Delta$, the "
            "gradient is not zero if and only if a relevant item has a score above $b - \\Delta$.",
            "`for m in range(100, 1, -1):` compute `width` and `upper = 1 - np.floor((1 - wrong) / width) * width`, and "
            "`return m` at the first m with `best > upper - width`, where `best = scores[relevant].max()`.",
        ),
        judge=judge_06_1,
    )
)


# --- 06-2: the tents ------------------------------------------------------------------------------------------------------

SIZES_06_2 = ((5, -1.0, 1.0), (11, -1.0, 1.0), (4, 0.0, 1.0))  # M, low, high


def tents(scores: np.ndarray, n_bins: int, low: float, high: float) -> np.ndarray:
    """The reference answer of exercise 06-2: the share of every score in every bin, (N, M), best bin first."""
    width = (high - low) / (n_bins - 1)
    centres = high - width * np.arange(n_bins)
    inside = np.clip(scores, low, high)
    return np.maximum(0, 1 - np.abs(inside[:, None] - centres) / width)


def judge_06_2(answer: Any) -> Verdict:
    """Judge ``tents(scores, n_bins, low, high)`` on random scores, some beyond the range, by properties."""
    for seed, (n_bins, low, high) in enumerate(SIZES_06_2, start=1):
        random = np.random.default_rng(seed)
        width = (high - low) / (n_bins - 1)
        centres = high - width * np.arange(n_bins)
        inside = random.uniform(low, high, 20)
        scores = np.concatenate([inside, centres])
        where = f"with {n_bins} bins on [{low:g}, {high:g}]"
        shape = (len(scores), n_bins)
        result = called_with_tensors_too(answer, scores, n_bins, low, high, name="`tents`", where=where)
        found = as_array(result, shape, "the shares")
        expected = tents(scores, n_bins, low, high)
        if not close(found, expected, 1e-5):
            return not_yet(f"{_first_wrong_property(found, scores, n_bins, low, high)} ({where}).", hint=2)
        outside = np.array([low - 0.3, high + 0.2])
        result = called_with_tensors_too(answer, outside, n_bins, low, high, name="`tents`", where=where)
        ends = as_array(result, (2, n_bins), "the shares")
        if not close(ends, tents(outside, n_bins, low, high), 1e-5):
            return not_yet(
                f"Scores inside the range are right. A score of {outside[0]:g} has shares that sum to {ends[0].sum():.2f} {where}: "
                "beyond the range everything belongs to the end bin. Rounding alone carries a cosine beyond 1.",
                hint=3,
            )
    return right(
        "Every item keeps its weight of 1 and shares it between two neighbours at most. That is why the counts have a gradient, "
        "and why this gradient is zero everywhere else."
    )


def _first_wrong_property(found: np.ndarray, scores: np.ndarray, n_bins: int, low: float, high: float) -> str:
    trap = recognised_trap(found, _tent_traps(scores, n_bins, low, high))
    if trap is not None:
        return trap
    if found.min() < -1e-6:
        return f"A share is negative ({found.min():.3f}); a tent ends at 0"
    total = found.sum(1)
    worst = int(np.abs(total - 1).argmax())
    if abs(total[worst] - 1) > 1e-4:
        return f"The shares of the score {scores[worst]:.3f} sum to {total[worst]:.3f}, but one item has weight 1"
    n_shared = int((found > 1e-6).sum(1).max())
    if n_shared > 2:
        return f"A score has a share in {n_shared} bins; a tent reaches to the neighbours' centres, so there are two at most"
    at_centre = found[len(scores) - n_bins :]
    wrong = int(np.abs(np.diag(at_centre) - 1).argmax())
    if abs(at_centre[wrong, wrong] - 1) > 1e-4:
        return f"The score {scores[len(scores) - n_bins + wrong]:.3f} stands on the centre of bin {wrong}, but its share there is not 1"
    return "The shares sum to 1, but they do not change in a straight line between two centres"


def _tent_traps(scores: np.ndarray, n_bins: int, low: float, high: float) -> dict[str, np.ndarray]:
    expected = tents(scores, n_bins, low, high)
    width, too_narrow = (high - low) / (n_bins - 1), (high - low) / n_bins
    inside = np.clip(scores, low, high)[:, None]
    centres = high - width * np.arange(n_bins)
    distance = np.abs(inside - centres)

    def off_by_one(first: float, tent: float) -> np.ndarray:
        return np.maximum(0, 1 - np.abs(inside - (high - first - too_narrow * np.arange(n_bins))) / tent)

    softmax = np.exp(-((distance / width) ** 2))
    return {
        "The bins ascend: precision would be summed from the worst score up. The first bin is the best one": expected[:, ::-1],
        "The width is (high - low) / M; between M centres from end to end there are M - 1 gaps": off_by_one(0.0, too_narrow),
        "These are the bins of an ordinary histogram, with centres half a bin inside; here the end bins stand on the ends": (
            off_by_one(too_narrow / 2, too_narrow)
        ),
        "The centres are right, but the foot of the tent is (high - low) / M wide": np.maximum(0, 1 - distance / too_narrow),
        "Every score falls into one bin as a whole. Such a count does not change with the score, so it has no gradient": (
            np.eye(n_bins)[distance.argmin(1)]
        ),
        "Every tent is twice too wide: it ends at the neighbour's centre, not one farther": np.maximum(
            0, 1 - distance / (2 * width)
        ),
        "The tents have half their width: between two of them a score belongs to no bin": np.maximum(0, 1 - 2 * distance / width),
        "The tent is upside down: the share is 1 minus the distance": np.minimum(1, distance / width),
        "These are bell curves: they reach over all bins": softmax,
        "These are bell curves made to sum to 1: they reach over all bins": softmax / softmax.sum(1, keepdims=True),
        "The result stands on its side, and is read as if it did not: one row per score is asked for": (
            expected.T.reshape(expected.shape)
        ),
    }


register(
    Exercise(
        key="06-2",
        title="The tents",
        minutes=10,
        dots=2,
        hints=(
            "Put a tent on every bin centre. It is 1 at its centre and 0 at the two neighbours. A score reads the height of "
            "every tent above it.",
            "$\\Delta = (hi - lo) / (M - 1)$, $b_m = hi - m \\Delta$ for $m = 0, \\ldots, M - 1$, "
            "$\\delta(x, m) = \\max(0, 1 - |x - b_m| / \\Delta)$, with $x$ clamped to $[lo, hi]$ before.",
            "`centres = high - width * np.arange(n_bins)`, then "
            "`np.maximum(0, 1 - np.abs(np.clip(scores, low, high)[:, None] - centres) / width)`.",
        ),
        judge=judge_06_2,
    )
)


# --- 06-3: repair the three stages ----------------------------------------------------------------------------------------

STAGE_BUGS = {
    "leaf": "stage 1 keeps the graph, so stage 2 already runs back through the network: the gradient counts twice, and nothing "
    "is saved. Stage 1 needs `torch.no_grad()`, and the descriptors a `requires_grad_()`",
    "accumulate": "the gradient is cleared between chunks, so only the last chunk counts. The chain rule is a sum over all images",
    "summed": "every chunk is divided by the number of chunks. The loss is one loss of the whole batch, not a mean over chunks",
}
BATCH, CHUNK = 12, 3


def multistage_with_bugs(
    model: nn.Module,
    images: Tensor,
    loss: Callable[[Tensor], Tensor],
    chunk_size: int,
    leaf: bool = False,
    accumulate: bool = False,
    summed: bool = False,
) -> None:
    """The colleague's three stages of exercise 06-3: each flag repairs one of three bugs."""
    chunks = images.split(chunk_size)
    with torch.set_grad_enabled(not leaf):
        descriptors = torch.cat([model(chunk) for chunk in chunks])
    if leaf:
        descriptors.requires_grad_()
    descriptors.retain_grad()
    loss(descriptors).backward()
    for chunk, gradient in zip(chunks, descriptors.grad.split(chunk_size)):
        if not accumulate:
            model.zero_grad()
        model(chunk).backward(gradient if summed else gradient / len(chunks))


def multistage_by_hand(model: nn.Module, images: Tensor, loss: Callable[[Tensor], Tensor], chunk_size: int) -> None:
    """The reference answer of exercise 06-3: leaves the gradient of ``loss(model(images))`` in the parameters."""
    with torch.no_grad():
        descriptors = torch.cat([model(chunk) for chunk in images.split(chunk_size)])
    descriptors.requires_grad_()
    loss(descriptors).backward()
    for chunk, gradient in zip(images.split(chunk_size), descriptors.grad.split(chunk_size)):
        model(chunk).backward(gradient)


class _Unit(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.normalize(x, dim=1)


def multistage_problem(seed: int, n_images: int = BATCH) -> tuple[nn.Module, Tensor, Callable[[Tensor], Tensor]]:
    """Return a network, images (12, 3, 8, 8) and a listwise loss of their descriptors, all in float64."""
    generator = torch.Generator().manual_seed(seed)
    with training.drawing_from(generator):
        layers = nn.Conv2d(3, 6, 3), nn.GroupNorm(2, 6), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 4)
        model = nn.Sequential(*layers, _Unit()).double()
    labels = torch.arange(n_images) // 2 % 3
    images = torch.randn(n_images, 3, 8, 8, generator=generator, dtype=torch.float64)
    listwise = retrieval.ListwiseAPLoss(n_bins=5)

    def loss(descriptors: Tensor) -> Tensor:
        return listwise(*retrieval.score_lists(descriptors, labels[: len(descriptors)]))

    return model, images, loss


def judge_06_3(answer: Any) -> Verdict:
    """Judge ``multistage(model, images, loss, chunk_size)``: gradients as one pass, memory of one chunk."""
    if not callable(answer):
        return not_yet(f"`multistage` must be a function, but it is of type `{type(answer).__name__}`.", hint=1)
    for seed, chunk_size, n_images in ((1, CHUNK, BATCH), (2, CHUNK, BATCH), (3, 4, 10)):
        problem = multistage_problem(seed, n_images)
        where = f"on `multistage_problem({seed}, {n_images})` with chunks of {chunk_size}"
        found, kept = _after(answer, problem, chunk_size, where)
        expected, _ = _after(_single_pass, problem, chunk_size, where)
        most = _after(multistage_by_hand, problem, chunk_size, where)[1]
        if found is None:
            return not_yet(
                f"A parameter has no gradient {where}. Does stage 3 run backward, with the network's own weights?", hint=1
            )
        equal = close(found, expected, 1e-8)
        if not equal:
            off = np.abs(found - expected).max() / np.abs(expected).max()
            text = _first_stage_bug(found, kept, problem, chunk_size)
            return not_yet(f"{text} ({where}: the gradient is off by {off:.1%} of its largest entry).", hint=2)
        if kept > 1.5 * most:
            return not_yet(
                f"The gradient is right, but {kept / 1024:.1f} KiB are kept for the backward pass, and one chunk needs "
                f"{most / 1024:.1f} KiB ({where}). Where does a graph of more than one chunk come from?",
                hint=3,
            )
    return right(
        "The gradient of the whole batch, with the memory of one chunk. `training.multistage_backward` does this, and looks after "
        "dropout and batch norm as well."
    )


def _single_pass(model: nn.Module, images: Tensor, loss: Callable[[Tensor], Tensor], chunk_size: int) -> None:
    loss(model(images)).backward()


def _loss_of_chunks(model: nn.Module, images: Tensor, loss: Callable[[Tensor], Tensor], chunk_size: int) -> None:
    for chunk in images.split(chunk_size):
        loss(model(chunk)).backward()


def _after(run: Callable, problem: tuple, chunk_size: int, where: str) -> tuple[np.ndarray | None, int]:
    """Return the gradient that a function leaves in the network, as one vector or None, and the bytes it kept at most."""
    model, images, loss = problem
    model.zero_grad()
    before = [p.detach().clone() for p in model.parameters()]
    try:
        with training.SavedForBackward() as saved:
            run(model, images.clone(), loss, chunk_size)
    except (Exception, SystemExit) as trouble:
        raise AnswerFailed(f"`multistage` stopped with {type(trouble).__name__}: {trouble} {where}.", hint=2) from trouble
    if any(not torch.equal(p, old) for p, old in zip(model.parameters(), before)):
        raise AnswerFailed(f"`multistage` changes the weights {where}; that is the optimiser's part, after it.")
    parts = [p.grad for p in model.parameters()]
    vector = None if any(part is None for part in parts) else torch.cat([part.flatten() for part in parts]).numpy().copy()
    model.zero_grad()
    return vector, saved.peak


def _first_stage_bug(found: np.ndarray, kept: int, problem: tuple, chunk_size: int) -> str:
    # Fewest bugs first; with the gradient cleared between chunks, only the memory tells whether stage 1 kept its graph.
    for repaired in sorted(itertools.product((True, False), repeat=3), key=lambda flags: -sum(flags)):
        flags = dict(zip(STAGE_BUGS, repaired))
        vector, bytes_kept = _after(lambda *a, f=flags: multistage_with_bugs(*a, **f), problem, chunk_size, "")
        if not all(repaired) and close(found, vector, 1e-8) and 0.8 < kept / bytes_kept < 1.25:
            left = [name for name, done in flags.items() if not done]
            more = {1: "One bug is left", 2: "Two bugs are left", 3: "All three bugs are still there"}[len(left)]
            return f"{more}: {STAGE_BUGS[left[0]]}"
    expected, _ = _after(_single_pass, problem, chunk_size, "")
    traps = {
        "The loss is computed chunk by chunk: these are short lists, another loss. Stage 2 needs all descriptors": (
            _after(_loss_of_chunks, problem, chunk_size, "")[0]
        ),
        "The loss is computed chunk by chunk and averaged: these are short lists, another loss. Stage 2 needs all descriptors": (
            _after(_loss_of_chunks, problem, chunk_size, "")[0] / len(problem[1].split(chunk_size))
        ),
        "The gradient has the wrong sign": -expected,
        "The gradient is zero: nothing reaches the network": 0 * expected,
    }
    return recognised_trap(found, traps, 1e-8) or (
        "The gradient is another one. Does every chunk get its own rows of the descriptors' gradient, the last one included?"
    )


register(
    Exercise(
        key="06-3",
        title="Repair the three stages",
        minutes=20,
        dots=3,
        hints=(
            "Write down who holds a graph in each stage, and when `.grad` is added to or cleared. "
            "Stage 1: no graph. Stage 2: the descriptors are a leaf. Stage 3: a graph of one chunk, and a sum over chunks.",
            "$\\partial L / \\partial w = \\sum_{\\mathrm{chunks}} \\sum_{i \\in \\mathrm{chunk}} "
            "(\\partial L / \\partial d_i)\\, (\\partial d_i / \\partial w)$: a sum, of factors that stage 2 has already computed.",
            "`with torch.no_grad(): descriptors = torch.cat(...)`, `descriptors.requires_grad_()`, `loss(descriptors).backward()`, "
            "then for each chunk `model(chunk).backward(gradient)`, with no `zero_grad` and no division.",
        ),
        judge=judge_06_3,
    )
)
