"""Raw DROID: a folder for each trajectory, with `trajectory.h5`, a metadata file and `recordings/MP4`.

See https://droid-dataset.github.io (Khazatsky et al., RSS 2024).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.config.errors import counted
from vjepa_pipe.config.extras import import_extra
from vjepa_pipe.files.json_text import parse_json
from vjepa_pipe.sources.errors import EpisodeError, SourceError, as_source_error
from vjepa_pipe.sources.robots.episodes import Array, CameraTrack, Feature, finite
from vjepa_pipe.sources.rows import Rows
from vjepa_pipe.sources.tables.columns import Table, text_column
from vjepa_pipe.storage import ObjectError, Storage, absolute, folder_of, is_remote, join, name_of, shown_path

TRAJECTORY = "trajectory.h5"
METADATA = "metadata*.json"
VIDEOS = "recordings/MP4"
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
            does), or a folder in which every `trajectory.h5` is looked for. Either may lie at a URL, and lines may be
            URLs, of stores that list their objects.
        name: What the source is called; None: the file's or folder's name.
        columns: Columns that say how many rows a trajectory has, on which they must agree.
        storage: Reads what lies at URLs; unset: with the default settings.

    Raises:
        SourceError: The file or folder names no trajectory, or one on a web server.
        StorageError: The store of a URL does not answer.
    """

    title = "raw DROID"

    def __init__(
        self,
        path: str | Path,
        name: str | None = None,
        columns: Sequence[str] = (POSE,),
        storage: Storage | None = None,
    ) -> None:
        self._storage, path = storage or Storage(), absolute(path)
        with as_source_error():
            is_folder = self._storage.is_folder(path)
            inside = _found_below(path, self._storage) if is_folder else _listed_in(path, self._storage)
        if not inside:
            raise SourceError(path, f"holds no folder with a {TRAJECTORY}" if is_folder else "holds no rows")
        start = path.rstrip("/") if is_folder else folder_of(path)
        if inside == [""]:  # it is a trajectory's folder itself
            start, inside = folder_of(start), [name_of(start)]
        self.name = name or PurePosixPath(name_of(path.rstrip("/"))).stem
        self._columns = tuple(columns)
        table = Table(text_column(inside), np.zeros(len(inside), np.int64))
        self._rows = Rows(self.name, table, start)
        for row in filter(is_remote, map(self._rows.path, range(len(self)))):
            if row.startswith(("http://", "https://")):
                raise SourceError(row, "raw DROID is read where files can be listed, which web servers do not do")
            self._storage.require(row)
            break

    def __len__(self) -> int:
        return len(self._rows)

    def path(self, i: int) -> str:
        """The folder of trajectory `i`."""
        return self._rows.path(i)

    def fingerprint(self) -> str:
        """A hash of the trajectories' folders as they were listed, or found below the folder."""
        return self._rows.fingerprint()

    def feature(self, name: str) -> Feature | None:
        """What the numbers of a column are, by its name: the files do not say so themselves."""
        numbers = NUMBERS.get(name.rpartition("/")[2])
        return None if numbers is None else Feature("float64", (len(numbers),), numbers)

    def open(self, i: int) -> DroidEpisode:
        """Open trajectory `i`; see `RobotSource.open`."""
        return DroidEpisode(self._rows.path(i), self._columns, self._storage)


class DroidEpisode:
    """An open trajectory; see `Episode`. Column names are paths inside `trajectory.h5`."""

    row_rate = None

    def __init__(self, folder: str, columns: Sequence[str], storage: Storage) -> None:
        self.path = shown_path(folder)
        self._folder, self._storage = folder, storage
        self._metadata: dict[str, Any] | None = None
        file = join(folder, TRAJECTORY)
        if not is_remote(file) and not Path(file).is_file():
            raise EpisodeError(folder, f"holds no {TRAJECTORY}")
        h5py = import_extra("h5py", "robotics")
        try:
            self._file = h5py.File(storage.open(file).stream() if is_remote(file) else file, "r")
        except FileNotFoundError as error:
            raise EpisodeError(folder, f"holds no {TRAJECTORY}") from error
        except OSError as error:
            reason = str(error).splitlines()[0]
            raise EpisodeError(file, f"cannot be read as HDF5 ({reason})") from error
        try:
            self.num_rows = self._measure(columns)
        except EpisodeError:
            self._file.close()
            raise

    @property
    def metadata(self) -> dict[str, Any]:
        """What the trajectory's metadata file says; other JSON files in the folder are not looked at."""
        if self._metadata is None:
            try:
                files = self._storage.find(self._folder, METADATA)
            except ObjectError as error:
                raise EpisodeError(self.path, error.reason) from error
            if len(files) != 1:
                found = ", ".join(map(name_of, files)) or "none"
                raise EpisodeError(self.path, f"must hold one {METADATA} (found {found})")
            self._metadata = _json(files[0], dict, self._storage)
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
        video = f"{VIDEOS}/{serial}-stereo.mp4" if stereo else f"{VIDEOS}/{file}"
        return CameraTrack(name, join(self._folder, video), serial)

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
        inside = f"{VIDEOS}/{SIDECAR.format(id=camera.id)}"
        file = join(self._folder, inside)
        if not is_remote(file) and not Path(file).is_file():
            raise EpisodeError(self.path, f"{inside} is missing, which robotics.alignment=timestamps reads")
        times = _json(file, list, self._storage)
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
        try:
            found = self._file.get(column)
        except ObjectError as error:
            raise EpisodeError(self.path, error.reason) from error
        if not hasattr(found, "shape") or not found.shape:
            parent = self._file.get(column.rpartition("/")[0] or "/")
            beside = sorted(parent) if hasattr(parent, "keys") else sorted(self._file)
            raise EpisodeError(self.path, f"{TRAJECTORY} has no {column} (beside it: {', '.join(beside) or 'nothing'})")
        return found


def _found_below(root: str, storage: Storage) -> list[str]:
    """Paths of trajectory folders below a folder, empty for itself; what lies in one is not looked into."""
    if is_remote(root):
        places = [folder_of(file) for file in storage.find(root, f"**/{TRAJECTORY}")]
    else:
        places = []
        for folder, inside, files in os.walk(root):
            inside.sort()
            if TRAJECTORY in files:
                inside.clear()
                places.append(folder)
    return [place.removeprefix(root.rstrip("/")).lstrip("/") for place in places]


def _listed_in(file: str, storage: Storage) -> list[str]:
    try:
        lines = storage.read_text(file).removeprefix("\ufeff").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(file, f"cannot be read: {getattr(error, 'reason', error)}") from error
    found = []
    for line in lines:
        folder, _, last = line.strip().rpartition(" ")
        named = folder.strip() if folder and last.lstrip("-").isdigit() else line.strip()
        if named:
            found.append(named.strip('"').rstrip("/"))
    return found


def _json(file: str, kind: type, storage: Storage) -> Any:
    try:
        content = parse_json(storage.read_text(file))
    except (OSError, ValueError) as error:
        raise EpisodeError(file, f"cannot be read as JSON ({error})") from error
    if not isinstance(content, kind):
        raise EpisodeError(file, f"must hold a {kind.__name__} (got {type(content).__name__})")
    return content
