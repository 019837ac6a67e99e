"""Sweeps as a person starts them: other processes, other launchers, killed and continued."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from program import Run, launch
from sweeping import read, states
from toy_task import TARGET

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.records.plan import Point
from vjepa_pipe.sources.tables.cache import MAPPED_BYTES
from vjepa_pipe.sweeps.sweep import raise_if_unfinished


@pytest.mark.parametrize("launcher", ["local", "submitit_local"])
def test_other_launchers_run_from_the_plan(tmp_path: Path, toy: dict[str, str], launcher: str) -> None:
    arguments = ["-m", "hydra.sweep.dir=sweep", f"hydra/launcher={launcher}", TARGET, "seed=1,2,13"]
    if launcher == "submitit_local":
        # Its local controller may open its log before a folder named after the job is there.
        arguments.append("hydra.launcher.submitit_folder=sweep/.submitit")
    result = launch(*arguments, cwd=tmp_path, env=toy)
    assert result.returncode == 1 and "1 of 3 points is not done" in result.stderr, result.stderr
    assert list(states(tmp_path / "sweep").values()) == ["done", "done", "failed"]


def test_what_is_allowed_on_the_command_line_is_allowed_in_jobs(tmp_path: Path) -> None:
    tests = str(Path(__file__).resolve().parents[1])
    sweep = ["-m", "--allow", "toy_task.run", "hydra/launcher=local", "hydra.sweep.dir=sweep", TARGET, "seed=1,2"]
    result = launch(*sweep, cwd=tmp_path, PYTHONPATH=tests)
    assert result.returncode == 0, result.stderr
    assert list(states(tmp_path / "sweep").values()) == ["done", "done"]


# In a process of joblib's null is fork, and forkserver imports the main module as spawn does.
@pytest.mark.parametrize("methods", ["null,spawn", pytest.param("fork,forkserver", marks=pytest.mark.soak)])
def test_points_side_by_side_start_workers_on_mapped_tables(
    tmp_path: Path, toy: dict[str, str], videos_csv: Path, methods: str
) -> None:
    rows = [f"{(videos_csv.parent / line).resolve()}\n" for line in videos_csv.read_text().splitlines()]
    csv = tmp_path / "big.csv"
    while not csv.exists() or csv.stat().st_size <= MAPPED_BYTES:
        with csv.open("a") as file:
            file.writelines(rows * 500)
    result = launch(
        "-m", "hydra/launcher=local", "hydra.sweep.dir=sweep", "data=csv", f"data.data_paths=[{csv}]",
        "data.num_workers=1", "data.batch_size=1", "data.frames_per_clip=4", "data.img_size=32", "mask=none",
        "loader.iterations_per_epoch=2", f"loader.start_method={methods}",
        cwd=tmp_path, env=toy,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert list(states(tmp_path / "sweep").values()) == ["done", "done"]
    assert list(Path(os.environ["VJEPA_PIPE_CACHE"], "rows").iterdir()), "the table is mapped"


def test_a_worker_that_is_killed_loses_no_finished_point(tmp_path: Path, toy: dict[str, str]) -> None:
    arguments = ["-m", "hydra/launcher=local", "hydra.sweep.dir=sweep", TARGET, "seed=1,2,4,14"]
    result = launch(*arguments, cwd=tmp_path, env=toy)
    assert result.returncode == 1 and "the launcher stopped" in result.stderr, result.stderr
    found = states(tmp_path / "sweep")
    assert "done" in found.values() and list(found.values())[-1] == "killed"
    assert (tmp_path / "sweep" / "report.html").exists()
    again = launch("-m", "hydra/launcher=local", "sweep.resume=sweep", cwd=tmp_path, env=toy | {"TOY_MENDED": "1"})
    assert again.returncode == 0, again.stderr
    ran = [file.read_text() for file in sorted(tmp_path.glob("sweep/*/ran.txt"))]
    assert all(times == "x" for times, state in zip(ran, found.values(), strict=True) if state == "done")


def test_a_sweep_that_is_killed_continues_where_it_was(tmp_path: Path, toy: dict[str, str]) -> None:
    arguments = ["-m", "hydra.sweep.dir=sweep", TARGET, "seed=1,2,3,4"]
    process = Run(*arguments, cwd=tmp_path, env=toy | {"TOY_SLEEP": "0.7"})
    deadline = time.monotonic() + 300
    while "".join(file.read_text() for file in tmp_path.glob("sweep/*/ran.txt")) != "xxx":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    found = list(states(tmp_path / "sweep").values())
    assert found == ["done", "done", "killed", "missing"]
    result = launch("-m", "sweep.resume=sweep", cwd=tmp_path, env=toy)
    assert result.returncode == 0, result.stderr
    assert [file.read_text() for file in sorted(tmp_path.glob("sweep/*/ran.txt"))] == ["x", "x", "xx", "x"]
    assert "4 points, 2 to run" in result.stderr


def test_sweeps_and_runs_started_together_never_share_a_folder(tmp_path: Path, toy: dict[str, str]) -> None:
    sweeps = [Run("-m", TARGET, "seed=1,2", cwd=tmp_path, env=toy) for _ in range(2)]
    runs = [Run(TARGET, "seed=1", cwd=tmp_path, env=toy) for _ in range(2)]
    for process in [*sweeps, *runs]:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    folders = list((tmp_path / "outputs" / "default").iterdir())
    assert len([folder for folder in folders if folder.name.startswith("sweep_")]) == 2
    assert len(folders) == 4
    assert [file.read_text() for file in tmp_path.rglob("ran.txt")] == ["x"] * 6


def test_a_point_that_could_not_even_begin_its_record_says_why(tmp_path: Path) -> None:
    points = [Point("a", ["seed=1"], "000_a"), Point("b", ["seed=2"], "001_b")]
    with pytest.raises(UserError) as error:
        raise_if_unfinished(points, tmp_path, None, {"000_a": "cannot write to the output folder: File too large"})
    assert str(error.value).splitlines()[:3] == [
        "2 of 2 points are not done:",
        "  000_a (seed=1): cannot write to the output folder: File too large",
        "  001_b (seed=2): missing",
    ]


def test_a_full_disk_loses_no_finished_point(tmp_path: Path, toy: dict[str, str]) -> None:
    """A limit on the size of files stands in for the disk: the report is larger than any point's files."""
    listed = ",".join(str(seed) for seed in range(20, 50))
    blocks = 40  # of 512 bytes
    command = f"ulimit -f {blocks}; exec {sys.executable} {Path(__file__).parents[2] / 'launch.py'} "
    command += f"-m hydra.sweep.dir=sweep {TARGET} seed={listed}"
    toy["GIT_CEILING_DIRECTORIES"] = str(Path(__file__).parents[2])  # the record of a run holds the checkout's changes
    status = os.spawnvpe(os.P_WAIT, "sh", ["sh", "-c", f"trap '' XFSZ; cd {tmp_path}; {command} 2> err.txt"], toy)
    assert status == 1
    assert "cannot write sweep/report.html: File too large" in (tmp_path / "err.txt").read_text()
    assert set(states(tmp_path / "sweep").values()) == {"done"}
    assert len(read(next(tmp_path.glob("sweep/000*/metrics.json")))) == 3
    result = launch("report", "sweep", cwd=tmp_path, env=toy)
    assert result.returncode == 0 and (tmp_path / "sweep" / "report.html").exists(), result.stderr


def test_planning_imports_neither_torch_nor_a_decoder(tmp_path: Path, toy: dict[str, str]) -> None:
    code = (
        "import sys; from vjepa_pipe.cli import main; "
        "assert main(['-m', 'sweep.dry_run=true', 'seed=1,2']) == 0; "
        "print([m for m in ('torch', 'av', 'decord') if m in sys.modules])"
    )

    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=toy, capture_output=True, text=True)
    assert result.stdout.splitlines()[-1] == "[]", result.stderr
