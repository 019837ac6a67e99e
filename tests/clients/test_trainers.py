"""Other people's trainers take our loader as it is: every row once an epoch, epochs that differ, exact resuming."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from client_runs import CLIENTS, STOPS, loader_for
from torchdata.stateful_dataloader import Stateful

RUNS = Path(__file__).parents[1] / "client_runs.py"


@pytest.fixture(scope="module")
def folders(clients_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Where the runs of one rank, and of two, have left what they saw."""
    made = {ranks: tmp_path_factory.mktemp(f"ranks{ranks}") for ranks in (1, 2)}
    command = [sys.executable, RUNS, made[1], made[2], clients_csv]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=500)
    assert done.returncode == 0, done.stdout.decode()
    return made


def seen(folder: Path, ranks: int = 1) -> list[list[Any]]:
    """Epoch and rows of each step, over all ranks: of the run that was stopped, and of the one that went on."""
    by_rank = [json.loads((folder / f"seen_{rank}.json").read_text()) for rank in range(ranks)]
    return [
        [[step[0][0], [row for part in step for row in part[1]]] for step in zip(*steps, strict=True)]
        for steps in zip(*by_rank, strict=True)
    ]


def given_in_two_epochs(csv: Path, folder: Path, ranks: int) -> list[list[Any]]:
    """The same of our loader by itself."""
    loaders = [loader_for(str(csv), "0", folder, rank, ranks) for rank in range(ranks)]
    steps: list[list[Any]] = []
    for epoch in range(2):
        for batches in zip(*loaders, strict=True):
            steps.append([epoch, [key.row for batch in batches for key in batch["key"]]])
    return steps


def check(folder: Path, csv: Path, ranks: int) -> None:
    expected = given_in_two_epochs(csv, folder, ranks)
    first, second = ([row for epoch, rows in expected if epoch == number for row in rows] for number in range(2))
    assert sorted(first) == sorted(second) == list(range(8)) and first != second
    assert seen(folder, ranks) == [expected[: STOPS[ranks]], expected[STOPS[ranks] :]]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("workers", [0, 2])
def test_two_epochs_with_a_stop_and_a_resume(
    client: str, workers: int, folders: dict[int, Path], clients_csv: Path
) -> None:
    check(folders[1] / f"{client}_{workers}", clients_csv, 1)


@pytest.mark.parametrize("client", CLIENTS)
def test_two_ranks(client: str, folders: dict[int, Path], clients_csv: Path) -> None:
    check(folders[2] / f"{client}_0", clients_csv, 2)


@pytest.mark.parametrize("workers", [0, 2])
def test_hugging_face_evaluates_every_row(workers: int, folders: dict[int, Path]) -> None:
    steps = seen(folders[1] / f"huggingface_{workers}")[0]
    assert [row for _, part in steps for row in part] == [*range(8), *range(8)]


def test_the_protocol_of_torchdata(clients_csv: Path, tmp_path: Path) -> None:
    assert isinstance(loader_for(str(clients_csv), "0", tmp_path), Stateful)
