"""The judges of chapter 03: right answers of several makes, and the likely mistakes by name."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from course_utils import learn, retrieval
from course_utils.learn import chapter_03


def verdict(key, answer):
    return learn.check(key, answer)


# --- 03-1


def from_the_cell(layers):
    """Backwards: how many cells of the layer below does one cell need?"""
    size, stride, padding = 1, 1, 0
    for kernel, step, border in reversed(layers):
        size, stride, padding = (size - 1) * step + kernel, stride * step, padding * step + border
    return size, stride, padding


def by_numpy(layers):
    kernels, strides, paddings = np.array(layers, dtype=int).reshape(-1, 3).T
    jumps = np.concatenate([[1], np.cumprod(strides)])
    return np.array([1 + (kernels - 1) @ jumps[:-1], jumps[-1], paddings @ jumps[:-1]])


def by_the_package(layers, side):
    network = nn.Sequential(*(nn.Conv2d(1, 1, k, s, p) for k, s, p in layers)) if layers else nn.Identity()
    found = retrieval.receptive_field(network, example=torch.zeros(1, 1, side, side))
    return found.size, found.stride, found.padding


@pytest.mark.parametrize("answer", [chapter_03.stack_field, from_the_cell, by_numpy])
def test_right_fields_are_accepted(answer):
    found = verdict("03-1", answer)
    assert found.outcome == "right", found.sentence
    assert "sees 196 pixels from 16i - 90 on" in found.text  # the numbers in the code of Patch-NetVLAD


def test_the_reference_agrees_with_the_package_on_real_layers():
    fields = [(layers, chapter_03.stack_field(layers)) for layers in chapter_03.layer_stacks()]
    small = [(layers, expected) for layers, expected in fields if expected[0] <= 200]
    assert len(small) > 20 and (chapter_03.VGG16_CONV5_3, (196, 16, 90)) in small
    for layers, expected in small:
        assert by_the_package(layers, side=expected[0]) == expected


def field(layers, kernel=lambda k: k - 1, before=True, reverse=False, start=1):
    size, jump, padding = start, 1, 0
    for k, s, p in layers[::-1] if reverse else layers:
        jump = jump if before else jump * s
        size, padding = size + kernel(k) * jump, padding + p * jump
        jump = jump * s if before else jump
    return size, jump, padding


def with_padding(rule):
    return lambda layers: (*chapter_03.stack_field(layers)[:2], rule(layers))


def with_size(rule):
    return lambda layers: (rule(layers), *chapter_03.stack_field(layers)[1:])


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda ls: field(ls, before=False), "multiplied in before the layer uses it"),
        (lambda ls: field(ls, kernel=lambda k: k), "k - 1 steps between cells, not k"),
        (lambda ls: field(ls, reverse=True), "reversed order"),
        (lambda ls: field(ls, start=0), "starts at 0"),
        (with_size(lambda ls: 1 + sum(k - 1 for k, *_ in ls)), "not multiplied by the stride so far"),
        (with_size(lambda ls: 1 + sum((k - 1) * s for k, s, _ in ls)), "the layer's own stride alone"),
        (with_size(lambda ls: field(ls)[0] - 2 * field(ls)[2]), "Padding is taken off"),
        (with_padding(lambda ls: sum(p for *_, p in ls)), "one padded cell of a later layer"),
        (with_padding(lambda ls: field(ls, before=False)[2]), "before its padding is added"),
        (with_padding(lambda ls: field(ls, reverse=True)[2]), "The padding is wrong. The layers are taken in reversed order"),
        (with_padding(lambda ls: 2 * field(ls)[2]), "Both sides are counted"),
        (with_padding(lambda ls: (field(ls)[0] - 1) // 2), "Half the size"),
        (with_padding(lambda ls: 1 + field(ls)[2]), "It starts at 1"),
        (with_padding(lambda ls: -field(ls)[2]), "The sign is turned"),
        (with_padding(lambda ls: sum(p * s for _, s, p in ls)), "the layer's own stride; the strides of all layers before"),
        (with_padding(lambda ls: 5), "The padding is wrong. 5"),
        (lambda ls: (field(ls)[0], ls[-1][1] if ls else 1, 0), "It is the last layer's stride alone"),
        (lambda ls: (field(ls)[0], ls[0][1] if ls else 1, 0), "It is the first layer's stride alone"),
        (lambda ls: (field(ls)[0], sum(s for _, s, _ in ls), 0), "Strides are added; they multiply"),
        (lambda ls: (field(ls)[0], 1 + sum(s for _, s, _ in ls), 0), "added to the first 1"),
        (lambda ls: (field(ls)[0], math.prod(s for _, s, _ in ls[:-1]), 0), "The last layer's stride is missing"),
        (lambda ls: field(ls)[::-1], "Your size is the padding: return (size, stride, padding)"),
        (lambda ls: (field(ls)[1], field(ls)[0], field(ls)[2]), "Your stride is the size: return (size, stride, padding)"),
        (lambda ls: (field(ls)[0], field(ls)[2], field(ls)[1]), "Your stride is the padding"),
        (lambda ls: ls[0], "stopped with IndexError"),
        (lambda ls: field(ls)[:2], "should have the shape (3,)"),
        (lambda ls: ls.append((1, 1, 0)) or field(ls), "changes its first argument"),
        (lambda ls: None if ls else (1, 1, 0), "returned nothing"),
        ((196, 16, 90), "must be a function"),
    ],
)
def test_wrong_fields_are_named(answer, text):
    found = verdict("03-1", answer)
    assert found.outcome == "not yet"
    assert text in found.text, found.text


# --- 03-2


def select_by_loop(alpha, share):
    mask = [False] * len(alpha)
    for _ in range(math.ceil(share * len(alpha))):
        mask[max((i for i in range(len(alpha)) if not mask[i]), key=lambda i: alpha[i])] = True
    return mask


def select_by_torch(alpha, share):
    alpha = torch.as_tensor(alpha)
    order = torch.argsort(alpha, descending=True, stable=True)
    return torch.zeros(len(alpha), dtype=torch.bool).index_fill(0, order[: math.ceil(share * len(alpha))], True)


def select_by_counting(alpha, share):
    i = np.arange(len(alpha))
    ahead = (alpha[None, :] > alpha[:, None]) | ((alpha[None, :] == alpha[:, None]) & (i[None, :] < i[:, None]))
    return ahead.sum(1) < share * len(alpha)


def rescaled_by_torch(alpha, weight, t):
    return [alpha.mul(t).float(), weight.div(t).float()]  # fails on arrays, and answers in float32


@pytest.mark.parametrize(
    "answer",
    [
        (chapter_03.rescaled_attention, chapter_03.best_share),
        (rescaled_by_torch, select_by_torch),
        [lambda alpha, weight, t: ([t * a for a in alpha], [row / t for row in weight]), select_by_loop],
        (chapter_03.rescaled_attention, select_by_counting),
    ],
)
def test_right_pairs_are_accepted(answer):
    found = verdict("03-2", answer)
    assert found.outcome == "right", found.sentence
    assert "A threshold of 1 would have kept 0 of" in found.text


def test_the_logits_of_the_models_are_those_of_the_package():
    class Given(nn.Module):
        def __init__(self, alpha):
            super().__init__()
            self.alpha = torch.from_numpy(alpha)[None, None]

        def forward(self, maps):
            return self.alpha

    for alpha, features, weight, bias in chapter_03.attention_models():
        delf = retrieval.DELF(nn.Identity(), len(bias), dim=features.shape[1], attention=Given(alpha)).double()
        delf.classifier.weight.data, delf.classifier.bias.data = torch.from_numpy(weight), torch.from_numpy(bias)
        maps = torch.from_numpy(features.T.copy())[None, :, None]  # (1, D, 1, N)
        expected = delf.attention_logits(maps)[0].detach().numpy()
        np.testing.assert_allclose(chapter_03.logits(alpha, features, weight, bias), expected, atol=1e-12)


def test_the_factors_keep_every_order_and_every_tie_of_the_score_lists():
    lists = chapter_03.score_lists()
    assert len(lists) == 60 and any(len(np.unique(alpha)) < 0.7 * len(alpha) for alpha, _ in lists[4:])
    for alpha, _ in lists:
        for t in chapter_03.FACTORS:
            np.testing.assert_array_equal(np.unique(t * alpha, return_inverse=True)[1], np.unique(alpha, return_inverse=True)[1])


def first(order, k):
    return np.isin(np.arange(len(order)), order[: int(k)])


def ranked(alpha):
    return np.argsort(-alpha, kind="stable")


def by_mass(alpha, share):
    order = ranked(alpha)
    return first(order, np.argmax(np.cumsum(alpha[order]) >= share * alpha.sum()) + 1)


GOOD = chapter_03.rescaled_attention, chapter_03.best_share


@pytest.mark.parametrize(
    ("rescaled", "select", "text"),
    [
        (lambda a, w, t: (t * a, t * w), GOOD[1], "Both are multiplied by t"),
        (lambda a, w, t: (t * a, w), GOOD[1], "W is as before"),
        (lambda a, w, t: (t * a, w / t**2), GOOD[1], "the square of t"),
        (lambda a, w, t: (t * a, w / t**0.5), GOOD[1], "the root of t"),
        (lambda a, w, t: (t * a, 0 * w), GOOD[1], "The logits change, by up to"),
        (lambda a, w, t: (a / t, t * w), GOOD[1], "They are divided by t"),
        (lambda a, w, t: (a, w), GOOD[1], "They are as before"),
        (lambda a, w, t: (a + t, w), GOOD[1], "must be t times larger. Found on model 0"),
        (lambda a, w, t: (t * a, w / t, 0.5 / t), GOOD[1], "The bias is added after the sum"),
        (lambda a, w, t: t * a, GOOD[1], "must return a pair"),
        (lambda a, w, t: (t * a, w[0] / t), GOOD[1], "should have the shape"),
        (lambda a, w, t: a.__imul__(t), GOOD[1], "changes its first argument"),
        (GOOD[0], lambda a, s: a >= s, "after all scores are multiplied by"),
        (GOOD[0], lambda a, s: a > 1, "after all scores are multiplied by"),
        (GOOD[0], lambda a, s: a >= s * a.max(), "A share of the largest score"),
        (GOOD[0], lambda a, s: a >= (1 - s) * a.max(), "The largest score less the share"),
        (GOOD[0], lambda a, s: a >= a.mean(), "at or above the mean"),
        (GOOD[0], by_mass, "hold the share of the attention"),
        (GOOD[0], lambda a, s: a >= np.quantile(a, 1 - s), "a flat attention keeps everything"),
        (GOOD[0], lambda a, s: a > np.quantile(a, 1 - s), "a flat attention keeps nothing"),
        (GOOD[0], lambda a, s: a >= np.sort(a)[len(a) - math.ceil(s * len(a))], "share the score of the last one"),
        (GOOD[0], lambda a, s: first(ranked(-a), math.ceil(s * len(a))), "The worst cells are kept"),
        (GOOD[0], lambda a, s: first(np.lexsort((-np.arange(len(a)), -a)), math.ceil(s * len(a))), "the higher index"),
        (GOOD[0], lambda a, s: first(ranked(a), s * len(a)), "rounded down"),
        (GOOD[0], lambda a, s: first(ranked(a), round(s * len(a))), "to the nearest integer"),
        (GOOD[0], lambda a, s: first(ranked(a), len(a) - math.ceil(s * len(a))), "dropped instead of kept"),
        (GOOD[0], lambda a, s: np.arange(len(a)) < s * len(a), "in the order of the scores"),
        (GOOD[0], lambda a, s: first(np.lexsort((np.arange(len(a)) % 3, -a)), math.ceil(s * len(a))), "sort stably"),
        (GOOD[0], lambda a, s: np.ones(len(a)), "20 kept, 5 expected"),
        (GOOD[0], lambda a, s: ranked(a)[: math.ceil(s * len(a))], "One flag for each cell is expected"),
        (GOOD[0], lambda a, s: 3 * a / a, "Flags are expected"),
        (GOOD[0], lambda a, s: None, "`select` returned nothing"),
        (GOOD[0], 0.5, "`select` must be a function"),
        (GOOD[0], lambda a: a, "`select` stopped with TypeError"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_wrong_pairs_are_named(rescaled, select, text):
    found = verdict("03-2", (rescaled, select))
    assert found.outcome == "not yet"
    assert text in found.text, found.text


def test_one_function_alone_is_no_pair():
    assert "A pair of functions is expected" in verdict("03-2", chapter_03.best_share).text


def test_a_pair_of_stubs_is_not_attempted_and_half_a_pair_is():
    def rescaled(alpha, weight, t):
        return None

    def select(alpha, share):
        return None

    assert verdict("03-2", (rescaled, select)).outcome == "not attempted"
    assert verdict("03-2", (None, None)).outcome == "not attempted"
    assert "`select` returned nothing" in verdict("03-2", (chapter_03.rescaled_attention, select)).text
    assert "`rescaled` returned nothing" in verdict("03-2", (rescaled, chapter_03.best_share)).text


# --- 03-3


def pairs_by_sets(nearest, distances):
    taken, kept = set(), [0] * len(nearest)
    for i in sorted(range(len(nearest)), key=lambda i: distances[i]):
        if int(nearest[i]) not in taken:
            taken.add(int(nearest[i]))
            kept[i] = 1
    return kept


def pairs_by_torch(nearest, distances):
    nearest, distances = torch.as_tensor(nearest), torch.as_tensor(distances)
    i = torch.arange(len(nearest))
    nearer = (distances[None, :] < distances[:, None]) | ((distances[None, :] == distances[:, None]) & (i[None] < i[:, None]))
    return ~(nearer & (nearest[None, :] == nearest[:, None])).any(1)


def pairs_by_unique(nearest, distances):
    order = np.argsort(distances, kind="stable")
    _, position = np.unique(nearest[order], return_index=True)
    return np.isin(np.arange(len(nearest)), order[position])


@pytest.mark.parametrize("answer", [chapter_03.nearest_query_of_each, pairs_by_sets, pairs_by_torch, pairs_by_unique])
def test_right_matchers_are_accepted(answer):
    found = verdict("03-3", answer)
    assert found.outcome == "right", found.sentence
    assert "agrees with `retrieval.match_descriptors`" in found.text


def test_the_reference_keeps_what_the_package_keeps():
    for table, kept in zip(chapter_03.neighbour_tables(), chapter_03.kept_by_the_package(), strict=True):
        np.testing.assert_array_equal(chapter_03.nearest_query_of_each(*table), kept)


def test_the_tables_hold_every_query_ties_and_small_cases():
    tables, pairs = chapter_03.neighbour_tables(), chapter_03.descriptor_pairs()
    assert [len(nearest) for nearest, _ in tables] == [len(a) for a, _ in pairs]
    assert [len(nearest) for nearest, _ in tables[:4]] == [0, 1, 3, 6]
    assert len(np.unique(tables[2][1])) == len(np.unique(tables[3][0])) == 1
    assert sum(len(distances) > len(np.unique(distances)) for _, distances in tables) > 40
    assert all(len(b) <= len(a) for a, b in pairs[1:])


def unique_first(nearest, distances):
    return np.isin(np.arange(len(nearest)), np.unique(nearest, return_index=True)[1])


def overwritten(nearest, distances):
    last = {row: i for i, row in enumerate(nearest.tolist())}
    return [int(last[row] == i) for i, row in enumerate(nearest.tolist())]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda n, d: np.ones(len(n)), "All pairs are kept"),
        (unique_first, "The first query of an index row is kept"),
        (overwritten, "The last query of an index row is kept"),
        (lambda n, d: pairs_by_sets(n, -d), "The farthest query"),
        (lambda n, d: [(n == row).sum() == 1 for row in n], "all of them are dropped"),
        (lambda n, d: [d[i] == d[n == n[i]].min() for i in range(len(n))], "equally near all are kept"),
        (lambda n, d: pairs_by_sets(n[::-1], d[::-1])[::-1], "the higher one is kept"),
        (lambda n, d: n[n] == np.arange(len(n)), "a mutual test, with the wrong table"),
        (lambda n, d: np.diff(n, prepend=-1) != 0, "Only queries that follow each other"),
        (lambda n, d: np.array(pairs_by_sets(n, d))[np.argsort(d, kind="stable")], "in the order of the distances"),
        (lambda n, d: np.zeros(len(n)), "is not used at all"),
        (lambda n, d: np.arange(len(n)) < 2, "is used 2 times"),
        (lambda n, d: np.roll(pairs_by_sets(n, d), 1) if len(n) > 3 else pairs_by_sets(n, d), "tables differ"),
        (lambda n, d: np.flatnonzero(pairs_by_sets(n, d)), "One flag for each query is expected"),
        (lambda n, d: n[:0] if len(n) == 0 else 2 * np.ones(len(n)), "Flags are expected"),
        (lambda n, d: d.min() == d, "stopped with ValueError"),
        (lambda n, d: d.__iadd__(1) > 0, "changes its second argument"),
        (lambda n, d: None, "returned nothing"),
        ([True], "must be a function"),
    ],
)
def test_wrong_matchers_are_named(answer, text):
    found = verdict("03-3", answer if not callable(answer) else lambda *arguments: answer(*arguments))
    assert found.outcome == "not yet"
    assert text in found.text, found.text


def test_another_query_of_the_right_row_is_named_with_both():
    table, kept = chapter_03.neighbour_tables()[3], chapter_03.kept_by_the_package()[3]
    other = np.roll(kept, 1)
    assert chapter_03._pairs_in_words(table[0], other, kept) == (
        f"There, index row 0 belongs to query {int(np.flatnonzero(kept)[0])}, and another query got it."
    )


RULES = {
    "size": (lambda ls: chapter_03.stack_field(ls)[0], chapter_03.FIELD_TRAPS["size"], [(s,) for s in chapter_03.layer_stacks()]),
    "stride": (
        lambda ls: chapter_03.stack_field(ls)[1],
        chapter_03.FIELD_TRAPS["stride"],
        [(s,) for s in chapter_03.layer_stacks()],
    ),
    "padding": (
        lambda ls: chapter_03.stack_field(ls)[2],
        chapter_03.FIELD_TRAPS["padding"],
        [(s,) for s in chapter_03.layer_stacks()],
    ),
    "select": (chapter_03.best_share, chapter_03.SELECT_TRAPS, chapter_03.score_lists()),
    "pairs": (chapter_03.nearest_query_of_each, chapter_03.PAIR_TRAPS, chapter_03.neighbour_tables()),
}


@pytest.mark.parametrize("name", RULES)
def test_every_trap_differs_from_the_right_answer_and_from_the_other_traps(name):
    answer, traps, problems = RULES[name]
    rules = {"the right answer": answer, **traps}
    results = {text: np.concatenate([np.atleast_1d(rule(*p)) for p in problems]).astype(float) for text, rule in rules.items()}
    for (one, a), (other, b) in itertools.combinations(results.items(), 2):
        assert a.shape == b.shape and np.abs(a - b).max() > 0.5, f"{one} / {other}"


@pytest.mark.parametrize("key", ["03-1", "03-2", "03-3"])
def test_stubs_are_not_attempted_and_hints_exist(key):
    assert verdict(key, None).outcome == "not attempted"
    assert len({str(learn.hint(key, level).text) for level in (1, 2, 3)}) == 3
