"""The subcommands, as they are typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sweeping import read
from toy_task import TARGET

from vjepa_pipe.cli import main
from vjepa_pipe.commands import COMMANDS, check
from vjepa_pipe.composition.options import group_options
from vjepa_pipe.config.folders import conf_dir


def run_folder(*arguments: str) -> Path:
    assert main([TARGET, *arguments]) == 0
    return max(Path("outputs/default").iterdir(), key=lambda folder: folder.stat().st_mtime)


def test_ls(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "data"]) == 0
    assert "kinetics" in (out := capsys.readouterr().out) and "4 fps" in out and "randaugment" not in out
    assert main(["ls", "dta"]) == 2
    assert "did you mean data?" in capsys.readouterr().err


def test_show_says_where_settings_come_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "data=kinetics", "seed=5", "--provenance"]) == 0
    lines = {line.split("#")[0].strip(): line.split("#")[-1].strip() for line in capsys.readouterr().out.splitlines()}
    assert lines["seed: 5"] == "command line: seed=5"
    assert lines["target_fps: 4.0"].startswith("conf/data/kinetics.yaml:")
    assert lines["clip_mode: fps"] == "schema default"
    assert main(["show", "vjepa2_vitl16_256px_16f", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["seed"] == 239
    assert main(["show", "data=kinetcs", "data.target_fps=0"]) == 2
    assert "2 config errors" in capsys.readouterr().err


def test_diff_of_experiments_files_and_runs(capsys: pytest.CaptureFixture[str]) -> None:
    run = run_folder("seed=1")
    capsys.readouterr()
    assert main(["diff", str(run), f"{TARGET} seed=1"]) == 0
    assert "no setting differs" in capsys.readouterr().out
    assert main(["diff", str(run), f"{TARGET} seed=2 data.target_fps=3"]) == 1
    out = capsys.readouterr().out
    assert "2 settings differ" in out and "command line: seed=2" in out
    file = str(conf_dir() / "experiment" / "vjepa2_vitl16_256px_16f.yaml")
    assert main(["diff", file, "vjepa2_vitl16_256px_16f"]) == 0
    assert main(["diff", "no.yaml", "seed=1"]) == 1
    assert "no.yaml does not exist" in capsys.readouterr().err


def test_check(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    folder = here / "mine" / "experiment"
    folder.mkdir(parents=True)
    (folder / "bad.yaml").write_text(
        "# @package _global_\ndata:\n  target_fps: 0\n  extra_args: {colour: red}\nseed: -1\n"
    )
    assert main(["check", "bad", "--config-dir", "mine"]) == 2
    out = capsys.readouterr().out
    assert "data.target_fps must be > 0" in out and "seed must be >= 0" in out
    assert main(["check", "data._target_=vjepa_pipe.datasets.VideoDatset"]) == 2
    assert "did you mean vjepa_pipe.datasets.VideoDataset?" in capsys.readouterr().out
    assert main(["check", "+data.extra_args.colour=red"]) == 2
    assert "data.extra_args.colour: vjepa_pipe.datasets.VideoDataset has no such parameter" in capsys.readouterr().out
    assert main(["check", "--data", "data=csv", "data.data_paths=[no.csv]"]) == 2
    assert "no.csv does not exist" in capsys.readouterr().out


def test_check_all(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    few = [[], ["data=csv"], ["experiment=vjepa2_vitl16_256px_16f"]]
    every = list(check._all(None))
    assert all(choice in every for choice in few) and len(every) > 60
    assert all([f"{group}={option}"] in every for group in ("mask", "training") for option in group_options(group))
    monkeypatch.setattr(check, "_all", lambda _: few)  # others compose all, which takes its time
    assert main(["check", "--all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "ok   data=csv data.data_paths=[train.csv]" in lines  # with the command of its own comment
    assert "ok   experiment=vjepa2_vitl16_256px_16f" in lines
    assert " 0 with faults" in lines[-1]


def test_check_goes_on_behind_a_file_that_is_no_text(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "data").mkdir()
    (here / "data" / "odd.yaml").write_bytes(b"\xff")
    monkeypatch.setattr("vjepa_pipe.commands.check._all", lambda _: [["data=odd"], ["data=synthetic"]])
    assert main(["check", "--all", "--config-dir", "."]) == 2
    out = capsys.readouterr().out
    assert "odd.yaml is not a text file" in out and "2 checked, 1 with faults" in out


def test_rerun_is_from_the_record(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = here / "mine" / "data_aug"
    folder.mkdir(parents=True)
    option = "defaults:\n  - /schema@_here_: aug\n  - _self_\nrandom_erasing: {}\n"
    (folder / "own.yaml").write_text(option.format(0.1))
    assert main(["--config-dir", "mine", TARGET, "data_aug=own", "seed=4"]) == 0
    (run,) = Path("outputs/default").iterdir()
    (folder / "own.yaml").write_text(option.format(0.9))
    assert main(["rerun", str(run), "data.num_workers=1"]) == 0
    (again,) = set(Path("outputs/default").iterdir()) - {run}
    before, after = (read(folder / "run.json") for folder in (run, again))
    assert before["id"] == after["id"] and before["config_id"] != after["config_id"]
    assert read(again / "origin.json")["rerun_of"] == str(run.resolve())
    assert read(again / "metrics.json") == read(run / "metrics.json")
    assert "data.num_workers" in capsys.readouterr().err
    assert main(["rerun", str(run), "mask=tube"]) == 2
    assert main(["rerun", "mine"]) == 1
    assert "mine is not the folder of a run" in capsys.readouterr().err


def test_rerun_says_what_has_changed(capsys: pytest.CaptureFixture[str]) -> None:
    run = run_folder("seed=4")
    record = read(run / "run.json")
    record["versions"]["numpy"] = "0.1"
    (run / "run.json").write_text(json.dumps(record))
    capsys.readouterr()
    assert main(["rerun", str(run), "--dry-run"]) == 0
    assert "versions differ: numpy is" in capsys.readouterr().err
    assert len(list(Path("outputs/default").iterdir())) == 1


def test_report_of_separate_runs(capsys: pytest.CaptureFixture[str]) -> None:
    run_folder("seed=1")
    run_folder("seed=3")
    capsys.readouterr()
    assert main(["report", "outputs"]) == 0
    assert "nan" in capsys.readouterr().out
    page = Path("outputs/report.html").read_text()
    assert (
        "data:image/jpeg;base64," in page
        and "</script><b>" not in page
        and "http" not in page.replace("http://www.w3.org/2000/svg", "")
    )
    assert main(["report", "nothing"]) == 1
    assert "nothing holds no run" in capsys.readouterr().err


def test_commands_start_without_torch() -> None:
    code = (
        "import sys, importlib; from vjepa_pipe.cli import main; from vjepa_pipe.commands import COMMANDS; "
        "[importlib.import_module('vjepa_pipe.commands.' + one.place.partition(':')[0]) for one in COMMANDS.values()]; "
        "main(['ls']); main(['show']); main(['diff', 'seed=1', 'seed=2']); "
        "print([m for m in ('torch', 'av', 'decord') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ)
    assert result.stdout.splitlines()[-1] == "[]", result.stderr
    assert set(COMMANDS) >= {"ls", "show", "diff", "check", "schema", "rerun", "report"}


@pytest.mark.parametrize(("b", "said"), [("seed=1", "1 setting differs"), ("seed=1 name=b", "2 settings differ")])
def test_differences_are_counted(b: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "seed=0", b]) == 1
    assert said in capsys.readouterr().out
