"""Every transform of ``course_utils.augment``, by name: the contract test runs each of them on everything.

A factory takes no argument and returns a transform that changes every image (p = 1).
"""

from __future__ import annotations

from collections.abc import Callable

from course_utils.augment.sampling import RandomTransform

FACTORIES: dict[str, Callable[[], RandomTransform]] = {}
