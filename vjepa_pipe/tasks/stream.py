"""task=stream: stream the experiment's batches, count them, draw some."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.task import StreamTaskConfig
from vjepa_pipe.datasets import KeyedDataset, RobotDataset, VideoDataset
from vjepa_pipe.files.whole_file import replacing
from vjepa_pipe.loader import ClipLoader, DataManager
from vjepa_pipe.loader.collate import Batch
from vjepa_pipe.report.preview import draw_preview
from vjepa_pipe.report.robot_preview import draw_robot_preview
from vjepa_pipe.tasks.progress import StreamProgress
from vjepa_pipe.tasks.stopping import STATE, STOPPED, Sigterm, read_state, save_state
from vjepa_pipe.tasks.summary import Summary

PREVIEW = "preview.png"


def stream(experiment: ExperimentConfig, output_dir: Path) -> dict[str, Any]:
    """Stream batches as a trainer would, and leave `summary.json`, `state.json` and `preview.png`.

    However the run ends, `state.json` holds its place and the summary what it saw until then; with
    `task.resume` another run goes on from there. SIGTERM ends it after the batch under way.

    With several ranks each leaves its own summary; the first draws the picture and saves the place, which
    is that of all ranks when they take their steps together.

    Returns:
        `clips`, `clips_per_sec`, `wait_sec`, `replaced`.

    Raises:
        StateError: If the state to resume from is damaged, or of another run.
        SystemExit: With status 143, after SIGTERM.
    """
    task = experiment.task
    assert isinstance(task, StreamTaskConfig)
    manager = DataManager(experiment, output_dir=output_dir)
    loader = manager.build_train_loader()
    if task.resume is not None:
        loader.load_state_dict(read_state(task.resume))
    console = Console(stderr=True)
    if isinstance(loader.dataset, RobotDataset) and manager.rank == 0:
        console.print(*loader.dataset.description, sep="\n", markup=False, highlight=False, soft_wrap=True)
    summary = Summary(loader.report)
    suffix = "" if manager.world_size == 1 else f"_rank{manager.rank}"
    first, stopped = None, False
    try:
        with Sigterm() as sigterm:
            first = _stream(loader, task, summary, sigterm, output_dir if manager.rank == 0 else None, console)
            stopped = sigterm.received
    finally:
        loader.close()
        if manager.rank == 0:
            save_state(output_dir / STATE, loader.state_dict())
        summary.write(output_dir / f"summary{suffix}.json")
    if manager.rank == 0:
        if first is not None and task.preview_clips and not stopped:
            picture = _preview(manager, loader.dataset, first, task.preview_clips)
            if picture is not None:
                try:
                    with replacing(output_dir / PREVIEW) as draft:
                        picture.save(draft, "PNG", optimize=True)
                except UserError as error:  # the clips were streamed all the same
                    console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        console.print(summary.line(), highlight=False)
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
) -> Batch | None:
    """Go through the batches that are left; returns the first."""
    batches = min(len(loader), task.max_batches or len(loader))
    first: Batch | None = None
    left = max(0, batches * (task.epochs - loader.epoch) - loader.first_batch)
    with StreamProgress(console, left, shown=task.progress and state_dir is not None) as progress:
        for epoch in range(loader.epoch, task.epochs):
            if epoch != loader.epoch:
                loader.set_epoch(epoch)
            for batch in islice(loader, max(0, batches - loader.first_batch)):
                groups = batch if isinstance(batch, list) else [batch]
                first = first or groups[0]
                summary.add(groups, loader.seconds_waited)
                progress.advance(summary)
                if state_dir is not None and task.save_every_batches and summary.batches % task.save_every_batches == 0:
                    save_state(state_dir / STATE, loader.state_dict())
                if sigterm.received:
                    return first
    return first


def _preview(manager: DataManager, dataset: KeyedDataset, batch: Batch, clips: int) -> Image.Image | None:
    """The picture of a batch; None for a dataset that nobody has drawn yet."""
    if isinstance(dataset, RobotDataset):
        return draw_robot_preview(manager, dataset, batch, clips)
    return draw_preview(manager, dataset, batch, clips) if isinstance(dataset, VideoDataset) else None
