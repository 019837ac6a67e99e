"""A packed index gives the same frames as a walk over the packets, without the walk."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from footage_kinds import ALL_KINDS

from vjepa_pipe.video import PyavDecoder, VideoError, probe
from vjepa_pipe.video.decoders import pyav as pyav_module
from vjepa_pipe.video.index.packets import PacketIndex
from vjepa_pipe.video.index.stored import pack_index, unpack_index
from vjepa_pipe.video.index.walk import index_packets
from vjepa_pipe.video.opening import open_video

Find = Callable[[str], Path]
FIELDS = (
    "packet_of",
    "frame_of",
    "key_packets",
    "key_frames",
    "times",
    "seek_times",
    "places",
    "keys_alone",
    "timed",
    "frame_times",
    "fps",
)


def walked(path: Path) -> tuple[PacketIndex, float]:
    container, stream = open_video(str(path))
    with container:
        return index_packets(str(path), container, stream), float(stream.time_base or 0)


@pytest.mark.parametrize("name", ALL_KINDS)
def test_nothing_is_lost(name: str, video: Find) -> None:
    index, tick = walked(video(name))
    packed = pack_index(index)
    if not packed:
        assert not index.timed or index.places.min() < 0
        return
    again = unpack_index(packed, tick)
    assert again is not None and len(packed) < 64 + 8 * len(index.times)
    for field in FIELDS:
        assert np.array_equal(getattr(again, field), getattr(index, field)), field


@pytest.mark.parametrize("name", ALL_KINDS)
def test_frames_are_those_of_a_walk(name: str, video: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(video(name))
    packets = b64decode(probe(path).packets)
    with PyavDecoder().open(path) as reader:
        numbers = np.random.default_rng(0).permutation(reader.num_frames)[:9]
        expected, about = reader.read(numbers), (reader.num_frames, reader.fps)
    if packets:
        monkeypatch.setattr(pyav_module, "index_packets", None)  # calling it would fail
    with PyavDecoder().open(path, packets) as reader:
        assert (reader.num_frames, reader.fps) == about
        assert np.array_equal(reader.read(numbers), expected)


def test_files_that_need_a_walk_are_packed(video: Find) -> None:
    with_packets = {name for name in ALL_KINDS if probe(str(video(name))).packets}
    assert {"vp9.webm", "vp8.webm", "uneven.mkv", "fragmented.mp4", "h264.flv"} <= with_packets
    assert not {"b_frames.mp4", "intra.mp4", "with_sound.mov"} & with_packets


@pytest.mark.parametrize("spoilt", [b"no index", b"\x02" + bytes(40), b""])
def test_bytes_that_are_no_index_are_not_used(spoilt: bytes, video: Find) -> None:
    path = str(video("vp9.webm"))
    with PyavDecoder().open(path) as one, PyavDecoder().open(path, spoilt) as other:
        assert one.num_frames == other.num_frames and np.array_equal(one.read([3, 1]), other.read([3, 1]))


def test_any_flipped_bit_is_noticed(video: Find) -> None:
    index, tick = walked(video("vp9.webm"))
    packed = pack_index(index)
    for bit in range(8 * len(packed)):
        spoilt = bytearray(packed)
        spoilt[bit // 8] ^= 1 << bit % 8
        assert unpack_index(bytes(spoilt), tick) is None


def test_an_index_of_another_file_is_found_out(video: Find) -> None:
    index, _ = walked(video("vp9.webm"))
    moved = PacketIndex(**{**index.__dict__, "places": index.places + 1})
    path = str(video("vp9.webm"))
    with PyavDecoder().open(path) as one, PyavDecoder().open(path, pack_index(moved)) as other:
        assert np.array_equal(one.read([7, 2]), other.read([7, 2]))
    other_file = pack_index(walked(video("long_group.mp4"))[0])  # 300 frames
    with (
        PyavDecoder().open(path, other_file) as reader,
        pytest.raises(VideoError, match=r"its tables or index speak of \d+ frames, it holds \d+"),
    ):
        reader.read([reader.num_frames - 1])
