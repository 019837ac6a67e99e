"""Only regular files are opened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vjepa_pipe.config.errors import ConfigError, UserError
from vjepa_pipe.datasets.still import read_still
from vjepa_pipe.files.regular_file import open_regular, read_regular
from vjepa_pipe.legacy.read import read_legacy
from vjepa_pipe.loader.quarantine import read_quarantine
from vjepa_pipe.sources import read_rows
from vjepa_pipe.video import VideoError


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe.csv")
    return tmp_path / "pipe.csv"


def test_a_file_is_opened_and_nothing_else_is(fifo: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("é", encoding="utf-8")
    assert read_regular(tmp_path / "text") == "é"
    for path, said in ((fifo, "fifo"), (tmp_path, "folder"), (Path("/dev/zero"), "device"), (tmp_path / "no", "No")):
        with pytest.raises(OSError, match=said):
            open_regular(path)
    with pytest.raises(OSError, match="null"):
        open_regular("a\0b")


def test_every_kind_of_list_refuses_a_fifo_and_a_device(fifo: Path, tmp_path: Path) -> None:
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    for path in (fifo, tmp_path / "zero.csv"):
        with pytest.raises(UserError, match="not a file but a"):
            read_rows(path)
        with pytest.raises(UserError, match="not a file but a"):
            read_quarantine(path, [])
        with pytest.raises(ConfigError, match="not a file but a"):
            read_legacy(path)
        with pytest.raises(VideoError, match="not a file but a"):
            read_still(str(path), 1)
