"""convention=strict: true strides, every window reachable, nothing out of range."""

from __future__ import annotations

import pickle
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vjepa_pipe.video import ClipError, ClipSampler, ClipTooShort

samplers = st.builds(
    ClipSampler,
    clip_mode=st.sampled_from(["fps", "duration", "frame_step"]),
    frames_per_clip=st.integers(1, 20),
    target_fps=st.floats(0.5, 70),
    clip_duration_sec=st.floats(0.1, 8),
    frame_step=st.integers(1, 9),
    num_clips=st.integers(1, 5),
    random_clip_sampling=st.booleans(),
    allow_clip_overlap=st.booleans(),
    short_videos=st.sampled_from(["repeat_last", "circulant"]),
    convention=st.just("strict"),
)
lengths = st.integers(1, 400)
rates = st.one_of(st.sampled_from([23.976, 24.0, 25.0, 30000 / 1001, 30.0, 59.94, 60.0]), st.floats(1, 120))
seeds = st.integers(0, 2**32)


def draw(sampler: ClipSampler, num_frames: int, fps: float, seed: int = 0) -> list[list[int]]:
    return [clip.tolist() for clip in sampler.draw(np.random.default_rng(seed), num_frames, fps)]


@given(samplers, lengths, rates, seeds)
def test_clips_are_within_the_video(sampler: ClipSampler, num_frames: int, fps: float, seed: int) -> None:
    clips = sampler.draw(np.random.default_rng(seed), num_frames, fps)
    assert len(clips) == sampler.num_clips
    for clip in clips:
        assert clip.shape == (sampler.frames_per_clip,) and clip.dtype == np.int64
        assert clip.min() >= 0 and clip.max() < num_frames
        if sampler.short_videos != "circulant":
            assert (np.diff(clip) >= 0).all()


@given(samplers, lengths, rates, seeds)
def test_draw_is_draw_starts_then_indices(sampler: ClipSampler, num_frames: int, fps: float, seed: int) -> None:
    starts = sampler.draw_starts(np.random.default_rng(seed), num_frames, fps)
    again = [clip.tolist() for clip in sampler.indices(num_frames, fps, starts)]
    assert again == draw(sampler, num_frames, fps, seed)
    if not sampler.random_clip_sampling:
        assert starts == [0] * sampler.num_clips


@given(lengths, rates, st.integers(1, 20), st.floats(0.5, 70), seeds)
def test_fps_clips_run_at_the_rate_asked_for(
    num_frames: int, fps: float, frames: int, target_fps: float, seed: int
) -> None:
    sampler = ClipSampler(target_fps=target_fps, frames_per_clip=frames, short_videos="drop")
    try:
        (clip,) = sampler.draw(np.random.default_rng(seed), num_frames, fps)
    except ClipTooShort:
        return
    # Clip frame i is the one on show i / target_fps seconds after the first: at most one frame before that moment.
    moments = np.arange(frames) / target_fps * fps
    assert np.all(clip - clip[0] <= moments + 1e-6) and np.all(clip - clip[0] > moments - 1 - 1e-6)


@given(lengths, st.integers(1, 20), st.integers(1, 9), seeds)
def test_frame_step_is_constant(num_frames: int, frames: int, step: int, seed: int) -> None:
    assume(num_frames >= (frames - 1) * step + 1)
    sampler = ClipSampler(clip_mode="frame_step", frame_step=step, frames_per_clip=frames)
    (clip,) = sampler.draw(np.random.default_rng(seed), num_frames, 30.0)
    assert np.all(np.diff(clip) == step)


@given(lengths, st.integers(2, 6), st.integers(2, 20), seeds)
def test_clips_of_one_video_do_not_overlap(num_frames: int, count: int, frames: int, seed: int) -> None:
    sampler = ClipSampler(clip_mode="frame_step", frame_step=2, frames_per_clip=frames, num_clips=count)
    clips = sampler.draw(np.random.default_rng(seed), num_frames, 30.0)
    if num_frames >= count:
        assert all(before[-1] < after[0] for before, after in pairwise(clips))


@given(lengths, rates, st.integers(2, 6))
def test_overlapping_clips_cover_the_video_to_its_last_frame(num_frames: int, fps: float, count: int) -> None:
    sampler = ClipSampler(num_clips=count, allow_clip_overlap=True, random_clip_sampling=False)
    (span,) = {clip[-1] - clip[0] + 1 for clip in ClipSampler(random_clip_sampling=False).indices(10**6, fps, [0])}
    assume(span <= num_frames < count * span)
    clips = draw(sampler, num_frames, fps)
    assert clips[0][0] == 0 and clips[-1][-1] == num_frames - 1
    gaps = np.diff([clip[0] for clip in clips])
    assert gaps.max() - gaps.min() <= 1


def test_every_start_is_as_likely() -> None:
    sampler = ClipSampler(clip_mode="frame_step", frame_step=2, frames_per_clip=4)  # a window of 7 frames
    rng = np.random.default_rng(0)
    starts = [int(sampler.draw(rng, 10, 30.0)[0][0]) for _ in range(4000)]
    assert np.bincount(starts, minlength=4) == pytest.approx([1000] * 4, abs=110)  # 4 sigma


@pytest.mark.parametrize(
    ("fields", "fps", "clip"),
    [
        ({"target_fps": 10}, 30.0, [0, 3, 6, 9, 12, 15]),
        ({"target_fps": 10}, 30000 / 1001, [0, 2, 5, 8, 11, 14]),
        ({"target_fps": 4}, 30.0, [0, 7, 15, 22, 30, 37]),
        ({"target_fps": 10}, 5.0, [0, 0, 1, 1, 2, 2]),
        ({"clip_mode": "duration", "clip_duration_sec": 1.5}, 24.0, [0, 6, 12, 18, 24, 30]),
        ({"clip_mode": "frame_step", "frame_step": 7}, 24.0, [0, 7, 14, 21, 28, 35]),
    ],
)
def test_strides(fields: dict[str, Any], fps: float, clip: list[int]) -> None:
    assert draw(ClipSampler(frames_per_clip=6, random_clip_sampling=False, **fields), 100, fps) == [clip]


@pytest.mark.parametrize(
    ("policy", "clips"),
    [("repeat_last", [[0, 2, 4, 4], [5, 7, 9, 9]]), ("circulant", [[0, 2, 4, 1], [5, 7, 9, 6]])],
)
def test_short_segments(policy: str, clips: list[list[int]]) -> None:
    fields: dict[str, Any] = {"clip_mode": "frame_step", "frame_step": 2, "frames_per_clip": 4, "short_videos": policy}
    assert draw(ClipSampler(num_clips=2, **fields), 10, 30.0) == clips
    # With overlap each clip has the whole video to itself, which is long enough.
    assert draw(ClipSampler(num_clips=2, allow_clip_overlap=True, **fields), 10, 30.0) == [[0, 2, 4, 6], [3, 5, 7, 9]]


def test_more_clips_than_frames() -> None:
    sampler = ClipSampler(clip_mode="frame_step", frames_per_clip=2, num_clips=4)
    assert draw(sampler, 3, 30.0) == [[0, 0], [0, 0], [1, 1], [2, 2]]


def test_drop() -> None:
    sampler = ClipSampler(clip_mode="frame_step", frame_step=2, frames_per_clip=4, short_videos="drop", num_clips=2)
    assert draw(sampler, 14, 30.0) == [[0, 2, 4, 6], [7, 9, 11, 13]]
    with pytest.raises(ClipTooShort) as caught:
        draw(sampler, 13, 30.0)
    assert str(caught.value) == "a clip spans 7 frames, its segment of this 13-frame video 6"
    assert isinstance(caught.value, ClipError) and isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"clip_mode": "secs"}, "clip_mode must be one of fps, duration, frame_step (got 'secs')"),
        ({"short_videos": "wrap"}, "short_videos must be one of repeat_last, circulant, drop (got 'wrap')"),
        ({"convention": "loose"}, "convention must be one of strict, reference (got 'loose')"),
        ({"target_fps": 0}, "target_fps must be > 0 (got 0)"),
        ({"frames_per_clip": -1}, "frames_per_clip must be > 0 (got -1)"),
        ({"clip_duration_sec": float("nan")}, "clip_duration_sec must be > 0 (got nan)"),
        (
            {"convention": "reference", "short_videos": "circulant"},
            "short_videos=circulant needs convention=strict: the published loader has no such policy",
        ),
    ],
)
def test_senseless_fields_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        ClipSampler(**fields)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("num_frames", "fps", "message"),
    [
        (0, 30.0, "num_frames must be >= 1 (got 0)"),
        (10, 0.0, "fps must be a number > 0 (got 0.0)"),
        (10, float("nan"), "fps must be a number > 0 (got nan)"),
    ],
)
@pytest.mark.parametrize("convention", ["strict", "reference"])
def test_senseless_videos_are_refused(num_frames: int, fps: float, message: str, convention: str) -> None:
    with pytest.raises(ClipError) as caught:
        draw(ClipSampler(convention=convention), num_frames, fps)
    assert str(caught.value) == message


@pytest.mark.parametrize("starts", [[0], [0, 0, 0], [0, 5], [-1, 0]])
def test_starts_that_were_not_drawn_are_refused(starts: list[int]) -> None:
    sampler = ClipSampler(clip_mode="frame_step", frame_step=2, frames_per_clip=4, num_clips=2)
    with pytest.raises(ClipError, match=r"starts must be 2 numbers, the largest \[3, 3\]"):
        sampler.indices(20, 30.0, starts)


def test_samplers_pickle() -> None:
    sampler = ClipSampler(num_clips=3)
    assert pickle.loads(pickle.dumps(sampler)) == sampler
