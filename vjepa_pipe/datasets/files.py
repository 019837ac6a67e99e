"""Which annotation files an experiment reads, found before any work starts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from vjepa_pipe.config.captioned import CaptionedDataConfig
from vjepa_pipe.config.data import DataConfig, FolderDataConfig, SyntheticDataConfig, SyntheticImagesConfig
from vjepa_pipe.config.data_files import named_eval_files, named_files, unset_variables
from vjepa_pipe.config.epic_kitchens import EpicKitchensDataConfig
from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.instantiate import parameters_of
from vjepa_pipe.config.robot_data import RobotDataConfig, SyntheticRobotDataConfig
from vjepa_pipe.config.targets import PLACES, TARGET, locate
from vjepa_pipe.config.url_rules import scheme_faults
from vjepa_pipe.config.urls import is_remote, local_path, shown_path
from vjepa_pipe.sources import cache_dir
from vjepa_pipe.sources.media import is_media
from vjepa_pipe.synthetic import (
    write_synthetic_droid,
    write_synthetic_images,
    write_synthetic_lerobot,
    write_synthetic_videos,
)

FILE_FORMAT = (
    "a .csv or .txt file with a line `path label` for each video, a .npy list of paths, or a folder of class folders"
)

TRAINING, HELD_OUT = 0, 1
"""Seeds of the synthetic videos."""

ACTION_FORMAT = (
    "a CSV file of EPIC-KITCHENS, with the columns video_id, start_frame, stop_frame, verb_class, noun_class"
)

ROBOT_FORMATS = {
    "droid": "a folder that holds trajectory folders, or a file with one of them on each line",
    "lerobot": "the folder of a LeRobot dataset, which holds meta/info.json",
}


def file_format(data: DataConfig) -> str:
    """What the files of this data must hold, for messages."""
    if isinstance(data, RobotDataConfig):
        return ROBOT_FORMATS[data.layout]
    if isinstance(data, EpicKitchensDataConfig):
        return ACTION_FORMAT
    return "a folder of videos or images" if isinstance(data, FolderDataConfig) else FILE_FORMAT


def annotation_files(data: DataConfig) -> list[str]:
    """The annotation file of each source, as absolute paths.

    They come from `data.data_paths`, else from the environment variables named by
    `data.path_variables`. Captioned video has one folder instead, `data.data_root`. Synthetic
    videos and images are written here on first use. A dataset of the user's own may need none.

    Raises:
        ConfigError: Naming every source without a file, how to set it and what it must hold.
    """
    if isinstance(data, CaptionedDataConfig):
        return [_captioned_root(data)]
    if data._target_ not in PLACES["data"] and not _reads_files(data):
        return []
    if isinstance(data, SyntheticDataConfig) and not data.data_paths:
        return [_synthetic(data, data.num_videos, TRAINING)]
    if isinstance(data, SyntheticImagesConfig) and not data.data_paths:
        return [_written(data, partial(write_synthetic_images, num_images=data.num_images))]
    if isinstance(data, SyntheticRobotDataConfig) and not data.data_paths:
        if data.layout == "droid":
            return [_written(data, partial(write_synthetic_droid, num_episodes=data.num_episodes))]
        version = data.lerobot_version
        return [_written(data, partial(write_synthetic_lerobot, num_episodes=data.num_episodes, version=version))]
    if faults := list(_not_named(data)):
        raise ConfigError(faults)
    return existing_files(named_files(data), "data.data_paths", data)


def eval_files(data: DataConfig) -> list[str]:
    """The annotation file of each source of the eval loader, as absolute paths.

    They come from `data.eval_data_paths`, else from the environment variables named by `data.eval_path_variables`, else
    they are those of training. Synthetic videos for it are written here on first use.

    Raises:
        ConfigError: As `annotation_files`.
    """
    if named := named_eval_files(data):
        return existing_files(named, "data.eval_data_paths", data)
    if isinstance(data, SyntheticDataConfig) and data.eval_videos is not None:
        return [_synthetic(data, data.eval_videos, HELD_OUT)]
    return annotation_files(data)


def _synthetic(data: SyntheticDataConfig, num_videos: int, seed: int) -> str:
    return _written(data, partial(write_synthetic_videos, num_videos=num_videos, seed=seed, small=data.small))


def _written(
    data: SyntheticDataConfig | SyntheticImagesConfig | SyntheticRobotDataConfig, write: Callable[[Path], Path]
) -> str:
    """What `write` gives for the folder of synthetic data."""
    folder = Path(data.cache_dir) if data.cache_dir else cache_dir()
    try:
        return str(write(folder))
    except OSError as error:
        raise ConfigError([f"data.cache_dir: {folder} cannot be written: {error.strerror or error}"]) from error


def existing_files(paths: list[str], field: str, data: DataConfig) -> list[str]:
    """The same paths, absolute; a leading `~` is the home folder. URLs stay as they are, and are not looked at.

    Raises:
        ConfigError: Naming `field`, every path that does not exist and what it must hold, and every URL that cannot
            be read here.
    """
    faults = list(scheme_faults(data))
    files = [Path(local_path(path)).expanduser() for path in paths]
    for i, file in enumerate(files):
        if is_remote(paths[i]):
            continue
        if not file.exists():
            url = re.sub(r"^([A-Za-z][\w+.-]+):/+", r"\1://", paths[i])
            meant = f" (did you mean {shown_path(url)}?)" if is_remote(url) else ""
            faults.append(f"{field}[{i}]: {paths[i]} does not exist{meant}; it must be {file_format(data)}")
        elif isinstance(data, FolderDataConfig) and not file.is_dir():
            advice = "name its folder, and data.glob" if is_media(file.name) else "data=csv reads lists of videos"
            faults.append(f"{field}[{i}]: {paths[i]} is a file, and data=folder reads folders: {advice}")
    if faults:
        raise ConfigError(faults)
    return [path if is_remote(path) else str(file.resolve()) for path, file in zip(paths, files, strict=True)]


def _reads_files(data: DataConfig) -> bool:
    """Whether a dataset of the user's own takes `data_paths`, and was given some or has no default."""
    taken, takes_any = parameters_of(locate(data._target_, f"data.{TARGET}"))
    paths = taken.get("data_paths")
    if paths is None:
        return takes_any
    return bool(data.data_paths) or paths.default is paths.empty


def _captioned_root(data: CaptionedDataConfig) -> str:
    """The folder of a captioned data set, from `data.data_root` or else the environment."""
    root = next(iter(named_files(data)), "")
    names = " or ".join(f"the environment variable {name}" for name in data.path_variables)
    if not root:
        raise ConfigError([f"data.data_root is empty: set it{f', or {names},' * bool(names)} to the data set's folder"])
    if faults := list(scheme_faults(data)):
        raise ConfigError(faults)
    if is_remote(root):
        return root
    root = local_path(root)
    if not Path(root).expanduser().is_dir():
        raise ConfigError([f"data.data_root: {root} is not a folder"])
    return str(Path(root).expanduser().resolve())


def _not_named(data: DataConfig) -> Iterator[str]:
    """A line for each source without a path."""
    content = file_format(data)
    if not data.data_paths and not data.path_variables:
        yield f"data.data_paths is empty: name one file for each source; it must be {content}"
    suffix = "" if isinstance(data, RobotDataConfig) else ".csv"
    names = ", ".join(f"{name}{suffix}" for name in data.path_variables)
    for name in unset_variables(data):
        yield (
            f"data.data_paths is empty and the environment variable {name} is not set: "
            f"set {name}=PATH, or data.data_paths=[{names}]; it must be {content}"
        )
