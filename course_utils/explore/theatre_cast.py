"""Who stands on the stage of the threshold theatre: a reader's own predictions, or three systems on the landmarks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from course_utils import retrieval
from course_utils.checks import message
from course_utils.data.cache import cached_arrays
from course_utils.explore.scene import as_pixels
from course_utils.explore.theatre import Cast, System, random_maps

MOST = 24
"""Queries of either kind that fit on the stage."""

ALONE = "your system"
"""Name of a system that came without one."""


def cast_of(
    predictions: Mapping[Any, Any] | None,
    truth: Mapping[Any, Any] | None,
    images: Mapping[Any, Any] | None = None,
    lists: Mapping[Any, Any] | None = None,
    relevant: Mapping[Any, Any] | None = None,
    index_images: Mapping[Any, Any] | None = None,
    calibrated: Mapping[Any, Any] | None = None,
    label_names: Mapping[Any, str] | None = None,
) -> Cast:
    """Return the cast for a reader's own predictions; the parameters are those of ``ThresholdTheatre``."""
    if predictions is None or truth is None:
        raise ValueError(message("predictions and truth", "given together", "one without the other"))
    named = _by_system(predictions, None)
    for answers in named.values():
        retrieval.recognition_ranking(answers, truth)  # refuses what cannot be judged
    ids = [one for one in truth if truth[one]] + [one for one in truth if not truth[one]]
    n_landmarks = sum(len(labels) > 0 for labels in truth.values())
    for what, n in (("queries with a landmark", n_landmarks), ("queries without a landmark", len(ids) - n_landmarks)):
        if n > MOST:
            raise ValueError(message("truth", f"at most {MOST} {what}", str(n), "Choose some of them, for example every third."))
    positions = {query: place for place, query in enumerate(ids)}
    listed = _by_system(lists or {}, named)
    scores = _by_system(calibrated or {}, named)
    systems = {
        name: System(
            tuple(answers[one][0] if answers.get(one) is not None else None for one in ids),
            _stretched([answers[one][1] if answers.get(one) is not None else np.nan for one in ids]),
            {place: list(listed[name][query]) for query, place in positions.items() if query in listed.get(name, {})},
            _stretched([scores[name].get(one, np.nan) for one in ids]) if scores.get(name) else (),
        )
        for name, answers in named.items()
    }
    if lists and relevant is None:
        raise ValueError(message("lists", "given together with `relevant`", "alone"))
    return Cast(
        tuple(frozenset(truth[one]) for one in ids),
        systems,
        {place: frozenset((relevant or {}).get(query) or ()) for query, place in positions.items()},
        _pictures(images, ids),
        {one: as_pixels(image, f"index_images[{one!r}]") for one, image in (index_images or {}).items()},
        dict(label_names or {}),
        tuple(ids),
    )


def _by_system(values: Mapping[Any, Any], named: Mapping[str, Any] | None) -> dict[str, Mapping[Any, Any]]:
    """Return one mapping for each system; a mapping that is not nested is for all of them."""
    nested = bool(values) and all(isinstance(one, Mapping) for one in values.values())
    if nested:
        return {str(name): one for name, one in values.items()}
    return {name: values for name in (named or (ALONE,))}


def _stretched(scores: list[float], always: bool = False) -> tuple[float, ...]:
    """Return scores in (0, 1], stretched by one linear map if they are not there already; NaN abstains and becomes 0."""
    array = np.asarray(scores, float)
    known = array[~np.isnan(array)]
    if len(known) and (always or known.min() <= 0 or known.max() > 1):
        low, high = known.min(), known.max()
        array = 0.05 + 0.9 * (array - low) / (high - low) if high > low else np.where(np.isnan(array), np.nan, 0.5)
    return tuple(np.nan_to_num(array, nan=0.0).tolist())


def _pictures(images: Mapping[Any, Any] | None, ids: list[Any]) -> tuple[np.ndarray, ...]:
    if images is None:
        return ()
    missing = [one for one in ids if one not in images]
    if missing:
        raise ValueError(message("images", "given for every query of `truth`", f"none for {missing[0]!r}"))
    return tuple(as_pixels(images[one], f"images[{one!r}]") for one in ids)


PERFECT = "perfect lists"
"""A system that never errs among landmarks; it is sure where it should not be."""

LOSS = 0.2
"""GAP that the maps of *own scales* cost at least, with every picture in the test set."""

VERSION = 3
"""Part of the cache key: raise it when ``_answered`` changes."""

_CODEBOOK = 200  # training photographs that teach the words
_SETTINGS = {"cell": (5, 8), "stride": 6, "n_clusters": 64}  # chosen on these validation splits: better than fewer words


@lru_cache(maxsize=1)
def default_cast() -> Cast:
    """Return a real small system on the generated landmarks, and what its answers are worth with other confidences.

    20 queries with and 20 without a landmark are compared with the index by DenseVLAD (chapter 01), all from the validation
    splits. A query takes the label of the most similar index image that has one. Three systems give these answers:

    - *similarity*: confidence is that similarity;
    - *own scales*: the same, after every query got its own increasing map; of the maps drawn, the first that cost ``LOSS``;
    - *calibrated*: by how many standard deviations that similarity stands above the query's other ones. A map
      ``s -> a + b s`` of a query's similarities does not change this number.

    *perfect lists* is no real system: every answer and every list is right, and the confidences are turned upside down.
    """
    from course_utils.data.landmarks.dataset import GENERATOR_VERSION

    key = f"{VERSION} {GENERATOR_VERSION} {_CODEBOOK} {sorted(_SETTINGS.items())}"
    arrays = cached_arrays("threshold-theatre", key, _answered)
    queries = range(len(arrays["truth"]))
    truth = {q: {int(label)} if label >= 0 else set() for q, label in enumerate(arrays["truth"])}
    landmarks = [q for q in queries if truth[q]]
    similarity, calibrated = (_stretched(arrays[name].tolist(), always=True) for name in ("similarity", "above_the_rest"))
    labels = arrays["labels"].tolist()
    scores = {"similarity": similarity, "own scales": _spoilt(similarity, labels, truth), "calibrated": calibrated}
    predictions = {name: {q: (labels[q], one[q]) for q in queries} for name, one in scores.items()}
    upside_down = np.round(1.0 - np.array(calibrated), 4).tolist()
    predictions[PERFECT] = {q: (min(truth[q], default=labels[q]), upside_down[q]) for q in queries}
    lists = dict(enumerate(arrays["lists"].tolist()))
    relevant = {q: set(np.flatnonzero(arrays["index_labels"] == arrays["truth"][q]).tolist()) for q in landmarks}
    ideal = {q: sorted(relevant[q]) if truth[q] else lists[q] for q in queries}
    sources = (("found", "found_pictures"), ("ideal", "ideal_pictures"))
    shown = {int(arrays[ids][q]): arrays[pictures][q] for ids, pictures in sources for q in queries}
    return cast_of(
        predictions,
        truth,
        dict(enumerate(arrays["pictures"])),
        {name: lists for name in scores} | {PERFECT: ideal},
        relevant,
        shown,
        dict(enumerate(calibrated)),
        dict(enumerate(arrays["names"].tolist())),
    )


def _spoilt(scores: tuple[float, ...], labels: list[int], truth: dict[int, set]) -> tuple[float, ...]:
    """Return the scores after the first maps that cost ``LOSS`` of GAP: a few maps are lucky and cost nothing."""

    def gap(some: tuple[float, ...]) -> float:
        return retrieval.global_average_precision({q: (labels[q], score) for q, score in enumerate(some)}, truth)

    drawn = (random_maps(scores, draw) for draw in range(50))
    return next((some for some in drawn if gap(some) <= gap(scores) - LOSS), random_maps(scores, 0))


def _answered() -> dict[str, np.ndarray]:
    """Describe queries and index, and return the answers as arrays."""
    from course_utils import data

    settings = dict(_SETTINGS)
    vlad = retrieval.VLAD(n_clusters=settings.pop("n_clusters"))
    describer = retrieval.DenseVLAD(sift=retrieval.DenseRootSIFT(**settings), vlad=vlad)
    describer.fit(data.Landmarks("train", n_images=_CODEBOOK).images, random_state=0)
    asked = [data.Landmarks(split, n_images=20) for split in ("validation_query", "validation_distractor")]
    index = data.Landmarks("validation_index")
    pictures, truth = np.concatenate([one.images.numpy() for one in asked]), np.concatenate([one.labels.numpy() for one in asked])
    similarity = np.concatenate([describer.describe(one.images) for one in asked]) @ describer.describe(index.images).T
    index_labels = index.labels.numpy()
    lists = np.argsort(-similarity, axis=1, kind="stable")
    best = np.array([row[index_labels[row] >= 0][0] for row in lists])  # the best index image that shows a landmark
    top = similarity[np.arange(len(best)), best]
    ideal = np.array([np.flatnonzero(index_labels == one)[0] if one >= 0 else found for one, found in zip(truth, best)])
    seen = index.images.numpy()
    return {
        "pictures": pictures,
        "truth": truth,
        "labels": index_labels[best],
        "similarity": top.round(4),
        "above_the_rest": ((top - similarity.mean(1)) / similarity.std(1)).round(4),
        "lists": lists[:, :100],
        "index_labels": index_labels,
        "found": best,
        "found_pictures": seen[best],
        "ideal": ideal,
        "ideal_pictures": seen[ideal],
        "names": np.array(index.class_names),
    }
