"""A good number of workers and of batches ahead for this machine, found by trying."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import islice
from typing import Any

import psutil
from rich.console import Console

from vjepa_pipe.config.errors import counted
from vjepa_pipe.config.image import IMAGE, ImageStreamConfig
from vjepa_pipe.loader import DataManager

SECONDS_IN_ALL = 50.0
ENOUGH_BETTER = 1.05  # a setting must win by more than the noise of a short run


def tune(manager: DataManager, rate_now: float, console: Console) -> dict[str, Any]:
    """Try numbers of workers up to the cores, then more batches ahead, each for a few seconds.

    Args:
        manager: The experiment.
        rate_now: Clips per second with its own settings.
        console: Where the tries are printed.

    Returns:
        `num_workers`, `prefetch_factor`, `clips_per_sec` and how many times faster that is than before.
    """
    cores = len(psutil.Process().cpu_affinity() or [0]) if hasattr(psutil.Process, "cpu_affinity") else 1
    tries = sorted({1, max(1, cores // 2), cores, cores + cores // 2 or 1})
    seconds = SECONDS_IN_ALL / (len(tries) + 1)
    config = manager.config
    now = max(stream.config.data.num_workers for stream in manager.streams.values())
    best = (now, config.loader.prefetch_factor, rate_now)
    for workers in tries:
        best = _try(manager, workers, config.loader.prefetch_factor, seconds, best, console)
    best = _try(manager, best[0] or 1, 2 * config.loader.prefetch_factor, seconds, best, console)
    workers, ahead, rate = best
    gain = rate / rate_now if rate_now else 1.0
    images = f" image.data.num_workers={workers}" if IMAGE in manager.streams else ""
    console.print(
        f"best: data.num_workers={workers}{images} loader.prefetch_factor={ahead}, {gain:.2f} times the present rate",
        highlight=False,
    )
    return {"num_workers": workers, "prefetch_factor": ahead, "clips_per_sec": rate, "times_faster": gain}


def _try(
    manager: DataManager, workers: int, ahead: int, seconds: float, best: tuple[int, int, float], console: Console
) -> tuple[int, int, float]:
    image = manager.config.image
    if isinstance(image, ImageStreamConfig):
        image = replace(image, data=replace(image.data, num_workers=workers))
    config = replace(
        manager.config,
        data=replace(manager.config.data, num_workers=workers),
        image=image,
        loader=replace(manager.config.loader, prefetch_factor=ahead, persistent_workers=False),
    )
    loader = DataManager(config, manager.rank, manager.world_size).build_train_loader()
    give_up = time.perf_counter() + seconds
    batches = iter(loader)
    for _ in islice(batches, 2):
        pass
    started, before = time.perf_counter(), loader.report.clips
    for _ in batches:
        if time.perf_counter() > give_up:
            break
    loader.close()
    seen = loader.report.clips - before
    rate = seen / (time.perf_counter() - started) if seen else 0.0
    console.print(
        f"  {counted(workers, 'worker')}, {counted(ahead, 'batch', 'batches')} ahead: {rate:.1f} clips/s",
        highlight=False,
    )
    return (workers, ahead, rate) if rate > best[2] * ENOUGH_BETTER else best
