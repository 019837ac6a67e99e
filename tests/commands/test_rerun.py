"""A run again from its record: its own words compose again, and none of them counts as typed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from published_files import write_file
from sweeping import read
from toy_task import TARGET

from vjepa_pipe.cli import main

OPTION = "defaults:\n  - /schema@_here_: loader\n  - _self_\nmax_restarts: {}\n"


def run(*arguments: str) -> Path:
    assert main([*arguments]) == 0
    return max(Path("outputs").glob("*/*"), key=lambda folder: folder.stat().st_mtime)


def said(capsys: pytest.CaptureFixture[str], folder: Path) -> str:
    capsys.readouterr()
    assert main(["rerun", str(folder), "--dry-run"]) == 0
    return capsys.readouterr().err


def test_the_words_of_a_published_file_compose_again(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_file(here, "vjepa", data__crop_size=96)
    (here / "mine" / "loader").mkdir(parents=True)
    (here / "mine" / "loader" / "own.yaml").write_text(OPTION.format(1))
    folder = run("--config-dir", "mine", f"legacy={file.name}", TARGET, "loader=own", "seed=3").resolve()
    record, origin = read(folder / "run.json"), read(folder / "origin.json")
    assert record["command"][1:4] == ["--config-dir", "mine", f"legacy={file.name}"] and record["cwd"] == str(here)
    assert origin["overrides"][0] == f"legacy={file}" and origin["folders"] == [str(here / "mine")]
    elsewhere = here / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert "conf/" not in said(capsys, folder)
    (here / "mine" / "loader" / "own.yaml").write_text(OPTION.format(9))
    assert "conf/ has changed: loader.max_restarts would now be 9" in said(capsys, folder)
    file.unlink()
    unused = f"do not compose here, with what conf/ says now; the record is used (cannot read {file}"
    assert unused in said(capsys, folder)


def test_points_of_a_sweep_over_a_published_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_file(here, "vjepa", data__crop_size=96)
    assert main(["-m", f"legacy={file}", TARGET, "hydra.sweep.dir=sweep", "seed=1,2"]) == 0
    (point,) = Path("sweep").glob("001_*")
    assert read(point / "origin.json")["overrides"] == [f"legacy={file}", TARGET, "seed=2"]
    assert "seed=1,2" in read(point / "run.json")["command"]
    assert "conf/" not in said(capsys, point)


def test_words_of_a_record_are_not_typed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run(TARGET, "seed=4")
    (here / "sly").mkdir()
    (here / "sly" / "__init__.py").write_text("open('ran.txt', 'w').close()")
    sys.path.insert(0, str(here))
    origin = read(folder / "origin.json")
    words = ["hydra.searchpath=[pkg://sly]", "+hydra.searchpath=[pkg://sly]", "hydra/launcher=sly"]
    quoted = [str(here / "x',pkg:" / "sly,'")]
    Path(quoted[0]).mkdir(parents=True)
    try:
        for more in ({"overrides": [*origin["overrides"], *words]}, {"folders": ["pkg://sly", *quoted]}):
            (folder / "origin.json").write_text(json.dumps(origin | more))
            said(capsys, folder)
    finally:
        sys.path.remove(str(here))
    assert not (here / "ran.txt").exists() and "sly" not in sys.modules


def test_a_damaged_record_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    folder = run(TARGET, "seed=4")
    whole = read(folder / "run.json")
    for damaged in ([], {"git": 3}, whole | {"versions": []}, whole | {"git": {"a": {"commit": 1}}}):
        (folder / "run.json").write_text(json.dumps(damaged))
        capsys.readouterr()
        assert main(["rerun", str(folder), "--dry-run"]) == 1
        assert "run.json is damaged" in (err := capsys.readouterr().err) and "Traceback" not in err


def test_another_trainer_runs_again_when_it_is_named_again(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "theirs").mkdir()
    (here / "theirs" / "train_again.py").write_text("def main(seed=0): open('ran.txt', 'a').write('x')")
    monkeypatch.syspath_prepend(here)
    typed = ["task.entry=train_again:main", "task.path=theirs"]
    folder = run("task=external", *typed)
    assert main(["rerun", str(folder)]) == 2
    assert "type task.entry=train_again:main, or --allow task.entry" in capsys.readouterr().err
    assert main(["rerun", str(folder), "task.entry=train_again:other", "task.path=theirs"]) == 1
    assert main(["rerun", str(folder), *typed]) == 0
    from vjepa_pipe.config import targets

    monkeypatch.setattr(targets, "_allowed", list(targets._allowed))
    assert main(["rerun", str(folder), "--allow", "task.entry", "--allow", "task.path", "seed=2"]) == 0
    assert (here / "ran.txt").read_text() == "xxx"
