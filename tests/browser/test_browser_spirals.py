"""The spiral theatre, driven with mouse and keyboard in a real JupyterLab; what all explorers share is tested elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser_desk import Desk, choose, fresh, press, state_of, words_of

pytestmark = pytest.mark.browser

PLANE, INSIDE, METERS = 0, 1, 2


@pytest.fixture
def desk(spirals: Desk) -> Iterator[Desk]:
    choose(spirals, "data", "spirals")
    fresh(spirals)
    yield spirals
    choose(spirals, "data", "spirals")  # where the tests of all explorers expect it
    fresh(spirals)


def _trained(desk: Desk) -> None:
    """Wait until the training has come to its end, piece by piece, on the kernel's own clock."""
    desk.page.wait_for_function(
        "(selector) => document.querySelector(`${selector} p[role=status]`).innerText.includes('step 400 of 400')",
        arg=desk.selector,
    )


def test_a_point_is_dragged_and_the_training_goes_on_by_itself(desk: Desk) -> None:
    x, y = state_of(desk)["points"][0]
    before = [desk.look(view)["hash"] for view in range(3)]
    desk.drag((x, y), (x - 0.3, y + 0.3), PLANE)
    assert state_of(desk)["points"][0] == pytest.approx([x - 0.3, y + 0.3], abs=0.03)
    _trained(desk)
    assert state_of(desk)["steps"] == 400 and desk.errors() == []
    assert all(one != desk.look(view)["hash"] for view, one in enumerate(before))


def test_another_place_for_the_blends_is_another_training(desk: Desk) -> None:
    _trained(desk)
    mixup = desk.look(PLANE)["hash"]
    choose(desk, "blend in", "layers 1 and 2")
    _trained(desk)
    assert state_of(desk)["layers"] == [1, 2] and "100 % of the curves" in words_of(desk) and "Done" in words_of(desk)
    assert desk.look(PLANE)["hash"] != mixup


def test_a_point_is_moved_by_keyboard_while_the_network_learns(desk: Desk) -> None:
    press(desk, "Tab", view=PLANE)
    chosen = int(desk.canvas(PLANE).get_attribute("data-chosen").removeprefix("p"))
    x, y = state_of(desk)["points"][chosen]
    press(desk, "ArrowRight", "ArrowRight", "Shift+ArrowUp", view=PLANE)
    assert state_of(desk)["points"][chosen] == pytest.approx([x + 2 * 1.25 / 50, y + 1.25 / 5], abs=1e-6)
    _trained(desk)
