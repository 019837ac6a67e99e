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
CLIENTS = ("plain", "fabric", "accelerate", "lightning")


def run(client: str, folder: Path, csv: Path, stop_after: int, *workers: int, ranks: int = 1) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = []
    for rank in range(ranks):
        local = 0 if client in ("fabric", "lightning") else rank  # theirs are nodes of one process each
        ours = {
            "RANK": rank, "LOCAL_RANK": local, "NODE_RANK": rank, "WORLD_SIZE": ranks,
            "GROUP_RANK": rank, "LOCAL_WORLD_SIZE": 1, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
            "TORCHELASTIC_RUN_ID": "x",
        }  # fmt: skip
        several = {name: str(value) for name, value in ours.items()} if ranks > 1 else {}
        command = [sys.executable, RUNS, client, folder, csv, str(stop_after), *map(str, workers)]
        processes.append(
            subprocess.Popen(command, env=os.environ | several, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        )
    for process in processes:
        text = process.communicate(timeout=500)[0].decode()
        assert process.returncode == 0, text


def seen(folder: Path, workers: int, ranks: int = 1) -> list[list[Any]]:
    """Epoch and rows of each step, over all ranks: of the run that was stopped, and of the one that went on."""
    by_rank = [json.loads((folder / f"seen_{workers}_{rank}.json").read_text()) for rank in range(ranks)]
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


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(("workers", "ranks"), [((0, 2), 1), ((0,), 2)])
def test_two_epochs_with_a_stop_and_a_resume(
    client: str, workers: tuple[int, ...], ranks: int, clients_csv: Path, tmp_path: Path
) -> None:
    expected = given_in_two_epochs(clients_csv, tmp_path, ranks)
    first, second = ([row for epoch, rows in expected if epoch == number for row in rows] for number in range(2))
    assert sorted(first) == sorted(second) == list(range(8)) and first != second
    stop = 3 if ranks == 1 else 1
    run(client, tmp_path, clients_csv, stop, *workers, ranks=ranks)
    for number in workers:
        assert seen(tmp_path, number, ranks) == [expected[:stop], expected[stop:]]


def test_hugging_face_evaluates_every_row(clients_csv: Path, tmp_path: Path) -> None:
    run("huggingface", tmp_path, clients_csv, 0, 0, 2)
    for number in (0, 2):
        assert [row for _, part in seen(tmp_path, number)[0] for row in part] == [*range(8), *range(8)]


def test_the_protocol_of_torchdata(clients_csv: Path, tmp_path: Path) -> None:
    assert isinstance(loader_for(str(clients_csv), "0", tmp_path), Stateful)
