"""Modules of a user's own that register options: named on the command line, in the environment or by a package."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from program import launch
from sweeping import states
from toy_task import TARGET

PLUGIN = """
from dataclasses import dataclass
from vjepa_pipe import MaskConfig, allow_targets, register_config
from vjepa_pipe.config.fields import setting

@dataclass
class MyMask(MaskConfig):
    '''A mask of mine.'''
    ratio: float = setting(0.75, "share that is hidden", gt=0, lt=1)

register_config("mask", "mine", MyMask)
allow_targets("toy_task.run")
"""
TESTS = str(Path(__file__).resolve().parents[1])


@pytest.fixture
def path(tmp_path: Path) -> str:
    (tmp_path / "mylab_parts.py").write_text(PLUGIN)
    return os.pathsep.join([str(tmp_path), TESTS])


@pytest.mark.parametrize("launcher", ["basic", "local"])
def test_a_sweep_over_an_option_of_a_plugin(tmp_path: Path, path: str, launcher: str) -> None:
    if launcher == "local":
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    words = ["--plugin", "mylab_parts", f"hydra/launcher={launcher}", "hydra.sweep.dir=sweep", TARGET]
    result = launch("-m", *words, "mask=mine", "mask.ratio=0.1,0.2", cwd=tmp_path, PYTHONPATH=path)
    assert result.returncode == 0, result.stderr
    assert list(states(tmp_path / "sweep").values()) == ["done", "done"]
    assert "mask: mask/mine" in next(tmp_path.glob("sweep/000_*/resolved_config.yaml")).read_text()


def test_a_package_or_the_environment_names_it(tmp_path: Path, path: str) -> None:
    assert (
        "A mask of mine" in launch("ls", "mask", cwd=tmp_path, PYTHONPATH=path, VJEPA_PIPE_PLUGINS="mylab_parts").stdout
    )
    assert "A mask of mine" not in launch("ls", "mask", cwd=tmp_path, PYTHONPATH=path).stdout
    metadata = tmp_path / "mylab-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: mylab\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[vjepa_pipe.plugins]\nparts = mylab_parts\n")
    assert "A mask of mine" in launch("ls", "mask", cwd=tmp_path, PYTHONPATH=path).stdout


@pytest.mark.parametrize(("arguments", "words"), [
    (["--plugin", "no_such_lab", "mask=none"], "the plugin no_such_lab cannot be imported: ModuleNotFoundError"),
    (["--plugin=broken", "ls"], "the plugin broken cannot be imported: ZeroDivisionError"),
    (["--plugin", "leaving.py", "ls"], "leaving cannot be imported: SystemExit: no licence ({folder}/leaving.py:2)"),
    (["--plugin", "broken.py", "--plugin", "other/broken.py", "ls"], "broken is {folder}/broken.py; give the"),
    (["--plugin"], "--plugin needs a name, such as --plugin 'mylab.parts'"),
])  # fmt: skip
def test_a_plugin_that_cannot_be_imported_is_one_message(
    tmp_path: Path, path: str, arguments: list[str], words: str
) -> None:
    (tmp_path / "other").mkdir()
    for file in ("broken.py", "other/broken.py"):
        (tmp_path / file).write_text("1 / 0\n")
    (tmp_path / "leaving.py").write_text("import sys\nsys.exit('no licence')\n")
    result = launch(*arguments, cwd=tmp_path, PYTHONPATH=path)
    assert (
        result.returncode in (1, 2)
        and words.format(folder=tmp_path) in result.stderr
        and "Traceback" not in result.stderr
    )
    assert not (tmp_path / "outputs").exists()


def test_commands_read_records_that_name_what_it_defines(tmp_path: Path) -> None:
    (tmp_path / "brief.py").write_text(
        "import numpy, torch\n\n"
        "def task(experiment, output_dir):\n    return {'a': numpy.float32(1), 'b': torch.tensor(True)}\n"
    )
    plugin, report = ["--plugin", "brief.py"], ["report", "run", "--where", "data.batch_size > 0 and a == 1 and b"]
    assert launch(*plugin, "task._target_=brief.task", "hydra.run.dir=run", cwd=tmp_path).returncode == 0
    result = launch(*plugin, *report, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    result = launch(*report, cwd=tmp_path)
    last = result.stderr.splitlines()[-1]
    assert result.returncode == 2 and "task._target_: brief.task is not an allowed target" in last
