"""The videos that the tests of this folder read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from footage_kinds import write_kind


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give the path of a kind of video, by its name in `footage_kinds`; written once per run, when first asked for."""
    folder = tmp_path_factory.mktemp("footage")
    return lambda name: write_kind(name, folder)
