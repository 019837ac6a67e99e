"""Other people's trainers take our loader as it is: every row once an epoch, epochs that differ, exact resuming."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from client_runs import loader_for
from torchdata.stateful_dataloader import Stateful

RUNS = Path(__file__).parents[1] / "client_runs.py"
CLIENTS = ("plain", "accelerate", "fabric", "lightning")
STOPS = {1: 3, 2: 1}
"""Steps after which a run is stopped, by the number of ranks."""


def run(folder: Path, csv: Path, workers: str, clients: str, ranks: int) -> Path:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = []
    for rank in range(ranks):
        ours = {
            "RANK": rank, "LOCAL_RANK": rank, "NODE_RANK": rank, "WORLD_SIZE": ranks,
            "GROUP_RANK": rank, "LOCAL_WORLD_SIZE": 1, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
            "TORCHELASTIC_RUN_ID": "x",
        }  # fmt: skip
        several = {name: str(value) for name, value in ours.items()} if ranks > 1 else {}
        command = [sys.executable, RUNS, folder, csv, str(STOPS[ranks]), workers, clients]
        processes.append(
            subprocess.Popen(command, env=os.environ | several, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        )
    for process in processes:
        text = process.communicate(timeout=500)[0].decode()
        assert process.returncode == 0, text
    return folder


@pytest.fixture(scope="module")
def one_rank(clients_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("one"), clients_csv, "0,2", ",".join([*CLIENTS, "huggingface"]), 1)


@pytest.fixture(scope="module")
def two_ranks(clients_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("two"), clients_csv, "0", ",".join(CLIENTS), 2)


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
def test_two_epochs_with_a_stop_and_a_resume(client: str, workers: int, one_rank: Path, clients_csv: Path) -> None:
    check(one_rank / f"{client}_{workers}", clients_csv, 1)


@pytest.mark.parametrize("client", CLIENTS)
def test_two_ranks(client: str, two_ranks: Path, clients_csv: Path) -> None:
    check(two_ranks / f"{client}_0", clients_csv, 2)


@pytest.mark.parametrize("workers", [0, 2])
def test_hugging_face_evaluates_every_row(workers: int, one_rank: Path) -> None:
    steps = seen(one_rank / f"huggingface_{workers}")[0]
    assert [row for _, part in steps for row in part] == [*range(8), *range(8)]


def test_the_protocol_of_torchdata(clients_csv: Path, tmp_path: Path) -> None:
    assert isinstance(loader_for(str(clients_csv), "0", tmp_path), Stateful)
