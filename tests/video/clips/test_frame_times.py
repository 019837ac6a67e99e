"""When frames are on show: late starts, sound, edit lists and cuts must not move what a policy looks at."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from footage import read_counter, truncated, write_video

from vjepa_pipe.video import DecordDecoder, FrameSampler, PyavDecoder, VideoError, times_of

Find = Callable[[str], Path]
UNIFORM = FrameSampler.named("uniform", 2.0, 4, 4)


def looked_at(path: Path, sampler: FrameSampler = UNIFORM) -> list[int]:
    """The numbers drawn on the frames that the sampler chooses."""
    with PyavDecoder().open(str(path)) as reader:
        return [read_counter(frame) for frame in reader.read(sampler.frames(times_of(reader.frame_times, reader.fps)))]


@pytest.mark.parametrize("late", [0.0, 0.5, 5.0])
@pytest.mark.parametrize(
    "suffix", ["mp4", "mov", "mkv", "webm", "nut", "flv", "ts", "asf", "mpg", "ogg", "avi", "h264"]
)
def test_a_late_start_changes_nothing(suffix: str, late: float, tmp_path: Path) -> None:
    codec = {"webm": "libvpx", "ogg": "libvpx", "mpg": "mpeg2video", "asf": "wmv2"}.get(suffix, "libx264")
    rate = 25 if suffix == "mpg" else 10  # MPEG-1 and 2 know no 10 fps
    options = {"bf": "2"} if suffix in ("mov", "mkv") else {}
    pts = [round(late * rate) + i for i in range(20)]
    path = write_video(
        tmp_path / f"a.{suffix}", 20, fps=rate, codec=codec, options=options, pts=pts, time_base=Fraction(1, rate)
    )
    assert looked_at(path) == [0, 7, 14, 19]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_sound_that_goes_on_does_not_count(suffix: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / f"a.{suffix}", 20, fps=10, audio=6.0)
    with av.open(str(path)) as container:
        assert container.duration > 5e6
    assert looked_at(path) == [0, 7, 14, 19]


def test_frames_that_an_edit_list_cuts_away(video: Find) -> None:
    with PyavDecoder().open(str(video("cut.mp4"))) as reader:
        times = times_of(reader.frame_times, reader.fps)
    assert times.duration == pytest.approx(43 / 25)
    assert len(times.starts) == 43
    assert looked_at(video("cut.mp4")) == [5, 5 + 15, 5 + 29, 47]


@pytest.mark.parametrize("name", ["uneven.mp4", "uneven.mkv"])
def test_uneven_frames_keep_their_times(name: str, video: Find) -> None:
    from footage_kinds import UNEVEN

    with PyavDecoder().open(str(video(name))) as reader:
        starts = times_of(reader.frame_times, reader.fps).starts
    assert starts == pytest.approx((np.array(UNEVEN) - UNEVEN[0]) / 100, abs=6e-4)


@pytest.mark.parametrize("name", ["b_frames.mp4", "vp9.webm", "h264.flv"])
def test_decoders_agree(name: str, video: Find) -> None:
    with PyavDecoder().open(str(video(name))) as a, DecordDecoder().open(str(video(name))) as b:
        assert np.array_equal(a.frame_times, b.frame_times)
        assert a.fps == b.fps


@pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
def test_a_file_that_is_cut_off_gives_the_frames_before_the_cut(share: float, tmp_path: Path) -> None:
    cut = truncated(write_video(tmp_path / "whole.mkv", 150), tmp_path / "cut.mkv", share)
    with PyavDecoder().open(str(cut)) as reader:
        stored = reader.num_frames
    frames = looked_at(cut, FrameSampler.named("uniform", 2.0, 4, 8))
    assert 20 < stored < 150
    assert frames == sorted(set(frames)) and frames[-1] == stored - 1


def test_a_file_that_lists_more_than_it_holds_is_bad(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mp4", 150, container_options={"movflags": "faststart"})
    with pytest.raises(VideoError, match=r"cut\.mp4: damaged or cut off"):
        looked_at(truncated(whole, tmp_path / "cut.mp4", 0.6))


@pytest.mark.parametrize("name", ["long_group.mp4", "b_frames.mp4", "open_groups.mp4", "vp9.webm"])
def test_seeking_gives_the_frames_of_a_full_pass(name: str, video: Find) -> None:
    with PyavDecoder().open(str(video(name))) as reader:
        frames = UNIFORM.frames(times_of(reader.frame_times, reader.fps))
        assert np.array_equal(reader.read(frames), reader.read(range(reader.num_frames))[frames])


def test_only_what_is_needed_is_decoded(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 300, options={"g": "12", "bf": "0"})
    with PyavDecoder().open(str(path)) as reader:
        runs = list(reader._index.runs(UNIFORM.frames(times_of(reader.frame_times, reader.fps))))
        assert sum(run.last - run.first + 1 for run in runs) <= 4 * 12


def test_the_last_frame_lasts_as_long_as_most() -> None:
    assert times_of(np.array([3.0, 3.2, 3.4, 3.9]), 9.0).duration == pytest.approx(1.1)
    assert times_of(np.array([5.0]), 4.0).duration == 0.25
    assert times_of(np.arange(45) / 20, 20.0).duration == 2.25
