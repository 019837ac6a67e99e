"""What readers have in common; and those that go by an index of the file's packets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.video.errors import as_video_error
from vjepa_pipe.video.index.packets import PacketIndex
from vjepa_pipe.video.reader import Indices, frame_numbers


class OpenReader(ABC):
    """An open video that closes itself, and whose size is that of a frame; see `VideoReader`."""

    path: str

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

    @property
    @abstractmethod
    def num_frames(self) -> int:
        """Frames that can be shown."""

    def read(self, indices: Indices) -> NDArray[np.uint8]:
        """Read frames; see `VideoReader.read`."""
        with as_video_error(self.path):
            numbers = frame_numbers(self.path, indices, self.num_frames)
            return self._read(numbers) if numbers.size else np.empty((0, self.height, self.width, 3), np.uint8)

    @abstractmethod
    def _read(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        """RGB uint8 [n, height, width, 3] of frames that the video has, at least one."""

    @abstractmethod
    def close(self) -> None:
        """Free the file and the decoder."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class IndexedReader(OpenReader):
    """An open video whose frames are known from its packets."""

    _index: PacketIndex

    @property
    def num_frames(self) -> int:
        """Frames that can be shown."""
        return self._index.num_frames

    @property
    def fps(self) -> float:
        """Average frames per second."""
        return self._index.fps

    @property
    def frame_times(self) -> NDArray[np.float64]:
        """When each frame is shown, in seconds; float64 [num_frames]."""
        return self._index.frame_times
