"""Pictures: real photographs that ship with the course's packages, the reader's own folders, and the street world.

Nothing here needs a download. In the order in which the course meets them:

- ``photograph``: real photographs from the wheels of scikit-learn and scikit-image, with their credits;
- ``StreetWorld``: database and query views of a generated town, for place recognition;
- ``district``, ``StreetRenderer``, ``Camera``: the town itself, to be walked through;
- ``ImageFolder``: a folder of the reader's own pictures;
- ``cached_arrays``: results kept on disk between runs.

The names are looked up on first use, so that importing this room costs nothing and torch is only loaded when a
data set is.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course_utils.data.cache import cache_folder, cached_arrays
    from course_utils.data.folders import FolderView, ImageFolder
    from course_utils.data.photographs import photograph, photograph_credits, photograph_names
    from course_utils.data.street_world.districts import District, district, nearest_street_point
    from course_utils.data.street_world.places import (
        EVALUATION_RADIUS,
        NEGATIVE_RADIUS,
        POSITIVE_RADIUS,
        SPLITS,
        StreetView,
        StreetWorld,
    )
    from course_utils.data.street_world.renderer import Camera, StreetRenderer
    from course_utils.data.street_world.weather import CONDITIONS, SEASONS

_HOME = {
    "photograph": "photographs",
    "photograph_names": "photographs",
    "photograph_credits": "photographs",
    "StreetWorld": "street_world.places",
    "StreetView": "street_world.places",
    "SPLITS": "street_world.places",
    "EVALUATION_RADIUS": "street_world.places",
    "POSITIVE_RADIUS": "street_world.places",
    "NEGATIVE_RADIUS": "street_world.places",
    "district": "street_world.districts",
    "District": "street_world.districts",
    "nearest_street_point": "street_world.districts",
    "StreetRenderer": "street_world.renderer",
    "Camera": "street_world.renderer",
    "CONDITIONS": "street_world.weather",
    "SEASONS": "street_world.weather",
    "ImageFolder": "folders",
    "FolderView": "folders",
    "cache_folder": "cache",
    "cached_arrays": "cache",
}

__all__ = [  # noqa: RUF022 - the order of teaching
    "photograph",
    "photograph_names",
    "photograph_credits",
    "StreetWorld",
    "StreetView",
    "SPLITS",
    "EVALUATION_RADIUS",
    "POSITIVE_RADIUS",
    "NEGATIVE_RADIUS",
    "district",
    "District",
    "nearest_street_point",
    "StreetRenderer",
    "Camera",
    "CONDITIONS",
    "SEASONS",
    "ImageFolder",
    "FolderView",
    "cache_folder",
    "cached_arrays",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
