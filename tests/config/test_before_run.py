"""Masks that no clip can have, and batches that no epoch can have, are found before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from vjepa_pipe import ConfigError, compose
from vjepa_pipe.cli import main
from vjepa_pipe.config.before_run import run_faults
from vjepa_pipe.config.idle import idle_faults
from vjepa_pipe.tasks import run_task

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


@pytest.mark.parametrize(("overrides", "fault"), [
    (["data.clip_mode=duration", "data.target_fps=4"], "data.target_fps has no effect when data.clip_mode=duration"),
    (["data.allow_clip_overlap=true"], "data.allow_clip_overlap has no effect when data.num_clips=1"),
    (["data_aug.rand_augment_n=3"], "data_aug.rand_augment_n has no effect when data_aug.auto_augment=false"),
    (["data_aug=eval", "data_aug.rand_augment_m=3"], "data_aug.rand_augment_m has no effect when data_aug.rand_aug"),
    (["data_aug.center_crop_ratio=1", "data_aug.crop_scale=[0.5,1]"], "data_aug.crop_scale has no effect when data_a"),
    (["robotics.rotation=rot6d"], "robotics.rotation has no effect when the data is no robot's"),
    (["loader.on_bad_sample=raise", "loader.max_replacements=3"], "loader.max_replacements has no effect when loader"),
    (["loader.monitor.interval_sec=1"], "loader.monitor.interval_sec has no effect when loader.monitor.enabled=false"),
    (["loader.iterations_per_epoch=2", "loader.drop_last=false"], "loader.drop_last has no effect when loader.iter"),
    (["tracker=wandb", "tracker.project=mine"], "tracker.project has no effect when the task is stream"),
    (["task=train", "training=tiny", "task.measure_every=null", "task.measure_clips=9"], "task.measure_clips has no "),
])  # fmt: skip
def test_what_is_typed_in_vain_is_refused(overrides: list[str], fault: str, tmp_path: Path) -> None:
    experiment = compose(overrides)  # files may say it: only who types it means it to change something
    with pytest.raises(ConfigError) as error:
        run_task(experiment, tmp_path, typed=overrides)
    assert str(error.value).startswith(f"config error: {fault}") and not list(tmp_path.iterdir())


@pytest.mark.parametrize("overrides", [
    ["data=kinetics", "data.clip_mode=duration", "robotics=none", "data_aug=none"],
    ["data_aug=randaugment", "data_aug.rand_augment_n=3", "loader.drop_last=false"],
    ["data=synthetic_robot", "data_aug=robotics", "robotics.rotation=rot6d"],
])  # fmt: skip
def test_what_is_not_typed_or_read_is_no_fault(overrides: list[str]) -> None:
    assert list(idle_faults(compose(overrides), overrides)) == []


ROTATION = "{_target_:torchvision.transforms.v2.RandomRotation,degrees:5}"
BLUR = "{_target_:torchvision.transforms.v2.GaussianBlur,kernel_size:5}"


@pytest.mark.parametrize(("node", "fault"), [
    (BLUR, ""),
    (ROTATION, "data_aug.extra_transforms[0]: torchvision.transforms.v2.RandomRotation must not"),
    (f"{{_target_:torchvision.transforms.v2.RandomApply,transforms:[{BLUR},{ROTATION}]}}",
     "data_aug.extra_transforms[0].transforms[1]: torchvision.transforms.v2.RandomRotation must not"),
])  # fmt: skip
def test_transforms_that_move_pixels_are_refused_for_robots(node: str, fault: str) -> None:
    words = ["data_aug=robotics", f"data_aug.extra_transforms=[{node}]"]
    try:
        compose(words)
        found = ""
    except ConfigError as error:
        (found,) = error.faults
    assert found.startswith(fault) and bool(found) == bool(fault)


@pytest.mark.parametrize(("override", "fault"), [
    ("data_aug.normalize_mean=[123,116,103]", "data_aug.normalize_mean[0] must be <= 1 (got 123.0)"),
    ("data_aug.normalize_std=[58,57,57]", "data_aug.normalize_std[0] must be <= 1 (got 58.0)"),
    ("mask=blocks", "mask.masks must not be empty: the masks, by name; mask=none draws none"),
])  # fmt: skip
def test_values_in_another_unit_and_masks_without_blocks_are_refused(override: str, fault: str) -> None:
    with pytest.raises(ConfigError) as error:
        compose([override])
    assert error.value.faults[0] == fault
