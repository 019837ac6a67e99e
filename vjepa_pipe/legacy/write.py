"""A translation as an experiment file: options, then only what differs from them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from vjepa_pipe.composition.compose import compose_dict, read_experiment
from vjepa_pipe.composition.store import SCHEMAS
from vjepa_pipe.config.build import build
from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.legacy.key import Settings
from vjepa_pipe.legacy.translate import Translation

_SCHEMA_OF = {"blocks": "multiblock3d", "none": "mask", "droid": "robot"}
"""Schema of the options of `data` and `mask` that have another name than it."""

LISTED = ("dead", "typo", "unknown", "changed meaning")
"""What became of a key, where the written file mentions it."""


def experiment_text(translation: Translation, name: str) -> str:
    """The experiment file that a translation describes.

    Args:
        translation: A published file in our terms.
        name: The experiment's name.

    Returns:
        YAML for a folder `experiment/` on the search path: options, then the settings that differ from them.
    """
    options = {path: value for path, value in translation.settings.items() if _is_option(path, value)}
    base = OmegaConf.to_container(compose_dict([f"{group}={option}" for group, option in options.items()]))
    body: dict[str, Any] = {"name": name}
    for path, value in translation.settings.items():
        if path not in options and not _holds(base, path, value):
            _put(body, path, value)
    defaults: dict[str, Any] = {
        "defaults": [{f"override /{group}": option} for group, option in options.items()],
    }
    return "\n".join(
        [
            "# @package _global_",
            f"# {translation.profile.name}, from {translation.file.path.name}: python launch.py experiment={name}",
            *_remarks(translation),
            to_yaml(defaults),
            to_yaml(_escaped(body)),
        ]
    )


def checked_experiment(translation: Translation, folder: Path, option: str) -> ExperimentConfig:
    """Compose a written experiment file.

    Args:
        translation: What it was written from.
        folder: The folder above `experiment/`.
        option: The file's stem.

    Raises:
        ConfigError: Naming every fault with the published key and its line.
    """
    faults = _wrong_values(translation.settings)
    if not faults:
        experiment, faults = read_experiment(compose_dict([f"experiment={option}"], folder))
    if faults:
        raise ConfigError([in_published_terms(translation, fault) for fault in faults])
    return experiment


def in_published_terms(translation: Translation, fault: str) -> str:
    """A fault of our setting as a fault of the published key that gave it."""
    path = re.split(r"[ =:\[]", fault, maxsplit=1)[0]
    while path and path not in translation.origin:
        path = path.rpartition(".")[0]
    if not path:
        return f"{translation.file.path}: {fault}"
    key = translation.origin[path]
    entry = re.match(r"mask\.masks\.mask_(\d+)\.", path)
    where = f"{key}[{entry[1]}].{path.rpartition('.')[2]}" if entry else key
    return f"{translation.file.where(where)}: {fault}"


def _wrong_values(settings: Settings) -> list[str]:
    """Values of a wrong type, found before Hydra stops at the first of them."""
    options = {group: str(settings[group]) for group in ("data", "mask")}
    types_at = {group: SCHEMAS[_SCHEMA_OF.get(option, option)] for group, option in options.items()}
    types_at["training"] = SCHEMAS[f"training_{settings['training']}"]
    values: Settings = {}
    for path, value in settings.items():
        if not _is_option(path, value):
            _put(values, path, value)
    faults: list[str] = []
    build(ExperimentConfig, values, "", faults, types_at)
    return faults


def _is_option(path: str, value: Any) -> bool:
    return "." not in path and path != "seed" and isinstance(value, str)


def _holds(base: Any, path: str, value: Any) -> bool:
    for name in path.split("."):
        if not isinstance(base, dict) or name not in base:
            return False
        base = base[name]
    return bool(base == value) and isinstance(base, bool) == isinstance(value, bool)


def _put(body: Settings, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for name in parents:
        body = body.setdefault(name, {})
    body[last] = value


def _escaped(value: Any) -> Any:
    """Text that looks like an interpolation stays text: a published file has none."""
    if isinstance(value, str):
        return value.replace("${", "\\${")
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    return [_escaped(item) for item in value] if isinstance(value, list) else value


def _remarks(translation: Translation) -> list[str]:
    rows = [row for row in translation.rows if row.status in LISTED and row.line is not None]
    remarks = [*map(str, rows), *translation.warnings]
    return [f"# {' '.join(remark.split())}" for remark in dict.fromkeys(remarks)]


class _Dumper(yaml.SafeDumper):
    """Quotes text that looks like a number: PyYAML leaves `1e5` bare, and Hydra would read 100000.0."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    try:
        float(text)
    except ValueError:
        return dumper.represent_str(text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="'")


_Dumper.add_representer(str, _text)


def to_yaml(value: Any) -> str:
    """Plain values as short YAML: pairs on one line, text that stays text."""
    return str(
        yaml.dump(value, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=110, allow_unicode=True)
    )
