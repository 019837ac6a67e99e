"""On a full disk a file stays as it was, and nothing half-written lies beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from full_disk import files_end_at

from vjepa_pipe.config import UserError
from vjepa_pipe.files.json_text import parse_json
from vjepa_pipe.files.whole_file import append_whole, make_folder, replacing, write_whole


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "x"
    write_whole(file, "first")
    with files_end_at(10), pytest.raises(UserError, match=f"cannot write {file}: File too large"):
        write_whole(file, "second" * 9)
    with files_end_at(10), pytest.raises(UserError, match=f"cannot write {file}: File too large"):  # noqa: SIM117
        with replacing(file) as draft:
            draft.write_text("second" * 9)
    assert file.read_text() == "first" and list(tmp_path.iterdir()) == [file]


def test_what_is_appended_is_whole_or_not_there(tmp_path: Path) -> None:
    file = tmp_path / "x"
    append_whole(file, b"first\n")
    with files_end_at(10), pytest.raises(OSError, match="File too large"):
        append_whole(file, b"second\n")
    assert file.read_bytes() == b"first\n"
    append_whole(file, b"third\n")
    assert file.read_bytes() == b"first\nthird\n"


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError, match=f"cannot make the folder {folder}: "):
            make_folder(folder)


@pytest.mark.parametrize("content", [b"{", b"[" * 100_000, b"1" * 5000, b'"\xff"', b""])
def test_json_that_is_none_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match="it is n"):
        parse_json(content)
