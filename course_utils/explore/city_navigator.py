"""City navigator: walk a camera through a district and watch place recognition work, view by view.

Every move renders one view, describes it by the given describer, and compares it with all database images in one
matrix product. Four linked views show what follows: the **map** with the similarity of every database image and the
circle inside which a result counts as right, the **camera** picture with the chosen result below it, the five best
**results**, and what each visual **word** adds to the similarity (exact attribution, see ``retrieval.attribution``).
A rectangle drawn on the map measures Recall@1, 5 and 10 for the precomputed queries inside it.

The explorer corrects two beliefs: "the network recognises the name of a place" (it compares pictures, and the
attribution shows which pixels) and "Recall@1 is precision" (it is the share of queries whose best result is near).

Taught in `01_vlad` and `02_netvlad`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import ipywidgets as widgets
import numpy as np

from course_utils.explore.base import Control, Explorer, Scheduler, View
from course_utils.explore.canvas import Event
from course_utils.explore.city import City, CityModel, CityResult, CityState, Describer, compass
from course_utils.explore.city_views import CityViews


class CityNavigator(Explorer):
    """Drag the camera, turn it, change the hour: see what is retrieved, and why.

    Parameters
    ----------
    describer : DenseVLAD or PlaceNetwork
        Fitted; its training images should come from another district.
    seed : int, default 11
    split : {"test", "validation", "train"}
        The district to walk through.
    database_vectors, query_vectors : arrays (M, V), (Q, V), optional
        If they were computed before, with the same describer.
    city : City, optional
        Another town; ``seed`` and ``split`` are ignored then.
    scheduler : callable, optional
        See ``Explorer``.

    Raises
    ------
    TypeError
        If ``describer`` lacks ``describe`` or ``explain``.
    ValueError
        If given vectors do not fit the images.
    """

    css_class = "explorer-city"
    help_text = (
        "Drag the camera along the streets and its arrow to turn it; press a result to see why it was found, a word to see "
        "its pixels; draw a rectangle on the map to measure recall there."
    )
    still_kind = "jpeg"

    def __init__(
        self,
        describer: Describer,
        seed: int = 11,
        split: str = "test",
        database_vectors: np.ndarray | None = None,
        query_vectors: np.ndarray | None = None,
        city: City | None = None,
        scheduler: Scheduler | None = None,
    ) -> None:
        self.city = City.load(seed, split) if city is None else city
        self.model = CityModel(describer, self.city, database_vectors, query_vectors)
        self.drawing = CityViews(self.model)
        super().__init__(scheduler=scheduler)

    def initial_state(self) -> CityState:
        """Return a camera on the longest street, by overcast day, looking along it."""
        return self.model.initial_state()

    def admit(self, state: CityState) -> CityState:
        """Keep the camera on a street and every choice among those that exist."""
        return self.model.admit(state)

    def compute(self, state: CityState) -> CityResult:
        """Return everything that is shown for ``state``; deterministic."""
        return self.model.compute(state)

    def sentence(self, state: CityState, result: CityResult) -> str:
        """Return where the camera stands, how good the best match is and how many of the five are right."""
        verdict = "right" if result.right[0] else "wrong"
        return (
            f"Looking {compass(state.heading)} ({_words(state.condition)}, {state.season}): the best match has similarity "
            f"{result.similarities[result.ranked[0]]:.2f} and lies {result.distances[0]:.0f} m away ({verdict}); "
            f"{int(result.right.sum())} of {len(result.ranked)} results are within {self.city.radius:g} m."
        )

    def goal(self, state: CityState, result: CityResult) -> str:
        """Return the recall of the queries in the rectangle, or the word that is shown."""
        if result.word >= 0:
            part = result.attribution.per_cluster[result.word]
            share = f"Word {result.word} adds {part:+.3f} to the {result.attribution.similarity:.2f} of result {state.choice + 1}"
            return f"{share}; the pictures show only its pixels."
        where = "On the whole map" if state.brush is None else "In the rectangle"
        n = int(result.inside.sum())
        if n == 0:
            return f"{where}: no queries."
        recall = ", ".join(f"Recall@{k} {value:.2f}" for k, value in result.recall.items())
        return f"{where}: {n} queries, {recall}."

    def controls(self) -> Sequence[Control]:
        """Return the weather, the season and the switch of the attribution."""
        condition = widgets.ToggleButtons(options=[(_words(name), name) for name in self.city.conditions])
        condition.style.button_width = "auto"
        season = widgets.Dropdown(options=list(self.city.seasons), layout=widgets.Layout(width="110px"))
        why = widgets.Checkbox(description="show why", indent=False, layout=widgets.Layout(width="auto"))
        return (Control(condition, "condition"), Control(season, "season"), Control(why, "why"))

    def rows(self) -> Sequence[Sequence[str]]:
        """Return map and camera above, results below."""
        return (("map", "camera"), ("results",))

    def views(self) -> Sequence[View]:
        """Return the map, the camera with the attribution, and the results."""
        return (
            View("map", self.drawing.draw_map, self.react_map),
            View("camera", self.drawing.draw_camera, self.react_camera),
            View("results", self.drawing.draw_results, self.react_results),
        )

    def react_map(self, state: CityState, event: Event) -> CityState:
        """Move or turn the camera, jump to a street, or set the rectangle."""
        if (event.kind == "move" and event.name == "camera") or event.kind == "tap":
            return replace(state, x=event.x, y=event.y, hover=-1)
        if event.kind == "move" and event.name == "heading":
            return replace(state, heading=float(np.arctan2(event.y - state.y, event.x - state.x)), hover=-1)
        if event.kind == "brush":
            return replace(state, brush=event.box, word=-1)
        if event.kind == "press" and event.name == "clear":
            return replace(state, brush=None)
        return state

    def react_camera(self, state: CityState, event: Event) -> CityState:
        """Show a word's pixels while its bar is hovered over; a press keeps or releases it."""
        word = int(event.name[4:]) if event.name.startswith("word") else -1
        if event.kind == "hover":
            return replace(state, hover=word)
        if event.kind == "press" and word >= 0:
            return replace(state, word=-1 if state.word == word else word, hover=-1)
        return state

    def react_results(self, state: CityState, event: Event) -> CityState:
        """Choose a result and show why it was retrieved."""
        if event.kind == "press" and event.name.startswith("result"):
            return replace(state, choice=int(event.name[6:]), word=-1, hover=-1, why=True)
        return state


def _words(name: str) -> str:
    return name.replace("_", " ")
