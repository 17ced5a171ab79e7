"""The laboratory's ten lines of NumPy against the package's layers, and its task."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from course_utils.explore.assignment import (
    BURST,
    LIMIT,
    PRESETS,
    SCHEMES,
    compute_assignment,
    normalise,
    residual_sums,
    shade,
    soft_assignment,
    voronoi_cells,
)
from course_utils.explore.assignment_laboratory import AssignmentLaboratory, react_plane, signed
from course_utils.explore.canvas import Event
from course_utils.retrieval import VLAD, NetVLAD

GENERATOR = np.random.default_rng(5)
POINTS, WORDS, ANCHORS = GENERATOR.normal(size=(9, 2)), GENERATOR.normal(size=(3, 2)), GENERATOR.normal(size=(3, 2))


@pytest.mark.parametrize("alpha", [0.1, 2.0, 50.0])
def test_assignment_and_residual_sums_equal_netvlad_with_separate_parameters(alpha: float) -> None:
    layer = NetVLAD(2, n_clusters=3, variant="v2", normalize_input=False).double()
    with torch.no_grad():
        layer.centers.copy_(torch.from_numpy(WORDS))
        layer.set_alpha(alpha)
        layer.centers.copy_(torch.from_numpy(ANCHORS))  # decoupled: the anchors move, the assignment stays
    features = torch.from_numpy(POINTS)[None]
    weights = soft_assignment(POINTS, WORDS, alpha)
    np.testing.assert_allclose(weights, layer.assignment(features)[0].detach(), atol=1e-10)
    np.testing.assert_allclose(residual_sums(POINTS, weights, ANCHORS), layer.residual_sums(features)[0].detach(), atol=1e-10)
    blocks = normalise(residual_sums(POINTS, weights, ANCHORS), "intra")
    np.testing.assert_allclose(blocks.ravel(), layer(features)[0].detach(), atol=1e-10)


@pytest.mark.parametrize(("scheme", "normalization"), [("plain", "l2"), ("SSR", "ssr"), ("intra", "intra")])
def test_large_alpha_gives_hard_vlad_under_every_normalisation(scheme: str, normalization: str) -> None:
    blocks = normalise(residual_sums(POINTS, soft_assignment(POINTS, WORDS, 1e6), WORDS), scheme)
    vector = VLAD.from_centers(WORDS, normalization=normalization).transform([POINTS])[0]
    np.testing.assert_allclose(blocks.ravel(), vector, atol=1e-6)


def test_counts_equal_repeated_descriptors() -> None:
    weights = soft_assignment(POINTS, WORDS, 2.0)
    counts = np.array([BURST, *[1] * 8], float)
    repeated = np.concatenate([POINTS, np.repeat(POINTS[:1], BURST - 1, axis=0)])
    expected = residual_sums(repeated, soft_assignment(repeated, WORDS, 2.0), ANCHORS)
    np.testing.assert_allclose(residual_sums(POINTS, weights, ANCHORS, counts), expected, atol=1e-10)


def test_no_residual_gives_the_zero_vector_and_not_nan() -> None:
    for scheme in SCHEMES:
        assert not normalise(np.zeros((3, 2)), scheme).any()


def test_cells_cover_the_plane_and_hold_the_points_nearest_to_their_word() -> None:
    cells = voronoi_cells(WORDS)
    area = 0.0
    for k, ring in enumerate(cells):
        x, y = ring.T
        area += 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
        inner = 0.999 * ring + 0.001 * ring.mean(0)
        assert (((inner[:, None] - WORDS) ** 2).sum(-1).argmin(1) == k).all()
    assert area == pytest.approx((2 * LIMIT) ** 2, rel=1e-6)


def test_of_two_words_at_one_place_the_first_owns_the_cell() -> None:
    first, second = voronoi_cells(np.array([[0.5, 0.5], [0.5, 0.5]]))
    assert len(first) == 4 and len(second) == 0


def test_shading_is_strong_where_one_word_is_certain_and_faint_where_all_are_equal() -> None:
    certain = shade(WORDS, 1e4)[..., 3]
    undecided = shade(WORDS, 1e-6)[..., 3]
    assert certain.max() == 85 and undecided.max() <= 31


def test_per_word_contributions_sum_to_the_similarity() -> None:
    for state in PRESETS.values():
        result = compute_assignment(state)
        assert result.per_word.sum() == pytest.approx(result.similarity, abs=1e-12)


def test_moving_an_anchor_to_a_right_angle_silences_the_pair_and_keeps_assignments() -> None:
    start = PRESETS["decoupling"]
    a, b = np.array(start.a[0]), np.array(start.b[0])
    middle, radius = (a + b) / 2, np.linalg.norm(a - b) / 2
    anchor = tuple(middle + radius * np.array([-1.0, 0.0]))  # on the circle over A1 B1 (Thales)
    before, after = compute_assignment(start), compute_assignment(replace(start, anchors=(anchor, *start.anchors[1:])))
    assert before.per_word[0] > 0.15
    assert abs(after.per_word[0]) < 0.03
    np.testing.assert_array_equal(before.assignment_a, after.assignment_a)
    np.testing.assert_allclose(before.per_word[1:], after.per_word[1:], atol=1e-6)
    laboratory = AssignmentLaboratory()
    assert laboratory.goal(laboratory.state, laboratory.result).startswith("Task:")
    laboratory.state = replace(start, anchors=(anchor, *start.anchors[1:]))
    assert laboratory.goal(laboratory.state, laboratory.result).startswith("Done:")
    laboratory.state = replace(laboratory.state, words=((-1.0, 0.5), *start.words[1:]))
    assert "boundaries have moved" in laboratory.status


def test_a_burst_moves_plain_most_and_intra_not_at_all() -> None:
    schemes = compute_assignment(PRESETS["burst"]).schemes
    shift = [abs(many - once) for once, many in (schemes[scheme] for scheme in SCHEMES)]
    assert shift[0] > shift[1] > 0.1 and shift[2] < 1e-3


def test_w_and_c_move_together_only_if_told_to() -> None:
    event = Event("move", "c1", 0.3, 0.4)
    apart = react_plane(replace(PRESETS["burst"], together=False), event)
    joined = react_plane(replace(PRESETS["burst"], together=True), event)
    assert apart.anchors[1] == joined.anchors[1] == joined.words[1] == (0.3, 0.4)
    assert apart.words == PRESETS["burst"].words


def test_a_preset_is_chosen_by_the_control_and_reset_leads_back_to_it() -> None:
    laboratory = AssignmentLaboratory()
    chooser = next(control.widget for control in laboratory._controls if control.field == "preset")
    chooser.value = "burst"
    assert laboratory.state == PRESETS["burst"]
    laboratory.buttons[f"Burst x {BURST}"].click()
    assert laboratory.state.copies == BURST and "repeated 20 times" in laboratory.status
    laboratory.buttons["Reset"].click()
    assert laboratory.state == PRESETS["burst"]


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(ValueError, match="`preset` must be one of 'decoupling', 'burst', but got 'bursts'"):
        AssignmentLaboratory("bursts")


def test_signed_numbers_have_no_negative_zero() -> None:
    assert signed(-1e-9) == "+0.00" and signed(-0.256) == "-0.26"
