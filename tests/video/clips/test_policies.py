"""Sampling policies: the measured timestamps, the frames that stand for them, and what every policy keeps."""

from __future__ import annotations

import json
import math
import pickle
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vjepa_pipe.config.registry import get_sampling_policy, list_sampling_policies
from vjepa_pipe.video import ClipSampler, FrameSampler, PolicyError
from vjepa_pipe.video.clips.frame_times import FrameTimes, times_of
from vjepa_pipe.video.clips.policies import (
    duration_timestamps,
    fps_timestamps,
    molmo2_timestamps,
    sample_timestamps,
)

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "frame_policies.json").read_text())["cases"]


@pytest.mark.parametrize("name", ["uniform", "molmo2"])
def test_measured_timestamps(name: str) -> None:
    assert len(GOLDEN) == 78
    for case in GOLDEN:
        arguments = [case[key] for key in ("duration_s", "fps", "min_frames", "max_frames")]
        assert get_sampling_policy(name)(*arguments) == pytest.approx(case[name], abs=1e-12), arguments


@pytest.mark.parametrize(("duration", "expected"), [
    (0.1, [0, 0.1 / 3, 0.2 / 3, 0.1]),
    (0.5, [0, 0.5 / 3, 1 / 3, 0.5]),
    (2, [0, 2 / 3, 4 / 3, 2]),
    (2.25, [0, 0.75, 1.5, 2.25]),  # 4.5 moments are 4
    (2.5, [0, 0.625, 1.25, 1.875, 2.5]),
    (3, [0.6 * i for i in range(6)]),
    (7.5, [7.5 / 14 * i for i in range(15)]),
    (7.9, [7.9 / 15 * i for i in range(16)]),
    (100, [100 / 15 * i for i in range(16)]),
])  # fmt: skip
def test_uniform_spreads_its_moments_over_the_video(duration: float, expected: list[float]) -> None:
    assert sample_timestamps(duration, 2.0, 4, 16) == pytest.approx(expected)


@pytest.mark.parametrize(("arguments", "expected"), [
    ((0.0, 2, 4, 16), [0.0]),
    ((-3.0, 2, 4, 16), [0.0]),
    ((5.0, 2, 1, 1), [0.0]),
    ((0.25, 2, 1, 16), [0.0]),
    ((0.5, 2, 1, 16), [0.0]),
    ((0.75, 2, 1, 16), [0.0, 0.75]),
    ((10, 2, 1, 2), [0.0, 10.0]),
    ((3.7, 2, 4, 4), [0.0, 3.7 / 3, 7.4 / 3, 3.7]),
])  # fmt: skip
def test_uniform_at_its_limits(arguments: tuple, expected: list[float]) -> None:
    assert sample_timestamps(*arguments) == pytest.approx(expected)


@pytest.mark.parametrize(("duration", "expected"), [
    (1.9, [0, 1, 1.9]),
    (2.001, [0, 1, 2, 2.001]),
    (3.001, [0, 3.001 / 3, 6.002 / 3, 3.001]),
])  # fmt: skip
def test_molmo2_keeps_its_grid_and_the_last_frame(duration: float, expected: list[float]) -> None:
    assert molmo2_timestamps(duration, 1.0, 1, 4) == pytest.approx(expected)


@pytest.mark.parametrize("policy", [sample_timestamps, molmo2_timestamps, fps_timestamps, duration_timestamps])
@pytest.mark.parametrize(("arguments", "message"), [
    ((1.0, 0.0, 4, 16), r"fps must be positive \(got 0.0\)"),
    ((1.0, -1.0, 4, 16), r"fps must be positive \(got -1.0\)"),
    ((0.0, math.nan, 4, 16), r"fps must be positive \(got nan\)"),
    ((1.0, 2.0, 8, 4), r"min_frames \(8\) must be <= max_frames \(4\)"),
    ((1.0, 2.0, 0, 4), r"min_frames and max_frames must be >= 1 \(got 0, 4\)"),
    ((math.nan, 2.0, 1, 4), r"duration_s must be finite \(got nan\)"),
    ((math.inf, 2.0, 1, 4), r"duration_s must be finite \(got inf\)"),
])  # fmt: skip
def test_arguments_are_checked(policy, arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        policy(*arguments)


def evenly_spaced(num_frames: int, fps: float) -> FrameTimes:
    return times_of(np.arange(num_frames) / fps, fps)


durations = st.floats(0.01, 5000)
rates = st.floats(0.05, 60)
limits = st.tuples(st.integers(1, 40), st.integers(1, 40)).map(sorted)


@pytest.mark.parametrize("name", ["uniform", "molmo2", "fps", "duration"])
@given(duration=durations, fps=rates, limit=limits)
def test_every_policy_rises_within_the_video(name: str, duration: float, fps: float, limit: list[int]) -> None:
    fewest, most = limit
    moments = get_sampling_policy(name)(duration, fps, fewest, most)
    assert 1 <= len(moments) <= most
    assert moments[0] == 0
    assert all(a < b for a, b in pairwise(moments))
    assert moments[-1] <= duration * (1 + 1e-12)
    if name == "uniform":
        assert len(moments) >= fewest
    if name in ("uniform", "molmo2") and len(moments) > 1:
        assert moments[-1] == pytest.approx(duration)
    if name == "fps":
        assert len(moments) == most or moments[-1] + 1 / fps >= duration - 2e-6


@given(
    num_frames=st.integers(1, 400), native=st.sampled_from([10.0, 24.0, 25.0, 30000 / 1001, 50.0]), fps=rates,
    limit=limits, name=st.sampled_from(["uniform", "molmo2", "fps", "duration"]),
)  # fmt: skip
def test_frames_rise_and_none_comes_twice(
    num_frames: int, native: float, fps: float, limit: list[int], name: str
) -> None:
    sampler = FrameSampler.named(name, fps, *limit)
    frames = sampler.frames(evenly_spaced(num_frames, native))
    assert (np.diff(frames) > 0).all()
    assert frames[0] == 0 and frames[-1] < num_frames and 1 <= len(frames) <= limit[1]


# Frames of clips of constant rate: (frames in the clip, its rate), (fps, fewest, most), the frames that KempnerForge
# decodes. It counts a frame of a short clip several times as real; here each is taken once.
UNIFORM_FRAMES = [
    ((20, 10), (2, 4, 8), "0 7 14 19"),
    ((40, 10), (8, 4, 4), "0 14 27 39"),
    ((3, 10), (2, 4, 8), "0 1 2 2"),
    ((1, 10), (2, 4, 8), "0 0 0 0"),
    ((16, 8), (2, 4, 8), "0 6 11 15"),
    ((8, 2), (2, 4, 16), "0 2 3 4 5 6 7 7"),
    ((5, 10), (2, 1, 16), "0"),
    ((10, 5), (2, 1, 1), "0"),
    ((50, 10), (2, 4, 16), "0 6 12 17 23 28 34 39 45 49"),
    ((60, 10), (2, 4, 16), "0 6 11 17 22 28 33 39 44 50 55 59"),
    ((60, 30), (2, 4, 16), "0 20 40 59"),
    ((75, 25), (2, 4, 16), "0 15 30 45 60 74"),
    ((200, 10), (2, 4, 16), "0 14 27 40 54 67 80 94 107 120 134 147 160 174 187 199"),
    ((240, 24), (2, 4, 16), "0 16 32 48 64 80 96 112 128 144 160 176 192 208 224 239"),
    ((250, 25), (2, 4, 16), "0 17 34 50 67 84 100 117 134 150 167 184 200 217 234 249"),
    ((250, 25), (2, 4, 8), "0 36 72 108 143 179 215 249"),
]
MOLMO2_FRAMES = [
    ((20, 10), (2, 4, 16), "0 5 10 15 19"),
    ((50, 10), (2, 4, 16), "0 5 10 15 20 25 30 35 40 45 49"),
    ((250, 25), (2, 4, 8), "0 35 71 107 142 178 214 249"),
    ((3, 10), (2, 4, 8), "0 2"),
]


@pytest.mark.parametrize(
    ("policy", "clip", "settings", "published"),
    [("uniform", *case) for case in UNIFORM_FRAMES] + [("molmo2", *case) for case in MOLMO2_FRAMES],
    ids=str,
)
def test_measured_frames(policy: str, clip: tuple[int, int], settings: tuple, published: str) -> None:
    once = list(dict.fromkeys(map(int, published.split())))
    assert FrameSampler.named(policy, *settings).frames(evenly_spaced(*clip)).tolist() == once


def test_uneven_frames() -> None:
    times = FrameTimes(np.array([0, 0.1, 0.2, 0.3, 0.4, 9.9]), 10.0)
    assert FrameSampler.named("uniform", 0.5, 1, 8).frames(times).tolist() == [0, 5]
    assert FrameSampler.named("molmo2", 0.5, 1, 8).frames(times).tolist() == [0, 4, 5]


@pytest.mark.parametrize("native", [24.0, 25.0, 30000 / 1001, 30.0, 60.0])
@pytest.mark.parametrize("fps", [1.0, 4.0, 10.0])
def test_fps_and_duration_are_clips_of_the_same_name(native: float, fps: float) -> None:
    times = evenly_spaced(round(native * 20), native)
    clip = ClipSampler(clip_mode="fps", frames_per_clip=16, target_fps=fps)
    assert (
        FrameSampler.named("fps", fps, 1, 16).frames(times).tolist() == clip.indices(600 * 60, native, [0])[0].tolist()
    )
    whole = ClipSampler(clip_mode="duration", frames_per_clip=16, clip_duration_sec=times.duration)
    expected = whole.indices(len(times.starts), native, [0])[0].tolist()
    assert FrameSampler.named("duration", fps, 1, 16).frames(times).tolist() == expected


@pytest.mark.parametrize(("moments", "message"), [
    ([], r"must give 1 to 4 times \(got 0\)"),
    ([0.0, 0.1, 0.2, 0.3, 0.4], r"must give 1 to 4 times \(got 5\)"),
    ([0.0, 3.0, 1.0], r"must give rising times \(got 1 after 3\)"),
    ([-0.5], r"must give times in \[0, 4\] \(got -0.5\)"),
    ([0.0, 4.5], r"must give times in \[0, 4\] \(got 4.5\)"),
    ([math.nan], r"must give times in \[0, 4\] \(got nan\)"),
])  # fmt: skip
def test_policies_that_break_their_contract(moments: list[float], message: str) -> None:
    sampler = FrameSampler("mine", lambda *_: moments, "on_show", 1.0, 1, 4)
    with pytest.raises(PolicyError, match=f"sampling policy mine {message}"):
        sampler.frames(evenly_spaced(40, 10))


def test_a_sampler_travels_with_its_policy() -> None:
    sampler = FrameSampler.named("molmo2", 2.0, 1, 8)
    assert pickle.loads(pickle.dumps(sampler)) == sampler
    assert sampler.policy is molmo2_timestamps
    assert set(list_sampling_policies()) >= {"uniform", "molmo2", "fps", "duration"}
