"""Which key packets stand alone, read from the first slice of their picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import pytest

from vjepa_pipe.video.index.key_packets import stands_alone

AVCC = bytes([1, 100, 0, 31, 0xFF])  # lengths of 4 bytes
HVCC = bytes([1, *[0] * 20, 0xFF])


def units(*headers: int) -> bytes:
    """A packet of units of two bytes, each behind its length."""
    return b"".join((2).to_bytes(4, "big") + bytes([header, 0]) for header in headers)


@pytest.mark.parametrize(
    ("codec", "configuration", "packet", "alone"),
    [
        ("h264", AVCC, units(0x09, 0x67, 0x68, 0x65), True),  # parameters, then an IDR slice
        ("h264", AVCC, units(0x06, 0x41), False),  # a recovery point, then a plain slice
        ("h264", AVCC, units(0x09), False),  # no slice
        ("h264", None, units(0x65), False),  # no start code where units are not stored with lengths
        ("h264", None, b"\0\0\0\1\x67\0\0\1\x65\x88", True),
        ("h264", AVCC, bytes([0, 0, 0, 4, 6, 6, 1, 0xC4, 0, 0, 0, 2, 0x61, 0]), True),  # whole again after 0 frames
        ("h264", AVCC, bytes([0, 0, 0, 4, 6, 6, 1, 0x44, 0, 0, 0, 2, 0x61, 0]), False),  # after 1
        ("h264", AVCC, bytes([0, 0, 0, 7, 6, 5, 1, 9, 6, 1, 0xC4, 0, 0, 0, 2, 0x61, 0]), True),  # behind another note
        ("hevc", HVCC, units(32 << 1, 19 << 1), True),
        ("hevc", HVCC, units(21 << 1), True),
        ("hevc", HVCC, units(1 << 1), False),
        ("vp9", None, b"\x82\x49\x83\x42", True),
        ("vp9", None, b"\x86\x49\x83\x42", False),  # inter
        ("vp9", None, b"\x8a", False),  # an old frame shown again
        ("vp8", None, b"\x10\0\0\x9d\x01\x2a\x80", True),
        ("vp8", None, b"\x11\0\0\x9d\x01\x2a\x80", False),
        ("av1", None, bytes([0x12, 0, 0x32, 1, 0x10]), True),  # delimiter, then a frame: key, shown
        ("av1", None, bytes([0x12, 0, 0x32, 1, 0x30]), False),  # inter
        ("av1", None, bytes([0x12, 0, 0x32, 1, 0x00]), False),  # key, not shown
        ("mpeg4", None, b"\0\0\1\xb3\0\0\0\1\xb6\x10", True),
        ("mpeg4", None, b"\0\0\1\xb6\x50", False),
        ("mpeg2video", None, b"\0\0\1\0\0\x0f", True),
        ("mpeg2video", None, b"\0\0\1\0\0\x17", False),
        ("h263", None, bytes([0, 0, 0x80, 2, 0x08, 0]), True),
        ("h263", None, bytes([0, 0, 0x80, 2, 0x0A, 0]), False),
        ("flv1", None, bytes([0, 0, 0x84, 1, 0, 0, 0]), True),
        ("flv1", None, bytes([0, 0, 0x84, 1, 0x20, 0, 0]), False),
        ("mjpeg", None, b"\xff\xd8", True),  # every picture of it is whole
        ("qtrle", None, b"\0\0\0\0", False),  # not looked into
        ("mpeg4", None, b"", False),
    ],
)
def test_first_slice_decides(codec: str, configuration: bytes | None, packet: bytes, alone: bool) -> None:
    assert stands_alone(codec, configuration, packet) is alone


@pytest.mark.parametrize(
    ("name", "alone"),
    [
        ("b_frames.mp4", [True] * 4),
        ("open_groups.mp4", [True] * 4),
        ("h265.mp4", [True] * 4),
        ("refreshed.mp4", [True, False, False]),
        ("h264.ts", [True] * 4),
    ],
)
def test_encoded_key_packets(name: str, alone: list[bool], video: Callable[[str], Path]) -> None:
    with av.open(str(video(name))) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        keys = [bytes(packet) for packet in container.demux(stream) if packet.is_keyframe]
    assert [stands_alone(context.name, context.extradata, packet) for packet in keys if packet] == alone
