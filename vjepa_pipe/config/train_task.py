"""What task=train may be told: how to go on, how often to save, log and measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from vjepa_pipe.config.fields import setting
from vjepa_pipe.config.task import TaskConfig

PARALLEL = ("ddp", "fsdp2")


@dataclass
class TrainTaskConfig(TaskConfig):
    """Pretrain V-JEPA on the experiment's batches, with the settings of group training; no checkout is needed.

    python launch.py task=train training=tiny
    """

    max_steps: Optional[int] = setting(
        None, "stop after this many steps of the run; unset: after training.optimization.epochs", ge=1, le=10**12
    )
    parallel: str = setting(
        "ddp",
        "several ranks: `ddp` keeps all weights on each; `fsdp2` shards weights and optimizer over them",
        choices=PARALLEL,
    )
    log_every: int = setting(
        10, "steps from one line of metrics.jsonl to the next", ge=1, le=10**9, affects_results=False
    )
    save_every: int = setting(
        500,
        "steps from one checkpoint to the next; also saved: at the end, on SIGTERM and the epochs that "
        "training.meta.save_every_freq keeps",
        ge=1,
        le=10**9,
        affects_results=False,
    )
    keep: int = setting(
        2, "newest checkpoints kept, beside those of training.meta.save_every_freq", ge=1, le=10**6,
        affects_results=False,
    )  # fmt: skip
    resume: Optional[str] = setting(
        None, "go on from this run's folder, or from one of its checkpoints", path=True, affects_results=False
    )
    measure_every: Optional[int] = setting(
        500, "steps from one measuring of the features to the next, also at the start and the end; unset: never",
        ge=1, le=10**9,
    )  # fmt: skip
    measure_clips: int = setting(
        2048, "clips of the eval loader that are measured, the first ones, over all ranks", ge=2, le=10**6
    )
    progress: bool = setting(True, "print a line for each line of metrics.jsonl", affects_results=False)
    _target_: str = setting("vjepa_pipe.tasks.train.train", "what runs")
