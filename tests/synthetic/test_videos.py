"""Synthetic videos: real files whose shapes move where the label says."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from numpy.typing import NDArray

from vjepa_pipe.sources import Rows, read_rows
from vjepa_pipe.synthetic import DIRECTIONS, write_synthetic_videos
from vjepa_pipe.synthetic import videos as synthetic
from vjepa_pipe.synthetic.videos import draw


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    return read_rows(write_synthetic_videos(tmp_path_factory.mktemp("synthetic"), num_videos=16))


def decode(path: str) -> tuple[NDArray[np.uint8], list[str], float]:
    with av.open(path) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.frames == len(frames)
        pictures = np.stack([frame.to_ndarray(format="rgb24") for frame in frames])
        return pictures, [PictureType(frame.pict_type).name for frame in frames], float(stream.average_rate or 0)


@pytest.mark.parametrize("small", [False, True])
def test_shapes_move_where_the_label_says(videos: Rows, tmp_path: Path, small: bool) -> None:
    if small:
        videos = read_rows(write_synthetic_videos(tmp_path, 16, small=True))
    assert [videos.label(i) for i in range(16)] == [0, 1, 2, 3, 4, 5, 6, 7] * 2
    rates = set()
    for i in range(16):
        pictures, types, rate = decode(videos.path(i))
        rates.add(rate)
        assert 2 * rate - 1 <= len(pictures) <= 5 * rate + 1
        assert "B" in types
        assert (max(pictures.shape[1:3]) <= 144) is small
        pictures = pictures[np.linspace(0, len(pictures) - 1, 12).round().astype(int)]
        # Nothing stays in one place for half of the video, so the median is the background.
        moved = np.abs(pictures - np.median(pictures, axis=0)).sum(axis=-1)
        weights = np.where(moved > 60, moved, 0)
        total = weights.sum(axis=(1, 2))
        y = (weights.sum(axis=2) * np.arange(weights.shape[1])).sum(axis=1) / total
        x = (weights.sum(axis=1) * np.arange(weights.shape[2])).sum(axis=1) / total
        # Up is less y. The way is more than 60 % of the room, and 45 degrees apart from the next label's.
        angle = np.degrees(np.arctan2(-(y[-1] - y[0]), x[-1] - x[0]))
        off = (angle - 45 * int(videos.label(i)) + 180) % 360 - 180
        assert abs(off) < 8, f"video {i} ({DIRECTIONS[int(videos.label(i))]}) moves {off:.1f} degrees off"
        assert np.hypot(y[-1] - y[0], x[-1] - x[0]) > 0.35 * min(moved.shape[1:])
    assert len(rates) > 3


def test_names_and_list(videos: Rows) -> None:
    folder = Path(videos.path(0)).parent
    assert folder.name == "shapes-16-seed0-v1"
    assert (folder / "videos.csv").read_text().splitlines()[3] == "00003_up_left.mp4 3"
    assert len(list(folder.iterdir())) == 17
    assert videos.name == "videos"


def test_written_once_and_reported(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    first = write_synthetic_videos(tmp_path, 2, seed=5, on_video=lambda done, total: steps.append((done, total)))
    facts = {file: file.stat().st_mtime_ns for file in first.parent.iterdir()}
    assert (
        write_synthetic_videos(tmp_path, 2, seed=5, on_video=lambda done, total: steps.append((done, total))) == first
    )
    assert facts == {file: file.stat().st_mtime_ns for file in first.parent.iterdir()}
    assert steps == [(1, 2), (2, 2)]
    assert len(list(tmp_path.iterdir())) == 1


def test_same_seed_same_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they go to the encoder: what it makes of them differs from one to the next."""
    drawn: list[bytes] = []

    def draw_and_note(picture: NDArray[np.uint8], *more: object) -> None:
        draw(picture, *more)
        drawn.append(picture.tobytes())

    monkeypatch.setattr(synthetic, "draw", draw_and_note)
    first, again, other = (pictures_of(tmp_path / str(i), seed, drawn) for i, seed in enumerate((0, 0, 1)))
    assert len(first) > 10 and first == again and first != other


def pictures_of(folder: Path, seed: int, drawn: list[bytes]) -> list[bytes]:
    drawn.clear()
    write_synthetic_videos(folder, 1, seed=seed)
    return list(drawn)


def test_processes_may_race(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        lists = pool.starmap(write_synthetic_videos, [(tmp_path, 1, 7)] * 2, chunksize=1)
    assert lists[0] == lists[1]
    assert len(list(tmp_path.iterdir())) == 1
    assert len(read_rows(lists[0])) == 1


def test_stopped_half_way_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_synthetic_videos(tmp_path, 2, on_video=stop)
    assert list(tmp_path.iterdir()) == []


def test_bad_arguments(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"num_videos must be >= 1 \(got 0\)"):
        write_synthetic_videos(tmp_path, 0)
    with pytest.raises(ValueError, match=r"seed must be >= 0 \(got -1\)"):
        write_synthetic_videos(tmp_path, 1, seed=-1)
