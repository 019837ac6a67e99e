"""`batch` and `find`, and what docs/reproduce.md says of them."""

from __future__ import annotations

import re
import shlex
from itertools import islice
from pathlib import Path

import pytest
import torch
from loading import loader_of, rows_csv, tiny

from vjepa_pipe.cli import main
from vjepa_pipe.config.folders import conf_dir
from vjepa_pipe.records import Origin, RunRecord

COMMANDS = re.findall(r"^ {4}vjepa-pipe (.*)$", (conf_dir().parent / "docs" / "reproduce.md").read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, videos_csv: Path) -> Path:
    """A folder with RUN and OTHER_RUN, of which each was given one batch of a list with a bad row; erasing differs."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "videos").mkdir()
    rows = rows_csv(folder / "videos" / "rows.csv", videos_csv, {1: "x.mp4", 2: "bad.txt"}, rows=4)
    for name, erasing in (("RUN", 0.9), ("OTHER_RUN", 0.0)):
        experiment = tiny(rows, f"data_aug.random_erasing={erasing}", "data_aug.auto_augment=true", "data.batch_size=4")
        with RunRecord(folder / name, experiment, Origin()):
            assert list(islice(loader_of(experiment, folder / name), 1))
    return folder


@pytest.fixture(autouse=True)
def within(runs: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs)


@pytest.mark.parametrize("command", COMMANDS)
def test_what_the_page_says(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    differs = "--diff" in command
    assert main(shlex.split(command)) == int(differs), capsys.readouterr().err
    said = capsys.readouterr().out
    assert differs == ("settings that differ: data_aug.random_erasing" in said)
    if command.startswith("find"):
        rows = re.findall(r"^│ +(\d+) │ +(\d+) │ +0 │ +\d │ rows   │   1 │$", said, re.MULTILINE)
        assert rows == [(str(epoch), str(epoch + 1)) for epoch in range(5 if "--epochs" in command else 1)]
    elif not differs:
        assert "RUN: step 1234 is batch 0 of 1 of epoch 1233 (both from 0), on rank 0 of 1 rank" in said
        assert all(
            title in said for title in ("frames", "seconds", "crop", "flip", "RandAugment", "erased", "replaces")
        )
        assert "videos/bad" in said and "(VideoError)" in said and "mask short: the encoder sees " in said
    assert ("RUN/batch_1234.png" in said and Path("RUN/batch_1234.png").exists()) == ("--picture --save" in command)
    if "--save" in command:
        saved = torch.load("batch.pt", weights_only=True)
        assert saved["video"].shape == (4, 3, 4, 64, 64) and saved["key"][0]["epoch"] == 1233


def test_a_run_does_not_differ_from_itself_and_erasing_alone_changes_pixels_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["batch", "RUN", "1", "--diff", "RUN"]) == 0
    assert "of 4 samples differ: rows 0, frames 0, drawn 0, pixels 0, masks 0, others 0" in capsys.readouterr().out
    assert main(["batch", "RUN", "2", "--diff", "OTHER_RUN"]) == 1
    found = re.search(
        r"of 4 samples differ: rows 0, frames 0, drawn (\d), pixels \1, masks 0, others 0", capsys.readouterr().out
    )
    assert found is not None and int(found[1]) >= 2


@pytest.mark.parametrize(("words", "message"), [
    (["batch", "nothing", "1"], "error: nothing is not the folder of a run: there is no resolved_config.yaml in it"),
    (["batch", "RUN", "0"], "error: steps are counted from 1 to 1000000000000 (got 0)"),
    (["batch", "RUN", "1", "--rank", "1"], "error: the run had 1 rank then, from 0 to 0 (got rank 1)"),
    (["batch", "RUN", "1", "--picture", "x.jpg"], "error: --picture must name a .png file (got x.jpg)"),
    (["batch", "RUN", "1", "--save", "no/x.pt"], "error: cannot write no/x.pt: No such file or directory"),
    (["find", "RUN", "--file", "y.mp4"], "error: no row of rows is of y.mp4"),
    (["find", "RUN", "--file", "/"], "error: --file must name a file (got '/')"),
    (["find", "RUN", "--file", "x.mp4", "--epochs", "0"], "error: --epochs must be >= 1 (got 0)"),
])  # fmt: skip
def test_one_clear_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 1
    assert capsys.readouterr().err == f"{message}\n"
