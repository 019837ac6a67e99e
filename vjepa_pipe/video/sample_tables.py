"""The packet index of an MP4 or MOV file from the tables at its head, without reading its packets.

FFmpeg keeps the tables' decoding times, places and key marks, and shows them; the one thing it keeps to itself is
the table from decoding times to times of showing (`ctts`), so that is read here (ISO/IEC 14496-12). A table may lie:
files whose tables leave anything open give no index here and are walked, and a reader checks each packet it meets.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.video.packet_index import PacketIndex, index_of_arrays
from vjepa_pipe.video.restarts import stands_alone

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

LARGEST_HEAD = 1 << 28  # bytes; a day of 60 fps video needs 1 << 27
NOTES = 1 << 16  # bytes at the start of a packet in which its first slice is looked for
RATE_TOLERANCE = 0.04  # below that of the walk, whose measure of the length is a little different


class _Entries(NamedTuple):
    """FFmpeg's list of the packets of a stream, in stored order; times are in the stream's time base."""

    decoded_at: NDArray[np.int64]
    place: NDArray[np.int64]
    size: NDArray[np.int64]
    key: NDArray[np.bool_]
    discarded: bool


def index_from_tables(
    path: str, container: InputContainer, stream: VideoStream, *, look_at_keys: bool = False
) -> PacketIndex | None:
    """The index that a walk over the packets would give, or None where the tables do not settle it.

    They settle it for whole, unfragmented files that show each of their packets once: no edit beyond a shift of the
    start, no packet past the end of the file, no two frames shown at once, a declared rate that the times bear out.

    Args:
        path: The file.
        container: The same, open.
        stream: Its video.
        look_at_keys: Find out whether key packets stand alone, from their first bytes; else it is taken that they do
            not.
    """
    if "mp4" not in container.format.name.split(",") or not stream.frames or not stream.average_rate:
        return None
    count = stream.frames
    entries = _entries(stream)
    if len(entries.decoded_at) != count or entries.discarded or entries.size.min() <= 0:
        return None
    if (entries.place + entries.size).max() > Path(path).stat().st_size or np.diff(entries.decoded_at).min(
        initial=1
    ) <= 0:
        return None
    offsets = _offsets_of_showing(path, len(container.streams), stream.index, count)
    if offsets is None or not entries.key.any():
        return None
    shown_at = entries.decoded_at + offsets
    rate = float(stream.average_rate)
    if len(np.unique(shown_at)) != count or not _rate_holds(rate, shown_at, float(stream.time_base or 0)):
        return None
    return index_of_arrays(
        time=shown_at,
        key=entries.key,
        shown=np.ones(count, np.bool_),
        seek_time=entries.decoded_at,
        place=entries.place,
        alone=_alone(path, stream, entries) if look_at_keys else np.zeros(count, np.bool_),
        fps=rate,
        tick_sec=float(stream.time_base or 0),
        first_sec=float((stream.start_time or 0) * (stream.time_base or 0)),
    )


def _entries(stream: VideoStream) -> _Entries:
    listed = [(e.timestamp, e.pos, e.size, e.is_keyframe, e.is_discard) for e in stream.index_entries]
    columns = np.array(listed, np.int64).reshape(-1, 5).T
    decoded_at, place, size, key, discard = columns
    return _Entries(decoded_at, place, size, key.astype(np.bool_), bool(discard.any()))


def _alone(path: str, stream: VideoStream, entries: _Entries) -> NDArray[np.bool_]:
    alone, context = np.zeros(len(entries.key), np.bool_), stream.codec_context
    with Path(path).open("rb") as file:
        for packet in np.flatnonzero(entries.key).tolist():
            file.seek(int(entries.place[packet]))
            alone[packet] = stands_alone(context.name, context.extradata, file.read(min(entries.size[packet], NOTES)))
    return alone


def _rate_holds(rate: float, shown_at: NDArray[np.int64], time_base: float) -> bool:
    count, span = len(shown_at), float(shown_at.max() - shown_at.min()) * time_base
    return count == 1 or abs(rate - (count - 1) / span) <= RATE_TOLERANCE * rate


def _offsets_of_showing(path: str, streams: int, number: int, packets: int) -> NDArray[np.int64] | None:
    """From the decoding time of each packet to its time of showing, but for a constant; None if not that simple."""
    head = _head(path)
    if head is None or _find(head, b"mvex") is not None:  # mvex announces fragments
        return None
    tracks = [body for kind, body in _boxes(head) if kind == b"trak"]
    if len(tracks) != streams:
        return None
    edits, tables = _find(tracks[number], b"edts", b"elst"), _find(tracks[number], b"mdia", b"minf", b"stbl")
    if tables is None or (edits is not None and not _only_shifts(edits)):
        return None
    kinds, sizes, offsets = (_find(tables, kind) for kind in (b"stsd", b"stsz", b"ctts"))
    if kinds is None or sizes is None or _number(kinds, 4) != 1 or _number(sizes, 8) != packets:
        return None
    if offsets is None:
        return np.zeros(packets, np.int64)
    runs = np.frombuffer(offsets[8:], ">i4", count=min(2 * _number(offsets, 4), (len(offsets) - 8) // 8 * 2))
    repeats, values = runs[::2].astype(np.int64), runs[1::2].astype(np.int64)
    if repeats.min(initial=0) < 0 or repeats.sum() != packets or np.abs(values).max(initial=0) > 1 << 28:
        return None
    return np.repeat(values, repeats)


def _only_shifts(edits: memoryview) -> bool:
    """Whether an edit list shows one stretch of the media at its own speed, perhaps after a pause."""
    stretches = 0
    layout = struct.Struct(">QqI" if edits[0] == 1 else ">IiI")
    if len(edits) < 8 + _number(edits, 4) * layout.size:
        return False
    for at in range(_number(edits, 4)):
        _, media_time, speed = layout.unpack_from(edits, 8 + at * layout.size)
        stretches += media_time != -1
        if speed != 1 << 16:
            return False
    return stretches <= 1


def _head(path: str) -> memoryview | None:
    """The body of the file's `moov` box."""
    with Path(path).open("rb") as file:
        while len(header := file.read(8)) == 8:
            size, kind = struct.unpack(">I4s", header)
            body = size - 8
            if size == 1:
                long = file.read(8)
                if len(long) < 8:
                    return None
                body = int.from_bytes(long, "big") - 16
            if body < 0 or (kind == b"moov" and body > LARGEST_HEAD):
                return None
            if kind == b"moov":
                return memoryview(file.read(body))
            file.seek(body, 1)
    return None


def _boxes(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if not 8 <= size <= len(data) - at:
            return
        yield kind, data[at + 8 : at + size]
        at += size


def _find(data: memoryview, *kinds: bytes) -> memoryview | None:
    """The box reached through boxes of these kinds, the first of each."""
    found: memoryview | None = data
    for wanted in kinds:
        found = next((body for kind, body in _boxes(found) if kind == wanted), None) if found is not None else None
    return found if found is None or len(found) >= 8 else None


def _number(box: memoryview, at: int) -> int:
    return int.from_bytes(box[at : at + 4], "big") if len(box) >= at + 4 else -1
