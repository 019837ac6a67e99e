"""What it takes to decode a file without opening it: where the bytes of its packets are, and the decoder's settings."""

from __future__ import annotations

import json
import struct
import zlib
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.storage import Facts
from vjepa_pipe.video.index.packets import PacketIndex, index_of_arrays
from vjepa_pipe.video.index.stored import from_steps, seal, steps, unseal

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

VERSION = 3
_SIZE = struct.Struct("<I")
_NUMBERS = (
    "width", "height", "color_range", "colorspace", "color_primaries", "color_trc", "field_order",
    "bits_per_coded_sample", "reorder_depth",
)  # fmt: skip
_NAMES = ("pix_fmt", "codec_tag")
"""What `avcodec_parameters_to_context` takes from a container, with the configuration record, that pictures need."""


@dataclass(frozen=True)
class PacketTable:
    """The packets of a video stream, each stored in one piece, and what their decoder must know.

    Attributes:
        index: Which frames they become; `index.extents` is set.
        codec: FFmpeg's name of the decoder.
        configuration: The stream's configuration record ("extradata"); may be empty.
        settings: Attributes of a codec context that pictures depend on.
        rotation: Degrees counterclockwise that a player turns the stored picture.
        tick_sec: Seconds of one unit of the packets' times.
        first_sec: When the first frame is shown, where times hold but for a constant; else None.
    """

    index: PacketIndex
    codec: str
    configuration: bytes
    settings: dict[str, Any]
    rotation: int
    tick_sec: float
    first_sec: float | None

    def context(self) -> VideoCodecContext:
        """A decoder that is not open yet."""
        import av

        context: VideoCodecContext = av.CodecContext.create(self.codec, "r")
        context.extradata = self.configuration or None
        for name in self.settings.keys() & {*_NUMBERS, *_NAMES}:
            setattr(context, name, self.settings[name])
        return context


def table_of(stream: VideoStream, index: PacketIndex, rotation: int, *, from_tables: bool) -> PacketTable | None:
    """The table of a stream; None if its packets are not known to be stored in one piece each.

    Args:
        stream: The stream, as its container gives it.
        index: Its packets.
        rotation: See `PacketTable`.
        from_tables: Whether the index is that of `index_from_tables`.
    """
    if index.extents is None or not index.timed:
        return None
    context, tick = stream.codec_context, float(stream.time_base or 0)
    settings: dict[str, Any] = {name: int(getattr(context, name)) for name in _NUMBERS}
    settings |= {name: value for name in _NAMES if (value := getattr(context, name)) is not None}
    first = float((stream.start_time or 0) * (stream.time_base or 0)) if from_tables else None
    return PacketTable(index, context.name, context.extradata or b"", settings, rotation, tick, first)


class IndexedObject(NamedTuple):
    """What an index keeps of an object.

    Attributes:
        facts: What the object was when it was indexed.
        packets: Where its packets are, from `pack_index`; empty if it must be walked, or there is a table.
        table: Its packets, if they can be read one by one.
    """

    facts: Facts
    packets: bytes
    table: PacketTable | None


def pack_object(known: IndexedObject) -> bytes:
    """It in about 3 bytes a packet."""
    table = known.table
    head: dict[str, Any] = {"size": known.facts.size, "version": known.facts.version}
    body = known.packets
    if table is not None:
        head |= {
            "codec": table.codec,
            "configuration": b64encode(table.configuration).decode(),
            "settings": table.settings,
            "rotation": table.rotation,
            "tick_sec": table.tick_sec,
            "first_sec": table.first_sec,
            "fps": table.index.fps,
            "keys_alone": table.index.keys_alone,
        }
        body = _pack_columns(table.index)
    text = json.dumps(head).encode()
    return seal(VERSION, zlib.compress(_SIZE.pack(len(text)) + text + body))


def unpack_object(data: bytes) -> IndexedObject | None:
    """What was packed; None if the bytes are none, damaged, or of another version."""
    sealed = unseal(VERSION, data)
    if sealed is None:
        return None
    content = zlib.decompress(sealed)
    start = _SIZE.size + _SIZE.unpack_from(content)[0]
    head, body = json.loads(content[_SIZE.size : start]), content[start:]
    facts = Facts(head["size"], head["version"])
    if "codec" not in head:
        return IndexedObject(facts, body, None)
    table = PacketTable(
        index=_unpack_columns(body, head),
        codec=head["codec"],
        configuration=b64decode(head["configuration"]),
        settings=head["settings"],
        rotation=head["rotation"],
        tick_sec=head["tick_sec"],
        first_sec=head["first_sec"],
    )
    return IndexedObject(facts, b"", table)


def _pack_columns(index: PacketIndex) -> bytes:
    assert index.extents is not None
    starts, sizes = index.extents.T
    gaps = starts - np.concatenate([[0], (starts + sizes)[:-1]])  # mostly 0, or what lies between two tracks
    marks = np.zeros(len(sizes), np.uint8)
    marks[index.key_packets] = 1
    marks[index.frame_of >= 0] |= 2
    columns = (index.times, np.cumsum(gaps), np.cumsum(sizes))
    return b"".join([*map(steps, columns), marks.tobytes()])


def _unpack_columns(body: bytes, head: dict[str, Any]) -> PacketIndex:
    numbers = np.frombuffer(body, np.uint8)
    count = len(numbers) // (3 * 8 + 1)
    times, gaps, sizes = (from_steps(part) for part in np.split(numbers[: 24 * count], 3))
    marks, ends = numbers[24 * count :], sizes + gaps
    sizes = np.diff(sizes, prepend=0)
    extents: NDArray[np.int64] = np.stack([ends - sizes, sizes], axis=1)
    return index_of_arrays(
        time=times,
        key=(marks & 1).astype(np.bool_),
        shown=(marks & 2).astype(np.bool_),
        seek_time=times,
        place=extents[:, 0],
        keys_alone=head["keys_alone"],
        fps=head["fps"],
        tick_sec=head["tick_sec"],
        first_sec=head["first_sec"],
        extents=extents,
    )
