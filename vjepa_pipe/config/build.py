"""From a composed config to plain dataclasses, with every fault found on the way."""

from __future__ import annotations

import dataclasses
import itertools
import math
import operator
import types
import typing
from collections.abc import Mapping
from typing import Any

from vjepa_pipe.config.errors import did_you_mean
from vjepa_pipe.config.fields import LARGEST, Bounds, bounds_of

MISSING = "???"
LONGEST_SHOWN = 200
WANTING = (" must be given:", " must not be empty:")


def build(cls: type[Any], given: Mapping[str, Any], path: str, faults: list[str], types_at: Mapping[str, type]) -> Any:
    """An instance of the dataclass `cls` from nested plain values.

    Args:
        cls: The dataclass.
        given: Its values; keys left out keep their default.
        path: Where it stands in the experiment, such as `data`; empty for the experiment itself.
        faults: Receives a line for each unknown key, missing value, wrong type and broken bound.
        types_at: Dataclass of a group's node where it is narrower than the field's type, by path.
    """
    hints = hints_of(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    values: dict[str, Any] = {}
    for name, value in given.items():
        where = f"{path}.{name}" if path else name
        if name not in fields:
            faults.append(f"{where} is not a setting{did_you_mean(name, fields)}")
        elif value == MISSING and isinstance(value, str):
            faults.append(f"{where}{WANTING[0]} {bounds_of(fields[name]).help}")
        else:
            values[name] = _convert(hints[name], value, where, faults, types_at)
            faults.extend(broken_bounds(bounds_of(fields[name]), values[name], where))
    return cls(**values)


def is_wanting(fault: str) -> bool:
    """Whether a fault only asks for a value that no default can give."""
    return any(words in fault for words in WANTING)


def hints_of(cls: type[Any]) -> dict[str, Any]:
    """The types of a dataclass's fields, evaluated once."""
    if cls not in _hints:
        _hints[cls] = typing.get_type_hints(cls)
    return _hints[cls]


_hints: dict[type[Any], dict[str, Any]] = {}


def faults_of(config: Any, path: str = "") -> list[str]:
    """Wrong types and broken bounds of a dataclass instance made in Python.

    Args:
        config: An experiment, or one of its groups.
        path: Where it stands in the experiment, such as `data`.
    """
    faults: list[str] = []
    given = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    build(type(config), given, path, faults, {})
    return faults


def _convert(hint: Any, value: Any, where: str, faults: list[str], types_at: Mapping[str, type]) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        inner = next(arg for arg in args if arg is not type(None))
        return None if value is None else _convert(inner, value, where, faults, types_at)
    if dataclasses.is_dataclass(hint):
        return _convert_node(types_at.get(where, hint), value, where, faults, types_at)
    if origin in (list, tuple):
        return _convert_sequence(origin, args, value, where, faults, types_at)
    if origin is dict:
        if not isinstance(value, Mapping):
            return _wrong_type("a mapping", value, where, faults)
        return {str(key): _convert(args[1], item, f"{where}.{key}", faults, types_at) for key, item in value.items()}
    return _convert_scalar(hint, value, where, faults)


def _convert_node(cls: Any, value: Any, where: str, faults: list[str], types_at: Mapping[str, type]) -> Any:
    if isinstance(value, cls):
        faults.extend(faults_of(value, where))
        return value
    if not isinstance(value, Mapping):
        return _wrong_type("a group of settings", value, where, faults)
    return build(cls, value, where, faults, types_at)


def _convert_sequence(
    origin: Any, args: tuple[Any, ...], value: Any, where: str, faults: list[str], types_at: Mapping[str, type]
) -> Any:
    if not isinstance(value, (list, tuple)):
        kind = "a list" if origin is list else f"a list of {len(args)}"
        return _wrong_type(kind, value, where, faults)
    if origin is tuple and len(value) != len(args):
        faults.append(f"{where} must have {len(args)} values (got {shown(list(value))})")
        return tuple(value)
    inner = args if origin is tuple else (args[0],) * len(value)
    items = [
        _convert(hint, v, f"{where}[{i}]", faults, types_at)
        for i, (hint, v) in enumerate(zip(inner, value, strict=True))
    ]
    return tuple(items) if origin is tuple else items


def _convert_scalar(hint: Any, value: Any, where: str, faults: list[str]) -> Any:
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if hint is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if hint in (str, bool) and isinstance(value, hint):
        return value
    names = {float: "a number", int: "a whole number", str: "text", bool: "true or false"}
    return _wrong_type(names.get(hint, str(hint)), value, where, faults)


def _wrong_type(expected: str, value: Any, where: str, faults: list[str]) -> Any:
    faults.append(f"{where} must be {expected} (got {shown(value)})")
    return value


def broken_bounds(bounds: Bounds, value: Any, where: str) -> list[str]:
    """A line for each bound that a setting's value, or one of its elements, breaks."""
    if value is None:
        return []
    many = isinstance(value, (list, tuple))
    items = value if many else [value]
    broken = []
    for index, item in enumerate(items):
        at = f"{where}[{index}]" if many else where
        if isinstance(item, (int, float)) and not isinstance(item, bool):
            broken.extend(_broken_number(bounds, item, at))
        if bounds.choices and isinstance(item, str) and item not in bounds.choices:
            hint = did_you_mean(item, bounds.choices)
            broken.append(f"{at} must be one of {', '.join(bounds.choices)} (got {shown(item)}){hint}")
    if (
        bounds.ordered
        and many
        and len(value) == 2
        and all(isinstance(v, (int, float)) for v in value)
        and value[0] > value[1]
    ):
        broken.append(f"{where} must be in ascending order (got {shown(list(value))})")
    if bounds.not_empty and not value:
        broken.append(f"{where}{WANTING[1]} {bounds.help}")
    return broken


def _broken_number(bounds: Bounds, value: float, where: str) -> list[str]:
    """A line if a number is not finite or outside its bounds: the first that it breaks."""
    if isinstance(value, float) and not math.isfinite(value):
        return [f"{where} must be a finite number (got {value})"]
    largest = LARGEST if bounds.le is None and bounds.lt is None else None
    smallest = -LARGEST if bounds.ge is None and bounds.gt is None else None
    checks = [
        (bounds.gt, ">", operator.gt),
        (bounds.ge if smallest is None else smallest, ">=", operator.ge),
        (bounds.le if largest is None else largest, "<=", operator.le),
        (bounds.lt, "<", operator.lt),
    ]
    broken = (
        f"{where} must be {sign} {_number(bound)} (got {shown(value)})"
        for bound, sign, holds in checks
        if bound is not None and not holds(value, bound)
    )
    return list(itertools.islice(broken, 1))


def _number(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


def shown(value: Any) -> str:
    """A value as messages show it: cut off where it is long, and numbers that Python does not write in digits."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, or one in a list
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
