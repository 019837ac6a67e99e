"""What the clips of a run were like: counted from what was drawn, the same for any number of workers and ranks."""

from __future__ import annotations

import gc
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from captioned import write_webvid
from loading import loader_of, rows_csv, tiny

from vjepa_pipe import ExperimentConfig, compose
from vjepa_pipe.datasets import BadSample
from vjepa_pipe.figures import Spread, clip_figures, merge
from vjepa_pipe.loader import ClipLoader, Report
from vjepa_pipe.loader.fetch import UNKNOWN, Delivery
from vjepa_pipe.sampling import SampleKey, generator


def streamed(experiment: ExperimentConfig, folder: Path, rank: int = 0, world: int = 1) -> ClipLoader:
    loader = loader_of(experiment, folder, rank, world)
    for _ in loader:
        pass
    loader.close()
    return loader


def as_drawn(loader: ClipLoader, keys: list[SampleKey]) -> dict[str, list[float]]:
    """The figures of single clips, from the clip and the augmentation that are drawn for a key once more."""
    found: dict[str, list[float]] = {}
    for key in keys:
        clip = loader.dataset.read(key)
        shape = clip.frames.shape
        params = loader.dataset.transform.draw(generator(key, "augment/0"), shape)
        boxes = [params.crop.start, params.crop.end or params.crop.start]
        values = {
            "source_fps": clip.fps,
            "clip_seconds": (clip.indices[0][-1] - clip.indices[0][0] + 1) / clip.fps,
            "crop_area": sum(box.height * box.width for box in boxes) / 2 / (shape[1] * shape[2]),
            "crop_aspect": sum(box.width / box.height for box in boxes) / 2,
            "erased": params.erase.box.height * params.erase.box.width / 64**2 if params.erase else 0,
        }
        for name, value in values.items():
            found.setdefault(name, []).append(value)
    return found


def test_figures_are_of_what_was_drawn(videos_csv: Path, tmp_path: Path):
    loader = loader_of(tiny(videos_csv), tmp_path)
    batches = list(loader)
    figures = loader.report.figures
    for name, values in as_drawn(loader, [key for batch in batches for key in batch["key"]]).items():
        assert figures[name].clips == 8, name
        assert figures[name].mean == pytest.approx(sum(values) / 8), name
        assert (figures[name].min, figures[name].max) == pytest.approx((min(values), max(values))), name
    assert figures["repeated_frames"].max == figures["short_clips"].max == 0
    tokens = 2 * 4 * 4
    for i, mask in enumerate(("short", "long")):
        for part, sees in (("encoder", "masks_enc"), ("predictor", "masks_pred")):
            shares = [batch[sees][i].shape[1] / tokens for batch in batches]
            spread = figures[f"mask.{mask}.{part}"]
            assert (spread.clips, spread.min, spread.max) == (8, min(shares), max(shares))
            assert spread.mean == pytest.approx(sum(shares) / 4)


def test_figures_do_not_depend_on_workers(videos_csv: Path, tmp_path: Path):
    alone = streamed(tiny(videos_csv), tmp_path).report.figures
    assert streamed(tiny(videos_csv, "data.num_workers=2"), tmp_path).report.figures == alone


def test_ranks_together_have_the_figures_of_one(videos_csv: Path, tmp_path: Path):
    alone = streamed(tiny(videos_csv, "data.batch_size=4"), tmp_path).report.figures
    ranks = [streamed(tiny(videos_csv), tmp_path, rank, 2).report.figures for rank in range(2)]
    together = merge(ranks)
    assert together.keys() == alone.keys() and ranks[0] != ranks[1]
    for name, spread in alone.items():
        assert together[name].clips == spread.clips == 8
        assert (together[name].min, together[name].max) == (spread.min, spread.max), name
        assert together[name].mean == pytest.approx(spread.mean), name


@pytest.mark.parametrize("convention", ["strict", "reference"])
def test_clips_longer_than_their_video(videos_csv: Path, tmp_path: Path, convention: str):
    experiment = tiny(videos_csv, "data.target_fps=1", "data.frames_per_clip=16", f"data.convention={convention}")
    figures = streamed(experiment, tmp_path).report.figures
    assert figures["short_clips"].min == 1 and 0 < figures["repeated_frames"].min < 1


def test_a_slow_video_repeats_frames_and_is_not_too_short(videos_csv: Path, tmp_path: Path):
    figures = streamed(tiny(videos_csv, "data.target_fps=120"), tmp_path).report.figures
    assert figures["repeated_frames"].min >= 0.5 and figures["short_clips"].max == 0
    assert figures["source_fps"].max <= 60


def test_figures_of_captioned_video_count_frames_that_pad(tmp_path: Path):
    data = ["data=webvid", f"data.data_root={write_webvid(tmp_path)}", "data.max_frames=4", "data.frame_size=32"]
    report = streamed(compose([*data, "data.batch_size=4", "data.num_workers=0"]), tmp_path).report
    figures = report.figures
    assert figures["source_fps"].mean == pytest.approx(10) and "crop_area" not in figures
    assert figures["repeated_frames"].as_dict() == {"clips": 4, "mean": 0.0625, "min": 0, "max": 0.25}  # 3 frames of 4
    assert [source.listed_in for source in report.sources.values()] == [str(tmp_path)]


def test_figures_of_robot_clips_go_by_rows(tmp_path: Path):
    robot = ["data=synthetic_robot", "data.num_episodes=4", "robotics=droid", "data_aug=robotics", "mask=none"]
    small = ["data.img_size=32", "data.batch_size=2", "data.num_workers=0", "data.frames_per_clip=4"]
    figures = streamed(compose([*robot, *small]), tmp_path).report.figures
    assert (figures["source_fps"].min, figures["source_fps"].max) == (15, 15)
    assert 0.75 < figures["clip_seconds"].mean < 1 and figures["crop_area"].clips == 4  # 4 frames at 4 per second
    assert not any(name.startswith("mask.") for name in figures)


@pytest.mark.parametrize("batch", [
    {"video": [1], "masks_enc": [], "masks_pred": []},
    {"video": torch.zeros(2), "masks_enc": [torch.zeros(1, 1)], "masks_pred": [torch.zeros(1, 1)]},
    {"video": torch.zeros(1, 3, 4, 64, 64), "masks_enc": torch.zeros(1, 3), "masks_pred": [[1]]},
    (1, 2), None,
])  # fmt: skip
def test_batches_of_other_forms_are_no_trouble(batch: Any):
    report = Report({"a": ""})
    report.add(Delivery(batch, [("a", UNKNOWN)], [], []))
    assert report.figures == {} and report.sources["a"].clips == 1


def test_figures_of_each_source_and_where_it_is_listed(videos_csv: Path, tmp_path: Path):
    other = rows_csv(tmp_path / "other.csv", videos_csv, {}, 4)
    report = streamed(tiny([videos_csv, other]), tmp_path).report
    assert [source.listed_in for source in report.sources.values()] == [str(videos_csv), str(other)]
    assert [source.figures["crop_area"].clips for source in report.sources.values()] == [8, 4]
    assert report.figures["crop_area"].clips == 12


def test_a_resumed_loader_says_where_its_counts_begin(videos_csv: Path, tmp_path: Path):
    loader = loader_of(tiny(videos_csv), tmp_path)
    batches = iter(loader)
    for _ in range(3):
        next(batches)
    resumed = loader_of(tiny(videos_csv), tmp_path)
    resumed.load_state_dict(loader.state_dict())
    assert resumed.report.first is None
    assert len(list(resumed)) == 1 and resumed.report.first == (0, 3)
    list(resumed)
    assert resumed.report.first == (0, 3) and resumed.report.figures["crop_area"].clips == 2 + 8


def test_bad_rows_are_warned_of_once_when_the_loader_is_gone(videos_csv: Path, tmp_path: Path):
    rows = rows_csv(tmp_path / "rows.csv", videos_csv, {2: "bad2.txt", 5: "bad5.txt"})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loader = streamed(tiny(rows), tmp_path)
        list(loader)
        told = loader_of(tiny(rows), tmp_path)
        list(told)
        told.report.bad_rows_told = True
        good = streamed(tiny(videos_csv), tmp_path)
        assert not [warning for warning in caught if "bad rows" in str(warning.message)]
        del loader, told, good
        gc.collect()
    (said,) = [str(warning.message) for warning in caught if "bad rows" in str(warning.message)]
    assert said.startswith(
        f"bad rows: 2 in {rows} (2 VideoError); named in {tmp_path / 'quarantine.jsonl'}; the first: "
    )
    assert "not a video" in said and "loader.report" in said


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf")])
def test_a_file_without_a_rate_has_no_seconds(fps: float):
    assert clip_figures([3, 4, 4], fps, 4) == {"repeated_frames": 0.5}


def test_clips_that_are_dropped_for_their_length_are_named_as_such():
    report = Report({"good": "good.csv", "rows": "rows.csv"})
    assert report.bad_rows(Path("q.jsonl")) == ""
    for row, error in enumerate(("ClipTooShort", "VideoError", "ClipTooShort", "ClipTooShort")):
        report.sources["rows"].add_bad(BadSample("rows", row % 3, "x.mp4", error, f"x.mp4: {row}", "pyav"))
    kinds = "bad rows: 3 in rows.csv (2 ClipTooShort, 1 VideoError)"
    assert report.bad_rows(Path("q.jsonl")) == f"{kinds}; named in q.jsonl; the first: x.mp4: 0"


def test_a_spread_without_values_and_one_from_json():
    assert Spread().mean != Spread().mean and merge([]) == {}
    spread = Spread()
    spread.add(0.25, clips=3)
    spread.add(1)
    assert spread.as_dict() == {"clips": 4, "mean": 0.4375, "min": 0.25, "max": 1}
    assert Spread.from_dict(spread.as_dict()) == spread
    for damaged in ({}, {"clips": "x", "mean": 1, "min": 1, "max": 1}, {"clips": None, "mean": 1, "min": 1, "max": 1}):
        with pytest.raises(ValueError):
            Spread.from_dict(damaged)
