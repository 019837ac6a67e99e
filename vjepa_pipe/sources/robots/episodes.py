"""What every layout of robot data offers: episodes, each with rows of numbers and some cameras."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.sources.errors import EpisodeError

Array = NDArray[np.float64]
EYES = ("left", "right")


class Feature(NamedTuple):
    """What is known of a column, or of a camera, before an episode is opened.

    Attributes:
        kind: `video`, `image`, `string` or a type of numbers such as `float32`.
        shape: Of one row; of a camera as its data set writes it, mostly `(height, width, channels)`.
        names: What each number of a row is called; None: unknown.
        is_depth: A camera whose pictures are distances.
    """

    kind: str
    shape: tuple[int, ...]
    names: tuple[str, ...] | None
    is_depth: bool = False

    @property
    def size(self) -> int:
        """Numbers in a row."""
        return math.prod(self.shape)

    @property
    def has_pictures(self) -> bool:
        """Whether it is a camera."""
        return self.kind in ("video", "image")

    @property
    def has_numbers(self) -> bool:
        """Whether its rows can be part of a state."""
        return not self.has_pictures and self.kind != "string"


class CameraTrack(NamedTuple):
    """The video of one camera during one episode.

    Attributes:
        name: What the config calls the camera.
        path: The video file.
        id: What stands for `{camera}` in the names of columns.
        start: Where in the file the episode begins, in seconds.
        shared: The file holds other episodes too.
        images: For a camera stored as images in the rows of the file: reads the encoded images of some rows, rising.
            None: the file is a video.
    """

    name: str
    path: str
    id: str
    start: float = 0.0
    shared: bool = False
    images: Callable[[NDArray[np.int64]], list[bytes]] | None = None


class Episode(Protocol):
    """An open episode. Row i of every column belongs to the same moment."""

    @property
    def path(self) -> str:
        """Names it in messages."""

    @property
    def num_rows(self) -> int:
        """Rows, from 1."""

    @property
    def row_rate(self) -> float | None:
        """Rows per second, where the data says so."""

    @property
    def task(self) -> str:
        """What the robot was told to do; empty when unknown."""

    def camera(self, name: str, stereo: bool = False) -> CameraTrack:
        """The video of a camera; with `stereo` the one that holds both eyes side by side.

        Raises:
            EpisodeError: There is no such camera.
        """

    def read(self, columns: Sequence[str], rows: NDArray[np.int64]) -> Array:
        """Columns side by side, float64 `[len(rows), D]`.

        Raises:
            EpisodeError: A column is missing, of another length, or not finite in one of these rows.
        """

    def row_times(self, camera: CameraTrack) -> Array:
        """When each row was recorded, on the clock of `frame_times`, in seconds `[num_rows]`.

        Raises:
            EpisodeError: The data does not say.
        """

    def frame_times(self, camera: CameraTrack) -> Array | None:
        """When each frame of a camera was recorded, in seconds; None when the video file's own times say so.

        Raises:
            EpisodeError: The data does not say.
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class RobotSource(Protocol):
    """The episodes of one source."""

    @property
    def name(self) -> str:
        """What the source is called in samples and reports."""

    @property
    def title(self) -> str:
        """What kind of data it is, for a person."""

    def __len__(self) -> int: ...

    def path(self, i: int) -> str:
        """Where episode `i` is, for reports."""

    def feature(self, name: str) -> Feature | None:
        """What is known of a column or a camera of every episode."""

    def open(self, i: int) -> Episode:
        """Open episode `i`.

        Raises:
            EpisodeError: It cannot be read.
        """


def pose_column(pattern: str, camera: str, eye: str) -> str:
    """The column of a camera's pose: a pattern with `{camera}` and `{eye}` filled in."""
    return pattern.replace("{camera}", camera).replace("{eye}", eye)


def finite(path: str, column: str, values: Array, rows: NDArray[np.int64]) -> Array:
    """The same values, once each is known to be a number.

    Raises:
        EpisodeError: Naming the column and the first row that holds NaN or infinity.
    """
    bad = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if bad.any():
        raise EpisodeError(path, f"{column} is not a finite number in row {rows[int(np.argmax(bad))]}")
    return values
