"""The option of group `data` that reads copies instead of originals, and says all else as the experiment did."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from vjepa_pipe.composition.config_dir import CONFIG_DIR
from vjepa_pipe.composition.options import group_options
from vjepa_pipe.composition.snapshot import plain
from vjepa_pipe.config.data import CsvDataConfig, DataConfig
from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.targets import PLACES, TARGET
from vjepa_pipe.files.whole_file import make_folder, write_whole
from vjepa_pipe.files.yaml_file import yaml_text
from vjepa_pipe.storage import absolute

OF_ORIGINALS = {"data_paths", "path_variables", "source_names", "index_dir", "max_file_bytes"}
"""Settings that are said of the originals' lists and files."""

GROUP = "data"


COMMENT = "# Copies that task=prepare made of "
"""How the option's file begins."""


def check_option(folder: Path, name: str) -> None:
    """Check that an option can have this name, is not hidden by one of ours and hides none of the user's.

    Raises:
        ConfigError: If not.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", name):
        raise ConfigError([f"task.option must be a name of letters, digits, '-' and '_' (got {name!r})"])
    if name in group_options(GROUP):
        raise ConfigError([f"task.option={name} is the name of an option that there is already: name another"])
    file = option_file(folder, name)
    if file.exists() and not yaml_text(file).startswith(COMMENT):
        raise ConfigError([f"task.option={name}: {file} is there already, and no run of task=prepare wrote it"])


def write_option(folder: Path, name: str, data: DataConfig, sources: Sequence[str]) -> Path:
    """Write `data/NAME.yaml` below a folder; it names the lists there by where it is itself, so all can be moved.

    Args:
        folder: Where the lists are.
        name: Of the option.
        data: Of the experiment.
        sources: Their names.

    Raises:
        UserError: If it cannot be written.
    """
    settings: dict[str, Any] = {"data_paths": [f"{CONFIG_DIR}/{source}.csv" for source in sources]}
    ours, default = data._target_ in PLACES[GROUP], CsvDataConfig()
    for field in dataclasses.fields(DataConfig):
        value = getattr(data, field.name)
        if value != getattr(default, field.name) and not (
            field.name in OF_ORIGINALS or (ours and field.name == TARGET)
        ):
            settings[field.name] = plain(value)
    if data.eval_data_paths:
        settings["eval_data_paths"] = [absolute(path) for path in data.eval_data_paths]
    content = {"defaults": [{"/schema@_here_": "csv"}, "_self_"]} | settings
    file = option_file(folder, name)
    make_folder(file.parent)
    comment = (
        f"{COMMENT}{', '.join(sources)}; originals are not read.\n# python launch.py --config-dir FOLDER data={name}\n"
    )
    write_whole(file, comment + yaml.safe_dump(content, sort_keys=False, width=100, allow_unicode=True))
    return file


def option_file(folder: Path, name: str) -> Path:
    """Where an option is."""
    return folder / GROUP / f"{name}.yaml"
