"""Images in the rows of an episode, read as the frames of a video."""

from __future__ import annotations

from functools import cached_property
from io import BytesIO
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from vjepa_pipe.datasets.still import rgb
from vjepa_pipe.sources import CameraTrack, Episode
from vjepa_pipe.storage import shown_path
from vjepa_pipe.video import VideoError, as_video_error
from vjepa_pipe.video.reader import Indices, frame_numbers


class StoredImages:
    """The pictures of a camera that is stored as images: frame i is that of row i. See `VideoReader`.

    Args:
        episode: An open episode.
        track: One of its cameras, with `images`.

    Attributes:
        num_frames: Rows of the episode.
        fps: Rows per second.
        frames_decoded: Images decoded so far.
    """

    def __init__(self, episode: Episode, track: CameraTrack) -> None:
        self._episode = episode
        self._track = track
        self._path = shown_path(track.path)
        self.num_frames = episode.num_rows
        self.fps = float(episode.row_rate or 0)
        self.frames_decoded = 0

    @cached_property
    def frame_times(self) -> npt.NDArray[np.float64]:
        """When each row was recorded, in seconds."""
        return self._episode.row_times(self._track)

    @property
    def height(self) -> int:
        """Height of the first image."""
        return int(self.read([0]).shape[1])

    @property
    def width(self) -> int:
        """Width of the first image."""
        return int(self.read([0]).shape[2])

    def read(self, indices: Indices) -> npt.NDArray[np.uint8]:
        """See `VideoReader.read`.

        Raises:
            EpisodeError: A row has no image.
            VideoError: An image cannot be read, or is not as large as the others.
        """
        assert self._track.images is not None, "only cameras that are stored as images are opened"
        rows, place = np.unique(frame_numbers(self._path, indices, self.num_frames), return_inverse=True)
        pictures = [self._decoded(row, image) for row, image in zip(rows, self._track.images(rows), strict=True)]
        self.frames_decoded += len(pictures)
        if len({picture.shape for picture in pictures}) > 1:
            raise VideoError(self._path, f"images of {self._track.name} differ in size")
        return np.stack(pictures)[place]

    def close(self) -> None:
        """Nothing to free: the episode holds the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _decoded(self, row: int, image: bytes) -> npt.NDArray[np.uint8]:
        try:
            with as_video_error(self._path), Image.open(BytesIO(image)) as picture:
                return rgb(picture)
        except VideoError as error:
            said = error.__cause__ or error.reason
            raise VideoError(self._path, f"row {row}: {self._track.name} is not a readable image: {said}") from error
