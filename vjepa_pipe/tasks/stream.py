"""task=stream: stream the experiment's batches, count them, draw some."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console

from vjepa_pipe.config.captioned import CaptionedDataConfig
from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.image import IMAGE, VIDEO
from vjepa_pipe.config.robot_data import RobotDataConfig
from vjepa_pipe.config.task import StreamTaskConfig
from vjepa_pipe.datasets import RobotDataset
from vjepa_pipe.files.whole_file import replacing
from vjepa_pipe.loader import ClipLoader, DataManager, StateError
from vjepa_pipe.loader.collate import Batch
from vjepa_pipe.loader.fetch import BatchTask, Delivery, FetchBatch
from vjepa_pipe.loader.mixed_schedule import MixedSchedule
from vjepa_pipe.records.figures import summary_name
from vjepa_pipe.report.picture import draw_batch, one_below_another
from vjepa_pipe.tasks.progress import StreamProgress
from vjepa_pipe.tasks.stopping import STATE, STOPPED, Sigterm, read_state, save_state
from vjepa_pipe.tasks.summary import Summary

PREVIEW = "preview.png"


def stream(experiment: ExperimentConfig, output_dir: Path) -> dict[str, Any]:
    """Stream batches as a trainer would, and leave `summary.json`, `state.json` and `preview.png`.

    Of images beside videos, what is counted has names that begin with `image.`, and both are drawn.

    However the run ends, `state.json` holds its place and the summary what it saw until then; with
    `task.resume` another run goes on from there. SIGTERM ends it after the batch under way.

    With several ranks each leaves its own summary; the first draws the picture and saves the place, which
    is that of all ranks when they take their steps together.

    Returns:
        `clips`, `clips_per_sec`, `wait_sec`, `replaced`; of the images beside videos also `image.clips`.

    Raises:
        StateError: If the state to resume from is damaged, or of another run.
        SystemExit: With status 143, after SIGTERM.
    """
    task = experiment.task
    assert isinstance(task, StreamTaskConfig)
    manager = DataManager(experiment, output_dir=output_dir)
    loader = manager.build_train_loader()
    if task.resume is not None:
        state = read_state(task.resume)
        try:
            loader.load_state_dict(state)
        except StateError as error:
            raise StateError(f"task.resume={task.resume}: {error}") from error
    console = Console(stderr=True)
    if isinstance(loader.dataset, RobotDataset) and manager.rank == 0:
        console.print(*loader.dataset.description, sep="\n", markup=False, highlight=False, soft_wrap=True)
    summary = Summary(loader.report, _asked_fps(experiment), manager.world_size)
    first, stopped = dict[str, Batch](), False
    try:
        with Sigterm() as sigterm:
            first = _stream(loader, task, summary, sigterm, output_dir if manager.rank == 0 else None, console)
            stopped = sigterm.received
    finally:
        loader.close()
        if manager.rank == 0:
            save_state(output_dir / STATE, loader.state_dict())
        summary.write(output_dir / summary_name(manager.rank, manager.world_size))
    if manager.rank == 0:
        if task.preview_clips and not stopped:
            first |= _of_other_streams(loader, first, task.preview_clips)
            # Images are low, so that a report's thumbnail, the upper part, shows videos too.
            of_each = (first[modality] for modality in (IMAGE, VIDEO) if modality in first)
            drawn = [draw_batch(manager, loader.dataset, batch, task.preview_clips) for batch in of_each]
            if pictures := [picture for picture in drawn if picture is not None]:
                try:
                    with replacing(output_dir / PREVIEW) as draft:
                        one_below_another(pictures).save(draft, "PNG", optimize=True)
                except UserError as error:  # the clips were streamed all the same
                    console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        summary.print(console, loader.quarantine_file)
        console.print(f"results in {output_dir}", markup=False, highlight=False, soft_wrap=True)
        if stopped:
            console.print(
                f"stopped by SIGTERM; task.resume={output_dir} goes on", markup=False, highlight=False, soft_wrap=True
            )
    if stopped:
        raise SystemExit(STOPPED)
    return summary.metrics()


def _stream(
    loader: ClipLoader,
    task: StreamTaskConfig,
    summary: Summary,
    sigterm: Sigterm,
    state_dir: Path | None,
    console: Console,
) -> dict[str, Batch]:
    """Go through the batches that are left; returns the first of each modality."""
    batches = min(len(loader), task.max_batches or len(loader))
    first: dict[str, Batch] = {}
    left = max(0, batches * (task.epochs - loader.epoch) - loader.first_batch)
    with StreamProgress(console, left, shown=task.progress and state_dir is not None) as progress:
        for epoch in range(loader.epoch, task.epochs):
            if epoch != loader.epoch:
                loader.set_epoch(epoch)
            for batch in islice(loader, max(0, batches - loader.first_batch)):
                groups = _groups(batch)
                first.setdefault(IMAGE if summary.of_images(groups[0]) else VIDEO, groups[0])
                summary.add(groups, loader.seconds_waited)
                progress.advance(summary)
                if state_dir is not None and task.save_every_batches and summary.batches % task.save_every_batches == 0:
                    save_state(state_dir / STATE, loader.state_dict())
                if sigterm.received:
                    return first
    return first


def _of_other_streams(loader: ClipLoader, seen: Collection[str], clips: int) -> dict[str, Batch]:
    """So many clips of each stream that this rank had no batch of: they are another rank's, or a later step's."""
    schedule, began = loader.schedule, loader.report.first
    if not isinstance(schedule, MixedSchedule) or began is None:
        return {}
    first_slot, found = (began.epoch * len(schedule) + began.batch) * schedule.world_size, dict[str, Batch]()
    collate: Any = loader.collate_fn
    for modality, stream in schedule.streams.items():
        if modality not in seen:
            slot = stream.slots.slot_of(modality, stream.slots.before(modality, first_slot))
            delivery = FetchBatch(loader.dataset, collate)(BatchTask(stream.keys(slot)[:clips]))
            if isinstance(delivery, Delivery):
                found[modality] = _groups(delivery.batch)[0]
    return found


def _groups(batch: Any) -> list[Batch]:
    """The clips of each length in a batch; what a collator of the user's own makes is named by its place."""
    if isinstance(batch, list) and all(isinstance(group, dict) for group in batch):
        return batch
    if isinstance(batch, Mapping):
        return [dict(batch)]
    parts = batch if isinstance(batch, (tuple, list)) else [batch]
    return [{f"batch[{i}]": part for i, part in enumerate(parts)}]


def _asked_fps(experiment: ExperimentConfig) -> float | None:
    """Frames per second that clips are asked to have, where it is they that fix the time between frames."""
    data, robotics = experiment.data, experiment.robotics
    if isinstance(data, RobotDataConfig):
        return robotics.fps if robotics.enabled else data.target_fps
    by_fps = data.clip_mode == "fps" and not isinstance(data, CaptionedDataConfig)
    return data.target_fps if by_fps else None
