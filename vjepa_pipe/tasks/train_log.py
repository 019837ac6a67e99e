"""What a training says of itself: `metrics.jsonl`, the same on the terminal and to a tracker, and a picture."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from rich.console import Console

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.train_task import TrainTaskConfig
from vjepa_pipe.files.json_text import parse_json
from vjepa_pipe.files.regular_file import open_regular
from vjepa_pipe.files.whole_file import append_whole, replacing, write_whole
from vjepa_pipe.records.curves import CURVES, read_curves
from vjepa_pipe.report.curves import draw_curves
from vjepa_pipe.tasks.trackers import open_tracker

PICTURE = "curves.png"
T = TypeVar("T")


class TrainLog:
    """The log of a training, within a context; `curves.png` is drawn at its end, however the run ends.

    Every `task.log_every` steps there is a line with the mean `loss` since the line before, over all ranks, the `lr`,
    `weight_decay` and `momentum` of the step, `seconds_per_step`, and `wait_share`, the share of that time that this
    rank waited for data. Measures are lines too.

    Args:
        experiment: What runs.
        output_dir: Where the files are; None: this rank writes, prints and tracks nothing.
        step: Steps done when this run goes on: lines after that are of steps that are done again.

    Raises:
        UserError: If the file cannot be read or written, or the tracker does not begin.
    """

    def __init__(self, experiment: ExperimentConfig, output_dir: Path | None, step: int) -> None:
        task = experiment.task
        assert isinstance(task, TrainTaskConfig)
        self._folder, self._every = output_dir, task.log_every
        self._console = Console(stderr=True, soft_wrap=True, quiet=not task.progress or output_dir is None)
        self._last: dict[str, Any] = {"steps": step}
        if output_dir is not None and (output_dir / CURVES).exists():
            _keep_until(output_dir / CURVES, step)
        self._tracker = open_tracker(experiment, output_dir)

    def __enter__(self) -> Self:
        self._waited_in_all, self._started = 0.0, time.perf_counter()
        self._begin_line()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._tracker.close()
        if self._folder is None or not (self._folder / CURVES).exists():
            return
        picture = draw_curves(read_curves(self._folder))
        if picture is not None:
            try:
                with replacing(self._folder / PICTURE) as draft:
                    picture.save(draft, "PNG", optimize=True)
            except UserError as fault:  # the weights are saved all the same
                self.say(str(fault))

    def waited_for(self, batches: Iterable[T]) -> Iterator[T]:
        """The same batches; the time that each is waited for is counted."""
        stream = iter(batches)
        while True:
            asked = time.perf_counter()
            try:
                batch = next(stream)
            except StopIteration:
                return
            self._waited += time.perf_counter() - asked
            yield batch

    def step(self, step: int, epoch: int, loss: float, rates: Mapping[str, float], last: bool) -> None:
        """Note a step that is done; it ends a line every so often, and if it is the last."""
        self._losses.append(loss)
        if step % self._every and not last:
            return
        seconds, steps = time.perf_counter() - self._began, len(self._losses)
        self._waited_in_all += self._waited
        self.write(step, epoch, {
            "loss": sum(self._losses) / steps,
            **rates,
            "seconds_per_step": round(seconds / steps, 5),
            "wait_share": round(self._waited / seconds, 4),
        })  # fmt: skip
        self._begin_line()

    def write(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Write, print and hand on the numbers of a step."""
        self._last |= {**values, "steps": step}
        if self._folder is None:
            return
        file = self._folder / CURVES
        try:
            append_whole(file, (json.dumps({"step": step, "epoch": epoch, **values}) + "\n").encode())
        except OSError as error:
            raise UserError(f"cannot write {file}: {error.strerror}") from error
        self._tracker.log(values, step)
        self.say("  ".join([f"step {step}, epoch {epoch}", *(_shown(*item) for item in values.items())]))

    def say(self, text: str) -> None:
        """Print a line, on the first rank."""
        self._console.print(text, markup=False, highlight=False)

    def metrics(self) -> dict[str, Any]:
        """The steps done, the last value of everything that was logged, and the wait share of the whole run."""
        share = self._waited_in_all / (time.perf_counter() - self._started)
        return {name: value for name, value in self._last.items() if name != "seconds_per_step"} | {
            "wait_share": round(share, 4)
        }

    def _begin_line(self) -> None:
        self._losses: list[float] = []
        self._waited, self._began = 0.0, time.perf_counter()


def _shown(name: str, value: float) -> str:
    return f"waited {value:.0%} for data" if name == "wait_share" else f"{name} {value:.4g}"


def _keep_until(file: Path, step: int) -> None:
    """Leave out lines of later steps, all those before a run that begins anew, and what is left of half a line.

    Raises:
        UserError: If the file cannot be read or written.
    """
    try:
        with open_regular(file) as stream:
            lines = stream.read().splitlines(keepends=True)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
    write_whole(file, b"".join(line for line in lines if step and _step(line) <= step).decode())


def _step(line: bytes) -> float:
    try:
        return float(parse_json(line)["step"])
    except (ValueError, TypeError, KeyError):
        return math.inf
