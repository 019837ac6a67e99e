"""When two experiments are the same: a hash of what they say."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.fields import bounds_of, is_default

SHORT = 8
"""Digits of a hash in the name of a folder."""


def identity(experiment: ExperimentConfig) -> str:
    """A hash of every setting that can change a result.

    Workers, prefetching, logging and other settings declared with `affects_results=False` are left
    out, so two runs with the same identity are fed the same batches.

    Returns:
        64 hexadecimal digits.
    """
    return _digest(_canonical(experiment, only_results=True))


def full_identity(experiment: ExperimentConfig) -> str:
    """A hash of every setting, so that a sweep over `data.num_workers` has points that differ."""
    return _digest(_canonical(experiment, only_results=False))


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _counts(field: dataclasses.Field[Any], value: Any, only_results: bool) -> bool:
    bounds = bounds_of(field)
    if bounds.in_identity_if_set and is_default(field, value):
        return False
    return bounds.affects_results or not only_results


def _canonical(value: Any, only_results: bool) -> Any:
    if dataclasses.is_dataclass(value):
        return {
            field.name: _canonical(getattr(value, field.name), only_results)
            for field in dataclasses.fields(value)
            if _counts(field, getattr(value, field.name), only_results)
        }
    if isinstance(value, dict):
        return {str(key): _canonical(item, only_results) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(item, only_results) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)  # 10 and 10.0 frames per second are one setting
    return value
