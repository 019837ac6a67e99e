"""The tests of torchcodec run wherever they can."""

from __future__ import annotations

import ctypes.util
import importlib.util

import pytest

from vjepa_pipe.video import TorchcodecDecoder

LIBRARIES = ("avcodec", "avdevice", "avfilter", "avformat", "avutil", "swresample", "swscale")


def test_torchcodec_loads_where_ffmpeg_is_installed() -> None:
    if importlib.util.find_spec("torchcodec") is None or not all(map(ctypes.util.find_library, LIBRARIES)):
        pytest.skip("torchcodec or FFmpeg's shared libraries are not installed")
    TorchcodecDecoder()  # raises what it lacks
