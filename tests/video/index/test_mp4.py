"""The index from an MP4 file's tables is that of a walk over its packets, or there is none."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from footage import read_counter, real_footage
from footage_kinds import ALL_KINDS

from vjepa_pipe.video import PyavDecoder, VideoError
from vjepa_pipe.video.decoders import pyav as pyav_module
from vjepa_pipe.video.index.mp4 import index_from_tables
from vjepa_pipe.video.index.packets import PacketIndex
from vjepa_pipe.video.index.walk import index_packets
from vjepa_pipe.video.opening import open_video

Find = Callable[[str], Path]
MP4 = [name for name in ALL_KINDS if name.endswith((".mp4", ".mov"))]
WALKED = {"fragmented.mp4", "cut.mp4", *(name for name in ALL_KINDS if name not in MP4)}


def from_tables(path: Path) -> PacketIndex | None:
    container, stream = open_video(str(path))
    with container:
        return index_from_tables(str(path), container, stream, look_at_keys=True)


def from_walk(path: Path) -> PacketIndex:
    container, stream = open_video(str(path))
    with container:
        return index_packets(str(path), container, stream)


def edited(source: Path, target: Path, box: bytes, change: Callable[[bytearray, int], None]) -> Path:
    """A copy whose first box of a kind has been changed; `change` gets the file and the place of the box's body."""
    data = bytearray(source.read_bytes())
    change(data, data.index(box) + 4)
    target.write_bytes(data)
    return target


@pytest.mark.parametrize("name", ALL_KINDS)
def test_tables_say_what_a_walk_finds(name: str, video: Find) -> None:
    found = from_tables(video(name))
    assert (found is None) == (name in WALKED)
    if found is not None:
        assert_same(found, from_walk(video(name)))


@pytest.mark.parametrize("path", real_footage(), ids=lambda path: path.name)
def test_real_films(path: Path) -> None:
    found = from_tables(path)
    assert found is not None
    assert_same(found, from_walk(path))


def assert_same(one: PacketIndex, other: PacketIndex) -> None:
    for field in ("packet_of", "frame_of", "key_packets", "key_frames", "seek_times", "places"):
        assert np.array_equal(getattr(one, field), getattr(other, field)), field
    assert len(np.unique(one.times - other.times)) == 1
    assert one.fps == other.fps


def test_packets_past_the_end_of_the_file_are_walked(video: Find, tmp_path: Path) -> None:
    source = video("index_first.mp4")
    (tmp_path / "cut.mp4").write_bytes(source.read_bytes()[:-500])
    assert from_tables(tmp_path / "cut.mp4") is None


def two_edits(data: bytearray, body: int) -> None:
    struct.pack_into(">I", data, body + 4, 2)


def half_speed(data: bytearray, body: int) -> None:
    struct.pack_into(">I", data, body + 8 + 8, 1 << 15)


def too_few(data: bytearray, body: int) -> None:
    repeats = struct.unpack_from(">I", data, body + 8)[0]
    struct.pack_into(">I", data, body + 8, repeats + 1)


@pytest.mark.parametrize(("box", "change"), [(b"elst", two_edits), (b"elst", half_speed), (b"ctts", too_few)])
def test_what_the_tables_leave_open_is_walked(box: bytes, change: Callable, video: Find, tmp_path: Path) -> None:
    assert from_tables(edited(video("b_frames.mp4"), tmp_path / "open.mp4", box, change)) is None


def test_a_reader_notices_tables_that_lie_and_walks(video: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    def lying(path: str, *_: object) -> PacketIndex:
        honest = from_tables(Path(path))
        assert honest is not None
        times = honest.times.copy()
        times[[20, 21]] = times[[21, 20]]
        return PacketIndex(**{**honest.__dict__, "times": times, "packet_of": np.roll(honest.packet_of, 1)})

    monkeypatch.setattr(pyav_module, "index_from_tables", lying)
    with PyavDecoder().open(str(video("b_frames.mp4"))) as reader:
        assert [read_counter(frame) for frame in reader.read([22, 3, 40])] == [22, 3, 40]


def test_tables_that_promise_other_frames_than_there_are(video: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    other = from_tables(video("long_group.mp4"))
    monkeypatch.setattr(pyav_module, "index_from_tables", lambda *_: other)
    lied = pytest.raises(VideoError, match="its tables or index speak of 300 frames, it holds 48")
    with PyavDecoder().open(str(video("b_frames.mp4"))) as reader, lied:
        reader.read([3])
