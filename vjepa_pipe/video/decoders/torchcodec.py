"""Videos read with torchcodec, PyTorch's decoder: fastest where every frame is a key frame.

torchcodec finds frames by a list of their times. In `exact` seeking it is given the list that the other readers use,
so frames, their number and their rate are the same; `approximate` trusts the file's header, opens without looking at
a packet, and is right where the rate is constant and the header true.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

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

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

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
        self.path, self._window = path, range(0)
        self._video: Any = None
        container, stream = open_video(path)
        with container:
            context = stream.codec_context
            self._options = {"stream_index": stream.index, "num_ffmpeg_threads": threads}
            self._options |= _shrunk(context.height, context.width, short_side)
            self._mappings = _mappings(path, container, stream) if seek_mode == "exact" else None
        if self._mappings is not None:
            packets = self._mappings.packets
            self._frames, self._fps, self._times = packets.num_frames, packets.fps, packets.frame_times
            return
        self._video = _open(path, seek_mode=seek_mode, **self._options)
        about = self._video.metadata
        if not about.num_frames or not about.average_fps:
            raise VideoError(path, "its header gives no number of frames or no rate; use seek_mode=exact")
        self._frames, self._fps = about.num_frames, about.average_fps
        self._times, self._window = np.arange(self._frames) / self._fps, range(self._frames)

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
        first, last = int(numbers.min()), int(numbers.max())
        if self._mappings is not None and not (first in self._window and last in self._window):
            self._window = self._mappings.window(first, last)
            self._video = _open(self.path, custom_frame_mappings=self._mappings.of(self._window), **self._options)
        try:
            found = self._video.get_frames_at((numbers - self._window.start).tolist())
        except (RuntimeError, IndexError, ValueError) as error:
            raise VideoError(
                self.path, f"torchcodec cannot decode every frame asked for ({_one_line(error)})"
            ) from error
        # For a picture that its decoder passes over, torchcodec returns the one after it.
        if self._mappings is not None and np.abs(found.pts_seconds.numpy() - self._times[numbers]).max() > ROUNDING:
            raise VideoError(self.path, "torchcodec returns frames of other times than those asked for")
        frames: NDArray[np.uint8] = found.data.numpy()
        return frames

    def close(self) -> None:
        """Free the file and the decoder."""
        self._video, self._window = None, range(0)


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


class _Mappings(NamedTuple):
    """The frames of a video as torchcodec takes them: those that FFprobe prints.

    Attributes:
        packets: Where they are stored.
        times: When each is shown, in the stream's time base; int64 [frames].
        durations: For how long, likewise.
        keys: Which are key frames; bool [frames].
    """

    packets: PacketIndex
    times: NDArray[np.int64]
    durations: NDArray[np.int64]
    keys: NDArray[np.bool_]

    def window(self, first: int, last: int) -> range:
        """The frames that decoding some takes: from the key frame before the first one to the last one."""
        return range(int(np.flatnonzero(self.keys[: first + 1]).max(initial=0)), last + 1)

    def of(self, window: range) -> str:
        """The mappings of a window. Those of a whole video are slow to write and to read: 6 ms for 3,600 frames."""
        part = slice(window.start, window.stop)
        columns = (column[part].tolist() for column in (self.times, self.durations, self.keys.astype(int)))
        frames = [
            {"pts": pts, "duration": duration, "key_frame": key} for pts, duration, key in zip(*columns, strict=True)
        ]
        return json.dumps({"frames": frames})


def _mappings(path: str, container: InputContainer, stream: VideoStream) -> _Mappings:
    tables = index_from_tables(path, container, stream, look_at_keys=True)
    packets = tables or index_packets(path, container, stream)
    kind = container.format.name.split(",")[0]
    if kind not in SEEKABLE_FORMATS or not packets.timed or not packets.keys_alone or stream.time_base is None:
        raise VideoError(path, f"torchcodec does not find every frame of this {kind} file; use PyavDecoder")
    times = packets.times[packets.packet_of]
    durations = np.diff(times, append=times[-1] + max(1, round(1 / (packets.fps * stream.time_base))))
    return _Mappings(packets, times, durations, np.isin(packets.packet_of, packets.key_packets))


def _one_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0][:200]
