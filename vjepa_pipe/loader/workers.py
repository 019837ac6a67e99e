"""What happens in a worker process: seeding, threads, and errors that travel as values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.loader.batch_memory import BatchMemory
from vjepa_pipe.loader.monitor import ResourceMonitor
from vjepa_pipe.sampling import SampleKey, seed_worker
from vjepa_pipe.transforms import next_clip_at


@dataclass(frozen=True)
class Failure:
    """An error raised in a worker. It travels as a value, so that its text arrives without a traceback."""

    error: Exception


@dataclass(frozen=True)
class KeyedSamples(Dataset[Any]):
    """A dataset whose expected errors come back as `Failure`, and whose clips go straight into their batch."""

    dataset: Dataset[Any]
    memory: BatchMemory = field(default_factory=BatchMemory, compare=False)

    def __getitem__(self, key: SampleKey) -> Any:
        try:
            return self.dataset[key]
        except UserError as error:
            return Failure(error)

    def __getitems__(self, keys: list[SampleKey]) -> list[Any]:
        """The samples of one batch."""
        samples = []
        for key, place in zip(keys, self.memory.places(len(keys)), strict=True):
            with next_clip_at(place):
                samples.append(self[key])
        self.memory.learn(samples)
        return samples


@dataclass(frozen=True)
class CollateUnlessFailed:
    """Collates a batch, unless one of its samples failed."""

    collate: Callable[[Sequence[Any]], Any]

    def __call__(self, samples: Sequence[Any]) -> Any:
        failed = next((sample for sample in samples if isinstance(sample, Failure)), None)
        return failed if failed is not None else self.collate(samples)


@dataclass(frozen=True)
class WorkerStart:
    """Called in each worker before its first sample.

    Decoding is parallel over workers, so each computes with one thread. Global generators are seeded by
    rank and worker with the LCG of vjepa2's `worker_init_fn`, for third-party transforms that draw from
    them; nothing of our own does.
    """

    rank: int
    monitor_folder: Path | None
    monitor_interval: float

    def __call__(self, worker_id: int) -> None:
        torch.set_num_threads(1)
        seed_worker(worker_id, (torch.initial_seed() - worker_id) % 2**32, self.rank)
        self.start_monitor(f"worker{worker_id}")

    def start_monitor(self, process: str) -> None:
        """Log this process's resources from now on, if that was asked for."""
        if self.monitor_folder is not None:
            file = self.monitor_folder / f"resources_rank{self.rank}_{process}.csv"
            ResourceMonitor(file, self.monitor_interval).start()
