"""VideoConfig: which captioned videos, and which frames of each. The fields, defaults and order are KempnerForge's."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from vjepa_pipe.config.build import broken_bounds
from vjepa_pipe.config.fields import bounds_of, setting
from vjepa_pipe.config.img_size import FORMS, ImgSize, is_img_size
from vjepa_pipe.config.registry import list_sampling_policies, list_video_datasets

SPLITS = ("train", "validation")


@dataclass
class VideoFields:
    """The settings themselves, unchecked: `VideoConfig` checks them in Python, `compose` checks them in `data`."""

    data_root: str = setting("", "folder that holds the data set, or its URL", path=True)
    dataset_type: str = setting("webvid", "how the data set is laid out: a name of `list_video_datasets()`")
    dataset_name: str = setting("webvid-10M", "which data set under data_root, such as webvid-10M or webvid-2M")
    sampling_policy: str = setting("uniform", "which moments are looked at: a name of `list_sampling_policies()`")
    split: str = setting("train", "part of the data set", choices=SPLITS)
    max_samples: int = setting(0, "read only the first so many rows; 0: all", ge=0, le=10**12)
    max_frames: int = setting(16, "frames in a sample; shorter videos are padded to it", ge=1, le=10_000)
    min_frames: int = setting(4, "fewest moments looked at, with sampling_policy=uniform", ge=1, le=10_000)
    fps: float = setting(2.0, "frames per second looked at, until max_frames is reached", gt=0, le=10_000)
    frame_size: ImgSize = setting(224, "height and width of a frame in pixels; one number: a square", ge=1, le=8192)
    prompt: str = setting("", "text before each caption; not trained on")


@dataclass
class VideoConfig(VideoFields):
    """Captioned video, for code that builds datasets itself; `data=webvid` has the same settings as `data.*`.

    Checked when it is made, first fault first; neither torch nor a decoder is imported.

    Attributes:
        data_root: Folder that holds the data set.
        dataset_type: How it is laid out: a name of `list_video_datasets()`.
        dataset_name: Which data set under `data_root`.
        sampling_policy: Which moments are looked at: a name of `list_sampling_policies()`.
        split: `train` or `validation`.
        max_samples: Only the first so many rows; 0: all.
        max_frames: Frames in a sample; shorter videos are padded to it.
        min_frames: Fewest moments looked at, in [1, max_frames]. A short video has fewer frames than that.
        fps: Frames per second looked at, > 0.
        frame_size: Height and width of a frame in pixels, > 0: one number for a square, or `[height, width]`.
        prompt: Text before each caption.

    Raises:
        ValueError: `video.FIELD must ... (got VALUE)`.
    """

    def __post_init__(self) -> None:
        datasets, policies = sorted(list_video_datasets()), sorted(list_sampling_policies())
        _require(self.dataset_type in datasets, f"dataset_type must be one of {datasets}", self.dataset_type)
        _require(self.sampling_policy in policies, f"sampling_policy must be one of {policies}", self.sampling_policy)
        _require(self.split in SPLITS, f"split must be one of {SPLITS}", self.split)
        for name in ("max_samples", "min_frames", "max_frames"):
            _require_whole(name, getattr(self, name))
            if name == "max_samples":
                _require(self.max_samples >= 0, "max_samples must be non-negative", self.max_samples)
            else:
                _require(getattr(self, name) >= 1, f"{name} must be >= 1", getattr(self, name))
        if self.min_frames > self.max_frames:
            raise ValueError(f"video.min_frames ({self.min_frames}) must be <= video.max_frames ({self.max_frames})")
        number = isinstance(self.fps, (int, float)) and not isinstance(self.fps, bool)
        _require(number, "fps must be a number", self.fps)
        _require(self.fps > 0, "fps must be positive", self.fps)  # NaN is not
        _require(math.isfinite(self.fps), "fps must be finite", self.fps)
        size: Any = self.frame_size
        if isinstance(size, (list, tuple)):
            _require(is_img_size(size), f"frame_size must be {FORMS}", size)
        else:
            _require_whole("frame_size", size)
            _require(size > 0, "frame_size must be positive", size)
        for name in ("data_root", "dataset_name", "prompt"):
            _require(isinstance(getattr(self, name), str), f"{name} must be text", getattr(self, name))
        for field in fields(self):
            for fault in broken_bounds(bounds_of(field), getattr(self, field.name), f"video.{field.name}"):
                raise ValueError(fault)


def _require_whole(name: str, value: Any) -> None:
    _require(isinstance(value, int) and not isinstance(value, bool), f"{name} must be a whole number", value)


def _require(holds: bool, rule: str, got: Any) -> None:
    if not holds:
        raise ValueError(f"video.{rule} (got {got!r})")
