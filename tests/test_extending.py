"""Parts of a user's own, as docs/extending.md shows them: in files of another folder, wherever they are run."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from program import launch
from sweeping import read, states

from vjepa_pipe.config.folders import conf_dir

ROOT = conf_dir().parent
PAGE = (ROOT / "docs" / "extending.md").read_text()
SMALL = ["data.num_videos=16", "data.batch_size=4", "data.img_size=64", "data.frames_per_clip=8", "data.num_workers=0"]
DATASET = ["--plugin", "my_dataset.py", "data._target_=my_dataset.MovingSquares", "+data.extra_args.items=12"]
OTHERS = [
    *["--plugin", "my_decoder.py", "decoder._target_=my_decoder.DecodeAll"],
    *["--plugin", "my_transform.py", "data_aug.extra_transforms=[{_target_: my_transform.DropFrames}]"],
    *["--plugin", "my_mask.py", "mask=time_steps", "mask.ratio=0.5"],
    *["--plugin", "my_sampler.py", "loader.sampler._target_=my_sampler.Repeated"],
    *["--plugin", "my_task.py", "task._target_=my_task.brightness"],
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file in (ROOT / "examples").glob("*.py"):
        shutil.copy(file, tmp_path)
    return tmp_path


def test_the_page_shows_the_files() -> None:
    blocks = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 7
    for name, code in blocks:
        assert code == (ROOT / "examples" / name).read_text()
        assert sum(bool(line.strip()) for line in code.splitlines()) < 20


@pytest.mark.parametrize("command", re.findall(r"^ {4}vjepa-pipe (.*)", PAGE, re.MULTILINE))
def test_the_commands_of_the_page(command: str, folder: Path) -> None:
    words, lists = shlex.split(command), " ls " in command
    few = [] if "task" in command or lists else ["task.max_batches=1", "task.preview_clips=1"]
    short = ["task.epochs=1", "data.eval_videos=8"] if "task=probe" in command else few
    result = launch(*words, *([] if lists else SMALL), *short, cwd=folder)
    assert result.returncode == 0, result.stderr
    assert not lists or "Whole time steps are hidden." in result.stdout
    runs = [file.parent for file in folder.rglob("metrics.json")]
    assert len(runs) == (0 if lists else 2 if "-m" in words else 1)
    assert all((run / "preview.png").exists() for run in runs if few)
    assert all("plugin my_" in (run / "run.json").read_text() for run in runs if "--plugin" in words)


@pytest.mark.parametrize(("dataset", "workers", "start_method"), [
    ([], 2, "fork"), (DATASET, 1, "spawn"), pytest.param([], 2, "spawn", marks=pytest.mark.soak),
])  # fmt: skip
def test_the_same_batches_for_every_start_method(
    folder: Path, dataset: list[str], workers: int, start_method: str
) -> None:
    found = set()
    for how in ("num_workers=0", f"num_workers={workers} loader.start_method={start_method}"):
        changes = f"data.{how} hydra.run.dir=run".split()
        result = launch(*dataset, *OTHERS, *SMALL, *changes, cwd=folder)
        assert result.returncode == 0, result.stderr
        found.add(read(folder / "run" / "metrics.json")["brightness"])
        shutil.rmtree(folder / "run")
    assert len(found) == 1


# Both launchers run the same plan: tests/sweeps/test_launchers.py has both.
@pytest.mark.parametrize("launcher", ["local", pytest.param("submitit_local", marks=pytest.mark.soak)])
def test_in_jobs_of_a_launcher(folder: Path, launcher: str) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    words = ["-m", "hydra.sweep.dir=sweep", f"hydra/launcher={launcher}", "mask.ratio=0.5,0.75"]
    if launcher == "submitit_local":
        words.append("hydra.launcher.submitit_folder=sweep/.submitit")
    result = launch(*words, *DATASET, *(word for word in OTHERS if word != "mask.ratio=0.5"), *SMALL, cwd=folder)
    assert result.returncode == 0, result.stderr
    assert list(states(folder / "sweep").values()) == ["done", "done"]
    assert "mask: mask/time_steps" in next(folder.glob("sweep/0*/resolved_config.yaml")).read_text()


def test_a_plugin_that_has_changed_is_named_when_a_run_is_repeated(folder: Path) -> None:
    mask = ["mask=time_steps", "task.max_batches=1", "task.preview_clips=0", "hydra.run.dir=run"]
    assert launch("--plugin", "my_mask.py", *mask, *SMALL, cwd=folder).returncode == 0
    without = launch("rerun", "run", "--dry-run", cwd=folder)
    assert without.returncode == 1 and "mask/time_steps is not registered" in without.stderr
    assert "--plugin" in without.stderr
    again = launch("--plugin", "my_mask.py", "rerun", "run", "--dry-run", cwd=folder)
    assert again.returncode == 0 and "plugin my_mask" not in again.stderr
    (folder / "my_mask.py").write_text((folder / "my_mask.py").read_text() + "\n")
    changed = launch("--plugin", "my_mask.py", "rerun", "run", "--dry-run", cwd=folder)
    assert changed.returncode == 0 and "versions differ: plugin my_mask is sha256:" in changed.stderr


@pytest.mark.parametrize(("name", "words"), [
    ("nothing.py", "--plugin nothing.py: there is no such file"),
    ("my-mask.py", "--plugin my-mask.py: its name is no module's; give the file another name"),
    ("random.py", "--plugin random.py: random is "),
    ("task.py", "task.entry=os:getcwd counts only on the command line"),
])  # fmt: skip
def test_files_that_are_no_plugin(folder: Path, name: str, words: str) -> None:
    if name != "nothing.py":
        (folder / name).write_text("")
    (folder / "experiment").mkdir()
    (folder / "experiment" / "mine.yaml").write_text(
        "# @package _global_\ndefaults: [override /task: external]\ntask: {entry: 'os:getcwd'}\n"
    )
    result = launch("--plugin", name, "--config-dir", ".", "experiment=mine", cwd=folder)
    assert result.returncode in (1, 2) and words in result.stderr and "Traceback" not in result.stderr
