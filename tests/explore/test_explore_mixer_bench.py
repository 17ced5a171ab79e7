"""The mixer bench: its label is what the picture holds, its moves do what they say, and wrong pictures are refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from course_utils import augment
from course_utils.augment.mixing import MixPlan
from course_utils.explore.canvas import Event
from course_utils.explore.mixer import (
    CUT,
    METHODS,
    PAINT,
    PAIRING,
    PATCH,
    SMOOTH,
    SQUARE,
    Bench,
    MixerState,
    label_error,
    presets,
    react_mixture,
    react_shelf,
    redrawn,
    with_ratio,
)
from course_utils.explore.mixer_bench import MixerBench

SIZE = (20, 30)
OWN_RULE = (PAIRING, "bc_plus", "vh_bc_plus", "noisy_mixup")  # the label is not the mean of the mask
BY_CHANNEL = ("random_elements",)  # one channel alone does not show how much of a picture is there


class Colours(nn.Module):
    """A network whose logits are the channel means: of flat one-channel pictures it says what they hold."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images):
        return self.scale * images.float().mean((2, 3))


@pytest.fixture
def flat():
    """Three pictures, each full in the channel of its class, and a fourth like the first."""
    labels = [0, 1, 2, 0]
    images = (255 * torch.eye(3, dtype=torch.uint8))[labels][:, :, None, None].expand(4, 3, *SIZE).contiguous()
    return Bench(Colours(), images, labels, ("red", "green", "blue"), lambda pictures: pictures)


@pytest.fixture(scope="module")
def explorer():
    return MixerBench()


@pytest.mark.parametrize("method", [method for method in METHODS if method not in (*OWN_RULE, *BY_CHANNEL)])
@pytest.mark.parametrize("draw", range(4))
def test_the_label_is_what_the_picture_holds(flat, method, draw):
    state = flat.admit(replace(presets(*SIZE)[method], draw=draw, ratio=0.3 + 0.1 * draw, point=(7.0 + draw, 5.0)))
    result = flat.compute(state)
    held = result.mixed.reshape(-1, 3).mean(0) / 255
    np.testing.assert_allclose(result.soft, held, atol=0.003)  # the picture is rounded to levels
    assert result.share.shape == SIZE and result.share.mean() == pytest.approx(result.weights[0], abs=1e-6)
    assert result.weights.sum() == pytest.approx(1, abs=1e-6)


def test_every_way_of_the_course_is_on_the_bench():
    assert set(augment.mixed_example_methods) <= set(METHODS) and {PAIRING, SQUARE} <= set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_the_label_mass_error_tells_methods_that_follow_the_mask(flat, method):
    result = flat.compute(flat.admit(replace(presets(*SIZE)[method], draw=2, ratio=0.3)))
    assert result.weights.sum() == pytest.approx(1, abs=1e-6)
    low, high = {PAIRING: (0.49, 0.51), "noisy_mixup": (1e-5, 0.01)}.get(method, (0.05, 1) if method in OWN_RULE else (0, 1e-5))
    assert low <= result.error <= high
    if method not in OWN_RULE:
        assert result.share.mean() == pytest.approx(result.weights[0], abs=1e-6)


def test_the_label_mass_error_finds_exchanged_labels():
    partners, mask = torch.tensor([[2, 0]]), (torch.arange(10) < 3).expand(1, 1, 1, 6, 10)
    right = MixPlan(partners, mask)
    assert label_error(right, 4, (6, 10)) < 1e-6
    assert label_error(MixPlan(partners, mask, label_weights=right.weights.flip(1)), 4, (6, 10)) == pytest.approx(0.4)


@pytest.mark.parametrize("method", ["mixup", "bc_plus", "random_columns", "random_elements"])
def test_the_ratio_is_lam_of_a_way_of_mixing(flat, method):
    few, many = (flat.compute(flat.admit(MixerState(preset=method, ratio=ratio))).share.mean() for ratio in (0.0, 1.0))
    assert few == 0 and many == 1


def test_the_square_stays_around_its_point(flat):
    share = flat.compute(flat.admit(MixerState(preset=SQUARE, point=(15.0, 10.0), ratio=0.6))).share
    assert share[10, 15] == pytest.approx(0, abs=1e-6) and share[0, 0] == pytest.approx(1, abs=1e-6)
    assert 0.1 < share[10, 5:15].mean() < 0.9  # a ramp, not an edge


def test_a_box_that_sticks_out_has_two_labels_and_the_right_one_is_shown(flat):
    state = flat.admit(MixerState(box=(20.0, 0.0, 40.0, 10.0)))  # half of it is cut off
    result = flat.compute(state)
    assert result.weights[0] == pytest.approx(1 - 100 / 600) and result.raw == pytest.approx(1 - 200 / 600)
    assert result.kept == (20.0, 0.0, 30.0, 10.0)
    inside = flat.compute(flat.admit(replace(state, box=(2.0, 2.0, 12.0, 12.0))))
    assert inside.raw == pytest.approx(inside.weights[0])


def test_strokes_may_lie_on_top_of_each_other(flat):
    state = flat.admit(MixerState(preset=PAINT, strokes=((0.0, 0.0, 10.0, 20.0), (5.0, 0.0, 15.0, 20.0))))
    assert flat.compute(state).weights.tolist() == pytest.approx([0.5, 0.5])


def test_drawing_makes_a_box_or_a_stroke(flat):
    for preset, field in ((CUT, "box"), (PAINT, "strokes")):
        state = flat.admit(MixerState(preset=preset))
        state = react_mixture(state, Event("brush", box=(3.2, 12.0, 9.0, 2.0)))
        assert state.draft == (3.2, 2.0, 12.0, 9.0)
        after = flat.admit(react_mixture(state, Event("release")))
        drawn = (3.0, 2.0, 12.0, 9.0)
        assert after.draft is None and (getattr(after, field) == drawn if preset == CUT else after.strokes[-1] == drawn)
        tiny = react_mixture(replace(state, draft=(3.0, 3.0, 3.4, 9.0)), Event("release"))
        assert tiny.draft is None and getattr(tiny, field) == getattr(state, field)
    smooth = MixerState(preset=SMOOTH)
    assert react_mixture(smooth, Event("brush", box=(3.0, 12.0, 9.0, 2.0))) == smooth


def test_handles_move_box_corner_and_point(flat):
    state = flat.admit(MixerState(box=(4.0, 4.0, 10.0, 8.0)))
    moved = flat.admit(react_mixture(state, Event("move", "box", x=29.0, y=6.0)))
    assert moved.box == (26.0, 4.0, 32.0, 8.0)
    larger = flat.admit(react_mixture(state, Event("move", "se", x=14.0, y=11.0)))
    assert larger.box == (4.0, 4.0, 14.0, 11.0)
    assert react_mixture(state, Event("move", "se", x=4.5, y=11.0)) == state
    assert react_mixture(state, Event("move", "point", x=3.0, y=2.0)).point == (3.0, 2.0)
    far = flat.admit(react_mixture(state, Event("move", "box", x=99.0, y=-99.0)))
    middle = (far.box[0] + far.box[2]) / 2, (far.box[1] + far.box[3]) / 2
    assert middle == (30.0, 0.0)


def test_the_ratio_sets_the_papers_sides_around_the_middle_of_the_box(flat):
    state = flat.admit(with_ratio(flat.admit(MixerState(box=(10.0, 5.0, 20.0, 15.0))), 0.75, *SIZE))
    assert state.box == (8.0, 5.0, 23.0, 15.0) and state.ratio == pytest.approx(0.75)
    assert with_ratio(MixerState(preset="Mixup"), 0.2, *SIZE).ratio == 0.2


def test_a_pressed_picture_is_mixed_next():
    state = react_shelf(MixerState(), Event("press", "t5"))
    assert state.pictures[:2] == (1, 5)
    assert react_shelf(state, Event("press", "t5")) == state
    assert len(set(react_shelf(state, Event("press", "t0")).pictures)) == 4
    assert react_shelf(state, Event("press", "other")) == state


def test_the_meeting_point_in_a_corner_leaves_one_picture(flat):
    result = flat.compute(flat.admit(MixerState(preset=PATCH, point=(0.0, 0.0))))
    assert result.weights.tolist() == [0, 0, 0, 1] and result.labels == (0, 1, 2, 0)
    assert result.soft.tolist() == [1, 0, 0]


def test_the_next_draw_differs_and_a_draw_repeats(flat):
    state = flat.admit(presets(*SIZE)["random_pixels"])
    one, again, other = (flat.compute(s).mixed for s in (state, state, redrawn(state)))
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_the_bench_says_label_raw_lambda_and_answer(explorer):
    explorer.reset()
    assert "raw lambda would say" in explorer.status and "on the wrong picture" in explorer.status
    explorer.state = explorer.presets["brush"]
    assert "half and half" in explorer.status and explorer.result.raw is None
    half = explorer.bench.width / 2
    explorer.state = replace(explorer.state, strokes=((0.0, 0.0, half, float(explorer.bench.height)),))
    assert explorer.status.endswith("whatever the shape of what you painted.")


def test_another_method_keeps_the_pictures(explorer):
    explorer.reset()
    explorer.state = react_shelf(explorer.state, Event("press", "t6"))
    pictures = explorer.state.pictures
    control = explorer._controls[0]
    assert control.new_state(explorer.state, "RICAP").pictures == pictures


def test_pictures_of_ones_own():
    images = torch.randint(0, 256, (5, 3, 24, 32), dtype=torch.uint8)
    own = MixerBench(model=Colours(), images=images, labels=[0, 1, 2, 1, 0], class_names=("a", "b", "c"), prepare=lambda x: x)
    assert "the label is" in own.status and own.last_error is None


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"model": None}, "given together with model"),
        ({"labels": [0, 1, 2, 3, 0]}, "from 0 to 2"),
        ({"labels": [0, 1]}, "`labels`"),
        ({"images": torch.zeros(3, 3, 24, 32, dtype=torch.uint8)}, "4 to 8 pictures"),
        ({"images": torch.zeros(5, 3, 8, 8, dtype=torch.uint8)}, "at least 16 x 16"),
        ({"preset": "blend"}, "`preset`"),
    ],
)
def test_wrong_pictures_are_refused(changed, text):
    given = {
        "model": Colours(),
        "images": torch.zeros(5, 3, 24, 32, dtype=torch.uint8),
        "labels": [0, 1, 2, 1, 0],
        "class_names": ("a", "b", "c"),
    }
    with pytest.raises(ValueError, match=text):
        MixerBench(**(given | changed))
