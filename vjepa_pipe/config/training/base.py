"""What all published trainers read alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from vjepa_pipe.config.fields import setting

REQUIRED = "???"
"""A key without a default in the published code."""


@dataclass
class TrainingConfig:
    """No trainer's settings: yours reads its own.

    python launch.py --cfg job training=none
    """


@dataclass
class PublishedTraining(TrainingConfig):
    """Where a run's files go, and what its SLURM launcher asks for."""

    folder: Optional[str] = setting(None, "folder of logs and checkpoints; absolute for SLURM", path=True)
    nodes: Optional[int] = setting(None, "SLURM nodes", ge=1)
    tasks_per_node: Optional[int] = setting(None, "SLURM tasks, and GPUs, per node", ge=1)
    cpus_per_task: Optional[int] = setting(None, "SLURM cores per task", ge=1)
    mem_per_gpu: Optional[str] = setting(None, "SLURM memory per GPU, such as 220G")
