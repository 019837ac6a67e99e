"""The files of a source, worked through in shards: a log for each, put together by whichever shard ends last.

Shards may run at the same time, on several machines, in any order and more than once. A shard that ends writes its
mark and then looks for those of the others, so the last to write finds them all. Two that do so at once both put the
logs together, and leave equal files.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.task import ShardedTaskConfig
from vjepa_pipe.files.whole_file import write_whole
from vjepa_pipe.sources import Rows
from vjepa_pipe.sources.probed.index_file import Column, stamp
from vjepa_pipe.storage import Storage, is_remote
from vjepa_pipe.tasks.killable import map_killable
from vjepa_pipe.tasks.shard_log import Entry, append_entry, entry_at, read_log

Summary = TypeVar("Summary")

SETTINGS = "settings"
"""Key of an entry's settings, shortened."""


def was_here(folder: Path, name: str, *, copies: bool) -> bool:
    """Whether a run has left anything of a source of this name in a folder: its copies, or its index."""
    return any((SETTINGS in entry) is copies for log in _logs(folder, name) for _, entry in read_log(log, object))


def _logs(folder: Path, name: str) -> list[Path]:
    wanted = re.compile(rf"{re.escape(name)}(\.\d+-of-\d+)?\.jsonl")
    return sorted(file for file in folder.iterdir() if wanted.fullmatch(file.name))


class Shards(ABC):
    """The logs and marks of one source in a folder.

    Args:
        folder: Where they and the results are.
        rows: The source.
        shards: Parts that its rows are cut into.
        result: A NamedTuple: what is found of a file that has no fault.
        settings: What else results depend on: entries that were made with others do not count.
    """

    def __init__(
        self, folder: Path, rows: Rows, shards: int, result: type, settings: Mapping[str, Any] | None = None
    ) -> None:
        self._folder, self._rows, self._shards, self._result = folder, rows, shards, result
        of = {"rows": rows.fingerprint(), "folder": rows.folder, "shards": shards}
        self._made_of = json.dumps(of | dict(settings or {}))
        self._settings = {SETTINGS: sha256(json.dumps(settings).encode()).hexdigest()[:8]} if settings else {}

    @property
    def annotations(self) -> Path:
        """Where the rows go whose files have no fault."""
        return self._folder / f"{self._rows.name}.csv"

    def log(self, shard: int) -> Path:
        """A line of JSON for each file that this shard is done with."""
        part = "" if self._shards == 1 else f".{shard}-of-{self._shards}"
        return self._folder / f"{self._rows.name}{part}.jsonl"

    def paths(self, shard: int) -> list[str]:
        """The different paths of a shard, in order."""
        return list(dict.fromkeys(map(self._rows.path, self.rows_of(shard))))

    def rows_of(self, shard: int) -> range:
        """The numbers of a shard's rows."""
        first, last = (len(self._rows) * part // self._shards for part in (shard, shard + 1))
        return range(first, last)

    def left_elsewhere(self, shard: int) -> int:
        """About how many files the other shards have not done."""
        left = 0
        for other in range(self._shards):
            if other != shard and not self._is_done(other):
                log = self.log(other)
                done = len({entry[Column.PATH] for _, entry in self._entries(log)})
                left += max(0, len(self.rows_of(other)) - done)
        return left

    def begin(self, shard: int) -> None:
        """A shard starts, perhaps again: it is not done."""
        self._mark(shard).unlink(missing_ok=True)

    def logged(self, shard: int) -> set[str]:
        """The files of a shard that stand in a log, whether or not their entries still hold."""
        logs = [self.log(shard), *self._logs_of_other_numbers()]
        return {entry[Column.PATH] for log in logs for _, entry in self._entries(log)} & set(self.paths(shard))

    def stamps_now(self, task: ShardedTaskConfig, storage: Storage) -> Callable[[str], list[int]]:
        """Gives the stamp that a file has now; those of logged objects are asked for beforehand, side by side."""
        remote = sorted(filter(is_remote, self.logged(task.shard))) if self._rows.has_urls else []
        asked = map_killable(partial(stamp, storage=storage), remote, task.workers, task.timeout_sec) if remote else ()
        found = {outcome.item: outcome.result or [] for outcome in asked}
        return lambda path: found[path] if path in found else stamp(path)

    def done(
        self,
        shard: int,
        summary: Callable[[Entry], Summary],
        still_holds: Callable[[Entry], bool] = lambda _: True,
        stamp_of: Callable[[str], list[int]] = stamp,
    ) -> dict[str, Summary]:
        """The files of a shard that are done, whatever number of shards the runs before had.

        An entry counts while its file has the size and the time of change that it had. One that another number of
        shards left is copied into this shard's log.

        Args:
            shard: The shard.
            summary: What is kept of an entry: whole entries of millions of files are big.
            still_holds: What else must hold of it.
            stamp_of: Gives the stamp that a file has now.
        """
        found: dict[str, Summary] = {}
        paths, log = dict.fromkeys(self.paths(shard)), self.log(shard)
        append_entry(log, b"\n" if log.exists() else b"")  # closes a line that was cut off
        for file in [log, *self._logs_of_other_numbers()]:
            for _, entry in self._entries(file) if len(found) < len(paths) or file == log else ():
                path = entry[Column.PATH]
                if path not in paths or (file != log and path in found):
                    continue
                if entry[Column.STAMP] == stamp_of(path) and still_holds(entry):
                    found[path] = summary(entry)
                    if file != log:
                        append_entry(log, f"{json.dumps(entry)}\n".encode())
                else:
                    found.pop(path, None)
        return found

    def work(
        self, shard: int, paths: Sequence[str], function: Callable[[str], Any], task: ShardedTaskConfig
    ) -> Iterator[Entry]:
        """Call a function for files of a shard, in processes that can be killed; log and yield what came out.

        Those that `done` has given need it not.

        Raises:
            UserError: If the log cannot be written, or as `map_killable`.
        """
        for outcome in map_killable(function, paths, task.workers, task.timeout_sec):
            now = [] if is_remote(outcome.item) else stamp(outcome.item)
            entry: Entry = {Column.PATH: outcome.item, Column.STAMP: now, Column.ERROR: outcome.error}
            entry |= self._settings | (outcome.result._asdict() if outcome.result is not None else {})
            append_entry(self.log(shard), f"{json.dumps(entry)}\n".encode())
            yield entry

    def end(self, shard: int) -> bool:
        """A shard is done; if all are, they are put together. Returns whether they were."""
        write_whole(self._mark(shard), self._made_of)
        if not all(self._is_done(shard) for shard in range(self._shards)):
            return False
        places = self._places()
        with ExitStack() as opened:
            logs = [opened.enter_context(self.log(shard).open("rb")) for shard in range(self._shards)]
            paths = dict.fromkeys(map(self._rows.path, range(len(self._rows))))
            found = (places[path] for path in paths)
            self._put_together(entry_at(logs[shard], place, self._result) for shard, place in found)
        return True

    @abstractmethod
    def _put_together(self, entries: Iterator[Entry]) -> None:
        """Write the results, from the entries of all files in the order of the rows."""

    def _entries(self, log: Path) -> Iterator[tuple[int, Entry]]:
        """The entries of a log that were made with these settings, each with its place."""
        for place, entry in read_log(log, self._result):
            if entry.get(SETTINGS) == self._settings.get(SETTINGS):
                yield place, entry

    def _logs_of_other_numbers(self) -> list[Path]:
        """What runs with another number of shards have left."""
        ours = {self.log(shard) for shard in range(self._shards)}
        return [file for file in _logs(self._folder, self._rows.name) if file not in ours]

    def _mark(self, shard: int) -> Path:
        return self.log(shard).with_suffix(".done")

    def _is_done(self, shard: int) -> bool:
        try:
            # One of another list does not count, nor one whose log was deleted.
            return self._mark(shard).read_text() == self._made_of and self.log(shard).exists()
        except OSError:
            return False

    def _places(self) -> dict[str, tuple[int, int]]:
        """The shard and the place in its log of each path's entry: entries themselves are read when they are written.

        Raises:
            UserError: If a log has been damaged since its shard was done.
        """
        places = {
            entry[Column.PATH]: (shard, place)
            for shard in range(self._shards)
            for place, entry in self._entries(self.log(shard))
        }
        for shard in range(self._shards):
            for path in self.paths(shard):
                if path not in places:
                    raise UserError(f"{self.log(shard)} is damaged: it lacks {path}; run task.shard={shard} again")
        return places
