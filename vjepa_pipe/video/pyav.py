"""Videos read with PyAV, FFmpeg's Python binding: every format that FFmpeg knows, every frame exact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.video.errors import VideoError
from vjepa_pipe.video.packets import Run, index_packets, open_video
from vjepa_pipe.video.reader import Indices, frame_numbers

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


@dataclass(frozen=True)
class PyavDecoder:
    """Opens videos with PyAV.

    Attributes:
        threads: Decoding threads of each open video. They share the slices of one picture, so only videos encoded
            in several slices gain from more than one.
    """

    threads: int = 1
    name: ClassVar[str] = "pyav"

    def open(self, path: str) -> PyavReader:
        """Open a video file; see `Decoder.open`."""
        return PyavReader(path, self.threads)


class PyavReader:
    """An open video; see `VideoReader`.

    Opening walks over the packets once. Reading then decodes from the key frame before each wanted frame to that
    frame and no further, leaves out pictures that nothing wanted depends on, and converts only wanted ones to RGB.
    """

    def __init__(self, path: str, threads: int = 1) -> None:
        from av.video.reformatter import VideoReformatter

        self.path = path
        self._threads = threads
        self._to_rgb = VideoReformatter()
        self._open()
        try:
            self._index = index_packets(path, self._container, self._stream)
        except VideoError:
            self.close()
            raise

    @property
    def num_frames(self) -> int:
        """Frames that can be shown."""
        return self._index.num_frames

    @property
    def fps(self) -> float:
        """Average frames per second."""
        return self._index.fps

    @property
    def height(self) -> int:
        """Height in pixels, as displayed."""
        return self._displayed_size[0]

    @property
    def width(self) -> int:
        """Width in pixels, as displayed."""
        return self._displayed_size[1]

    @cached_property
    def _displayed_size(self) -> tuple[int, int]:
        # Only a decoded frame says how it is to be turned.
        _, height, width, _ = self.read([0]).shape
        return height, width

    def read(self, indices: Indices) -> NDArray[np.uint8]:
        """Read frames; see `VideoReader.read`."""
        numbers = frame_numbers(self.path, indices, self.num_frames)
        clip: NDArray[np.uint8] | None = None
        for number, picture in self._pictures(np.unique(numbers).tolist()):
            image = self._upright_rgb(picture)
            if clip is None:
                clip = np.empty((len(numbers), *image.shape), np.uint8)
            clip[numbers == number] = image
        return np.empty((0, self.height, self.width, 3), np.uint8) if clip is None else clip

    def _pictures(self, frames: list[int]) -> Iterator[tuple[int, VideoFrame]]:
        for run in self._index.runs(frames):
            try:
                yield from self._decode(run)
            except VideoError:
                if run.first == 0:
                    raise
                # Some encoders mark as key frames what only becomes whole some frames later.
                yield from self._decode(run._replace(first=0))

    def _decode(self, run: Run) -> Iterator[tuple[int, VideoFrame]]:
        """Decode a run of packets and yield its wanted frames, each with its number.

        Each packet goes into the decoder stamped with the number of its frame in place of a time, and the picture
        comes out with the stamp. So frames are never counted, except in files without times.
        """
        import av

        context = self._stream.codec_context
        context.flush_buffers()
        timed, counted = self._index.timed, 0
        last = run.last if timed else len(self._index.frame_of) - 1
        first_frame = run.frames[0]
        missing = set(run.frames)
        for number, packet in self._packets_from(run.first):
            frame = int(self._index.frame_of[number])
            packet.pts = frame if frame >= 0 else None
            context.skip_frame = "NONREF" if timed and frame not in missing else "DEFAULT"
            try:
                pictures = context.decode(packet)
                if number == last:
                    pictures += context.decode(None)
            except av.FFmpegError as error:
                ...
