"""Videos at URLs with an index: the frames of the same file on this machine, by one request for just their packets."""

from __future__ import annotations

import shutil
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from footage import write_noise
from footage_kinds import ALL_KINDS
from numpy.typing import NDArray
from storage.range_server import Faults, RangeServer, serving

from vjepa_pipe.config.storage import StorageConfig
from vjepa_pipe.storage import Storage, ranges
from vjepa_pipe.video import PyavDecoder, VideoError, probe
from vjepa_pipe.video.index.packet_table import PacketTable, pack_object, unpack_object

Find = Callable[[str], Path]
BY_FILE = {"mpeg4.avi", "h264.avi", "wmv2.asf", "h264.ts", "mpeg2.ts", "mpeg2.mpg", "raw.h264"}
"""Kinds whose packets have no times of showing, or are not stored in one piece."""

MARKED_WRONGLY = {"refreshed.mp4"}
"""Kinds that mark packets as key at which decoding cannot begin."""

FAST = PyavDecoder(storage=Storage(StorageConfig(timeout_sec=0.5, retries=0)))


@pytest.fixture(scope="module")
def kinds(video: Find) -> Iterator[RangeServer]:
    with serving(video("b_frames.mp4").parent) as running:
        yield running


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RangeServer]:
    with serving(tmp_path) as running:
        yield running


def indexed(server: RangeServer, name: str) -> bytes:
    """What the index keeps of a file; nothing has been asked of the server then."""
    packed = b64decode(probe(server.url(name)).packets)
    server.requests.clear()
    server.sent.clear()
    return packed


def table(packed: bytes) -> PacketTable:
    known = unpack_object(packed)
    assert known is not None and known.table is not None
    return known.table


def span(packed: bytes, numbers: list[int]) -> int:
    """Bytes from the key packet before some frames to the last packet that holds one of them."""
    index = table(packed).index
    assert index.extents is not None
    runs = list(index.runs(sorted(numbers)))
    stretch = index.extents[runs[0].first : runs[-1].last + 1]
    return int(stretch.sum(axis=1).max() - stretch[:, 0].min())


@pytest.mark.parametrize("name", ALL_KINDS)
def test_every_kind_of_file(name: str, video: Find, kinds: RangeServer) -> None:
    path, rng = video(name), np.random.default_rng(1)
    packed = indexed(kinds, name)
    assert (unpack_object(packed).table is None) == (name in BY_FILE)  # type: ignore[union-attr]
    with PyavDecoder().open(str(path)) as here, PyavDecoder().open(kinds.url(name), packed) as there:
        assert (there.num_frames, there.fps, there.size) == (here.num_frames, here.fps, path.stat().st_size)
        assert np.array_equal(there.frame_times, here.frame_times)
        if name not in BY_FILE:
            assert not kinds.requests  # opening asks for nothing
        for chosen in (rng.integers(0, here.num_frames, 5), [here.num_frames - 1]):
            kinds.requests.clear()
            kinds.sent.clear()
            assert np.array_equal(there.read(chosen), here.read(chosen))
            if name not in BY_FILE | MARKED_WRONGLY:
                assert len(kinds.requests) == 1 and kinds.sent[name] == span(packed, list(chosen))
        assert (there.height, there.width, there.rotation) == (here.height, here.width, here.rotation)


@pytest.mark.parametrize("name", ["b_frames.mp4", "vp9.webm", "h264.ts", "refreshed.mp4", "quarter_left.mp4"])
def test_an_index_says_of_an_object_what_it_says_of_a_file(name: str, video: Find, kinds: RangeServer) -> None:
    here, there = probe(str(video(name))), probe(kinds.url(name))
    assert there._replace(packets="", bytes_read=0, stamp=[]) == here._replace(packets="", stamp=[])
    assert there.bytes_read == there.bytes == there.stamp[0] and here.bytes_read == 0


@pytest.mark.parametrize("name", ["uneven.mp4", "with_sound.mov", "hidden.webm", "cut.mp4"])
def test_nothing_is_lost(name: str, kinds: RangeServer) -> None:
    packed = indexed(kinds, name)
    known = unpack_object(packed)
    assert known is not None and pack_object(known) == packed
    assert len(packed) < 400 + 6 * len(table(packed).index.times)


def test_any_flipped_bit_is_noticed(video: Find, kinds: RangeServer) -> None:
    packed = indexed(kinds, "vp9.webm")
    for bit in range(0, 8 * len(packed), 7):
        spoilt = bytearray(packed)
        spoilt[bit // 8] ^= 1 << bit % 8
        assert unpack_object(bytes(spoilt)) is None
    with PyavDecoder().open(str(video("vp9.webm"))) as here, PyavDecoder().open(kinds.url("vp9.webm"), b"\3x") as there:
        assert np.array_equal(here.read([3]), there.read([3]))  # as without an index


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RangeServer]:
    folder = tmp_path_factory.mktemp("noise")
    write_noise(folder / "end.mp4", 50)
    write_noise(folder / "front.mp4", 50, movflags="faststart")
    write_noise(folder / "intra.mp4", 1)
    with serving(folder) as running:
        yield running


@pytest.mark.parametrize("name", ["end.mp4", "front.mp4", "intra.mp4"])
def test_an_index_of_mp4_reads_headers_and_a_clip_its_packets(large: RangeServer, name: str) -> None:
    large.requests.clear()
    found, size = probe(large.url(name)), (large.folder / name).stat().st_size
    assert len(large.requests) <= 3 and found.bytes_read < size / 1.5 and size > 2 << 20
    packed, clip = indexed(large, name), list(range(70, 86, 2))
    with PyavDecoder().open(str(large.folder / name)) as here, PyavDecoder().open(large.url(name), packed) as there:
        assert np.array_equal(there.read(clip), here.read(clip))
    assert len(large.requests) == 1 and large.sent[name] == span(packed, clip) < size / 3


def test_frames_far_apart_are_asked_for_one_by_one(large: RangeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "FIRST_GAP", 10_000)
    monkeypatch.setattr(ranges, "costs", {large.url()[:-1]: ranges.RequestCost()})
    packed, clip = indexed(large, "intra.mp4"), [3, 40, 41, 120]
    with PyavDecoder().open(str(large.folder / "intra.mp4")) as here:
        expected: NDArray[np.uint8] = here.read(clip)
    with PyavDecoder().open(large.url("intra.mp4"), packed) as there:
        assert np.array_equal(there.read(clip), expected)
    index = table(packed).index
    assert len(large.requests) == 3 and large.sent["intra.mp4"] == index.extents[index.packet_of[clip], 1].sum()  # type: ignore[index]


@pytest.mark.parametrize("name", ["b_frames.mp4", "h264.ts"])
def test_an_object_that_has_changed(name: str, video: Find, server: RangeServer) -> None:
    path = Path(shutil.copy(video(name), server.folder))
    packed = indexed(server, name)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(VideoError) as error:
        FAST.open(server.url(name, "sig=SECRET"), packed).read([3])
    assert str(error.value) == f"{server.url(name)}: has changed since it was indexed"
    path.write_bytes(data[:100])
    with pytest.raises(VideoError, match="has changed since it was indexed"):
        FAST.open(server.url(name), packed).read([40])


def test_faults(video: Find, server: RangeServer) -> None:
    shutil.copy(video("b_frames.mp4"), server.folder / "a.mp4")
    reader = FAST.open(server.url("a.mp4"), indexed(server, "a.mp4"))
    server.faults = Faults(status=403)
    with pytest.raises(VideoError, match=r"a\.mp4: access is denied \(403\)"):
        reader.read([3])
    server.faults = Faults(cut=10, only=r".*mp4")
    with pytest.raises(VideoError, match="the connection was cut"):
        reader.read([3])


def test_a_table_that_gives_other_frames_is_not_kept(
    kinds: RangeServer, video: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = sys.modules[probe.__module__]
    right = module.table_of
    monkeypatch.setattr(module, "table_of", lambda *args, **named: replace(right(*args, **named), rotation=90))
    packed = indexed(kinds, "b_frames.mp4")
    assert unpack_object(packed).table is None  # type: ignore[union-attr]
    path, url = str(video("b_frames.mp4")), kinds.url("b_frames.mp4")
    with PyavDecoder().open(path) as here, PyavDecoder().open(url, packed) as there:
        assert np.array_equal(there.read([7]), here.read([7]))
