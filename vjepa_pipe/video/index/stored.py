"""A packet index as a few bytes, to be kept beside a file whose own tables do not give it."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.video.index.packets import PacketIndex, index_of_arrays

_SEAL = struct.Struct("<BI")  # version, checksum of all that follows
_HEADER = struct.Struct("<BdI")  # whether keys stand alone, fps, packets
_VERSION = 2


def pack_index(index: PacketIndex) -> bytes:
    """The index in about 2 bytes a packet; empty if its packets cannot be told apart by time and place."""
    if not index.timed or index.places.min(initial=0) < 0:
        return b""
    columns = (index.times, index.seek_times, index.places)
    marks = np.zeros(len(index.times), np.uint8)
    marks[index.key_packets] = 1
    marks[index.frame_of >= 0] |= 2
    body = b"".join([*map(steps, columns), marks.tobytes()])
    return seal(_VERSION, _HEADER.pack(index.keys_alone, index.fps, len(index.times)) + zlib.compress(body))


def unpack_index(data: bytes, tick_sec: float) -> PacketIndex | None:
    """The index that was packed; None if the bytes are none, damaged, or of another version.

    Args:
        data: From `pack_index`.
        tick_sec: Seconds of one unit of the stream's times, as for `index_of`.
    """
    sealed = unseal(_VERSION, data)
    if sealed is None:
        return None
    try:
        alone, fps, count = _HEADER.unpack_from(sealed)
        body = np.frombuffer(zlib.decompress(sealed[_HEADER.size :]), np.uint8)
    except (struct.error, zlib.error):
        return None
    if not count or len(body) != (3 * 8 + 1) * count:
        return None
    times, seek_times, places = (from_steps(part) for part in np.split(body[: 24 * count], 3))
    marks = body[24 * count :]
    return index_of_arrays(
        time=times,
        key=(marks & 1).astype(np.bool_),
        shown=(marks & 2).astype(np.bool_),
        seek_time=seek_times,
        place=places,
        keys_alone=bool(alone),
        fps=fps,
        tick_sec=tick_sec,
    )


def seal(version: int, content: bytes) -> bytes:
    """Content that damage to it will show."""
    return _SEAL.pack(version, zlib.crc32(content)) + content


def unseal(version: int, data: bytes) -> bytes | None:
    """The content that was sealed; None if there is none, or it is damaged or of another version."""
    if len(data) < _SEAL.size or _SEAL.unpack_from(data) != (version, zlib.crc32(data[_SEAL.size :])):
        return None
    return data[_SEAL.size :]


def steps(values: NDArray[np.int64]) -> bytes:
    """From each value to the next, all first bytes, then all second bytes: most are alike, and shrink to nothing."""
    return np.diff(values, prepend=0).astype("<i8").view(np.uint8).reshape(-1, 8).T.tobytes()


def from_steps(data: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The values of `steps`."""
    each = np.ascontiguousarray(data.reshape(8, -1).T).view("<i8")[:, 0]
    values: NDArray[np.int64] = np.cumsum(each, dtype=np.int64)
    return values
