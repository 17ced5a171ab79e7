"""From degrees to metres: GPS positions that can be compared with a radius.

A GPS receiver gives latitude and longitude in degrees. A radius of 25 must mean 25 metres, and one degree is about
111 kilometres to the north but less to the east, the further from the equator the less. So positions are projected
to a flat map around a point nearby before any distance is taken.

Source: the two radii of curvature of the WGS84 ellipsoid (National Geospatial-Intelligence Agency,
"World Geodetic System 1984", NGA.STND.0036, 2014).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from course_utils.checks import checked_array, message

EQUATORIAL_RADIUS = 6_378_137.0  # metres, WGS84
FLATTENING = 1 / 298.257223563  # WGS84


def local_metres(latitude: Any, longitude: Any, origin: tuple[float, float] | None = None) -> np.ndarray:
    """Return positions in metres east and north of an origin.

    Parameters
    ----------
    latitude, longitude : array-like of shape (N,)
        Degrees, north and east positive.
    origin : (latitude, longitude), optional
        Degrees; default: the middle of the positions. Give queries and database *the same* origin.

    Returns
    -------
    ndarray of shape (N, 2), float64
        East and north. Within 5 km of the origin distances are right to about a metre in a thousand, outside the
        polar regions.

    Raises
    ------
    ValueError
        If a latitude is outside [-90, 90] (swapped with the longitude?) or a longitude outside [-180, 360].

    Examples
    --------
    >>> local_metres([48.0, 48.001], [11.0, 11.0], origin=(48.0, 11.0)).round(1)
    array([[  0. ,   0. ],
           [  0. , 111.2]])
    """
    latitude = checked_array(latitude, "latitude", ("N",), np.float64)
    longitude = checked_array(longitude, "longitude", (len(latitude),), np.float64)
    if latitude.size and np.abs(latitude).max() > 90:
        raise ValueError(
            message("latitude", "between -90 and 90 degrees", f"{latitude[np.abs(latitude).argmax()]:g}")
            + " Are latitude and longitude swapped?"
        )
    if longitude.size and (longitude.min() < -180 or longitude.max() > 360):
        raise ValueError(message("longitude", "between -180 and 360 degrees", f"{longitude.min():g} to {longitude.max():g}"))
    if latitude.size == 0:
        return np.zeros((0, 2))
    if origin is None:
        reference = longitude[0]
        origin = ((latitude.min() + latitude.max()) / 2, reference + _turn(longitude - reference).mean())
    sine = np.sin(np.deg2rad(origin[0]))
    eccentricity2 = FLATTENING * (2 - FLATTENING)
    across = EQUATORIAL_RADIUS / np.sqrt(1 - eccentricity2 * sine**2)  # radius of curvature to the east
    along = across * (1 - eccentricity2) / (1 - eccentricity2 * sine**2)  # to the north
    east = np.deg2rad(_turn(longitude - origin[1])) * across * np.cos(np.deg2rad(origin[0]))
    north = np.deg2rad(latitude - origin[0]) * along
    return np.stack([east, north], axis=1)


def _turn(degrees: np.ndarray) -> np.ndarray:
    """Bring differences of longitudes to [-180, 180): neighbours on both sides of the date line stay neighbours."""
    return (degrees + 180) % 360 - 180
