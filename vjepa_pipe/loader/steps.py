"""steps.jsonl: which batch of which epoch each step of a run was, over resumes, other ranks and epochs cut short.

A step is a batch that each rank is handed; they are counted from 1, over all epochs. A line says where in the data
steps begin to follow each other, batch after batch and epoch after epoch; where they do throughout, there is one line.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.fields import LARGEST
from vjepa_pipe.config.folders import STEPS
from vjepa_pipe.datasets import Source
from vjepa_pipe.files.json_text import parse_json
from vjepa_pipe.files.regular_file import read_regular
from vjepa_pipe.files.whole_file import write_whole
from vjepa_pipe.loader.sampler import Place
from vjepa_pipe.loader.state import LoaderState, StateError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Segment:
    """Steps that follow each other.

    Attributes:
        began: The loader's state before the first of them.
        quarantine: Rows that `loader.quarantine` named, by name of their source.
        time: When it began, in seconds since 1970.
    """

    began: LoaderState
    quarantine: dict[str, list[int]]
    time: float

    def place(self, step: int) -> Place:
        """The batch of a step, from `began.steps + 1`."""
        return Place(*divmod(self._first + step - 1 - self.began.steps, self.began.batches))

    def step(self, place: Place) -> int:
        """The step of a batch, the inverse of `place`."""
        return place.epoch * self.began.batches + place.batch - self._first + 1 + self.began.steps

    def goes_on_as(self, other: Segment) -> bool:
        """Whether the steps of another are those that come here anyway."""
        there = other.began
        same = replace(self.began, epoch=there.epoch, position=there.position, steps=there.steps) == there
        first = there.steps + 1
        return same and self.quarantine == other.quarantine and self.place(first) == other.place(first)

    @property
    def _first(self) -> int:
        """Batches of the run's epochs before the first, were all of this size."""
        return self.began.epoch * self.began.batches + self.began.position // self.began.global_batch_size


class StepLog:
    """Adds a line to `steps.jsonl` where steps begin that do not follow from what stands there.

    Args:
        file: Where. No other process writes it.
        quarantine: Rows that `loader.quarantine` names, by name of their source.
    """

    def __init__(self, file: Path, quarantine: dict[str, list[int]]) -> None:
        self._file = file
        self._quarantine = quarantine
        self._segments: list[Segment] | None = None

    def begin(self, state: LoaderState) -> None:
        """Note that the steps from here on follow a state; a run goes on where that cannot be written."""
        found = Segment(state, self._quarantine, time.time())
        try:
            if self._segments is None:
                self._segments = read_steps(self._file) if self._file.exists() else []
            known = segment_of(self._segments, state.steps + 1)
            if known is None or not known.goes_on_as(found):
                line = {"state": state.to_dict(), "quarantine": found.quarantine, "time": found.time}
                before = read_regular(self._file) if self._file.exists() else ""
                write_whole(self._file, f"{before}{json.dumps(line)}\n")
                self._segments.append(found)
        except (UserError, OSError) as error:  # the run is worth more than its record
            logger.warning("%s: batches of this run cannot be rebuilt from here on: %s", self._file, error)


def read_steps(file: Path) -> list[Segment]:
    """What stands in a `steps.jsonl`, in its order.

    Raises:
        UserError: If it cannot be read, or a line is damaged.
    """
    try:
        lines = read_regular(file).splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {file}: {getattr(error, 'strerror', None) or error}") from error
    return [_segment(line, f"{file}:{number}") for number, line in enumerate(lines, 1)]


def segment_of(segments: Sequence[Segment], step: int) -> Segment | None:
    """The one that a step belongs to: of those that begin before it, the one that was written last.

    A run that was resumed from an older place took some steps twice; the last time counts.
    """
    return next((segment for segment in reversed(segments) if segment.began.steps < step), None)


def by_source(rows: Iterable[tuple[int, int]], sources: Sequence[Source]) -> dict[str, list[int]]:
    """Pairs of source and row as rows by name of their source."""
    found: dict[str, list[int]] = {}
    for source, row in sorted(rows):
        found.setdefault(sources[source].name, []).append(row)
    return found


def _segment(line: str, where: str) -> Segment:
    try:
        content: Any = parse_json(line)
        rows = {str(name): [int(row) for row in rows] for name, rows in content["quarantine"].items()}
        found = Segment(LoaderState.from_dict(content["state"]), rows, float(content["time"]))
    except StateError as error:
        raise UserError(f"{where}: {error}") from error
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise UserError(f"{where}: not a line of {STEPS} ({type(error).__name__}: {error})") from error
    began = found.began
    sizes = began.epoch_size, began.global_batch_size, began.world_size
    if min(sizes) < 1 or max(*sizes, began.epoch, began.position, began.steps) > LARGEST:
        raise UserError(f"{where}: not the place of a run")
    return found
