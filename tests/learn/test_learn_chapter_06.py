"""The judges of chapter 06: right answers of several makes, and the likely mistakes by name."""

import copy

import numpy as np
import pytest
import torch

from course_utils import learn, retrieval, training
from course_utils.learn import chapter_06


def verdict(key, answer):
    return learn.check(key, answer)


# --- 06-1


def by_autograd(scores, relevant):
    for m in range(100, 1, -1):
        s = torch.tensor(scores)[None].requires_grad_()
        retrieval.ListwiseAPLoss(m)(s, torch.tensor(relevant)[None]).backward()
        if s.grad[0, s[0].argmax()] != 0:
            return m


def by_weights(scores, relevant):
    """Any relevant weight in the better one of the two bins that hold the wrong item."""
    good = []
    for m in range(2, 101):
        shares = chapter_06.tents(scores, m, -1.0, 1.0)
        upper = np.flatnonzero(shares[scores.argmax()])[0]
        if shares[relevant, upper].sum() > 0:
            good.append(m)
    return np.array([max(good)])


@pytest.mark.parametrize("answer", [chapter_06.most_bins, by_autograd, by_weights, lambda s, r: torch.tensor(by_autograd(s, r))])
def test_right_numbers_of_bins_are_accepted(answer):
    found = verdict("06-1", answer)
    assert found.outcome == "right", found.sentence
    assert "necessary, not sufficient" in found.text and "lost it again" in found.text


def wider_than_the_gap(scores, relevant):
    gap = scores.max() - scores[relevant].max()
    return max(m for m in range(2, 101) if 2 / (m - 1) > gap)


def first_failure(scores, relevant):
    m = 2
    while chapter_06.gradient_on_top(scores, relevant, m + 1) != 0:
        m += 1
    return m


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (wider_than_the_gap, "a bin is wider than the gap to the best relevant item"),
        (lambda s, r: 100, "the gradient of the wrong item is exactly 0: the bins are 0.020 wide"),
        (lambda s, r: 20, "the gradient of the wrong item is exactly 0"),
        (lambda s, r: 2, "the largest is asked for, because"),
        (first_failure, "You stopped at the first M"),
        (chapter_06._bins_with_width_off_by_one, "fits bins that are 2 / M wide"),
        (lambda s, r: 1, "A whole number from 2 to 100"),
        (lambda s, r: 7.5, "A whole number from 2 to 100"),
        (lambda s, r: [1, 2], "shape"),
        (lambda s, r: s.sort(), "returned nothing"),
        (5, "must be a function"),
    ],
)
def test_wrong_numbers_of_bins_are_named(answer, text):
    found = verdict("06-1", answer)
    assert found.outcome == "not yet"
    assert text.lower() in found.text.lower()


def test_the_lists_show_what_the_exercise_says():
    holes = 0
    for seed in chapter_06.LISTS:
        scores, relevant = chapter_06.wrong_on_top(seed)
        assert not relevant[scores.argmax()] and relevant.sum() == 4 and np.abs(scores).max() <= 1
        gradients = {m: chapter_06.gradient_on_top(scores, relevant, m) for m in range(2, 101)}
        reached = [m for m, gradient in gradients.items() if gradient != 0]
        assert all(gradients[m] > 1e-4 for m in reached)  # never a matter of rounding; a descent step pushes down
        assert max(reached) == chapter_06.most_bins(scores, relevant)
        assert wider_than_the_gap(scores, relevant) > max(reached)
        assert chapter_06._bins_with_width_off_by_one(scores, relevant) < max(reached)
        holes += len(reached) < max(reached) - 1
    assert holes >= 1


# --- 06-2


def tents_by_loop(scores, n_bins, low, high):
    rows = []
    for x in scores:
        t = (high - min(max(x, low), high)) / (high - low) * (n_bins - 1)
        row = [0.0] * n_bins
        upper = min(int(t), n_bins - 2)
        row[upper], row[upper + 1] = 1 - (t - upper), t - upper
        rows.append(row)
    return rows


def tents_by_torch(scores, n_bins, low, high):
    centres = torch.linspace(high, low, n_bins, dtype=scores.dtype)
    return torch.relu(1 - (scores.clamp(low, high)[:, None] - centres).abs() * (n_bins - 1) / (high - low))


def tents_in_float32(scores, n_bins, low, high):
    return chapter_06.tents(scores.astype(np.float32), n_bins, low, high).astype(np.float32)


@pytest.mark.parametrize("answer", [chapter_06.tents, tents_by_loop, tents_by_torch, tents_in_float32])
def test_right_tents_are_accepted(answer):
    found = verdict("06-2", answer)
    assert found.outcome == "right", found.sentence


def trap(number):
    def answer(scores, n_bins, low, high):
        return list(chapter_06._tent_traps(scores, n_bins, low, high).values())[number]

    return answer


def not_clamped(scores, n_bins, low, high):
    width = (high - low) / (n_bins - 1)
    return np.maximum(0, 1 - np.abs(scores[:, None] - (high - width * np.arange(n_bins))) / width)


def curved(scores, *rest):
    t = chapter_06.tents(scores, *rest)
    return t * t * (3 - 2 * t)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda s, m, lo, hi: chapter_06.tents(s, m, lo, hi)[:, ::-1], "The bins ascend"),
        (trap(1), "there are M - 1 gaps"),
        (trap(2), "ordinary histogram"),
        (trap(3), "the foot of the tent"),
        (trap(4), "it has no gradient"),
        (trap(5), "twice too wide"),
        (trap(6), "half their width"),
        (trap(7), "upside down"),
        (trap(8), "bell curves: they reach"),
        (trap(9), "bell curves made to sum to 1"),
        (trap(10), "stands on its side"),
        (lambda *a: chapter_06.tents(*a).T, "should have the shape"),
        (not_clamped, "beyond the range everything belongs to the end bin"),
        (lambda *a: 2 * chapter_06.tents(*a), "sum to 2.000"),
        (lambda *a: chapter_06.tents(*a) - 0.5, "A share is negative"),
        (lambda *a: np.full((len(a[0]), a[1]), 1 / a[1]), "a share in 5 bins"),
        (lambda *a: np.roll(chapter_06.tents(*a), 1, axis=1), "its share there is not 1"),
        (curved, "not change in a straight line"),
        (lambda s, m, lo, hi: np.zeros((len(s), m)) * np.nan, "NaN"),
        (lambda s, m, lo, hi: s.missing, "AttributeError"),
    ],
)
def test_wrong_tents_are_named(answer, text):
    found = verdict("06-2", answer)
    assert found.outcome == "not yet"
    assert text in found.text


def test_the_reference_tents_are_the_bins_of_the_loss():
    scores, relevant = chapter_06.wrong_on_top(1)
    shares = chapter_06.tents(scores, 7, -1.0, 1.0)
    everything, positive = shares.sum(0).cumsum(), shares[relevant].sum(0)
    by_hand = np.sum(positive.cumsum() / np.where(everything > 0, everything, 1) * positive) / relevant.sum()
    loss = retrieval.ListwiseAPLoss(7).average_precision(torch.tensor(scores)[None], torch.tensor(relevant)[None])
    assert float(loss[0]) == pytest.approx(by_hand, abs=1e-12)


# --- 06-3


def by_package(model, images, loss, chunk_size):
    training.multistage_backward(model, images, loss, chunk_size)


def by_descriptors(model, images, loss, chunk_size):
    loss(training.multistage_descriptors(model, images, chunk_size)).backward()


def by_inner_products(model, images, loss, chunk_size):
    """Stage 3 as the gradient of a sum of products, cleared once before."""
    model.zero_grad()
    with torch.no_grad():
        leaf = torch.cat([model(images[i : i + chunk_size]) for i in range(0, len(images), chunk_size)])
    (gradient,) = torch.autograd.grad(loss(leaf.requires_grad_()), leaf)
    for i in range(0, len(images), chunk_size):
        (model(images[i : i + chunk_size]) * gradient[i : i + chunk_size]).sum().backward()


def by_detach(model, images, loss, chunk_size):
    """A graph of one chunk at a time in stage 1 as well, dropped by `detach`."""
    leaf = torch.cat([model(chunk).detach() for chunk in images.split(chunk_size)]).requires_grad_()
    loss(leaf).backward()
    for chunk, gradient in zip(images.split(chunk_size), leaf.grad.split(chunk_size)):
        model(chunk).backward(gradient)


def repaired(model, images, loss, chunk_size):
    chapter_06.multistage_with_bugs(model, images, loss, chunk_size, True, True, True)


@pytest.mark.parametrize(
    "answer", [chapter_06.multistage_by_hand, by_package, by_descriptors, by_inner_products, by_detach, repaired]
)
def test_right_stages_are_accepted(answer):
    found = verdict("06-3", answer)
    assert found.outcome == "right", found.sentence


def flags(**done):
    return lambda *arguments: chapter_06.multistage_with_bugs(*arguments, **done)


def one_loss_per_chunk(scale):
    def answer(model, images, loss, chunk_size):
        chunks = images.split(chunk_size)
        for chunk in chunks:
            (loss(model(chunk)) * (1 / len(chunks) if scale else 1)).backward()

    return answer


def last_rows_missing(model, images, loss, chunk_size):
    whole = len(images) // chunk_size * chunk_size
    leaf = model(images).detach().requires_grad_()
    loss(leaf).backward()
    for i in range(0, whole - chunk_size, chunk_size):
        model(images[i : i + chunk_size]).backward(leaf.grad[i : i + chunk_size])


def on_a_copy(model, images, loss, chunk_size):
    chapter_06.multistage_by_hand(copy.deepcopy(model), images, loss, chunk_size)


def with_optimizer(model, images, loss, chunk_size):
    chapter_06.multistage_by_hand(model, images, loss, chunk_size)
    torch.optim.SGD(model.parameters(), lr=0.1).step()


def negative(model, images, loss, chunk_size):
    chapter_06.multistage_by_hand(model, images, lambda d: -loss(d), chunk_size)


def kept_until_the_end(model, images, loss, chunk_size):
    with torch.no_grad():
        leaf = torch.cat([model(chunk) for chunk in images.split(chunk_size)])
    loss(leaf.requires_grad_()).backward()
    outputs = [model(chunk) for chunk in images.split(chunk_size)]
    torch.cat(outputs).backward(leaf.grad)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (flags(), "All three bugs are still there: stage 1 keeps the graph"),
        (flags(leaf=True), "Two bugs are left: the gradient is cleared between chunks"),
        (flags(accumulate=True), "Two bugs are left: stage 1 keeps the graph"),
        (flags(summed=True), "Two bugs are left: stage 1 keeps the graph"),
        (flags(leaf=True, accumulate=True), "One bug is left: every chunk is divided"),
        (flags(leaf=True, summed=True), "One bug is left: the gradient is cleared between chunks"),
        (flags(accumulate=True, summed=True), "One bug is left: stage 1 keeps the graph"),
        (chapter_06._single_pass, "The gradient is right, but"),
        (kept_until_the_end, "The gradient is right, but"),
        (one_loss_per_chunk(False), "The loss is computed chunk by chunk:"),
        (one_loss_per_chunk(True), "The loss is computed chunk by chunk and averaged:"),
        (negative, "wrong sign"),
        (lambda m, x, loss, n: chapter_06.multistage_by_hand(m, x, lambda d: 0 * loss(d), n), "The gradient is zero"),
        (last_rows_missing, "The gradient is another one"),
        (on_a_copy, "A parameter has no gradient"),
        (with_optimizer, "changes the weights"),
        (lambda m, x, loss, n: loss(m(x)).sum().backward(1 / 0), "ZeroDivisionError"),
        ("stage", "must be a function"),
    ],
)
def test_wrong_stages_are_named(answer, text):
    found = verdict("06-3", answer)
    assert found.outcome == "not yet"
    assert text in found.text


def test_every_problem_tells_the_bugs_apart():
    problem = chapter_06.multistage_problem(1)
    found = {}
    for leaf in (False, True):
        for accumulate in (False, True):
            for summed in (False, True):
                run = flags(leaf=leaf, accumulate=accumulate, summed=summed)
                vector, kept = chapter_06._after(run, problem, chapter_06.CHUNK, "")
                found[leaf, accumulate, summed] = (vector, kept)
    exact = found.pop((True, True, True))
    scale = np.abs(exact[0]).max()
    assert scale > 1e-3
    assert all(np.abs(vector - exact[0]).max() > 0.05 * scale for vector, _ in found.values())
    assert found[False, True, True][1] > 2 * exact[1]


@pytest.mark.parametrize("key", ["06-1", "06-2", "06-3"])
def test_stubs_are_not_attempted_and_hints_exist(key):
    assert verdict(key, None).outcome == "not attempted"
    assert len({str(learn.hint(key, level).text) for level in (1, 2, 3)}) == 3
