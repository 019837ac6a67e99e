"""Resolvers for the names of run folders: `${launched:}_${experiment_id:}`."""

from __future__ import annotations

import os
import time
from typing import Any

from omegaconf import DictConfig

from vjepa_pipe.composition.identity import SHORT, identity
from vjepa_pipe.composition.read import experiment_from
from vjepa_pipe.composition.resolvers import register_resolver
from vjepa_pipe.config.experiment import ExperimentConfig


def register_resolvers() -> None:
    """Make the resolvers known to OmegaConf. Safe to call again."""
    register_resolver("launched", launched, use_cache=True)
    register_resolver("experiment_id", _experiment_id)


def launched() -> str:
    """When this program was started, the same for all processes of one launch.

    Several ranks share one folder, so their time is that of what started them all: the SLURM job, which keeps its
    number when it is requeued, or torchrun on one machine.
    """
    several = several_ranks()
    moment = time.time()
    if several and "SLURM_JOB_ID" in os.environ:
        return f"job{os.environ['SLURM_JOB_ID']}-{os.environ.get('SLURM_STEP_ID', '0')}"
    if several:
        import psutil

        moment = psutil.Process(os.getppid()).create_time()
    return time.strftime("%Y-%m-%d_%H-%M-%S", time.localtime(moment))


def several_ranks() -> bool:
    """Whether this process is one of several that run one experiment together."""
    return any(os.environ.get(name, "1") != "1" for name in ("WORLD_SIZE", "SLURM_NTASKS"))


def _experiment_id(*, _root_: Any) -> str:
    assert isinstance(_root_, DictConfig)
    return identity(experiment_from(_root_))[:SHORT]


def folder_name(experiment: ExperimentConfig) -> str:
    """The name of a run's folder, as conf/config.yaml writes it with the resolvers."""
    return f"{launched()}_{identity(experiment)[:SHORT]}"
