"""Videos that several tests read, and a cache folder that is not the user's."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from vjepa_pipe.synthetic import write_synthetic_videos

# The same examples each time, however slow the machine: `--hypothesis-profile=default` looks for new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_collection_finish() -> None:
    """What was imported stays to the end; the garbage collector need not look through it over and over."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """$VJEPA_PIPE_CACHE for this process and its children; the processes of xdist share it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VJEPA_PIPE_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def videos_csv(cache: Path) -> Path:
    """An annotation file of eight synthetic videos."""
    return write_synthetic_videos(cache, 8)


@pytest.fixture(autouse=True)
def one_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests decide themselves which rank they are."""
    for name in ("RANK", "WORLD_SIZE", "SLURM_PROCID", "SLURM_NTASKS"):
        if name in os.environ:
            monkeypatch.delenv(name)
