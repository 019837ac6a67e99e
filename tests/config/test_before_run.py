"""Masks that no clip can have, and batches that no epoch can have, are found before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from vjepa_pipe import ConfigError, compose
from vjepa_pipe.cli import main
from vjepa_pipe.config.before_run import run_faults

TUBE = ["mask=tube", "mask.tubelet_size=3", "data.frames_per_clip=15"]


@pytest.mark.parametrize(("overrides", "message"), [
    (["mask.masks.short.spatial_scale=[1,1]"], "mask.masks.short.spatial_scale or mask.masks.short.temporal_scale"),
    (["mask.masks.short.spatial_scale=[0.01,0.01]"], "mask.masks.short.spatial_scale must give blocks of at least one"),
    (["mask.masks.long.num_blocks=100"], "mask.masks.long.num_blocks must leave tokens for the encoder (got 100: "),
    (["mask.masks.short.num_blocks=10000"], "mask.masks.short.num_blocks must be <= 1000 (got 10000)"),
    (["mask.masks.short.max_temporal_keep=0.05"], "mask.masks.short.max_temporal_keep must leave at least one of 8"),
    (["mask.masks.short.full_complement=true", "mask.masks.short.pred_full_complement=true"], "must not both be true"),
    ([*TUBE, "mask.masks.tube.ratio=0.99999"], "mask.masks.tube.ratio must leave some places of a frame"),
    (["data.frames_per_clip=15"], "data.frames_per_clip must be a multiple of mask.tubelet_size=2 (got 15)"),
    ([*TUBE, "data.frames_per_clip=17"], "data.frames_per_clip must be a multiple of mask.tubelet_size=3 (got 17)"),
    (["data.frames_per_clip_by_source=[9]"], "data.frames_per_clip must be a multiple of mask.tubelet_size=2 (got 9)"),
    (["data.batch_size=33"], "data.batch_size=33 is more than an epoch of 32 clips: set data.b"),
    (["data.batch_size=9", "loader.samples_per_epoch=8"], "more than an epoch of 8 clips: set data.b"),
    (["data=synthetic_robot", "data_aug=robotics", "data.batch_size=9"], "more than an epoch of 8 clips: set data.b"),
])  # fmt: skip
def test_refused_before_anything_runs(overrides: list[str], message: str) -> None:
    try:
        faults = list(run_faults(compose(overrides)))
    except ConfigError as error:
        faults = list(error.faults)
    assert len(faults) == 1 and message in faults[0]


@pytest.mark.parametrize("overrides", [
    TUBE,
    ["mask=none", "data.frames_per_clip=15"],
    ["data.batch_size=33", "loader.drop_last=false"],
    ["data.batch_size=33", "loader.iterations_per_epoch=2"],
    ["data.batch_size=33", "task=validate"],
    ["mask.masks.short.num_blocks=100"],
])  # fmt: skip
def test_unusual_ones_that_work(overrides: list[str]) -> None:
    assert not list(run_faults(compose(overrides)))


def test_check_and_dry_runs_find_a_batch_larger_than_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text("a.mp4 0\nb.mp4 1\n")
    csv = ["data=csv", "data.data_paths=[rows.csv]"]
    assert main(["check", "--data", *csv, "data.batch_size=2"]) == 0
    assert main(["check", "--data", *csv, "data.batch_size=3"]) == 2
    assert "more than an epoch of 2" in capsys.readouterr().out
    assert main(["-m", "sweep.dry_run=true", *csv, "data.batch_size=2,3"]) == 2
    assert "point 1 (data=csv" in (said := capsys.readouterr().err) and "more than an epoch of 2" in said
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


def test_every_way_to_start_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    bad = "mask.masks.short.spatial_scale=[1,1]"
    for words in (["check", bad], ["-m", "sweep.dry_run=true", bad, "seed=1,2"], [bad]):
        assert main(words) == 2, words
        said = capsys.readouterr()
        assert "mask.masks.short.spatial_scale or mask" in said.out + said.err and "Traceback" not in said.err
    assert not list(tmp_path.rglob("run.json"))
