"""The ground every explorer stands on: a state, a pure function of it, and views that only draw.

::

    State (frozen dataclass) --compute(state)--> Result --draw(state, result)--> Scene, one per view

A later chapter writes a ``State``, a ``compute`` and a declaration of its views and controls; this module adds the
rest: one update for all linked views, the status sentence, the goal line, *Reset*, the error line, the still
picture and the sentence that stay in the notebook file, and a scheduler for slow computations.

Everything that a reader does becomes ``new_state = react(old_state, event)`` or ``replace(state, field=value)``, both
pure, so that the keyboard path and the mouse path are the same path, and a test needs no browser.

Errors inside a handler are invisible in JupyterLab. Every handler here runs inside one guard, which shows a plain
sentence with ``role="alert"`` and keeps the traceback in ``Explorer.last_error``; the state falls back to the last
good one.
"""

from __future__ import annotations

import asyncio
import base64
import html
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ipywidgets as widgets

from course_utils.checks import checked_choice, message
from course_utils.explore.canvas import LATER, Canvas, Event
from course_utils.explore.scene import Scene
from course_utils.explore.still import still_picture

Scheduler = Callable[[float, Callable[[], None]], Any]
"""``scheduler(seconds, function)`` runs the function later and returns a handle with ``cancel()``, or None."""


def loop_scheduler(seconds: float, function: Callable[[], None]) -> Any:
    """Run ``function`` on the kernel's event loop after ``seconds``; at once where no loop runs (plain Python)."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        function()
        return None
    return loop.call_later(seconds, function)


def direct_scheduler(seconds: float, function: Callable[[], None]) -> Any:
    """Run ``function`` at once: the scheduler of tests."""
    function()
    return None


@dataclass(frozen=True)
class View:
    """One canvas of an explorer.

    Parameters
    ----------
    name : str
    draw : callable
        ``draw(state, result) -> Scene``; it computes nothing but positions and colours.
    react : callable, optional
        ``react(state, event) -> state`` for what the reader does on this canvas.
    """

    name: str
    draw: Callable[[Any, Any], Scene]
    react: Callable[[Any, Event], Any] | None = None


@dataclass(frozen=True)
class Control:
    """A widget whose ``value`` stands for one field of the state.

    Parameters
    ----------
    widget : ipywidgets widget with a ``value``
    field : str
        Name of the state's field.
    to_state, to_widget : callable
        Conversions of the value; identity by default.
    apply : callable, optional
        ``apply(state, value) -> state`` for a control that changes more than its field (a choice of presets).
    """

    widget: widgets.Widget
    field: str
    to_state: Callable[[Any], Any] = lambda value: value
    to_widget: Callable[[Any], Any] = lambda value: value
    apply: Callable[[Any, Any], Any] | None = None

    def new_state(self, state: Any, value: Any) -> Any:
        """Return the state after the widget took ``value``."""
        if self.apply is not None:
            return self.apply(state, value)
        return replace(state, **{self.field: self.to_state(value)})


@dataclass(frozen=True)
class Action:
    """A button; pressing it turns the state into ``act(state)``."""

    label: str
    act: Callable[[Any], Any]
    tooltip: str = ""


class Explorer(widgets.VBox):
    """Base class of all explorers.

    A subclass sets ``css_class`` and fills in ``initial_state``, ``compute``, ``views`` and ``sentence``; it may fill in
    ``controls``, ``admit``, ``goal`` and ``rows``.

    Parameters
    ----------
    state : dataclass, optional
        Where to begin; default ``initial_state()``, which is also where *Reset* leads.
    scheduler : callable, optional
        Used if ``delay`` is above 0; ``loop_scheduler`` by default.

    Attributes
    ----------
    state : dataclass
        Settable: ``explorer.state = replace(explorer.state, alpha=3.0)``.
    result
        What ``compute`` returned for the state.
    last_error : str or None
        The traceback of the last handler that failed.
    canvases : dict
        The canvas of every view, by name.
    """

    css_class = "explorer"
    help_text = ""
    delay = 0.0  # seconds to wait for the hand to rest; above 0 for computations of 100 to 500 ms
    still_kind = "png"

    # ---- what a chapter fills in -------------------------------------------------------------------------------

    def initial_state(self) -> Any:
        """Return the state that shows the interesting case."""
        raise TypeError(f"{type(self).__name__} must define initial_state().")

    def compute(self, state: Any) -> Any:
        """Return the result for a state: deterministic, numbers and arrays, no widget."""
        raise TypeError(f"{type(self).__name__} must define compute(state).")

    def views(self) -> Sequence[View]:
        """Return the linked views."""
        raise TypeError(f"{type(self).__name__} must define views().")

    def sentence(self, state: Any, result: Any) -> str:
        """Return one sentence with the main number; it ends with a full stop."""
        raise TypeError(f"{type(self).__name__} must define sentence(state, result).")

    def controls(self) -> Sequence[Control | Action]:
        """Return the controls above the views, at most five."""
        return ()

    def admit(self, state: Any) -> Any:
        """Return the state, moved into the admissible range if need be."""
        return state

    def home(self, state: Any) -> Any:
        """Return where *Reset* leads from ``state``."""
        return self._default

    def goal(self, state: Any, result: Any) -> str:
        """Return a sentence that leads on, or ""."""
        return ""

    def rows(self) -> Sequence[Sequence[str]]:
        """Return the names of the views, row by row; a narrow window wraps the rows."""
        return (tuple(self.canvases),)

    # ---- what it gets ------------------------------------------------------------------------------------------

    def __init__(self, state: Any = None, scheduler: Scheduler | None = None) -> None:
        super().__init__()
        self.last_error: str | None = None
        self._one_at_a_time = threading.RLock()
        self._scheduler = scheduler or loop_scheduler
        self._waiting: Any = None
        self._quiet = False
        self._default = self.admit(self.initial_state())
        self._state = self._default if state is None else self.admit(self._checked(state))
        self._wanted = self._state  # differs from _state only while a slow computation waits
        self._views = {view.name: view for view in self.views()}
        self.canvases = {name: Canvas(self._listener(name)) for name in self._views}
        self._status = widgets.HTML(layout=widgets.Layout(min_height="3.2em", margin="2px 0 0 0"))
        self._error = widgets.HTML()
        self._build()
        self.result = self.compute(self._state)
        self._render()

    @property
    def state(self) -> Any:
        """The state shown, a frozen dataclass."""
        return self._state

    @state.setter
    def state(self, state: Any) -> None:
        checked = self._checked(state)
        self._guarded(lambda: self._move_to(checked))

    @property
    def status(self) -> str:
        """The status sentence, with the goal if there is one, as plain text."""
        goal = self.goal(self._state, self.result)
        return self.sentence(self._state, self.result) + (f" {goal}" if goal else "")

    @property
    def error(self) -> str:
        """The text of the error line; "" if the last handler succeeded."""
        return html.unescape(self._error.value.removeprefix('<p role="alert">').removesuffix("</p>"))

    def reset(self) -> None:
        """Return to the start."""
        self.state = self.home(self._state)

    def scenes(self) -> dict[str, Scene]:
        """Return what every view shows now, by name."""
        return {name: view.draw(self._state, self.result) for name, view in self._views.items()}

    def still(self) -> bytes:
        """Return what is shown now as a picture, for a reader without a kernel."""
        scenes = self.scenes()
        return still_picture([[scenes[name] for name in row] for row in self.rows()], self.still_kind)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data = dict(super()._repr_mimebundle_(**kwargs) or {})
        sentence, mime = self.sentence(self._state, self.result), f"image/{self.still_kind}"
        data["text/plain"] = sentence
        data[mime] = base64.b64encode(self.still()).decode()
        return data, {mime: {"alt": sentence}}

    def __repr__(self) -> str:
        return self.sentence(self._state, self.result)

    # ---- how it works ------------------------------------------------------------------------------------------

    def _checked(self, state: Any) -> Any:
        if type(state) is not type(self._default):
            expected = f"a {type(self._default).__name__}"
            raise TypeError(message("state", expected, type(state).__name__, "Use dataclasses.replace(explorer.state, ...)."))
        return state

    def _build(self) -> None:
        wrap = widgets.Layout(display="flex", flex_flow="row wrap", align_items="center", grid_gap="4px 8px", width="auto")
        items: list[widgets.Widget] = []
        self._controls: list[Control] = []
        for control in self.controls():
            if isinstance(control, Control):
                self._controls.append(control)
                control.widget.observe(self._control_listener(control), "value")
                items.append(control.widget)
            else:
                items.append(self._button(control.label, control.tooltip, self._action_listener(control)))
        items.append(self._button("Reset", "Back to the start", lambda _button: self.reset()))
        self.buttons = {item.description: item for item in items if isinstance(item, widgets.Button)}
        rows = [widgets.HBox([self.canvases[name] for name in row], layout=self._row_layout()) for row in self.rows()]
        keys = "Tab chooses a handle, arrows move it, with Shift in large steps, Enter presses, Esc leaves."
        help_line = widgets.HTML(
            f'<p style="margin:0;line-height:1.4;opacity:0.75">{html.escape(f"{self.help_text} {keys}".strip())}</p>'
        )
        self.children = [widgets.HBox(items, layout=wrap), *rows, self._status, self._error, help_line]
        self.layout = widgets.Layout(max_width="900px", width="100%", overflow="hidden", padding="4px 4px 8px 4px")
        self.add_class("course-explorer")
        self.add_class(self.css_class)

    @staticmethod
    def _row_layout() -> widgets.Layout:
        return widgets.Layout(display="flex", flex_flow="row wrap", grid_gap="8px", margin="6px 0 0 0", overflow="visible")

    @staticmethod
    def _button(label: str, tooltip: str, pressed: Callable[[Any], None]) -> widgets.Button:
        button = widgets.Button(description=label, tooltip=tooltip, layout=widgets.Layout(width="auto"))
        button.on_click(pressed)
        return button

    def _listener(self, name: str) -> Callable[[Sequence[Event]], object]:
        def listen(events: Sequence[Event]) -> object:
            return self._guarded(lambda: self._react(self._views[name], events))

        return listen

    def _control_listener(self, control: Control) -> Callable[[Any], None]:
        def listen(change: Any) -> None:
            with self._one_at_a_time:  # a reader's change waits while another thread writes the controls
                if not self._quiet:
                    new = change["new"]
                    self._guarded(lambda: self._move_to(control.new_state(self._wanted, new)))

        return listen

    def _action_listener(self, action: Action) -> Callable[[Any], None]:
        return lambda _button: self._guarded(lambda: self._move_to(action.act(self._wanted)))

    def _react(self, view: View, events: Sequence[Event]) -> object:
        state = self._wanted
        if view.react is not None:
            for event in events:
                state = view.react(state, event)
        return self._move_to(state)

    def _guarded(self, action: Callable[[], object]) -> object:
        """Run a handler; a failure becomes a sentence in the error line, and the last good state stays.

        JupyterLab may deliver messages of several widgets in several threads of the kernel (subshells). One handler runs
        after the other: otherwise a late message of a canvas could undo a *Reset* that was pressed after it.
        """
        with self._one_at_a_time:
            return self._run(action)

    def _run(self, action: Callable[[], object]) -> object:
        good = self._state, self.result
        try:
            outcome = action()
        except Exception as problem:
            self.last_error = traceback.format_exc()
            self._state, self.result = good
            self._wanted = self._state
            self._show_values()
            for canvas in self.canvases.values():
                canvas.answer = canvas.received  # nobody waits for an answer that will not come
            text = f"This step did not work ({type(problem).__name__}: {problem}). Press Reset, or try another move."
            self._error.value = f'<p role="alert">{html.escape(text)}</p>'
            return None
        if outcome is not LATER and self._error.value:
            self._error.value = ""
        return outcome

    def _move_to(self, state: Any) -> object:
        self._wanted = state = self.admit(state)
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        if self.delay <= 0:
            self._settle(state)
            return None
        done: list[bool] = []

        def settle() -> None:
            self._waiting = None
            self._guarded(lambda: self._settle(state))
            done.append(True)

        self._waiting = self._scheduler(self.delay, settle)
        return None if done else LATER

    def _settle(self, state: Any) -> None:
        result = self.compute(state)
        self._state, self.result = state, result
        self._render()

    def _render(self) -> None:
        """Bring every view, control and the status line up to date from one result."""
        scenes = self.scenes()
        goal = self.goal(self._state, self.result)
        for name, canvas in self.canvases.items():
            canvas.show(scenes[name])
        self._show_values()
        sentence = html.escape(self.sentence(self._state, self.result))
        goal_line = f'<br><b class="explorer-goal">{html.escape(goal)}</b>' if goal else ""
        self._status.value = f'<p role="status" aria-live="polite" style="margin:4px 0;line-height:1.4">{sentence}{goal_line}</p>'

    def _show_values(self) -> None:
        """Set the controls to the state without answering their change."""
        self._quiet = True
        try:
            for control in self._controls:
                value = control.to_widget(getattr(self._state, control.field))
                if control.widget.value != value:
                    control.widget.value = value
        finally:
            self._quiet = False


class PresetExplorer(Explorer):
    """An explorer that begins at one of several prepared states, among which the reader can choose.

    A subclass sets ``presets``: name to state. The state has a field ``preset`` with its own name, for *Reset* to lead
    back to the preset that is chosen now.

    Parameters
    ----------
    preset : str, optional
        Where to begin, and where *Reset* leads; default: the first one.
    scheduler : callable, optional
        See ``Explorer``.

    Raises
    ------
    ValueError
        If there is no such preset.
    """

    presets: Mapping[str, Any] = {}

    def __init__(self, preset: str | None = None, scheduler: Scheduler | None = None) -> None:
        self.preset = next(iter(self.presets)) if preset is None else checked_choice(preset, "preset", self.presets)
        super().__init__(scheduler=scheduler)

    def initial_state(self) -> Any:
        """Return the preset."""
        return self.presets[self.preset]

    def home(self, state: Any) -> Any:
        """Return the start of the preset that is chosen now."""
        return self.presets[state.preset]
