"""EPIC-KITCHENS: actions in long videos, each with the class of its verb and its noun."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.sources.errors import SourceError
from vjepa_pipe.sources.lists.delimited import csv_rows
from vjepa_pipe.sources.rows import Rows
from vjepa_pipe.sources.tables.columns import Table, digest_of, text_column
from vjepa_pipe.sources.tables.text import list_file
from vjepa_pipe.storage import Storage, absolute, folder_of

NUMBERS = ("start_frame", "stop_frame", "verb_class", "noun_class")
MOST_DIGITS = 15
Pair = tuple[int, int]


class Action(NamedTuple):
    """A row of an annotation file: frames are numbered from 0, `verb` and `noun` are classes as the file has them."""

    video: str
    first: int
    last: int
    verb: int
    noun: int


def read_actions(path: str | Path, storage: Storage | None = None) -> list[Action]:
    """The actions of an annotation file, in its order: CSV with the columns `video_id` and those of `NUMBERS`.

    Args:
        path: The file, or its URL.
        storage: Reads what lies at a URL; unset: with the default settings.

    Raises:
        StorageError: The store of a URL does not answer.
        SourceError: A column is missing, or a row has an id that is no file name or a number that is none; or no rows.
    """
    file = list_file(str(path), storage or Storage())
    actions = []
    for line, row in csv_rows(file, ("video_id", *NUMBERS)):
        if not row["video_id"] or "/" in row["video_id"]:
            raise SourceError(file, f"line {line}: video_id must be a file name (got {row['video_id']!r})")
        for name in NUMBERS:
            if not (row[name].isascii() and row[name].isdigit() and len(row[name]) <= MOST_DIGITS):
                raise SourceError(file, f"line {line}: {name} must be a whole number (got {row[name]!r})")
        actions.append(Action(row["video_id"], *(int(row[name]) for name in NUMBERS)))
    if not actions:
        raise SourceError(file, "holds no rows")
    return actions


@dataclass(frozen=True)
class ActionClasses:
    """What the classes of samples, from 0, stand for.

    Attributes:
        verbs: Verb class of the annotation files to that of samples.
        nouns: The same of nouns.
        actions: Pairs of verb and noun class of the files to the action class of samples.
    """

    verbs: dict[int, int]
    nouns: dict[int, int]
    actions: dict[Pair, int]

    @classmethod
    def of(cls, actions: Iterable[Action], convention: str = "strict") -> ActionClasses:
        """The classes that occur in some actions.

        `strict` numbers them in ascending order. `reference` numbers them as the published code does (vjepa2
        evals/action_anticipation_frozen/epickitchens.py), in the order of Python's sets, as released probes are.
        """
        pairs = {(action.verb, action.noun) for action in actions}
        order: Any = list if convention == "reference" else sorted
        verbs, nouns = {verb for verb, _ in pairs}, {noun for _, noun in pairs}
        return cls(*({found: i for i, found in enumerate(order(one))} for one in (verbs, nouns, pairs)))


class Segments(Rows):
    """Rows that are actions in videos; a row's label is its action class.

    Args:
        name: What the source is called.
        table: Paths of the videos, and action classes.
        folder: Where the paths start.
        numbers: First frame, last frame, verb class and noun class of each row, int64 `[rows, 4]`.
    """

    def __init__(self, name: str, table: Table, folder: str, numbers: NDArray[np.int64]) -> None:
        super().__init__(name, table, folder)
        self._numbers = numbers

    @classmethod
    def of(
        cls,
        path: str,
        actions: Sequence[Action],
        classes: ActionClasses,
        video_root: str,
        video_path: str,
        name: str = "",
    ) -> Segments:
        """The actions of a file whose verb and noun occur together in `classes`; others are left out.

        Args:
            path: The annotation file.
            actions: What it holds.
            classes: The classes of samples.
            video_root: Folder of the videos, or its URL; empty: the annotation file's.
            video_path: Where a video lies in it, with `{participant}` and `{video}`.
            name: What the source is called; empty: the file's name without suffix.

        Raises:
            SourceError: None of its actions occurs in `classes`.
        """
        known = [one for one in actions if (one.verb, one.noun) in classes.actions]
        if not known:
            raise SourceError(path, "none of its actions is one of training")
        paths = (
            video_path.replace("{participant}", one.video.split("_")[0]).replace("{video}", one.video) for one in known
        )
        labels = np.array([classes.actions[one.verb, one.noun] for one in known], np.int64)
        numbers = [(one.first, one.last, classes.verbs[one.verb], classes.nouns[one.noun]) for one in known]
        folder = absolute(video_root) if video_root else folder_of(absolute(path))
        return cls(name or Path(path).stem, Table(text_column(paths), labels), folder, np.array(numbers, np.int64))

    def numbers(self, i: int) -> list[int]:
        """First frame, last frame, verb class and noun class of row `i`."""
        return [int(number) for number in self._numbers[self._checked(i)]]

    def fingerprint(self) -> str:
        """See `Rows.fingerprint`."""
        return digest_of(self._table.arrays() | {"numbers": self._numbers})

    def __reduce__(self) -> tuple[Any, ...]:
        return Segments, (self.name, self._table, self.folder, self._numbers)
