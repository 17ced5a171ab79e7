"""The one drawing surface of the course: an anywidget that shows a ``Scene`` and reports what the reader does.

The front end (``canvas.js``, no imports from the network) moves marks at once by itself. It sends messages
``{"kind": "events", "counter": n, "events": [...]}`` and waits for ``answer == n`` before the next one, so a slow
kernel never has more than one message to work on. Each event is one of

=========== ==========================================================================
``move``     a mark stands at ``x``, ``y`` now
``release``  the pointer let go of a mark (or of the brush), or the arrow keys came to rest
``press``    a field or mark was clicked, or chosen with Tab and pressed with Enter
``hover``    the pointer is over a field, or on none (name "")
``brush``    the selection rectangle is ``box`` now
``tap``      empty ground was clicked at ``x``, ``y``
=========== ==========================================================================

Tests drive a canvas without a browser through ``Canvas.receive``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from course_utils.checks import checked_choice, message
from course_utils.explore.scene import Box, Scene

EVENT_KINDS = ("move", "release", "press", "hover", "brush", "tap")

LATER = object()
"""What a handler returns if the answer comes with a later ``show`` (slow explorers)."""

_STYLE = """
.course-canvas { display: block; outline: none; border-radius: 4px; }
.course-canvas:focus-visible { outline: 3px solid var(--jp-brand-color1, #1976d2); outline-offset: 1px; }
"""


@dataclass(frozen=True)
class Event:
    """One thing the reader did on a canvas.

    Attributes
    ----------
    kind : str
        One of ``EVENT_KINDS``.
    name : str
        Of the mark or field; "" for the ground.
    x, y : float
        In data coordinates; 0 where the kind has no position.
    box : (left, right, bottom, top) or None
        The brush, for ``brush``.
    """

    kind: str
    name: str = ""
    x: float = 0.0
    y: float = 0.0
    box: Box | None = None

    def __post_init__(self) -> None:
        checked_choice(self.kind, "kind", EVENT_KINDS)
        numbers = (self.x, self.y, *(self.box or ()))
        if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
            raise ValueError(message("event", "at a finite position", repr(numbers)))

    @classmethod
    def from_message(cls, content: Mapping[str, Any]) -> Event:
        """Read an event as the front end sends it; unknown entries are ignored."""
        box = content.get("box")
        return cls(
            kind=content.get("kind", ""),
            name=content.get("name") or "",
            x=content.get("x", 0.0),
            y=content.get("y", 0.0),
            box=None if box is None else tuple(box),  # type: ignore[arg-type]
        )


class Canvas(anywidget.AnyWidget):
    """Show a scene; call ``handler(events)`` for everything the reader does.

    Parameters
    ----------
    handler : callable, optional
        Gets a list of ``Event``. It runs in the kernel's main thread and must not raise: ``Explorer`` wraps it.
        Returning ``LATER`` means that a call of ``show`` will follow and carry the answer.
    """

    _esm = (Path(__file__).parent / "canvas.js").read_text(encoding="utf-8")
    _css = _STYLE
    scene = traitlets.Dict().tag(sync=True)
    kept = traitlets.Dict().tag(sync=True)
    answer = traitlets.Int(0).tag(sync=True)

    def __init__(self, handler: Callable[[Sequence[Event]], object] | None = None) -> None:
        super().__init__()
        self.layout.max_width = "100%"
        self.handler = handler
        self.received = 0
        self._kept_scene: dict[str, Any] = {}
        self.on_msg(lambda _widget, content, _buffers: self.receive(content))

    def show(self, scene: Scene) -> None:
        """Send a scene, together with the counter of the last message: one transfer, one redraw."""
        new = {name: picture for name, picture in scene.kept().items() if self._kept_scene.get(name) is not picture.pixels}
        self.layout.width = f"{scene.width}px"
        with self.hold_sync():
            if new:
                self._kept_scene.update({name: picture.pixels for name, picture in new.items()})
                self.kept = {**self.kept, **{name: picture.pack() for name, picture in new.items()}}
            self.scene = scene.wire()
            self.answer = self.received

    def receive(self, content: Mapping[str, Any]) -> None:
        """Handle a message of the front end, and answer its counter even if nothing changed."""
        if not isinstance(content, Mapping) or content.get("kind") != "events":
            return
        self.received = int(content["counter"])
        outcome: object = None
        try:
            if self.handler is not None:
                outcome = self.handler([Event.from_message(one) for one in content["events"]])
        finally:
            if outcome is not LATER:
                self.answer = self.received
