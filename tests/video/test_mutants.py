"""Damaged files end in true frames or a `VideoError`: a small fixed part of what `make soak` reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz_files import FAULTS, outcome

# Once read wrong: Matroska files with false key marks after a seek, and one whose first mark is false.
FOUND = (2485, 3835, 4345)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutants")


@pytest.mark.parametrize("seed", [*FOUND, *range(0, 5000, 88)])
def test_mutant(seed: int, folder: Path) -> None:
    found = outcome(seed, folder)
    assert found.result not in FAULTS, found
