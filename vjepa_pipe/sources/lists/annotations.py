"""From what a config names to the rows it stands for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from vjepa_pipe.files.glob import ALL
from vjepa_pipe.sources.errors import SourceError, as_source_error
from vjepa_pipe.sources.lists.delimited import collect, split_csv, split_lines
from vjepa_pipe.sources.lists.folder import read_folder, read_stored_folder
from vjepa_pipe.sources.lists.layouts import LABEL_COLUMNS, SPACES, header_columns, sniff
from vjepa_pipe.sources.lists.npy import read_path_array
from vjepa_pipe.sources.lists.space_separated import read_space_separated
from vjepa_pipe.sources.rows import Rows
from vjepa_pipe.sources.tables.cache import entry_of, is_kept, keep, load_table
from vjepa_pipe.sources.tables.columns import Table
from vjepa_pipe.sources.tables.text import Chunk, ListFile, read_chunks
from vjepa_pipe.storage import NotAnObject, RemoteFile, Storage, folder_of, is_remote, local_path, shown_path

SUFFIXES = (".csv", ".txt", ".npy")
"""Annotation files, each also with `.gz`, in either case."""

_SNIFFED_LINES = 1000
_ROWS_LOOKED_FOR = 16


def read_rows(
    path: str | Path,
    name: str | None = None,
    cache_folder: Path | None = None,
    glob: str = ALL,
    labels: str = "folders",
    storage: Storage | None = None,
) -> Rows:
    """Read which samples a source has; no sample is opened.

    =================  ==============================================================================
    `.csv`, `.txt`     `path label`, `path::label`, `path,label`, or CSV with a header. The first
                       1000 lines decide which; every line must then be written so.
    `.npy`             array of paths; every label is 0
    a folder           images and videos at any depth, see `read_folder`
    =================  ==============================================================================

    Labels are integers, or text when all of them are. Blank lines and a byte order mark are ignored.
    Relative paths start at the annotation file's folder when the first one that exists is found there,
    else at the working folder; the first 16 rows are looked for, never all of them. Those of a file at a URL start
    where it lies, and rows may be URLs themselves.

    Tables above 1 MiB are kept in the cache, under the file's absolute path, size and time of change (of a folder: the
    times of change of all folders in it; of a URL: size and ETag), and mapped into memory from there. Folders at URLs
    are listed each time. Tables of URLs with a query or a user name, which may be credentials, are not kept.

    Args:
        path: The annotation file, or a folder, or the URL of either; a leading `~` is the home folder.
        name: What the source is called; None: the file's name without suffixes.
        cache_folder: Where big tables are kept; None: `cache_dir()`.
        glob: Which files of a folder.
        labels: Of a folder: `folders` or `none`.
        storage: Reads what lies at a URL; None: with the default settings.

    Raises:
        StorageError: The store of a URL does not answer.
        UserError: What reads a URL, or those of the first rows, is not installed.
        SourceError: The source cannot be used; names the file, the line and what was expected.
    """
    storage = storage or Storage()
    if is_remote(str(path)):
        with as_source_error():
            try:
                file = storage.open(str(path))
            except NotAnObject:
                return read_stored_folder(str(path), storage, name, cache_folder, glob, labels)
        table, kept = _read_file(file, cache_folder)
        return Rows(name or _stem(file), table, folder_of(str(path)), kept)
    path = Path(local_path(str(path))).expanduser()
    if path.is_dir():
        return read_folder(path, name, cache_folder, glob, labels)
    table, kept = _read_file(path, cache_folder)
    for first in filter(is_remote, _firsts(table)):
        storage.require(first)
    return Rows(name or _stem(path), table, _start_folder(path, table), kept)


def _read_file(path: ListFile, cache_folder: Path | None) -> tuple[Table, Path | None]:
    identity = _identity(path)
    entry = entry_of(cache_folder, *identity)
    if is_kept(entry):
        return load_table(entry), entry
    suffix = _suffix(path)
    if suffix not in SUFFIXES:
        known = f"{', '.join(SUFFIXES)}, each also with .gz; or a folder"
        raise SourceError(path, f"unknown suffix {suffix!r} (known: {known})")
    table = read_path_array(path) if suffix == ".npy" else _read_text(path)
    if not len(table.paths):
        raise SourceError(path, "holds no rows")
    if _identity(path) != identity:
        raise SourceError(path, "changed while it was read")
    return (table, None) if _may_hold_credentials(table) else keep(table, entry, path)


def _may_hold_credentials(table: Table) -> bool:
    held = (table.paths[i] for sign in "?@" for i in table.paths.holding(sign))
    return any(is_remote(path) and path != shown_path(path) for path in held)


def _read_text(path: ListFile) -> Table:
    chunks = read_chunks(path)
    read: list[Chunk] = []
    lines: list[str] = []
    for chunk in chunks:
        read.append(chunk)
        lines = [line for _, line in islice(chunk.lines(), _SNIFFED_LINES)]
        if lines:
            break
    if not read:
        raise SourceError(path, "is empty")
    if not lines:
        raise SourceError(path, "holds no rows: every line is blank")
    everything: Iterator[Chunk] = chain(read, chunks)
    columns = header_columns(lines[0])
    if columns is not None:
        table = collect(path, split_csv(path, everything, columns), captions=not set(columns) & set(LABEL_COLUMNS))
        if not len(table.paths):
            raise SourceError(path, f"holds no rows: only the header {lines[0]!r}")
        return table
    layout = sniff(lines)
    if layout is SPACES:
        return read_space_separated(path, everything)
    return collect(path, split_lines(path, everything, layout), layout.captions)


def _suffix(path: ListFile) -> str:
    """The suffix in lower case, without a last `.gz`."""
    return Path(_without_gz(path)).suffix.lower()


def _stem(path: ListFile) -> str:
    return Path(_without_gz(path)).stem


def _without_gz(path: ListFile) -> str:
    return Path(path.name).stem if path.name.lower().endswith(".gz") else path.name


def _identity(path: ListFile) -> tuple[str, int, int | str]:
    if isinstance(path, RemoteFile):  # each request asks for the version that was opened
        return str(path), *path.facts
    try:
        facts = path.stat()
    except FileNotFoundError as error:
        raise SourceError(path, "no such file or folder") from error
    except OSError as error:
        raise SourceError(path, f"cannot be read: {error.strerror or error}") from error
    return str(path.absolute()), facts.st_size, facts.st_mtime_ns


def _firsts(table: Table) -> Iterator[str]:
    return (table.paths[row] for row in range(min(len(table.paths), _ROWS_LOOKED_FOR)))


def _start_folder(path: Path, table: Table) -> str:
    """Where the relative paths of an annotation file start."""
    beside = path.absolute().parent
    here = Path.cwd()  # now, as a launcher may change it later
    for first in _firsts(table):
        for folder in (beside, here):
            # Not `Path.exists`, which raises where a text is no possible file name.
            if not Path(first).is_absolute() and os.path.exists(folder / first):  # noqa: PTH110
                return str(folder)
    return str(here)
