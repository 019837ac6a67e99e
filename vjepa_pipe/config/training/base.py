"""What all published trainers read alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from vjepa_pipe.config.fields import setting

REQUIRED = "???"
"""A key without a default in the published code."""


@dataclass
class TrainingConfig:
    """Nothing is handed on: the trainer is your own."""


@dataclass
class PublishedTraining(TrainingConfig):
    """Where a run's files go, and what its SLURM launcher asks for."""

    folder: Optional[str] = setting(None, "folder of logs and checkpoints; absolute for SLURM", path=True)
    nodes: Optional[int] = setting(None, "SLURM nodes", ge=1)
    tasks_per_node: Optional[int] = setting(None, "SLURM tasks, and GPUs, per node", ge=1)
    cpus_per_task: Optional[int] = setting(None, "SLURM cores per task", ge=1)
    mem_per_gpu: Optional[str] = setting(None, "SLURM memory per GPU, such as 220G")


@dataclass
class ScheduleConfig:
    """Learning rate and weight decay over a run."""

    epochs: int = setting(REQUIRED, "epochs to train", ge=1)
    warmup: float = setting(REQUIRED, "epochs of learning-rate warm-up", ge=0)
    weight_decay: float = setting(REQUIRED, "weight decay at the start", ge=0)
    final_weight_decay: float = setting(REQUIRED, "weight decay at the end", ge=0)
    start_lr: float = setting(REQUIRED, "learning rate at the start", ge=0)
    lr: float = setting(REQUIRED, "learning rate after warm-up", ge=0)
    final_lr: float = setting(REQUIRED, "learning rate at the end", ge=0)
    betas: list[float] = setting([0.9, 0.999], "betas of AdamW")
    eps: float = setting(1e-8, "epsilon of AdamW", ge=0)
