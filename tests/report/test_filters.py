"""`vjepa-pipe report --name --task --since --where`: which runs are left, and what is refused."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from vjepa_pipe.config import ConfigError, UserError
from vjepa_pipe.records import Run
from vjepa_pipe.report import Filters
from vjepa_pipe.report.filters import started_after

NOW = 1_750_000_000.0


def run(folder: str, name: str, fps: float, task: str = "stream", age_days: float = 0, **metrics: float) -> Run:
    settings = {"name": name, "data.target_fps": fps, "data.clip_mode": "fps"}
    if task == "external":
        settings["task.entry"] = "my:train"
    status = {"state": "done", "started": datetime.now().timestamp() - 86_400 * age_days}
    return Run(Path(folder), settings, {"task": task, "mask": "tube"}, set(), status, metrics)


RUNS = [
    run("000_a", "ablation_crop", 2, loss=1.0),
    run("001_b", "ablation_crop", 4, age_days=5, loss=2.0),
    run("002_c", "baseline", 8, task="external"),
    Run(Path("003_d"), {"name": "planned", "data.target_fps": 8}, {"task": "stream"}, set()),
]


@pytest.mark.parametrize(("filters", "left"), [
    (Filters(), "abcd"),
    (Filters(name="ablation_*"), "ab"),
    (Filters(name="*_b"), "b"),
    (Filters(task="external"), "c"),
    (Filters(since="2d"), "ac"),
    (Filters(since="2000-01-01"), "abc"),
    (Filters(where=["data.target_fps>4"]), "cd"),
    (Filters(where=["data.target_fps>=4", "data.target_fps != 8"]), "b"),
    (Filters(where=["mask == 'tube' and data.target_fps < 3"]), "a"),
    (Filters(where=["loss > 1.5"]), "b"),
    (Filters(where=["task.entry == 'my:train'"]), "c"),
    (Filters(task="stream", since="1w", where=["data.clip_mode == 'fps'"]), "ab"),
])  # fmt: skip
def test_runs_that_are_left(filters: Filters, left: str):
    assert "".join(run.folder.name[-1] for run in filters.apply(RUNS)) == left


@pytest.mark.parametrize(("filters", "reason"), [
    (Filters(where=["data.target_fsp > 4"]), r"--where: data.target_fsp is not a setting \(did you mean"),
    (Filters(where=["data.clip_mode == seconds"]), r"seconds is not a setting \(text is quoted: 'seconds'\)"),
    (Filters(where=["data.clip_mode > 4"]), "--where cannot be evaluated"),
    (Filters(where=["open('x')"]), "--where may hold settings"),
    (Filters(where=["data.target_fps = 4"]), "--where is not an expression"),
    (Filters(task="extrenal"), r"no run has task=extrenal \(did you mean external\?\)"),
    (Filters(task="index"), "no run has task=index; they are external, stream"),
    (Filters(since="yesterday"), "--since must be a date"),
])  # fmt: skip
def test_filters_that_are_not_understood(filters: Filters, reason: str):
    with pytest.raises(ConfigError, match=reason):
        filters.apply(RUNS)


def test_no_run_left():
    with pytest.raises(UserError, match=r"none of the 4 runs is --name 'x\*' --where 'data.target_fps > 9'"):
        Filters(name="x*", where=["data.target_fps > 9"]).apply(RUNS)


def test_moments():
    assert started_after("90m", NOW) == NOW - 5400
    assert started_after("2w", NOW) == NOW - 14 * 86_400
    assert started_after("2025-01-31 12:30", NOW) == datetime(2025, 1, 31, 12, 30).timestamp()
    for text in ("", "3", "3y", "-3d", "2025-13-01", "0001-01-01x"):
        with pytest.raises(ConfigError):
            started_after(text, NOW)
