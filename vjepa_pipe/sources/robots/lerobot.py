"""LeRobot datasets, versions 2.1 and 3.0: `meta/`, parquet files of rows, mp4 files of frames.

Version 2.1 has a parquet and an mp4 file for each episode. In 3.0 a file holds many episodes, and `meta/episodes` says
where each begins. The `lerobot` package is not needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.files.regular_file import regular_file
from vjepa_pipe.sources.errors import EpisodeError, SourceError
from vjepa_pipe.sources.robots.episodes import Array, CameraTrack, finite
from vjepa_pipe.sources.robots.lerobot_meta import EpisodePlace, LeRobotMeta, read_meta

EPISODE, CLOCK = "episode_index", "timestamp"


class LeRobotSource:
    """Episodes of a LeRobot dataset.

    Args:
        path: The dataset's folder, which holds `meta/info.json`.
        name: What the source is called; None: the folder's name.
        cameras: Cameras that will be asked for.
        columns: Columns that will be asked for.

    Raises:
        SourceError: It is not a dataset of a version that is known, or has no such camera or column.
    """

    def __init__(
        self, path: str | Path, name: str | None = None, cameras: Sequence[str] = (), columns: Sequence[str] = ()
    ) -> None:
        root = Path(path).expanduser().absolute()
        self.name = name or root.name
        self._meta: LeRobotMeta = read_meta(root, cameras)
        for column in columns:
            if column not in self._meta.features:
                known = ", ".join(name for name, kind in self._meta.features.items() if kind != "video")
                raise SourceError(root, f"has no column {column} (columns: {known})")

    def __len__(self) -> int:
        return len(self._meta)

    def path(self, i: int) -> str:
        """The dataset's folder and the number of the episode."""
        return f"{self._meta.root} episode {self._meta.number(i)}"

    def open(self, i: int) -> LeRobotEpisode:
        """Open episode `i`; see `RobotSource.open`."""
        return LeRobotEpisode(self.path(i), self._meta, self._meta.place(i))


class LeRobotEpisode:
    """An open episode; see `Episode`. Column names are those of the dataset's features."""

    def __init__(self, path: str, meta: LeRobotMeta, place: EpisodePlace) -> None:
        if place.length < 1:
            raise EpisodeError(path, "holds no rows")
        self.path = path
        self._meta = meta
        self._place = place

    @property
    def num_rows(self) -> int:
        """Rows, as the dataset's list of episodes says."""
        return self._place.length

    @property
    def row_rate(self) -> float:
        """Rows per second."""
        return self._meta.fps

    @property
    def task(self) -> str:
        """What the robot was told to do."""
        return self._place.task

    def camera(self, name: str, stereo: bool = False) -> CameraTrack:
        """The video of a camera, from the place where this episode begins."""
        if stereo:
            raise EpisodeError(self.path, "LeRobot datasets hold no stereo videos: set robotics.stereo=false")
        file, start = self._place.videos[name]
        return CameraTrack(name, str(file), name.rpartition(".")[2], start, shared=self._meta.version != "v2.1")

    def read(self, columns: Sequence[str], rows: NDArray[np.int64]) -> Array:
        """Columns side by side; see `Episode.read`."""
        if rows.size and not 0 <= rows.min() <= rows.max() < self.num_rows:
            raise EpisodeError(self.path, f"row {rows.max()} was asked for, the episode has 0 to {self.num_rows - 1}")
        parts = [finite(self.path, name, self._column(name)[rows], rows) for name in columns]
        return np.concatenate(parts, axis=1)

    def row_times(self, camera: CameraTrack) -> Array:
        """The column `timestamp`: seconds since the episode began, for every camera."""
        del camera
        rows = np.arange(self.num_rows)
        return self.read([CLOCK], rows)[:, 0]

    def frame_times(self, camera: CameraTrack) -> None:
        """None: the video file's own times count."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__dict__.pop("_file", None)

    def _column(self, name: str) -> Array:
        """One column of this episode, `[num_rows, D]`."""
        import pyarrow

        try:
            table = self._file.read_row_groups(self._groups[0], columns=[name], use_threads=False)
            values = table.column(name).slice(self._groups[1], self.num_rows).to_pylist()
            return np.array(values, np.float64).reshape(len(values), -1)
        except KeyError as error:
            raise EpisodeError(self.path, f"{self._place.data.name} has no column {name}") from error
        except (OSError, ValueError, TypeError, pyarrow.ArrowException) as error:
            file = self._place.data.name
            raise EpisodeError(self.path, f"column {name} of {file} cannot be read ({error})") from error

    @cached_property
    def _file(self) -> Any:
        import pyarrow
        import pyarrow.parquet as parquet

        try:
            regular_file(self._place.data)
            return parquet.ParquetFile(self._place.data, memory_map=True)
        except (OSError, pyarrow.ArrowException) as error:
            raise EpisodeError(self.path, f"{self._place.data} cannot be read as parquet ({error})") from error

    @cached_property
    def _groups(self) -> tuple[list[int], int]:
        """The row groups that hold this episode, and its first row in them, once its rows are known to be there."""
        metadata = self._file.metadata
        ends = np.cumsum([metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)])
        first, last = self._place.first_row, self._place.first_row + self.num_rows
        total = int(ends[-1]) if len(ends) else 0
        if last > total or (self._meta.version == "v2.1" and last != total):
            raise EpisodeError(
                self.path, f"rows {first} to {last - 1} of {self._place.data} are its own, the file has {total} rows"
            )
        groups = list(range(int(np.searchsorted(ends, first, side="right")), int(np.searchsorted(ends, last)) + 1))
        offset = first - (int(ends[groups[0] - 1]) if groups[0] else 0)
        if EPISODE in self._file.schema_arrow.names:
            numbers = self._file.read_row_groups(groups, columns=[EPISODE], use_threads=False).column(0)
            found = set(numbers.slice(offset, self.num_rows).to_pylist())
            if found != {self._place.number}:
                raise EpisodeError(self.path, f"its rows of {self._place.data} are marked as episodes {sorted(found)}")
        return groups, offset
