"""The parts of an index: a log for each shard, put together by whichever shard ends last.

Shards may run at the same time, on several machines, in any order and more than once. A shard that ends writes its
mark and then looks for those of the others, so the last to write finds them all. Two that do so at once both put the
parts together, from the same logs, and leave equal files.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from vjepa_pipe.config.errors import ConfigError, UserError
from vjepa_pipe.files.whole_file import replacing, write_whole
from vjepa_pipe.sources import Rows
from vjepa_pipe.sources.probed.index_file import SUFFIX, Column, import_parquet, index_schema, open_index, printable
from vjepa_pipe.storage import shown_path
from vjepa_pipe.tasks.index_log import Entry, entry_at, read_log

MADE_OF = b"vjepa_pipe"
"""Key of the Parquet file's metadata that says which list it is of, and of how many parts."""

GROUP = 1 << 14
"""Entries held at a time."""


class IndexParts:
    """The logs, marks and results of one source in an index folder.

    Args:
        folder: The index folder.
        rows: The source.
        shards: Parts that its rows are cut into.
    """

    def __init__(self, folder: Path, rows: Rows, shards: int) -> None:
        self._folder, self._rows, self._shards = folder, rows, shards
        self._made_of = json.dumps({"rows": rows.fingerprint(), "folder": rows.folder, "shards": shards})

    @property
    def parquet(self) -> Path:
        """Where the parts are put together."""
        return self._folder / f"{self._rows.name}{SUFFIX}"

    @property
    def annotations(self) -> Path:
        """Where the rows go whose files can be read."""
        return self._folder / f"{self._rows.name}.csv"

    def log(self, shard: int) -> Path:
        """A line of JSON for each file that this shard has probed."""
        part = "" if self._shards == 1 else f".{shard}-of-{self._shards}"
        return self._folder / f"{self._rows.name}{part}.jsonl"

    def paths(self, shard: int) -> list[str]:
        """The different paths of a shard, in order."""
        first, last = (len(self._rows) * part // self._shards for part in (shard, shard + 1))
        return list(dict.fromkeys(self._rows.path(row) for row in range(first, last)))

    def begin(self, shard: int) -> None:
        """A shard starts, perhaps again: it is not done, and an index of another list or number of parts goes."""
        self._mark(shard).unlink(missing_ok=True)
        if self.parquet.exists() and _made_of(self.parquet) != self._made_of:
            self.parquet.unlink(missing_ok=True)

    def end(self, shard: int) -> bool:
        """A shard is done; if all are, they are put together. Returns whether they were."""
        write_whole(self._mark(shard), self._made_of)
        if not all(self._is_done(shard) for shard in range(self._shards)):
            return False
        self._put_together()
        return True

    def _mark(self, shard: int) -> Path:
        return self.log(shard).with_suffix(".done")

    def _is_done(self, shard: int) -> bool:
        try:
            # One of another list does not count, nor one whose log was deleted.
            return self._mark(shard).read_text() == self._made_of and self.log(shard).exists()
        except OSError:
            return False

    def _put_together(self) -> None:
        """Write the results, holding of each entry only its place in the logs: those of millions of files are big."""
        places = {
            entry[Column.PATH]: (shard, place)
            for shard in range(self._shards)
            for place, entry in read_log(self.log(shard))
        }
        self._refuse_gaps(places)
        bad = set()
        with ExitStack() as opened:
            logs = [opened.enter_context(self.log(shard).open("rb")) for shard in range(self._shards)]

            def entries() -> Iterator[Entry]:
                for path in dict.fromkeys(map(self._rows.path, range(len(self._rows)))):
                    shard, place = places[path]
                    entry = entry_at(logs[shard], place)
                    if entry[Column.ERROR]:
                        bad.add(path)
                    yield entry

            with replacing(self.parquet) as draft:
                write_index(draft, entries(), self._made_of)
        good = (row for row in range(len(self._rows)) if self._rows.path(row) not in bad)
        write_annotations(self.annotations, ((self._rows.path(row), self._rows.label(row)) for row in good))

    def _refuse_gaps(self, places: Mapping[str, tuple[int, int]]) -> None:
        """A log may have been damaged since its shard was done."""
        for shard in range(self._shards):
            for path in self.paths(shard):
                if path not in places:
                    raise UserError(f"{self.log(shard)} is damaged: it lacks {path}; run task.shard={shard} again")


def write_index(file: Path, entries: Iterable[Entry], made_of: str = "") -> None:
    """Write entries as Parquet."""
    pyarrow = import_parquet()
    schema = index_schema().with_metadata({MADE_OF: made_of.encode()})
    # Names of files need not be valid text: they go through bytes, and errors that quote them are escaped.
    in_bytes = schema.set(0, pyarrow.field(Column.PATH.value, pyarrow.binary()))
    left = map(_in_bytes, entries)
    with pyarrow.parquet.ParquetWriter(file, schema, write_page_checksum=True) as writer:
        while group := list(islice(left, GROUP)):
            writer.write_table(pyarrow.Table.from_pylist(group, schema=in_bytes).cast(schema, safe=False))


def _in_bytes(entry: Entry) -> Entry:
    path, error = entry[Column.PATH].encode("utf-8", "surrogateescape"), entry[Column.ERROR]
    return entry | {Column.PATH: path, Column.ERROR: error and printable(error)}


def _made_of(file: Path) -> str:
    try:
        with open_index(file) as opened:
            return str((opened.schema_arrow.metadata or {}).get(MADE_OF, b"").decode())
    except (OSError, ValueError):
        return ""


def own_names(sources: Sequence[Rows], lists: Sequence[str], folder: Path, setting: str) -> None:
    """Check that each source's `NAME.csv` in a folder is neither another's nor a list that is read.

    Args:
        sources: The rows.
        lists: What each was read from.
        folder: Where results are written.
        setting: What names the folder, for messages.

    Raises:
        ConfigError: If two sources have one name.
        UserError: If a result would be written over a list.
    """
    for name, count in Counter(rows.name for rows in sources).items():
        if count > 1:
            raise ConfigError([f"data.source_names must be set: {count} sources are called {name}"])
    read = {Path(source).resolve() for source in lists}
    for rows in sources:
        written = folder / f"{rows.name}.csv"
        if written.resolve() in read:
            raise UserError(f"{setting}={folder}: {written} is the list itself; name another folder")


def listable(sources: Sequence[Rows]) -> None:
    """Check that each path can stand on a line of a list.

    Raises:
        UserError: Naming the first that cannot.
    """
    for path in (rows.path(row) for rows in sources for row in range(len(rows))):
        if "\n" in path or "\r" in path or printable(path) != path:
            reason = "holds a line break" if printable(path) == path else "is not UTF-8 text"
            raise UserError(f"{path!r}: its name {reason}, which no list can hold: rename it")
        if path != shown_path(path):
            raise UserError(
                f"{shown_path(path)}: its URL has a user name or a query, which may be a credential, and an index "
                "keeps all paths"
            )


def write_annotations(file: Path, lines: Iterable[tuple[str, int | str]]) -> None:
    """Write `path label` lines, or `path::label` where a path or label holds a space."""
    pairs = [(path, str(label)) for path, label in lines]
    with replacing(file) as draft, draft.open("w", encoding="utf-8", newline="") as stream:
        if any("::" in path for path, _ in pairs):
            csv.writer(stream, delimiter=" ", lineterminator="\n").writerows(pairs)
        else:
            mark = "::" if any(" " in path or " " in label for path, label in pairs) else " "
            stream.writelines(f"{path}{mark}{label}\n" for path, label in pairs)
