"""Sampling policies: which moments of a video are looked at. Arithmetic on seconds, no file.

A policy gets (duration in seconds, frames per second, fewest frames, most frames) and gives rising times in
[0, duration], at least one and at most as many as allowed. There is no `frame_step` among them: it counts the
frames of the file, and a policy sees time alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.config.errors import UserError, counted
from vjepa_pipe.config.registry import SamplingPolicy, frame_rule_of, get_sampling_policy, register_sampling_policy
from vjepa_pipe.video.clips.frame_times import ROUNDING, SLACK, FrameTimes


class PolicyError(UserError, ValueError):
    """A sampling policy that breaks its contract: a fault of the policy, not of the video."""


@register_sampling_policy("uniform")
def sample_timestamps(duration_s: float, fps: float, min_frames: int, max_frames: int) -> list[float]:
    """As many moments as `fps` gives, spread over the whole video with both ends (KempnerForge's `uniform`).

    For example 2 s at 2 fps: 4 moments, 2/3 s apart. Halves are rounded to even: 4.5 moments are 4.

    Args:
        duration_s: Length of the video in seconds; 0 or less gives [0].
        fps: Moments per second, > 0.
        min_frames: Fewest moments, in [1, max_frames].
        max_frames: Most moments.

    Raises:
        ValueError: If an argument is out of range.
    """
    _check(duration_s, fps, min_frames, max_frames)
    count = min(max(round(duration_s * fps), min_frames), max_frames)
    if duration_s <= 0 or count <= 1:
        return [0.0]
    return [i * duration_s / (count - 1) for i in range(count)]


@register_sampling_policy("molmo2", frame_rule="on_show")
def molmo2_timestamps(duration_s: float, fps: float, min_frames: int, max_frames: int) -> list[float]:
    """Every 1/fps and the last frame; where that is too many, `max_frames` spread evenly with both ends.

    Rule of Molmo2 (arXiv 2601.10611, section 3.1 and appendix A). `min_frames` is not used. For example 1.9 s at
    1 fps: 0, 1, 1.9. Arguments and errors as for `sample_timestamps`.
    """
    _check(duration_s, fps, min_frames, max_frames)
    if duration_s <= 0:
        return [0.0]
    if (max_frames - 1) / fps < duration_s:
        return [float(moment) for moment in np.linspace(0, duration_s, max_frames)]
    return [*np.arange(0, duration_s, 1 / fps).tolist(), duration_s]


@register_sampling_policy("fps", frame_rule="on_show")
def fps_timestamps(duration_s: float, fps: float, min_frames: int, max_frames: int) -> list[float]:
    """Every 1/fps from the start, until `max_frames` or the end: a clip with `clip_mode=fps` that starts at 0.

    `min_frames` is not used. Arguments and errors as for `sample_timestamps`.
    """
    _check(duration_s, fps, min_frames, max_frames)
    fits = math.ceil((duration_s - ROUNDING) * fps)  # a moment at the very end shows nothing new
    return [i / fps for i in range(max(1, min(fits, max_frames)))]


@register_sampling_policy("duration", frame_rule="on_show")
def duration_timestamps(duration_s: float, fps: float, min_frames: int, max_frames: int) -> list[float]:
    """`max_frames` equal steps through the video: a clip with `clip_mode=duration` as long as the video.

    `fps` and `min_frames` are not used. Arguments and errors as for `sample_timestamps`.
    """
    _check(duration_s, fps, min_frames, max_frames)
    return [i * duration_s / max_frames for i in range(max_frames)] if duration_s > 0 else [0.0]


@dataclass(frozen=True)
class FrameSampler:
    """Chooses the frames that a policy looks at.

    It holds the policy itself and not its name alone, so a worker process needs no registration of its own.

    Attributes:
        name: The policy's name, for messages.
        policy: The policy.
        frame_rule: Which frame stands for a moment: the first `at_or_after` it, or the one `on_show`.
        fps: Moments per second, > 0.
        min_frames: Fewest moments, in [1, max_frames].
        max_frames: Most moments.
    """

    name: str
    policy: SamplingPolicy
    frame_rule: str
    fps: float = 2.0
    min_frames: int = 4
    max_frames: int = 16

    @classmethod
    def named(cls, name: str, fps: float = 2.0, min_frames: int = 4, max_frames: int = 16) -> FrameSampler:
        """The sampler of a registered policy; errors as for `get_sampling_policy`."""
        return cls(name, get_sampling_policy(name), frame_rule_of(name), fps, min_frames, max_frames)

    def frames(self, times: FrameTimes) -> NDArray[np.int64]:
        """The frames to look at, each once: a short video gives fewer frames than moments.

        Args:
            times: When the frames of the video are on show.

        Returns:
            Rising frame numbers, int64 [n] with 1 <= n <= max_frames.

        Raises:
            PolicyError: If the policy gives no times, too many, or times that fall or lie outside the video.
        """
        moments = self.policy(times.duration, self.fps, self.min_frames, self.max_frames)
        _check_moments(self.name, moments, times.duration, self.max_frames)
        on_show = self.frame_rule == "on_show"
        return np.unique(times.on_show_at(moments) if on_show else times.first_at_or_after(moments))


def _check(duration_s: float, fps: float, min_frames: int, max_frames: int) -> None:
    if not fps > 0:
        raise ValueError(f"fps must be positive (got {fps})")
    if min_frames < 1 or max_frames < 1:
        raise ValueError(f"min_frames and max_frames must be >= 1 (got {min_frames}, {max_frames})")
    if min_frames > max_frames:
        raise ValueError(f"min_frames ({min_frames}) must be <= max_frames ({max_frames})")
    if not math.isfinite(duration_s):
        raise ValueError(f"duration_s must be finite (got {duration_s})")


def _check_moments(policy: str, moments: Sequence[float], duration: float, max_frames: int) -> None:
    if not 1 <= len(moments) <= max_frames:
        raise PolicyError(f"sampling policy {policy} must give 1 to {counted(max_frames, 'time')} (got {len(moments)})")
    for moment in moments:
        if not 0 <= moment <= duration + SLACK:
            raise PolicyError(f"sampling policy {policy} must give times in [0, {duration:g}] (got {moment:g})")
    for before, after in pairwise(moments):
        if after < before:
            raise PolicyError(f"sampling policy {policy} must give rising times (got {after:g} after {before:g})")
