"""What a video file holds, found without decoding more than its first frame."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.config.urls import is_remote, shown_path
from vjepa_pipe.storage import Answer, Facts, RangesRead, RemoteFile, Storage
from vjepa_pipe.video.decoders.pyav import PyavReader
from vjepa_pipe.video.decoders.range_reader import RangeReader
from vjepa_pipe.video.errors import VideoError, as_video_error
from vjepa_pipe.video.index.mp4 import index_from_tables
from vjepa_pipe.video.index.mp4_boxes import fetch_head
from vjepa_pipe.video.index.packet_table import IndexedObject, PacketTable, pack_object, table_of
from vjepa_pipe.video.index.stored import pack_index
from vjepa_pipe.video.index.walk import index_packets
from vjepa_pipe.video.opening import open_video


class Probe(NamedTuple):
    """One file.

    Attributes:
        frames: Frames that are shown.
        fps: Average frames per second.
        duration: Seconds.
        width: Pixels, as displayed.
        height: Pixels, as displayed.
        codec: FFmpeg's name of the codec.
        container: FFmpeg's name of the format.
        rotation: Degrees counterclockwise that a player turns the stored picture.
        bytes: Size of the file.
        key_frames: Numbers of the frames at which decoding can start.
        packets: Where the file's own tables do not say where its packets are: that, for `PyavDecoder.open`; base64. Of
            a file at a URL, all that is needed to read clips of it.
        bytes_read: Bytes that were asked for to find this out, of a file at a URL.
        stamp: By which it is known whether the file is still the same; see `sources.probed.index_file.stamp`.
    """

    frames: int
    fps: float
    duration: float
    width: int
    height: int
    codec: str
    container: str
    rotation: int
    bytes: int
    key_frames: list[int]
    packets: str = ""
    bytes_read: int = 0
    stamp: list[int] = []


def probe(path: str, storage: Storage | None = None) -> Probe:
    """Look at a file, and decode its first frame.

    Args:
        path: The file, or its URL.
        storage: Reads what lies at a URL; unset: with the default settings.

    Raises:
        VideoError: If it is not a video that can be read.
        StorageError: If its store does not answer.
    """
    name = shown_path(path)
    with as_video_error(name):
        file = (storage or Storage()).open(path) if is_remote(path) else None
        if file is not None:
            fetch_head(file)
        container, stream = open_video(name, file)
        with container:
            stamp = _stamp(path) if file is None else file.facts.stamp
            tables = index_from_tables(name, container, stream, file)
            index = tables or index_packets(name, container, stream, file, find_data=file is not None)
            codec, kind = stream.codec_context.name, container.format.name
            packed = b"" if tables else pack_index(index)
            with PyavReader(name, packets=packed, file=file) as video:
                first = video.read([0])
            if file is not None:
                table = table_of(stream, index, video.rotation, from_tables=tables is not None)
                table = table if table is not None and _gives(first, table, name, file) else None
                packed = pack_object(IndexedObject(file.facts, b"" if table else packed, table))
    keys = [int(index.frame_of[packet]) for packet in index.key_packets]
    return Probe(
        frames=index.num_frames,
        fps=index.fps,
        duration=index.num_frames / index.fps,
        width=first.shape[2],
        height=first.shape[1],
        codec=codec,
        container=kind,
        rotation=video.rotation,
        bytes=stamp[0],
        key_frames=[key for key in keys if key >= 0],
        packets=b64encode(packed).decode(),
        bytes_read=0 if file is None else file.bytes_read,
        stamp=stamp,
    )


def _stamp(path: str) -> list[int]:
    facts = Path(path).stat()
    return [facts.st_size, facts.st_mtime_ns]


def _gives(first: NDArray[np.uint8], table: PacketTable, path: str, file: RemoteFile) -> bool:
    """Whether the first frame is the same when it is decoded by a table."""

    def read(url: str, start: int, end: int, known: Facts) -> Answer:  # noqa: ARG001
        return Answer(file.read_at(start, end - start), known, at_hand=True)

    with RangeReader(path, table, lambda ranges: RangesRead(read, path, ranges, file.facts), file.facts.size) as video:
        try:
            return np.array_equal(video.read([0]), first)
        except VideoError:
            return False
