"""The tables at the head of an MP4 or MOV file, as arrays (ISO/IEC 14496-12, sections 4.2 and 8)."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.storage import RemoteFile
from vjepa_pipe.storage.remote_file import BLOCK_BYTES

LARGEST_HEAD = 1 << 28  # bytes; a day of 60 fps video needs 1 << 27

TAIL = 4 << 20
"""Bytes that are read from where `moov` may begin, behind the packets."""

OUTERMOST = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pdin", b"uuid", b"sidx", b"styp"})

Numbers = NDArray[np.int64]


class DamagedTable(ValueError):
    """A table that contradicts itself or its file."""


def head(file: BinaryIO | io.RawIOBase) -> memoryview | None:
    """The body of a file's `moov` box; the file is at its start."""
    while len(header := file.read(8) or b"") == 8:
        size, kind = struct.unpack(">I4s", header)
        body = size - 8
        if size == 1:
            long = file.read(8) or b""
            if len(long) < 8:
                return None
            body = int.from_bytes(long, "big") - 16
        if body < 0 or (kind == b"moov" and body > LARGEST_HEAD):
            return None
        if kind == b"moov":
            return memoryview(file.read(body) or b"")
        file.seek(body, 1)
    return None


def fetch_head(file: RemoteFile) -> None:
    """Read the `moov` box of an object, wherever it stands, in at most two requests; other objects are left alone."""
    at, kind = 0, b""
    while at + 16 <= file.facts.size and kind != b"moov":
        if at >= BLOCK_BYTES:
            file.keep(at, at + TAIL)
        size, kind, long = struct.unpack(">I4sQ", file.read_at(at, 16))
        size = long if size == 1 else size
        if kind not in OUTERMOST or size < 8:
            return
        if kind == b"moov" and size <= LARGEST_HEAD:
            file.keep(at, at + size)
        at += size


def boxes(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """The kind and body of each box, up to one that does not fit."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if not 8 <= size <= len(data) - at:
            return
        yield kind, data[at + 8 : at + size]
        at += size


def find(data: memoryview, *kinds: bytes) -> memoryview | None:
    """The box reached through boxes of these kinds, the first of each; None for one without a body."""
    found: memoryview | None = data
    for wanted in kinds:
        found = next((body for kind, body in boxes(found) if kind == wanted), None) if found is not None else None
    return found if found is None or len(found) >= 8 else None


def number(box: memoryview, at: int) -> int:
    """The 32-bit number at a byte of a box; -1 past its end."""
    return int.from_bytes(box[at : at + 4], "big") if len(box) >= at + 4 else -1


def only_shifts(edits: memoryview) -> bool:
    """Whether an edit list (`elst`) shows one stretch of the media at its own speed, perhaps after a pause."""
    stretches = 0
    layout = struct.Struct(">QqI" if edits[0] == 1 else ">IiI")
    if len(edits) < 8 + number(edits, 4) * layout.size:
        return False
    for at in range(number(edits, 4)):
        _, media_time, speed = layout.unpack_from(edits, 8 + at * layout.size)
        stretches += media_time != -1
        if speed != 1 << 16:
            return False
    return stretches <= 1


def sizes(tables: memoryview, packets: int) -> Numbers:
    """Bytes of each packet (`stsz`)."""
    box = find(tables, b"stsz")
    if box is None or number(box, 8) != packets:
        raise DamagedTable("stsz")
    each = number(box, 4)
    return np.full(packets, each) if each else _array(box, 12, packets)


def places(tables: memoryview, size: Numbers) -> Numbers:
    """The byte of the file at which each packet starts: chunks (`stco`, `co64`) of packets in a row (`stsc`)."""
    box, wide = find(tables, b"stco"), find(tables, b"co64")
    runs = find(tables, b"stsc")
    if runs is None or (box is None) == (wide is None):
        raise DamagedTable("stco")
    chunks, kind = (box, ">u4") if box is not None else (wide, ">u8")
    assert chunks is not None
    chunk_at = _array(chunks, 8, number(chunks, 4), kind)
    first, packets, _ = _array(runs, 8, 3 * number(runs, 4)).reshape(-1, 3).T
    lengths = np.diff(first, append=len(chunk_at) + 1)
    if not len(first) or first[0] != 1 or lengths.min() < 1:
        raise DamagedTable("stsc")
    in_chunk = np.repeat(packets, lengths)
    if in_chunk.min() < 1 or in_chunk.sum() != len(size):
        raise DamagedTable("stsc")
    starts: Numbers = np.cumsum(size) - size
    chunk_first = np.cumsum(in_chunk) - in_chunk
    found: Numbers = starts + np.repeat(chunk_at - starts[chunk_first], in_chunk)
    return found


def decoding_times(tables: memoryview, packets: int) -> Numbers:
    """When each packet is decoded (`stts`), from 0, in the track's time base."""
    box = find(tables, b"stts")
    if box is None:
        raise DamagedTable("stts")
    steps = _repeated(box, packets)
    times: Numbers = np.cumsum(steps) - steps
    return times


def composition_offsets(tables: memoryview, packets: int) -> Numbers:
    """From the decoding time of each packet to its time of showing (`ctts`), but for a constant."""
    box = find(tables, b"ctts")
    return np.zeros(packets, np.int64) if box is None else _repeated(box, packets)


def keys(tables: memoryview, packets: int) -> NDArray[np.bool_]:
    """Which packets decoding can start at (`stss`); all of them without such a table."""
    box = find(tables, b"stss")
    if box is None:
        return np.ones(packets, np.bool_)
    numbers = _array(box, 8, number(box, 4)) - 1
    if not numbers.size or numbers.min() < 0 or numbers.max() >= packets:
        raise DamagedTable("stss")
    marked = np.zeros(packets, np.bool_)
    marked[numbers] = True
    return marked


def _repeated(box: memoryview, packets: int) -> Numbers:
    """The values of pairs (how often, value), as many as there are packets."""
    repeats, values = _array(box, 8, 2 * number(box, 4), ">i4").reshape(-1, 2).T
    if repeats.min(initial=0) < 0 or repeats.sum() != packets or np.abs(values).max(initial=0) > 1 << 28:
        raise DamagedTable("stts or ctts")
    return np.repeat(values, repeats)


def _array(box: memoryview, at: int, count: int, kind: str = ">u4") -> Numbers:
    if count < 0 or len(box) < at + count * np.dtype(kind).itemsize:
        raise DamagedTable("a table ends before its last entry")
    return np.frombuffer(box, kind, count, at).astype(np.int64)
