"""The config groups and their options: packaged files, those of the user's own folder, and what code registers."""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path
from typing import Any

from vjepa_pipe.composition.store import group_types, registered
from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.folders import conf_dir
from vjepa_pipe.files.yaml_file import yaml_text

DIRECTIVES = ("@package", "yaml-language-server")


def config_folders(config_dir: str | Path | None = None) -> list[Path]:
    """Where options are looked for, the first match wins.

    Raises:
        ConfigError: If there is no such folder of the user's own, or OmegaConf would take its path for something else.
    """
    if config_dir is None:
        return [conf_dir()]
    own = Path(config_dir).resolve()
    if not own.is_dir():
        raise ConfigError([f"the config folder {config_dir} {'is not a folder' if own.exists() else 'does not exist'}"])
    if "${" in str(own):
        raise ConfigError([f"the config folder {own} must have another name: ${{ begins an interpolation"])
    return [conf_dir(), own]


def source_folders(hydra_settings: Any) -> list[Path]:
    """Every folder that a config was composed from, in the order of Hydra's search, as its `hydra` node says."""
    sources = hydra_settings.runtime.config_sources
    return [Path(source.path) for source in sources if source.schema == "file" and source.path]


def groups(config_dir: str | Path | None = None) -> list[str]:
    """Every group that has options, such as `data` and `hydra/launcher`."""
    in_files = {
        file.parent.relative_to(folder).as_posix()
        for folder in config_folders(config_dir)
        for file in folder.rglob("*.yaml")
        if file.parent != folder
    }
    return sorted({*in_files, *group_types()})


def group_options(group: str, config_dir: str | Path | None = None) -> list[str]:
    """The options of a config group; empty if there is no such group."""
    folders = [folder / group for folder in config_folders(config_dir)]
    there = filter(os.path.isdir, folders)  # pathlib raises where a name is too long
    return sorted({*registered(group), *(file.stem for folder in there for file in folder.glob("*.yaml"))})


def option_file(group: str, option: str, config_dir: str | Path | None = None) -> Path | None:
    """The file of an option; None if no folder has one, as for an option registered from code."""
    for folder in config_folders(config_dir):
        file = folder / group / f"{option}.yaml"
        if os.path.isfile(file):  # noqa: PTH113 - pathlib raises where a name is too long
            return file
    return None


def option_of(file: Path) -> tuple[str, str, Path] | None:
    """The group, the name and the config folder of an option's file; None if it is no file of a config folder."""
    file = file.resolve()
    known = groups()
    for folder in file.parents[1:3]:
        group = file.parent.relative_to(folder).as_posix()
        if group in known and file.suffix == ".yaml":
            return group, file.stem, folder
    return None


def description(group: str, option: str, config_dir: str | Path | None = None) -> str:
    """When to use an option: the first comment of its file, without directives for tools, or its class's docstring."""
    file = option_file(group, option, config_dir)
    if file is not None:
        return " ".join(line for line in _header(file) if not line.startswith(DIRECTIVES))
    return docstring(registered(group).get(option, dict))


def docstring(schema: type) -> str:
    """A dataclass's docstring in one line; empty without one, for which dataclasses writes its signature."""
    text = " ".join((schema.__doc__ or "").split())
    return "" if schema is dict or text.startswith(f"{schema.__name__}(") else text


def own_command(group: str, option: str, config_dir: str | Path | None = None) -> list[str]:
    """The overrides of the command that an option's description gives, with whatever it needs beside itself.

    Only the option itself, if its description gives no such command.
    """
    choice = f"{group}={option}"
    for command in description(group, option, config_dir).split("python launch.py")[1:]:
        words = [word.strip("'") for word in re.findall(r"'[^']*'|\S+", command) if word not in ("--cfg", "job")]
        overrides = list(itertools.takewhile(lambda word: "=" in word, words))
        if choice in overrides:
            return overrides
    return [choice]


def first_directive(file: Path, name: str) -> str | None:
    """The value of a directive in a file's first comment, such as `_global_` for `@package`; None without one."""
    return next((line.removeprefix(name).strip() for line in _header(file) if line.startswith(name)), None)


def _header(file: Path) -> list[str]:
    lines = yaml_text(file).splitlines()
    return [line.lstrip("# ").rstrip() for line in itertools.takewhile(lambda line: line.startswith("#"), lines)]
