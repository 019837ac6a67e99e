"""One tiny data set for all clients."""

from __future__ import annotations

from pathlib import Path

import pytest

from vjepa_pipe.synthetic import write_synthetic_videos


@pytest.fixture(scope="session")
def clients_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_synthetic_videos(tmp_path_factory.mktemp("clients"), 8)
