"""Detection bench: draw and drag boxes on a picture, and see which of them count as found.

Retrieval asks whether an item is relevant. Detection must first decide which box found which object, and that decision
depends on the other boxes, on their confidences, on an IoU threshold and on a protocol. Everything can be moved here:
predicted boxes (numbers), true boxes (letters), confidences, the threshold. Four linked views follow, with one task at a
time:

- *loose boxes*: reach AP50 = 1 with AP75 = 0, to see what "50" hides;
- *confidences*: reach AP = 1 without moving a box, to see that AP judges an order;
- *two rules*: make VOC and COCO judge one box differently.

All boxes count as one class. Taught in `05_mean_average_precision`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import ipywidgets as widgets
import numpy as np

from course_utils.checks import checked_array, checked_int, message
from course_utils.explore.base import Action, Control, PresetExplorer, Scheduler, View
from course_utils.explore.canvas import Event
from course_utils.explore.detection import (
    MAX_BOXES,
    MIN_SIDE,
    PROTOCOLS,
    TASKS,
    THRESHOLDS,
    BenchResult,
    BenchState,
    admit_bench,
    box_of,
    box_under,
    compute_bench,
    start_detections,
    with_box,
    with_confidence,
    with_new_box,
    without_chosen,
)
from course_utils.explore.detection_views import (
    AXIS,
    CORNERS,
    SIDE,
    curve_scene,
    letter,
    list_scene,
    number,
    picture_scene,
    threshold_scene,
)
from course_utils.explore.scene import as_pixels
from course_utils.retrieval.detection_matching import checked_boxes, checked_flags

SCENE = (10, 192)  # number and size in pixels of the scene of the test split that is shown by default


@cache
def default_scene() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return a sprite scene of the test split, pixels (H, W, 3) uint8, and its objects."""
    from course_utils.data import SpriteScenes

    index, size = SCENE
    scenes = SpriteScenes("test", n_images=index + 1, size=size)
    scene = scenes[index]
    pixels = np.ascontiguousarray(scene.image.numpy().transpose(1, 2, 0))
    return pixels, {"boxes": scene.boxes.numpy(), "labels": scene.labels.numpy(), "difficult": scene.difficult.numpy()}


def react_picture(state: BenchState, event: Event) -> BenchState:
    """Return the state after something happened on the picture.

    Marks are ``"d2"`` (centre of a predicted box), ``"o0"`` (upper left corner of a true box) and ``"nw"``, ``"ne"``,
    ``"sw"``, ``"se"`` (corners of the chosen box). Dragging on empty ground draws a new predicted box.
    """
    name = event.name
    if event.kind == "brush" and event.box is not None:
        left, right, bottom, top = event.box
        return replace(state, draft=(left, min(bottom, top), right, max(bottom, top)))
    if event.kind == "release" and state.draft is not None:
        left, top, right, bottom = state.draft
        large = right - left >= MIN_SIDE and bottom - top >= MIN_SIDE
        return with_new_box(state, state.draft) if large else replace(state, draft=None)
    if event.kind == "tap":
        return replace(state, chosen=box_under(state, event.x, event.y))
    if event.kind == "press" and name[:1] in ("d", "o"):
        return replace(state, chosen=name)
    if event.kind != "move":
        return state
    if name in CORNERS:
        return _resized(state, name, event.x, event.y)
    box = box_of(state, name)
    at = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) if name[0] == "d" else box[:2]
    dx, dy = event.x - at[0], event.y - at[1]
    return with_box(state, name, (box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy))


def _resized(state: BenchState, corner: str, x: float, y: float) -> BenchState:
    """Move one corner of the chosen box; the opposite corner stays, and no side gets shorter than ``MIN_SIDE``."""
    if not state.chosen:
        return state
    left, top, right, bottom = box_of(state, state.chosen)[:4]
    left, right = (min(x, right - MIN_SIDE), right) if "w" in corner else (left, max(x, left + MIN_SIDE))
    top, bottom = (min(y, bottom - MIN_SIDE), bottom) if "n" in corner else (top, max(y, top + MIN_SIDE))
    return with_box(state, state.chosen, (left, top, right, bottom))


def react_list(state: BenchState, event: Event) -> BenchState:
    """Return the state after a confidence was dragged (marks ``"c0"``, ``"c1"`` ...) or a row was pressed."""
    if event.name[:1] != "c":
        return state
    index = int(event.name[1:])
    if event.kind == "press":
        return replace(state, chosen=f"d{index}")
    if event.kind != "move":
        return state
    return with_confidence(state, index, min(max((event.x - AXIS[0]) / (AXIS[1] - AXIS[0]), 0.0), 1.0))


def react_threshold(state: BenchState, event: Event) -> BenchState:
    """Return the state after the threshold was dragged."""
    return replace(state, iou_threshold=event.x) if event.kind == "move" else state


class DetectionBench(PresetExplorer):
    """Drag predicted and true boxes, confidences and the IoU threshold; see matching, curve and average precision follow.

    Parameters
    ----------
    preset : {"loose boxes", "confidences", "two rules"}
        The task to begin with; *Reset* leads to its start.
    image : array or Tensor of shape (3, H, W) or (H, W, 3), uint8, optional
        Default: a sprite scene. Needs ``objects``.
    objects : dict, optional
        ``"boxes" (m, 4)`` as ``(x1, y1, x2, y2)``, optional ``"labels"`` and ``"difficult"``, as
        ``retrieval.detection_mean_average_precision`` takes them; a ``data.SpriteScene`` is read too.
    detections : dict, optional
        ``"boxes" (n, 4)``, ``"scores" (n,)`` between 0 and 1, optional ``"labels"``: a detector's output for this image.
        Every task then begins with these boxes. Default: boxes near the objects.
    label : int, optional
        Keep the objects and detections of this class only. Default: all of them, as one class.
    scheduler : callable, optional
        See ``Explorer``.

    Raises
    ------
    ValueError
        If ``preset`` is unknown, there are more than 12 boxes of one kind, a box is wrong, a score lies outside [0, 1], or
        an image comes without its objects.
    """

    css_class = "explorer-detection"
    help_text = (
        "Drag a box at its middle or its corners (click it first), or drag on empty ground to draw a new one; drag confidences "
        "in the list, and the triangle under the threshold."
    )

    def __init__(
        self,
        preset: str | None = None,
        *,
        image: Any = None,
        objects: Any = None,
        detections: Mapping[str, Any] | None = None,
        label: int | None = None,
        scheduler: Scheduler | None = None,
    ) -> None:
        if (image is None) != (objects is None):
            raise ValueError(message("image and objects", "given together", "one without the other"))
        if image is None:
            self.pixels, objects = default_scene()
        else:
            self.pixels = as_pixels(image, "image", smallest=16)
        self.height, self.width = self.pixels.shape[:2]
        label = None if label is None else checked_int(label, "label")
        true, names = _rows(objects, "objects", None)
        self.objects = tuple(tuple(row) for row in true[_of(names, label)].tolist())
        given = None
        if detections is not None:
            rows, names = _rows(detections, "detections", "scores")
            given = tuple(tuple(row) for row in rows[_of(names, label)].tolist())
        for what, rows in (("objects", self.objects), ("detections", given or ())):
            if len(rows) > MAX_BOXES:
                advice = "Keep the most confident ones, or one class (`label`)."
                raise ValueError(message(what, f"at most {MAX_BOXES} boxes", str(len(rows)), advice))
        self.presets = {task: self._start(task, given) for task in TASKS}
        super().__init__(preset, scheduler)

    def _start(self, task: str, given: tuple[tuple[float, ...], ...] | None) -> BenchState:
        found = start_detections(self.objects, task, self.width, self.height) if given is None else given
        threshold = 0.3 if task == "two rules" else 0.5  # at 0.5 few places overlap two objects enough
        state = BenchState(found, self.objects, threshold, chosen="d0", preset=task)
        return self.admit(state)

    def admit(self, state: BenchState) -> BenchState:
        """Keep every box inside the picture and every number inside its range."""
        return admit_bench(state, float(self.width), float(self.height))

    def compute(self, state: BenchState) -> BenchResult:
        """Return the result; see ``compute_bench``."""
        return compute_bench(state)

    def controls(self) -> Sequence[Control | Action]:
        """Return task, protocol, threshold, the comparison and the two buttons."""
        tasks = widgets.Dropdown(options=list(TASKS), description="task", layout=widgets.Layout(width="150px"))
        protocols = widgets.Dropdown(options=list(PROTOCOLS), description="protocol", layout=widgets.Layout(width="168px"))
        # Choices, not a float slider: that one sends its own rounding of a value back, and an old value returns late.
        steps = [(f"{threshold:.2f}", threshold) for threshold in THRESHOLDS]
        slider = widgets.SelectionSlider(options=steps, value=0.5, description="IoU", layout=widgets.Layout(width="190px"))
        tasks.style.description_width, protocols.style.description_width = "35px", "58px"
        slider.style.description_width = "24px"
        compare = widgets.Checkbox(description="other rule", indent=False, layout=widgets.Layout(width="auto"))
        middle = (0.375 * self.width, 0.375 * self.height, 0.625 * self.width, 0.625 * self.height)
        return (
            Control(tasks, "preset", apply=lambda _state, task: self.presets[task]),
            Control(protocols, "protocol"),
            Control(slider, "iou_threshold"),
            Control(compare, "compare"),
            Action("Add a box", lambda s: with_new_box(s, middle), f"A predicted box in the middle, at most {MAX_BOXES}"),
            Action("Remove", without_chosen, "Take the chosen box away, predicted or true"),
        )

    def views(self) -> Sequence[View]:
        """Return picture, list, curve and thresholds."""
        height = round(SIDE * self.height / self.width)
        return (
            View("picture", lambda state, result: picture_scene(state, result, self.pixels), react_picture),
            View("list", partial(list_scene, height=max(height, 320)), react_list),
            View("curve", curve_scene),
            View("thresholds", threshold_scene, react_threshold),
        )

    def rows(self) -> Sequence[Sequence[str]]:
        """Return two rows of two views."""
        return (("picture", "list"), ("curve", "thresholds"))

    def sentence(self, state: BenchState, result: BenchResult) -> str:
        """Return what was found and the average precision."""
        if not result.n_objects:
            return f"No object counts, so average precision has no value ({len(state.detections)} predicted boxes)."
        found = result.count("true positive")
        parts = [
            f"{result.count(v)} {w}" for v, w in (("false positive", "false"), ("duplicate", "duplicate"), ("ignored", "ignored"))
        ]
        return (
            f"{state.protocol} at IoU {state.iou_threshold:.2f} finds {found} of {result.n_objects} objects with "
            f"{len(state.detections)} boxes ({', '.join(parts)}): AP {number(result.average_precision)}, AP50 {number(result.ap50)}, "
            f"AP75 {number(result.ap75)}, AP50:95 {number(result.ap50_95)}."
        )

    def goal(self, state: BenchState, result: BenchResult) -> str:
        """Return the task, or what the solution shows."""
        if not result.n_objects:
            return ""
        if state.objects != self.presets[state.preset].objects:
            return "The true boxes have changed, so this is another truth. Press Reset for the task."
        return {"loose boxes": self._loose, "confidences": self._order, "two rules": self._rules}[state.preset](state, result)

    def _loose(self, state: BenchState, result: BenchResult) -> str:
        if result.ap50 > 1 - 1e-9 and result.ap75 < 1e-9:
            return "Done: AP50 calls this perfect and AP75 calls it worthless, for the same boxes."
        missing = [letter(k) for k in range(len(state.objects)) if not state.objects[k][4] and result.found_by[k] < 0]
        first = f" {' and '.join(missing[:2])} still missed at {state.iou_threshold:.2f}." if missing else ""
        return f"Task: reach AP50 = 1 with AP75 = 0. Now AP50 is {number(result.ap50)} and AP75 is {number(result.ap75)}.{first}"

    def _order(self, state: BenchState, result: BenchResult) -> str:
        start = self.presets["confidences"]
        if [row[:4] for row in state.detections] != [row[:4] for row in start.detections]:
            return "A box has changed. Press Reset: this task is done with confidences only."
        if result.average_precision > 1 - 1e-9:
            wrong = result.count("false positive") + result.count("duplicate")
            return f"Done: AP is 1 although {wrong} boxes are wrong; AP judges the order, and wrong boxes below all right ones cost nothing."
        return (
            f"Task: bring AP at IoU {state.iou_threshold:.2f} to 1 without moving a box; drag confidences only. "
            f"It is {number(result.average_precision)}."
        )

    def _rules(self, state: BenchState, result: BenchResult) -> str:
        if result.rule_differs:
            boxes = " and ".join(str(d + 1) for d in result.rule_differs)
            verb = "are" if len(result.rule_differs) > 1 else "is"
            return (
                f"Done: box {boxes} {verb} judged differently under {result.other_protocol}. COCO gives a box to the best object "
                "that is still free; VOC looks at the best object only, and calls the box a duplicate if that one is taken."
            )
        return (
            "Task: make VOC and COCO judge one box differently. Put a box with a low confidence where it overlaps an object that "
            "is taken most, and a free object enough; a lower threshold helps."
        )


def _rows(entry: Any, name: str, last: str | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Return rows (n, 5) of corners and score or difficulty, and the labels if there are any."""
    get = entry.get if isinstance(entry, Mapping) else lambda key: getattr(entry, key, None)
    if get("boxes") is None or (last and get(last) is None):
        needed = '"boxes"' + (f' and "{last}"' if last else "")
        raise ValueError(
            message(
                name,
                f"a dictionary with {needed}",
                f"the keys {sorted(entry)}" if isinstance(entry, Mapping) else type(entry).__name__,
            )
        )
    boxes = checked_boxes(get("boxes"), f'{name}["boxes"]')
    if last:
        column = checked_array(get(last), f'{name}["{last}"]', (len(boxes),), np.float64)
        if ((column < 0) | (column > 1)).any():
            raise ValueError(
                message(f'{name}["{last}"]', "between 0 and 1, the ends of the axis", f"{column.min():g} to {column.max():g}")
            )
    else:
        column = checked_flags(get("difficult"), f'{name}["difficult"]', len(boxes)).astype(np.float64)
    labels = get("labels")
    if labels is not None:
        labels = checked_array(labels, f'{name}["labels"]', (len(boxes),), np.int64)
    return np.concatenate([boxes, column[:, None]], axis=1), labels


def _of(labels: np.ndarray | None, label: int | None) -> Any:
    if label is None:
        return slice(None)
    if labels is None:
        raise ValueError(message("label", "None where the boxes carry no labels", str(label)))
    return labels == label
