"""Running an experiment's task."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.targets import locate

RESOLVED_CONFIG = "resolved_config.yaml"


def run_task(experiment: ExperimentConfig, output_dir: Path) -> dict[str, Any]:
    """Write down the resolved experiment and run its task.

    Args:
        experiment: A checked experiment.
        output_dir: Where the task leaves its files.

    Returns:
        The task's metrics: names to numbers, text or booleans.

    Raises:
        UserError: If the folder cannot be written, or as the task does.
    """
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        (output_dir / RESOLVED_CONFIG).write_text(OmegaConf.to_yaml(OmegaConf.create(dataclasses.asdict(experiment))))
    except OSError as error:
        raise UserError(f"cannot write to the output folder {output_dir}: {error.strerror}") from error
    metrics: dict[str, Any] = locate(experiment.task._target_, "task._target_")(experiment, output_dir)
    return metrics
