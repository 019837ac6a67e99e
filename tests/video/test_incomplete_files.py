"""Files from which packets were left out give the frames of a full decode, or none, in every library."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest
from footage import write_video
from mutants import remuxed
from torchcodec_extra import needs_torchcodec

from vjepa_pipe.video import DecordDecoder, PyavDecoder, TorchcodecDecoder, VideoError

X265 = "log-level=none:keyint=12:bframes=3:scenecut=0:b-adapt=0"
CODECS = {
    "open HEVC": ("libx265", {"x265-params": f"{X265}:open-gop=1"}),
    "closed HEVC": ("libx265", {"x265-params": f"{X265}:open-gop=0"}),
    "H.264": ("libx264", {"g": "12", "bf": "3"}),
    "H.264 without B-frames": ("libx264", {"g": "12", "bf": "0"}),
    "MPEG-2": ("mpeg2video", {"g": "12", "bf": "2"}),
    "VP9": ("libvpx-vp9", {"g": "12", "deadline": "realtime", "cpu-used": "8"}),
}


def second_key(source: Path) -> int:
    """Number of the second key packet."""
    with av.open(str(source)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    return [number for number, packet in enumerate(packets) if packet.is_keyframe][1]


def agrees(library: type, path: Path) -> int:
    """How many frames a library reads of a file, each found to be the one that a full decode shows at its time."""
    shown = {}
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            with suppress(av.FFmpegError):  # VP9 pictures before any key
                shown |= {frame.time: frame.to_ndarray(format="rgb24") for frame in packet.decode()}
    found = 0
    with library().open(str(path)) as reader:
        for number, moment in enumerate(reader.frame_times):
            with suppress(VideoError):
                frame = reader.read([number])[0]
                found += 1
                assert np.array_equal(frame, next(whole for at, whole in shown.items() if abs(at - moment) < 1e-3))
    return found


KEPT = {
    "from the second key on": lambda number, second: number >= second,
    "all but the second key": lambda number, second: number != second,
    "all but the first key": lambda number, second: number > 0,
}


@pytest.mark.parametrize("kept", KEPT)
@pytest.mark.parametrize("codec", CODECS)
def test_cut_and_incomplete_files(codec: str, kept: str, tmp_path: Path) -> None:
    library, options = CODECS[codec]
    source = write_video(tmp_path / "whole.mp4", 36, codec=library, options=options)
    second = second_key(source)
    path = remuxed(source, tmp_path / "part.mp4", lambda number, packet: [packet] if KEPT[kept](number, second) else [])
    assert agrees(PyavDecoder, path) == agrees(DecordDecoder, path) >= 20


@needs_torchcodec
@pytest.mark.parametrize("codec", ["H.264", "MPEG-2"])
def test_torchcodec_refuses_frames_of_other_times(codec: str, tmp_path: Path) -> None:
    library, options = CODECS[codec]
    source = write_video(tmp_path / "whole.mp4", 36, codec=library, options=options)
    second = second_key(source)
    path = remuxed(source, tmp_path / "part.mp4", lambda number, packet: [packet] if number != second else [])
    assert 12 <= agrees(TorchcodecDecoder, path) < 35
