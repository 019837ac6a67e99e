"""Value overrides applied to nested plain values, in the way in which Hydra applies them to a config."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from vjepa_pipe.config.build import type_at, unknown_setting
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.program import program


def parse(texts: Sequence[str], faults: list[str]) -> list[Override]:
    """Overrides, one by one.

    Args:
        texts: As they are typed.
        faults: Receives a line for each that is not an override.
    """
    parser = OverridesParser.create()
    parsed: list[Override] = []
    for text in texts:
        try:
            (override,) = parser.parse_overrides([text])
        except (HydraException, ValueError, RecursionError) as error:  # the last two: Hydra does not foresee them
            faults.append(_unreadable(text, error))
            continue
        if override.is_sweep_override():
            faults.append(f"{text} gives several values, which needs -m: {program()} -m ...")
        else:
            parsed.append(override)
    return parsed


def _unreadable(text: str, error: Exception) -> str:
    """What is wrong with a text that Hydra's parser does not take; it speaks of its grammar."""
    key, separator, value = text.partition("=")
    if isinstance(error, RecursionError):
        return f"{text}: nested too deeply"
    if not separator:
        return f"{text} is not an override: they are KEY=VALUE, such as data.target_fps=4"
    quoted = f'["{value[1:-1]}"]' if value[:1] == "[" and value[-1:] == "]" and "," not in value else f'"{value}"'
    advice = f": quote a value with special signs, '{key}={quoted}'" if not set("'\"") & set(text) else ""
    return f"{text}: {value} is not a value that Hydra can read{advice}"


def apply(override: Override, values: dict[str, Any], types_at: Mapping[str, type]) -> Iterator[str]:
    """Apply an override to `values`, in place; a line if it does not fit.

    As in Hydra, only `+` and `++` add a name, and a mapping is merged into what is there.

    Args:
        override: Of a value.
        values: The experiment, as nested plain values.
        types_at: The dataclass of each of its nodes, by dotted path.
    """
    key, text = override.key_or_group, override.input_line
    if override.package is not None:
        yield f"{text}: {key} is not a config group"
        return
    *parents, name = key.split(".")
    adds = override.is_add() or override.is_force_add()
    node: Any = values
    for depth, part in enumerate([*parents, name]):
        place = _place(node, part)
        if place is None and (not adds or not isinstance(node, dict)):
            above, where = (".".join([*parents, name][:end]) for end in (depth, depth + 1))
            mapping = type_at(ExperimentConfig, above, types_at)
            # Mappings of dataclasses are left out: OmegaConf adds to them from files only.
            takes_names = typing.get_origin(mapping) is dict and typing.get_args(mapping)[1] is Any
            hint = f"; +{text} adds it" if takes_names and not override.is_delete() else ""
            yield unknown_setting(where, node if isinstance(node, dict) else (), values) + hint
            return
        if depth < len(parents):
            child = node[place] if place is not None else None
            if not isinstance(child, (dict, list)):
                if not adds:  # it is a scalar, which holds nothing
                    yield f"{key} is not a setting"
                    return
                child = node[part if place is None else place] = {}
            node = child
    yield from _write(override, node, place, name)


def _write(override: Override, node: Any, place: Any, name: str) -> Iterator[str]:
    value: Any = override.value()
    key = override.key_or_group
    if override.is_delete():
        if value is not None and value != node[place]:
            yield f"{override.input_line}: {key} is {node[place]!r}"
        else:
            del node[place]
    elif override.is_add() and place is not None and node[place] is not None and not isinstance(value, (dict, list)):
        yield f"{override.input_line}: {key} is there already: leave out the +"
    elif place is None:
        node[name] = value
    else:
        node[place] = _merged(node[place], value)


def _place(node: Any, part: str) -> Any:
    """The key or index of `part` in a mapping or list; None if it is not there."""
    if isinstance(node, dict):
        return next((key for key in node if str(key) == part), None)
    if isinstance(node, list) and part.isdecimal() and int(part) < len(node):
        return int(part)
    return None


def _merged(before: Any, value: Any) -> Any:
    if not isinstance(before, dict) or not isinstance(value, dict):
        return value
    return before | {key: _merged(before.get(key), item) for key, item in value.items()}
