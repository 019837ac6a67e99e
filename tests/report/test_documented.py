"""What docs/reports.md says of the command line works."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from vjepa_pipe import compose
from vjepa_pipe.cli import main
from vjepa_pipe.config.folders import conf_dir
from vjepa_pipe.figures import FIGURES
from vjepa_pipe.records import Origin, RunRecord

DOCS = (conf_dir().parent / "docs" / "reports.md").read_text()
COMMANDS = re.findall(r"^    vjepa-pipe (report .*)$", DOCS, re.MULTILINE)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `outputs`, where 60 runs are."""
    folder = tmp_path_factory.mktemp("documented")
    choices = {"task": "stream", "mask": "tube"}
    experiment = compose(["name=ablation", "data.target_fps=8", "mask=tube"])
    with RunRecord(folder / "outputs" / "00", experiment, Origin(choices=choices)) as record:
        record.finish({"erased": 0.05})
    for i in range(1, 60):
        shutil.copytree(folder / "outputs" / "00", folder / "outputs" / f"{i:02d}")
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_command(
    command: str, outputs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(outputs)
    assert main(shlex.split(command)) == 0, capsys.readouterr().err
    assert f"of 60: page {2 if '--page' in command else 1} of 2" in capsys.readouterr().out


def test_every_figure_is_explained() -> None:
    assert len(COMMANDS) == 4
    for figure, meaning in FIGURES.items():
        assert f"`{figure}`" in DOCS and meaning in DOCS
