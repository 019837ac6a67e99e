"""`sweep.where`: what it evaluates, and what it refuses."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vjepa_pipe import ConfigError
from vjepa_pipe.records.where import Where

SETTINGS: dict[str, Any] = {
    "seed": 3, "data.target_fps": 4.0, "data.frames_per_clip": 16, "data.clip_mode": "fps", "mask.max_keep": None,
    "data_aug.motion_shift": True,
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), [
    ("data.frames_per_clip / data.target_fps <= 4", True),
    ("data.frames_per_clip * data.target_fps < 64", False),
    ("seed % 2 == 1 and not data_aug.motion_shift", False),
    ("seed // 2 == 1 or seed == 0", True),
    ("1 < seed <= 3", True),
    ("data.clip_mode == 'fps'", True),
    ("mask.max_keep == null", True),
    ("data_aug.motion_shift == true", True),
    ("-seed + 1 == -2", True),
    ("(seed)", True),
])  # fmt: skip
def test_conditions(text: str, expected: bool) -> None:
    assert Where(text)(SETTINGS) is expected


@pytest.mark.parametrize("text", [
    "__import__('os').system('true')", "open('x')", "data.target_fps.__class__", "[1][0]", "seed ** 999999",
    "lambda: 1", "(x := 3)",
    "f'{seed}'", "seed if seed else 1", "{1: 2}", "seed in (1, 2)", "seed is 3", "seed << 9", "b'x'", "1j",
    "seed and", "", "seed; seed", "().x", "*seed", "await seed",
])  # fmt: skip
def test_anything_else_is_refused_before_a_point_is_made(text: str) -> None:
    with pytest.raises(ConfigError, match=r"sweep\.where"):
        Where(text)({name: value for name, value in SETTINGS.items()})


def test_unknown_setting_is_named() -> None:
    with pytest.raises(ConfigError, match=r"data.target_fsp is not a setting \(did you mean data.target_fps\?\)"):
        Where("data.target_fsp > 3")(SETTINGS)


@pytest.mark.parametrize("text", ["data.clip_mode > 3", "seed / 0 > 1", "mask.max_keep + 1 > 0", "'a' * 999 == 1"])
def test_values_that_do_not_go_together(text: str) -> None:
    with pytest.raises(ConfigError, match=r"sweep.where cannot be evaluated"):
        Where(text)(SETTINGS)


@given(st.text(max_size=40))
def test_no_text_does_anything_but_answer_or_be_refused(text: str) -> None:
    with contextlib.suppress(ConfigError):
        assert Where(text)(SETTINGS) in (True, False)
