"""LeRobot datasets, versions 2.0 to 3.0: `meta/`, parquet files of rows, mp4 files of frames.

Before 3.0 each episode has a parquet file and an mp4 file for each camera. In 3.0 a file holds many episodes, and
`meta/episodes` says where each begins. A camera may also be stored as images in the rows. The `lerobot` package is not
needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.files.regular_file import regular_file
from vjepa_pipe.sources.errors import EpisodeError
from vjepa_pipe.sources.robots.episodes import Array, CameraTrack, Feature, finite
from vjepa_pipe.sources.robots.lerobot_info import LeRobotInfo, read_info
from vjepa_pipe.sources.robots.lerobot_meta import EpisodePlace, read_meta
from vjepa_pipe.sources.tables.columns import digest_of
from vjepa_pipe.storage import Storage, absolute, is_remote, name_of, shown_path

EPISODE, CLOCK = "episode_index", "timestamp"
IMAGES_AT_A_TIME = 16


class LeRobotSource:
    """Episodes of a LeRobot dataset.

    Args:
        path: The dataset's folder, which holds `meta/info.json`, or its URL.
        name: What the source is called; None: the folder's name.
        storage: Reads what lies at a URL; unset: with the default settings.

    Raises:
        SourceError: It is not a dataset of a version that is known, or has no episodes.
        StorageError: The store of a URL does not answer.

    Attributes:
        info: What `meta/info.json` says.
    """

    def __init__(self, path: str | Path, name: str | None = None, storage: Storage | None = None) -> None:
        self._storage = storage or Storage()
        self.info = read_info(absolute(path).rstrip("/"), self._storage)
        self.name = name or name_of(self.info.root)
        self._meta = read_meta(self.info, self._storage)

    @property
    def title(self) -> str:
        """Version, robot and rate."""
        robot = f", {self.info.robot}" if self.info.robot else ""
        return f"LeRobot {self.info.version}{robot}, {self.info.fps:g} rows per second"

    def __len__(self) -> int:
        return len(self._meta)

    def path(self, i: int) -> str:
        """The dataset's folder and the number of the episode."""
        return f"{self.info.shown} episode {self._meta.number(i)}"

    def fingerprint(self) -> str:
        """A hash of the list of episodes."""
        return digest_of(self._meta.columns)

    def feature(self, name: str) -> Feature | None:
        """What `meta/info.json` says of a column or a camera."""
        return self.info.features.get(name)

    def open(self, i: int) -> LeRobotEpisode:
        """Open episode `i`; see `RobotSource.open`."""
        return LeRobotEpisode(self.path(i), self.info, self._meta.place(i), self._storage)


class LeRobotEpisode:
    """An open episode; see `Episode`. Column names are those of the dataset's features."""

    def __init__(self, path: str, info: LeRobotInfo, place: EpisodePlace, storage: Storage) -> None:
        if place.length < 1:
            raise EpisodeError(path, "holds no rows")
        self.path = path
        self._info = info
        self._place, self._storage = place, storage

    @property
    def num_rows(self) -> int:
        """Rows, as the dataset's list of episodes says."""
        return self._place.length

    @property
    def row_rate(self) -> float:
        """Rows per second."""
        return self._info.fps

    @property
    def task(self) -> str:
        """What the robot was told to do."""
        return self._place.task

    def camera(self, name: str, stereo: bool = False) -> CameraTrack:
        """The video of a camera, from the place where this episode begins, or its images in the rows."""
        if stereo:
            raise EpisodeError(self.path, "LeRobot datasets hold no stereo videos: set robotics.stereo=false")
        id = name.rpartition(".")[2]
        if name in self._place.videos:
            file, start = self._place.videos[name]
            return CameraTrack(name, file, id, start, shared=self._info.many_per_file)
        return CameraTrack(name, self._place.data, id, images=partial(self._images, name))

    def read(self, columns: Sequence[str], rows: NDArray[np.int64]) -> Array:
        """Columns side by side; see `Episode.read`."""
        if rows.size and not 0 <= rows.min() <= rows.max() < self.num_rows:
            raise EpisodeError(self.path, f"row {rows.max()} was asked for, the episode has 0 to {self.num_rows - 1}")
        parts = [finite(self.path, name, self._column(name)[rows], rows) for name in columns]
        for name, part in zip(columns, parts, strict=True):
            if name in self._info.features and part.shape[1] != self._info.features[name].size:
                said = self._info.features[name].size
                raise EpisodeError(self.path, f"{name} has {part.shape[1]} numbers per row, meta/info.json says {said}")
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
            raise EpisodeError(self.path, f"{self._data_name} has no column {name}") from error
        except (OSError, ValueError, TypeError, pyarrow.ArrowException) as error:
            file = self._data_name
            raise EpisodeError(self.path, f"column {name} of {file} cannot be read ({error})") from error

    def _images(self, name: str, rows: NDArray[np.int64]) -> list[bytes]:
        """The encoded images of a camera in some rows, rising; only as many rows as needed are held at a time."""
        import pyarrow

        groups, offset = self._groups
        found: list[Any] = []
        first = 0
        try:
            for batch in self._file.iter_batches(IMAGES_AT_A_TIME, groups, columns=[name], use_threads=False):
                here = rows[(rows + offset >= first) & (rows + offset < first + len(batch))] + offset - first
                found += [image["bytes"] for image in batch.column(name).take(pyarrow.array(here)).to_pylist()]
                first += len(batch)
                if len(found) == len(rows):
                    break
        except (KeyError, TypeError) as error:
            raise EpisodeError(self.path, f"{self._data_name} has no images in a column {name}") from error
        except (OSError, ValueError, pyarrow.ArrowException) as error:
            raise EpisodeError(self.path, f"{name} of {self._data_name} cannot be read ({error})") from error
        if not all(isinstance(image, bytes) for image in found):
            raise EpisodeError(self.path, f"{self._data_name} has rows without an image of {name}")
        return found

    @property
    def _data(self) -> str:
        return shown_path(self._place.data)

    @property
    def _data_name(self) -> str:
        return name_of(self._place.data)

    @cached_property
    def _file(self) -> Any:
        import pyarrow
        import pyarrow.parquet as parquet

        data = self._place.data
        try:
            if is_remote(data):
                return parquet.ParquetFile(self._storage.open(data).stream())
            regular_file(data)
            return parquet.ParquetFile(data, memory_map=True)
        except (OSError, pyarrow.ArrowException) as error:
            raise EpisodeError(self.path, f"{self._data} cannot be read as parquet ({error})") from error

    @cached_property
    def _groups(self) -> tuple[list[int], int]:
        """The row groups that hold this episode, and its first row in them, once its rows are known to be there."""
        metadata = self._file.metadata
        ends = np.cumsum([metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)])
        first, last = self._place.first_row, self._place.first_row + self.num_rows
        total = int(ends[-1]) if len(ends) else 0
        if last > total or (not self._info.many_per_file and last != total):
            raise EpisodeError(
                self.path, f"rows {first} to {last - 1} of {self._data} are its own, the file has {total} rows"
            )
        groups = list(range(int(np.searchsorted(ends, first, side="right")), int(np.searchsorted(ends, last)) + 1))
        offset = first - (int(ends[groups[0] - 1]) if groups[0] else 0)
        if EPISODE in self._file.schema_arrow.names:
            numbers = self._file.read_row_groups(groups, columns=[EPISODE], use_threads=False).column(0)
            found = set(numbers.slice(offset, self.num_rows).to_pylist())
            if found != {self._place.number}:
                raise EpisodeError(self.path, f"its rows of {self._data} are marked as episodes {sorted(found)}")
        return groups, offset
