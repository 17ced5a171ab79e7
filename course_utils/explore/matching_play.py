"""How the matching bench is played: moves, predictions, and the tasks of every preset.

A move changes the crop, the number of features, the scales, RANSAC's threshold, or whether geometry is asked. It begins when
a handle is taken up and ends when it is dropped; moving the same thing again (another corner of the crop, the slider once
more) continues it. The prediction is about the difference between the numbers before and after.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from course_utils.explore.matching import MAX_STEPS, NO_GUESS, RIGHT, MatchResult, MatchState
from course_utils.explore.play import Task, task_sentence

Compute = Callable[[MatchState], MatchResult]
WHOLE = (8.0, 8.0, 216.0, 216.0)  # a generated view but for its edge, so that the crop can be moved as it is
STEREO = (12.0, 8.0, 358.0, 242.0)

GUESSES: dict[str, Callable[[MatchResult], bool]] = {
    NO_GUESS: lambda result: True,
    "more inliers": lambda result: result.now.n_inliers > result.old.n_inliers,
    "fewer inliers": lambda result: result.now.n_inliers < result.old.n_inliers,
    "as many inliers": lambda result: result.now.n_inliers == result.old.n_inliers,
    "a larger share is right": lambda result: result.now.right_share > result.old.right_share,
    "a smaller share is right": lambda result: result.now.right_share < result.old.right_share,
}
"""What a reader can predict about a move, and whether it came true."""

CASE_OF = {"crop": "landmark", "attention": "landmark", "samples": "landmark", "no landmark": "no landmark", "two eyes": "stereo"}
"""The case of every preset."""
OWN = "your pair"

PRESETS = {
    "crop": MatchState(WHOLE, keep=120, threshold=6.0, accept=9, shown=1, probe=(72.0, 120.0), preset="crop"),
    "attention": MatchState(WHOLE, keep=120, threshold=6.0, accept=9, shown=1, probe=(72.0, 120.0), preset="attention"),
    "samples": MatchState(WHOLE, keep=120, threshold=6.0, accept=9, shown=1, probe=(72.0, 120.0), step=1, preset="samples"),
    "no landmark": MatchState(WHOLE, keep=120, accept=9, shown=3, probe=(72.0, 120.0), verify=False, preset="no landmark"),
    "two eyes": MatchState(STEREO, keep=80, threshold=4.0, accept=10, shown=0, probe=(150.0, 120.0), preset="two eyes"),
}


def _predicted(state: MatchState, result: MatchResult) -> bool:
    return state.judged and GUESSES[state.guess](result)


def _probe_is(state: MatchState, result: MatchResult, inlier: bool) -> bool:
    row = result.probe_match
    return row >= 0 and result.right[row] == RIGHT and bool(result.inliers[row]) == inlier


TASKS: dict[str, tuple[Task, ...]] = {
    "crop": (
        Task(
            "Choose a prediction, then drag the crop's corners until it holds the landmark and little else.",
            "The same number of features is now spent on the landmark.",
            lambda state, result: _predicted(state, result) and state.last == "crop",
        ),
        Task(
            "Find a crop in which half of the matches are right, with at least 20 inliers.",
            "Right matches come from the landmark; every other feature only finds partners that look alike.",
            lambda state, result: result.now.right_share >= 0.5 and result.now.n_inliers >= 20,
        ),
        Task(
            "Find a crop with at least 10 matches of which none is right.",
            "A nearest neighbour exists for everything: a match is no evidence, but matches that move together are.",
            lambda state, result: result.now.n_matches >= 10 and result.now.n_right == 0,
        ),
    ),
    "attention": (
        Task(
            "Choose a prediction, then halve the number of features.",
            "The features of the highest scores stay. What you lose tells what the scores are worth.",
            lambda state, result: _predicted(state, result) and state.last == "keep",
        ),
        Task(
            "With how few features is a view of the landmark still accepted, and no other image? Reach 40 or fewer; you may crop.",
            "Fewer features mean less memory: the paper keeps up to a thousand of an image and selects them by attention.",
            lambda state, result: result.now.n_points <= 40 and result.now.accepted > 0 and result.now.n_false == 0,
        ),
        Task(
            "Choose scales of 0.5 and below, then put the probe on a right match and look at how much of the image it sees.",
            "Large boxes see much of a facade: few of them, but they are hard to mistake. Their key points are less exact.",
            lambda state, result: state.scales == "0.5 and below" and _right_probe(result),
        ),
    ),
    "samples": (
        Task(
            "Press Draw 3 matches until a sample agrees with at least 10 matches.",
            "All three matches of that sample are right. One wrong match in three, and the map is nonsense.",
            lambda state, result: bool(len(result.history)) and result.history.max() >= 10,
        ),
        Task(
            "Press RANSAC result, then lower the threshold until RANSAC loses at least half of its right inliers.",
            "Key points stand on a grid, so right matches miss by some pixels. A stricter threshold takes them for wrong ones.",
            lambda state, result: state.step == 0 and 0 < 2 * result.now.n_right_inliers <= result.old.n_right_inliers,
        ),
        Task(
            "Raise the threshold until at least 5 wrong matches are inliers.",
            "A generous threshold lets chance agree: then images that show something else get inliers too.",
            lambda state, result: result.now.n_inliers - result.now.n_right_inliers >= 5,
        ),
    ),
    "no landmark": (
        Task(
            "Geometry is off, and matches are counted. Move the threshold of acceptance until nothing is accepted.",
            "Even here, where nothing is right, an image gets that many matches.",
            lambda state, result: not state.verify and result.now.accepted == 0,
        ),
        Task(
            "Tick RANSAC, and find the lowest threshold of acceptance that accepts nothing.",
            "Chance inliers are few: such a threshold tells a system when to say that there is no landmark.",
            lambda state, result: state.verify and state.accept == result.scores.max() + 1,
        ),
    ),
    "two eyes": (
        Task(
            "Move the probe to a right match that is not an inlier.",
            "It stands nearer or further than the rest. One affine map fits one plane; this scene has many.",
            lambda state, result: _probe_is(state, result, inlier=False),
        ),
        Task(
            "Raise the threshold until 9 of 10 right matches are inliers.",
            "Now depth is forgiven, and so are errors of the same size.",
            lambda state, result: result.now.n_right_inliers >= 0.9 * result.now.n_right > 0,
        ),
    ),
    OWN: (
        Task(
            "Find a crop with at least 8 inliers, more than any other photograph has.",
            "Your pictures move together there. Look at the map: does the crop land where you expect it?",
            lambda state, result: (
                state.shown == 0 and result.n_inliers[0] >= 8 and (result.n_inliers[1:] < result.n_inliers[0]).all()
            ),
        ),
    ),
}


def _right_probe(result: MatchResult) -> bool:
    return result.probe_match >= 0 and result.right[result.probe_match] == RIGHT


# ---- what the reader does ------------------------------------------------------------------------------------------


def settle(state: MatchState, compute: Compute) -> MatchState:
    """Return the state as the next action finds it: a solved task gives way to the next, a used prediction is put away."""
    tasks = TASKS[state.preset]
    solved = state.task < len(tasks) and not state.moving and bool(tasks[state.task].solved(state, compute(state)))
    return replace(state, task=state.task + solved, guess=NO_GUESS if state.judged else state.guess, judged=False)


def taken(state: MatchState, what: str, compute: Compute) -> MatchState:
    """Return the state in which ``what`` may move on: a new move counts its changes from here.

    Moving the same thing again continues its move, as long as it has not solved a task.
    """
    settled = settle(state, compute)
    if state.last == what and (state.moving == what or settled.task == state.task):
        return state
    return replace(settled, last=what, before=state.settings)


def changed(state: MatchState, what: str, compute: Compute, **values: object) -> MatchState:
    """Return the state after a control was set: the prediction is about the change since that control was taken up."""
    state = taken(state, what, compute)
    return replace(state, judged=state.guess != NO_GUESS, moving="", **values)


def held(state: MatchState, what: str, compute: Compute, **values: object) -> MatchState:
    """Return the state while a handle is in the hand."""
    return replace(taken(state, what, compute), moving=what, judged=False, **values)


def released(state: MatchState) -> MatchState:
    """Return the state after a handle was dropped."""
    return replace(state, moving="", judged=state.guess != NO_GUESS) if state.moving else state


def with_guess(state: MatchState, guess: str, compute: Compute) -> MatchState:
    """Return the state after a prediction was chosen: it is about the next move."""
    return replace(settle(state, compute), guess=guess, last="", before=state.settings)


def with_steps(state: MatchState, n: int, compute: Compute) -> MatchState:
    """Return the state after ``n`` more samples were drawn; 0 leads to RANSAC's result."""
    step = min(state.step + n, MAX_STEPS) if n else 0
    return replace(settle(state, compute), step=step, verify=True)


def verdict(state: MatchState, result: MatchResult) -> str:
    """Return what came of the prediction, or ""."""
    if state.guess == NO_GUESS:
        return ""
    if not state.judged:
        return f"You predict: {state.guess}. Now make one move."
    old, new = result.old, result.now
    numbers = f"inliers {old.n_inliers} before, {new.n_inliers} now"
    if old.n_right >= 0:
        numbers += f"; right matches {old.n_right} of {old.n_matches} before, {new.n_right} of {new.n_matches} now"
    return f"Right: {numbers}." if GUESSES[state.guess](result) else f"Not this time: {numbers}."


def goal_of(state: MatchState, result: MatchResult) -> str:
    """Return the verdict on the prediction, and the task or what solving it shows."""
    task = task_sentence(TASKS[state.preset], state.task, state, result, moving=bool(state.moving))
    return f"{verdict(state, result)} {task}".strip()
