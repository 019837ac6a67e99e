"""Tables kept on disk, so that a list is parsed once and its pages are shared by all processes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.folders import cache_days, cache_dir
from vjepa_pipe.files.json_text import parse_json
from vjepa_pipe.files.whole_file import write_whole
from vjepa_pipe.sources.errors import SourceError
from vjepa_pipe.sources.folders import new_folder
from vjepa_pipe.sources.tables.columns import Table, table_from_arrays
from vjepa_pipe.storage import RemoteFile

PARSER_VERSION = 2
"""Part of every key: raise it when the same file would give other rows."""

MAPPED_BYTES = 1 << 20
"""Tables above this size are kept in files; smaller ones are cheaper to copy."""

CHECKSUMS = "checksums.json"
_CHUNK = 1 << 20
_DAY_SEC = 86400

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """An array of bytes that is kept part by part, as it may be larger than memory.

    Attributes:
        nbytes: Of all parts.
        parts: Gives them from the first on, each time.
    """

    nbytes: int
    parts: Callable[[], Iterator[bytes]]

    def array(self) -> NDArray[np.uint8]:
        """The whole, in memory."""
        return np.frombuffer(b"".join(self.parts()), np.uint8)

    def save(self, file: Path) -> None:
        """Write it as `numpy.save` does."""
        with file.open("wb") as stream:
            about = {"descr": "|u1", "fortran_order": False, "shape": (self.nbytes,)}
            np.lib.format.write_array_header_1_0(stream, about)
            stream.writelines(self.parts())


def entry_of(folder: Path | None, *identity: object) -> Path | None:
    """The cache entry of what `identity` tells apart; None when there is no home folder to keep it in.

    Args:
        folder: The cache folder; None: `cache_dir()`.
        identity: What other entries do not have in common with this one.
    """
    digest = hashlib.sha256(repr((PARSER_VERSION, *identity)).encode("utf-8", "surrogateescape"))
    try:
        return (folder or cache_dir()) / "rows" / digest.hexdigest()[:32]
    except RuntimeError:
        return None


def is_kept(entry: Path | None) -> TypeGuard[Path]:
    """Whether there is such an entry.

    Raises:
        SourceError: The cache cannot be looked into.
    """
    try:
        return entry is not None and entry.is_dir()
    except OSError as error:
        reason = error.strerror or error
        raise SourceError(str(entry), f"the cache cannot be read: {reason}; set VJEPA_PIPE_CACHE to another") from error


def load_arrays(entry: Path, check: bool = True) -> dict[str, NDArray[Any]]:
    """Map the arrays of an entry into memory, by name, and note that it was used.

    Args:
        entry: The entry.
        check: Compare checksums, which reads all of it; processes that are sent an entry need not do it again.

    Raises:
        SourceError: One is damaged.
    """
    try:
        if check and parse_json((entry / CHECKSUMS).read_bytes()) != _checksums(entry):
            raise ValueError("its checksums do not fit")
        with contextlib.suppress(OSError):  # somebody else's, and only read here
            os.utime(entry)
        # `asarray` keeps the mapping but leaves out the `memmap` class, whose indexing is ten times slower.
        return {file.stem: np.asarray(np.load(file, mmap_mode="r")) for file in sorted(entry.glob("*.npy"))}
    except (OSError, ValueError, EOFError, RecursionError) as error:
        raise unreadable(entry, error) from error


def load_table(entry: Path, check: bool = True) -> Table:
    """Map a stored table into memory; see `load_arrays`.

    Raises:
        SourceError: The entry is missing or damaged.
    """
    try:
        table = table_from_arrays(load_arrays(entry, check))
        whole = table.paths.offsets[-1] == len(table.paths.blob) and len(table.paths) == len(table.labels)
    except (KeyError, IndexError) as error:
        raise unreadable(entry, error) from error
    if not whole:
        raise SourceError(entry, "this cache entry is damaged; delete it and start again")
    return table


def unreadable(entry: Path | str, error: Exception) -> SourceError:
    """The error for an entry that does not hold what it should."""
    return SourceError(entry, f"this cache entry cannot be read; delete it and start again ({error})")


def keep(table: Table, entry: Path | None, source: str | Path | RemoteFile) -> tuple[Table, Path | None]:
    """Move a big table from memory into files.

    Args:
        table: The table, in memory.
        entry: Where to keep it; None when there is no cache folder.
        source: What the table was read from, for the warning.

    Returns:
        The table to use and the entry it is mapped from; None when it stays in memory.
    """
    kept = keep_arrays(table.arrays(), entry, source)
    return (table, None) if kept is None else (load_table(kept, check=False), kept)


def keep_arrays(
    named: Mapping[str, NDArray[Any] | Parts], entry: Path | None, source: str | Path | RemoteFile
) -> Path | None:
    """Write big arrays into files.

    Args:
        named: The arrays, by name.
        entry: Where to keep them; None when there is no cache folder.
        source: What they were read from, for the warning.

    Returns:
        The entry that `load_arrays` maps; None when they stay in memory: because they are small, or because the
        cache folder cannot be written, which is logged as a warning.
    """
    size = sum(values.nbytes for values in named.values())
    if size <= MAPPED_BYTES:
        return None
    try:
        if entry is None:
            raise OSError("no home folder: set VJEPA_PIPE_CACHE")
        if not entry.is_dir():
            with new_folder(entry) as draft:
                for part, values in named.items():
                    file = draft / f"{part}.npy"
                    values.save(file) if isinstance(values, Parts) else np.save(file, values)
                (draft / CHECKSUMS).write_text(json.dumps(_checksums(draft)), encoding="utf-8")
            _prune(entry.parent, time.time() - cache_days() * _DAY_SEC)
    except OSError as error:
        logger.warning(
            "%s: its table of %.0f MiB is kept in memory, in every worker, as the cache cannot be written: %s",
            source,
            size / 2**20,
            error,
        )
        return None
    return entry


def latest(pointer: Path | None) -> Path | None:
    """The entry that `set_latest` wrote down; None when there is none, or it was removed."""
    try:
        name = "" if pointer is None else pointer.read_text(encoding="ascii")
    except (OSError, ValueError):
        return None
    entry = pointer.parent / name if pointer is not None and name.isalnum() else None
    return entry if is_kept(entry) else None


def set_latest(pointer: Path | None, entry: Path) -> None:
    """Write down which entry counts now; processes that have an earlier one mapped keep it."""
    if pointer is not None:
        with contextlib.suppress(UserError):  # it is then made again
            write_whole(pointer, entry.name)


def _checksums(folder: Path) -> dict[str, int]:
    """CRC-32 of each file of arrays."""
    found = {}
    for file in sorted(folder.glob("*.npy")):
        found[file.name] = 0
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                found[file.name] = zlib.crc32(chunk, found[file.name])
    return found


def _prune(folder: Path, oldest: float) -> None:
    """Remove entries that were last used before a time, and what processes that were killed had begun."""
    for entry in folder.iterdir():
        with contextlib.suppress(OSError):
            if entry.stat().st_mtime < oldest:
                shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink()
