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
