"""Raw DROID: a folder for each trajectory, with `trajectory.h5`, a metadata file and `recordings/MP4`.

See https://droid-dataset.github.io (Khazatsky et al., RSS 2024).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.config.errors import counted
from vjepa_pipe.config.extras import import_extra
from vjepa_pipe.files.json_text import parse_json
from vjepa_pipe.files.regular_file import read_regular
from vjepa_pipe.sources.errors import EpisodeError, SourceError
from vjepa_pipe.sources.robots.episodes import Array, CameraTrack, Feature, finite
from vjepa_pipe.sources.rows import Rows

TRAJECTORY = "trajectory.h5"
METADATA = "metadata*.json"
VIDEOS = Path("recordings", "MP4")
SIDECAR = "{id}_timestamps.json"
ROW_CLOCK = "observation/timestamp/cameras/{id}_left_frame_received"
POSE = "observation/robot_state/cartesian_position"
MILLISECONDS = 1e-3
NUMBERS = {
    "cartesian_position": ("x", "y", "z", "roll", "pitch", "yaw"),
    "gripper_position": ("gripper",),
    "joint_positions": tuple(f"joint_{i}" for i in range(7)),
}
"""What the numbers of columns of these names are."""


class DroidSource:
    """Trajectories of raw DROID.

    Args:
        path: A file with a trajectory folder on each line (a number after a space is ignored, as the published loader
            does), or a folder in which every `trajectory.h5` is looked for.
        name: What the source is called; None: the file's or folder's name.
        columns: Columns that say how many rows a trajectory has, on which they must agree.

    Raises:
        SourceError: The file or folder names no trajectory.
    """

    title = "raw DROID"

    def __init__(self, path: str | Path, name: str | None = None, columns: Sequence[str] = (POSE,)) -> None:
        path = Path(path).expanduser().absolute()
        folders = list(_found_below(path) if path.is_dir() else _listed_in(path))
        if not folders:
            raise SourceError(path, f"holds no folder with a {TRAJECTORY}" if path.is_dir() else "holds no rows")
        self.name = name or path.stem
        self._columns = tuple(columns)
        self._rows = Rows.from_lists(self.name, folders, [0] * len(folders))

    def __len__(self) -> int:
        return len(self._rows)

    def path(self, i: int) -> str:
        """The folder of trajectory `i`."""
        return self._rows.path(i)

    def feature(self, name: str) -> Feature | None:
        """What the numbers of a column are, by its name: the files do not say so themselves."""
        numbers = NUMBERS.get(name.rpartition("/")[2])
        return None if numbers is None else Feature("float64", (len(numbers),), numbers)

    def open(self, i: int) -> DroidEpisode:
        """Open trajectory `i`; see `RobotSource.open`."""
        return DroidEpisode(self._rows.path(i), self._columns)


class DroidEpisode:
    """An open trajectory; see `Episode`. Column names are paths inside `trajectory.h5`."""

    row_rate = None

    def __init__(self, folder: str, columns: Sequence[str]) -> None:
        self.path = folder
        self._folder = Path(folder)
        self._metadata: dict[str, Any] | None = None
        if not (self._folder / TRAJECTORY).is_file():
            raise EpisodeError(folder, f"holds no {TRAJECTORY}")
        try:
            self._file = import_extra("h5py", "robotics").File(self._folder / TRAJECTORY, "r")
        except OSError as error:
            reason = str(error).splitlines()[0]
            raise EpisodeError(self._folder / TRAJECTORY, f"cannot be read as HDF5 ({reason})") from error
        try:
            self.num_rows = self._measure(columns)
        except EpisodeError:
            self._file.close()
            raise

    @property
    def metadata(self) -> dict[str, Any]:
        """What the trajectory's metadata file says; other JSON files in the folder are not looked at."""
        if self._metadata is None:
            files = sorted(self._folder.glob(METADATA))
            if len(files) != 1:
                found = ", ".join(file.name for file in files) or "none"
                raise EpisodeError(self.path, f"must hold one {METADATA} (found {found})")
            self._metadata = _json(files[0], dict)
        return self._metadata

    @property
    def task(self) -> str:
        """What the robot was told to do."""
        return str(self.metadata.get("current_task") or "")

    def camera(self, name: str, stereo: bool = False) -> CameraTrack:
        """The video of a camera, which the metadata file names under a key such as `left_mp4_path`."""
        named = self.metadata.get(name)
        if not isinstance(named, str) or not named:
            known = ", ".join(sorted(key for key in self.metadata if key.endswith("mp4_path"))) or "none"
            raise EpisodeError(self.path, f"its metadata names no camera {name} (cameras: {known})")
        file = PurePosixPath(named).name
        serial = file.partition(".")[0]
        video = self._folder / VIDEOS / (f"{serial}-stereo.mp4" if stereo else file)
        return CameraTrack(name, str(video), serial)

    def read(self, columns: Sequence[str], rows: NDArray[np.int64]) -> Array:
        """Columns side by side, read from the file at these rows only; see `Episode.read`."""
        length = self.num_rows
        needed, place = np.unique(rows, return_inverse=True)
        parts = []
        for column in columns:
            data = self._column(column)
            if len(data) != length:
                raise EpisodeError(self.path, f"{column} has {counted(len(data), 'row')}, the trajectory {length}")
            if needed.size and needed[-1] >= length:
                raise EpisodeError(self.path, f"row {needed[-1]} was asked for, the trajectory has 0 to {length - 1}")
            try:
                values = np.asarray(data[needed], np.float64).reshape(len(needed), -1)
            except (OSError, ValueError, TypeError) as error:
                raise EpisodeError(self.path, f"{column} cannot be read ({error})") from error
            parts.append(finite(self.path, column, values, needed))
        return np.concatenate(parts, axis=1)[place]

    def row_times(self, camera: CameraTrack) -> Array:
        """When each row's picture was received, by the row's own clock."""
        rows = np.arange(self.num_rows)
        return self.read([ROW_CLOCK.format(id=camera.id)], rows)[:, 0] * MILLISECONDS

    def frame_times(self, camera: CameraTrack) -> Array:
        """When each frame was received: the file of times, in milliseconds, beside the video."""
        file = self._folder / VIDEOS / SIDECAR.format(id=camera.id)
        if not file.is_file():
            raise EpisodeError(self.path, f"{VIDEOS / file.name} is missing, which robotics.alignment=timestamps reads")
        times = _json(file, list)
        try:
            return np.array(times, np.float64).reshape(len(times)) * MILLISECONDS
        except (ValueError, TypeError) as error:
            raise EpisodeError(file, "must hold a list of numbers, one for each frame") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _measure(self, columns: Sequence[str]) -> int:
        """The number of rows, on which these columns agree."""
        lengths = {column: len(self._column(column)) for column in columns}
        if len(set(lengths.values())) != 1:
            said = ", ".join(f"{column} has {counted(length, 'row')}" for column, length in lengths.items())
            raise EpisodeError(self.path, f"columns differ in length: {said}")
        length = next(iter(lengths.values()))
        if length == 0:
            raise EpisodeError(self.path, "holds no rows")
        return length

    def _column(self, column: str) -> Any:
        found = self._file.get(column)
        if not hasattr(found, "shape") or not found.shape:
            parent = self._file.get(column.rpartition("/")[0] or "/")
            beside = sorted(parent) if hasattr(parent, "keys") else sorted(self._file)
            raise EpisodeError(self.path, f"{TRAJECTORY} has no {column} (beside it: {', '.join(beside) or 'nothing'})")
        return found


def _found_below(root: Path) -> Iterator[str]:
    for folder, inside, files in os.walk(root):
        inside.sort()
        if TRAJECTORY in files:
            inside.clear()
            yield folder


def _listed_in(file: Path) -> Iterator[str]:
    try:
        lines = read_regular(file).removeprefix("\ufeff").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(file, f"cannot be read: {error}") from error
    for line in lines:
        folder, _, last = line.strip().rpartition(" ")
        named = folder.strip() if folder and last.lstrip("-").isdigit() else line.strip()
        if named:
            yield str(file.parent / named.strip('"'))


def _json(file: Path, kind: type) -> Any:
    try:
        content = parse_json(read_regular(file))
    except (OSError, ValueError) as error:
        raise EpisodeError(file, f"cannot be read as JSON ({error})") from error
    if not isinstance(content, kind):
        raise EpisodeError(file, f"must hold a {kind.__name__} (got {type(content).__name__})")
    return content
