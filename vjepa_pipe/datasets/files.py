"""Which annotation files an experiment reads, found before any work starts."""

from __future__ import annotations

import os
from pathlib import Path

from vjepa_pipe.config.captioned import CaptionedDataConfig
from vjepa_pipe.config.data import DataConfig, SyntheticDataConfig
from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.sources import cache_dir, write_synthetic_videos

FILE_FORMAT = (
    "a .csv or .txt file with a line `path label` for each video, a .npy list of paths, or a folder of class folders"
)


def annotation_files(data: DataConfig) -> list[str]:
    """The annotation file of each source, as absolute paths.

    They come from `data.data_paths`, else from the environment variables named by
    `data.path_variables`. Captioned video has one folder instead, `data.data_root`. The synthetic
    videos are written here on first use.

    Raises:
        ConfigError: Naming every source without a file, how to set it and what it must hold.
    """
    if isinstance(data, CaptionedDataConfig):
        return [_captioned_root(data)]
    if isinstance(data, SyntheticDataConfig) and not data.data_paths:
        folder = Path(data.cache_dir) if data.cache_dir else cache_dir()
        return [str(write_synthetic_videos(folder, data.num_videos))]
    return existing_files(data.data_paths or _from_environment(data.path_variables), "data.data_paths")


def existing_files(paths: list[str], field: str) -> list[str]:
    """The same paths, absolute.

    Raises:
        ConfigError: Naming `field` and every path that does not exist.
    """
    faults = [
        f"{field}[{i}]: {path} does not exist; it must be {FILE_FORMAT}"
        for i, path in enumerate(paths)
        if not Path(path).exists()
    ]
    if faults:
        raise ConfigError(faults)
    return [str(Path(path).resolve()) for path in paths]


def _captioned_root(data: CaptionedDataConfig) -> str:
    """The folder of a captioned data set, from `data.data_root` or else the environment."""
    root = data.data_root or next((os.environ[name] for name in data.path_variables if os.environ.get(name)), "")
    names = " or ".join(f"the environment variable {name}" for name in data.path_variables)
    if not root:
        raise ConfigError([f"data.data_root is empty: set it{f', or {names},' * bool(names)} to the data set's folder"])
    if not Path(root).expanduser().is_dir():
        raise ConfigError([f"data.data_root: {root} is not a folder"])
    return str(Path(root).expanduser().resolve())


def _from_environment(variables: list[str]) -> list[str]:
    if not variables:
        raise ConfigError([f"data.data_paths is empty: name one file for each source; it must be {FILE_FORMAT}"])
    names = ", ".join(f"{name}.csv" for name in variables)
    faults = [
        f"data.data_paths is empty and the environment variable {name} is not set: "
        f"set {name}=FILE, or data.data_paths=[{names}]; the file must be {FILE_FORMAT}"
        for name in variables
        if not os.environ.get(name)
    ]
    if faults:
        raise ConfigError(faults)
    return [os.environ[name] for name in variables]
