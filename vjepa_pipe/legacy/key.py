"""How a profile of published files is declared: one line per key."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.training.base import REQUIRED, TrainingConfig

Settings = dict[str, Any]
"""Values by dotted path in our experiment; a path without a dot chooses a group's option."""


class BadValue(ValueError):
    """A value that a key cannot have.

    Attributes:
        below: Path below the key, such as `[0].num_blocks`.
    """

    def __init__(self, reason: str, below: str = "") -> None:
        super().__init__(reason)
        self.below = below


@dataclass(frozen=True)
class Key:
    """A key that the published code reads.

    Attributes:
        name: Dotted path in the published file.
        to: Where it goes, for the audit.
        default: What the published code takes when the key is absent.
        read: The published value to our settings.
        write: Our experiment to the published value; None leaves the key out.
        note: What differs, if the meaning changed.
    """

    name: str
    to: str
    default: Any
    read: Callable[[Any], Settings]
    write: Callable[[ExperimentConfig], Any]
    note: str = ""


@dataclass(frozen=True)
class Profile:
    """One kind of published file.

    Attributes:
        name: What it is called in the audit.
        marker: The top-level key that names it, and its value.
        training: Option of the group `training/`.
        keys: What the published code reads, in the order in which settings are applied.
        built_in: Our settings for what the published code has no key for.
        built_in_notes: What one should know about some of these, by the setting's path.
        dead: Keys that occur in published files and are never read, with the reason.
        typos: Misspelt keys that occur in published files, with the right name.
        check: Faults between keys, as (key, message).
        warnings: Likely mistakes in a file, as sentences.
        finish: Settings that follow from several keys.
    """

    name: str
    marker: tuple[str, str]
    training: str
    keys: tuple[Key, ...]
    built_in: Settings
    built_in_notes: Mapping[str, str] = field(default_factory=dict)
    dead: Mapping[str, str] = field(default_factory=dict)
    typos: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[Mapping[str, Any]], Iterator[tuple[str, str]]] = lambda _: iter(())
    warnings: Callable[[Mapping[str, Any]], Iterator[str]] = lambda _: iter(())
    finish: Callable[[Mapping[str, Any]], Settings] = lambda _: {}


def move(name: str, to: str, default: Any = REQUIRED, note: str = "") -> Key:
    """A key whose value becomes one of our settings as it is."""
    return Key(name, to, default, lambda value: {to: value}, lambda experiment: setting_of(experiment, to), note)


def setting_of(experiment: ExperimentConfig, path: str) -> Any:
    """The value at a dotted path."""
    node: Any = experiment
    for name in path.split("."):
        node = node[name] if isinstance(node, Mapping) else getattr(node, name)
    return node


def handed_on(cls: type[TrainingConfig], path: str = "") -> Iterator[Key]:
    """A key for each setting of a trainer: same name, below `training`."""
    hints = typing.get_type_hints(cls)
    for one in dataclasses.fields(cls):
        name = f"{path}.{one.name}" if path else one.name
        if dataclasses.is_dataclass(hints[one.name]):
            yield from handed_on(hints[one.name], name)
        else:
            made = one.default_factory
            default = one.default if made is dataclasses.MISSING else made()
            yield move(name, f"training.{name}", default)
