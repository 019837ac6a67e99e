"""Videos at URLs: the frames of the same file on this machine, bit for bit, and faults that are those of the file."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from footage import write_noise
from storage.range_server import Faults, RangeServer, serving
from torchcodec_extra import needs_torchcodec

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.storage import StorageConfig
from vjepa_pipe.storage import Storage, StorageError, remote_file
from vjepa_pipe.video import Decoder, DecordDecoder, PyavDecoder, TorchcodecDecoder, VideoError

Find = Callable[[str], Path]
KINDS = (
    "b_frames.mp4", "fragmented.mp4", "index_first.mp4", "with_sound.mov", "uneven.mkv", "vp9.webm", "h264.flv",
    "h264.avi", "wmv2.asf", "h264.ts", "mpeg2.mpg", "raw.h264", "cut.mp4", "hidden.webm", "long_group.mp4",
)  # fmt: skip
FAST = PyavDecoder(storage=Storage(StorageConfig(timeout_sec=0.5, retries=0)))


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks so small that the videos of the tests have several, as real ones have."""
    for module in ("remote_file", "storage"):
        monkeypatch.setattr(f"vjepa_pipe.storage.{module}.BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr(remote_file, "KEPT", 64)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video that no codec makes small, some 20 kB a frame, with its tables at the end."""
    return write_noise(tmp_path_factory.mktemp("noise") / "large.mp4", 10)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RangeServer]:
    with serving(tmp_path) as running:
        yield running


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file(name: str, video: Find, server: RangeServer, small_blocks: None) -> None:
    shutil.copy(video(name), server.folder / name)
    chosen = np.random.default_rng(1).integers(0, 40, 7)
    with PyavDecoder().open(str(video(name))) as here, PyavDecoder().open(server.url(name, "sig=SECRET")) as there:
        assert np.array_equal(there.read(chosen), here.read(chosen))
        assert (there.num_frames, there.fps, there.height) == (here.num_frames, here.fps, here.height)
        assert np.array_equal(there.frame_times, here.frame_times)
        assert there.path == server.url(name)
    size = (server.folder / name).stat().st_size
    assert len(server.requests) > 1 and server.sent[name] <= size < 64 << 10  # no block is asked for twice


def test_only_what_a_clip_needs_is_read(large: Path, server: RangeServer) -> None:
    path = Path(shutil.copy(large, server.folder))
    with PyavDecoder().open(str(path)) as here, PyavDecoder().open(server.url("large.mp4")) as there:
        assert np.array_equal(there.read([70, 72]), here.read([70, 72]))
        assert there.size == path.stat().st_size > 2 << 20
    start, tables, *clip = server.asked_for("large.mp4")  # the tables of this file are at its end
    assert start == "bytes=0-262143" and tables.endswith(f"-{there.size - 1}") and 1 <= len(clip) <= 2
    assert server.sent["large.mp4"] < there.size / 2


@pytest.mark.parametrize(("fault", "reason"), [
    (Faults(status=404), "there is no such object"),
    (Faults(status=403), "access is denied (403)"),
    (Faults(status=500, only=r".*mp4"), "it answers 500, 1 time, while its store answers"),
    (Faults(cut=100, only=r".*mp4"), "the connection was cut, 1 time, while its store answers"),
])  # fmt: skip
@pytest.mark.parametrize("opened", [False, True])
def test_faults(large: Path, server: RangeServer, fault: Faults, reason: str, opened: bool) -> None:
    shutil.copy(large, server.folder / "a.mp4")
    reader = FAST.open(server.url("a.mp4", "sig=SECRET")) if opened else None
    server.faults = fault
    with pytest.raises(VideoError) as error:
        FAST.open(server.url("a.mp4", "sig=SECRET")) if reader is None else reader.read([70])
    assert str(error.value) == f"{server.url('a.mp4')}: {reason}"


def test_a_file_that_changes_under_its_reader(large: Path, server: RangeServer) -> None:
    shutil.copy(large, server.folder / "a.mp4")
    with FAST.open(server.url("a.mp4")) as reader:
        (server.folder / "a.mp4").write_bytes(bytes(3 << 20))
        with pytest.raises(VideoError, match=r"a\.mp4: has changed while it was read"):
            reader.read([70])


@pytest.mark.parametrize("opened", [False, True])
def test_a_store_that_is_gone_is_not_the_files_fault(large: Path, server: RangeServer, opened: bool) -> None:
    shutil.copy(large, server.folder / "a.mp4")
    reader = FAST.open(server.url("a.mp4")) if opened else None
    server.faults = Faults(status=503)
    with pytest.raises(StorageError, match="cannot be read: it answers 503"):
        FAST.open(server.url("a.mp4")) if reader is None else reader.read([70])


@pytest.mark.parametrize(("content", "words"), [(b"", "empty file (0 bytes)"), (b"text" * 100, "not a video")])
def test_objects_that_are_no_videos(server: RangeServer, content: bytes, words: str) -> None:
    (server.folder / "a.mp4").write_bytes(content)
    with pytest.raises(VideoError) as error:
        FAST.open(server.url("a.mp4", "sig=SECRET"))
    assert str(error.value).startswith(f"{server.url('a.mp4')}: {words}")


def test_paths_in_the_form_of_urls(video: Find) -> None:
    with PyavDecoder().open(f"file://{video('b_frames.mp4')}") as reader:
        assert reader.num_frames == 48


@pytest.mark.parametrize("decoder", [DecordDecoder, pytest.param(TorchcodecDecoder, marks=needs_torchcodec)])
def test_decoders_that_open_files_by_name_say_so(decoder: type[Decoder]) -> None:
    with pytest.raises(UserError, match=r"reads files of this machine \(got s3://b/a\.mp4\); decoder=pyav reads URLs"):
        decoder().open("s3://b/a.mp4")
