"""Video files to frames: one module per decoder behind one protocol, and which frames make a clip."""

from __future__ import annotations

from vjepa_pipe.video.clips import ClipSampler
from vjepa_pipe.video.decord import DecordDecoder
from vjepa_pipe.video.errors import ClipError, ClipTooShort, VideoError
from vjepa_pipe.video.frame_times import FrameTimes, times_of
from vjepa_pipe.video.policies import FrameSampler, PolicyError
from vjepa_pipe.video.pyav import PyavDecoder
from vjepa_pipe.video.reader import Decoder, VideoReader

__all__ = [
    "ClipError",
    "ClipSampler",
    "ClipTooShort",
    "Decoder",
    "DecordDecoder",
    "FrameSampler",
    "FrameTimes",
    "PolicyError",
    "PyavDecoder",
    "VideoError",
    "VideoReader",
    "times_of",
]
