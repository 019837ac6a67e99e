"""The copies of a source in shards, put together as `NAME.csv`, whose rows are beside it in `NAME/`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from vjepa_pipe.config.errors import UserError, counted
from vjepa_pipe.config.task import PrepareTaskConfig
from vjepa_pipe.files.whole_file import clear_drafts, make_folder
from vjepa_pipe.sources import Rows
from vjepa_pipe.sources.probed.index_file import Column, stamp
from vjepa_pipe.storage import Storage
from vjepa_pipe.tasks.annotations import write_annotations
from vjepa_pipe.tasks.killable import was_killed
from vjepa_pipe.tasks.prepare_copy import Copy, copy_name, encoding_of, make_copy
from vjepa_pipe.tasks.shard_log import Entry
from vjepa_pipe.tasks.shards import Shards

ABANDONED_SEC = 600.0
"""A draft that has not been written for so long is nobody's."""


class Copied(NamedTuple):
    """What is kept of an entry while a shard is worked on; see `Copy`."""

    error: str | None
    original_bytes: int = 0
    copy_bytes: int = 0
    seconds: float = 0.0
    fps: float = 0.0
    original_fps: float = 0.0


class CopyParts(Shards):
    """The logs, marks and copies of one source; see `Shards`.

    Args:
        folder: Where the list goes, and a folder of copies beside it.
        rows: The source.
        task: How copies are made, and the shard that is worked on.
        max_file_bytes: Larger originals are bad.
        storage: Reads what lies at URLs.

    Attributes:
        rows: The source.
        paths_here: The different paths of the shard, in order.
        found: What became of those that are done, by path.
    """

    def __init__(
        self, folder: Path, rows: Rows, task: PrepareTaskConfig, max_file_bytes: int | None, storage: Storage
    ) -> None:
        super().__init__(folder, rows, task.shards, Copy, {"encoding": encoding_of(task), "side": task.short_side})
        self.rows, self._task, self._max_file_bytes = rows, task, max_file_bytes
        self._copies, self._storage = folder / rows.name, storage
        self.paths_here = self.paths(task.shard)
        self.found = self._found()

    @property
    def good(self) -> dict[str, Copied]:
        """Those of `found` that have copies."""
        return {path: file for path, file in self.found.items() if not file.error}

    def copy_of(self, path: str) -> Path:
        """Where the copy of a file is, or will be."""
        return self._copies / copy_name(path, self._task)

    def make(self, paths: Sequence[str]) -> Iterator[None]:
        """Copy files of the shard that are not done; `found` tells what came out of each as it is yielded.

        Raises:
            UserError: If copies cannot be written, as where the disk is full.
        """
        function = partial(
            make_copy,
            folder=self._copies,
            task=self._task,
            max_file_bytes=self._max_file_bytes,
            storage=self._storage,
        )
        fault = ""
        try:
            for entry in self.work(self._task.shard, paths, function, self._task):
                self.found[entry[Column.PATH]] = _summary(entry)
                yield
        except UserError as error:
            fault = str(error)
        finally:
            clear_drafts(self._copies, of={self.copy_of(path).name for path in paths})
        if fault:  # outside, since of errors in a row the first is shown
            done = f"{len(self.good)} of {counted(len(self.paths_here), 'copy', 'copies')} of {self.rows.name} are done"
            raise UserError(f"{fault}; {done}, and the same command goes on from there")

    def _found(self) -> dict[str, Copied]:
        """What runs before have left: copies that are there, of the size that they had, and files that are bad.

        One whose process died or took too long is tried again.
        """
        make_folder(self._copies)
        clear_drafts(self._copies, ABANDONED_SEC)

        def still_holds(entry: Entry) -> bool:
            if entry[Column.ERROR]:
                return not was_killed(entry[Column.ERROR])
            return stamp(str(self.copy_of(entry[Column.PATH])))[:1] == [entry["copy_bytes"]]

        stamps = self.stamps_now(self._task, self._storage)
        return self.done(self._task.shard, _summary, still_holds, stamps)

    def _put_together(self, entries: Iterator[Entry]) -> None:
        rows, bad = self.rows, {entry[Column.PATH] for entry in entries if entry[Column.ERROR]}
        good = (row for row in range(len(rows)) if rows.path(row) not in bad)
        lines = ((f"{rows.name}/{self.copy_of(rows.path(row)).name}", rows.label(row)) for row in good)
        write_annotations(self.annotations, lines)
        clear_drafts(self._copies)


def _summary(entry: Entry) -> Copied:
    return Copied(entry[Column.ERROR], *(entry[name] for name in Copied._fields[1:] if not entry[Column.ERROR]))
