"""What every decoder offers: open a file, then read frames by their place in it."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.video.errors import VideoError

Indices = Sequence[int] | NDArray[np.integer]


class VideoReader(Protocol):
    """An open video.

    Frames are counted from 0 in the order in which a player shows them, whatever the order in which they are
    stored and whatever their spacing in time. Frames that an edit list cuts away are not counted.
    """

    @property
    def num_frames(self) -> int:
        """Frames that can be shown."""

    @property
    def fps(self) -> float:
        """Average frames per second. With a variable frame rate it stands for the rate."""

    @property
    def frame_times(self) -> NDArray[np.float64]:
        """When each frame is shown, in seconds on the file's own clock; float64 [num_frames], rising."""

    @property
    def height(self) -> int:
        """Height in pixels, as displayed: a video filmed upright is taller than wide."""

    @property
    def width(self) -> int:
        """Width in pixels, as displayed."""

    def read(self, indices: Indices) -> NDArray[np.uint8]:
        """Read frames, in any order and with repeats.

        Args:
            indices: Frame numbers in [0, num_frames).

        Returns:
            RGB uint8 [len(indices), height, width, 3].

        Raises:
            VideoError: If a number is out of range, or a frame cannot be decoded as it was encoded.
        """

    def close(self) -> None:
        """Free the file and the decoder."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Decoder(Protocol):
    """A way to open videos: a small picklable object, so a worker process can be handed one."""

    @property
    def name(self) -> str:
        """The library's name, for reports."""

    def open(self, path: str) -> VideoReader:
        """Open a video file.

        Raises:
            VideoError: If it cannot be read as a video.
        """


def frame_numbers(path: str, indices: Indices, num_frames: int) -> NDArray[np.int64]:
    """The indices as int64 [n], once each is known to be a frame of the video.

    Raises:
        VideoError: If one is negative or past the last frame.
    """
    numbers = np.asarray(indices, dtype=np.int64).reshape(-1)
    outside = numbers[(numbers < 0) | (numbers >= num_frames)]
    if outside.size:
        raise VideoError(path, f"frame {outside[0]} was asked for, the video has 0 to {num_frames - 1}")
    return numbers
