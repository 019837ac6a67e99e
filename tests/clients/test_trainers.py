"""Other people's trainers take our loader as it is: every row once an epoch, epochs that differ, exact resuming."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

RUNS = Path(__file__).parents[1] / "client_runs.py"
CLIENTS = {"plain": None, "fabric": "lightning", "accelerate": "accelerate", "lightning": "lightning"}
CASES = [pytest.param(name, id=name) for name in CLIENTS]


def run(client: str, folder: Path, csv: Path, workers: int, ranks: int = 1, **env: str) -> None:
    if CLIENTS.get(client):
        pytest.importorskip(CLIENTS[client])
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
        command = [sys.executable, str(RUNS), client, str(folder), str(csv), str(workers)]
        processes.append(
            subprocess.Popen(command, env=os.environ | several | env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        )
    for process in processes:
        text = process.communicate(timeout=200)[0].decode()
        assert process.returncode == 0, text


def seen(folder: Path, ranks: int = 1, suffix: str = "") -> list[tuple[int, list[int]]]:
    steps = [json.loads((folder / f"seen_{rank}{suffix}.json").read_text()) for rank in range(ranks)]
    return [(step[0][0], [row for part in step for row in part[1]]) for step in zip(*steps, strict=True)]


def epochs(steps: list[tuple[int, list[int]]]) -> list[list[int]]:
    return [[row for epoch, rows in steps if epoch == number for row in rows] for number in range(2)]


@pytest.mark.parametrize("client", CASES)
@pytest.mark.parametrize(("workers", "ranks"), [(0, 1), (2, 1), (0, 2)])
def test_two_epochs_and_a_resume(client: str, workers: int, ranks: int, clients_csv: Path, tmp_path: Path) -> None:
    run(client, tmp_path, clients_csv, workers, ranks)
    whole = seen(tmp_path, ranks)
    first, second = epochs(whole)
    assert sorted(first) == sorted(second) == list(range(8))
    assert first != second
    run(client, tmp_path, clients_csv, workers, ranks, STOP_AFTER="2" if ranks == 2 else "3")
    before = seen(tmp_path, ranks)
    run(client, tmp_path, clients_csv, workers, ranks, RESUME="1")
    assert before + seen(tmp_path, ranks, "_resumed") == whole


@pytest.mark.parametrize("workers", [0, 2])
def test_hugging_face_evaluates_every_row_twice(workers: int, clients_csv: Path, tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    run("huggingface", tmp_path, clients_csv, workers)
    rows = [row for _, part in seen(tmp_path) for row in part]
    assert rows == [*range(8), *range(8)]
