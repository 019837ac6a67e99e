"""task=external: a trainer of the user's gets the published arguments, and only if the user names it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from program import launch
from published_files import write_file

TRAINER = """
import json, pathlib
def main(args, resume_preempt=False):
    path = pathlib.Path(args["folder"]) / f"seen_{args['optimization']['lr']}.json"
    path.write_text(json.dumps(args))
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "theirs" / "app").mkdir(parents=True)
    (tmp_path / "theirs" / "app" / "train.py").write_text(TRAINER)
    return tmp_path / "theirs"


def test_sweep_over_a_trainer(checkout: Path, tmp_path: Path) -> None:
    file = write_file(tmp_path, "vjepa", folder=str(tmp_path / "runs"))
    result = launch(
        "-m", f"legacy={file}", "task=external", "task.entry=app.train:main", f"task.path={checkout}",
        "training.optimization.lr=0.1,0.2", cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    seen = json.loads((tmp_path / "runs" / "seen_0.2.json").read_text())
    assert (seen["app"], seen["optimization"]["lr"], seen["data"]["dataset_fpcs"]) == ("vjepa", 0.2, [4, 8])
    assert (tmp_path / "runs" / "seen_0.1.json").exists()


def test_a_file_does_not_choose_what_runs(checkout: Path, tmp_path: Path) -> None:
    file = write_file(tmp_path, "vjepa")
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "sly.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /task: external\n  - override /data: csv\n"
        f"data:\n  data_paths: [a.csv]\ntask:\n  entry: app.train:main\n  path: {checkout}\n"
    )
    result = launch("--config-dir", "mine", "experiment=sly", cwd=tmp_path)
    assert result.returncode == 2
    assert "task.entry=app.train:main counts only on the command line" in result.stderr
    assert not list(tmp_path.rglob("seen_*"))
    assert launch(f"legacy={file}", "task=external", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("app.train", "must be module:function"),
        ("app.nothing:main", "cannot be imported"),
        ("app.train:run", "has no function run"),
    ],
)
def test_entries_that_do_not_exist(checkout: Path, tmp_path: Path, entry: str, message: str) -> None:
    file = write_file(tmp_path, "vjepa")
    result = launch(
        f"legacy={file}", "task=external", f"task.entry='{entry}'", f"task.path={checkout}", cwd=tmp_path
    )  # fmt: skip
    assert result.returncode in (1, 2)
    assert message in result.stderr and "Traceback" not in result.stderr


GROUP = """
import torch.distributed as dist
def main(folder):
    return {"ranks": dist.get_world_size(), "gloo": dist.get_backend() == "gloo"}
"""


def test_a_process_group_where_the_trainer_expects_one(tmp_path: Path) -> None:
    (tmp_path / "group.py").write_text(GROUP)
    words = ["task=external", "task.entry=group:main", "task.path=.", "hydra.run.dir=run"]
    without = launch(*words, cwd=tmp_path)
    assert without.returncode == 1 and "has not been initialized" in without.stderr
    result = launch(*words, "task.init_process_group=gloo", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads((tmp_path / "run" / "metrics.json").read_text()) == {"ranks": 1, "gloo": True}
    wrong = launch(*words, "task.init_process_group=mpi", cwd=tmp_path)
    assert wrong.returncode == 2 and "must be one of gloo, nccl (got 'mpi')" in wrong.stderr


V1_TRAINER = """
import pathlib
def main(args, resume_preempt=False):
    logging = args["logging"]
    pathlib.Path(logging["folder"], f"{logging['write_tag']}_r0.csv").write_text("epoch,loss\\n1,0.5\\n")
"""


def test_a_log_of_v1_in_its_logging_folder_gives_the_metrics(tmp_path: Path) -> None:
    (tmp_path / "v1.py").write_text(V1_TRAINER)
    file = write_file(tmp_path, "vjepa_v1", logging__folder=str(tmp_path / "logs"), logging__write_tag="tiny")
    words = [f"legacy={file}", "task=external", "task.entry=v1:main", "task.path=.", "hydra.run.dir=run"]
    result = launch(*words, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads((tmp_path / "run" / "metrics.json").read_text()) == {"epoch": 1, "loss": 0.5}
