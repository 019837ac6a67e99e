"""Annotation files as pieces of whole lines, plain or gzipped, checked to be UTF-8 text."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from vjepa_pipe.files.regular_file import regular_file
from vjepa_pipe.sources.errors import SourceError, as_source_error
from vjepa_pipe.storage import RemoteFile, Storage, is_remote

ListFile = Path | RemoteFile
"""An annotation file: on this machine, or open at its URL. As text it is what messages call it."""


def list_file(path: str, storage: Storage) -> ListFile:
    """An annotation file by its path or URL, which is opened.

    Raises:
        SourceError: There is no such object, or it cannot be read.
        StorageError: Its store does not answer.
    """
    with as_source_error():
        return storage.open(path) if is_remote(path) else Path(path)


CHUNK_BYTES = 4 << 20
"""Read at a time. A few MiB keep the arrays made from a piece within the processor's caches."""

MAX_LINE_BYTES = 1 << 20
"""A longer line means that the file is no list."""

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Chunk:
    """Whole lines of a file.

    Attributes:
        data: The lines, UTF-8; the last byte is a line feed.
        first: Number of the first line in the file, from 1.
    """

    data: bytes
    first: int

    def lines(self) -> Iterator[tuple[int, str]]:
        """Number and text of each line that is not blank, without white space at its ends."""
        # Not `splitlines`, which also breaks at form feeds and Unicode separators inside captions.
        for number, line in enumerate(self.data.decode("utf-8").split("\n"), self.first):
            if stripped := line.strip(" \t\r"):
                yield number, stripped


@contextmanager
def open_file(path: ListFile) -> Iterator[IO[bytes]]:
    """Open a file for reading, through gzip when its name ends in `.gz`.

    Raises:
        SourceError: It cannot be opened or read, or its compression is broken.
    """
    try:
        with _opened(path) as whole, gzip.open(whole) if path.name.lower().endswith(".gz") else whole as stream:
            yield stream  # type: ignore[misc]
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceError(path, f"broken gzip: {error}") from error
    except OSError as error:
        raise SourceError(path, f"cannot be read: {error.strerror or error}") from error


def _opened(path: ListFile) -> IO[bytes]:
    if isinstance(path, RemoteFile):
        return io.BufferedReader(path.stream(), CHUNK_BYTES)
    regular_file(path)
    return path.open("rb")


def read_chunks(path: ListFile) -> Iterator[Chunk]:
    """The file's lines, a few MiB at a time, without a byte order mark; nothing for an empty file.

    Raises:
        SourceError: The file cannot be read, or is not UTF-8 text.
    """
    first = 1
    rest = b""
    with open_file(path) as stream:
        while block := stream.read(CHUNK_BYTES):
            if first == 1 and not rest:
                block = block.removeprefix(_BOM)
            whole, feed, tail = block.rpartition(b"\n")
            if feed:
                chunk = Chunk(rest + whole + feed, first)
                _check_text(path, chunk)
                yield chunk
                first += chunk.data.count(b"\n")
                rest = tail
            else:
                rest += tail
            if len(rest) > MAX_LINE_BYTES:
                raise SourceError(path, f"line {first} is longer than {MAX_LINE_BYTES} bytes: not a list of samples")
    if rest:
        chunk = Chunk(rest + b"\n", first)
        _check_text(path, chunk)
        yield chunk


def _check_text(path: ListFile, chunk: Chunk) -> None:
    place = chunk.data.find(b"\0")
    if place < 0 and not chunk.data.isascii():
        try:
            chunk.data.decode("utf-8")
        except UnicodeDecodeError as error:
            place = error.start
    if place >= 0:
        line = chunk.first + chunk.data.count(b"\n", 0, place)
        column = place - chunk.data.rfind(b"\n", 0, place)
        raise SourceError(path, f"line {line} is not UTF-8 text: byte {column} is 0x{chunk.data[place]:02x}")
