"""Video files to frames: one module per decoder behind one protocol, and which frames make a clip."""

from __future__ import annotations

from vjepa_pipe.video.clips.anticipation import Anticipation
from vjepa_pipe.video.clips.frame_times import FrameTimes, times_of
from vjepa_pipe.video.clips.policies import FrameSampler, PolicyError
from vjepa_pipe.video.clips.sampler import ClipSampler
from vjepa_pipe.video.decoders.decord import DecordDecoder
from vjepa_pipe.video.decoders.pyav import PyavDecoder
from vjepa_pipe.video.decoders.range_reader import RangeReader
from vjepa_pipe.video.decoders.torchcodec import TorchcodecDecoder
from vjepa_pipe.video.errors import ClipError, ClipTooShort, VideoError, as_video_error
from vjepa_pipe.video.own import OwnDecoder
from vjepa_pipe.video.probe import Probe, probe
from vjepa_pipe.video.reader import Decoder, VideoReader

__all__ = [
    "Anticipation",
    "ClipError",
    "ClipSampler",
    "ClipTooShort",
    "Decoder",
    "DecordDecoder",
    "FrameSampler",
    "FrameTimes",
    "OwnDecoder",
    "PolicyError",
    "Probe",
    "PyavDecoder",
    "RangeReader",
    "TorchcodecDecoder",
    "VideoError",
    "VideoReader",
    "as_video_error",
    "probe",
    "times_of",
]
