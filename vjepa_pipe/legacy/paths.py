"""The annotation files that an experiment names, for files written for others: URLs as records show them."""

from __future__ import annotations

from vjepa_pipe.config.data import DataConfig
from vjepa_pipe.config.data_files import named_eval_files, named_files, unset_variables
from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.urls import shown_path


def named_paths(data: DataConfig, field: str = "data.data_paths") -> list[str]:
    """The paths in `field`, else those in the environment variables that the data option reads.

    Raises:
        ConfigError: If neither names a file.
    """
    if field == "data.eval_data_paths" and (found := named_eval_files(data)):
        return [shown_path(path) for path in found]
    unset, named = unset_variables(data), named_files(data)
    if unset or not named:
        names = ", ".join(unset) or "none"
        raise ConfigError([f"data.data_paths is empty: name the files there (environment variables not set: {names})"])
    return [shown_path(path) for path in named]
