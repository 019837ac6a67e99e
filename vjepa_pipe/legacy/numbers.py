"""Numbers that PyYAML reads as text: `1e-6` has no dot, so YAML 1.1 takes it for a word."""

from __future__ import annotations

import typing
from typing import Any

from vjepa_pipe.composition.schemas import SCHEMAS
from vjepa_pipe.config.build import type_at
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.image import ImageStreamConfig


def numbers_for(path: str, value: Any, settings: dict[str, Any]) -> Any:
    """`value` with text turned into numbers, where our setting at `path` holds numbers.

    Args:
        path: A dotted path in our experiment.
        value: What the file holds.
        settings: Options chosen so far; `training` decides what `training.*` means.
    """
    training = settings.get("training")
    types_at: dict[str, type] = {"image": ImageStreamConfig}
    if training:
        types_at["training"] = SCHEMAS[f"training_{training}"]
    hint = type_at(ExperimentConfig, path.split(", ")[0], types_at)
    return _as_numbers(value) if float in _types_in(hint) else value


def _as_numbers(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_numbers(item) for item in value]
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _types_in(hint: Any) -> set[Any]:
    inner = typing.get_args(hint)
    return {hint} if not inner else set().union(*(_types_in(one) for one in inner))
