"""`metrics.jsonl`: whoever writes it, and however it ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vjepa_pipe.config import UserError
from vjepa_pipe.records import curves
from vjepa_pipe.records.curves import last_values, read_curves


def written(folder: Path, *lines: str) -> Path:
    (folder / "metrics.jsonl").write_text("\n".join(lines))
    return folder


def test_lines_of_a_step_belong_together_and_later_ones_count(tmp_path: Path) -> None:
    found = read_curves(written(
        tmp_path, '{"step": 10, "loss": 3}', '{"step": 20, "loss": 2.5, "lr": 0.1}',
        '{"step": 20, "val": {"top1": 0.4}}', '{"step": 10, "loss": 2.9}',
    ))  # fmt: skip
    assert found == {10: {"loss": 2.9}, 20: {"loss": 2.5, "lr": 0.1, "val.top1": 0.4}} and list(found) == [10, 20]
    assert last_values(found) == {"loss": 2.5, "lr": 0.1, "val.top1": 0.4}


def test_without_steps_lines_count(tmp_path: Path) -> None:
    found = read_curves(written(tmp_path, '{"loss": 3, "note": "x", "done": true}', '{"loss": 2, "huge": 1e99}'))
    assert found == {0: {"loss": 3}, 1: {"loss": 2}}


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    assert read_curves(tmp_path) == {}
    damaged = ['{"step": 1, "loss": 1}', "[1, 2]", "null", "[" * 100_000, '{"step": 2}', "", '{"step": 3, "loss": 0.']
    assert read_curves(written(tmp_path, *damaged)) == {1: {"loss": 1}}
    (tmp_path / "metrics.jsonl").write_bytes(b'\xff\xfe\n{"step": 2, "loss": NaN}\n')
    assert [*read_curves(tmp_path)] == [2]
    assert read_curves(written(tmp_path, '{"step": NaN, "loss": 1}')) == {}


def test_of_a_large_file_the_end_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "MAX_BYTES", 100)
    found = read_curves(written(tmp_path, *(f'{{"step": {i}, "loss": 1}}' for i in range(100))))
    assert [*found] == [95, 96, 97, 98, 99][-len(found) :] and len(found) >= 3
    assert [*read_curves(tmp_path, 30)] == [99]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "metrics.jsonl")
    with pytest.raises(UserError, match="not a file but a fifo"):
        read_curves(tmp_path)
