"""Every decoder returns the frames asked for, upright, whatever the file does to their order and times."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from footage import counter_frame, read_counter, write_video
from footage_kinds import ALL_KINDS, FAST_VP9, KINDS, shown
from PIL import Image
from torchcodec_extra import needs_torchcodec

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.video import Decoder, DecordDecoder, PyavDecoder, TorchcodecDecoder, VideoError
from vjepa_pipe.video.decoders import torchcodec
from vjepa_pipe.video.decoders.pyav import PyavReader
from vjepa_pipe.video.index.packets import PacketIndex

PYAV, DECORD = PyavDecoder(), DecordDecoder()
# The two libraries interpolate the chroma of these at slightly different places: largest mean difference, of 255.
NEAR = {"odd_height.webm": 1.0, "ten_bit.mp4": 2.0, "interlaced.mp4": 3.0}

Find = Callable[[str], Path]


@pytest.mark.parametrize(
    ("decoder", "name"),
    [(decoder, name) for decoder in (PYAV, DECORD) for name in ALL_KINDS],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_reads_the_frames_asked_for(decoder: Decoder, name: str, video: Find) -> None:
    numbers = shown(name)
    rng = np.random.default_rng(len(name))
    with decoder.open(str(video(name))) as reader:
        assert reader.num_frames == len(numbers)
        for indices in (rng.integers(0, len(numbers), 20), rng.permutation(len(numbers)), [0], [len(numbers) - 1] * 3):
            frames = reader.read(indices)
            assert frames.dtype == np.uint8 and frames.shape == (len(indices), reader.height, reader.width, 3)
            assert [read_counter(frame) for frame in frames] == [numbers[index] for index in indices]


@pytest.mark.parametrize("name", ALL_KINDS)
def test_decoders_agree(name: str, video: Find) -> None:
    path = str(video(name))
    with PYAV.open(path) as one, DECORD.open(path) as other:
        assert (one.num_frames, one.fps, one.height, one.width) == (
            other.num_frames,
            other.fps,
            other.height,
            other.width,
        )
        indices = np.random.default_rng(1).integers(0, one.num_frames, 24)
        difference = np.abs(one.read(indices).astype(int) - other.read(indices))
    if name in NEAR:
        assert difference.mean() < NEAR[name]
    else:
        assert difference.max() == 0


@pytest.mark.parametrize("name", ["b_frames.mp4", "open_groups.mp4", "vp9.webm", "mpeg2.mpg", "h264.avi"])
def test_a_frame_is_the_same_however_it_is_reached(name: str, video: Find) -> None:
    with PYAV.open(str(video(name))) as reader:
        whole = reader.read(range(reader.num_frames))
        one_by_one = [reader.read([index])[0] for index in reversed(range(reader.num_frames))]
        spread = reader.read(range(1, reader.num_frames, 5))
    assert np.array_equal(whole, one_by_one[::-1])
    assert np.array_equal(whole[1::5], spread)


@pytest.mark.parametrize("name", ALL_KINDS)
def test_sparse_reading_is_exact(name: str, video: Find) -> None:
    with PYAV.open(str(video(name))) as reader:
        whole = reader.read(range(reader.num_frames))
    for seed in range(6):
        rng = np.random.default_rng(seed)
        chosen = np.sort(rng.permutation(len(whole))[: rng.integers(1, 16)])
        with PYAV.open(str(video(name))) as reader:
            assert np.array_equal(reader.read(chosen), whole[chosen])


def without_key_list(source: Path, target: Path) -> Path:
    """An MP4 or MOV file whose list of key frames is renamed: every packet then counts as one."""
    target.write_bytes(source.read_bytes().replace(b"stss", b"free"))
    return target


@pytest.mark.parametrize(
    ("codec", "suffix", "kind"),
    [
        ("mpeg4", "mp4", {"g": "12", "bf": "2"}),
        ("h263", "3gp", {"g": "12"}),
        ("qtrle", "mov", {"g": "12"}),
        ("svq1", "mov", {"g": "12"}),
        ("mpeg2video", "mov", {"g": "12", "bf": "2"}),
        ("libvpx-vp9", "mp4", FAST_VP9),
        ("libx264", "mp4", {"g": "12"}),
    ],
)
def test_false_key_marks_change_no_frame(codec: str, suffix: str, kind: dict[str, str], tmp_path: Path) -> None:
    pixels = {"qtrle": "rgb24", "svq1": "yuv410p"}.get(codec, "yuv420p")
    source = write_video(tmp_path / f"true.{suffix}", 40, size=(176, 144), codec=codec, pix_fmt=pixels, options=kind)
    path = without_key_list(source, tmp_path / f"false.{suffix}")
    with av.open(str(path)) as container:
        whole = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert len(whole) == 40
    for decoder in (PYAV,) if codec == "svq1" else (PYAV, DECORD):  # decord turns its colours in another way
        with decoder.open(str(path)) as reader:
            for number in (0, 7, 13, 30, 39):
                assert np.array_equal(reader.read([number])[0], whole[number]), (decoder.name, number)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_seek_leads_to_the_key_frame_and_no_further(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(write_video(tmp_path / f"b.{suffix}", 60, options={"g": "12", "bf": "2", "sc_threshold": "0"}))
    looked_at, find = [], PacketIndex.packet_at

    def spy(index: PacketIndex, place: int | None) -> int | None:
        looked_at.append(find(index, place))
        return looked_at[-1]

    monkeypatch.setattr(PacketIndex, "packet_at", spy)
    with PYAV.open(path) as reader:
        reader.read([16, 40, 41])
    assert looked_at == [12, 36]


REFUSED_BY_TORCHCODEC = (
    "refreshed.mp4",
    *(n for n in ALL_KINDS if n.endswith((".avi", ".asf", ".ts", ".mpg", ".h264"))),
)


@needs_torchcodec
@pytest.mark.parametrize("name", [name for name in ALL_KINDS if name not in REFUSED_BY_TORCHCODEC])
def test_torchcodec_agrees(name: str, video: Find) -> None:
    path = str(video(name))
    with PYAV.open(path) as one, TorchcodecDecoder().open(path) as other:
        assert (one.num_frames, one.fps, one.height, one.width) == (
            other.num_frames,
            other.fps,
            other.height,
            other.width,
        )
        indices = np.random.default_rng(1).integers(0, one.num_frames, 24)
        difference = np.abs(one.read(indices).astype(int) - other.read(indices))
        assert np.array_equal(one.frame_times, other.frame_times)
    assert 0 < difference.mean() < NEAR[name] if name in NEAR else difference.max() == 0


@needs_torchcodec
def test_torchcodec_is_told_of_the_frames_that_decoding_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(write_video(tmp_path / "groups.mp4", 40, options={"g": "12", "sc_threshold": "0"}))
    told, opened = [], torchcodec._open

    def spy(path: str, **options: Any) -> Any:
        told.append(len(json.loads(options["custom_frame_mappings"])["frames"]))
        return opened(path, **options)

    monkeypatch.setattr(torchcodec, "_open", spy)
    with PYAV.open(path) as one, TorchcodecDecoder().open(path) as other:
        for numbers in ([33, 30], [24, 31], [2, 5], [39, 4, 39]):
            assert np.array_equal(one.read(numbers), other.read(numbers))
    assert told == [10, 6, 40]


@needs_torchcodec
@pytest.mark.parametrize("name", REFUSED_BY_TORCHCODEC)
def test_torchcodec_refuses_what_it_would_read_wrong(name: str, video: Find) -> None:
    with pytest.raises(VideoError, match=r"torchcodec does not find every frame of this \w+ file; use PyavDecoder"):
        TorchcodecDecoder().open(str(video(name)))


@needs_torchcodec
def test_approximate_seeking_trusts_the_header(video: Find) -> None:
    path, approximate = str(video("b_frames.mp4")), TorchcodecDecoder(seek_mode="approximate")
    with PYAV.open(path) as one, approximate.open(path) as other:
        assert (one.num_frames, one.fps) == (other.num_frames, other.fps)
        assert np.array_equal(one.read([40, 3]), other.read([40, 3]))
    with pytest.raises(ValueError, match=r"seek_mode must be one of exact, approximate \(got 'guess'\)"):
        TorchcodecDecoder(seek_mode="guess")


@needs_torchcodec
@pytest.mark.parametrize(("name", "size"), [("b_frames.mp4", (32, 43)), ("quarter_left.mp4", (43, 32))])
def test_torchcodec_shrinks_larger_pictures(name: str, size: tuple[int, int], video: Find) -> None:
    path = str(video(name))
    with TorchcodecDecoder().open(path) as whole, TorchcodecDecoder(short_side=32).open(path) as small:
        assert (small.height, small.width) == size and small.num_frames == whole.num_frames
        shrunk = [np.asarray(Image.fromarray(frame).resize(size[::-1])) for frame in whole.read([0, 9])]
        assert np.abs(small.read([0, 9]).astype(int) - shrunk).mean() < 6
    with TorchcodecDecoder().open(path) as whole, TorchcodecDecoder(short_side=96).open(path) as same:
        assert np.array_equal(whole.read([3]), same.read([3]))
    with pytest.raises(ValueError, match=r"short_side must be >= 1 \(got 0\)"):
        TorchcodecDecoder(short_side=0)


def test_torchcodec_without_ffmpeg_says_so_before_any_video_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    without = SimpleNamespace(ffmpeg_major_version=None)
    monkeypatch.setitem(sys.modules, "torchcodec", without)
    with pytest.raises(
        UserError, match="torchcodec finds no FFmpeg: install its shared libraries, or use decoder=pyav"
    ):
        TorchcodecDecoder()
    monkeypatch.setitem(sys.modules, "torchcodec", None)
    with pytest.raises(UserError, match=r"pip install 'vjepa_pipe\[torchcodec\]'"):
        TorchcodecDecoder()


def test_pixels_survive() -> None:
    drawn = counter_frame(681, 96, 64)
    assert read_counter(drawn) == 681 == 0b1010101001


@pytest.mark.parametrize("decoder", [PYAV, DECORD], ids=lambda decoder: decoder.name)
def test_lossless_pixels_are_the_ones_drawn(decoder: Decoder, tmp_path: Path) -> None:
    path = write_video(tmp_path / "exact.mkv", 12, codec="ffv1", pix_fmt="bgr0", options={"g": "4"})
    with decoder.open(str(path)) as reader:
        assert np.array_equal(reader.read([7, 2]), [counter_frame(7), counter_frame(2)])


@pytest.mark.parametrize("decoder", [PYAV, DECORD], ids=lambda decoder: decoder.name)
@pytest.mark.parametrize(
    ("name", "fps"),
    [
        ("b_frames.mp4", 25.0),
        ("ntsc.mp4", 30000 / 1001),
        ("vp9.webm", 25.0),
        ("late_start.mkv", 25.0),
        ("cut.mp4", 25.0),
    ],
)
def test_rate(name: str, fps: float, decoder: Decoder, video: Find) -> None:
    with decoder.open(str(video(name))) as reader:
        assert reader.fps == fps


@pytest.mark.parametrize("name", ["uneven.mp4", "uneven.mkv"])
def test_variable_rate_counts_frames_in_order_and_averages_their_rate(name: str, video: Find) -> None:
    times = KINDS[name]["pts"]
    seconds = times[-1] * 48 / 47 / 100  # the last frame lasts about as long as the others
    with PYAV.open(str(video(name))) as reader:
        assert reader.fps == pytest.approx(48 / seconds, rel=0.03)
        assert read_counter(reader.read([24])[0]) == 24  # the 25th frame shown, not the one on show halfway


def test_declared_rate_that_frame_times_contradict_gives_way(tmp_path: Path) -> None:
    path = write_video(tmp_path / "slow.mkv", 20, pts=list(range(0, 200, 10)), time_base=Fraction(1, 100), fps=25)
    with PYAV.open(str(path)) as reader:
        assert reader.fps == pytest.approx(10.0)


@pytest.mark.parametrize("decoder", [PYAV, DECORD], ids=lambda decoder: decoder.name)
def test_indices_out_of_range_are_refused(decoder: Decoder, video: Find) -> None:
    path = str(video("b_frames.mp4"))
    with decoder.open(path) as reader:
        for index in (48, -1):
            with pytest.raises(VideoError) as caught:
                reader.read([0, index])
            assert str(caught.value) == f"{path}: frame {index} was asked for, the video has 0 to 47"
        assert reader.read([]).shape == (0, 96, 128, 3)


@pytest.mark.parametrize("decoder", [PYAV, DECORD, PyavDecoder(threads=2), DecordDecoder(threads=2)], ids=repr)
def test_decoders_pickle_and_threads_change_no_pixel(decoder: Decoder, video: Find) -> None:
    path = str(video("b_frames.mp4"))
    with pickle.loads(pickle.dumps(decoder)).open(path) as reader, PYAV.open(path) as plain:
        assert np.array_equal(reader.read([3, 30]), plain.read([3, 30]))


def test_only_wanted_frames_are_converted(video: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    converted = []
    convert = PyavReader._upright_rgb
    monkeypatch.setattr(
        PyavReader, "_upright_rgb", lambda self, picture: converted.append(picture) or convert(self, picture)
    )
    with PYAV.open(str(video("long_group.mp4"))) as reader:
        reader.read([200, 40, 200, 41])
    assert len(converted) == 3


def test_frames_of_one_group_are_read_in_one_pass(video: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    decode = PyavReader._decode
    monkeypatch.setattr(PyavReader, "_decode", lambda self, run: runs.append(run) or decode(self, run))
    with PYAV.open(str(video("b_frames.mp4"))) as reader:
        reader.read([14, 2, 20, 3, 40])
    assert [(run.first, run.frames) for run in runs] == [(0, [2, 3]), (12, [14, 20]), (36, [40])]


def test_importing_the_package_loads_no_decoder() -> None:
    code = "import sys, vjepa_pipe.video; print([name for name in ('av', 'decord', 'torch') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("decoder", [PYAV, DECORD], ids=lambda decoder: decoder.name)
def test_frame_times_are_those_the_file_was_written_with(decoder: Decoder, tmp_path: Path) -> None:
    pts = [0, 3, 4, 9, 10, 20]
    path = write_video(tmp_path / "uneven.mp4", 6, pts=pts, time_base=Fraction(1, 100), options={"bf": "2"})
    with decoder.open(str(path)) as reader:
        assert reader.frame_times == pytest.approx(np.array(pts) / 100)
