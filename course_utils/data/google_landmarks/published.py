"""Numbers that the paper and the repository of Google Landmarks v2 publish, for comparison with the miniature.

Sources: T. Weyand et al., CVPR 2020, arXiv:2004.01804; README and score tables of ``cvdfoundation/google-landmark``,
version 2.1; S. Yokoo et al., arXiv:2003.11211 for the cleaned subset.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SplitSize:
    """One split of the real set: images, classes (0: not told), archives, size of one archive, licence of the images."""

    images: int
    classes: int
    archives: int
    archive_size: str
    licence: str


SPLIT_SIZES: dict[str, SplitSize] = {
    "train": SplitSize(4_132_914, 203_094, 500, "about 1 GB", "CC BY, never with NoDerivs; one attribution row an image"),
    "train, clean": SplitSize(1_580_470, 81_313, 500, "the same archives", "as train"),
    "index": SplitSize(761_757, 0, 100, "about 850 MB", "CC0 or public domain"),
    "test": SplitSize(117_577, 0, 20, "about 500 MB", "CC0 or public domain"),
}
"""The annotations of all splits are CC BY 4.0. ``train, clean`` is a subset of ``train``."""

TEST_LANDMARK_SHARE = 0.01
"""About one test image in a hundred shows a landmark of the set; the exact share could not be confirmed."""

RECOGNITION_SCORES: dict[str, tuple[float, float]] = {"smlyaka": (69.39, 65.85), "JL": (66.53, 61.86)}
"""Team -> GAP in percent on the Private and the Public part (2019 contest, scored again with version 2.1)."""

RETRIEVAL_SCORES: dict[str, tuple[float, float]] = {"smlyaka": (37.14, 35.63)}
"""Team -> mAP@100 in percent on the Private and the Public part."""
