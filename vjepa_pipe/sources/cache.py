"""Tables kept on disk, so that a list is parsed once and its pages are shared by all processes."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import numpy as np

from vjepa_pipe.sources.columns import Table, table_from_arrays
from vjepa_pipe.sources.errors import SourceError
from vjepa_pipe.sources.folders import new_folder

PARSER_VERSION = 1
"""Part of every key: raise it when the same file would give other rows."""

MAPPED_BYTES = 1 << 20
"""Tables above this size are kept in files; smaller ones are cheaper to copy."""

_PARTS = ("paths", "path_offsets", "labels", "label_offsets")

logger = logging.getLogger(__name__)


def entry_of(folder: Path, *identity: object) -> Path:
    """The cache entry of what `identity` tells apart."""
    digest = hashlib.sha256(repr((PARSER_VERSION, *identity)).encode("utf-8", "surrogateescape"))
    return folder / "rows" / digest.hexdigest()[:32]


def load_table(entry: Path) -> Table:
    """Map a stored table into memory.

    Raises:
        SourceError: The entry is missing or damaged.
    """
    try:
        files = {part: entry / f"{part}.npy" for part in _PARTS}
        # `asarray` keeps the mapping but leaves out the `memmap` class, whose indexing is ten times slower.
        named = {part: np.asarray(np.load(file, mmap_mode="r")) for part, file in files.items() if file.exists()}
        table = table_from_arrays(named)
        whole = table.paths.offsets[-1] == len(table.paths.blob) and len(table.paths) == len(table.labels)
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise SourceError(entry, f"this cache entry cannot be read; delete it and start again ({error})") from error
    if not whole:
        raise SourceError(entry, "this cache entry is damaged; delete it and start again")
    return table


def keep(table: Table, entry: Path | None, source: Path) -> tuple[Table, Path | None]:
    """Move a big table from memory into files.

    Args:
        table: The table, in memory.
        entry: Where to keep it; None when there is no cache folder.
        source: What the table was read from, for the warning.

    Returns:
        The table to use and the entry it is mapped from; None when it stays in memory: because it is
        small, or because the cache folder cannot be written, which is logged as a warning.
    """
    if table.nbytes <= MAPPED_BYTES:
        return table, None
    try:
        if entry is None:
            raise OSError("no home folder: set VJEPA_PIPE_CACHE")
        if not entry.is_dir():
            with new_folder(entry) as draft:
                for part, values in table.arrays().items():
                    np.save(draft / f"{part}.npy", values)
    except OSError as error:
        logger.warning(
            "%s: its table of %.0f MiB is kept in memory, in every worker, as the cache cannot be written: %s",
            source,
            table.nbytes / 2**20,
            error,
        )
        return table, None
    return load_table(entry), entry
