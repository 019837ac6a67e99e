"""`docs/configuration.md`: every setting with its type, default, bound and meaning, from the dataclasses."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from typing import Any

from vjepa_pipe.commands.json_schema import schema_classes
from vjepa_pipe.composition.options import description, docstring, group_options
from vjepa_pipe.composition.store import group_types, registered
from vjepa_pipe.config.build import hints_of
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.fields import Bounds, bounds_of
from vjepa_pipe.config.sweep import SweepConfig

HEAD = """# Every setting

Written by `vjepa-pipe schema --docs docs/configuration.md`; a test keeps it current. A setting marked with `*`
changes speed or reporting, never a batch, and does not count in a run's identity.

"""


def reference_text() -> str:
    """The whole file."""
    return HEAD + "\n".join(_sections()) + "\n"


def _sections() -> Iterator[str]:
    yield "## The experiment\n"
    yield from _table(ExperimentConfig, {})
    for field in dataclasses.fields(ExperimentConfig):
        if dataclasses.is_dataclass(hints_of(ExperimentConfig)[field.name]):
            yield from _group(field.name, hints_of(ExperimentConfig)[field.name])
    yield "\n## Sweeps: `sweep.*` with `-m`\n"
    yield f"{docstring(SweepConfig)}\n"
    yield from _table(SweepConfig, {})


def _group(group: str, base: type) -> Iterator[str]:
    yield f"\n## `{group}`\n"
    for option in group_options(group):
        yield f"- `{group}={option}`: {description(group, option)}"
    chosen_by = {cls: f"`{group}={option}`" for option, cls in registered(group).items()}
    shown: dict[str, dataclasses.Field[Any]] = {}
    # The base first: a narrower schema then lists only what it adds or changes.
    for cls in sorted({base, *schema_classes(group)}, key=lambda cls: (len(cls.__mro__), cls.__name__)):
        nested = list(_nested(cls, shown))
        yield f"\n### `{cls.__name__}`\n"
        yield f"Chosen by {chosen_by[cls]}.\n" if cls in chosen_by else f"{docstring(cls)}\n"
        yield from _table(cls, shown)
        for inner in nested:
            yield f"\n#### `{inner.__name__}`\n"
            yield f"{docstring(inner)}\n"
            yield from _table(inner, {})
        shown |= {field.name: field for field in dataclasses.fields(cls)} if cls is base else {}


def _table(cls: Any, shown: dict[str, dataclasses.Field[Any]]) -> Iterator[str]:
    rows = [field for field in dataclasses.fields(cls) if not _same(field, shown.get(field.name))]
    if not rows:
        yield "Nothing further."
        return
    yield "| setting | type | default | bound | meaning |\n|---|---|---|---|---|"
    for field in rows:
        bounds = bounds_of(field)
        mark = "" if bounds.affects_results else " *"
        kind, default = _type(hints_of(cls)[field.name]), _default(field)
        meaning = bounds.help.replace("|", "\\|")
        yield f"| `{field.name}`{mark} | {kind} | {default} | {_bound(bounds)} | {meaning} |"


def _same(field: dataclasses.Field[Any], other: dataclasses.Field[Any] | None) -> bool:
    return other is not None and (field.metadata, field.default) == (other.metadata, other.default)


def _nested(cls: Any, shown: dict[str, dataclasses.Field[Any]]) -> Iterator[type]:
    for field in dataclasses.fields(cls):
        if field.name not in shown:
            parts = (part for part in _parts(hints_of(cls)[field.name]) if dataclasses.is_dataclass(part))
            yield from (part for part in parts if part not in group_types().values())


def _parts(hint: Any) -> Iterator[type]:
    yield hint
    for argument in typing.get_args(hint):
        yield from _parts(argument)


def _type(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Union:
        return f"{_type(next(part for part in arguments if part is not type(None)))} or null"
    if origin is tuple:
        return f"{len(arguments)} of {_type(arguments[0])}"
    if origin is list:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"mapping to {_type(arguments[1])}"
    names = {int: "whole number", float: "number", str: "text", bool: "true or false", Any: "anything"}
    return names.get(hint, f"`{getattr(hint, '__name__', hint)}`")


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        value = field.default
    else:
        assert field.default_factory is not dataclasses.MISSING
        value = field.default_factory()
    if dataclasses.is_dataclass(value):
        return "see below" if dataclasses.fields(value) else ""
    if value is None:
        return "null"
    shown = list(value) if isinstance(value, tuple) else str(value).lower() if isinstance(value, bool) else value
    return f"`{shown}`" if shown != "" else "empty"


def _bound(bounds: Bounds) -> str:
    limits = [(">=", bounds.ge), (">", bounds.gt), ("<=", bounds.le), ("<", bounds.lt)]
    said = [f"{sign} {limit:g}" for sign, limit in limits if limit is not None]
    said += [", ".join(f"`{choice}`" for choice in bounds.choices)] if bounds.choices else []
    said += ["ascending"] if bounds.ordered else []
    said += ["not empty"] if bounds.not_empty else []
    return "; ".join(said)
