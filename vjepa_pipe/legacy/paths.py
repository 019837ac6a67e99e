"""The annotation files that an experiment names, for files written for others."""

from __future__ import annotations

import os

from vjepa_pipe.config.data import DataConfig
from vjepa_pipe.config.errors import ConfigError


def named_paths(data: DataConfig, field: str = "data.data_paths") -> list[str]:
    """The paths in `field`, else those in the environment variables that the data option reads.

    Raises:
        ConfigError: If neither names a file.
    """
    if field == "data.eval_data_paths":
        return list(data.eval_data_paths or named_paths(data))
    if data.data_paths:
        return list(data.data_paths)
    unset = [name for name in data.path_variables if not os.environ.get(name)]
    if unset or not data.path_variables:
        names = ", ".join(unset) or "none"
        raise ConfigError([f"data.data_paths is empty: name the files there (environment variables not set: {names})"])
    return [os.environ[name] for name in data.path_variables]
