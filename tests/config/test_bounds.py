"""Every number that a config may hold has bounds."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Iterator
from typing import Any

import pytest

from vjepa_pipe import ConfigError, VideoConfig, compose
from vjepa_pipe.composition.schemas import SCHEMAS
from vjepa_pipe.config.build import broken_bounds, hints_of, shown
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.fields import bounds_of
from vjepa_pipe.config.sweep import SweepConfig

HANDED_ON = "vjepa_pipe.config.training"
"""The published trainer reads these: they have the bounds of every number, and some their own."""


def numbers(cls: type, seen: set[type]) -> Iterator[tuple[type, Any, type]]:
    """Every field of a dataclass, and of those in it, that holds numbers: its class, the field, int or float."""
    if cls in seen:
        return
    seen.add(cls)
    for field in dataclasses.fields(cls):
        for hint in flat(hints_of(cls)[field.name]):
            if dataclasses.is_dataclass(hint):
                yield from numbers(typing.cast(type, hint), seen)
            elif hint in (int, float):
                yield cls, field, hint


def flat(hint: Any) -> list[Any]:
    return list({one for part in typing.get_args(hint) for one in flat(part)}) or [hint]


SEEN: set[type] = set()
NUMBERS = [found for cls in (ExperimentConfig, SweepConfig, *SCHEMAS.values()) for found in numbers(cls, SEEN)]


def test_every_number_has_bounds_of_its_own() -> None:
    assert len(NUMBERS) > 150
    for cls, field, kind in NUMBERS:
        bounds, name = bounds_of(field), f"{cls.__name__}.{field.name}"
        assert kind is int or bounds.gt != 0 or (bounds.ge or 0) > 0, f"{name} may be as small as 1e-320"
        if cls.__module__.startswith(HANDED_ON):
            continue
        low, high = (bounds.gt, bounds.ge), (bounds.le, bounds.lt)
        assert any(one is not None and math.isfinite(one) for one in low), name
        assert any(one is not None and math.isfinite(one) for one in high), name


@pytest.mark.parametrize("value", [10**40, -(10**40), 1e300, math.nan, math.inf, 10**5000], ids=range(6))
def test_no_setting_takes_numbers_without_measure(value: float) -> None:
    for _, field, _ in NUMBERS:
        (fault,) = broken_bounds(bounds_of(field), value, field.name)
        assert fault.startswith(f"{field.name} must be ") and len(fault) < 300


@pytest.mark.parametrize(("override", "message"), [
    ("decoder.threads=" + "9" * 40, "decoder.threads must be <= 1024 (got 9"),
    ("data.target_fps=1e-320", "data.target_fps must be >= 1e-06 (got 1e-320)"),
    ("data.target_fps=0", "data.target_fps must be > 0 (got 0.0)"),
    ("data.batch_size=100000", "data.batch_size must be <= 65536 (got 100000)"),
    ("seed=" + "9" * 30, "seed must be < 9223372036854775808"),
])  # fmt: skip
def test_messages(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        compose([override])
    assert [fault[: len(message)] for fault in error.value.faults] == [message]


def test_the_bounds_hold_for_a_video_config_made_in_python() -> None:
    with pytest.raises(ValueError, match=r"video\.frame_size must be <= 8192 \(got 9000\)"):
        VideoConfig(frame_size=9000)


def test_long_values_are_cut_off() -> None:
    assert shown("x" * 1000).endswith("...") and len(shown("x" * 1000)) < 250
    assert shown(10**5000) == "a value of type int"
