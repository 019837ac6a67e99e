"""task=validate: what it says of files that cannot be read, and the reading of every row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from loading import rows_csv, tiny

from vjepa_pipe import ConfigError, ExperimentConfig, compose
from vjepa_pipe.tasks.gates import GateFailed
from vjepa_pipe.tasks.validate import validate


def validated(experiment: ExperimentConfig, folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[dict, str]:
    """What each gate gave, if all passed, and what was said."""
    found = {}
    try:
        found = validate(experiment, folder)
    except GateFailed as error:
        found = {"error": str(error)}
    return found, capsys.readouterr().err


def test_each_gate_says_how_many_files_could_not_be_read(
    videos_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    rows = rows_csv(tmp_path / "rows.csv", videos_csv, {0: "bad0.txt", 2: "bad2.txt"})
    found, said = validated(tiny(rows, "task=validate"), tmp_path, capsys)
    assert found == {"error": "clips did not pass"}
    gates = dict(line.split(": ", 1) for line in said.splitlines())
    assert gates["FAIL clips"].startswith("2 of 4 files opened could not be read, the first: ")
    assert "bad0.mp4: not a video" in gates["FAIL clips"]
    assert "; 1 of 1 files" not in gates["pass transforms"] and "1 of 2 files opened" in gates["pass transforms"]
    assert gates["pass order"].endswith("no file opened")


def test_good_files_are_counted_too(videos_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    found, said = validated(tiny(videos_csv, "task=validate", "task.samples=2"), tmp_path, capsys)
    assert set(found) == {"clips", "transforms", "order"}
    assert "6 clips in 3 clip modes" in said and "0 of 2 files opened could not be read" in said


def test_full_reads_every_row_and_lists_the_bad_ones(
    videos_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    rows = rows_csv(tmp_path / "rows.csv", videos_csv, {5: "bad5.txt", 7: "bad7.txt"})
    settings = ["task=validate", "task.samples=1", "task.full=true", "data.num_workers=1"]
    found, said = validated(tiny(rows, *settings), tmp_path / "out", capsys)
    assert found == {"error": "files did not pass"}
    assert "FAIL files: 2 of 8 rows could not be read; more than loader.max_failure_rate=0.05 of rows" in said
    assert "  rows row 5: " in said and "bad7.mp4: not a video" in said
    lines = [json.loads(line) for line in (tmp_path / "out" / "quarantine.jsonl").read_text().splitlines()]
    assert sorted(line["row"] for line in lines) == [5, 7]

    known = ["loader.quarantine=" + str(tmp_path / "out"), "loader.max_failure_rate=0.5"]
    found, said = validated(tiny(rows, *settings, *known), tmp_path / "again", capsys)
    assert found["files"] is True and "pass files: 2 of 8 rows could not be read" in said


def test_full_reads_robot_episodes(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    experiment = compose([
        "task=validate", "task.full=true", "data=synthetic_robot", "data.num_episodes=3", "robotics=droid",
        "data_aug=robotics", "mask=none", "data.img_size=64", "data.num_workers=1",
    ])  # fmt: skip
    found, said = validated(experiment, tmp_path, capsys)
    assert found["files"] is True, said
    assert "0 of 3 files opened could not be read" in said and "0 of 3 rows could not be read" in said


def test_full_is_a_switch():
    with pytest.raises(ConfigError, match=r"task\.full"):
        compose(["task=validate", "task.full=2"])
