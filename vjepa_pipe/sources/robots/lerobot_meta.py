"""Where each episode of a LeRobot dataset is, as its `meta/` folder says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.files.json_text import parse_json
from vjepa_pipe.sources.errors import SourceError, as_source_error
from vjepa_pipe.sources.robots.lerobot_info import LeRobotInfo
from vjepa_pipe.storage import Storage, join


class EpisodePlace(NamedTuple):
    """Where an episode is.

    Attributes:
        number: Its number in the dataset.
        length: Its rows.
        data: The parquet file with its rows.
        first_row: Its first row in that file.
        task: What the robot was told to do.
        videos: For each camera, the mp4 file and where in it the episode begins, in seconds.
    """

    number: int
    length: int
    data: str
    first_row: int
    task: str
    videos: dict[str, tuple[str, float]]


@dataclass(frozen=True)
class LeRobotMeta:
    """The list of episodes, as arrays with an entry for each.

    Attributes:
        info: What `meta/info.json` says.
        videos: Cameras that are stored as videos.
        columns: `number`, `length`, and in 3.0 `chunk`, `file`, `first_row` and for each camera `CAMERA/chunk`,
            `CAMERA/file`, `CAMERA/start`.
        tasks: What the robot was told to do in each episode.
    """

    info: LeRobotInfo
    videos: tuple[str, ...]
    columns: dict[str, NDArray[Any]]
    tasks: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.columns["number"])

    def number(self, i: int) -> int:
        """The number of episode `i` in the dataset."""
        return int(self.columns["number"][i])

    def place(self, i: int) -> EpisodePlace:
        """Where episode `i` is."""
        info, root = self.info, self.info.root
        at = {name: values[i].item() for name, values in self.columns.items()}
        number = at["number"]
        if info.many_per_file:
            where = {"chunk_index": at["chunk"], "file_index": at["file"]}
            videos = {}
            for camera in self.videos:
                chunk, file = at[f"{camera}/chunk"], at[f"{camera}/file"]
                name = info.video_path.format(video_key=camera, chunk_index=chunk, file_index=file)
                videos[camera] = join(root, name), at[f"{camera}/start"]
        else:
            where = {"episode_chunk": number // info.chunk_size, "episode_index": number}
            names = {camera: info.video_path.format(video_key=camera, **where) for camera in self.videos}
            videos = {camera: (join(root, name), 0.0) for camera, name in names.items()}
        data = join(root, info.data_path.format(**where))
        return EpisodePlace(number, at["length"], data, at.get("first_row", 0), self.tasks[i], videos)


def read_meta(info: LeRobotInfo, storage: Storage) -> LeRobotMeta:
    """Read the list of episodes.

    Args:
        info: What `meta/info.json` says.
        storage: Reads what lies at a URL.

    Raises:
        SourceError: There are no episodes, or they are not listed as this version does.
        StorageError: The store of a URL does not answer.
    """
    root, videos = info.root, tuple(name for name, found in info.features.items() if found.kind == "video")
    try:
        found = _episodes_v3(root, videos, storage) if info.many_per_file else _episodes_v2(root, storage)
        columns, tasks = found
    except KeyError as error:
        raise SourceError(root, f"its list of episodes has no {error.args[0]}") from error
    if not len(tasks):
        raise SourceError(root, "holds no episodes")
    meta = LeRobotMeta(info, videos, columns, tasks)
    try:
        meta.place(0)
    except (KeyError, IndexError, ValueError, AttributeError, ZeroDivisionError) as error:
        raise SourceError(
            join(root, "meta/info.json"),
            f"says version {info.version}, but its file names are those of another ({info.data_path})",
        ) from error
    return meta


def _episodes_v2(root: str, storage: Storage) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
    file = join(root, "meta/episodes.jsonl")
    try:
        lines = storage.read_text(file).splitlines()
        episodes = [parse_json(line) for line in lines if line.strip()]
        columns = {
            "number": np.array([episode["episode_index"] for episode in episodes], np.int64),
            "length": np.array([episode["length"] for episode in episodes], np.int64),
        }
        return columns, tuple(_text(episode.get("tasks")) for episode in episodes)
    except (OSError, ValueError) as error:
        raise SourceError(file, f"cannot be read as lines of JSON ({error})") from error
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise SourceError(file, "must hold an object with episode_index and length, int64, on each line") from error


def _episodes_v3(root: str, videos: Sequence[str], storage: Storage) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
    folder = join(root, "meta/episodes")
    with as_source_error():
        files = storage.find(folder, "**/*.parquet")
    if not files:
        raise SourceError(folder, "holds no parquet file, which a dataset of version v3.0 has")
    import pyarrow
    import pyarrow.parquet as parquet

    wanted = {
        "number": "episode_index", "length": "length",
        "chunk": "data/chunk_index", "file": "data/file_index", "first_row": "dataset_from_index",
    }  # fmt: skip
    for camera in videos:
        wanted |= {
            f"{camera}/chunk": f"videos/{camera}/chunk_index",
            f"{camera}/file": f"videos/{camera}/file_index",
            f"{camera}/start": f"videos/{camera}/from_timestamp",
        }
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in wanted}
    tasks: list[str] = []
    for file in files:
        try:
            opened = parquet.ParquetFile(storage.open_binary(file))
            present = opened.schema_arrow.names
            missing = [column for column in wanted.values() if column not in present]
            if missing:
                raise KeyError(missing[0])
            table = opened.read(columns=[*wanted.values(), *({"tasks"} & set(present))])
        except (OSError, pyarrow.ArrowException) as error:
            raise SourceError(file, f"cannot be read as parquet ({error})") from error
        for name, column in wanted.items():
            parts[name].append(table.column(column).to_numpy())
        told = table.column("tasks").to_pylist() if "tasks" in present else [None] * len(table)
        tasks += [_text(task) for task in told]
    columns = {name: np.concatenate(values) for name, values in parts.items()}
    # Rows are numbered through the dataset; a file's first row is that of its first episode.
    place = columns["chunk"] * (columns["file"].max(initial=0) + 1) + columns["file"]
    for one in np.unique(place):
        columns["first_row"][place == one] -= columns["first_row"][place == one].min()
    return columns, tuple(tasks)


def _text(told: Any) -> str:
    return str(told[0]) if isinstance(told, list) and told else str(told or "")
