"""What stands in a run's or a sweep's folder is not believed: it is bounded, of its types, and stays in its folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from vjepa_pipe import compose
from vjepa_pipe.config import UserError
from vjepa_pipe.records import Origin, RunRecord
from vjepa_pipe.records.files import inside, read_mapping, read_record
from vjepa_pipe.records.plan import read_plan_file
from vjepa_pipe.report import report_runs
from vjepa_pipe.report.report import _cells

DAMAGED = [b'{"overrides": [', b"[]", b"[" * 100_000, b'{"a": 1' + b"0" * 5000 + b"}", b'{"a": "\xff"}', b"null"]


@pytest.mark.parametrize("content", DAMAGED)
def test_damaged_json_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "origin.json").write_bytes(content)
    with pytest.raises(UserError, match=r"origin\.json"):
        read_mapping(tmp_path / "origin.json")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "origin.json")
    with pytest.raises(UserError, match="it is no file"):
        read_mapping(tmp_path / "origin.json")


@pytest.mark.parametrize("content", [{"overrides": 3}, {"choices": {"data": 1}}, {"more": 1}])
def test_wrong_types_are_named(tmp_path: Path, content: object) -> None:
    (tmp_path / "origin.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"origin\.json is damaged"):
        read_record(tmp_path / "origin.json", Origin)


@pytest.mark.parametrize("name", ["../x", "/etc", "a/../../x", "", ".", "a\0b", "link/x"])
def test_names_lead_nowhere_else(tmp_path: Path, name: str) -> None:
    (tmp_path / "link").symlink_to("/")
    with pytest.raises(UserError, match="is not in that folder"):
        inside(tmp_path, name)


def test_a_plan_stays_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "plan").mkdir()
    for point in ({"id": "a", "folder": "../x"}, {"id": "../../x", "folder": "a"}):
        plan = {"arguments": [], "created": "", "points": [point | {"overrides": []}]}
        (tmp_path / "plan" / "plan.json").write_text(json.dumps(plan))
        with pytest.raises(UserError, match="is not in that folder"):
            read_plan_file(tmp_path)


def test_a_report_leaves_out_what_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out[/b]"
    for name in ("good", "gone"):
        with RunRecord(folder / name, compose([]), Origin()) as record:
            record.finish({"loss": 1.0})
    config = folder / "gone" / "resolved_config.yaml"
    config.write_text(config.read_text().replace("vjepa_pipe.tasks.stream.stream", "gone_plugin.task"))
    report_runs([folder], folder)
    assert "skipped" in capsys.readouterr().err
    assert len((folder / "results.csv").read_text().splitlines()) == 2


def test_formulas_are_escaped_and_numbers_are_not() -> None:
    assert _cells(["=1+1", "-1", "@a", "-x", "+2", "-", 3]) == ["'=1+1", "-1", "'@a", "'-x", "+2", "-", 3]
