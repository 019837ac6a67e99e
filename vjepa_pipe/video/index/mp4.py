"""The packet index of an MP4 or MOV file from the tables at its head, without reading its packets.

A table may lie: files whose tables leave anything open, or that FFmpeg takes in another way, give no index here and are
walked, and a reader checks each packet it meets.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.video.index import mp4_boxes
from vjepa_pipe.video.index.key_packets import intra_only, stands_alone
from vjepa_pipe.video.index.mp4_boxes import DamagedTable, find, number
from vjepa_pipe.video.index.packets import PacketIndex, index_of_arrays, proven_keys
from vjepa_pipe.video.opening import bytes_of

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

    from vjepa_pipe.storage import RemoteFile

NOTES = 1 << 16  # bytes at the start of a packet in which its first slice is looked for
RATE_TOLERANCE = 0.04  # below that of the walk, whose measure of the length is a little different


class _Entries(NamedTuple):
    """The packets of a stream, in stored order; times are in the stream's time base."""

    decoded_at: NDArray[np.int64]
    shown_at: NDArray[np.int64]
    place: NDArray[np.int64]
    size: NDArray[np.int64]
    key: NDArray[np.bool_]


def index_from_tables(
    path: str,
    container: InputContainer,
    stream: VideoStream,
    file: RemoteFile | None = None,
    *,
    look_at_keys: bool = False,
) -> PacketIndex | None:
    """The index that a walk over the packets would give, or None where the tables do not settle it.

    They settle it for whole, unfragmented files that show each of their packets once: no edit beyond a shift of the
    start, no packet past the end of the file, no two frames shown at once, a declared rate that the times bear out.

    Args:
        path: The file.
        container: The same, open.
        stream: Its video.
        file: The same file, if it lies at a URL.
        look_at_keys: Find out whether key packets stand alone, from their first bytes; else it is taken that they do
            not.
    """
    if "mp4" not in container.format.name.split(",") or not stream.frames or not stream.average_rate:
        return None
    count = stream.frames
    with bytes_of(path, file) as whole:
        entries = _entries(whole, container, stream)
        size = whole.seek(0, io.SEEK_END)
    if entries is None or entries.size.min() <= 0 or not entries.key.any():
        return None
    if (entries.place + entries.size).max() > size:
        return None
    if np.diff(entries.decoded_at).min(initial=1) <= 0:
        return None
    rate = float(stream.average_rate)
    in_order = np.sort(entries.shown_at)
    if np.diff(in_order).min(initial=1) <= 0 or not _rate_holds(rate, in_order, float(stream.time_base or 0)):
        return None
    key, keys_alone = entries.key, False
    if look_at_keys:
        with bytes_of(path, file) as whole:
            key, keys_alone = proven_keys(entries.key, _alone(whole, stream, entries))
    index = index_of_arrays(
        time=entries.shown_at,
        key=key,
        shown=np.ones(count, np.bool_),
        seek_time=entries.decoded_at,
        place=entries.place,
        keys_alone=keys_alone,
        fps=rate,
        tick_sec=float(stream.time_base or 0),
        first_sec=float((stream.start_time or 0) * (stream.time_base or 0)),
        extents=np.stack([entries.place, entries.size], axis=1),
    )
    # Pictures that are stored behind a key but shown before it may be cut away by the edit list, which moves the clock.
    return index if index.num_frames == count else None


def _entries(file: BinaryIO | io.RawIOBase, container: InputContainer, stream: VideoStream) -> _Entries | None:
    """What the tables say, if they are simple and FFmpeg's own list has the same ends."""
    count = stream.frames
    listed: Sequence[Any] = getattr(stream, "index_entries", ())  # older PyAV does not show the list
    tables = _tables(file, len(container.streams), stream.index) if len(listed) == count else None
    if tables is None:
        return None
    try:
        size = mp4_boxes.sizes(tables, count)
        place, decoded_at = mp4_boxes.places(tables, size), mp4_boxes.decoding_times(tables, count)
        offsets, key = mp4_boxes.composition_offsets(tables, count), mp4_boxes.keys(tables, count)
    except DamagedTable:
        return None
    # FFmpeg's clock starts where the edit list says, and an edit that cuts pictures away leaves its mark at an end.
    decoded_at += listed[0].timestamp - decoded_at[0]
    for at in (0, count - 1):
        entry = listed[at]
        found = (entry.timestamp, entry.pos, entry.size, entry.is_keyframe, entry.is_discard)
        if found != (decoded_at[at], place[at], size[at], key[at], False):
            return None
    return _Entries(decoded_at, decoded_at + offsets, place, size, key)


def _tables(file: BinaryIO | io.RawIOBase, streams: int, track: int) -> memoryview | None:
    """The tables of a track; None if they are not all there is to know of it."""
    head = mp4_boxes.head(file)
    if head is None or find(head, b"mvex") is not None:  # mvex announces fragments
        return None
    tracks = [body for kind, body in mp4_boxes.boxes(head) if kind == b"trak"]
    if len(tracks) != streams:
        return None
    edits, tables = find(tracks[track], b"edts", b"elst"), find(tracks[track], b"mdia", b"minf", b"stbl")
    if tables is None or (edits is not None and not mp4_boxes.only_shifts(edits)):
        return None
    kinds = find(tables, b"stsd")
    return tables if kinds is not None and number(kinds, 4) == 1 else None


def _alone(file: BinaryIO | io.RawIOBase, stream: VideoStream, entries: _Entries) -> NDArray[np.bool_]:
    alone, context = np.zeros(len(entries.key), np.bool_), stream.codec_context
    codec = context.codec.canonical_name
    if intra_only(codec):
        return ~alone
    for packet in np.flatnonzero(entries.key).tolist():
        file.seek(int(entries.place[packet]))
        start = file.read(min(int(entries.size[packet]), NOTES)) or b""
        alone[packet] = stands_alone(codec, context.extradata, start)
    return alone


def _rate_holds(rate: float, in_order: NDArray[np.int64], time_base: float) -> bool:
    count, span = len(in_order), float(in_order[-1] - in_order[0]) * time_base
    return count == 1 or abs(rate - (count - 1) / span) <= RATE_TOLERANCE * rate
