"""What a video file holds, found without decoding more than its first frame."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import NamedTuple

from vjepa_pipe.video.decoders.pyav import PyavDecoder
from vjepa_pipe.video.index.mp4 import index_from_tables
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
        packets: Where the file's own tables do not say where its packets are: that, for `PyavDecoder.open`; base64.
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


def probe(path: str) -> Probe:
    """Look at a file, and decode its first frame.

    Raises:
        VideoError: If it is not a video that can be read.
    """
    container, stream = open_video(path)
    with container:
        tables = index_from_tables(path, container, stream)
        index = tables or index_packets(path, container, stream)
        codec, kind = stream.codec_context.name, container.format.name
    with PyavDecoder().open(path) as video:
        height, width = video.height, video.width
        rotation = video.rotation
    keys = [int(index.frame_of[packet]) for packet in index.key_packets]
    return Probe(
        frames=index.num_frames,
        fps=index.fps,
        duration=index.num_frames / index.fps,
        width=width,
        height=height,
        codec=codec,
        container=kind,
        rotation=rotation,
        bytes=Path(path).stat().st_size,
        key_frames=[key for key in keys if key >= 0],
        packets="" if tables else b64encode(pack_index(index)).decode(),
    )
