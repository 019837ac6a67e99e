"""A corpus of bad input: each file ends as a right sample or as one clear error, in little time and memory."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import resource
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from footage import bit_flipped, cut_start, read_counter, truncated, write_audio, write_video
from PIL import Image

from vjepa_pipe import VideoDataset
from vjepa_pipe.sampling import SampleKey
from vjepa_pipe.video import DecordDecoder, PyavDecoder, VideoError

FLIPS = 200
SECONDS = 60.0  # tells a file that hangs a decoder, on any machine
MEMORY_BYTES = 1 << 30
DECODERS = {"pyav": PyavDecoder(), "decord": DecordDecoder()}


def dataset_of(path: Path, decoder: str, **settings) -> VideoDataset:
    list_file = path.parent / f"{path.name}.csv"
    list_file.write_text(f"{path} 0\n")
    settings = {"frames_per_clip": 8, "clip_mode": "frame_step", "frame_step": 2, "on_bad_sample": "raise"} | settings
    return VideoDataset(list_file, decoder=DECODERS[decoder], **settings)


def outcome(path: Path, decoder: str, position: int = 0) -> str:
    """`sample` when every frame is the one that was asked for, else the error."""
    started = time.monotonic()
    try:
        sample = dataset_of(path, decoder)[SampleKey(0, 0, position, 0, 0)]
    except VideoError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error), str(error)
        return str(error)
    finally:
        assert time.monotonic() - started < SECONDS
    frames = sample["video"].permute(1, 2, 3, 0).numpy()
    assert [read_counter(frame) for frame in frames] == sample["clip_indices"].tolist()
    return "sample"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("footage") / "good.mp4", 60, options={"g": "12", "bf": "2"})


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("faststart", [False, True])
def test_truncated_at_20_places(good: Path, tmp_path: Path, decoder: str, faststart: bool):
    """With the header in front, the head of the file still opens; its header promises frames that are not there."""
    options = {"movflags": "faststart"} if faststart else {}
    whole = write_video(tmp_path / "whole.mp4", 60, options={"g": "12", "bf": "2"}, container_options=options)
    found = [outcome(truncated(whole, tmp_path / f"cut{i}.mp4", i / 20), decoder) for i in range(20)]
    assert "sample" not in found
    if faststart:
        assert re.search(r"cut off: its header lists 60 packets, it holds \d+$", found[-1])


@pytest.mark.parametrize("decoder", DECODERS)
def test_flipped_bits(good: Path, tmp_path: Path, decoder: str):
    """Damage inside a picture may go unseen by a codec; it must not crash, hang or change the shape."""
    found = Counter()
    for seed in range(FLIPS):
        file = bit_flipped(good, tmp_path / "flipped.mp4", np.random.default_rng(seed), 1 + seed % 8, (0.0, 1.0))
        started = time.monotonic()
        try:
            sample = dataset_of(file, decoder)[0]
            assert sample["video"].shape[:2] == (3, 8)
            found["sample"] += 1
        except VideoError as error:
            assert "\n" not in str(error)
            found["error"] += 1
        assert time.monotonic() - started < SECONDS, seed
    assert found["sample"] > 0 and found["error"] > 0 and found.total() == FLIPS, found


def not_videos(folder: Path) -> Iterator[tuple[str, Path, str]]:
    """Name, file, and words of the error it must give."""
    (folder / "zero.mp4").touch()
    yield "zero bytes", folder / "zero.mp4", "empty file"
    (folder / "text.mp4").write_text("no video\n" * 1000)
    yield "text", folder / "text.mp4", "not a video"
    (folder / "random.mp4").write_bytes(np.random.default_rng(0).bytes(100_000))
    yield "random bytes", folder / "random.mp4", "not a video"
    yield "audio only", write_audio(folder / "audio.mp4"), "holds no video"
    yield "missing", folder / "missing.mp4", "No such file"
    (folder / "folder.mp4").mkdir()
    yield "folder", folder / "folder.mp4", "not a file but a folder"
    os.mkfifo(folder / "fifo.mp4")
    yield "fifo", folder / "fifo.mp4", "not a file but a fifo"
    os.mkfifo(folder / "fifo.jpg")
    yield "fifo as image", folder / "fifo.jpg", "not a file but a fifo"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(folder / "s.mp4"))
    yield "socket", folder / "s.mp4", "not a file but a socket"
    yield "device", Path("/dev/zero"), "not a file but a device"
    (folder / "link.mp4").symlink_to(folder / "gone.mp4")
    yield "dead link", folder / "link.mp4", "No such file"
    (folder / "loop.mp4").symlink_to(folder / "loop.mp4")
    yield "link to itself", folder / "loop.mp4", "oo many levels of symbolic links"
    yield "long name", folder / ("x" * 300 + ".mp4"), "File name too long"
    (folder / "text.jpg").write_text("no image")
    yield "text as image", folder / "text.jpg", "not a readable image"
    Image.new("RGB", (400, 300)).save(folder / "whole.png")
    yield "cut image", truncated(folder / "whole.png", folder / "cut.png", 0.5), "not a readable image"
    yield "no moov", without_box(write_video(folder / "moov.mp4", 20), b"moov"), "not a video"


def without_box(file: Path, name: bytes) -> Path:
    data = bytearray(file.read_bytes())
    place = data.index(name)
    data[place : place + 4] = b"gone"
    file.write_bytes(data)
    return file


@pytest.mark.parametrize("decoder", DECODERS)
def test_what_is_no_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoder: str):
    monkeypatch.chdir(tmp_path)
    for name, file, words in not_videos(tmp_path):
        rows = tmp_path / "rows.csv"
        rows.write_text(f"{file} 0\n")
        started = time.monotonic()
        try:
            VideoDataset(rows, decoder=DECODERS[decoder], on_bad_sample="raise")[0]
        except VideoError as error:
            assert words in str(error), name
        else:
            pytest.fail(f"{name} was read")
        assert time.monotonic() - started < SECONDS, name


def odd_but_right(folder: Path) -> Iterator[Path]:
    uneven = np.cumsum([0, *np.random.default_rng(0).integers(1, 9, 39)]).tolist()
    yield write_video(folder / "vfr.mp4", 40, pts=uneven, time_base=Fraction(1, 100))
    yield write_video(folder / "offset.mkv", 40, pts=[5000 + 40 * i for i in range(40)], time_base=Fraction(1, 1000))
    yield write_video(folder / "negative.mkv", 40, pts=[40 * i - 400 for i in range(40)], time_base=Fraction(1, 1000))
    yield write_video(folder / "rotated.mp4", 40, rotation=90)
    yield write_video(folder / "ten_bit.mp4", 40, pix_fmt="yuv420p10le")
    yield write_video(folder / "odd_size.mp4", 40, size=(131, 97), pix_fmt="yuv444p")
    yield write_video(folder / "one_frame.mp4", 1)
    yield write_video(folder / "two_frames.mp4", 2)
    yield write_video(folder / "with_audio.mp4", 40, audio=True)


@pytest.mark.parametrize("decoder", DECODERS)
def test_odd_files_give_the_frames_asked_for(tmp_path: Path, decoder: str):
    for file in odd_but_right(tmp_path):
        assert outcome(file, decoder) == "sample", file.name


@pytest.mark.parametrize("decoder", DECODERS)
def test_edit_list(good: Path, tmp_path: Path, decoder: str):
    """Frames before the cut are not shown, so the first frame counts from the cut."""
    plain = write_video(tmp_path / "plain.mp4", 40, options={"bf": "0"})
    cut = cut_start(plain, tmp_path / "cut.mp4", 10 * 512)
    sample = dataset_of(cut, decoder, random_clip_sampling=False)[0]
    frames = sample["video"].permute(1, 2, 3, 0).numpy()
    assert [read_counter(frame) for frame in frames] == list(range(10, 26, 2))


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("container", ["mkv", "ts", "avi"])
def test_cut_off_without_a_list_of_frames(tmp_path: Path, decoder: str, container: str):
    """Nothing tells how long such a file was: it is read as a shorter one, without repeating what is left."""
    codec = "mpeg4" if container == "avi" else "libx264"
    options = {"g": "12"} | ({"bf": "0"} if codec == "libx264" else {})
    whole = write_video(tmp_path / f"whole.{container}", 60, codec=codec, options=options)
    cut = truncated(whole, tmp_path / f"cut.{container}", 0.7)
    found = Counter(outcome(cut, decoder, position) == "sample" for position in range(10))
    assert found.total() == 10  # `outcome` has looked at the frames of each sample


def test_a_file_that_vanishes(good: Path, tmp_path: Path):
    """Between the look at the file and its opening, and between opening and reading."""

    class Vanishing:
        name = "vanishing"

        def __init__(self, when: str) -> None:
            self.when = when

        def open(self, path: str):
            if self.when == "before":
                Path(path).unlink()
            video = PyavDecoder().open(path)
            if self.when == "after":
                Path(path).unlink()
            return video

    for when in ("before", "after"):
        (tmp_path / "v.mp4").write_bytes(good.read_bytes())
        dataset = dataset_of(tmp_path / "v.mp4", "pyav")
        dataset.decoder = Vanishing(when)
        if when == "before":
            with pytest.raises(VideoError, match="No such file"):
                dataset[0]
        else:
            assert dataset[0]["video"].shape[:2] == (3, 8)  # an open file stays readable


@pytest.mark.skipif(os.geteuid() != 0, reason="changes user to lose permission, which only root may")
def test_permission_denied(good: Path, tmp_path: Path):
    file = tmp_path / "secret.mp4"
    file.write_bytes(good.read_bytes())
    file.chmod(0o000)

    dataset = dataset_of(file, "pyav")
    for folder in tmp_path.parents:  # so that nothing but the file itself is closed
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    tmp_path.chmod(0o755)

    def read() -> str:
        os.setuid(65534)
        with pytest.raises(VideoError) as error:
            dataset[0]
        return str(error.value)

    assert "ermission denied" in in_child(read)


def in_child(work: Callable[[], object]) -> object:
    """The result of work done in a process of its own."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=lambda: theirs.send(work()))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    finally:
        process.join()


@pytest.mark.parametrize("decoder", DECODERS)
def test_8k_header_on_a_tiny_file(good: Path, tmp_path: Path, decoder: str):
    """What a header claims is not believed before a picture of that size has been decoded."""
    data = bytearray(good.read_bytes())
    size = struct.pack(">HH", 128, 96)
    place = data.index(size, data.index(b"avc1"))
    data[place : place + 4] = struct.pack(">HH", 7680, 4320)
    (tmp_path / "8k.mp4").write_bytes(data)

    def growth() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        dataset = dataset_of(tmp_path / "8k.mp4", decoder)
        with contextlib.suppress(VideoError):
            dataset[0]
        return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024

    assert in_child(growth) < MEMORY_BYTES
