"""From a composed config to plain dataclasses, with every fault found on the way."""

from __future__ import annotations

import dataclasses
import itertools
import math
import operator
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from vjepa_pipe.config.errors import did_you_mean
from vjepa_pipe.config.fields import LARGEST, Bounds, bounds_of
from vjepa_pipe.config.img_size import FORMS, ImgSize, is_img_size
from vjepa_pipe.config.tree import leaves

MISSING = "???"
LONGEST_SHOWN = 200
WANTING = (" must be given:", " must not be empty:")


def build(
    cls: type[Any],
    given: Mapping[str, Any],
    path: str,
    faults: list[str],
    types_at: Mapping[str, type],
    convert: bool = False,
) -> Any:
    """An instance of the dataclass `cls` from nested plain values.

    Args:
        cls: The dataclass.
        given: Its values; keys left out keep their default.
        path: Where it stands in the experiment, such as `data`; empty for the experiment itself.
        faults: Receives a line for each unknown key, missing value, wrong type and broken bound.
        types_at: Dataclass of a group's node where it is narrower than the field's type, by path.
        convert: Convert scalars as OmegaConf's typed nodes do: `"4"` is a number, `yes` is true, `5` is text.
    """
    return _Builder(faults, types_at, convert, given).node(cls, given, path)


def is_wanting(fault: str) -> bool:
    """Whether a fault only asks for a value that no default can give."""
    return any(words in fault for words in WANTING)


def hints_of(cls: type[Any]) -> dict[str, Any]:
    """The types of a dataclass's fields, evaluated once."""
    if cls not in _hints:
        annotated = typing.get_type_hints(cls, include_extras=True)
        _hints[cls] = typing.get_type_hints(cls) | {name: hint for name, hint in annotated.items() if hint == ImgSize}
    return _hints[cls]


_hints: dict[type[Any], dict[str, Any]] = {}


def type_at(cls: type[Any], path: str, types_at: Mapping[str, type]) -> Any:
    """The type of the setting at a dotted path below the dataclass `cls`, without `None`; `None` if there is none.

    Args:
        cls: The dataclass.
        path: Such as `mask.masks.short.num_blocks`.
        types_at: Dataclass of a group's node where it is narrower than the field's type, by path.
    """
    hint: Any = cls
    parts = path.split(".")
    for depth, name in enumerate(parts, start=1):
        if dataclasses.is_dataclass(hint):
            hint = hints_of(hint).get(name)  # type: ignore[arg-type]
        else:
            hint = typing.get_args(hint)[1] if typing.get_origin(hint) is dict else None
        if typing.get_origin(hint) in (typing.Union, types.UnionType):
            hint = next(arg for arg in typing.get_args(hint) if arg is not type(None))
        hint = types_at.get(".".join(parts[:depth]), hint)
    return hint


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


@dataclasses.dataclass(frozen=True)
class _Builder:
    """Converts values to the types of a dataclass's fields; see `build`."""

    faults: list[str]
    types_at: Mapping[str, type]
    convert: bool
    whole: Mapping[str, Any]

    def node(self, cls: type[Any], given: Mapping[str, Any], path: str) -> Any:
        hints = hints_of(cls)
        fields = {field.name: field for field in dataclasses.fields(cls)}
        values: dict[str, Any] = {}
        for name, value in given.items():
            where = f"{path}.{name}" if path else str(name)
            if name not in fields:
                self.faults.append(unknown_setting(where, fields, self.whole))
            elif value == MISSING and isinstance(value, str):
                self.faults.append(f"{where}{WANTING[0]} {bounds_of(fields[name]).help}")
            else:
                values[name] = self.value(hints[name], value, where)
                self.faults.extend(broken_bounds(bounds_of(fields[name]), values[name], where))
        return cls(**values)

    def value(self, hint: Any, value: Any, where: str) -> Any:
        origin, args = typing.get_origin(hint), typing.get_args(hint)
        if hint is Any:
            return value
        if hint == ImgSize:
            return self._img_size(value, where)
        if origin in (typing.Union, types.UnionType):
            inner = next(arg for arg in args if arg is not type(None))
            return None if value is None else self.value(inner, value, where)
        if dataclasses.is_dataclass(hint):
            return self._group(self.types_at.get(where, hint), value, where)
        if origin in (list, tuple):
            return self._sequence(origin, args, value, where)
        if origin is dict:
            if not isinstance(value, Mapping):
                return self._wrong("a mapping", value, where)
            return {str(key): self.value(args[1], item, f"{where}.{key}") for key, item in value.items()}
        return self._scalar(hint, value, where)

    def _group(self, cls: Any, value: Any, where: str) -> Any:
        if isinstance(value, cls):
            self.faults.extend(faults_of(value, where))
            return value
        if not isinstance(value, Mapping):
            self._wrong("a group of settings", value, where)
            group = where.rpartition(".")[2]
            if isinstance(value, str) and where in (group, f"image.{group}"):
                choice = group if where == group else f"{group}@{where}"
                self.faults[-1] += (
                    f": {choice}={value} chooses one, and so does `override /{choice}: {value}` in a file"
                )
            return value
        return self.node(cls, value, where)

    def _sequence(self, origin: Any, args: tuple[Any, ...], value: Any, where: str) -> Any:
        if not isinstance(value, (list, tuple)):
            kind = "a list" if origin is list else f"a list of {len(args)}"
            self._wrong(kind, value, where)
            if origin is list and isinstance(value, (str, int, float)):
                self.faults[-1] += f" (did you mean {where}=[{value}]?)"
            return value
        if origin is tuple and len(value) != len(args):
            self.faults.append(f"{where} must have {len(args)} values (got {shown(list(value))})")
            return tuple(value)
        inner = args if origin is tuple else (args[0],) * len(value)
        items = [self.value(hint, v, f"{where}[{i}]") for i, (hint, v) in enumerate(zip(inner, value, strict=True))]
        return tuple(items) if origin is tuple else items

    def _img_size(self, value: Any, where: str) -> Any:
        many = isinstance(value, (list, tuple))
        if self.convert:
            value = [_converted(int, side) for side in value] if many else _converted(int, value)
        return value if is_img_size(value) else self._wrong(FORMS, value, where)

    def _scalar(self, hint: Any, value: Any, where: str) -> Any:
        if self.convert:
            value = _converted(hint, value)
        if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
            return value
        if hint is int and isinstance(value, int) and not isinstance(value, bool):
            return value
        if hint in (str, bool) and isinstance(value, hint):
            return value
        names = {float: "a number", int: "a whole number", str: "text", bool: "true or false"}
        return self._wrong(names.get(hint, str(hint)), value, where)

    def _wrong(self, expected: str, value: Any, where: str) -> Any:
        self.faults.append(f"{where} must be {expected} (got {shown(value)})")
        return value


def unknown_setting(where: str, known: Iterable[str], whole: Mapping[str, Any]) -> str:
    """The message about a setting that does not exist.

    Args:
        where: Its dotted path.
        known: The names that exist beside it.
        whole: The experiment, as nested plain values: a name may be right and its group wrong.
    """
    parent, _, name = where.rpartition(".")
    known = list(map(str, known))
    if parent and "." not in parent and not known:
        return f"{where} is not a setting: the option of {parent} that is chosen has none"
    hint = did_you_mean(name, known, f"{parent}." if parent else "")
    elsewhere = [path for path, _ in leaves(whole) if path.endswith(f".{name}") and path != where]
    return f"{where} is not a setting{hint or did_you_mean(where, elsewhere, cutoff=0)}"


def _converted(hint: Any, value: Any) -> Any:
    """A scalar as OmegaConf's node of this type would hold it; as it is where that node would refuse it."""
    if hint is str:
        return str(value) if isinstance(value, (bool, int, float)) else value
    if hint is bool:
        return _BOOLEANS.get(str(value).lower(), value) if isinstance(value, (str, int)) else value
    if isinstance(value, str) or (hint is float and isinstance(value, int) and not isinstance(value, bool)):
        try:
            return hint(value)
        except (ValueError, OverflowError):
            return value
    return value


_BOOLEANS = dict.fromkeys(("yes", "y", "on", "true", "1"), True) | dict.fromkeys(
    ("no", "n", "off", "false", "0"), False
)


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
