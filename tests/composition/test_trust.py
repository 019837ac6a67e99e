"""Nothing that a file says runs code of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from vjepa_pipe.cli import main
from vjepa_pipe.config import ConfigError
from vjepa_pipe.config.targets import locate
from vjepa_pipe.experiments import compose

SLY = {
    "callback": "callbacks: {x: {_target_: pathlib.Path.write_text}}",
    "callback arguments": "callbacks: {x: {_target_: hydra.experimental.callbacks.LogJobReturnCallback, a: [{b: 1}]}}",
    "interpolated callback": "callbacks: {x: '${data.extra_args}'}",
    "factory of a log handler": "job_logging: {handlers: {console: {(): psutil.Popen, args: [touch, ran]}}}",
    "log handler": "job_logging: {handlers: {console: {class: logging.handlers.SocketHandler}}}",
    "log file": "job_logging: {handlers: {file: {filename: /tmp/elsewhere.log}}}",
    "object in logging": "hydra_logging: {formatters: {simple: {format: 'ext://os.environ'}}}",
    "launcher": "launcher: {_target_: psutil.Popen}",
    "sweeper": "sweeper: {_target_: psutil.Popen}",
    "nested in a sweeper": "sweeper: {params: {a: {_target_: psutil.Popen}}}",
    "environment": "job: {env_set: {LD_PRELOAD: evil.so}}",
    "name of the log": "job: {name: ../../elsewhere}",
    "folder": "run: {dir: /tmp/elsewhere}",
    "folder above": "sweep: {dir: a/../../b}",
    "words as if typed": "overrides: {task: ['task.entry=a:b']}",
}


def folder_with(text: str, tmp_path: Path) -> Path:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "sly.yaml").write_text(f"# @package _global_\nhydra:\n  {text}\n")
    return tmp_path


@pytest.mark.parametrize("text", SLY.values(), ids=SLY)
def test_files_choose_nothing_that_hydra_builds(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="counts only when it is typed"):
        compose(["experiment=sly"], folder_with(text, tmp_path))


def test_the_command_line_refuses_before_it_builds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "callbacks: {x: {_target_: psutil.Popen, args: [touch, ran]}}"
    assert main(["--config-dir", str(folder_with(text, tmp_path)), "experiment=sly", "task.max_batches=1"]) == 2
    assert "hydra.callbacks.x._target_" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists()


def test_what_is_typed_is_the_users_own() -> None:
    compose(["hydra.run.dir=/tmp/mine", "+hydra.callbacks.x._target_=mine.Callback", "hydra/launcher=slurm"])


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("vjepa_pipe.cli.main", "data_aug.extra_transforms[0]._target_"),
        ("vjepa_pipe.tasks.stream.stream", "data._target_"),
        ("torchvision.transforms.v2.GaussianBlur", "data._target_"),
        ("torchvision.transforms.v2.functional.torch.load", "data_aug.extra_transforms[0]._target_"),
        ("torchvision.transforms.v2.functional.to_image", "data_aug.extra_transforms[0]._target_"),
        ("vjepa_pipe.datasets.VideoDataset", "data.extra_args.x._target_"),
    ],
)
def test_each_place_has_its_own_targets(name: str, where: str) -> None:
    with pytest.raises(ConfigError, match=r"not an allowed target|cannot be imported"):
        locate(name, where)


def test_transforms_of_torchvision_may_be_added() -> None:
    locate("torchvision.transforms.v2.GaussianBlur", "data_aug.extra_transforms[0]._target_")
