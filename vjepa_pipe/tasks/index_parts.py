"""The parts of an index, put together as `NAME.parquet`, and as `NAME.csv` with the rows whose files can be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.files.whole_file import replacing
from vjepa_pipe.sources import Rows
from vjepa_pipe.sources.probed.index_file import SUFFIX, Column, import_parquet, index_schema, open_index, printable
from vjepa_pipe.storage import shown_path
from vjepa_pipe.tasks.annotations import write_annotations
from vjepa_pipe.tasks.shard_log import Entry
from vjepa_pipe.tasks.shards import Shards
from vjepa_pipe.video.probe import Probe

MADE_OF = b"vjepa_pipe"
"""Key of the Parquet file's metadata that says which list it is of, and of how many parts."""

GROUP, GROUP_BYTES = 1 << 14, 1 << 26
"""Entries held at a time, and about the bytes of their packets: hours of video have a MB each."""


class IndexParts(Shards):
    """The logs, marks and results of one source in an index folder; see `Shards`."""

    def __init__(self, folder: Path, rows: Rows, shards: int) -> None:
        super().__init__(folder, rows, shards, Probe)

    @property
    def parquet(self) -> Path:
        """Where the parts are put together."""
        return self._folder / f"{self._rows.name}{SUFFIX}"

    def begin(self, shard: int) -> None:
        """See `Shards.begin`; an index of another list or number of parts goes."""
        super().begin(shard)
        if self.parquet.exists() and _made_of(self.parquet) != self._made_of:
            self.parquet.unlink(missing_ok=True)

    def _put_together(self, entries: Iterator[Entry]) -> None:
        bad = set()

        def noting_bad() -> Iterator[Entry]:
            for entry in entries:
                if entry[Column.ERROR]:
                    bad.add(entry[Column.PATH])
                yield entry

        with replacing(self.parquet) as draft:
            write_index(draft, noting_bad(), self._made_of)
        good = (row for row in range(len(self._rows)) if self._rows.path(row) not in bad)
        write_annotations(self.annotations, ((self._rows.path(row), self._rows.label(row)) for row in good))


def write_index(file: Path, entries: Iterable[Entry], made_of: str = "") -> None:
    """Write entries as Parquet."""
    pyarrow = import_parquet()
    schema = index_schema().with_metadata({MADE_OF: made_of.encode()})
    # Names of files need not be valid text: they go through bytes, and errors that quote them are escaped.
    in_bytes = schema.set(0, pyarrow.field(Column.PATH.value, pyarrow.binary()))
    with pyarrow.parquet.ParquetWriter(file, schema, write_page_checksum=True) as writer:
        for group in _groups(map(_in_bytes, entries)):
            writer.write_table(pyarrow.Table.from_pylist(group, schema=in_bytes).cast(schema, safe=False))


def _groups(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    group: list[Entry] = []
    size = 0
    for entry in entries:
        group.append(entry)
        size += len(entry.get(Column.PACKETS, ""))
        if len(group) == GROUP or size >= GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _in_bytes(entry: Entry) -> Entry:
    path, error = entry[Column.PATH].encode("utf-8", "surrogateescape"), entry[Column.ERROR]
    return entry | {Column.PATH: path, Column.ERROR: error and printable(error)}


def _made_of(file: Path) -> str:
    try:
        with open_index(file) as opened:
            return str((opened.schema_arrow.metadata or {}).get(MADE_OF, b"").decode())
    except (OSError, ValueError):
        return ""


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
