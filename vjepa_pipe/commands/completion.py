"""What Tab offers beyond Hydra: the choices of a setting, groups inside a group, `sweep.` keys and the commands."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hydra.plugins.completion_plugin import CompletionPlugin

from vjepa_pipe.commands import COMMANDS
from vjepa_pipe.composition.compose import compose_overrides
from vjepa_pipe.composition.hydra_loader import SCHEMAS
from vjepa_pipe.composition.options import group_options
from vjepa_pipe.composition.sweep_words import PREFIX, SETTINGS
from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.fields import bounds_of
from vjepa_pipe.config.sweep import SweepConfig


@contextmanager
def own_completion() -> Iterator[None]:
    """In here Hydra's completion offers ours too."""
    plugin_class: Any = CompletionPlugin
    query = plugin_class._query

    def query_ours_too(plugin: CompletionPlugin, config_name: str | None, line: str) -> list[str]:
        words = line.split()
        word = "" if line[-1:] in ("", " ") else words.pop()
        known = {*COMMANDS, "legacy"}
        rest = [one for one in words if not one.startswith(PREFIX) and one.partition("=")[0] not in known]
        own = [name for name in COMMANDS if name.startswith(word)] if not words else []
        own += [*_sweep_settings(word), *_nested_groups(word)] if "=" not in word else _choices(word, rest)
        if own and "=" in word:
            return own
        found = query(plugin, config_name, " ".join([*rest, word]))
        return sorted([*own, *(one for one in found if not re.match(rf"[+~]*{SCHEMAS}\b", one))])

    plugin_class._query = query_ours_too
    try:
        yield
    finally:
        plugin_class._query = query


def _sweep_settings(word: str) -> list[str]:
    if not word.startswith(PREFIX):
        return [PREFIX] if PREFIX.startswith(word) else []
    return [text for name in SETTINGS if (text := f"{PREFIX}{name}=").startswith(word)]


def _nested_groups(word: str) -> list[str]:
    return [text for group in ("data", "mask") if "@" in word and (text := f"{group}@image.{group}=").startswith(word)]


def _choices(word: str, words: Sequence[str]) -> list[str]:
    """The values that a setting can have, where they can be counted; of several, for a sweep, the last is completed."""
    key, _, value = word.partition("=")
    before, comma, last = value.rpartition(",")
    values = _values(key.lstrip("+"), [one for one in words if "=" in one])
    return [f"{key}={before}{comma}{choice}" for choice in values if choice.startswith(last)]


def _values(key: str, overrides: Sequence[str]) -> Sequence[str]:
    if "@" in key:
        return group_options(key.partition("@")[0])
    *parents, name = key.split(".")
    try:
        node: Any = SweepConfig() if parents == [PREFIX[:-1]] else compose_overrides(overrides).experiment
    except UserError:
        return ()
    for parent in parents if not isinstance(node, SweepConfig) else ():
        node = node.get(parent) if isinstance(node, dict) else getattr(node, parent, None)
    fields = {field.name: field for field in dataclasses.fields(node)} if dataclasses.is_dataclass(node) else {}
    if name not in fields:
        return ()
    return ("true", "false") if isinstance(getattr(node, name), bool) else bounds_of(fields[name]).choices
