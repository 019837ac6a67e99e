"""What is known of each row's file before it is opened, from the index that `task=index` left."""

from __future__ import annotations

import os
import shlex
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.config.errors import ConfigError, counted
from vjepa_pipe.sources.errors import SourceError
from vjepa_pipe.sources.probed.index_file import SUFFIX, Column, how_made, import_parquet, open_index, stamp
from vjepa_pipe.sources.rows import Rows
from vjepa_pipe.sources.tables.cache import Parts, entry_of, is_kept, keep_arrays, load_arrays, unreadable
from vjepa_pipe.sources.tables.columns import encode
from vjepa_pipe.storage import Storage, absolute, is_remote, join, shown_path

LAYOUT = "video index 3"
"""Part of every cache key: another number where the same index would give other arrays."""

NONE = -1
_CHUNK = 1 << 20  # paths made at a time
_BATCH = 1 << 10  # files whose packets are held at a time


class VideoIndex:
    """An index laid beside the rows of a source: 4 bytes for each row and 37 for each file, mapped when they are many.

    Files that do not say themselves where their packets are have about 2 bytes a packet more, and those at URLs 3 to 7.

    An entry counts only while its file has the size and the time of change that it had when it was probed. Objects at
    URLs are not asked: those that were bad are bad, and others are found to have changed when they are read.
    Pickling writes the name of mapped files alone, as for `Rows`.

    Args:
        file: The index, a path or a URL, for messages.
        columns: By name, `file` int32 `[rows]`, the number of each row's file, and one value per file: `bad` bool,
            `frames` int32 and `fps` float64 (-1 where not known), `size` int64 in bytes and `mtime` int64 in ns (-1
            where there was no file). `packets` uint8 holds what `PyavDecoder.open` takes, file after file, and
            `packet_offsets` int64 `[files + 1]` where each begins.
        entry: Cache folder that the columns are mapped from; None when they are held in memory.
    """

    def __init__(self, file: str, columns: dict[str, NDArray[Any]], entry: Path | None = None) -> None:
        self.file = file
        self._columns = columns
        self._entry = entry
        try:
            self._file_of, self._bad, self._frames, self._fps, self._size, self._mtime = (
                columns[name] for name in ("file", "bad", "frames", "fps", "size", "mtime")
            )
            self._packets, self._packet_offsets = columns["packets"], columns["packet_offsets"]
        except KeyError as error:
            raise unreadable(entry or file, error) from error

    def __len__(self) -> int:
        return len(self._file_of)

    def is_bad(self, row: int, path: str) -> bool:
        """Whether the file of a row could not be read when it was probed, and has not changed since.

        Args:
            row: Number of the row.
            path: Its file, which is looked at, not opened.
        """
        return bool(self._bad[self._file_of[row]]) and (is_remote(path) or stamp(path) == self._stamp(row))

    def length(self, row: int, facts: os.stat_result | None) -> tuple[int, float] | None:
        """Frames, and average frames per second, of a row's file; None when the index does not know.

        Args:
            row: Number of the row.
            facts: Of the file as it is now; None for an object at a URL.
        """
        file = self._file_of[row]
        if self._bad[file] or not self._is_of(row, facts):
            return None
        return int(self._frames[file]), float(self._fps[file])

    def packets(self, row: int, facts: os.stat_result | None) -> bytes:
        """Where the packets of a row's file are, for `PyavDecoder.open`; empty when the index does not know.

        Args:
            row: Number of the row.
            facts: Of the file as it is now; None for an object at a URL.
        """
        file = int(self._file_of[row])
        first, last = self._packet_offsets[file : file + 2]
        return self._packets[first:last].tobytes() if self._is_of(row, facts) else b""

    def _is_of(self, row: int, facts: os.stat_result | None) -> bool:
        return facts is None or [facts.st_size, facts.st_mtime_ns] == self._stamp(row)

    def _stamp(self, row: int) -> list[int]:
        file = self._file_of[row]
        size = int(self._size[file])
        return [] if size == NONE else [size, int(self._mtime[file])]

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (self.file, None if self._entry is not None else self._columns, self._entry)


def _unpickled(file: str, columns: dict[str, NDArray[Any]] | None, entry: Path) -> VideoIndex:
    return VideoIndex(file, load_arrays(entry, check=False) if columns is None else columns, entry)


def read_indexes(
    folder: str | Path,
    sources: Sequence[Rows],
    lists: Sequence[str | Path | Rows],
    storage: Storage | None = None,
) -> list[VideoIndex]:
    """The indexes of some sources.

    Args:
        folder: What `task.index_dir` was, or the URL of a copy of it.
        sources: The rows of each source.
        lists: What each source was read from, for messages.
        storage: What reads URLs.

    Raises:
        ConfigError: Naming every source whose index is missing or lacks rows, and the command that makes it.
        SourceError: An index cannot be read.
        StorageError: The store of a URL does not answer.
    """
    folder, storage, found, faults = absolute(folder), storage or Storage(), [], []
    for rows, source in zip(sources, lists, strict=True):
        file = join(folder, f"{rows.name}{SUFFIX}")
        command = how_made(Path("index" if is_remote(folder) else folder))
        if isinstance(source, (str, Path)):
            settings = (f"data.data_paths=[{shown_path(str(source))}]", f"data.source_names=[{rows.name}]")
            command += f" data={'folder' if Path(source).is_dir() else 'csv'} {' '.join(map(shlex.quote, settings))}"
        try:
            entry = _entry(storage.identity(file), rows)
        except FileNotFoundError:
            faults.append(f"data.index_dir: {file} does not exist; make it: {command}")
            continue
        except OSError as error:
            faults.append(f"data.index_dir: {file} cannot be read: {error.strerror or error}")
            continue
        if is_kept(entry):
            found.append(VideoIndex(file, load_arrays(entry), entry))
            continue
        columns, missing = _columns(file, rows, storage)
        if len(missing):
            faults.append(
                f"data.index_dir: {file} lacks {len(missing)} of {counted(len(rows), 'row')} of source {rows.name}, "
                f"such as {shown_path(rows.path(int(missing[0])))}; make it again: {command}"
            )
            continue
        kept = keep_arrays(columns, entry, file)
        if kept is not None:
            found.append(VideoIndex(file, load_arrays(kept, check=False), kept))
        else:
            held = {name: values.array() if isinstance(values, Parts) else values for name, values in columns.items()}
            found.append(VideoIndex(file, held))
    if faults:
        raise ConfigError(faults)
    return found


def _entry(identity: tuple[object, ...], rows: Rows) -> Path | None:
    """Where the columns are kept; None when there is no home folder to keep them in."""
    return entry_of(None, LAYOUT, *identity, rows.fingerprint(), rows.folder)


def _columns(file: str, rows: Rows, storage: Storage) -> tuple[dict[str, NDArray[Any] | Parts], NDArray[np.int64]]:
    """The columns of `VideoIndex`, and the numbers of rows that the index lacks."""
    pyarrow = import_parquet()
    wanted = [Column.PATH, Column.STAMP, Column.ERROR, Column.FRAMES, Column.FPS]
    with open_index(file, storage) as opened, _intact(file):
        table = opened.read(columns=[column.value for column in wanted])
        paths = table[Column.PATH.value].cast(pyarrow.large_binary())
        place = pyarrow.compute.index_in(_paths(rows), value_set=paths).fill_null(NONE).to_numpy()
        stamps = table[Column.STAMP.value].combine_chunks()
        known = stamps.value_lengths().to_numpy(zero_copy_only=False) == 2
        both = np.full((len(known), 2), NONE, np.int64)
        both[known] = stamps.flatten().to_numpy(zero_copy_only=False).reshape(-1, 2)
        offsets = np.concatenate([[0], np.cumsum([size for batch in _texts(opened) for size in _sizes(batch)])])
        columns: dict[str, NDArray[Any] | Parts] = {
            "file": place.astype(np.int32),
            "frames": table[Column.FRAMES.value].fill_null(NONE).to_numpy().astype(np.int32),
            "fps": table[Column.FPS.value].fill_null(NONE).to_numpy().astype(np.float64),
            "bad": table[Column.ERROR.value].is_valid().to_numpy(),
            "size": both[:, 0],
            "mtime": both[:, 1],
            "packet_offsets": offsets.astype(np.int64),
            "packets": Parts(int(offsets[-1]), partial(_packets, file, storage)),
        }
    return columns, np.flatnonzero(place == NONE)


def _packets(file: str, storage: Storage) -> Iterator[bytes]:
    """What is kept of each file's packets, file after file: of millions of files, more than memory holds."""
    with open_index(file, storage) as opened, _intact(file):
        for batch in _texts(opened):
            yield b"".join(b64decode(text, validate=True) for text in batch.to_pylist())


def _texts(opened: Any) -> Iterator[Any]:
    """The column of packed packets, in base64, some files at a time."""
    for batch in opened.iter_batches(_BATCH, columns=[Column.PACKETS.value]):
        yield batch.column(0).fill_null("")


def _sizes(texts: Any) -> NDArray[np.int64]:
    """Bytes that base64 texts stand for."""
    compute = import_parquet().compute
    padding = sum(compute.ends_with(texts, end).to_numpy(zero_copy_only=False).astype(np.int64) for end in ("=", "=="))
    sizes: NDArray[np.int64] = compute.binary_length(texts).to_numpy(zero_copy_only=False) // 4 * 3 - padding
    return sizes


@contextmanager
def _intact(file: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, import_parquet().ArrowException) as error:
        raise SourceError(file, f"is damaged, or no index of videos ({' '.join(str(error).split())})") from error


def _paths(rows: Rows) -> Any:
    """The paths of all rows, as bytes: names of files need not be valid text."""
    pyarrow = import_parquet()
    chunks = [range(start, min(start + _CHUNK, len(rows))) for start in range(0, len(rows), _CHUNK)]
    arrays = [pyarrow.array([encode(rows.path(row)) for row in chunk], pyarrow.large_binary()) for chunk in chunks]
    return pyarrow.chunked_array(arrays, pyarrow.large_binary())
