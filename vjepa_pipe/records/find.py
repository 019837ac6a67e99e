"""When a run was or will be given a file: the inverse of the order of samples, so that no step is looked at."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.datasets import Source
from vjepa_pipe.loader.sampler import Place
from vjepa_pipe.loader.steps import Segment
from vjepa_pipe.records.batches import RecordedRun
from vjepa_pipe.sources import Rows
from vjepa_pipe.storage import names_file

EPOCHS = 10
"""Epochs that are looked through where an experiment does not say how many it has."""


class Seen(NamedTuple):
    """One sample of a file.

    Attributes:
        source: Name of its source.
        row: Row in it.
        epoch: From 0.
        step: From 1.
        rank: From 0.
        ranks: How many there are then.
        sample: Its place in the batch of the rank, from 0.
    """

    source: str
    row: int
    epoch: int
    step: int
    rank: int
    ranks: int
    sample: int


def epochs_of(run: RecordedRun) -> int:
    """How many epochs a run has, as far as its experiment says."""
    training: Any = run.experiment.training
    asked = getattr(run.experiment.task, "epochs", None) or getattr(
        getattr(training, "optimization", None), "epochs", None
    )
    return int(asked or EPOCHS)


def find(run: RecordedRun, file: str, epochs: int) -> Iterator[Seen]:
    """Every sample of the rows of a file, step by step, as if all of them could be read.

    Args:
        run: The run.
        file: Path or URL of the file, or its last parts.
        epochs: Of the run, from 0.

    Raises:
        UserError: If no source has such a row.
    """
    for number, segment in enumerate(run.segments):
        last = min((later.began.steps for later in run.segments[number + 1 :]), default=math.inf)
        if last > segment.began.steps:
            yield from sorted(_in_segment(run, segment, file, epochs, last), key=lambda seen: seen[3:])


def _in_segment(run: RecordedRun, segment: Segment, file: str, epochs: int, last: float) -> Iterator[Seen]:
    _, loader = run.loader(segment)
    sources, schedule = loader.dataset.sources, loader.schedule
    rows = [(source, row) for source in range(len(sources)) for row in _rows_of(sources[source], file)]
    if not rows:
        raise UserError(f"no row of {', '.join(one.name for one in sources)} is of {file}")
    end = segment.place(int(last)).epoch + 1 if last < math.inf else epochs
    for epoch in range(segment.began.epoch, min(epochs, end)):
        for source, row in rows:
            for batch, rank, sample in schedule.of_row(source, row, epoch):
                step = segment.step(Place(epoch, batch))
                if segment.began.steps < step <= last:
                    yield Seen(sources[source].name, row, epoch, step, rank, schedule.world_size, sample)


def _rows_of(source: Source, file: str) -> list[int]:
    if isinstance(source, Rows):
        return source.named(file)
    return [row for row in range(len(source)) if names_file(source.path(row), file)]
