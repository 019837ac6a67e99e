"""Keys to a batch, and what reading it cost: the work of a worker process, or of this one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple

import torch

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.datasets import BadSample, KeyedDataset, SampleSkipped, SampleStats, TooManyBadSamples
from vjepa_pipe.datasets.keyed import samples_of
from vjepa_pipe.loader.batch_memory import BatchMemory, Places
from vjepa_pipe.loader.blocks import Blocks
from vjepa_pipe.loader.monitor import ResourceMonitor
from vjepa_pipe.loader.pulse import Phase, Pulse
from vjepa_pipe.loader.worker import Failure
from vjepa_pipe.sampling import SampleKey, seed_worker
from vjepa_pipe.storage import never_forks

Collate = Callable[[Sequence[Any]], Any]


UNKNOWN = SampleStats(0, None, 0.0, 0.0, 0.0)
"""For datasets that do not say what a sample cost."""


class BatchTask(NamedTuple):
    """A batch to read.

    Attributes:
        keys: Its samples.
        blamed: Rows, as source and row, that have ended workers: not to be opened again, as known when the
            task is sent.
        later: Samples of the batches that the same worker is given next; None where nobody plans by them.
        turn: By which workers take turns.
    """

    keys: list[SampleKey]
    blamed: Sequence[tuple[int, int]] = ()
    later: list[SampleKey] | None = None
    turn: int = 0


class Delivery(NamedTuple):
    """A batch and how it came about.

    Attributes:
        batch: What the collator made.
        read: Source name and cost of each sample.
        bad: Rows that could not be read.
        skipped: Source names of the samples that were left out.
    """

    batch: Any
    read: list[tuple[str, SampleStats]]
    bad: list[BadSample]
    skipped: list[str]


@dataclass
class FetchBatch:
    """Reads the samples of a batch and collates them. Errors that a user can mend come back as `Failure`."""

    dataset: KeyedDataset
    collate: Collate
    pulse: Pulse | None = None
    memory: BatchMemory = field(default_factory=BatchMemory)

    @property
    def blocks(self) -> Blocks:
        """Memory that batches stand in."""
        return self.memory.blocks

    def watch(self, pulse: Pulse) -> None:
        """Tell this pulse which row is being read, from now on."""
        self.pulse = pulse
        self.dataset.on_read = pulse.begin

    def plan(self, task: BatchTask) -> None:
        """See `Work`."""
        if task.later is not None:
            self.dataset.quarantine.update(task.blamed)
            self.dataset.plan(task.keys + task.later)

    def __call__(self, task: BatchTask) -> Delivery | Failure:
        self.dataset.quarantine.update(task.blamed)
        with one_thread(), self.laid_out(task.keys) as places:
            return self._read_batch(task.keys, places)

    def leave(self) -> None:
        """See `Work`."""
        self.dataset.plan([])

    def laid_out(self, keys: Sequence[SampleKey]) -> AbstractContextManager[Places]:
        """Where the clips of a batch may be written, like the batch of this modality before."""
        return self.memory.laid_out(len(keys), self.dataset.modality_of(keys[0].source))

    def _read_batch(self, keys: Sequence[SampleKey], places: Places) -> Delivery | Failure:
        delivery = Delivery(None, [], [], [])
        try:
            samples = self.read_all(keys, places, delivery)
            if not samples:
                raise TooManyBadSamples(f"no sample of a batch could be read, the first: {delivery.bad[0].reason}")
        except UserError as error:
            return Failure(error)
        if self.pulse is not None:
            self.pulse.enter(Phase.COLLATING)
        return delivery._replace(batch=self.collate(samples))

    def read_all(self, keys: Sequence[SampleKey], places: Places, delivery: Delivery) -> list[Any]:
        """The samples of one batch, their clips written where they are told to; `delivery` is added to."""
        samples, free = [], iter(places)
        for _, same_row in groupby(keys, self.dataset.first_of):
            together = list(same_row)
            samples += self._read(together, list(islice(free, len(together))), delivery)
        self.memory.learn(samples, self.dataset.modality_of(keys[0].source))
        return samples

    def _read(self, keys: Sequence[SampleKey], places: Places, delivery: Delivery) -> list[Any]:
        """The samples of keys that are read together; none if they are left out."""
        name = self.dataset.sources[keys[0].source].name
        try:
            samples = samples_of(self.dataset, keys, places)
        except SampleSkipped as skipped:
            delivery.bad.append(skipped.bad)
            delivery.skipped.extend([name] * len(keys))
            return []
        if self.pulse is not None:
            self.pulse.end()
        delivery.read.extend((name, sample.pop("stats", UNKNOWN)) for sample in samples)
        delivery.bad.extend(samples[0]["replaced"])
        return samples


@contextmanager
def one_thread() -> Iterator[None]:
    """Within this context torch computes with one thread: on single clips, more of them get in each other's way."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@dataclass(frozen=True)
class WorkerStart:
    """Called in each worker before its first sample.

    Decoding is parallel over workers, so each computes with one thread. Global generators are seeded by
    rank and worker with the LCG of vjepa2's `worker_init_fn`, for third-party transforms that draw from
    them; nothing of our own does.
    """

    seed: int
    rank: int
    monitor_folder: Path | None
    monitor_interval: float

    def __call__(self, worker: int) -> None:
        never_forks()
        torch.set_num_threads(1)
        seed_worker(worker, self.seed % 2**32, self.rank)
        self.start_monitor(f"worker{worker}")

    def start_monitor(self, process: str) -> None:
        """Log this process's resources from now on, if that was asked for."""
        if self.monitor_folder is not None:
            file = self.monitor_folder / f"resources_rank{self.rank}_{process}.csv"
            ResourceMonitor(file, self.monitor_interval).start()
