"""VideoConfig: fields, defaults, order and messages, as KempnerForge users know them; data=webvid says the same."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import astuple, fields

import pytest

from vjepa_pipe import ConfigError, VideoConfig, compose
from vjepa_pipe.config.registry import list_sampling_policies, list_video_datasets


def test_fields_in_order_with_their_defaults() -> None:
    assert {field.name: field.default for field in fields(VideoConfig)} == {
        "data_root": "",
        "dataset_type": "webvid",
        "dataset_name": "webvid-10M",
        "sampling_policy": "uniform",
        "split": "train",
        "max_samples": 0,
        "max_frames": 16,
        "min_frames": 4,
        "fps": 2.0,
        "frame_size": 224,
        "prompt": "",
    }


def test_positions_are_those_of_the_fields() -> None:
    values = ("/d", "webvid", "webvid-2M", "molmo2", "validation", 5, 8, 2, 1.5, 64, "Describe:")
    assert astuple(VideoConfig(*values)) == values


DATASETS, POLICIES = sorted(list_video_datasets()), sorted(list_sampling_policies())


@pytest.mark.parametrize(("changes", "message"), [
    ({"dataset_type": "bogus"}, f"video.dataset_type must be one of {DATASETS} (got 'bogus')"),
    ({"sampling_policy": "bogus"}, f"video.sampling_policy must be one of {POLICIES} (got 'bogus')"),
    ({"split": "test"}, "video.split must be one of ('train', 'validation') (got 'test')"),
    ({"max_samples": -1}, "video.max_samples must be non-negative (got -1)"),
    ({"min_frames": 0}, "video.min_frames must be >= 1 (got 0)"),
    ({"max_frames": 0}, "video.max_frames must be >= 1 (got 0)"),
    ({"min_frames": 8, "max_frames": 4}, "video.min_frames (8) must be <= video.max_frames (4)"),
    ({"fps": 0.0}, "video.fps must be positive (got 0.0)"),
    ({"fps": math.nan}, "video.fps must be positive (got nan)"),
    ({"fps": math.inf}, "video.fps must be finite (got inf)"),
    ({"fps": -math.inf}, "video.fps must be positive (got -inf)"),
    ({"fps": True}, "video.fps must be a number (got True)"),
    ({"frame_size": 0}, "video.frame_size must be positive (got 0)"),
    ({"max_frames": True}, "video.max_frames must be a whole number (got True)"),
    ({"max_frames": 8.0}, "video.max_frames must be a whole number (got 8.0)"),
    ({"frame_size": 224.5}, "video.frame_size must be a whole number (got 224.5)"),
    ({"max_samples": "3"}, "video.max_samples must be a whole number (got '3')"),
    ({"prompt": 123}, "video.prompt must be text (got 123)"),
])  # fmt: skip
def test_messages(changes: dict, message: str) -> None:
    with pytest.raises(ValueError) as error:
        VideoConfig(**changes)
    assert str(error.value) == message


FAULTS_IN_ORDER = [
    ("dataset_type", "bogus"), ("sampling_policy", "bogus"), ("split", "test"), ("max_samples", -1), ("min_frames", 0),
    ("max_frames", 0), ("fps", 0.0), ("frame_size", 0),
]  # fmt: skip


@pytest.mark.parametrize("first", range(len(FAULTS_IN_ORDER)), ids=lambda i: FAULTS_IN_ORDER[i][0])
def test_first_fault_wins(first: int) -> None:
    with pytest.raises(ValueError, match=f"video.{FAULTS_IN_ORDER[first][0]} must"):
        VideoConfig(**dict(FAULTS_IN_ORDER[first:]))


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from vjepa_pipe import VideoConfig; VideoConfig('/d', sampling_policy='molmo2'); "
        "print([m for m in ('torch', 'av', 'decord', 'numpy', 'transformers', 'pandas') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_data_group_has_the_same_settings() -> None:
    data = compose(["data=webvid", "data.max_frames=8", "data.fps=1", "data.frame_size=64"]).data
    for field in fields(VideoConfig):
        expected = {"max_frames": 8, "fps": 1.0, "frame_size": 64}.get(field.name, field.default)
        assert getattr(data, field.name) == expected, field.name
    assert (data.frames_per_clip, data.img_size) == (8, 64)


BUDGET = ["data=webvid", "data.text.tokens_per_frame=4", "data.text.max_text_len=32", "data.text.max_seq_len=256"]


def test_token_budget() -> None:
    assert compose([*BUDGET, "data.max_frames=56"]).data.max_frames == 56
    with pytest.raises(ConfigError) as error:
        compose([*BUDGET, "data.max_frames=57"])
    assert str(error.value) == (
        "config error: data.text.max_seq_len (256) is too small: data.max_frames (57) x data.text.tokens_per_frame (4) "
        "+ data.text.max_text_len (32) = 260; lower data.max_frames to 56"
    )


@pytest.mark.parametrize(("frames", "fits"), [(8, True), (10, True), (11, False)])
def test_token_budget_of_49_tokens_a_frame(frames: int, fits: bool) -> None:
    overrides = [
        "data=webvid",
        f"data.max_frames={frames}",
        "data.text.tokens_per_frame=49",
        "data.text.max_seq_len=576",
    ]
    if fits:
        compose(overrides)
    else:
        with pytest.raises(ConfigError, match=r"= 603; lower data\.max_frames to 10"):
            compose(overrides)
