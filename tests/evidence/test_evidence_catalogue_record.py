"""What is read from the catalogue's records: the same numbers, the right seeds beside each other, and the right cells marked."""

import numpy as np
import pytest

from course_utils.evidence import catalogue_figures as figures
from course_utils.evidence.catalogue import CATALOGUE, NUISANCES, arms, circular
from course_utils.evidence.catalogue_claims import MATCHES, NONE, foretold
from course_utils.evidence.catalogue_record import corruption_gains, nuisance_gains, recorded_gains, recorded_trials
from course_utils.evidence.ledger import recorded
from course_utils.plotting import new_figure
from course_utils.training import paired_comparison


@pytest.fixture(scope="module")
def choice():
    return recorded("catalogue-choice").figures


def test_trials_are_the_arms_of_the_record(choice):
    trials, none = recorded_trials()
    assert [(trial.name, trial.strength) for trial in trials] == list(arms())
    one = next(trial for trial in trials if trial.label == "hue 1")
    assert one.accuracy.tolist() == choice["hue 1 | accuracy"] and one.calibration.tolist() == choice["hue 1 | calibration error"]
    assert one.robustness.tolist() == choice["hue 1 | gain on unseen damage"]
    assert one.affinity == pytest.approx(np.mean(choice["hue 1 | affinity"]))
    assert one.diversity == pytest.approx(np.mean(choice["hue 1 | diversity"]))
    assert none.affinity == 1 and not none.robustness.any() and none.accuracy.tolist() == choice[NONE]


def test_gains_compare_the_same_seeds(choice):
    gains = recorded_gains()
    assert list(gains) == [entry.name for entry in CATALOGUE]
    assert gains["CutMix"] == paired_comparison(choice["CutMix 0.3 | accuracy"], choice[NONE])
    strong = recorded_gains("diversity", 1.0)
    assert set(strong) == {entry.name for entry in CATALOGUE if 1.0 in entry.strengths} and strong["Mixup"].mean > 0
    with pytest.raises(ValueError, match="`strength` must be one of 0.1, 0.3, 1, but got 0.5"):
        recorded_gains(strength=0.5)
    with pytest.raises(ValueError, match="measure"):
        recorded_gains("speed")


def test_the_record_keeps_what_the_claims_compare(choice):
    """The claim over all arms can be computed again from the figures of the arms."""
    affinity, diversity, accuracy = (
        np.array([choice[f"{name} {strength:g} | {measure}"] for name, strength in arms()])
        for measure in ("affinity", "diversity", "accuracy")
    )
    together = recorded("affinity-and-diversity-together").figures["both"]
    for seed in range(affinity.shape[1]):
        numbers = np.stack([affinity[:, seed], np.log10(diversity[:, seed])], axis=1)
        gains = accuracy[:, seed] - choice[NONE][seed]
        assert foretold(numbers, gains, [name for name, _ in arms()]) == pytest.approx(together[seed], abs=1e-3)
    validation = np.array([choice[f"{NONE} | validation"], *(choice[f"{n} {s:g} | validation"] for n, s in arms())])
    every = np.array([choice[NONE], *accuracy.tolist()])
    assert every[validation.argmax(0), np.arange(every.shape[1])].tolist() == choice["chosen on validation images"]


def test_marked_cells_are_circular_and_their_values_are_points():
    damage = corruption_gains()
    assert damage.values.shape == (len(CATALOGUE), 14) == (len(damage.rows), len(damage.columns))
    for i, row in enumerate(damage.rows):
        assert {damage.columns[j] for k, j in damage.marked if k == i} == set(circular(row))
    figures = recorded("catalogue-robustness").figures
    i, j = damage.rows.index("AugMix"), damage.columns.index("fog")
    assert damage.values[i, j] == pytest.approx(100 * np.mean(figures["AugMix | fog"]))
    # the claim leaves the marked cells out: with one augmentation in the family it is the mean of the others
    open_cells = [k for k in range(14) if (damage.rows.index("PatchShuffle"), k) not in damage.marked]
    mean = damage.values[damage.rows.index("PatchShuffle"), open_cells].mean()
    assert mean == pytest.approx(100 * np.mean(figures["patches"]), abs=1e-3)


def test_marked_nuisances_are_those_that_are_imitated():
    matrix = nuisance_gains()
    assert matrix.rows == tuple(MATCHES) and matrix.columns == NUISANCES
    assert {(matrix.rows[i], matrix.columns[j]) for i, j in matrix.marked} == {(n, v) for n, vs in MATCHES.items() for v in vs}
    own = [matrix.values[i, j] for i, j in matrix.marked]
    found = recorded("catalogue-nuisances").figures["the nuisance it imitates"]
    assert np.mean(own) == pytest.approx(100 * np.mean(found), abs=1e-3)


def gain(mean, half):
    return paired_comparison([mean - half, mean, mean + half], [0.0, 0.0, 0.0])


def test_gains_stand_in_order_and_their_look_tells_what_is_sure():
    figure = figures.gains_figure(
        {"lost": gain(-0.1, 0.01), "won": gain(0.1, 0.01), "open": gain(0.02, 0.05)}, {"won"}, "points", 1
    )
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.get_yticklabels()] == ["won", "open", "lost"] and ax.yaxis_inverted()
    assert [text.get_fontweight() for text in ax.get_yticklabels()] == ["bold", "normal", "normal"]
    dots = [line for line in ax.lines if line.get_marker() not in ("None", None, "")]
    assert [dot.get_xdata()[0] for dot in dots] == pytest.approx([10, 2, -10])
    assert len({(dot.get_marker(), dot.get_color()) for dot in dots}) == 3


def test_named_curves_are_coloured_and_labelled_and_the_others_grey():
    _, ax = new_figure()
    curves = {"hue": ((0.1, 1.0), (1, 5)), "blur": ((0.1, 1.0), (0, -9))}
    figures.draw_strengths(ax, curves, ("hue",), "gain", 0.0)
    assert [text.get_text() for text in ax.texts] == ["hue"] and ax.get_xscale() == "log"
    colours = {tuple(line.get_ydata()): line.get_color() for line in ax.lines}
    assert colours[(0, -9)] == figures.GREY != colours[(1, 5)]


def test_luck_is_drawn_in_percent_with_what_was_promised():
    _, ax = new_figure()
    figures.draw_luck(ax, (1, 10), {"shared": (0.02, 0.3)}, "methods", 0.025)
    assert [tuple(line.get_ydata()) for line in ax.lines] == [(2.0, 30.0), (2.5, 2.5)]
