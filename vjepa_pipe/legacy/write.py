"""A translation as an experiment file: options, then only what differs from them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from vjepa_pipe.composition.compose import compose_overrides
from vjepa_pipe.composition.store import store_experiment
from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.tree import put
from vjepa_pipe.legacy.translate import Translation

LISTED = ("dead", "typo", "unknown", "changed meaning")
"""What became of a key, where the written file mentions it."""


def store_translation(translation: Translation) -> tuple[str, ExperimentConfig]:
    """Offer a published file to Hydra as an option of the group `experiment/`.

    Returns:
        The option, and the experiment that it describes.

    Raises:
        ConfigError: Naming every fault with the published key and its line.
    """
    name = experiment_name(translation.file.path)
    option = f"legacy_{name}"
    file, origin = translation.file, translation.origin
    lines = {path: file.lines.get(origin.get(path, "")) for path in translation.settings}
    sources = {path: f"{file.path}:{line}" if line is not None else str(file.path) for path, line in lines.items()}
    store_experiment(option, _content(translation, name), sources)
    found = compose_overrides([f"experiment={option}"])
    if found.faults:
        raise ConfigError([in_published_terms(translation, fault) for fault in found.faults])
    return option, found.experiment


def experiment_name(path: Path) -> str:
    """The file's stem, as the name of an experiment."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", path.stem).strip("_") or "published"


def experiment_text(translation: Translation, name: str) -> str:
    """The experiment file that a translation describes.

    Args:
        translation: A published file in our terms.
        name: The experiment's name.

    Returns:
        YAML for a folder `experiment/` on the search path: options, then the settings that differ from them.
    """
    content = _content(translation, name)
    return "\n".join(
        [
            "# @package _global_",
            f"# {translation.profile.name}, from {translation.file.path.name}: python launch.py experiment={name}",
            *_remarks(translation),
            to_yaml({"defaults": content.pop("defaults")}),
            to_yaml(content),
        ]
    )


def _content(translation: Translation, name: str) -> dict[str, Any]:
    """An experiment file's content: the chosen options, then the settings that differ from them."""
    options = {path: value for path, value in translation.settings.items() if _is_option(path, value)}
    base = compose_overrides([f"{group}={option}" for group, option in options.items()]).values
    body: dict[str, Any] = {"name": name}
    for path, value in translation.settings.items():
        if path not in options and not _holds(base, path, value):
            put(body, path, value)
    return {"defaults": [{f"override /{group}": option} for group, option in options.items()], **_escaped(body)}


def in_published_terms(translation: Translation, fault: str) -> str:
    """A fault of our setting as a fault of the published key that gave it."""
    path = re.split(r"[ =:\[]", fault, maxsplit=1)[0]
    while path and path not in translation.origin:
        path = path.rpartition(".")[0]
    if not path:
        return f"{translation.file.path}: {fault}"
    key = translation.origin[path]
    entry = re.match(r"(?:image\.)?mask\.masks\.mask_(\d+)\.", path)
    where = f"{key}[{entry[1]}].{path.rpartition('.')[2]}" if entry else key
    found = translation.file.where(where)
    return f"{found.removesuffix(where)}{fault}" if path == where else f"{found}: {fault}"


def _is_option(path: str, value: Any) -> bool:
    return ("@" in path or "." not in path) and path != "seed" and isinstance(value, str)


def _holds(base: Any, path: str, value: Any) -> bool:
    for name in path.split("."):
        if not isinstance(base, dict) or name not in base:
            return False
        base = base[name]
    return bool(base == value) and isinstance(base, bool) == isinstance(value, bool)


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
