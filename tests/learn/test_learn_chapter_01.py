"""The checks of chapter 01: right answers of every style pass, the likely mistakes are named."""

import numpy as np
import pytest
import torch

from course_utils import learn, retrieval
from course_utils.learn.chapter_01 import FOUR_RECALLS, four_recalls, panorama_problem, reference_sums


def nearest(X, C):
    return ((C**2).sum(1) - 2 * X @ C.T).argmin(1)


def by_products(X, C):
    A = np.eye(len(C))[nearest(X, C)]
    return (A.T @ X - A.sum(0)[:, None] * C).ravel()


def by_torch(X, C):
    x, c = torch.as_tensor(X), torch.as_tensor(C)
    a = torch.cdist(x, c).argmin(1) if len(x) else torch.zeros(0, dtype=torch.int64)
    return torch.zeros_like(c).index_add_(0, a, x - c[a])  # (K, D), not flattened: accepted as well


def by_add_at(X, C):
    V, a = np.zeros_like(C), nearest(X, C)
    np.add.at(V, a, X - C[a])
    return V.astype(np.float32).reshape(1, -1)


def by_loop(X, C):
    V = np.zeros_like(C)
    for x, k in zip(X, nearest(X, C)):
        V[k] += x - C[k]
    return V.ravel()


@pytest.mark.parametrize("answer", [by_products, by_torch, by_add_at, lambda X, C: reference_sums(X, C).ravel()])
def test_right_vlads_of_every_style_are_accepted(answer):
    assert learn.check("01-1", answer).outcome == "right"


def one_hot(X, C):
    return np.eye(len(C))[nearest(X, C)]


WRONG_VLADS = {
    "the sign is turned round": lambda X, C: -by_products(X, C),
    "component-major": lambda X, C: by_products(X, C).reshape(C.shape).T.ravel(),
    "the vector is normalised": lambda X, C: by_products(X, C) / max(np.linalg.norm(by_products(X, C)), 1e-12),
    "the blocks are normalised": lambda X, C: (
        retrieval.VLAD.from_centers(C, "none").residual_sums([X]).sums[0]
        / np.maximum(np.linalg.norm(by_products(X, C).reshape(C.shape), axis=1, keepdims=True), 1e-12)
    ),
    "residuals are averaged": lambda X, C: by_products(X, C).reshape(C.shape) / np.maximum(one_hot(X, C).sum(0)[:, None], 1),
    "do not divide by its count": lambda X, C: np.full(C.size, np.nan),
    "centres are not subtracted": lambda X, C: one_hot(X, C).T @ X,
    "once per descriptor, n_k times": lambda X, C: one_hot(X, C).T @ X - C,
    "largest inner product": lambda X, C: (
        np.eye(len(C))[(X @ C.T).argmax(1)].T @ X - np.eye(len(C))[(X @ C.T).argmax(1)].sum(0)[:, None] * C
    ),
    "bag of words": lambda X, C: one_hot(X, C).sum(0),
    "K \\* D": lambda X, C: by_products(X, C)[:-1],
    "expected": lambda X, C: by_products(X, C) + 0.1,
    "must be an array of numbers": lambda X, C: "VLAD",
    "still a Python loop": by_loop,
    "without descriptors": lambda X, C: by_products(X, C) if len(X) else np.ones(C.size),
}


@pytest.mark.parametrize("message", list(WRONG_VLADS))
def test_each_wrong_vlad_is_told_its_mistake(message):
    verdict = learn.check("01-1", WRONG_VLADS[message])
    assert verdict.outcome == "not yet"
    assert message.replace("\\", "") in verdict.text


def test_a_vlad_that_crashes_or_is_no_function_is_not_yet():
    assert "ZeroDivisionError" in learn.check("01-1", lambda X, C: 1 / 0).text
    assert "must be a function" in learn.check("01-1", 3).text


def four(order=(0, 1, 2, 3), **changes):
    return [list(four_recalls(panorama_problem()).values())[i] for i in order]


def test_right_recalls_as_dictionary_tuple_and_array_are_accepted():
    values = four()
    for answer in (
        dict(zip(FOUR_RECALLS, values)),
        tuple(values),
        np.array(values, np.float32),
        torch.tensor(values),
        np.round(values, 3),
    ):
        assert learn.check("01-2", answer).outcome == "right"


def test_right_recalls_by_plain_loops_are_accepted():
    p, found = panorama_problem(), {}
    for name in FOUR_RECALLS:
        hits = queries = 0
        for position, row in zip(p.query_positions, p.ranked):
            near = {i for i in range(len(p.panoramas)) if np.hypot(*(p.database_positions[i] - position)) <= p.radius}
            if "suppressed" in name:
                seen, kept = set(), []
                for r in row:
                    if p.panoramas[r] not in seen:
                        seen.add(p.panoramas[r])
                        kept.append(r)
                row = kept
            if near or name.startswith("all"):
                queries += 1
                hits += bool(near & set(row[:5]))
        found[name] = hits / queries
    assert learn.check("01-2", found).outcome == "right"


def variants():
    p = panorama_problem()
    distance = np.linalg.norm(p.query_positions[:, None] - p.database_positions, axis=2)
    near, strictly = [np.flatnonzero(d <= p.radius) for d in distance], [np.flatnonzero(d < p.radius) for d in distance]
    late = retrieval.suppress_groups(p.ranked[:, :5], p.panoramas)
    full = retrieval.suppress_groups(p.ranked, p.panoramas)

    def recalls(positives, rankings, n=5):
        return [retrieval.recall_at_n(r, positives, (n,), empty=e).recall[n] for r in rankings for e in ("count", "drop")]

    def shares():
        for ranking in (p.ranked, full):
            share = [np.isin(a, r[:5]).mean() if len(a) else 0 for a, r in zip(near, ranking)]
            yield from (np.mean(share), np.sum(share) / sum(len(a) > 0 for a in near))

    return {
        "denominators are exchanged": four((1, 0, 3, 2)),
        "with and without suppression are exchanged": four((2, 3, 0, 1)),
        "Suppress first, then cut": recalls(near, (p.ranked, late)),
        "includes its end": recalls(strictly, (p.ranked, full)),
        "values of Recall@1": recalls(near, (p.ranked, full), 1),
        "Only the first 4": recalls(near, (p.ranked, full), 4),
        "The first 6": recalls(near, (p.ranked, full), 6),
        "recall of information retrieval": list(shares()),
        "percent": [100 * v for v in four()],
        "is not right yet": [0.1, 0.2, 0.3, 0.4],
        "Four numbers": [0.5],
        'no entry "with a match"': {"all queries": 0.5},
    }


@pytest.mark.parametrize("message", list(variants()))
def test_each_wrong_set_of_recalls_is_told_its_mistake(message):
    verdict = learn.check("01-2", variants()[message])
    assert verdict.outcome == "not yet"
    assert message in verdict.text


def test_the_four_recalls_differ_so_that_no_mistake_hides():
    values = four()
    assert min(abs(a - b) for i, a in enumerate(values) for b in values[:i]) > 0.01


def scaled(V, f):
    n = np.linalg.norm(V, axis=1, keepdims=True)
    W = V / np.maximum(n, 1e-12) * f(n)
    return W / np.linalg.norm(W)


RIGHT_NORMALISATIONS = {
    "intra": lambda V: retrieval.normalize_vlad(V[None], "intra")[0],
    "power law": lambda V: retrieval.normalize_vlad(V[None], "ssr")[0],
    "logarithm": lambda V: scaled(V, np.log1p),
    "root of the length": lambda V: scaled(V, np.sqrt).ravel(),
    "torch": lambda V: torch.nn.functional.normalize(torch.nn.functional.normalize(torch.as_tensor(V), dim=1).flatten(), dim=0),
    "clipped": lambda V: scaled(V, lambda n: np.minimum(n, 1.0)),
}


@pytest.mark.parametrize("name", list(RIGHT_NORMALISATIONS))
def test_normalisations_with_the_asked_properties_are_accepted(name):
    assert learn.check("01-3", RIGHT_NORMALISATIONS[name]).outcome == "right"


def unguarded(V):
    with np.errstate(invalid="ignore"):
        W = V / np.linalg.norm(V, axis=1, keepdims=True)
    return W / np.sqrt(7)


def root_of_negative(V):
    with np.errstate(invalid="ignore"):
        W = np.sqrt(V)
    return W / np.sqrt(np.nansum(W**2))


WRONG_NORMALISATIONS = {
    "word 3, which is empty": unguarded,
    "keep the sign outside the root": root_of_negative,
    "not 1": lambda V: V / np.maximum(np.linalg.norm(V, axis=1, keepdims=True), 1e-12),
    "must not speak": lambda V: np.ones_like(V) / np.sqrt(V.size),
    "The sign is lost": lambda V: np.sqrt(np.abs(V)) / np.linalg.norm(np.sqrt(np.abs(V))),
    "wrong axis": lambda V: retrieval.normalize_vlad(V.T[None], "intra")[0].reshape(V.T.shape).T,
    "plain VLAD changes by": lambda V: V / np.linalg.norm(V),
    "all images look alike": lambda V: np.where(V != 0, np.sign(V.sum()) / np.sqrt((V != 0).sum()), 0.0),
    "K * D": lambda V: V.sum(1),
    "must be a function": 0.5,
    "returned nothing": lambda V: print(end=""),
}


@pytest.mark.parametrize("message", list(WRONG_NORMALISATIONS))
def test_each_wrong_normalisation_is_told_its_mistake(message):
    verdict = learn.check("01-3", WRONG_NORMALISATIONS[message])
    assert verdict.outcome == "not yet"
    assert message in verdict.text


@pytest.mark.parametrize("key", ["01-1", "01-2", "01-3"])
def test_nothing_is_attempted_in_the_stub_and_hints_have_three_levels(key):
    assert learn.check(key, None).outcome == "not attempted"
    assert len({learn.hint(key, level).text for level in (1, 2, 3)}) == 3
