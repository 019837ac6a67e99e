"""Gate 1 of task=validate for robot data: episodes give clips whose states fit their frames."""

from __future__ import annotations

import torch

from vjepa_pipe.config.errors import counted
from vjepa_pipe.datasets import RobotDataset


def robot_clips(dataset: RobotDataset, samples: int, size: int) -> tuple[str | None, str]:
    """Read the first episodes of every source.

    Args:
        dataset: Raises on what it cannot read.
        samples: Episodes to read of each source.
        size: Side of a clip in pixels.

    Returns:
        What is wrong, or None; and what was found.
    """
    read, first = 0, 0
    for source, rows in enumerate(dataset.sources):
        length = dataset.lengths[source]
        kept = len(range(0, length, dataset.robotics.frameskip))
        for row in range(first, first + min(samples, len(rows))):
            sample = dataset[row]
            where = f"{rows.name} row {sample['row']}"
            if tuple(sample["video"].shape[-4:]) != (3, length, size, size):
                return f"{where}: the clip has shape {list(sample['video'].shape)}", ""
            if dataset.robotics.enabled:
                states, actions = sample["states"], sample["actions"]
                if states.shape[-2] != kept or actions.shape[-2] != kept - 1:
                    found = f"{counted(states.shape[-2], 'state')} and {counted(actions.shape[-2], 'action')}"
                    return f"{where}: {found} for {counted(kept, 'row')}", ""
                if not (torch.isfinite(states).all() and torch.isfinite(actions).all()):
                    return f"{where}: states or actions are not finite", ""
            read += 1
        first += len(rows)
    timing = f"temporal_sampling={dataset.robotics.temporal_sampling}, alignment={dataset.robotics.alignment}"
    return None, f"{counted(read, 'episode')} read: the states and actions of clips fit their frames ({timing})"
