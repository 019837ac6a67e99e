"""quarantine.jsonl as it is found: cut off, written by hand, on a full disk."""

from __future__ import annotations

import errno
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from full_disk import files_end_at
from loading import rows_csv

from vjepa_pipe.config import UserError
from vjepa_pipe.datasets import BadSample
from vjepa_pipe.loader import quarantine
from vjepa_pipe.loader.quarantine import QuarantineWriter, read_quarantine
from vjepa_pipe.sources import read_rows


def bad(row: int) -> BadSample:
    return BadSample("rows", row, f"é{row}.mp4", "VideoError", "why", "pyav")


def line(row: int) -> str:
    return json.dumps(bad(row)._asdict(), ensure_ascii=False)


def rows(file: Path) -> list[int]:
    return [json.loads(text)["row"] for text in file.read_text().splitlines()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "quarantine.jsonl"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"{line(1)}\n{line(2)}", [1, 2]),  # by hand, without the last line's end
        (f"{line(1)}\n{line(2)}\n\n", [1, 2]),
        (f"{line(1)}\n{line(2)[:-5]}", [1]),
        (f"{line(1)}\n{line(2)}".encode()[: len(line(1).encode()) + 48], [1]),  # within é
        ("{", []),
        ("", []),
    ],
)
def test_rows_follow_what_is_whole(file: Path, text: str | bytes, kept: list[int]) -> None:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    writer = QuarantineWriter(file)
    for row in (1, 7, 8, 7):
        writer.add(bad(row))
    assert rows(file) == list(dict.fromkeys([*kept, 1, 7, 8]))


def test_the_file_is_read_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(f"{line(1)}\n")
    opened: list[Path] = []
    real = quarantine.open_regular
    monkeypatch.setattr(quarantine, "open_regular", lambda path: opened.append(path) or real(path))
    writer = QuarantineWriter(file)
    for row in range(20):
        writer.add(bad(row))
    assert opened == [file] and sorted(rows(file)) == list(range(20))


def test_a_full_disk_takes_no_row_and_half_of_none(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    writer = QuarantineWriter(file)
    writer.add(bad(1))
    with caplog.at_level(logging.WARNING), files_end_at(file.stat().st_size + 20):
        writer.add(bad(2))
        writer.add(bad(3))
    assert caplog.text.count("bad rows are not written down: File too large") == 1
    assert rows(file) == [1] and file.read_bytes().endswith(b"\n")
    writer.add(bad(2))
    assert rows(file) == [1, 2]


@pytest.mark.parametrize("what", ["mkdir", "open"])
def test_a_folder_that_cannot_be_written_is_said_once(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    def full(*arguments: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, what, full)
    writer = QuarantineWriter(file)
    with caplog.at_level(logging.WARNING):
        writer.add(bad(2))
        writer.add(bad(3))
    monkeypatch.undo()
    assert caplog.text.count("not written down: No space left on device") == 1
    writer.add(bad(2))
    assert rows(file) == [2]


def test_a_damaged_list_does_not_end_the_run(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.write_text(f"nothing\n{line(1)}\n")
    writer = QuarantineWriter(file)
    with caplog.at_level(logging.WARNING):
        writer.add(bad(2))
        writer.add(bad(3))
    assert caplog.text.count("quarantine.jsonl:1: not a line of a quarantine file") == 1
    assert file.read_text() == f"nothing\n{line(1)}\n"


def test_given_back_a_last_line_counts_without_its_end(videos_csv: Path, tmp_path: Path, file: Path) -> None:
    sources = [read_rows(rows_csv(tmp_path / "rows.csv", videos_csv, {}, 8))]
    lines = [json.dumps(bad(row)._replace(path=sources[0].path(row))._asdict()) for row in (2, 5)]
    file.write_text("\n".join(lines))
    assert read_quarantine(file, sources) == {(0, 2), (0, 5)}
    file.write_text("\n".join(lines)[:-3])
    assert read_quarantine(file, sources) == {(0, 2)}
    file.write_text('{"source": "rows", "row": "2"}')  # whole, and wrong
    with pytest.raises(UserError, match=r"quarantine\.jsonl:1: not a line"):
        read_quarantine(file, sources)
