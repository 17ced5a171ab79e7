"""The figures of chapter 05 show what they were given."""

import matplotlib.colors
import numpy as np
import pytest

from course_utils import plotting
from course_utils.retrieval import CONVENTIONS, average_precision, precision_recall_curve
from course_utils.retrieval import average_precision_figures as figures


@pytest.fixture
def ax():
    return plotting.new_figure()[1]


def texts(ax):
    return [(text.get_text(), text.get_position()[0]) for text in ax.texts]


def filled(ax):
    return [matplotlib.colors.to_hex(cell.get_facecolor()) != "#ffffff" for cell in ax.patches]


def test_relevant_cells_are_filled_and_carry_their_precision(ax):
    figures.draw_strip(ax, [0, 1, 1, 0, 1], name="A")
    assert filled(ax) == [False, True, True, False, True]
    assert [cell.get_x() + cell.get_width() / 2 for cell in ax.patches] == pytest.approx([1, 2, 3, 4, 5])
    assert [entry for entry in texts(ax) if "/" in entry[0]] == [("1/2", 2), ("2/3", 3), ("3/5", 5)]
    assert [entry[0] for entry in texts(ax) if entry[0].isdigit()] == ["1", "2", "3", "4", "5"]
    assert "A" in [entry[0] for entry in texts(ax)]


def test_junk_keeps_its_cell_and_has_no_rank(ax):
    figures.draw_strip(ax, [0, 0, 1, 0], junk=[0, 1, 0, 0])
    assert texts(ax) == [("1", 1), ("2", 3), ("1/2", 3), ("3", 4)]
    assert len(ax.lines) == 2  # one cross
    assert all(1.5 < x < 2.5 for line in ax.lines for x in line.get_xdata())


def test_strips_one_below_the_other_all_stay_in_view(ax):
    figures.draw_strip(ax, [1, 0, 0], row=0)
    figures.draw_strip(ax, [0, 0, 1], row=-2, highlight=[2], precision=False)
    low, high = ax.get_ylim()
    assert low <= -2.5 and high >= 1.2
    assert ax.get_xlim()[1] >= 3.4
    assert [cell.get_linewidth() for cell in ax.patches] == [1.5] * 5 + [3.0]
    assert sum("/" in text for text, _ in texts(ax)) == 1


def test_an_item_that_is_junk_and_relevant_is_refused(ax):
    with pytest.raises(ValueError, match="`junk` must be 2 flags, none of them at a relevant item"):
        figures.draw_strip(ax, [1, 0], junk=[1, 0])


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_outline_of_each_convention_gives_its_average_precision(convention):
    rng = np.random.default_rng(0)
    for n in (1, 4, 20, 60):
        scores, relevant = rng.integers(0, n + 1, n), rng.random(n) < 0.4
        relevant[rng.integers(n)] = True
        total = int(relevant.sum()) + int(rng.integers(0, 3))
        recall, precision = figures.outline(precision_recall_curve(scores, relevant, n_relevant=total), convention)
        points = convention in ("11point", "101point")
        area = precision.mean() if points else np.trapezoid(precision, recall)
        assert area == pytest.approx(average_precision(scores, relevant, convention, n_relevant=total), abs=1e-13)


def test_a_curve_without_hits_has_an_empty_outline_and_levels_of_zero():
    curve = precision_recall_curve([2.0, 1.0], [0, 0], n_relevant=3)
    assert len(figures.outline(curve, "step")[0]) == 0
    np.testing.assert_array_equal(figures.outline(curve, "11point")[1], np.zeros(11))


def test_each_convention_is_drawn_with_its_outline_label_and_own_look(ax):
    curve = precision_recall_curve([3.0, 2.0, 1.0], [0, 1, 1])
    figures.draw_conventions(ax, curve, labels={"step": "step 0.583"})
    points, *drawn = ax.lines
    np.testing.assert_array_equal(points.get_xydata(), np.stack([curve.recall, curve.precision], 1))
    for convention, line in zip(CONVENTIONS, drawn):
        np.testing.assert_array_equal(line.get_xydata(), np.stack(figures.outline(curve, convention), 1))
    assert [line.get_label() for line in drawn] == ["step 0.583", *CONVENTIONS[1:]]
    assert len({(line.get_color(), line.get_linestyle(), line.get_marker()) for line in drawn}) == 5


def test_only_the_conventions_that_are_asked_for_are_drawn(ax):
    curve = precision_recall_curve([3.0, 2.0, 1.0], [0, 1, 1])
    figures.draw_conventions(ax, curve, ["trapezoid"])
    assert [line.get_label() for line in ax.lines] == ["one point per threshold", "trapezoid"]
    with pytest.raises(ValueError, match="`convention` must be one of"):
        figures.draw_conventions(ax, curve, ["area"])


def test_the_histogram_counts_every_order_and_the_lines_stand_at_their_values(ax):
    figures.draw_chance(ax, [0.1, 0.11, 0.5, 1.0], expected=0.25, observed=0.9)
    assert sum(bar.get_height() for bar in ax.patches) == 4
    assert [line.get_xdata()[0] for line in ax.lines] == [0.25, 0.9]
    assert [text for text, _ in texts(ax)] == ["chance level 0.250", "the system 0.900"]


def test_the_winner_under_each_convention_is_filled_and_named(ax):
    figures.draw_disagreement(ax, {"step": (0.6, 0.5), "trapezoid": (0.4, 0.45), "all-point": (0.7, 0.7)}, ("old", "new"))
    marks = [line for line in ax.lines if line.get_marker() != "None"]
    assert [float(mark.get_xdata()[0]) for mark in marks] == [0.6, 0.5, 0.4, 0.45, 0.7, 0.7]
    assert [mark.get_markerfacecolor() != "white" for mark in marks] == [True, False, False, True, False, False]
    assert [text for text, _ in texts(ax)] == ["old", "new", "tie"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["step", "trapezoid", "all-point"]
    assert [mark.get_ydata()[0] for mark in marks] == [2, 2, 1, 1, 0, 0]


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_area_of_a_convention_has_a_piece_for_each_relevant_rank_or_a_stick_for_each_level(ax, convention):
    curve = precision_recall_curve(-np.arange(5), [0, 1, 1, 0, 1])
    figures.draw_area(ax, curve, convention, 0.5889)
    assert ax.get_title(loc="center") == f"{convention}\n0.589"
    if convention in ("11point", "101point"):
        sticks = ax.collections[0].get_segments()
        assert len(sticks) == int(convention.removesuffix("point"))
        assert np.mean([stick[:, 1].max() for stick in sticks]) == pytest.approx(
            average_precision(-np.arange(5), [0, 1, 1, 0, 1], convention)
        )
    else:
        pieces = [line for line in ax.lines if len(line.get_xdata()) == 2]
        area = sum(np.ptp(line.get_xdata()) * np.mean(line.get_ydata()) for line in pieces)
        assert len(pieces) == 3
        assert area == pytest.approx(average_precision(-np.arange(5), [0, 1, 1, 0, 1], convention))


def test_luck_shows_every_order_once_and_every_named_value(ax):
    figures.draw_luck(ax, [0.5, 0.52, 0.52, 0.6], {"grouped": 0.4, "best order": 0.7})
    assert sum(bar.get_height() for bar in ax.patches) == 4
    assert [line.get_xdata()[0] for line in ax.lines] == [0.4, 0.7]
    assert [entry[0] for entry in texts(ax)] == ["grouped 0.400", "best order 0.700"]


def test_cut_offs_get_one_line_for_each_denominator_and_a_mark_at_r(ax):
    figures.draw_cut_offs(ax, [1, 5, 30], {"over R": [0.1, 0.2, 0.3], "over found": [1.0, 0.9, 0.8]}, n_relevant=12)
    assert [line.get_ydata().tolist() for line in ax.lines[:2]] == [[0.1, 0.2, 0.3], [1.0, 0.9, 0.8]]
    assert list(ax.lines[2].get_xdata()) == [12, 12]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "5"]
    assert [entry.get_text() for entry in ax.get_legend().get_texts()] == ["over R", "over found"]


def test_two_systems_stand_beside_what_the_conventions_say():
    figure = figures.two_systems_figure({"A": [1, 0, 0], "B": [0, 1, 1]}, {"step": (0.3, 0.6), "trapezoid": (0.5, 0.4)})
    strips, verdicts = figure.axes
    assert filled(strips) == [True, False, False, False, True, True]
    assert [entry[0] for entry in texts(verdicts)] == ["B", "A"]
    assert [tick.get_text() for tick in verdicts.get_yticklabels()] == ["step", "trapezoid"]
