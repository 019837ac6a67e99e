"""A server on the loopback interface, and a storage that does not wait long for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from storage.range_server import RangeServer, serving

from vjepa_pipe.config.storage import StorageConfig
from vjepa_pipe.storage import Storage


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RangeServer]:
    (tmp_path / "served").mkdir()
    with serving(tmp_path / "served") as running:
        yield running


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Storage:
    monkeypatch.setattr("vjepa_pipe.config.storage.FIRST_WAIT_SEC", 0.01)
    return Storage(StorageConfig(timeout_sec=1, retries=1))
