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
    written = _written(data)
    found = written or [os.environ[name] for name in data.path_variables if os.environ.get(name)]
    return found[:1] if isinstance(data, CaptionedDataConfig) else found


def named_eval_files(data: DataConfig) -> list[str]:
    """The path of each source of the eval loader, as it is written; empty: it reads what is trained on."""
    return data.eval_data_paths or [os.environ[name] for name in data.eval_path_variables if os.environ.get(name)]


def unset_variables(data: DataConfig) -> list[str]:
    """The environment variables that a path is missing from."""
    return [] if _written(data) else [name for name in data.path_variables if not os.environ.get(name)]


def _written(data: DataConfig) -> list[str]:
    if isinstance(data, CaptionedDataConfig):
        return [data.data_root] if data.data_root else []
    return list(data.data_paths)
