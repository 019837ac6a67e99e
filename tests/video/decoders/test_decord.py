"""decord reads only what it reads right; PyAV reads the rest, and that is said once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from footage_kinds import ALL_KINDS

from vjepa_pipe.video import DecordDecoder
from vjepa_pipe.video.decoders import decord
from vjepa_pipe.video.decoders.decord import DecordReader
from vjepa_pipe.video.decoders.pyav import PyavReader

READ_WITH_PYAV = {
    "refreshed.mp4", "open_groups.mp4", "uneven.mp4", "uneven.mkv", "h265.mp4", "mpeg4.mp4", "mpeg4.avi", "h264.avi",
    "mjpeg.avi", "wmv2.asf", "h264.ts", "mpeg2.ts", "mpeg2.mpg", "raw.h264", "av1.mp4", "cut.mp4", "hidden.webm",
}  # fmt: skip


@pytest.mark.parametrize("name", ALL_KINDS)
def test_which_library_reads_a_file(name: str, video: Callable[[str], Path]) -> None:
    with DecordDecoder().open(str(video(name))) as reader:
        assert type(reader) is (PyavReader if name in READ_WITH_PYAV else DecordReader)


def test_another_library_is_said_once_for_each_reason(
    video: Callable[[str], Path], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decord, "_SAID", set())
    with caplog.at_level(logging.WARNING):
        for name in ("mjpeg.avi", "h264.avi", "open_groups.mp4", "mjpeg.avi", "b_frames.mp4"):
            DecordDecoder().open(str(video(name))).close()
    assert [record.getMessage() for record in caplog.records] == [
        f"{video('mjpeg.avi')} is read with PyAV, as are others for the same reason: decord does not find every frame "
        "of avi files",
        f"{video('open_groups.mp4')} is read with PyAV, as are others for the same reason: decord may return other "
        "frames of files with open groups, edits or missing pictures",
    ]
