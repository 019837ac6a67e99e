"""From a sweep's arguments to the overrides of each point."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, Quote, QuotedString
from hydra.errors import HydraException

from vjepa_pipe.config.errors import ConfigError, did_you_mean
from vjepa_pipe.config.sweep import SweepConfig
from vjepa_pipe.files.yaml_file import read_yaml
from vjepa_pipe.sweeps.sampling import interval_axis

MAX_POINTS = 100_000
Axis = list[list[str]]
"""Places on one axis of the sweep; each is the overrides that stand there."""


def expand(arguments: Sequence[str], options: SweepConfig, loader: ConfigLoader) -> list[list[str]]:
    """The overrides of every point, in order; the last axis varies fastest.

    Args:
        arguments: Overrides, some with several values.
        options: What is zipped, listed or drawn.
        loader: Hydra's, for `glob(*)` over the options of a group.

    Raises:
        ConfigError: If the options do not fit the arguments.
    """
    fixed: dict[str, Axis] = {}
    intervals: list[tuple[str, IntervalSweep]] = []
    for override in OverridesParser.create(config_loader=loader).parse_overrides(list(arguments)):
        key = key_of(override)
        if override.is_interval_sweep():
            interval: Any = override.value()
            intervals.append((key, interval))
        elif override.is_sweep_override():
            _check_range(key, override)
            fixed[key] = [[f"{key}={value}"] for value in override.sweep_string_iterator()]
        else:
            fixed[key] = [[str(override.input_line)]]
    axes = [*_zipped(fixed, _zip_groups(options.zip)), *_drawn(intervals, options), *_listed(options.points)]
    count = math.prod(len(axis) for axis in axes)
    if count > MAX_POINTS:
        raise ConfigError([f"a sweep must have at most {MAX_POINTS} points (got {count})"])
    return [[text for place in places for text in place] for places in itertools.product(*axes)]


def first_point(arguments: Sequence[str]) -> list[str]:
    """The overrides of a sweep with the first value of each that gives several; those drawn at random left out.

    What cannot be parsed stays as it is, for whoever composes the point to name.
    """
    first: list[str] = []
    parser = OverridesParser.create()
    for text in arguments:
        try:
            (override,) = parser.parse_overrides([text])
        except HydraException:
            first.append(text)
            continue
        if not override.is_sweep_override():
            first.append(text)
        elif not override.is_interval_sweep():
            first.extend(
                f"{key_of(override)}={value}" for value in itertools.islice(override.sweep_string_iterator(), 1)
            )
    return first


def _check_range(key: str, override: Override) -> None:
    """Refuse a range of too many values before any of them is made."""
    if override.is_range_sweep():
        values: Any = override.value()
        count = math.ceil((values.stop - values.start) / values.step) if values.step else 0
        if count > MAX_POINTS:
            raise ConfigError([f"a sweep must have at most {MAX_POINTS} points (got {count} of {key})"])


def key_of(override: Override) -> str:
    """What an override sets, with the sign before it, such as `+task.args.lr`."""
    return str(override.input_line).partition("=")[0]


def _zip_groups(given: list[Any]) -> list[list[str]]:
    groups = given if given and all(isinstance(group, list) for group in given) else [given] if given else []
    for group in groups:
        if len(group) < 2 or not all(isinstance(key, str) for key in group):
            raise ConfigError([f"sweep.zip must name two or more swept settings (got {group})"])
    return groups


def _zipped(fixed: dict[str, Axis], groups: list[list[str]]) -> list[Axis]:
    axes = dict(fixed)
    for group in groups:
        for key in group:
            if key not in axes:
                raise ConfigError([f"sweep.zip: {key} is not swept once{did_you_mean(key, axes)}"])
        lengths = {key: len(axes[key]) for key in group}
        if len(set(lengths.values())) != 1:
            counts = ", ".join(f"{key} has {count}" for key, count in lengths.items())
            raise ConfigError([f"sweep.zip needs as many values of each setting ({counts})"])
        together = [
            [text for place in places for text in place] for places in zip(*(axes[k] for k in group), strict=True)
        ]
        first = group[0]
        axes = {key: together if key == first else axis for key, axis in axes.items() if key not in group[1:]}
    return list(axes.values())


def _drawn(intervals: list[tuple[str, IntervalSweep]], options: SweepConfig) -> list[Axis]:
    if not intervals:
        if options.samples is not None:
            raise ConfigError([f"sweep.samples={options.samples} needs a setting given as interval(low,high)"])
        return []
    if options.samples is None:
        raise ConfigError([f"{intervals[0][0]}=interval(...) needs sweep.samples, the number of points to draw"])
    try:
        return [interval_axis(intervals, options.sampler, options.samples, options.seed)]
    except ValueError as error:
        raise ConfigError([str(error)]) from error


def _listed(points: Any) -> list[Axis]:
    if points is None:
        return []
    where = "sweep.points"
    if isinstance(points, str):
        where = f"sweep.points: {points}"
        try:
            points = read_yaml(points)
        except ConfigError as error:
            raise ConfigError([f"sweep.points: {fault}" for fault in error.faults]) from error
    if not isinstance(points, list) or not points or not all(isinstance(point, dict) for point in points):
        raise ConfigError([f"{where} must be a list of mappings from settings to values"])
    return [[[f"{key}={_element(value)}" for key, value in _flat(point)] for point in points]]


def _flat(point: dict[Any, Any], path: str = "") -> list[tuple[str, Any]]:
    """Settings of a listed point: nested mappings, or dotted names."""
    found: list[tuple[str, Any]] = []
    for key, value in point.items():
        where = f"{path}.{key}" if path else str(key)
        found.extend(_flat(value, where) if isinstance(value, dict) and value else [(where, value)])
    return found


def _element(value: Any) -> str:
    """A value in the grammar of Hydra's overrides."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list):
        return f"[{','.join(map(_element, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_element(item)}" for key, item in value.items()) + "}"
    text = str(value)
    if re.fullmatch(r"[A-Za-z_][\w./-]*", text) and text.lower() not in ("null", "true", "false", "nan", "inf"):
        return text
    return QuotedString(text, Quote.single).with_quotes()
