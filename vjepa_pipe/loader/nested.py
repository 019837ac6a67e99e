"""Tensors of a batch, in its dicts, lists and tuples at any depth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor


def mapped(value: Any, change: Callable[[Tensor, str], Any], name: str = "") -> Any:
    """The same value with each tensor put through a function; what holds no tensor is passed on as it is.

    Args:
        value: A batch, or a part of it.
        change: Called with a tensor and the innermost key that it stands under.
        name: The key that `value` stands under.
    """
    if isinstance(value, Tensor):
        return change(value, name)
    if not isinstance(value, (dict, list, tuple)):
        return value
    named = value.items() if isinstance(value, dict) else ((name, item) for item in value)
    pairs = [(key, item, mapped(item, change, str(key))) for key, item in named]
    if all(before is after for _, before, after in pairs):
        return value
    if isinstance(value, dict):
        return {key: after for key, _, after in pairs}
    items = [after for _, _, after in pairs]
    if isinstance(value, list):
        return items
    return type(value)(*items) if hasattr(value, "_fields") else tuple(items)


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors that `mapped` finds, in its order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (dict, list, tuple)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from tensors_in(item)
