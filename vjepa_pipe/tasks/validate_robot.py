"""Gate 1 of task=validate for robot data: episodes give clips whose states fit their frames."""

from __future__ import annotations

import torch

from vjepa_pipe.config.errors import counted
from vjepa_pipe.config.img_size import ImgSize, height_and_width
from vjepa_pipe.datasets import RobotDataset
from vjepa_pipe.tasks.gates import OpenedFiles, require


def robot_clips(dataset: RobotDataset, samples: int, size: ImgSize, files: OpenedFiles) -> str:
    """Read the first episodes of every source.

    Args:
        dataset: Raises on what it cannot read.
        samples: Episodes to read of each source.
        size: Height and width of a clip in pixels; one number: a square.
        files: Told of each episode.

    Returns:
        What was found.

    Raises:
        GateFailed: If a clip is not as it should be.
    """
    read, first = 0, 0
    for source, rows in enumerate(dataset.sources):
        length = dataset.lengths[source]
        kept = len(range(0, length, dataset.robotics.frameskip))
        for row in range(min(samples, len(rows))):
            with files.opening(rows.path(row)):
                sample = dataset[first + row]
                where = f"{rows.name} row {sample['row']}"
                shape = list(sample["video"].shape)
                require(shape[-4:] == [3, length, *height_and_width(size)], f"{where}: the clip has shape {shape}")
                if dataset.robotics.enabled:
                    states, actions = sample["states"], sample["actions"]
                    require(
                        (states.shape[-2], actions.shape[-2]) == (kept, kept - 1),
                        f"{where}: {counted(states.shape[-2], 'state')} and {counted(actions.shape[-2], 'action')} "
                        f"for {counted(kept, 'row')}",
                    )
                    finite = bool(torch.isfinite(states).all() and torch.isfinite(actions).all())
                    require(finite, f"{where}: states or actions are not finite")
                read += 1
        first += len(rows)
    timing = f"temporal_sampling={dataset.robotics.temporal_sampling}, alignment={dataset.robotics.alignment}"
    return f"{counted(read, 'episode')} read: the states and actions of clips fit their frames ({timing})"
