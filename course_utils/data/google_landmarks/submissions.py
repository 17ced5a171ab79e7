"""Solutions and submissions of the two Google Landmarks tasks: read, written and checked like a contest's scorer does.

A *solution* is the truth: one row a test image, with ``Usage`` Public, Private or Ignored. A *submission* is a system's
answer: one row an image, after a header line.

=============  =======================================  ==========================================
task           solution                                 submission
=============  =======================================  ==========================================
recognition    ``id, landmarks, Usage``; landmarks      ``id, landmarks``: "<landmark_id> <score>",
               separated by spaces, empty = none        empty = abstain
retrieval      ``id, images, Usage``; index images      ``id, images``: index images, best first,
               separated by spaces, ``None`` = ignored  separated by spaces, empty = none found
=============  =======================================  ==========================================

What is refused, each with file and line: an image that appears twice, an image that the solution does not know, a landmark
that is no number, a score that is no number or NaN, an answer that is no pair. What is accepted: spaces at the end, answers
to ignored images (they are skipped), more than 100 results (the rest is dropped). The official reader also accepts a NaN
score and does not notice a repeated image whose first answer is empty; here both are errors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_utils.checks import checked_choice, message
from course_utils.data.google_landmarks.tables import COLUMNS, ID_DIGITS, Row, rows_of

TASKS = {"recognition": "landmarks", "retrieval": "images"}
"""Task -> name of the column that holds the truth or the answer."""
USAGES = ("Public", "Private", "Ignored")
MAX_RESULTS = 100


@dataclass(frozen=True)
class Solution:
    """The truth of one task.

    Attributes
    ----------
    task : {"recognition", "retrieval"}
    truth : dict from image id to frozenset
        Landmark ids (int) or index image ids (str); empty: no landmark, or nothing to find.
    usage : dict from image id to {"Public", "Private", "Ignored"}
    """

    task: str
    truth: dict[str, frozenset]
    usage: dict[str, str]

    def part(self, usage: str | None = None) -> dict[str, frozenset]:
        """Return the truth of the Public or the Private images (default: both), ready for a metric."""
        wanted = USAGES[:2] if usage is None else (checked_choice(usage, "usage", USAGES),)
        return {image: truth for image, truth in self.truth.items() if self.usage[image] in wanted}

    def answers(self, predictions: Mapping[str, Any], usage: str | None = None) -> dict[str, Any]:
        """Return those of the predictions that are about the Public or the Private images (default: both)."""
        part = self.part(usage)
        return {image: answer for image, answer in predictions.items() if image in part}

    def __repr__(self) -> str:
        counts = ", ".join(f"{sum(u == usage for u in self.usage.values())} {usage}" for usage in USAGES)
        empty = sum(not truth and self.usage[image] != "Ignored" for image, truth in self.truth.items())
        return f"Solution({self.task}: {len(self.truth)} images, {counts}; {empty} counted ones without a landmark)"


def read_solution(path: str | Path, task: str) -> Solution:
    """Read ``recognition_solution_v2.1.csv`` or ``retrieval_solution_v2.1.csv``.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing or malformed; the message names the line.
    """
    column = TASKS[checked_choice(task, "task", TASKS)]
    truth: dict[str, frozenset] = {}
    usage: dict[str, str] = {}
    for row in rows_of(Path(path), COLUMNS[f"ground_truth/{task}_solution_v2.1.csv"]):
        image, purpose = _new_image(row, truth), row["Usage"].strip()
        if purpose not in USAGES:
            raise row.error(f"a row with one of {', '.join(USAGES)} as Usage", repr(row["Usage"]))
        items = row[column].split()
        if task == "recognition":
            truth[image] = frozenset(_landmark(row, item) for item in items)
        elif items == ["None"]:
            truth[image], purpose = frozenset(), "Ignored"
        else:
            truth[image] = frozenset(_index_image(row, item) for item in items)
            if not items and purpose != "Ignored":
                raise row.error("a row with index images, or None for an ignored query", "an empty field")
        usage[image] = purpose
    return Solution(task, truth, usage)


def read_submission(path: str | Path, solution: Solution) -> dict[str, Any]:
    """Read a submission and check it against the solution.

    Parameters
    ----------
    path : str or Path
        CSV file with the columns ``id`` and ``landmarks`` (recognition) or ``images`` (retrieval).
    solution : Solution

    Returns
    -------
    dict
        Recognition: image id -> (landmark id, score); images that abstain are absent. Retrieval: image id -> list of at
        most 100 index image ids. Ignored images are absent. Ready for the metrics.

    Raises
    ------
    FileNotFoundError, ValueError
        As the module says; the message names the line.
    """
    column, seen, answers = TASKS[solution.task], {}, {}
    for row in rows_of(Path(path), ("id", column)):
        image = _new_image(row, seen)
        seen[image] = True
        if image not in solution.truth:
            raise row.error("a row about an image of the solution", image)
        items = row[column].split()
        if not items or solution.usage[image] == "Ignored":
            continue
        if solution.task == "retrieval":
            answers[image] = [_index_image(row, item) for item in items[:MAX_RESULTS]]
        elif len(items) != 2:
            raise row.error("a row with one landmark and one score", f"{len(items)} parts")
        else:
            answers[image] = (_landmark(row, items[0]), _score(row, items[1]))
    return answers


def write_submission(path: str | Path, predictions: Mapping[str, Any], images: Sequence[str], task: str) -> None:
    """Write a submission: one row for every test image, empty where there is no answer.

    Parameters
    ----------
    path : str or Path
    predictions : mapping
        Image id -> (landmark id, score), or image id -> list of index image ids; at most 100 of them are written.
    images : sequence of str
        All test images, in the order of the rows.
    task : {"recognition", "retrieval"}

    Raises
    ------
    ValueError
        If a prediction is about an image that is not in ``images``, an image is listed twice, or a score is NaN.

    Notes
    -----
    Scores are written with ``repr``, so that the file gives back the same numbers: rounding would create ties.
    """
    column = TASKS[checked_choice(task, "task", TASKS)]
    listed = dict.fromkeys(images)
    if len(listed) != len(images):
        raise ValueError(message("images", "free of repeated images", f"{len(images) - len(listed)} repeated"))
    unknown = [image for image in predictions if image not in listed]
    if unknown:
        raise ValueError(message("predictions", "about the images listed", f"{len(unknown)} others, such as {unknown[0]!r}"))
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        file.write(f"id,{column}\n")
        for image in images:
            answer = predictions.get(image)
            file.write(f"{image},{'' if answer is None else _written(image, answer, task)}\n")


def _written(image: str, answer: Any, task: str) -> str:
    if task == "retrieval":
        return " ".join(str(item) for item in list(answer)[:MAX_RESULTS])
    landmark, score = answer
    if math.isnan(score):
        raise ValueError(message(f"predictions[{image!r}]", "a pair with a score other than NaN", repr(answer)))
    return f"{int(landmark)} {float(score)!r}"


def _new_image(row: Row, known: Mapping[str, Any]) -> str:
    image = row["id"].strip()
    if not ID_DIGITS.fullmatch(image):
        raise row.error("a row with an id of 16 hexadecimal digits", repr(row["id"]))
    if image in known:
        raise row.error("a row about a new image", f"{image} again")
    return image


def _landmark(row: Row, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise row.error("a row whose landmark is a number", repr(text))
    return int(text)


def _index_image(row: Row, text: str) -> str:
    if not ID_DIGITS.fullmatch(text):
        raise row.error("a row whose results have 16 hexadecimal digits", repr(text))
    return text


def _score(row: Row, text: str) -> float:
    try:
        score = float(text)
    except ValueError:
        raise row.error("a row whose score is a number", repr(text)) from None
    if math.isnan(score):
        raise row.error("a row whose score is a number", "NaN")
    return score
