"""Clips before actions: those of the published code, and those with a true stride."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vjepa_pipe.video import Anticipation, ClipError

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "epic_kitchens.json").read_text())


@pytest.mark.parametrize("dropped", [True, False])
def test_golden_clips(dropped: bool) -> None:
    cases = [dict(zip(GOLDEN["fields"], case, strict=True)) for case in GOLDEN["clips"]]
    chosen = [case for case in cases if (case["indices"] is None) is dropped]
    assert len(chosen) == (8 if dropped else 112)
    for case in chosen:
        action = Anticipation(case["first"], case["last"], case["time_sec"], case["point"])
        clip = case["frames_per_clip"], case["target_fps"], GOLDEN["num_frames"], case["fps"]
        if dropped:
            with pytest.raises(ClipError, match=r"would end at frame 4.. of a video with 400"):
                action.frames(*clip, "reference")
        else:
            frames = action.frames(*clip, "reference")
            assert frames.dtype == np.int64 and frames.tolist() == case["indices"]


@pytest.mark.parametrize(("action", "clip", "frames"), [
    (Anticipation(100, 200, 1.0, 1.0), (4, 8, 300, 60.0), [10, 17, 25, 32]),  # a stride of 7.5, from 40 - 4 x 7.5
    (Anticipation(100, 200, 1.0, 0.0), (4, 8, 300, 60.0), [110, 117, 125, 132]),
    (Anticipation(100, 200, 0.0, 0.25), (2, 10, 300, 60.0), [163, 169]),  # three quarters through
    (Anticipation(100, 200, 0.5, 1.0), (3, 10, 300, 29.97), [76, 79, 82]),
    (Anticipation(10, 20, 0.0, 1.0), (4, 20, 30, 10.0), [8, 8, 9, 9]),  # a slow video repeats its frames
    (Anticipation(5, 20, 1.0, 1.0), (4, 10, 30, 10.0), [0, 0, 0, 0]),
    (Anticipation(12, 20, 1.0, 1.0), (4, 10, 30, 10.0), [0, 0, 0, 1]),
])  # fmt: skip
def test_strict_keeps_the_stride_true(action: Anticipation, clip: tuple[Any, ...], frames: list[int]) -> None:
    assert action.frames(*clip).tolist() == frames


def test_an_action_that_stops_before_it_starts_is_an_error() -> None:
    with pytest.raises(ClipError, match="the action stops at frame 20, before its start at frame 30"):
        Anticipation(30, 20, 1.0, 1.0).frames(4, 8, 300, 60.0)


def test_too_slow_a_video_is_an_error_in_reference() -> None:
    with pytest.raises(ClipError, match=r"a video of 7\.9 fps is too slow for target_fps=8 in convention=reference"):
        Anticipation(50, 60, 1.0, 1.0).frames(4, 8, 100, 7.9, "reference")


@given(
    first=st.integers(0, 1000), length=st.integers(0, 500), time_sec=st.floats(0, 20), point=st.floats(0, 1),
    frames=st.integers(1, 64), target=st.floats(0.5, 60), fps=st.floats(5, 120),
    convention=st.sampled_from(["strict", "reference"]),
)  # fmt: skip
def test_frames_rise_inside_the_video_and_before_the_moment(
    first: int, length: int, time_sec: float, point: float, frames: int, target: float, fps: float, convention: str
) -> None:
    last = first + length
    try:
        clip = Anticipation(first, last, time_sec, point).frames(frames, target, last + 1, fps, convention)
    except ClipError:
        assert convention == "reference" and fps < target
        return
    assert len(clip) == frames and clip.min() >= 0 and (np.diff(clip) >= 0).all()
    moment = first * point + (1 - point) * last - time_sec * fps
    assert clip.max() <= max(0, moment + 1), "it ends before the moment, but for a frame of rounding"
