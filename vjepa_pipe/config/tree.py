"""Nested plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def put(values: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a dotted path; mappings on the way are made."""
    *parents, last = path.split(".")
    for name in parents:
        values = values.setdefault(name, {})
    values[last] = value


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with its dotted path, in order. Lists and empty mappings are values, not nodes."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    elif path:
        yield path, value
