"""The rows of one source: which samples there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.config.errors import counted
from vjepa_pipe.sources.tables.cache import load_table
from vjepa_pipe.sources.tables.columns import Table, TextColumn, digest_of, table_from_arrays, text_column
from vjepa_pipe.storage import is_remote, join, name_of, names_file, shown_path


class Rows:
    """A compact, immutable table: row `i` has a path and a label.

    Big tables live in memory-mapped files. Pickling one writes the file names alone, so worker processes
    share its pages whichever way they start.

    Args:
        name: What the source is called in samples and reports.
        table: The paths and labels.
        folder: Where relative paths start, a folder or its URL; paths are given back joined to it.
        entry: Cache folder that `table` is mapped from; None when it is held in memory.

    Attributes:
        name: What the source is called.
        folder: Where relative paths start.
    """

    def __init__(self, name: str, table: Table, folder: str = "", entry: Path | None = None) -> None:
        if len(table.paths) != len(table.labels):
            raise ValueError(f"paths and labels must be equally many (got {len(table.paths)} and {len(table.labels)})")
        self.name = name
        self._table = table
        self.folder = folder
        self._entry = entry

    @classmethod
    def from_lists(cls, name: str, paths: Iterable[str], labels: Sequence[int] | Sequence[str]) -> Rows:
        """Rows held in memory, for sources that are not annotation files.

        Args:
            name: What the source is called.
            paths: One path per row.
            labels: One label per row: all integers of 64 bits, or all text.
        """
        if all(isinstance(label, str) for label in labels):
            column: Any = text_column(str(label) for label in labels)
        else:
            column = np.array(labels, dtype=np.int64)
        return cls(name, Table(text_column(paths), column))

    def __len__(self) -> int:
        return len(self._table.paths)

    def path(self, i: int) -> str:
        """Path or URL of row `i`, from 0 to `len(rows) - 1`.

        Raises:
            IndexError: There is no such row.
        """
        return join(self.folder, self._table.paths[self._checked(i)])

    def stem(self, i: int) -> str:
        """File name of row `i`, without suffix.

        Raises:
            IndexError: There is no such row.
        """
        return Path(shown_path(self._table.paths[self._checked(i)])).stem

    @property
    def has_urls(self) -> bool:
        """Whether files lie elsewhere than on this machine, as far as the texts of the rows say."""
        return is_remote(self.folder) or any(is_remote(self._table.paths[i]) for i in self._table.paths.holding("://"))

    def label(self, i: int) -> int | str:
        """Label of row `i`: an int for classes, a str for captions and class names.

        Raises:
            IndexError: There is no such row.
        """
        labels = self._table.labels
        index = self._checked(i)
        return labels[index] if isinstance(labels, TextColumn) else int(labels[index])

    def named(self, file: str) -> list[int]:
        """The rows of a file, rising.

        Args:
            file: Its path or URL, or the last parts of it.
        """
        last = name_of(file) if is_remote(file) else file.rpartition("/")[2]
        return [row for row in self._table.paths.holding(last) if names_file(self.path(row), file)]

    def fingerprint(self) -> str:
        """A hash of all rows as they were written; where their folder lies does not count.

        It reads the whole table: about a second for 20 million rows.
        """
        return digest_of(self._table.arrays())

    def _checked(self, i: int) -> int:
        if not 0 <= i < len(self):
            raise IndexError(f"{self.name}: row must be from 0 to {len(self) - 1} (got {i})")
        return i

    def __repr__(self) -> str:
        return f"Rows({self.name!r}, {counted(len(self), 'row')})"

    def __reduce__(self) -> tuple[Any, ...]:
        arrays = self._table.arrays() if self._entry is None else None
        return _unpickled, (self.name, arrays, self.folder, self._entry)


def _unpickled(name: str, arrays: dict[str, NDArray[Any]] | None, folder: str, entry: Path) -> Rows:
    table = load_table(entry, check=False) if arrays is None else table_from_arrays(arrays)
    return Rows(name, table, folder, entry)
