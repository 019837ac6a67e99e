"""Videos read with decord, the library of the published loaders, where it returns the frames asked for.

decord 0.6 takes the n-th picture that comes out of its decoder for the n-th packet of the file, in the order of times,
and numbers key frames in stored order. The two differ where pictures before a key frame are stored after it (open
groups of pictures, the habit of HEVC and MPEG-4), where the decoder passes over pictures that have lost what they refer
to, and where an edit list or hidden frames come in: there it returns other frames than asked for, without a word. In
AVI and in transport streams it begins at another frame. So the packets are indexed first, as for PyAV, and files that
decord would read wrong, or cannot open, are read with PyAV: refusing them would spoil whole sources (AVI, HEVC), and
frames are the same.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.video.decoders.indexed_reader import IndexedReader
from vjepa_pipe.video.decoders.pyav import PyavReader
from vjepa_pipe.video.errors import VideoError, as_video_error
from vjepa_pipe.video.index.mp4 import index_from_tables
from vjepa_pipe.video.index.packets import PacketIndex
from vjepa_pipe.video.index.walk import index_packets
from vjepa_pipe.video.opening import open_video, refuse_urls

SEEKABLE_FORMATS = ("mov", "matroska", "flv")
# decord repeats the last good frame where one cannot be decoded. A share of the frames above this number raises; 0
# would mean no limit.
REPEATED_FRAMES_ALLOWED = 1e-9

_SAID: set[str] = set()  # by this process

logger = logging.getLogger(__name__)


class _NotForDecord(Exception):
    """Why a file is not read with decord."""


@dataclass(frozen=True)
class DecordDecoder:
    """Opens videos with decord (or decord2, which takes its name), and with PyAV those that decord reads wrong.

    Damage that a codec patches over without an error cannot be seen through decord; PyAV refuses such frames.

    Attributes:
        threads: Decoding threads of each open video.
    """

    threads: int = 1
    name: ClassVar[str] = "decord"

    def open(self, path: str) -> DecordReader | PyavReader:
        """Open a video file; see `Decoder.open`."""
        refuse_urls(path, self.name)
        with as_video_error(path):
            try:
                return DecordReader(path, self.threads)
            except _NotForDecord as reason:
                _say_once(str(reason), path)
                return PyavReader(path, self.threads)


class DecordReader(IndexedReader):
    """An open video; see `VideoReader`."""

    def __init__(self, path: str, threads: int = 1) -> None:
        self.path = path
        container, stream = open_video(path)
        with container:
            kind = container.format.name.split(",")[0]
            if kind not in SEEKABLE_FORMATS:
                raise _NotForDecord(f"decord does not find every frame of {kind} files")
            tables = index_from_tables(path, container, stream, look_at_keys=True)
            self._index = tables or index_packets(path, container, stream)
        if not _comes_out_in_order(self._index):
            raise _NotForDecord("decord may return other frames of files with open groups, edits or missing pictures")
        self._video: Any = _opened(path, threads, len(self._index.frame_of))

    def _read(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        wanted, back = np.unique(numbers, return_inverse=True)
        try:
            frames: NDArray[np.uint8] = self._video.get_batch(wanted).asnumpy()
        except Exception as error:  # decord raises RuntimeError, IndexError and an error of its own
            raise VideoError(self.path, "decord cannot decode every frame asked for") from error
        return frames if np.array_equal(wanted, numbers) else frames[back]

    def close(self) -> None:
        """Free the file and the decoder."""
        self._video = None


def _comes_out_in_order(index: PacketIndex) -> bool:
    """Whether a decoder that starts at any key packet gives a picture for each packet.

    Where a packet is missing, those that refer to it may give none. The gap that it leaves is as long as two intervals
    between pictures, so a file without such a gap misses none.
    """
    intervals = np.diff(index.times[index.packet_of])
    return index.plain and (not intervals.size or bool(intervals.max() < 2 * intervals.min()))


def _opened(path: str, threads: int, packets: int) -> Any:
    # decord breaks torch when it is loaded first (dmlc/decord#251).
    import torch  # noqa: F401 isort: skip
    import decord

    decord.logging.set_level(decord.logging.QUIET)  # what it would print, it raises too
    try:
        video = decord.VideoReader(path, num_threads=threads, fault_tol=REPEATED_FRAMES_ALLOWED)
    except Exception as error:  # decord raises RuntimeError, AssertionError and an error of its own
        raise _NotForDecord("decord cannot open it (damaged, or a codec it lacks, such as AV1)") from error
    if len(video) != packets:
        raise _NotForDecord("decord finds another number of packets in it than it holds")
    return video


def _say_once(reason: str, path: str) -> None:
    if reason not in _SAID:
        _SAID.add(reason)
        logger.warning("%s is read with PyAV, as are others for the same reason: %s", path, reason)
