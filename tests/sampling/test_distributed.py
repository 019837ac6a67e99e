"""Rank and world size from the launcher."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch.distributed

from vjepa_pipe.sampling import rank_and_world

NAMES = ("RANK", "WORLD_SIZE", "SLURM_PROCID", "SLURM_NTASKS")


@pytest.fixture
def launched(monkeypatch):
    def launch(**variables):
        for name in NAMES:
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    launch()
    return launch


def test_one_process_without_a_launcher(launched):
    assert rank_and_world() == (0, 1)


def test_torchrun_comes_before_slurm(launched):
    launched(SLURM_PROCID="5", SLURM_NTASKS="8")
    assert rank_and_world() == (5, 8)
    launched(SLURM_PROCID="0", SLURM_NTASKS="1", RANK="2", WORLD_SIZE="4")
    assert rank_and_world() == (2, 4)


def test_an_initialised_process_group_comes_first(launched, tmp_path):
    launched(RANK="2", WORLD_SIZE="4")
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        assert rank_and_world() == (0, 1)
    finally:
        torch.distributed.destroy_process_group()
    assert rank_and_world() == (2, 4)


def test_torch_is_not_imported():
    code = (
        "import sys; from vjepa_pipe.sampling import *; rank_and_world();"
        "DistributedWeightedSampler([1.0], rank=0, world_size=1); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"RANK": "0"}, "WORLD_SIZE must be set when RANK is (RANK=0)"),
        ({"WORLD_SIZE": "4"}, "RANK must be set when WORLD_SIZE is (WORLD_SIZE=4)"),
        ({"SLURM_NTASKS": "4"}, "SLURM_PROCID must be set when SLURM_NTASKS is (SLURM_NTASKS=4)"),
        ({"RANK": "4", "WORLD_SIZE": "4"}, "RANK must be from 0 to 3 (got 4)"),
        ({"RANK": "-1", "WORLD_SIZE": "4"}, "RANK must be from 0 to 3 (got -1)"),
        ({"RANK": "0", "WORLD_SIZE": "0"}, "WORLD_SIZE must be >= 1 (got 0)"),
        ({"RANK": "0", "WORLD_SIZE": "two"}, "WORLD_SIZE must be an integer >= 1 (got 'two')"),
        ({"SLURM_PROCID": "", "SLURM_NTASKS": "2"}, "SLURM_PROCID must be an integer from 0 to 1 (got '')"),
    ],
)
def test_half_set_or_invalid_variables_are_refused(launched, variables, message):
    launched(**variables)
    with pytest.raises(ValueError, match=re.escape(message)):
        rank_and_world()
