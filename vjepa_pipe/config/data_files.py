"""The files and folders that the data of an experiment names, whether they exist or not."""

from __future__ import annotations

import os

from vjepa_pipe.config.captioned import CaptionedDataConfig
from vjepa_pipe.config.data import DataConfig


def named_files(data: DataConfig) -> list[str]:
    """The path of each source, as it is written.

    It stands in `data.data_paths` (captioned video: `data.data_root`), else in the environment variables of
    `data.path_variables`, of which those that are not set are left out.
    """
    if isinstance(data, CaptionedDataConfig):
        return [data.data_root] if data.data_root else _set(data.path_variables)[:1]
    return list(data.data_paths) or _set(data.path_variables)


def unset_variables(data: DataConfig) -> list[str]:
    """The environment variables that a path is missing from."""
    return [] if data.data_paths else [name for name in data.path_variables if not os.environ.get(name)]


def _set(variables: list[str]) -> list[str]:
    return [os.environ[name] for name in variables if os.environ.get(name)]
