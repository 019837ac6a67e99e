"""`NAME.parquet`, the index that `task=index` leaves of a source: a row for each file, with what was found in it."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Any

from vjepa_pipe.config.program import program
from vjepa_pipe.files.regular_file import regular_file
from vjepa_pipe.sources.errors import SourceError
from vjepa_pipe.storage import ObjectError, Storage, is_remote

SUFFIX = ".parquet"


class Column(StrEnum):
    """The columns. `STAMP`, and those behind `ERROR`, are the fields of `vjepa_pipe.video.probe.Probe`.

    Those behind `ERROR` are empty for a bad file.
    """

    PATH = "path"
    STAMP = "stamp"
    ERROR = "error"
    FRAMES = "frames"
    FPS = "fps"
    DURATION = "duration"
    WIDTH = "width"
    HEIGHT = "height"
    CODEC = "codec"
    CONTAINER = "container"
    ROTATION = "rotation"
    BYTES = "bytes"
    KEY_FRAMES = "key_frames"
    PACKETS = "packets"
    BYTES_READ = "bytes_read"


_TEXT = (Column.PATH, Column.ERROR, Column.CODEC, Column.CONTAINER, Column.PACKETS)
_REAL = (Column.FPS, Column.DURATION)
_LISTS = (Column.STAMP, Column.KEY_FRAMES)


def index_schema() -> Any:
    """The `pyarrow.Schema` of an index."""
    pyarrow = import_parquet()

    def kind(column: Column) -> Any:
        if column in _LISTS:
            return pyarrow.list_(pyarrow.int64())
        return pyarrow.string() if column in _TEXT else pyarrow.float64() if column in _REAL else pyarrow.int64()

    return pyarrow.schema([(column.value, kind(column)) for column in Column])


def open_index(file: Path | str, storage: Storage | None = None) -> Any:
    """An index as a `pyarrow.parquet.ParquetFile`.

    Args:
        file: The index; one at a URL is read range by range.
        storage: What reads URLs.

    Raises:
        SourceError: It cannot be read, or is no index.
        StorageError: Its store does not answer.
    """
    pyarrow = import_parquet()
    try:
        if remote := is_remote(str(file)):
            opened = (storage or Storage()).open_binary(str(file))
        else:
            regular_file(file)
        # Read by and by, as it may be larger than memory.
        how = {"page_checksum_verification": True, "pre_buffer": False, "buffer_size": 1 << 20}
        found = pyarrow.parquet.ParquetFile(opened if remote else file, **how)
        names = found.schema_arrow.names
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        reason = getattr(error, "strerror", None) or "not a Parquet file, or a damaged one"
        raise SourceError(file, f"cannot be read as an index: {reason}") from error
    missing = [column.value for column in Column if column not in names and column != Column.BYTES_READ]  # a newer one
    if missing:
        raise SourceError(file, f"is no index of videos: it has no column {', '.join(missing)}")
    return found


def index_files(path: Path) -> list[Path]:
    """The index that a path names, or all of a folder.

    Raises:
        SourceError: There is none.
    """
    if not path.is_dir():
        if not path.exists():
            raise SourceError(path, "no such file or folder")
        return [path]
    found = sorted(path.glob(f"[!.]*{SUFFIX}"))
    if not found:
        raise SourceError(path, f"holds no index NAME{SUFFIX}; {how_made(path)} makes one of each source")
    return found


def how_made(folder: Path) -> str:
    """The command that leaves indexes in a folder."""
    return f"{program()} task=index task.index_dir={shlex.quote(str(folder))}"


def stamp(path: str, storage: Storage | None = None) -> list[int]:
    """Size in bytes and time of change in ns, by which an entry is known to be of this file; empty without a file.

    Of an object at a URL, which costs a request: `Facts.stamp`.

    Raises:
        StorageError: If its store does not answer.
    """
    if is_remote(path):
        try:
            return (storage or Storage()).facts(path).stamp
        except ObjectError:
            return []
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return []
    return [found.st_size, found.st_mtime_ns]


def fault(path: str, error: str) -> str:
    """What is wrong with a file, without its name, so that equal faults can be counted."""
    return error.removeprefix(f"{path}: ")


def printable(text: str) -> str:
    """The text with what is no valid text, in names of files, written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def import_parquet() -> Any:
    """The module `pyarrow`, with `pyarrow.parquet` and `pyarrow.compute` loaded; only what needs it waits for it."""
    import pyarrow.compute
    import pyarrow.parquet

    return pyarrow
