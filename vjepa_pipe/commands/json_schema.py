"""JSON Schema of each config group, for editors: written from the same dataclasses that the checker reads."""

from __future__ import annotations

import dataclasses
import typing
from pathlib import Path
from typing import Any

import yaml

from vjepa_pipe.composition.options import docstring, group_options, groups, option_file
from vjepa_pipe.composition.schemas import SCHEMAS
from vjepa_pipe.composition.store import group_types, registered
from vjepa_pipe.config.build import hints_of
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.fields import Bounds, bounds_of

DRAFT = "http://json-schema.org/draft-07/schema#"
_OR_REFERENCE = {"type": "string", "pattern": r"^(\$\{.*\}|\?\?\?)$"}
_SCALARS = {int: "integer", float: "number", str: "string", bool: "boolean"}


def group_schemas() -> dict[str, dict[str, Any]]:
    """The schema of every group's files, by group; `config` is that of the primary file and of experiments."""
    nodes = {group: _merged(schema_classes(group), group) for group in groups() if schema_classes(group)}
    return {group: _file(node) for group, node in nodes.items()} | {"experiment": _file(_node(ExperimentConfig))}


def schema_classes(group: str) -> list[type]:
    """The dataclasses of a group's options: those that are registered, and those that files extend."""
    names: dict[str, None] = {}
    for file in filter(None, (option_file(group, option) for option in group_options(group))):
        content = yaml.safe_load(file.read_text()) or {}
        for entry in content.get("defaults", []):
            if isinstance(entry, dict):
                names |= {str(value): None for key, value in entry.items() if str(key).startswith("/schema")}
    extended = [SCHEMAS[name] for name in names if name in SCHEMAS]
    return list(dict.fromkeys([*registered(group).values(), *extended]))


def editor_setting(folder: Path) -> dict[str, Any]:
    """What VS Code's YAML extension is told, and others like it, to find the schemas written to a folder."""
    return {"yaml.schemas": {str(folder / f"{group}.json"): f"**/{group}/*.yaml" for group in group_schemas()}}


def _file(node: dict[str, Any]) -> dict[str, Any]:
    """A node as a whole file, with what Hydra adds to it."""
    extra = {"defaults": {"type": "array", "description": "what is merged before this file"}, "hydra": {}}
    return {"$schema": DRAFT, **node, "properties": {**extra, **node["properties"]}}


def _merged(classes: list[type], group: str) -> dict[str, Any]:
    """One node for all schemas of a group: which of them a file has, its defaults list says."""
    classes = sorted(classes, key=lambda cls: len(cls.__mro__))  # the base first: it says what a setting means
    variants: dict[str, list[dict[str, Any]]] = {}
    for cls in classes:
        for name, value in _node(cls)["properties"].items():
            known = variants.setdefault(name, [])
            if all(_bare(value) != _bare(other) for other in known):
                known.append(value)
    properties = {
        name: many[0] if len(many) == 1 else {"description": many[0].get("description", ""), "anyOf": many}
        for name, many in variants.items()
    }
    doc = docstring(classes[0]) or group
    return {"type": "object", "description": doc, "properties": properties, "additionalProperties": False}


def _bare(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in ("description", "default")}


def _node(cls: type) -> dict[str, Any]:
    hints = hints_of(cls)
    fields: tuple[dataclasses.Field[Any], ...] = dataclasses.fields(cls)
    properties = {field.name: _field(hints[field.name], field) for field in fields}
    return {"type": "object", "description": docstring(cls), "properties": properties, "additionalProperties": False}


def _field(hint: Any, field: dataclasses.Field[Any]) -> dict[str, Any]:
    bounds = bounds_of(field)
    schema = _type(hint, bounds)
    default = field.default if field.default is not dataclasses.MISSING else None
    described = {"description": bounds.help}
    if isinstance(default, (bool, int, float, str, tuple)):
        described["default"] = list(default) if isinstance(default, tuple) else default  # type: ignore[assignment]
    if dataclasses.is_dataclass(hint) or (schema.get("type") == "string" and not bounds.choices) or not schema:
        return {**schema, **described}
    return {**described, "anyOf": [schema, _OR_REFERENCE]}


def _type(hint: Any, bounds: Bounds) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Union:
        inner = next(part for part in arguments if part is not type(None))
        return {"anyOf": [_type(inner, bounds), {"type": "null"}]}
    if dataclasses.is_dataclass(hint):
        group = next((group for group, base in group_types().items() if base is hint), None)
        return _merged(schema_classes(group), group) if group else _node(typing.cast(type, hint))
    if origin is tuple:
        count = len(arguments)
        return {"type": "array", "items": _type(arguments[0], bounds), "minItems": count, "maxItems": count}
    if origin is list:
        return {"type": "array", "items": _type(arguments[0], bounds)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _type(arguments[1], Bounds(""))}
    if hint in _SCALARS:
        return {"type": _SCALARS[hint], **_limits(hint, bounds)}
    return {}


def _limits(hint: Any, bounds: Bounds) -> dict[str, Any]:
    if hint is str:
        return {"enum": list(bounds.choices)} if bounds.choices else {}
    if hint is bool:
        return {}
    names = {"minimum": bounds.ge, "exclusiveMinimum": bounds.gt, "maximum": bounds.le, "exclusiveMaximum": bounds.lt}
    return {name: value for name, value in names.items() if value is not None}
