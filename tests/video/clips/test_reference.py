"""convention=reference picks the frames that the published loader picks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vjepa_pipe.video import ClipError, ClipSampler, ClipTooShort

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "clip_indices_reference.json").read_text())
MODE_FIELDS = {"frame_step": "frame_step", "duration": "clip_duration_sec", "fps": "target_fps"}


def reference(**fields: Any) -> ClipSampler:
    return ClipSampler(convention="reference", **fields)


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"{case['n_frames']}-{case['mode']}")
def test_golden_indices(case: dict[str, Any]) -> None:
    ((mode, value),) = case["mode"].items()
    sampler = reference(
        clip_mode=mode,
        frames_per_clip=case["frames_per_clip"],
        num_clips=case["num_clips"],
        allow_clip_overlap=case["allow_clip_overlap"],
        **{MODE_FIELDS[mode]: value},
    )
    starts = [case["window_start"] or 0] * case["num_clips"]
    clips = sampler.indices(case["n_frames"], case["avg_fps"], starts)
    assert all(clip.dtype == np.int64 for clip in clips)
    assert [clip.tolist() for clip in clips] == case["indices"]


@pytest.mark.parametrize(
    ("fps", "target_fps", "step"),
    # The step is the rate, rounded up, divided by the target, rounded down: never the stride asked for.
    [
        (23.976, 4, 6),
        (25, 4, 6),
        (29.97, 4, 7),
        (60, 4, 15),
        (15, 4, 3),
        (10, 4, 2),
        (7, 4, 1),
        (5, 5, 1),
        (30, 4.0, 7),
    ],
)
def test_fps_step(fps: float, target_fps: float, step: int) -> None:
    (clip,) = reference(target_fps=target_fps).indices(1000, fps, [0])
    spread = np.linspace(0, 16 * step, 16)
    assert clip.tolist() == np.minimum(spread, 16 * step - 1).astype(int).tolist()


def test_fps_mode_at_30_fps() -> None:
    (clip,) = reference(target_fps=4).indices(300, 30.0, [0])
    assert clip.tolist() == [0, 7, 14, 22, 29, 37, 44, 52, 59, 67, 74, 82, 89, 97, 104, 111]


def test_the_last_window_is_never_drawn() -> None:
    sampler = reference(clip_mode="frame_step", frame_step=4)  # a window of 64 frames
    rng = np.random.default_rng(0)
    assert {tuple(sampler.draw_starts(rng, 65, 30.0)) for _ in range(50)} == {(0,)}
    assert {sampler.draw_starts(rng, 67, 30.0)[0] for _ in range(100)} == {0, 1, 2}
    with pytest.raises(ClipError, match=r"starts must be 1 numbers, the largest \[2\] \(got \[3\]\)"):
        sampler.indices(67, 30.0, [3])


def test_segments_without_a_frame_take_the_last() -> None:
    # The published code yields -1, which decord reads as the last frame.
    clips = reference(clip_mode="frame_step", num_clips=8).indices(3, 30.0, [0] * 8)
    assert [clip.tolist() for clip in clips] == [[2] * 16] * 8
    (clip,) = reference(clip_mode="frame_step", allow_clip_overlap=True).indices(1, 30.0, [0])
    assert clip.tolist() == [0] * 16


def test_too_slow_a_video_is_an_error() -> None:
    with pytest.raises(ClipError) as caught:
        reference(target_fps=10).draw(np.random.default_rng(0), 100, 8.5)
    assert str(caught.value) == (
        "a video of 8.5 fps is too slow for target_fps=10 in convention=reference; strict repeats frames"
    )
    with pytest.raises(ClipError, match=r"clip_duration_sec=0.5 with frames_per_clip=16"):
        reference(clip_mode="duration", clip_duration_sec=0.5).draw(np.random.default_rng(0), 100, 10.0)


def test_drop_looks_at_the_whole_video() -> None:
    sampler = reference(clip_mode="frame_step", short_videos="drop", num_clips=2)
    sampler.draw(np.random.default_rng(0), 64, 30.0)
    with pytest.raises(ClipTooShort, match="a clip spans 64 frames, the video has 63"):
        sampler.draw(np.random.default_rng(0), 63, 30.0)
