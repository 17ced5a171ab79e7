"""Every transform of ``course_utils.augment``, by name: the contract test runs each of them on everything.

A factory takes no argument and returns a transform that changes every image (p = 1).
"""

from __future__ import annotations

from collections.abc import Callable

from course_utils.augment.erasing import Cutout, RandomErasing
from course_utils.augment.hide_and_seek import HideAndSeek
from course_utils.augment.sampling import RandomTransform

FACTORIES: dict[str, Callable[[], RandomTransform]] = {
    "RandomErasing, random": lambda: RandomErasing(p=1),
    "RandomErasing, normal, three, log": lambda: RandomErasing(p=1, value="normal", count=3, ratio_sampling="log"),
    "RandomErasing, object-aware": lambda: RandomErasing(p=1, value="mean", aware="object", min_visible=0.3),
    "RandomErasing, both": lambda: RandomErasing.preset("detection", p=1, value="white"),
    "Cutout": lambda: Cutout(length=8),
    "Cutout, inside": lambda: Cutout(length=5, n_holes=2, overhang=False, value="black"),
    "HideAndSeek": lambda: HideAndSeek(cell_sizes=(0, 3, 4)),
}
