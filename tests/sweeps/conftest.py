"""`toy_task` as an allowed target, in this process and in others."""

from __future__ import annotations

import pytest
from sweeping import toy_environment

from vjepa_pipe.config import allow_targets


@pytest.fixture(autouse=True)
def toy_is_allowed() -> None:
    allow_targets("toy_task.*")


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return toy_environment(tmp_path_factory.mktemp("packages"))
