"""What `meta/info.json` of a LeRobot dataset says: its version and rate, its columns with their shapes and names."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from vjepa_pipe.files.json_text import parse_json
from vjepa_pipe.sources.errors import SourceError
from vjepa_pipe.sources.robots.episodes import Feature
from vjepa_pipe.storage import Storage, join, shown_path

VERSIONS = ("v2.0", "v2.1", "v3.0")
MOST_FPS = 100_000
BOOKKEEPING = ("timestamp", "frame_index", "episode_index", "index", "task_index")


@dataclass(frozen=True)
class LeRobotInfo:
    """The file's content.

    Attributes:
        root: The dataset's folder, or its URL.
        version: One of `VERSIONS`; 2.0 and 2.1 differ in their statistics alone, which are not read.
        fps: Rows per second.
        robot: Kind of robot; empty when unknown.
        features: Columns and cameras, by name.
        data_path: Pattern of the parquet files' names.
        video_path: Pattern of the mp4 files' names.
        chunk_size: Episodes in a folder, before version 3.0.
    """

    root: str
    version: str
    fps: float
    robot: str
    features: dict[str, Feature]
    data_path: str
    video_path: str
    chunk_size: int

    @property
    def shown(self) -> str:
        """The folder, as messages show it."""
        return shown_path(self.root)

    @property
    def many_per_file(self) -> bool:
        """Whether a file holds many episodes."""
        return self.version == "v3.0"

    @property
    def cameras(self) -> list[str]:
        """Every camera, those that measure distances left out."""
        return [name for name, found in self.features.items() if found.has_pictures and not found.is_depth]

    @property
    def columns(self) -> dict[str, Feature]:
        """Columns of numbers that say something about the robot."""
        return {name: found for name, found in self.features.items() if found.has_numbers and name not in BOOKKEEPING}


def read_info(root: str, storage: Storage) -> LeRobotInfo:
    """Read the file.

    Args:
        root: The dataset's folder, or its URL.
        storage: Reads what lies at a URL.

    Raises:
        SourceError: The folder is no dataset of a known version.
        StorageError: The store of a URL does not answer.
    """
    file = join(root, "meta/info.json")
    try:
        info: dict[str, Any] = parse_json(storage.read_text(file))
    except FileNotFoundError as error:
        raise SourceError(root, "is not a LeRobot dataset: it holds no meta/info.json") from error
    except (OSError, ValueError) as error:
        raise SourceError(file, f"cannot be read as JSON ({error})") from error
    needed = ("codebase_version", "fps", "features", "data_path", "video_path")
    missing = [name for name in needed if name not in info] if isinstance(info, dict) else list(needed)
    if missing:
        raise SourceError(file, f"misses {', '.join(missing)}")
    if info["codebase_version"] not in VERSIONS:
        known = f"{', '.join(VERSIONS[:-1])} or {VERSIONS[-1]}"
        raise SourceError(file, f"codebase_version must be {known} (got {info['codebase_version']!r})")
    try:
        fps = float(info["fps"])
        if not 0 < fps < MOST_FPS:
            raise ValueError(f"fps must be > 0 and < {MOST_FPS}, got {fps:g}")
        return LeRobotInfo(
            root,
            info["codebase_version"],
            fps,
            str(info.get("robot_type") or ""),
            {str(name): _feature(said) for name, said in info["features"].items()},
            str(info["data_path"]),
            str(info["video_path"] or ""),
            int(info.get("chunks_size", 1000)),
        )
    except (TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise SourceError(file, f"is not written as LeRobot does ({error})") from error


def _feature(said: dict[str, Any]) -> Feature:
    shape = tuple(int(size) for size in said.get("shape") or ())
    names, details = _names(said.get("names")), said.get("info") or said.get("video_info") or {}
    fits = len(names) == math.prod(shape)
    return Feature(str(said.get("dtype")), shape, names if fits else None, bool(details.get("video.is_depth_map")))


def _names(said: Any) -> tuple[str, ...]:
    """A list of names, also below a word such as `motors` or `axes`, or names with their places."""
    if isinstance(said, dict):
        if said and all(isinstance(place, int) for place in said.values()):
            return tuple(sorted(map(str, said), key=lambda name: said[name]))
        said = list(said.values())
    if not isinstance(said, list):
        return () if said is None else (str(said),)
    return tuple(name for part in said for name in _names(part))
