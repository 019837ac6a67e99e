"""What a training says of itself: `metrics.jsonl`, a line on the terminal for each of its lines, and a tracker."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.files.whole_file import append_whole, write_whole
from vjepa_pipe.tasks.trackers import Tracker

FILE = "metrics.jsonl"
T = TypeVar("T")


class TrainLog:
    """Lines of a training, of which rank 0 writes those of all.

    A line holds the mean loss since the line before, what the step went with (`lr`, `weight_decay`, `momentum`), the
    seconds of a step and `wait_share`, the share of them that was waited for data.

    Args:
        output_dir: Where `metrics.jsonl` is; None: this rank writes nothing.
        every: Steps from one line to the next.
        tracker: Is handed the same.
        shown: Whether lines are printed too.
        first_step: Steps done when this run goes on: lines after that are of steps that are done again.

    Raises:
        UserError: If the file cannot be read or written.
    """

    def __init__(self, output_dir: Path | None, every: int, tracker: Tracker, shown: bool, first_step: int) -> None:
        self._file = None if output_dir is None else output_dir / FILE
        self._every = every
        self._tracker = tracker
        self._console = Console(stderr=True, soft_wrap=True, quiet=not shown or output_dir is None)
        if self._file is not None and self._file.exists():
            write_whole(self._file, "".join(f"{json.dumps(r)}\n" for r in read_lines(self._file, first_step)))
        self._begin()

    def waited_for(self, batches: Iterable[T]) -> Iterator[T]:
        """The same batches; how long each is waited for is counted."""
        batches = iter(batches)
        while True:
            asked = time.perf_counter()
            try:
                batch = next(batches)
            except StopIteration:
                return
            self._waited += time.perf_counter() - asked
            yield batch

    def step(self, step: int, epoch: int, loss: float, last: bool, **settings: float) -> None:
        """Note a step that is done; every so often, and for the last one, a line is written."""
        self._losses.append(loss)
        if step % self._every and not last:
            return
        seconds, steps = time.perf_counter() - self._began, len(self._losses)
        self.write({
            "step": step, "epoch": epoch, "loss": sum(self._losses) / steps, **settings,
            "seconds_per_step": round(seconds / steps, 5), "wait_share": round(self._waited / seconds, 4),
        })  # fmt: skip
        self._begin()

    def write(self, line: Mapping[str, Any]) -> None:
        """Write, show and hand on a line."""
        if self._file is None:
            return
        try:
            append_whole(self._file, f"{json.dumps(line)}\n".encode())
        except OSError as error:
            raise UserError(f"cannot write {self._file}: {error.strerror}") from error
        self._console.print(shown(line), markup=False, highlight=False)
        self._tracker.log({k: float(v) for k, v in line.items() if k != "step"}, line["step"])

    def say(self, text: str) -> None:
        """Print something once."""
        self._console.print(text, markup=False, highlight=False)

    def _begin(self) -> None:
        self._losses: list[float] = []
        self._waited, self._began = 0.0, time.perf_counter()


def shown(line: Mapping[str, Any]) -> str:
    """A line of the log as people read it."""
    words = [f"step {line['step']}, epoch {line['epoch']}"]
    for name, value in line.items():
        if name == "wait_share":
            words.append(f"waited {value:.0%} for data")
        elif name not in ("step", "epoch"):
            words.append(f"{name} {value:.4g}")
    return "  ".join(words)


def read_lines(file: Path, last_step: int | None = None) -> list[dict[str, Any]]:
    """The whole lines of a `metrics.jsonl`, up to those of a step; what a killed run left of a line is passed over.

    Raises:
        UserError: If it cannot be read.
    """
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
    lines = []
    for one in text.splitlines():
        try:
            line = json.loads(one)
        except ValueError:
            continue
        if isinstance(line, dict) and isinstance(line.get("step"), int):
            lines.append(line)
    return [line for line in lines if last_step is None or line["step"] <= last_step]
