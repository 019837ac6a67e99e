"""Where each setting of an experiment came from: a line of a file, the command line, a schema's default.

Hydra does not keep this. It is found by walking the same defaults list that Hydra merges, from first to last,
and noting which file wrote each setting last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from hydra.core.default_element import ResultDefault
from hydra.core.override_parser.types import Override

from vjepa_pipe.composition.options import first_directive
from vjepa_pipe.composition.store import written_in_memory
from vjepa_pipe.config.build import is_wanting
from vjepa_pipe.config.folders import conf_dir
from vjepa_pipe.config.tree import leaves
from vjepa_pipe.files.regular_file import change_stamp
from vjepa_pipe.files.yaml_file import Loader, yaml_text

COMMAND_LINE = "command line"
SCHEMA_DEFAULT = "schema default"


def written_by_files(defaults: Iterable[ResultDefault], folders: Sequence[Path]) -> dict[str, str]:
    """The line that wrote each setting last, by dotted path, such as `conf/data/kinetics.yaml:8`.

    Args:
        defaults: The list that Hydra merges.
        folders: Config folders, in the order in which Hydra searches them.
    """
    written: dict[str, str] = {}
    for default in defaults:
        file = _file_of(default.config_path, folders)
        if default.config_path in written_in_memory:
            _overlay(written, written_in_memory[default.config_path])
        elif file is not None:
            package = _package(file, default.package)
            _overlay(
                written,
                {_join(package, path): f"{_shown(file)}:{line}" for path, line in _lines(file, change_stamp(file))},
            )
    return written


def with_overrides(written: Mapping[str, str], overrides: Sequence[Override]) -> dict[str, str]:
    """The same after value overrides, as `command line: data.target_fps=4`."""
    new = dict(written)
    for override in overrides:
        _overlay_override(new, override)
    return new


def provenance(written: Mapping[str, str], settings: Iterable[str]) -> dict[str, str]:
    """Where each setting came from: what wrote it, or a node that it stands in, else `schema default`."""
    return {setting: _nearest(written, setting) for setting in settings}


def located(fault: str, written: Mapping[str, str]) -> str:
    """A line about a setting, with the file and line of its value before it, where it stands in a file."""
    path = re.split(r"[ =:\[]", fault, maxsplit=1)[0]
    source = _nearest(written, path)
    if source == SCHEMA_DEFAULT or source.startswith(COMMAND_LINE) or is_wanting(fault):
        return fault
    return f"{source}: {fault}"


def _overlay(written: dict[str, str], new: Mapping[str, str]) -> None:
    """A later file's line for a whole node also covers what earlier ones said below it."""
    for path in new:
        for old in [key for key in written if key.startswith(f"{path}.")]:
            del written[old]
    written.update(new)


def _overlay_override(written: dict[str, str], override: Override) -> None:
    """A mapping is merged into what is there, so it writes only what it names."""
    source = f"{COMMAND_LINE}: {override.input_line}"
    value = override.value()
    keys = [path for path, _ in leaves(value, override.key_or_group)] if isinstance(value, dict) else []
    _overlay(written, dict.fromkeys(keys or [override.key_or_group], source))


def _nearest(written: Mapping[str, str], setting: str) -> str:
    while setting:
        if setting in written:
            return written[setting]
        setting = setting.rpartition(".")[0]
    return SCHEMA_DEFAULT


def _file_of(config_path: str | None, folders: Sequence[Path]) -> Path | None:
    """The YAML file behind an entry of the defaults list; None for schemas and for Hydra's own settings."""
    if config_path is None or config_path.startswith("hydra/"):
        return None
    files = (folder / f"{config_path}.yaml" for folder in folders)
    return next((file for file in files if file.is_file()), None)


def _package(file: Path, package: str | None) -> str:
    if package is None:
        package = first_directive(file, "@package") or ""
    return "" if package == "_global_" else package


def _join(package: str, path: str) -> str:
    return f"{package}.{path}" if package else path


def _shown(file: Path) -> str:
    """A packaged file as `conf/...`, any other as the user wrote it or relative to where they are."""
    for root, prefix in ((conf_dir(), Path("conf")), (Path.cwd(), Path())):
        if file.is_relative_to(root):
            return (prefix / file.relative_to(root)).as_posix()
    return str(file)


@lru_cache(maxsize=256)
def _lines(file: Path, _stamp: tuple[int, ...] | None) -> list[tuple[str, int]]:
    root = yaml.compose(yaml_text(file), Loader=Loader)
    return [(path, line) for path, line in _walk(root) if path.split(".")[0] not in ("defaults", "hydra")]


def _walk(node: Any, path: str = "") -> Iterator[tuple[str, int]]:
    """Every leaf of a YAML tree with its line, counted from 1."""
    if isinstance(node, yaml.MappingNode) and node.value:
        for key, value in node.value:
            where = f"{path}.{key.value}" if path else str(key.value)
            yield from ([(where, key.start_mark.line + 1)] if not _is_mapping(value) else _walk(value, where))


def _is_mapping(node: Any) -> bool:
    return isinstance(node, yaml.MappingNode) and bool(node.value)
