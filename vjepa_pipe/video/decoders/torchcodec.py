"""Videos read with torchcodec, PyTorch's decoder: fastest where every frame is a key frame.

torchcodec finds frames by a list of their times. In `exact` seeking it is given the list that the other readers use,
so frames, their number and their rate are the same; `approximate` trusts the file's header, opens without looking at
a packet, and is right where the rate is constant and the header true.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.extras import import_extra
from vjepa_pipe.config.loader import SEEK_MODES
from vjepa_pipe.video.clips.frame_times import ROUNDING
from vjepa_pipe.video.decoders.indexed_reader import OpenReader
from vjepa_pipe.video.errors import VideoError, as_video_error
from vjepa_pipe.video.index.mp4 import index_from_tables
from vjepa_pipe.video.index.packets import PacketIndex
from vjepa_pipe.video.index.walk import index_packets
from vjepa_pipe.video.opening import open_video, refuse_urls

SEEKABLE_FORMATS = ("mov", "matroska", "flv")


@dataclass(frozen=True)
class TorchcodecDecoder:
    """Opens videos with torchcodec (`pip install vjepa_pipe[torchcodec]`; it needs FFmpeg's shared libraries).

    Attributes:
        threads: Decoding threads of each open video.
        seek_mode: `exact` or `approximate`; see the module.
        short_side: Larger pictures are shrunk to this short side, in pixels, as they are decoded; None leaves them.

    Raises:
        ValueError: The seek mode is unknown, or the short side is below 1.
        UserError: torchcodec is not installed, or finds no FFmpeg.
    """

    threads: int = 1
    seek_mode: str = "exact"
    short_side: int | None = None
    name: ClassVar[str] = "torchcodec"

    def __post_init__(self) -> None:
        if self.seek_mode not in SEEK_MODES:
            raise ValueError(f"seek_mode must be one of {', '.join(SEEK_MODES)} (got {self.seek_mode!r})")
        if self.short_side is not None and self.short_side < 1:
            raise ValueError(f"short_side must be >= 1 (got {self.short_side})")
        _load()

    def open(self, path: str) -> TorchcodecReader:
        """Open a video file; see `Decoder.open`."""
        refuse_urls(path, self.name)
        with as_video_error(path):
            return TorchcodecReader(path, self.threads, self.seek_mode, self.short_side)


class TorchcodecReader(OpenReader):
    """An open video; see `VideoReader`."""

    def __init__(self, path: str, threads: int = 1, seek_mode: str = "exact", short_side: int | None = None) -> None:
        self.path, self._exact = path, seek_mode == "exact"
        container, stream = open_video(path)
        with container:
            options: dict[str, Any] = {"seek_mode": seek_mode}
            if self._exact:
                tables = index_from_tables(path, container, stream, look_at_keys=True)
                index = tables or index_packets(path, container, stream)
                kind = container.format.name.split(",")[0]
                if kind not in SEEKABLE_FORMATS or not index.timed or not index.keys_alone or stream.time_base is None:
                    raise VideoError(path, f"torchcodec does not find every frame of this {kind} file; use PyavDecoder")
                options = {"custom_frame_mappings": _frame_mappings(index, stream.time_base)}
            context = stream.codec_context
            options |= _shrunk(context.height, context.width, short_side)
            self._video = _open(path, stream_index=stream.index, num_ffmpeg_threads=threads, **options)
        about = self._video.metadata
        if self._exact:
            self._frames, self._fps, self._times = index.num_frames, index.fps, index.frame_times
        elif not about.num_frames or not about.average_fps:
            raise VideoError(path, "its header gives no number of frames or no rate; use seek_mode=exact")
        else:
            self._frames, self._fps = about.num_frames, about.average_fps
            self._times = np.arange(self._frames) / self._fps

    @property
    def num_frames(self) -> int:
        """Frames that can be shown."""
        return self._frames

    @property
    def fps(self) -> float:
        """Average frames per second."""
        return self._fps

    @property
    def frame_times(self) -> NDArray[np.float64]:
        """When each frame is shown; see `VideoReader.frame_times`."""
        return self._times

    def _read(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        try:
            found = self._video.get_frames_at(numbers.tolist())
        except (RuntimeError, IndexError, ValueError) as error:
            raise VideoError(
                self.path, f"torchcodec cannot decode every frame asked for ({_one_line(error)})"
            ) from error
        # For a picture that its decoder passes over, torchcodec returns the one after it.
        if self._exact and np.abs(found.pts_seconds.numpy() - self._times[numbers]).max() > ROUNDING:
            raise VideoError(self.path, "torchcodec returns frames of other times than those asked for")
        frames: NDArray[np.uint8] = found.data.numpy()
        return frames

    def close(self) -> None:
        """Free the file and the decoder."""
        self._video = None


def _load() -> Any:
    """The module, with FFmpeg found: up to 0.16 it cannot be imported without, since then it says so."""
    try:
        module = import_extra("torchcodec", "torchcodec")
    except (RuntimeError, OSError) as error:
        raise UserError(f"torchcodec cannot be loaded ({_one_line(error)})") from error
    if getattr(module, "ffmpeg_major_version", 0) is None:
        raise UserError("torchcodec finds no FFmpeg: install its shared libraries, or use decoder=pyav")
    return module


def _open(path: str, **options: Any) -> Any:
    try:
        return _load().decoders.VideoDecoder(path, dimension_order="NHWC", **options)
    except (RuntimeError, ValueError) as error:
        raise VideoError(path, f"torchcodec cannot open it ({_one_line(error)})") from error


def _shrunk(height: int, width: int, short_side: int | None) -> dict[str, Any]:
    """The option that shrinks stored pictures of this size; none for those that are small enough."""
    if short_side is None or min(height, width) <= short_side:
        return {}
    scale = short_side / min(height, width)
    return {"transforms": [_load().transforms.Resize((round(height * scale), round(width * scale)))]}


def _frame_mappings(index: PacketIndex, time_base: Fraction) -> str:
    """The times of all frames, as torchcodec takes them: those that FFprobe prints."""
    times = index.times[index.packet_of]
    lasts = np.diff(times, append=times[-1] + max(1, round(1 / (index.fps * time_base))))
    keys = np.isin(index.packet_of, index.key_packets)
    frames = [
        {"pts": pts, "duration": duration, "key_frame": int(key)}
        for pts, duration, key in zip(times.tolist(), lasts.tolist(), keys.tolist(), strict=True)
    ]
    return json.dumps({"frames": frames})


def _one_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0][:200]
