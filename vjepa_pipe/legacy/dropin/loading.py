"""Our loader in the published return value `(loader, sampler)`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vjepa_pipe.config.errors import ConfigError, counted
from vjepa_pipe.config.loader import LoaderConfig
from vjepa_pipe.datasets import KeyedDataset
from vjepa_pipe.loader import ClipLoader
from vjepa_pipe.loader.fetch import Collate, WorkerStart
from vjepa_pipe.loader.identity import fingerprint_of
from vjepa_pipe.loader.quarantine import quarantine_name
from vjepa_pipe.loader.sampler import RankSampler
from vjepa_pipe.loader.schedule import BatchSchedule
from vjepa_pipe.sampling import SampleOrder

MONITOR_INTERVAL_SEC = 5.0


def build_loader(
    dataset: KeyedDataset,
    collate: Collate,
    batch_size: int,
    rank: int,
    world_size: int,
    *,
    drop_last: bool,
    num_workers: int,
    config: LoaderConfig,
    seed: int,
    weights: Sequence[float] | None = None,
    log_dir: str | None = None,
) -> tuple[ClipLoader, RankSampler]:
    """The loader and its sampler for one rank.

    Args:
        dataset: Its samples.
        collate: Samples to a batch.
        batch_size: Samples per batch and rank.
        rank: This rank.
        world_size: Number of ranks.
        drop_last: Leave out the last, smaller batch.
        num_workers: Worker processes; 0 reads in this process.
        config: How batches are loaded.
        seed: Every draw follows from it; equal on all ranks.
        weights: Share of each source in the samples drawn; unset: every sample once.
        log_dir: Folder for logs of the workers' resources.

    Returns:
        The loader, and its sampler, on which a trainer calls `set_epoch`.

    Raises:
        ConfigError: If there are fewer samples than a batch over all ranks.
    """
    sizes = [len(rows) for rows in dataset.sources]
    global_batch = batch_size * world_size
    epoch_size = len(dataset) // global_batch * global_batch if drop_last else len(dataset)
    if epoch_size == 0:
        ranks, samples = counted(world_size, "rank"), counted(len(dataset), "sample")
        raise ConfigError([f"batch_size={batch_size} on {ranks} is more than all {samples}"])
    loader = ClipLoader(
        dataset,
        BatchSchedule(
            SampleOrder(list(weights or sizes), sizes, epoch_size, seed), epoch_size, batch_size, rank, world_size
        ),
        collate,
        config,
        num_workers,
        seed,
        WorkerStart(seed, rank, Path(log_dir) if log_dir else None, MONITOR_INTERVAL_SEC),
        Path(log_dir or ".") / quarantine_name(rank, world_size),
        lambda: {f"source {rows.name}": fingerprint_of(rows) for rows in dataset.sources},
        drop_last=drop_last,
    )
    return loader, loader.sampler
