"""Videos read with decord, the library of the published loaders, kept from returning frames that were not asked for.

decord numbers key frames in stored order and seeks as if that were the order of showing. The two differ where
pictures before a key frame are stored after it (open groups of pictures, the habit of HEVC and MPEG-4), and where an
edit list or hidden frames come in: there decord 0.6 returns other frames than asked for, without a word. So it does
where key frames do not stand alone; in MPEG transport streams it even begins at another frame. So the packets are
indexed as for PyAV, and decord seeks only where it lands right. Other files it decodes from their first frame, and
those where it does not find that one are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.video.errors import VideoError, as_video_error
from vjepa_pipe.video.indexed_reader import IndexedReader
from vjepa_pipe.video.opening import open_video
from vjepa_pipe.video.packets import index_packets
from vjepa_pipe.video.sample_tables import index_from_tables

SEEKS_RIGHT = ("mov", "matroska", "flv")
STARTS_RIGHT = (*SEEKS_RIGHT, "avi", "asf")
# decord repeats the last good frame where one cannot be decoded. A share of the frames above this number raises; 0
# would mean no limit.
REPEATED_FRAMES_ALLOWED = 1e-9


@dataclass(frozen=True)
class DecordDecoder:
    """Opens videos with decord (or decord2, which takes its name).

    Damage that a codec patches over without an error cannot be seen through decord; PyAV refuses such frames.

    Attributes:
        threads: Decoding threads of each open video.
    """

    threads: int = 1
    name: ClassVar[str] = "decord"

    def open(self, path: str) -> DecordReader:
        """Open a video file; see `Decoder.open`."""
        with as_video_error(path):
            return DecordReader(path, self.threads)


class DecordReader(IndexedReader):
    """An open video; see `VideoReader`."""

    def __init__(self, path: str, threads: int = 1) -> None:
        self.path = path
        self._threads = threads
        container, stream = open_video(path)
        with container:
            tables = index_from_tables(path, container, stream, look_at_keys=True)
            self._index = tables or index_packets(path, container, stream)
            kind = container.format.name.split(",")[0]
        if kind not in STARTS_RIGHT:
            raise VideoError(path, f"decord does not find the first frame of {kind} files; use PyavDecoder")
        self._may_seek = kind in SEEKS_RIGHT and self._index.plain
        self._video: Any = self._open()

    def _read(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        try:
            return self._seek_and_read(numbers) if self._may_seek else self._read_from_start(numbers)
        except VideoError:
            raise
        except Exception as error:  # decord raises RuntimeError, IndexError, StopIteration and an error of its own
            raise VideoError(self.path, "decord cannot decode every frame asked for") from error

    def close(self) -> None:
        """Free the file and the decoder."""
        self._video = None

    def _open(self) -> Any:
        # decord breaks torch when it is loaded first (dmlc/decord#251).
        import torch  # noqa: F401 isort: skip
        import decord

        decord.logging.set_level(decord.logging.QUIET)  # what it would print, it raises too
        try:
            video = decord.VideoReader(self.path, num_threads=self._threads, fault_tol=REPEATED_FRAMES_ALLOWED)
        except Exception as error:  # decord raises RuntimeError, AssertionError and an error of its own
            raise VideoError(self.path, "decord cannot open it (damaged, or a codec it lacks, such as AV1)") from error
        stored = len(self._index.frame_of)
        if len(video) != stored:
            raise VideoError(self.path, f"decord finds {len(video)} packets in it, where it holds {stored}")
        return video

    def _seek_and_read(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        wanted, back = np.unique(numbers, return_inverse=True)
        frames: NDArray[np.uint8] = self._video.get_batch(wanted).asnumpy()
        return frames if np.array_equal(wanted, numbers) else frames[back]

    def _read_from_start(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        video, self._video = self._video or self._open(), None  # one that has moved does not find its start again
        clip: NDArray[np.uint8] | None = None
        for number in range(int(numbers.max()) + 1):
            frame = video.next()
            if number in numbers:
                frame = frame.asnumpy()
                if clip is None:
                    clip = np.empty((len(numbers), *frame.shape), np.uint8)
                clip[numbers == number] = frame
        assert clip is not None, "numbers is not empty"
        return clip
