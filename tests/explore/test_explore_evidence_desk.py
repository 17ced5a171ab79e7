"""The evidence desk: its numbers are the package's, peeking has a price, and a stop opens the rest of the pool."""

from dataclasses import replace

import numpy as np
import pytest

from course_utils.evidence.ledger import recorded
from course_utils.evidence.pools import QUESTIONS, recorded_pools
from course_utils.explore.canvas import Event
from course_utils.explore.evidence_desk import EvidenceDesk
from course_utils.explore.evidence_state import (
    FIRST_LOOK,
    DeskState,
    Evidence,
    next_seed,
    other_order,
    react_seeds,
)
from course_utils.explore.evidence_views import verdict_words
from course_utils.training import paired_comparison
from course_utils.training.optional_stopping import Pool


@pytest.fixture(scope="module")
def desk():
    return EvidenceDesk(recorded_pools())


@pytest.fixture
def small():
    """Twelve seeds of which the first three agree by luck."""
    gains = np.array([0.030, 0.031, 0.029, -0.04, -0.03, 0.01, -0.02, 0.0, 0.01, -0.03, 0.02, -0.01])
    return Evidence({"luck": Pool("new", "old", 0.8 + gains, np.full(12, 0.8), smallest_effect=0.02)})


def test_every_question_compares_two_methods_of_a_record(desk):
    for question, (key, names) in QUESTIONS.items():
        pool, figures = desk.evidence.pools[question], recorded(key).figures
        method, other = names
        assert pool.figures.tolist() == figures[method] and pool.others.tolist() == figures[other]
        assert len(pool) == 20


@pytest.mark.parametrize("shown", [2, 5, 8, 12])
@pytest.mark.parametrize("strict", [False, True])
def test_the_comparison_is_the_packages(small, shown, strict):
    pool, result = small.pools["luck"], small.compute(small.admit(DeskState(shown=shown, strict=strict)))
    confidence = 0.99 if strict else 0.95
    assert result.now == paired_comparison(pool.figures[:shown], pool.others[:shown], 0.02, confidence)
    assert (result.low[shown - 1], result.high[shown - 1]) == pytest.approx((result.now.low, result.now.high), abs=1e-9)
    assert result.whole.n_seeds == 12


def test_an_order_keeps_the_pairs_and_the_whole_pool(small):
    recorded_order, other = (small.compute(small.admit(DeskState(order=order))) for order in (0, 7))
    pairs = [sorted(zip(r.pool.figures.tolist(), r.pool.others.tolist())) for r in (recorded_order, other)]
    assert pairs[0] == pairs[1] and recorded_order.whole == other.whole
    assert recorded_order.pool.figures.tolist() != other.pool.figures.tolist()


def test_who_stops_at_three_lucky_seeds_reports_what_the_pool_does_not_say(small):
    early = small.compute(small.admit(DeskState(shown=3, stopped=True)))
    assert early.now.low > 0 > early.whole.low
    assert verdict_words(early).startswith("You stopped after 3 seeds and report a gain; all 12 seeds say nothing sure")
    late = small.compute(small.admit(DeskState(shown=12, stopped=True)))
    assert "all 12 seeds say the same" in verdict_words(late)


def test_a_loss_is_reported_as_a_loss():
    worse = Evidence({"worse": Pool("new", "old", 0.5 + 0.001 * np.arange(10), np.full(10, 0.6))})
    assert "report a loss" in verdict_words(worse.compute(worse.admit(DeskState(stopped=True))))


def test_moves_show_more_seeds_and_take_the_stop_back(small):
    state = small.admit(DeskState(stopped=True, shown=5))
    assert next_seed(state).shown == 6 and not next_seed(state).stopped
    moved = react_seeds(state, Event("move", "seeds", x=9.4))
    assert moved.shown == 9 and not moved.stopped
    assert react_seeds(state, Event("release", "seeds")) == state
    again = other_order(state)
    assert (again.order, again.shown, again.stopped) == (1, FIRST_LOOK, False)
    assert small.admit(replace(state, shown=99)).shown == 12 and small.admit(replace(state, shown=-4)).shown == 2


def test_the_desk_tells_the_price_of_peeking(desk):
    desk.reset()
    assert "look after every seed" in desk.status and "Are you sure?" in desk.status
    alarms = desk.result.alarms
    assert alarms.peeking[-1] > 3 * alarms.once[-1]
    desk.buttons["Stop now"].click()
    assert "You stopped after 8 seeds" in desk.status and desk.state.stopped
    desk.buttons["Next seed"].click()
    assert "After 9 of 20 seeds" in desk.status and not desk.state.stopped
    desk.state = replace(desk.state, shown=20)
    assert "its verdict is: undecided" in desk.status
    desk.state = replace(desk.state, preset="small affine moves")
    assert "sign-flip p below 0.001" in desk.status and "its verdict is: holds" in desk.status


def test_the_pool_stays_closed_until_the_reader_stops(desk):
    desk.reset()
    points = [layer["xy"] for layer in desk.canvases["seeds"].scene["layers"] if layer["kind"] == "points"]
    shown = max(float(np.frombuffer(xy, np.float32).reshape(-1, 2)[:, 0].max()) for xy in points if xy)
    assert shown < 9 + 1  # the legend is the only thing to the right of seed 8
    questions = next(la for la in desk.canvases["seeds"].scene["layers"] if la["kind"] == "text" and "?" in la["strings"])
    assert len(questions["strings"]) == 12


def test_pools_of_ones_own():
    random = np.random.default_rng(0)
    pool = Pool("mine", "theirs", random.uniform(0, 1, 15), random.uniform(0, 1, 15), unit="mAP")
    own = EvidenceDesk({"my runs": pool})
    assert own.state.preset == "my runs" and "After 8 of 15 seeds mine minus theirs" in own.status


def test_wrong_pools_are_refused():
    with pytest.raises(ValueError, match="more than 8 seeds"):
        Pool("a", "b", np.zeros(8), np.zeros(8))
    with pytest.raises(ValueError, match="`others`"):
        Pool("a", "b", np.zeros(12), np.zeros(11))
    with pytest.raises(ValueError, match="`pools`"):
        EvidenceDesk({})
    with pytest.raises(ValueError, match="`preset`"):
        EvidenceDesk(recorded_pools(), "no such question")
