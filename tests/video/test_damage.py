"""A file that cannot give its frames says so in one line; it never gives others, another error, or no answer."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from footage import bit_flipped, truncated, wiped, write_audio

from vjepa_pipe.video import Decoder, DecordDecoder, PyavDecoder, VideoError
from vjepa_pipe.video.decoders import pyav
from vjepa_pipe.video.index.packets import PacketIndex

Find = Callable[[str], Path]

both = pytest.mark.parametrize("decoder", [PyavDecoder(), DecordDecoder()], ids=lambda decoder: decoder.name)


def reason(decoder: Decoder, path: Path, *frames: int) -> str:
    """What a decoder finds wrong with a file, checked to be an error of the right kind."""
    with pytest.raises(VideoError) as caught, decoder.open(str(path)) as reader:
        reader.read(frames)
    error = caught.value
    assert error.path == str(path) and str(error) == f"{path}: {error.reason}" and "\n" not in str(error)
    return error.reason


@both
def test_no_video_at_all(decoder: Decoder, tmp_path: Path) -> None:
    assert reason(decoder, tmp_path / "missing.mp4") == "cannot be opened (No such file or directory)"
    assert reason(decoder, tmp_path) == "cannot be opened (not a file but a folder)"
    empty = tmp_path / "empty.mp4"
    empty.touch()
    assert reason(decoder, empty) == "empty file (0 bytes)"
    text = tmp_path / "text.mp4"
    text.write_text("not a video\n" * 200)
    assert reason(decoder, text).startswith("not a video, or its header is damaged or cut off (")
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(np.random.default_rng(0).bytes(5000))
    assert reason(decoder, noise).startswith("not a video, or its header is damaged or cut off (")
    assert reason(decoder, write_audio(tmp_path / "sound.mp4")) == "holds no video (streams: audio)"


@both
@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {other}\n",
    ],
    ids=["m3u8", "ffconcat"],
)
@pytest.mark.parametrize("suffix", ["m3u8", "ffconcat", "mp4"])
def test_playlists_open_no_other_file(suffix: str, text: str, decoder: Decoder, video: Find, tmp_path: Path) -> None:
    playlist = tmp_path / f"list.{suffix}"
    playlist.write_text(text.format(other=video("h264.ts")))
    assert reason(decoder, playlist).startswith("not a video, ")


@both
def test_fifos_sockets_and_devices_are_not_opened(decoder: Decoder, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")  # opening it would wait for ever
    assert reason(decoder, tmp_path / "pipe.mp4") == "cannot be opened (not a file but a fifo)"
    assert reason(decoder, Path("/dev/zero")) == "cannot be opened (not a file but a device)"


def test_whatever_is_raised_inside_a_reader_is_a_video_error(video: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    path = video("b_frames.mp4")
    for error, said in ((IndexError("9"), "unknown way .IndexError: 9."), (MemoryError(), "needs more memory")):

        def broken(*_: object, error: Exception = error) -> None:
            raise error

        with PyavDecoder().open(str(path)) as reader, monkeypatch.context() as patched:
            patched.setattr(PacketIndex, "runs", broken)
            with pytest.raises(VideoError, match=said):
                reader.read([0])
        with monkeypatch.context() as patched, pytest.raises(VideoError, match=said):
            patched.setattr(pyav, "index_from_tables", broken)
            PyavDecoder().open(str(path))


def test_error_crosses_process_borders() -> None:
    error = VideoError("/videos/a b.mp4", "holds no frames")
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(error, RuntimeError)
    assert (str(again), again.path, again.reason) == ("/videos/a b.mp4: holds no frames", error.path, error.reason)


def test_error_keeps_its_cause(tmp_path: Path) -> None:
    with pytest.raises(VideoError) as caught:
        PyavDecoder().open(str(tmp_path / "missing.mp4"))
    assert isinstance(caught.value.__cause__, FileNotFoundError)


@both
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9])
def test_cut_off_before_the_index(share: float, decoder: Decoder, video: Find, tmp_path: Path) -> None:
    broken = truncated(video("b_frames.mp4"), tmp_path / "cut.mp4", share)
    # Of the index at its end, 0.9 leaves enough to tell that there is a stream, not what it is.
    assert reason(decoder, broken).startswith(
        ("not a video, or its header is damaged or cut off (", "holds no video (")
    )


@pytest.mark.parametrize(
    "name", ["index_first.mp4", "fragmented.mp4", "late_start.mkv", "vp9.webm", "h264.ts", "mjpeg.avi"]
)
@pytest.mark.parametrize("share", [0.35, 0.6, 0.9])
def test_cut_off_within_the_frames(name: str, share: float, video: Find, tmp_path: Path) -> None:
    # Frames that are whole are read as ever; a frame that is not is refused. Where frames are stored out of order, the
    # cut may take one from before the last: those after it move up.
    broken = truncated(video(name), tmp_path / name, share)
    with PyavDecoder().open(str(video(name))) as reader:
        whole = reader.read(range(48))
    try:
        reader = PyavDecoder().open(str(broken))
    except VideoError as error:
        assert "damaged" in error.reason
        return
    with reader:
        assert 10 < reader.num_frames <= 48
        for index in range(reader.num_frames):
            try:
                frame = reader.read([index])[0]
            except VideoError:
                assert index > reader.num_frames - 8
            else:
                moved = 0 if index < reader.num_frames - 3 else 3
                assert any(np.array_equal(frame, one) for one in whole[index : index + moved + 1])


@pytest.mark.parametrize("name", ["b_frames.mp4", "vp9.webm", "mpeg4.mp4", "open_groups.mp4", "h265.mp4", "h264.flv"])
def test_wiped_packet_spoils_its_group_only(name: str, video: Find, tmp_path: Path) -> None:
    source = video(name)
    with PyavDecoder().open(str(source)) as reader:
        whole, index = reader.read(range(48)), reader._index
    key = int(index.key_packets[1])
    broken = wiped(source, tmp_path / name, key)  # frames from here to the next key frame have lost their base
    with PyavDecoder().open(str(broken)) as reader:
        lost = int(index.frame_of[key])
        with pytest.raises(VideoError):
            reader.read([lost])
        assert np.array_equal(reader.read([2, 0, 5]), whole[[2, 0, 5]])
        if len(index.key_packets) > 2:
            last = [int(index.frame_of[index.key_packets[-1]]), 47]
            assert np.array_equal(reader.read(last), whole[last])


def test_decord_refuses_repeated_frames(video: Find, tmp_path: Path) -> None:
    # Left alone, decord gives the picture before in place of a wiped one.
    broken = wiped(video("b_frames.mp4"), tmp_path / "wiped.mp4", 30)
    assert reason(DecordDecoder(), broken, 29, 30) == "decord cannot decode every frame asked for"


READ_DAMAGED = """
import json, sys
import numpy as np
from vjepa_pipe.video import DecordDecoder, PyavDecoder, VideoError
decoder = {"pyav": PyavDecoder, "decord": DecordDecoder}[sys.argv[1]]()
found = []
for seed, path in enumerate(sys.argv[2:]):
    try:
        with decoder.open(path) as reader:
            reader.read(np.random.default_rng(seed).integers(0, reader.num_frames, 6))
        found.append("read")
    except VideoError as error:
        found.append(error.reason)
print(json.dumps(found))
"""


@pytest.mark.parametrize("decoder", ["pyav", "decord"])
def test_flipped_bits_end_in_frames_or_a_video_error(decoder: str, video: Find, tmp_path: Path) -> None:
    # Compressed video carries no checksum: a flipped bit may decode to another picture, and no decoder can tell.
    # In a process of its own, for decord can hang in native code where no Python timeout reaches.
    paths = [
        bit_flipped(video(name), tmp_path / f"{seed}_{name}", np.random.default_rng(seed), flips=4, within=(0.02, 0.98))
        for name in (
            "b_frames.mp4",
            "late_start.mkv",
            "vp9.webm",
            "mpeg4.avi",
            "h265.mp4",
            "fragmented.mp4",
            "h264.flv",
        )
        for seed in range(8)
    ]
    command = [sys.executable, "-c", READ_DAMAGED, decoder, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]
    outcomes = json.loads(done.stdout)
    refused = [outcome for outcome in outcomes if outcome != "read"]
    assert len(outcomes) == len(paths) and not any("\n" in outcome for outcome in refused)
    assert len(refused) >= 5


def test_pyav_notices_most_damage_to_h264(video: Find, tmp_path: Path) -> None:
    source, refused = video("b_frames.mp4"), 0
    for seed in range(20):
        broken = bit_flipped(source, tmp_path / "broken.mp4", np.random.default_rng(seed), flips=8, within=(0.1, 0.7))
        try:
            with PyavDecoder().open(str(broken)) as reader:
                reader.read(range(reader.num_frames))
        except VideoError:
            refused += 1
    assert refused >= 18
