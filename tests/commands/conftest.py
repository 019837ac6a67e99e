"""Commands are called in an empty folder, with `toy_task` as a task that may be named."""

from __future__ import annotations

from pathlib import Path

import pytest

from vjepa_pipe.config import allow_targets


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    allow_targets("toy_task.*")
    monkeypatch.chdir(tmp_path)
    return tmp_path
