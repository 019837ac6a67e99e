"""YAML that anyone may have written: of bounded size, depth and number of values, before anything is built from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.files.regular_file import open_regular

MAX_BYTES = 16 << 20
MAX_VALUES = 1_000_000
MAX_COMPOSED_VALUES = 10_000
"""Of a file that Hydra reads: composing this many takes OmegaConf a second or two."""
MAX_DEPTH = 100
"""The packaged files have at most 6 levels and some 200 values."""

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(file: str | Path) -> Any:
    """The plain values in a YAML file.

    Raises:
        ConfigError: As `yaml_text`.
    """
    text = yaml_text(file)
    try:
        return yaml.load(text, Loader=Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a tag, a number of thousands of digits
        raise ConfigError([f"{file} is not YAML: {' '.join(str(error).split())}"]) from error


def yaml_text(file: str | Path, max_values: int = MAX_VALUES) -> str:
    """The text of a YAML file, which is safe to build values from.

    Args:
        file: The file.
        max_values: How many values it may unfold into.

    Raises:
        ConfigError: If it cannot be read, is larger than 16 MiB, is not YAML, has more than 100 levels or unfolds into
            too many values.
    """
    try:
        with open_regular(file) as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([f"cannot read {file}: {error.strerror}"]) from error
    if len(content) > MAX_BYTES:
        raise ConfigError([f"{file} is larger than {MAX_BYTES} bytes: this is no config"])
    try:
        text = content.decode("utf-8")
        _check(text, str(file), max_values)
    except UnicodeDecodeError as error:
        raise ConfigError([f"{file} is not a text file"]) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError([f"{file} is not YAML: {' '.join(str(error).split())}"]) from error
    return text


def _check(text: str, file: str, max_values: int) -> None:
    """Walk a file's events, which are read one at a time: no value is built, no alias unfolded."""
    event: Any  # PyYAML's stubs let every mark and anchor be None
    unfolded: dict[str | None, int] = {}
    anchors: list[str | None] = []
    counts = [0]
    for event in yaml.parse(text, Loader=Loader):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in anchors:
                raise ConfigError([f"{file}:{line}: the alias *{event.anchor} holds itself"])
            counts[-1] += unfolded.get(event.anchor, 1)
        elif isinstance(event, yaml.ScalarEvent):
            counts[-1] += 1
            unfolded[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            anchors.append(event.anchor)
            counts.append(1)
            if len(anchors) > MAX_DEPTH:
                raise ConfigError([f"{file}:{line}: more than {MAX_DEPTH} levels: this is no config"])
        elif isinstance(event, yaml.CollectionEndEvent):
            count = counts.pop()
            unfolded[anchors.pop()] = count
            counts[-1] += count
        if counts[-1] > max_values:
            raise ConfigError([f"{file}:{line}: more than {max_values} values, aliases unfolded: this is no config"])
