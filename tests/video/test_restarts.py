"""Which key packets stand alone, read from the first slice of their picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import pytest

from vjepa_pipe.video.restarts import stands_alone

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
        ("vp9", None, b"\x82", True),
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
