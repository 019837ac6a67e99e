"""A task that takes no time, and fails or dies when its seed says so."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from PIL import Image

FAILS, DIES, STOPS, NAN = 13, 14, 16, 3
TARGET = "task._target_=toy_task.run"


def run(experiment: Any, folder: Path) -> dict[str, Any]:
    with (folder / "ran.txt").open("a") as stream:
        stream.write("x")
    time.sleep(float(os.environ.get("TOY_SLEEP", "0")))
    if experiment.seed == FAILS and "TOY_MENDED" not in os.environ:
        raise ValueError("thirteen is unlucky")
    if experiment.seed == DIES and "TOY_MENDED" not in os.environ:
        os.kill(os.getpid(), signal.SIGKILL)
    if experiment.seed == STOPS and experiment.task.resume is None:
        (folder / "state.json").write_text("{}")
        raise KeyboardInterrupt
    Image.new("RGB", (64, 32), (experiment.seed * 10 % 256, 90, 160)).save(folder / "preview.png")
    loss = float("nan") if experiment.seed == NAN else experiment.seed / 10
    return {"loss": loss, "fps": experiment.data.target_fps, "note": "</script><b>"}


def list_of_nothing(experiment: Any, folder: Path) -> Any:
    return [experiment, folder]


def curve(experiment: Any, folder: Path) -> None:
    """Its loss falls with each of three steps; with 100 frames per second it goes on until it is stopped."""
    steps = 3 if experiment.data.target_fps < 100 else 10**6
    with (folder / "metrics.jsonl").open("w") as stream:
        for step in range(steps):
            loss = experiment.seed * experiment.data.target_fps / (step + 1)
            print(f'{{"step": {step}, "val_loss": {loss}}}', file=stream, flush=True)
            time.sleep(0 if step < 3 else 0.01)
