"""task=benchmark: how long each stage between a file and a batch takes, and what to change first."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vjepa_pipe.config.errors import counted
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.image import IMAGE, VIDEO, ImageStreamConfig
from vjepa_pipe.config.task import BenchmarkTaskConfig
from vjepa_pipe.datasets import VideoDataset
from vjepa_pipe.loader import ClipLoader, DataManager
from vjepa_pipe.loader.fetch import BatchTask, Delivery, FetchBatch, one_thread
from vjepa_pipe.records.files import write_json
from vjepa_pipe.sampling import generator
from vjepa_pipe.sources.media import is_image
from vjepa_pipe.storage import shown_path
from vjepa_pipe.tasks.plain_videos import plain_videos
from vjepa_pipe.tasks.tune import tune

STAGES = ("open", "seek", "decode", "convert", "transform", "collate")


@dataclass
class SourceTimes:
    """Milliseconds of one core per clip, by stage, and the frames decoded for each frame used.

    `share` is that of all clips which the source is taken to have: as much as any other of its stream.
    """

    source: str
    share: float
    open: float = 0.0
    seek: float = 0.0
    decode: float = 0.0
    convert: float = 0.0
    transform: float = 0.0
    collate: float = 0.0
    frames_decoded_per_used: float = 0.0

    @property
    def total(self) -> float:
        """Milliseconds of one core per clip."""
        return float(sum(getattr(self, stage) for stage in STAGES))


def benchmark(experiment: ExperimentConfig, output_dir: Path) -> dict[str, Any]:
    """Time the stages one by one in this process, then the loader as a trainer sees it; leave `benchmark.json`.

    Returns:
        `clips_per_sec` and `wait_ms` per clip of the loader, `ms_per_clip` of one core.
    """
    task = experiment.task
    assert isinstance(task, BenchmarkTaskConfig)
    console, manager = Console(stderr=True), DataManager(experiment, output_dir=output_dir)
    loader = manager.build_train_loader()
    with one_thread():
        times = [one for stream, share in _shares(manager) for one in _stages(stream, share, task.clips)]
    rate, wait = loader_rate(loader, task.batches)
    workers = loader.num_workers
    console.print(_table(times, max(workers, 1), wait))
    console.print(
        f"loader, {counted(workers, 'worker')}: {rate:.1f} clips/s, {wait:.1f} ms waited per clip", highlight=False
    )
    advice = what_to_change(times, rate, max(workers, 1))
    console.print(f"change first: {advice}", markup=False, highlight=False, soft_wrap=True)
    found: dict[str, Any] = {"stages": [asdict(t) for t in times], "clips_per_sec": rate, "advice": advice}
    if task.tune:
        found["tune"] = tune(manager, rate, console)
    write_json(output_dir / "benchmark.json", found)
    return {
        "clips_per_sec": round(rate, 2),
        "wait_ms": round(wait, 2),
        "ms_per_clip": round(_mean_ms(times), 2),
    }


def _shares(manager: DataManager) -> list[tuple[DataManager, float]]:
    """Each stream, and its share of all clips."""
    clips = {name: float(stream.config.data.batch_size) for name, stream in manager.streams.items()}
    if isinstance(image := manager.config.image, ImageStreamConfig):
        clips[IMAGE] *= image.share
        clips[VIDEO] *= 1 - image.share if image.convention == "strict" else 1  # larger batches on fewer ranks
    return [(stream, clips[name] / sum(clips.values())) for name, stream in manager.streams.items()]


def _mean_ms(times: Sequence[SourceTimes]) -> float:
    return sum(t.share * t.total for t in times)


def loader_rate(loader: ClipLoader, batches: int) -> tuple[float, float]:
    """Clips per second of the train loader, and milliseconds waited per clip, after some batches of warming up."""
    stream = iter(loader)
    warm_up = 2 * max(loader.num_workers, 1)  # a worker's first batch is stacked, its next take memory
    for _ in islice(stream, min(warm_up, len(loader) - 1)):
        pass
    started, waited, before = time.perf_counter(), 0.0, loader.report.clips
    for _ in islice(stream, batches):
        waited += loader.seconds_waited
    seen = loader.report.clips - before
    return seen / (time.perf_counter() - started), 1e3 * waited / max(seen, 1)


def what_to_change(times: list[SourceTimes], rate: float, workers: int) -> str:
    """The largest stage of the source that takes most time, in words."""
    worst = max(times, key=lambda t: t.share * t.total)
    stage = max(STAGES, key=lambda s: getattr(worst, s))
    share = getattr(worst, stage) / worst.total
    possible = 1e3 / _mean_ms(times) * workers
    if rate < 0.6 * possible:
        could = f"{possible:.1f} clips/s that {counted(workers, 'worker')} could"
        return f"the loader gives {rate:.1f} of {could}: more cores or tune"
    hints = {
        "open": "many small files or slow storage: copy them nearer",
        "decode": f"{worst.frames_decoded_per_used:.1f} frames are decoded per frame used: task=prepare "
        "makes copies with more key frames and fewer pixels; data.repeated_sampling takes several clips per opening",
        "seek": "slow storage, or a format that cannot seek: task=prepare makes mp4 copies",
        "convert": "frames are large: task=prepare task.short_side=320",
        "transform": "data_aug.precision=fast, fewer RandAugment operations",
        "collate": "loader.output=uint8",
    }
    return f"{stage} is {share:.0%} of {worst.source}: {hints[stage]}"


def _stages(manager: DataManager, share: float, clips: int) -> Iterator[SourceTimes]:
    dataset = plain_videos(manager)
    collate = manager.build_mask_collator()
    first = 0
    for source, rows in enumerate(dataset.sources):
        indices = [first + row for row in np.linspace(0, len(rows) - 1, clips).astype(int).tolist()]
        dataset[indices[0]]  # loads the decoder
        times = SourceTimes(rows.name, share / len(dataset.sources))
        frames = decoded = 0
        for index in indices:
            used, pictures = _one_clip(dataset, index, source, times)
            frames, decoded = frames + used, decoded + pictures
        fetch, nothing = FetchBatch(dataset, collate), Delivery(None, [], [], [])
        batch = [dataset.key_of(i) for i in indices[: manager.config.data.batch_size]]
        fetch(BatchTask(batch))  # the first batch is stacked, and mask generators are made
        with one_thread(), fetch.laid_out(batch) as places:
            samples = fetch.read_all(batch, places, nothing)
            started = time.process_time()
            collate(samples)
            times.collate = 1e3 * (time.process_time() - started) / len(samples)
        for stage in STAGES[:-1]:
            setattr(times, stage, getattr(times, stage) / len(indices))
        times.frames_decoded_per_used = decoded / max(frames, 1)
        yield times
        first += len(rows)


def _one_clip(dataset: VideoDataset, index: int, source: int, times: SourceTimes) -> tuple[int, int]:
    """Add one clip's processor time to `times`; give the frames that it uses and those decoded for it."""
    key = dataset.key_of(index)
    path = dataset.sources[source].path(key.row)
    clock, used, decoded = time.process_time, 0, 0
    if not is_image(shown_path(path)):
        started = clock()
        with dataset.decoder.open(path) as video:
            opened = clock()
            chosen = np.concatenate(
                dataset.clip_samplers[source].draw(generator(key, "clip"), video.num_frames, video.fps)
            )
            video.read(chosen)
            convert, seek = (float(getattr(video, f"{stage}_sec", 0.0)) for stage in ("convert", "seek"))
            used, decoded = len(np.unique(chosen)), getattr(video, "frames_decoded", None) or 0
            times.open += 1e3 * (opened - started)
            times.convert += 1e3 * convert
            times.seek += 1e3 * seek
            times.decode += 1e3 * max(clock() - opened - convert - seek, 0.0)
    clip = dataset.read(key)
    started = clock()
    for part in np.split(clip.frames, len(clip.indices)):
        dataset._transformed(part, key, 0)
    times.transform += 1e3 * (clock() - started)
    return used, decoded


def _table(times: list[SourceTimes], workers: int, wait: float) -> Table:
    """Two lines for each source: its stages, and the clips/s of all workers if that stage were all there is."""
    title = f"ms of one core per clip, and the clips/s of {counted(workers, 'worker')} if that were all"
    table = Table(title=title, title_justify="left", box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("source", *STAGES, "total", "wait", "decoded/used"):
        table.add_column(name, justify="left" if name == "source" else "right")
    for t in times:
        spent = [*(getattr(t, stage) for stage in STAGES), t.total]
        bounds = (f"{1e3 * workers / ms:.0f}" if ms >= 0.05 else "" for ms in spent)
        table.add_row(escape(t.source), *(f"{ms:.1f}" for ms in spent), "", f"{t.frames_decoded_per_used:.1f}")
        table.add_row("", *bounds, style="dim")
    table.add_row("loader", *("" for _ in STAGES), "", f"{wait:.1f}")
    return table
