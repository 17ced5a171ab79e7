"""Pools of recorded seeds for the evidence desk of `18_does_it_help`: two methods of a record, seed by seed."""

from __future__ import annotations

from course_utils.evidence.ledger import claim, recorded
from course_utils.training.optional_stopping import Pool

QUESTIONS = {
    "one pixel of shift": ("label-safety-helps", {"shift by a pixel": "one pixel of shift", "none": "no augmentation"}),
    "small affine moves": ("label-safety-helps", {"small affine": "small affine moves", "none": "no augmentation"}),
    "AugMix, clean images": ("augmix-clean", {"AugMix with JS": "AugMix", "standard": "no AugMix"}),
    "AugMix, corrupted images": ("augmix-corruptions", {"AugMix with JS": "AugMix", "standard": "no AugMix"}),
    "PatchShuffle on images": ("patch-shuffle-little-data", {"on images": "PatchShuffle", "none": "no PatchShuffle"}),
    "PatchShuffle on maps": ("patch-shuffle-little-data", {"on maps": "PatchShuffle", "none": "no PatchShuffle"}),
    "AP loss": ("ap-loss-beats-triplet", {"AP loss": "AP loss", "triplet over all, equal steps": "triplets, equal steps"}),
}
"""Question on the desk: key of the record, and the two methods compared, by their names in the record and on the desk."""


def recorded_pools() -> dict[str, Pool]:
    """Return the pools of ``QUESTIONS``, from the course's records."""
    pools = {}
    for question, (key, names) in QUESTIONS.items():
        this, figures = claim(key), recorded(key).figures
        pools[question] = Pool(*names.values(), *(figures[name] for name in names), this.unit, this.smallest_effect)
    return pools
