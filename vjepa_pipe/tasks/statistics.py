"""task=statistics: mean, spread and range of the states and actions that an experiment draws."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from torch.utils.data import DataLoader, Dataset

from vjepa_pipe.config.errors import ConfigError, SampleError, UserError, counted
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.task import StatisticsTaskConfig
from vjepa_pipe.datasets import RobotDataset, annotation_files
from vjepa_pipe.datasets.robot_statistics import PARTS, statistics_file
from vjepa_pipe.files.whole_file import make_folder
from vjepa_pipe.loader import DataManager
from vjepa_pipe.records.files import write_json
from vjepa_pipe.robotics import Statistics
from vjepa_pipe.sampling import SampleKey

FILE = "statistics.json"
Motion = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Motions(Dataset[Motion | str]):
    """States and actions of clips, without their frames; a fault for one that cannot be read."""

    dataset: RobotDataset
    keys: list[SampleKey]

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> Motion | str:
        try:
            return self.dataset.motion(self.dataset.read(self.keys[index], decode=False), normalized=False)
        except SampleError as error:
            return str(error)


def statistics(experiment: ExperimentConfig, output_dir: Path) -> dict[str, Any]:
    """Draw clips as training would, and keep the statistics of their unnormalised states and actions.

    They are left as `statistics.json` in the output folder, and in the cache, where `robotics.normalization` finds
    them. Videos are opened but not decoded.

    Returns:
        `clips`, `faults` and `file`, the one in the cache.

    Raises:
        ConfigError: If the experiment has no robot states.
        UserError: If no clip can be read.
    """
    task = experiment.task
    assert isinstance(task, StatisticsTaskConfig)
    dataset, paths = _dataset(experiment)
    rows = range(len(dataset))
    if task.max_episodes is not None and task.max_episodes < len(rows):
        rows = [int(row) for row in np.linspace(0, len(dataset) - 1, task.max_episodes)]  # type: ignore[assignment]
    keys = [
        dataset.key_of(row)._replace(position=row * task.clips_per_episode + clip)
        for row in rows
        for clip in range(task.clips_per_episode)
    ]
    console = Console(stderr=True)
    console.print(*dataset.description, sep="\n", markup=False, highlight=False, soft_wrap=True)
    loader = DataLoader(
        Motions(dataset, keys), batch_size=None, num_workers=experiment.data.num_workers, collate_fn=_as_it_is
    )
    read = list(track(loader, "states and actions", len(keys), console=console, transient=True))
    faults = [found for found in read if isinstance(found, str)]
    motions = [found for found in read if not isinstance(found, str)]
    if not motions:
        raise UserError(f"none of {counted(len(keys), 'clip')} could be read, the first: {faults[0]}")
    content: dict[str, Any] = {
        part: Statistics.of(
            np.concatenate([motion[i].reshape(-1, motion[i].shape[-1]) for motion in motions])
        ).as_lists()
        for i, part in enumerate(PARTS)
    }
    content |= {"clips": len(motions), "faults": len(faults), "first_faults": faults[:10]}
    kept = statistics_file(dataset.config, dataset.robotics, paths)
    for file in (output_dir / FILE, kept):
        _keep(content, file)
    console.print(
        f"statistics of {counted(len(motions), 'clip')}, {counted(len(faults), 'fault')}, in {kept}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return {"clips": len(motions), "faults": len(faults), "file": str(kept)}


def _keep(content: dict[str, Any], file: Path) -> None:
    """Write a file that other runs may be reading."""
    make_folder(file.parent)
    write_json(file, content)


def _dataset(experiment: ExperimentConfig) -> tuple[RobotDataset, list[str]]:
    plain = replace(experiment, robotics=replace(experiment.robotics, normalization="none", statistics=None))
    dataset = DataManager(plain, rank=0, world_size=1).build_train_dataset()
    if not isinstance(dataset, RobotDataset) or not experiment.robotics.enabled:
        raise ConfigError(["task=statistics needs robot states: choose robotics=droid or robotics=lerobot"])
    return dataset, annotation_files(experiment.data)


def _as_it_is(found: Any) -> Any:
    return found
