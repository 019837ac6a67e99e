"""Searches by Optuna: over the grammar of sweeps, from the plan, resumed, with any launcher."""

from __future__ import annotations

import os
import re
import shlex
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import optuna
import pytest
from program import Run, launch
from sweeping import read, states
from toy_task import FAILS, TARGET

from vjepa_pipe.cli import main
from vjepa_pipe.composition.hydra_loader import hydra_loader
from vjepa_pipe.config import ConfigError
from vjepa_pipe.config.folders import conf_dir
from vjepa_pipe.records.files import write_json
from vjepa_pipe.records.plan import Point, read_plan_file
from vjepa_pipe.records.status import alone
from vjepa_pipe.report.metric import Metric
from vjepa_pipe.sweeps import polling
from vjepa_pipe.sweeps.search import Search, run_search
from vjepa_pipe.sweeps.space import Space, space_of

SEARCH = ["-m", "hydra.sweep.dir=sweep", TARGET, "sweep.metric=fps", "sweep.direction=maximize"]
FPS = "data.target_fps=interval(1,20)"


def space(*arguments: str) -> Space:
    with hydra_loader() as loader:
        return space_of(arguments, loader)


def trials(folder: str | Path = "sweep") -> list[optuna.trial.FrozenTrial]:
    journal = optuna.storages.journal.JournalFileBackend(str(Path(folder, "plan", "study.log")))
    return optuna.load_study(study_name=None, storage=optuna.storages.JournalStorage(journal)).trials


def folders(sweep: str) -> dict[str, Path]:
    """The folder of each point, by its overrides."""
    return {" ".join(point.overrides): Path(sweep, point.folder) for point in read_plan_file(Path(sweep)).points}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_grammar_of_sweeps_is_what_is_searched() -> None:
    found = space(
        "name=x", "seed=3,4", "a=interval(0.5,2)", "b=int(interval(2,8))", "c=tag(log,interval(1e-4,1e-1))",
        "d=range(0,10,3)", "mask=tube,blocks", "+task.args.x=choice(1,2)",
    )  # fmt: skip
    assert found.fixed == ["name=x"] and found.seeds == ["seed=3", "seed=4"]
    of = optuna.distributions
    assert found.distributions == {
        "a": of.FloatDistribution(0.5, 2.0),
        "b": of.IntDistribution(2, 8),
        "c": of.FloatDistribution(1e-4, 1e-1, log=True),
        "d": of.IntDistribution(0, 9, step=3),
        "mask": of.CategoricalDistribution(["tube", "blocks"]),
        "+task.args.x": of.CategoricalDistribution(["1", "2"]),
    }
    assert found.points({"a": 1 / 3, "mask": "tube"}) == [
        ["name=x", "a=0.333333", "mask=tube", "seed=3"], ["name=x", "a=0.333333", "mask=tube", "seed=4"],
    ]  # fmt: skip
    corners = list(space("b=int(interval(2,8))", "mask=x,y,z").corners())
    assert corners == [["b=2", "mask=x"], ["b=8", "mask=x"], ["b=2", "mask=y"], ["b=2", "mask=z"]]


@pytest.mark.parametrize(("arguments", "words"), [
    (["a=1", "seed=1,2"], "needs a setting to search"), (["a=interval(2,1)"], "ascending order"),
    (["a=tag(log,interval(0,1))"], "above 0"), (["a=range(0,1,0.000001)"], "a must have at most 100000 values"),
    (["a=1,2", "seed=range(0,200000)"], "seed must have at most 100000 values"),
])  # fmt: skip
def test_spaces_that_are_none(arguments: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        space(*arguments)


def test_faults_are_found_before_any_trial(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = ["sweep.search=tpe", "sweep.zip=[seed,mask]", "sweep.where=seed < 3"]
    for arguments, words in [
        ([*both, FPS], ["sweep.zip is not offered", "sweep.where is not offered", "needs sweep.samples"]),
        (["sweep.search=tpe", "sweep.samples=3", "mask=tube,tueb", FPS], ["did you mean tube?"]),
        (["sweep.search=tpe", "sweep.samples=3", "data.target_fps=interval(-1,3)"], ["data.target_fps must be > 0"]),
        (["sweep.search=grid", FPS], ["sweep.search=grid needs the values of data.target_fps"]),
        (["sweep.prune=true", FPS, "sweep.samples=2"], ["sweep.prune needs sweep.search"]),
        (["sweep.search=tree", "sweep.samples=3", FPS], ["sweep.search must be one of tpe, random, grid, cmaes"]),
    ]:
        assert main([*SEARCH, *arguments]) == 2
        err = capsys.readouterr().err
        assert all(word in err for word in words), err
    assert main(["-m", TARGET, "sweep.search=tpe", "sweep.samples=3", FPS]) == 2
    assert "sweep.search needs sweep.metric: it is not known what toy_task.run is judged by" in capsys.readouterr().err
    assert main(["-m", TARGET, "sweep.metric=speed", "seed=1,2"]) == 2
    assert "sweep.direction must be given, minimize or maximize" in capsys.readouterr().err
    assert list(here.iterdir()) == []


def test_a_search_is_a_sweep_and_goes_on(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SEARCH, "sweep.search=tpe", "sweep.samples=2", FPS, "mask=tube,multiblock3d", "seed=2,4"]) == 0
    first = trials()
    assert [trial.value for trial in first] == [
        pytest.approx(trial.params["data.target_fps"], rel=1e-5) for trial in first
    ]
    assert len(states(Path("sweep"))) == 4 and set(states(Path("sweep")).values()) == {"done"}
    assert (here / "sweep" / "report.html").exists() and "best fps" in capsys.readouterr().out
    assert main(["-m", "sweep.resume=sweep", "sweep.samples=3"]) == 0
    assert "3 trials, 1 to run, 1 at a time" in capsys.readouterr().err
    assert len(trials()) == 3 and [trial.params for trial in trials()[:2]] == [trial.params for trial in first]


def commands() -> list[str]:
    text = (conf_dir().parent / "docs" / "search.md").read_text().replace(" \\\n", " ")
    return re.findall(r"^    python launch.py (.*?)(?: *#.*)?$", text, re.MULTILINE)


def test_what_the_docs_say_can_be_typed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan, *resumed = commands()
    assert len(resumed) == 2 and main([*shlex.split(plan), "sweep.dry_run=true"]) == 0
    out = capsys.readouterr().out
    assert "lr" in out and "random_erasing" in out
    names = {text.partition("=")[0] for command in resumed for text in shlex.split(command)}
    assert names == {"-m", "sweep.resume", "sweep.samples"}


class Toy:
    """Trials whose metric is `x`, of which each is run by writing a record's two files."""

    def __init__(self, folder: Path, method: str, samples: int | None, *arguments: str) -> None:
        self.folder = folder
        (folder / "plan").mkdir(parents=True, exist_ok=True)
        self.ran: list[str] = []
        self.search = Search(
            folder, method, space(*arguments), Metric("x", "minimize"), samples, False, 7, self.planned
        )
        self.search._value = lambda point: float(point.id.partition("=")[2])  # type: ignore[method-assign]

    def planned(self, overrides: Sequence[Sequence[str]]) -> list[Point]:
        return [Point(words[0], list(words), "_".join(words)) for words in overrides]

    def launch(self, points: Sequence[Point]) -> bool:
        self.ran.extend(point.folder for point in points)
        return True


@pytest.mark.parametrize("method", ["tpe", "random", "cmaes"])
def test_a_search_that_was_cut_short_goes_on_as_it_would_have(tmp_path: Path, method: str) -> None:
    whole = Toy(tmp_path / "whole", method, 14, "x=interval(0,1)")
    run_search(whole.search, 1, whole.launch)
    part = Toy(tmp_path / "part", method, 14, "x=interval(0,1)")

    def cut(points: Sequence[Point]) -> bool:
        part.launch(points)
        if len(part.ran) == 6:
            raise KeyboardInterrupt
        return True

    with pytest.raises(KeyboardInterrupt):
        run_search(part.search, 1, cut)
    again = Toy(tmp_path / "part", method, 14, "x=interval(0,1)")
    assert again.search.left == 9
    run_search(again.search, 1, again.launch)
    assert part.ran[:5] + again.ran == whole.ran  # the sixth, which never ended, is run once more
    assert len(set(whole.ran)) == 14 and again.search.left == 0


def test_trials_that_fall_behind_are_stopped(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(polling, "POLL_SEC", 0.02)
    arguments = ["task._target_=toy_task.curve", "seed=1", "sweep.search=grid", "sweep.prune=true"]
    values = "data.target_fps=choice(1,1.5,2,3,100,1.2)"
    assert main(["-m", "hydra.sweep.dir=sweep", "sweep.metric=val_loss", *arguments, values]) == 0
    found = trials()
    behind = next(trial for trial in found if trial.params["data.target_fps"] == "100")
    assert behind.state.name == "PRUNED" and behind.intermediate_values
    assert found[0].state.name == "COMPLETE" and 2 in found[0].intermediate_values
    (point,) = [folder for words, folder in folders("sweep").items() if "target_fps=100" in words]
    assert read(point / "status.json")["state"] == "pruned" and not (point / "metrics.json").exists()
    assert "pruned" in capsys.readouterr().out
    ran = {folder: (folder / "status.json").stat().st_mtime_ns for folder in folders("sweep").values()}
    assert main(["-m", "sweep.resume=sweep"]) == 0
    assert ran == {folder: (folder / "status.json").stat().st_mtime_ns for folder in ran}


def test_a_study_of_a_stranger_is_not_believed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SEARCH, "sweep.search=cmaes", "sweep.samples=1", FPS]) == 0
    study = here / "sweep" / "plan" / "study.log"
    assert main(["-m", "sweep.resume=sweep"]) == 1
    assert "type sweep.search=cmaes too" in capsys.readouterr().err
    assert main(["-m", "sweep.resume=sweep", "sweep.search=cmaes", "sweep.metric=loss"]) == 1
    assert "a search goes on by the metric that it began with" in capsys.readouterr().err
    study.write_text('{"op_code": 99}\n[]\n')
    assert main(["-m", "sweep.resume=sweep", "sweep.search=cmaes"]) == 1
    assert "cannot read sweep/plan/study.log" in (err := capsys.readouterr().err) and "Traceback" not in err
    study.unlink()
    os.mkfifo(study)  # whoever reads it waits for ever
    assert main(["-m", "sweep.resume=sweep", "sweep.search=cmaes"]) == 1
    assert "cannot read sweep/plan/study.log: NotAFile" in capsys.readouterr().err


def test_a_trial_that_has_failed_is_not_said_to_run_again(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SEARCH, "sweep.search=grid", "data.target_fps=1,2", f"seed={FAILS}"]) == 1
    assert "2 of 2 points are not done" in (err := capsys.readouterr().err) and "run them again" not in err


def test_a_trial_whose_settings_do_not_go_together_has_failed(tmp_path: Path) -> None:
    toy = Toy(tmp_path, "grid", None, "x=range(0,3)")
    planned = toy.planned

    def refused(overrides: Sequence[Sequence[str]]) -> list[Point]:
        if overrides[0] == ["x=1"]:
            raise ConfigError(["x must not be 1"])
        return planned(overrides)

    toy.search._planned = refused
    run_search(toy.search, 1, toy.launch)
    assert toy.ran == ["x=0", "x=2"] and [one.state.name for one in trials(tmp_path)] == [
        "COMPLETE",
        "FAIL",
        "COMPLETE",
    ]


def test_a_grid_is_gone_through_once(tmp_path: Path) -> None:
    toy = Toy(tmp_path, "grid", None, "x=range(0,3)", "mask=a,b")
    run_search(toy.search, 1, toy.launch)
    assert toy.ran == [f"x={x}_mask={mask}" for x in range(3) for mask in "ab"]
    again = Toy(tmp_path, "grid", None, "x=range(0,3)", "mask=a,b")
    run_search(again.search, 1, again.launch)
    assert again.ran == []


def test_a_free_worker_takes_the_next_trial_at_once(tmp_path: Path) -> None:
    toy = Toy(tmp_path, "random", 6, "x=interval(0,1)")
    others = threading.Event()

    def launch_slowly(points: Sequence[Point]) -> bool:
        toy.launch(points)
        if len(toy.ran) == 1:
            assert others.wait(60)  # until all others have run
        elif len(toy.ran) == 6:
            others.set()
        return True

    run_search(toy.search, 2, launch_slowly)
    assert len(toy.ran) == 6 and toy.search.left == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_what_stops_the_launcher_stops_the_search(tmp_path: Path, workers: int) -> None:
    toy = Toy(tmp_path, "random", 50, "x=interval(0,1)")

    def broken(points: Sequence[Point]) -> bool:
        toy.launch(points)
        raise RuntimeError("the queue is closed")

    with pytest.raises(RuntimeError, match="the queue is closed"):
        run_search(toy.search, workers, broken)
    assert len(toy.ran) <= workers


def test_what_stops_one_worker_stops_the_others(tmp_path: Path) -> None:
    toy = Toy(tmp_path, "random", 4, "x=interval(0,1)")
    failed, calls = threading.Event(), []

    def planned(overrides: Sequence[Sequence[str]]) -> list[Point]:
        calls.append(overrides)
        if len(calls) == 2:
            failed.set()
            raise OSError("the disk is full")
        return toy.planned(overrides)

    def launch_slowly(points: Sequence[Point]) -> bool:
        assert failed.wait(60)
        return toy.launch(points)

    toy.search._planned = planned
    with pytest.raises(OSError, match="full"):
        run_search(toy.search, 2, launch_slowly)
    assert len(toy.ran) == 1


def test_half_a_line_of_a_journal_is_left_out(tmp_path: Path) -> None:
    for samples, halves in ((2, '{"op_code":5,"tri'), (3, ""), (4, "")):
        toy = Toy(tmp_path, "random", samples, "x=interval(0,1)")
        run_search(toy.search, 1, toy.launch)
        with (tmp_path / "plan" / "study.log").open("a") as journal:
            journal.write(halves)
    assert len(trials(tmp_path)) == 4


def test_a_lock_that_a_killed_search_has_left_can_be_followed(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, link = [], os.symlink

    def linked(target: str, name: str) -> None:
        link(target, name)
        found.append(Path(name).exists())

    monkeypatch.setattr(os, "symlink", linked)
    Toy(Path("part"), "random", 1, "x=interval(0,1)")
    assert found and all(found)  # else Optuna waits for it without end


def test_a_killed_search_goes_on_when_what_outlived_it_has_ended(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SEARCH, "sweep.search=random", "sweep.samples=1", FPS]) == 0
    journal = here / "sweep" / "plan" / "study.log"
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:-1]))  # nothing was told
    (status,) = here.glob("sweep/*/status.json")
    done = read(status)
    write_json(status, done | {"state": "running"})
    with alone(here / "sweep" / "plan", "it goes on in another process"):
        assert main(["-m", "sweep.resume=sweep"]) == 1
    assert "another process goes on with the search in sweep: wait until it ends" in capsys.readouterr().err
    monkeypatch.setattr(time, "sleep", lambda _: write_json(status, done))
    assert main(["-m", "sweep.resume=sweep"]) == 0
    assert f"waiting for {status.parent.name}" in capsys.readouterr().err
    assert [trial.state.name for trial in trials()] == ["COMPLETE"]


def test_side_by_side_with_joblib_killed_and_continued(tmp_path: Path, toy: dict[str, str]) -> None:
    arguments = [*SEARCH, "hydra/launcher=local", "sweep.search=tpe", "sweep.samples=5", FPS]
    process = Run(*arguments, cwd=tmp_path, env=toy | {"TOY_SLEEP": "0.5"})
    deadline = time.monotonic() + 300
    while len(list(tmp_path.glob("sweep/*/metrics.json"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    result = launch("-m", "hydra/launcher=local", "sweep.resume=sweep", cwd=tmp_path, env=toy)
    assert result.returncode == 0, result.stderr
    assert "2 at a time" in result.stderr and set(states(tmp_path / "sweep").values()) == {"done"}
    assert [trial.state.name for trial in trials(tmp_path / "sweep")] == ["COMPLETE"] * 5
    assert len(read(tmp_path / "sweep" / "plan" / "plan.json")["points"]) == 5
