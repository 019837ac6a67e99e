"""Reading a published YAML file: plain values only, each with the line it stands on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.files.yaml_file import MAX_COMPOSED_VALUES, yaml_text

_MERGE = "tag:yaml.org,2002:merge"
_PLAIN = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


@dataclass
class LegacyFile:
    """A published YAML file.

    Attributes:
        path: The file.
        values: Its content: nested dicts, lists and scalars.
        lines: The line (from 1) of each key and list item, by dotted path such as `mask[0].num_blocks`.
    """

    path: Path
    values: dict[str, Any]
    lines: dict[str, int] = field(default_factory=dict)

    def where(self, key: str) -> str:
        """`FILE:LINE: KEY`, for messages; without a line where the file lacks the key."""
        line = self.lines.get(key)
        return f"{self.path}:{line}: {key}" if line is not None else f"{self.path}: {key}"


def read_legacy(path: str | Path) -> LegacyFile:
    """Read a file with a safe loader: no tag of it builds anything.

    Raises:
        ConfigError: If the file cannot be read, is not YAML, is no mapping of sections, names a key
            twice, carries tags, or breaks a bound of `yaml_text`.
    """
    path = Path(path)
    loader = yaml.SafeLoader(yaml_text(path, MAX_COMPOSED_VALUES))  # Hydra reads the experiment that is made of it
    try:
        node = loader.get_single_node()
    except yaml.YAMLError as error:
        raise ConfigError([f"{path}: not YAML: {_one_line(error)}"]) from error
    if isinstance(node, yaml.SequenceNode):
        raise ConfigError(
            [f"{path}:1: a list at top level: a batch of config files is not one experiment, give each as legacy=FILE"]
        )
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError([f"{path}: holds no sections such as `data:`"])
    unfolding = _Unfolding(path, loader)
    return LegacyFile(path, unfolding.value(node, ""), unfolding.lines)


class _Unfolding:
    """From YAML nodes to values."""

    def __init__(self, path: Path, loader: yaml.SafeLoader) -> None:
        self.path = path
        self.loader = loader
        self.lines: dict[str, int] = {}

    def value(self, node: yaml.Node, where: str) -> Any:
        line = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, where)
        if node.tag not in _PLAIN:
            raise ConfigError([f"{self.path}:{line}: the tag {node.tag} is not read: plain values only"])
        return self._mapping(node, where) if isinstance(node, yaml.MappingNode) else self._list(node, where)

    def _list(self, node: yaml.Node, where: str) -> list[Any]:
        items = []
        for index, item in enumerate(node.value):
            self.lines[f"{where}[{index}]"] = item.start_mark.line + 1
            items.append(self.value(item, f"{where}[{index}]"))
        return items

    def _mapping(self, node: yaml.MappingNode, where: str) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == _MERGE:
                found = self.value(value_node, where)
                for one in found if isinstance(found, list) else [found]:
                    merged = dict(one) | merged
                continue
            key = str(key_node.value)
            inner = f"{where}.{key}" if where else key
            if key in own:
                raise ConfigError([f"{self.path}:{line}: {inner} is a duplicate key"])
            self.lines[inner] = line
            own[key] = self.value(value_node, inner)
        return merged | own

    def _scalar(self, node: yaml.ScalarNode, where: str) -> Any:
        try:
            value = self.loader.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            line = node.start_mark.line + 1
            raise ConfigError([f"{self.path}:{line}: {where}: {_one_line(error)}"]) from error
        # `None` is text to PyYAML; published files write it for null.
        return None if value == "None" else value


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
