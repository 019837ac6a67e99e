"""Where ranks meet."""

from __future__ import annotations

import os

import pytest

from vjepa_pipe.tasks.process_group import _meet_in_slurm


@pytest.mark.parametrize(
    ("nodes", "first"),
    [("gpu-[004-007,12]", "gpu-004"), ("a12", "a12"), ("n1,n2", "n1"), ("rack-3-[1,5]", "rack-3-1")],
)
def test_ranks_of_slurm_meet_on_their_first_node(monkeypatch: pytest.MonkeyPatch, nodes: str, first: str) -> None:
    for name in ("MASTER_ADDR", "MASTER_PORT", "RANK"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    monkeypatch.setenv("SLURM_STEP_NODELIST", nodes)
    monkeypatch.setenv("SLURM_JOB_ID", "1234567")
    _meet_in_slurm()
    assert (os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]) == (first, "29567")
    monkeypatch.setenv("SLURM_STEP_NODELIST", "others")
    _meet_in_slurm()
    assert os.environ["MASTER_ADDR"] == first  # what is set stays


def test_torchrun_says_where_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("SLURM_JOB_NODELIST", "a[1-2]")
    _meet_in_slurm()
    assert "MASTER_ADDR" not in os.environ
