"""task=stream: stream the experiment's batches, count them, draw some."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console

from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.task import StreamTaskConfig
from vjepa_pipe.datasets import KeyedDataset, RobotDataset, VideoDataset
from vjepa_pipe.loader import DataManager
from vjepa_pipe.loader.collate import Batch
from vjepa_pipe.tasks.preview import draw_preview
from vjepa_pipe.tasks.progress import StreamProgress
from vjepa_pipe.tasks.robot_preview import draw_robot_preview
from vjepa_pipe.tasks.summary import Summary

PREVIEW = "preview.png"


def stream(experiment: ExperimentConfig, output_dir: Path) -> dict[str, Any]:
    """Stream batches as a trainer would, and leave `summary.json` and `preview.png`.

    With several ranks each leaves its own summary; the first draws the picture.

    Returns:
        `clips`, `clips_per_sec`, `wait_sec`, `replaced`.
    """
    task = experiment.task
    assert isinstance(task, StreamTaskConfig)
    manager = DataManager(experiment, output_dir=output_dir)
    loader = manager.build_train_loader()
    batches = min(len(loader), task.max_batches or len(loader))
    console = Console(stderr=True)
    summary = Summary([rows.name for rows in loader.dataset.sources])
    first: Batch | None = None
    with StreamProgress(console, batches * task.epochs, shown=task.progress and manager.rank == 0) as progress:
        for epoch in range(task.epochs):
            loader.set_epoch(epoch)
            for batch in islice(loader, batches):
                groups = batch if isinstance(batch, list) else [batch]
                first = first or groups[0]
                summary.add(groups, loader.seconds_waited)
                progress.advance(summary)
    suffix = "" if manager.world_size == 1 else f"_rank{manager.rank}"
    summary.write(output_dir / f"summary{suffix}.json")
    if manager.rank == 0:
        if first is not None and task.preview_clips:
            _preview(manager, loader.dataset, first, task.preview_clips).save(output_dir / PREVIEW, optimize=True)
        console.print(summary.line(), highlight=False)
        console.print(f"results in {output_dir}", highlight=False, soft_wrap=True)
    return summary.metrics()


def _preview(manager: DataManager, dataset: KeyedDataset, batch: Batch, clips: int) -> Image.Image:
    if isinstance(dataset, RobotDataset):
        return draw_robot_preview(manager, dataset, batch, clips)
    assert isinstance(dataset, VideoDataset)
    return draw_preview(manager, dataset, batch, clips)
