"""All records: those of the course, and those of a JSON file that a teacher hands out.

``--catalogue FILE`` adds data sets of your own to every command, or replaces one of the course under its name. The
file holds a list of records in the form of ``records.Record``::

    [{"name": "our_town", "title": "Our town", "home_page": "https://...", "licence": "CC BY 4.0", "citation": "...",
      "used_for": "01_vlad", "expects": ["day"],
      "files": [{"path": "our_town.zip", "addresses": ["https://..."], "size": 12345, "checksum": "sha256:...", "unpack": "zip"}]}]
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path

from data_scripts import google_landmarks
from data_scripts.errors import DataScriptError
from data_scripts.picture_sets import PICTURE_SETS
from data_scripts.records import Record, record_from_mapping
from data_scripts.retrieval_sets import RETRIEVAL_SETS


def all_records(own: Path | None = None) -> dict[str, Record]:
    """Return name -> record; Google Landmarks v2 is represented by its first part.

    Parameters
    ----------
    own : Path, optional
        A JSON file with further records.

    Raises
    ------
    DataScriptError
        If the file cannot be read or a record in it is not acceptable.
    """
    records = (google_landmarks.part_record("train_000"), *RETRIEVAL_SETS, *PICTURE_SETS, *_own_records(own))
    return {record.name: record for record in records}


def find_record(name: str, part: str | None = None, own: Path | None = None) -> Record:
    """Return one record, by a name in which ``-`` and upper case are forgiven.

    Raises
    ------
    DataScriptError
        If there is no such set or part; the message suggests one.
    """
    records, wanted = all_records(own), name.lower().replace("-", "_")
    if wanted not in records:
        close = difflib.get_close_matches(wanted, records, n=1, cutoff=0.5)
        advice = f" Did you mean {close[0]}?" if close else ""
        raise DataScriptError(f"There is no data set called {name}.{advice} `python -m data_scripts list` shows all.")
    record = records[wanted]
    if record.finish == "google_landmarks":
        return google_landmarks.part_record(part or "")
    if part and part != record.part:
        raise DataScriptError(f"{record.name} has no parts; leave out --part.")
    return record


def _own_records(path: Path | None) -> list[Record]:
    if path is None:
        return []
    try:
        return [record_from_mapping(content) for content in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataScriptError(f"The catalogue {path} cannot be used: {error}") from error
