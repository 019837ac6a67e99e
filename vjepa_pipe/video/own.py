"""OwnDecoder: a decoder of the user's own, whose readers are checked."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.protocols import PAGE
from vjepa_pipe.video.errors import VideoError, as_video_error
from vjepa_pipe.video.reader import Indices, frame_numbers

MEMBERS = {"num_frames": "num_frames", "fps": "fps", "read": "read(indices)"}


class OwnDecoder:
    """Opens videos with an object that has `open(path)`.

    What `open` gives is read as a `VideoReader` of which only `num_frames`, `fps` and `read(indices)` are required;
    `close()` is called if it is there, and without `frame_times` frames are taken to be evenly spaced. Errors of
    libraries are errors of the file; those of Python's own that only a program can cause end the run.

    Args:
        decoder: The object; a `name`, if it has one, stands in reports.
    """

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder
        self.name = str(getattr(decoder, "name", type(decoder).__name__))

    def open(self, path: str) -> _Reader:
        """Open a video file.

        Raises:
            VideoError: If it cannot be read as a video.
            UserError: If what opens it is no reader.
        """
        with _file_errors(path):
            reader = self._decoder.open(path)
        name = f"{type(self._decoder).__qualname__}.open({path!r})"
        missing = [signature for member, signature in MEMBERS.items() if not hasattr(reader, member)]
        if missing:
            raise UserError(
                f"{name} gave {type(reader).__qualname__}, which has no {' and no '.join(missing)} ({PAGE})"
            )
        return _Reader(reader, path, name)


class _Reader:
    """See `VideoReader`."""

    def __init__(self, reader: Any, path: str, name: str) -> None:
        self._reader = reader
        self._path = path
        self._name = name
        with _file_errors(path):
            frames, rate = reader.num_frames, reader.fps
        try:
            self.num_frames, self.fps = operator.index(frames), float(rate)
        except (TypeError, ValueError):
            raise UserError(
                f"{name} gave num_frames={frames!r} and fps={rate!r}: they must be a whole number and a number ({PAGE})"
            ) from None
        if not (0 < self.num_frames < 2**31 and 0 < self.fps < math.inf):
            raise VideoError(path, f"num_frames={frames} and fps={rate} are those of no video")

    @property
    def frame_times(self) -> NDArray[np.float64]:
        if hasattr(self._reader, "frame_times"):
            return np.asarray(self._reader.frame_times, dtype=np.float64)
        return np.arange(self.num_frames) / self.fps

    @property
    def frames_decoded(self) -> int | None:
        return getattr(self._reader, "frames_decoded", None)

    @property
    def height(self) -> int:
        return int(self.read([0]).shape[1])

    @property
    def width(self) -> int:
        return int(self.read([0]).shape[2])

    def read(self, indices: Indices) -> NDArray[np.uint8]:
        numbers = frame_numbers(self._path, indices, self.num_frames)
        with _file_errors(self._path):
            frames = np.asarray(self._reader.read(numbers))
        fits = frames.ndim == 4 and len(frames) == len(numbers) and frames.shape[3] == 3 and frames.size
        if frames.dtype != np.uint8 or not fits:
            raise UserError(
                f"{self._name}.read must give uint8 [{len(numbers)}, height, width, 3] (got {frames.dtype} "
                f"{list(frames.shape)}; {PAGE})"
            )
        return frames

    def close(self) -> None:
        close = getattr(self._reader, "close", None)
        if close is not None:
            close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def _file_errors(path: str) -> Iterator[None]:
    """Let errors that only a program can cause through; others are the file's."""
    program: Exception | None = None
    with as_video_error(path):
        try:
            yield
        except (AttributeError, ImportError, NameError, NotImplementedError, TypeError) as error:
            program = error
    if program is not None:
        raise program
