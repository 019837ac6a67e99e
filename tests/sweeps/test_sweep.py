"""Whole sweeps in this process: planned, run, failed, resumed, reported."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from sweeping import read, states
from toy_task import TARGET

from vjepa_pipe.cli import main
from vjepa_pipe.composition.snapshot import thaw


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sweep(*arguments: str) -> int:
    return main(["-m", "hydra.sweep.dir=sweep", TARGET, *arguments])


def test_every_point_leaves_its_record(here: Path) -> None:
    assert sweep("seed=1,2", "data.target_fps=4,8") == 0
    points = sorted(folder for folder in Path("sweep").iterdir() if folder.name[:3].isdigit())
    assert [folder.name[:3] for folder in points] == ["000", "001", "002", "003"]
    for folder, (seed, fps) in zip(points, [(1, 4), (1, 8), (2, 4), (2, 8)], strict=True):
        experiment = thaw(folder / "resolved_config.yaml")
        assert (experiment.seed, experiment.data.target_fps) == (seed, fps)
        assert read(folder / "metrics.json")["loss"] == seed / 10
        assert read(folder / "status.json")["state"] == "done"
        assert read(folder / "origin.json")["provenance"]["seed"] == f"command line: seed={seed}"
        assert (folder / "ran.txt").read_text() == "x"


@pytest.mark.skipif(hasattr(ConfigLoaderImpl, "get_mode"), reason="Hydra 1.4 refuses hydra.mode in such a file")
def test_an_experiment_of_the_users_may_be_a_sweep(here: Path) -> None:
    (here / "mine" / "experiment").mkdir(parents=True)
    lines = ["# @package _global_", "hydra:", "  mode: MULTIRUN", "  sweeper: {params: {seed: '1,2'}}"]
    (here / "mine" / "experiment" / "seeds.yaml").write_text("\n".join(lines))
    assert main(["--config-dir", "mine", "experiment=seeds", TARGET, "hydra.sweep.dir=sweep"]) == 0
    assert len(states(Path("sweep"))) == 2


def test_a_run_is_composed_once(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []
    merge = ConfigLoaderImpl._compose_config_from_defaults_list
    monkeypatch.setattr(
        ConfigLoaderImpl,
        "_compose_config_from_defaults_list",
        lambda *args, **more: (loads.append(""), merge(*args, **more))[1],
    )
    assert main([TARGET]) == 0
    assert len(loads) == 1


def test_identical_points_run_once(here: Path) -> None:
    assert sweep("seed=1,1,2", "data.target_fps=4,4.0") == 0
    assert len(states(Path("sweep"))) == 2


def test_points_over_settings_that_change_no_result_are_points(here: Path) -> None:
    assert sweep("data.num_workers=0,1,2") == 0
    identities = {read(file)["id"] for file in Path("sweep").glob("*/run.json")}
    assert len(states(Path("sweep"))) == 3 and len(identities) == 1


def test_a_failing_point_leaves_its_traceback_and_the_others_run(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sweep("seed=12,13,15") == 1
    found = states(Path("sweep"))
    assert list(found.values()) == ["done", "failed", "done"]
    (failed,) = Path("sweep").glob("001_*")
    status = read(failed / "status.json")
    assert status["error"] == "ValueError: thirteen is unlucky" and "toy_task.py" in status["traceback"]
    assert "1 of 3 points is not done" in (err := capsys.readouterr().err) and "sweep.resume=sweep" in err
    monkeypatch.setenv("TOY_MENDED", "1")
    assert main(["-m", "sweep.resume=sweep"]) == 0
    assert set(states(Path("sweep")).values()) == {"done"}
    assert [file.read_text() for file in sorted(Path("sweep").glob("*/ran.txt"))] == ["x", "xx", "x"]
    assert read(failed / "status.json")["attempt"] == 2 and "traceback" not in read(failed / "status.json")


def test_fail_fast_starts_no_further_point(here: Path) -> None:
    assert sweep("seed=12,13,15", "sweep.fail_fast=true") == 1
    assert list(states(Path("sweep")).values()) == ["done", "failed", "missing"]
    assert main(["-m", "sweep.resume=sweep"]) == 1
    assert list(states(Path("sweep")).values()) == ["done", "failed", "done"]


def test_editing_files_after_the_plan_changes_nothing(here: Path) -> None:
    group = here / "mine" / "experiment"
    group.mkdir(parents=True)
    experiment = "# @package _global_\nname: own\ndata:\n  target_fps: {}\n"
    (group / "own.yaml").write_text(experiment.format(5))
    arguments = ["--config-dir", "mine", "-m", "hydra.sweep.dir=sweep", TARGET, "experiment=own", "seed=13,15"]
    assert main(arguments) == 1
    (group / "own.yaml").write_text(experiment.format(6))
    assert main(["-m", "sweep.resume=sweep"]) == 1
    assert {thaw(file).data.target_fps for file in Path("sweep").glob("*/resolved_config.yaml")} == {5.0}


def test_faulty_points_stop_the_sweep_before_any_job(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep("data.target_fps=4,0", "seed=1,-1", "data=synthetic,kinetcs") == 2
    err = capsys.readouterr().err
    assert "point 2 (task._target_=toy_task.run data.target_fps=4 seed=-1 data=synthetic): seed must be >= 0" in err
    assert "data.target_fps must be > 0 (got 0.0)" in err and "did you mean kinetics?" in err
    assert not Path("sweep").exists()


def test_dry_run_prints_only_what_varies(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep("sweep.dry_run=true", "seed=1,2,3", "data.img_size=64", "sweep.where=seed != 2") == 0
    out = capsys.readouterr().out
    assert "seed" in out and "img_size" not in out and "2 points planned" in out
    assert not Path("sweep").exists()


def test_where_that_leaves_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep("seed=1,2", "sweep.where=seed > 5") == 2
    assert "leaves none of 2 points" in capsys.readouterr().err


def test_options_show_by_name_where_they_vary(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep("sweep.dry_run=true", "mask=tube,multiblock3d", "seed=1,2") == 0
    out = capsys.readouterr().out
    assert "multiblock3d" in out and "spatial_scale" not in out


def test_resume_of_another_sweep_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep("seed=1") == 0
    assert main(["-m", "sweep.resume=sweep", "seed=2"]) == 1
    assert "sweep is a sweep of 'task._target_=toy_task.run seed=1', not of 'seed=2'" in capsys.readouterr().err
    assert main(["-m", "sweep.resume=.", "seed=2"]) == 1
    assert "is not the folder of a sweep" in capsys.readouterr().err
    assert sweep("seed=2") == 1
    assert "continue it with sweep.resume=sweep" in capsys.readouterr().err


def test_results_of_a_metric_that_is_no_number(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep("seed=2,3") == 0
    with Path("sweep/results.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["loss"] for row in rows] == ["0.2", "nan"] and rows[0]["note"] == "</script><b>"
    assert "nan" in capsys.readouterr().out


def test_unwritable_folder(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("sweep").write_text("a file where the folder should be")
    assert sweep("seed=1") == 1
    assert "cannot make the sweep's folder sweep" in capsys.readouterr().err


def test_a_task_that_returns_no_metrics_is_named(here: Path) -> None:
    assert main(["-m", "hydra.sweep.dir=sweep", "task._target_=toy_task.list_of_nothing"]) == 1
    (status,) = Path("sweep").glob("*/status.json")
    assert read(status)["error"].endswith("toy_task.list_of_nothing returned list, not a dict of metrics")


def test_hundreds_of_points_share_one_composition(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    composed = []
    whole = ConfigLoaderImpl.load_configuration
    monkeypatch.setattr(
        ConfigLoaderImpl, "load_configuration", lambda *args, **more: (composed.append(1), whole(*args, **more))[1]
    )
    grid = ["seed=range(3)", "data.target_fps=range(1,11)", "data_aug.random_erasing=range(0,1,0.1)"]
    assert sweep("sweep.dry_run=true", *grid) == 0
    assert "300 points planned" in capsys.readouterr().out
    assert 0 < len(composed) < 5


def test_a_damaged_status_does_not_stop_a_resume(here: Path) -> None:
    assert sweep("seed=1,2") == 0
    for number, damaged in enumerate(["{", '{"state": "done", "attempt": "x"}']):
        (point,) = Path("sweep").glob(f"00{number}_*")
        (point / "status.json").write_text(damaged)
    assert set(states(Path("sweep")).values()) == {"damaged"}
    assert main(["-m", "sweep.resume=sweep"]) == 0
    assert set(states(Path("sweep")).values()) == {"done"}


@pytest.mark.parametrize("subdir", ["x", "${hydra.job.override_dirname}"])
def test_names_of_points_are_not_offered(here: Path, capsys: pytest.CaptureFixture[str], subdir: str) -> None:
    assert sweep("seed=1,2", f"hydra.sweep.subdir={subdir}") == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said == (f"config error: hydra.sweep.subdir is not offered: points are named NUMBER_ID (got {subdir!r})")
    assert not Path("sweep").exists()


def test_a_sweep_is_ranked_by_what_was_asked_for(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    curve = ["-m", "hydra.sweep.dir=sweep", "task._target_=toy_task.curve", "seed=1,2", "data.target_fps=4,8"]
    assert main([*curve, "sweep.metric=val_los", "sweep.direction=minimize"]) == 2
    err = capsys.readouterr().err
    assert "sweep.metric: no run has val_los (did you mean val_loss?); they have val_loss" in err
    assert Path("sweep/report.html").exists() and set(states(Path("sweep")).values()) == {"done"}
    assert main(["report", "sweep", "--metric", "val_loss"]) == 0
    out = capsys.readouterr().out
    assert "effects on val_loss (minimize)" in out and "not ranked" in out and "rerun sweep/000_" in out
    assert main(["report", "sweep"]) == 2  # as the plan says
    assert main(["-m", "sweep.resume=sweep", "sweep.metric=val_loss"]) == 0
