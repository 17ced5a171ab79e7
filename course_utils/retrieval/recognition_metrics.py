"""GAP, the metric of landmark recognition: one ranked list of answers for the whole test set.

The problem
    A recogniser gives each test image at most one answer, a class with a score, and may abstain. Most test images show no
    landmark at all. Accuracy over the landmark images does not see what happens on the others.
The idea
    Put the answers of *all* images into one list, sorted by score, and take the average precision of that list. A
    confident answer to a picture of lunch stands above hundreds of correct answers and lowers the precision of each of
    them. So scores must mean the same thing on every image: GAP judges recognition and confidence together.

With ``rel(i) = 1`` where the answer at rank ``i`` is right, and ``P(i)`` the precision among the first ``i`` answers::

    GAP = (1 / M) * sum over i of P(i) rel(i)

``M`` counts the test images with at least one landmark, answered or not. An image with several landmarks counts once:
any of its labels is right. Global average precision is also called micro-AP (F. Perronnin, Y. Liu, J.-M. Renders, "A
Family of Contextual Measures of Similarity between Distributions with Application to Image Retrieval", CVPR 2009).

Conventions
    Equal scores are ordered by image id, then by class, both ascending, as in the official code of T. Weyand, A. Araujo,
    B. Cao, J. Sim, "Google Landmarks Dataset v2", CVPR 2020, arXiv:2004.01804 (package ``delf``, folder
    ``datasets/google_landmarks_dataset``). Integers are ordered as numbers, strings as text.
    Infinite scores are scores; NaN is refused.
    Without equal scores ``GAP = sklearn.metrics.average_precision_score(correct, score) * n_correct / M``.
    ``non_landmark="ignore"`` is a variant that takes answers to images without a landmark out of the list first. It
    measures confidence among landmark images only and must not be called GAP in a comparison.

Taught in ``04_landmark_recognition``, steps 2 to 4.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from course_utils.checks import checked_array, checked_choice, checked_float, checked_int, message

NON_LANDMARK = ("count", "ignore")


@dataclass(frozen=True)
class RecognitionRanking:
    """The answers of a whole test set in the order in which GAP reads them, best score first.

    Attributes
    ----------
    ids : ndarray of shape (P,)
        Image of each answer.
    labels : ndarray of shape (P,)
        Its class.
    scores : ndarray of shape (P,), float64
    correct : ndarray of shape (P,), bool
    on_landmark : ndarray of shape (P,), bool
        Whether the image of the answer shows a landmark at all.
    n_landmark_images : int
        ``M``.
    """

    ids: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    correct: np.ndarray
    on_landmark: np.ndarray
    n_landmark_images: int

    def __len__(self) -> int:
        return len(self.scores)

    def __repr__(self) -> str:
        return (
            f"RecognitionRanking(GAP {self.gap:.4f}, top-1 accuracy {self.top_1_accuracy:.4f}; {len(self)} answers, "
            f"{self.n_correct} correct, {self.n_landmark_images} landmark images)"
        )

    @property
    def n_correct(self) -> int:
        """Return the number of correct answers."""
        return int(self.correct.sum())

    @property
    def precision(self) -> np.ndarray:
        """Return ``P(i)``: the share of correct answers among the first ``i``, shape (P,)."""
        return np.cumsum(self.correct) / np.arange(1, len(self) + 1)

    @property
    def recall(self) -> np.ndarray:
        """Return the share of landmark images answered correctly among the first ``i`` answers, shape (P,)."""
        return np.cumsum(self.correct) / self.n_landmark_images

    @property
    def gap(self) -> float:
        """Return global average precision."""
        return float(self.precision[self.correct].sum() / self.n_landmark_images)

    @property
    def top_1_accuracy(self) -> float:
        """Return the share of landmark images with a correct answer, whatever its score."""
        return self.n_correct / self.n_landmark_images

    @property
    def errors_above(self) -> np.ndarray:
        """Return how many wrong answers stand above each answer, shape (P,), int64."""
        wrong = ~self.correct
        return np.cumsum(wrong) - wrong

    @property
    def gain_if_withdrawn(self) -> np.ndarray:
        """Return by how much GAP changes when this one answer becomes an abstention, shape (P,).

        Never negative for a wrong answer: the answers below move up by one rank. Never positive for a correct one.
        """
        rank, hits = np.arange(1, len(self) + 1), np.cumsum(self.correct)
        one_up = rank * np.maximum(rank - 1, 1)
        # a correct answer below, at rank j with h hits, has precision h / (j - 1) without an error above it ...
        from_error = np.where(self.correct, hits / one_up, 0.0)
        # ... and (h - 1) / (j - 1) without a hit above it
        from_hit = np.where(self.correct, (hits - rank) / one_up, 0.0)
        change = np.where(self.correct, _sum_below(from_hit) - hits / np.maximum(rank, 1), _sum_below(from_error))
        return change / self.n_landmark_images

    def gap_at_share(self, n_images: int, share: float) -> float:
        """Return GAP in a larger or smaller crowd: with another share of images that show no landmark.

        Taught in ``04_landmark_recognition``, step 4.

        Parameters
        ----------
        n_images : int
            Test images in this set, answered or not; some of them must show no landmark.
        share : float in [0, 1)
            Of the images without a landmark in the other set. Real photo streams: about 0.99.

        Raises
        ------
        ValueError
            If there is no image without a landmark to learn from, or ``share`` lies outside [0, 1).

        Notes
        -----
        Every answer to an image without a landmark counts as often as the share asks for. With a whole number of copies
        this is exactly the GAP of the set with copies.
        """
        n_empty = checked_int(n_images, "n_images") - self.n_landmark_images
        if n_empty < 1:
            expected = f"more than {self.n_landmark_images}, the images with a landmark"
            raise ValueError(message("n_images", expected, str(n_images)))
        share = checked_float(share, "share", low=0.0)
        if share >= 1:
            raise ValueError(message("share", "below 1", f"{share:g}", "Some image must show a landmark."))
        copies = share / (1 - share) * self.n_landmark_images / n_empty
        weight = np.where(self.on_landmark, 1.0, copies)
        precision = np.cumsum(self.correct) / np.maximum(np.cumsum(weight), 1e-300)
        return float(precision[self.correct].sum() / self.n_landmark_images)


def global_average_precision(predictions: Mapping[Any, Any], truth: Mapping[Any, Any], non_landmark: str = "count") -> float:
    """Return GAP (micro-AP) of recognition answers.

    Taught in `04_landmark_recognition`, step 2.

    Parameters
    ----------
    predictions : mapping from image id to (label, score)
        At most one answer for each image; an absent image, or the value None, abstains. Labels are integers or strings.
    truth : mapping from image id to a set of labels
        Every test image. An empty set: the image shows no landmark.
    non_landmark : {"count", "ignore"}, default "count"
        Answers to images without a landmark are errors, or are taken out first.

    Returns
    -------
    float, in [0, 1]
        0 without any answer.

    Raises
    ------
    TypeError
        If an answer is not a pair, a score not a number, a truth not a set, ids or labels of mixed types, or all
        predicted labels text and all true ones numbers.
    ValueError
        For an image that ``truth`` does not know, a NaN score, or a truth without any landmark image (M = 0).

    Examples
    --------
    >>> truth = {"q1": {5}, "q2": {7}, "q3": {9}, "q4": set(), "q5": set()}
    >>> answers = {"q1": (5, 0.9), "q4": (3, 0.8), "q2": (1, 0.7), "q3": (9, 0.6)}
    >>> global_average_precision(answers, truth)
    0.5
    >>> del answers["q4"]
    >>> round(global_average_precision(answers, truth), 4)
    0.5556
    """
    return recognition_ranking(predictions, truth, non_landmark).gap


def recognition_ranking(
    predictions: Mapping[Any, Any], truth: Mapping[Any, Any], non_landmark: str = "count"
) -> RecognitionRanking:
    """Return the ranked list behind ``global_average_precision``: every answer, right or wrong, with what it costs.

    Parameters
    ----------
    predictions, truth, non_landmark
        As in ``global_average_precision``.

    Raises
    ------
    TypeError, ValueError
        As ``global_average_precision``.

    Examples
    --------
    >>> ranking = recognition_ranking({"a": (5, 0.9), "b": (5, 0.8), "c": (5, 0.1)}, {"a": {5}, "b": set(), "c": {5}})
    >>> ranking.correct.tolist(), ranking.errors_above.tolist()
    ([True, False, True], [0, 0, 1])
    """
    checked_choice(non_landmark, "non_landmark", NON_LANDMARK)
    _check_mapping(predictions, "predictions", "an image id to (label, score)")
    _check_mapping(truth, "truth", "an image id to a set of labels")
    for image, labels in truth.items():
        check_set(labels, f"truth[{image!r}]", "labels")
    ids, labels, scores = _unpacked(predictions)
    unknown = [image for image in ids if image not in truth]
    if unknown:
        expected = "about images of `truth`"
        raise ValueError(message("predictions", expected, f"{len(unknown)} others, such as {unknown[0]!r}"))
    _check_label_kinds(labels, truth)
    n_landmark_images = sum(len(labels) > 0 for labels in truth.values())
    on_landmark = np.array([len(truth[image]) > 0 for image in ids], bool)
    correct = np.array([label in truth[image] for image, label in zip(ids, labels)], bool)
    ranking = rank_answers(
        scores, correct, n_landmark_images, ids=as_array(ids), labels=as_array(labels), on_landmark=on_landmark
    )
    if non_landmark == "count":
        return ranking
    keep = ranking.on_landmark
    fields = (ranking.ids, ranking.labels, ranking.scores, ranking.correct, ranking.on_landmark)
    return RecognitionRanking(*(field[keep] for field in fields), n_landmark_images)


def rank_answers(
    scores: Any,
    correct: Any,
    n_landmark_images: int,
    *,
    ids: Any = None,
    labels: Any = None,
    on_landmark: Any = None,
) -> RecognitionRanking:
    """Return the ranked list from arrays: the fast form for simulations and large test sets.

    Parameters
    ----------
    scores : array-like or Tensor of shape (P,)
        One for each answer; images that abstain are not in the arrays.
    correct : array-like or Tensor of shape (P,), bool or 0/1
    n_landmark_images : int
        ``M``, at least 1 and at least the number of correct answers.
    ids, labels : array-like of shape (P,), optional
        Order equal scores by ``ids``, then by ``labels``; without them the input order decides.
    on_landmark : array-like of shape (P,), bool, optional
        Without it, all answers count as answers to landmark images.

    Raises
    ------
    ValueError
        For NaN scores, flags other than 0 and 1, ``M = 0``, an ``M`` below the number of correct answers, a correct
        answer off a landmark, and arrays of different lengths.

    Notes
    -----
    One ``lexsort`` and one cumulative sum: ``O(P log P)``.

    Examples
    --------
    >>> rank_answers([0.9, 0.8, 0.7, 0.6], [1, 0, 0, 1], n_landmark_images=3)
    RecognitionRanking(GAP 0.5000, top-1 accuracy 0.6667; 4 answers, 2 correct, 3 landmark images)
    """
    scores = checked_array(scores, "scores", ("P",), np.float64, finite=False)
    if np.isnan(scores).any():
        got = f"NaN for answer {int(np.flatnonzero(np.isnan(scores))[0])}"
        raise ValueError(message("scores", "free of NaN", got, "An image without a score abstains: leave it out."))
    n = len(scores)
    correct = _checked_flags(correct, "correct", n)
    on_landmark = np.ones(n, bool) if on_landmark is None else _checked_flags(on_landmark, "on_landmark", n)
    if (correct & ~on_landmark).any():
        got = f"correct for answer {int(np.flatnonzero(correct & ~on_landmark)[0])}"
        raise ValueError(message("correct", "false where `on_landmark` is false", got))
    n_landmark_images = checked_int(n_landmark_images, "n_landmark_images")
    if n_landmark_images < 1:
        raise ValueError(
            message("truth", "a mapping with at least one image that shows a landmark (M > 0)", "none", "GAP would be 0 / 0.")
        )
    if correct.sum() > n_landmark_images:
        raise ValueError(message("n_landmark_images", f"at least {correct.sum()}, the correct answers", str(n_landmark_images)))
    ids = np.arange(n) if ids is None else _checked_keys(ids, "ids", n)
    labels = np.full(n, -1) if labels is None else _checked_keys(labels, "labels", n)
    order = np.lexsort((labels, ids, -scores))
    return RecognitionRanking(ids[order], labels[order], scores[order], correct[order], on_landmark[order], n_landmark_images)


def check_set(values: Any, name: str, content: str) -> None:
    """Refuse a string or a number where a set is meant: ``"5" in "15"`` is true."""
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Collection):
        raise TypeError(message(name, f"a set of {content}", repr(values)))


def as_array(keys: list[Any]) -> np.ndarray:
    """Return ids or labels as an array of integers or of text; refuse a mixture, which has no order."""
    if not keys:
        return np.zeros(0, np.int64)
    if all(isinstance(key, str) for key in keys):
        return np.array(keys)
    if all(isinstance(key, Integral) and not isinstance(key, bool) for key in keys):
        return np.array(keys, dtype=np.int64)
    kinds = ", ".join(sorted({type(key).__name__ for key in keys}))
    raise TypeError(message("ids and labels", "all integers or all strings", kinds))


def _unpacked(predictions: Mapping[Any, Any]) -> tuple[list[Any], list[Any], list[float]]:
    ids, labels, scores = [], [], []
    for image, answer in predictions.items():
        if answer is None:
            continue
        if not isinstance(answer, (tuple, list)) or len(answer) != 2:
            raise TypeError(message(f"predictions[{image!r}]", "a pair (label, score)", repr(answer)))
        label, score = answer
        if isinstance(score, bool) or not isinstance(score, Real):
            raise TypeError(message(f"predictions[{image!r}]", "a pair whose score is a number", repr(answer)))
        if score != score:
            advice = "An image without a score abstains: leave it out."
            raise ValueError(message(f"predictions[{image!r}]", "a pair with a score other than NaN", repr(answer), advice))
        ids.append(image)
        labels.append(label)
        scores.append(float(score))
    return ids, labels, scores


def _check_mapping(value: Any, name: str, content: str) -> None:
    if not isinstance(value, Mapping):
        raise TypeError(message(name, f"a mapping from {content}", type(value).__name__))


def _check_label_kinds(labels: list[Any], truth: Mapping[Any, Any]) -> None:
    """Refuse answers "5" to a truth of 5: they never match, and the result would be a silent 0."""
    predicted = {isinstance(label, str) for label in labels}
    true = {isinstance(label, str) for labels in truth.values() for label in labels}
    if predicted and true and not predicted & true:
        words = {True: "text", False: "numbers"}
        got = f"{words[predicted.pop()]}"
        raise TypeError(message("labels of `predictions`", f"{words[true.pop()]}, like those of `truth`", got))


def _checked_flags(values: Any, name: str, n: int) -> np.ndarray:
    array = checked_array(values, name, (n,), np.float64)
    if not np.isin(array, (0, 1)).all():
        raise ValueError(message(name, "true or false, 0 or 1", f"{array[~np.isin(array, (0, 1))][0]:g}"))
    return array.astype(bool)


def _checked_keys(values: Any, name: str, n: int) -> np.ndarray:
    array = np.asarray(values)
    if array.shape != (n,):
        raise ValueError(message(name, f"an array of shape ({n},)", f"shape {array.shape}"))
    return array


def _sum_below(values: np.ndarray) -> np.ndarray:
    """Return, for each position, the sum of the values after it."""
    return np.cumsum(values[::-1])[::-1] - values
