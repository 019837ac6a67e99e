"""Which of how many processes this one is."""

from __future__ import annotations

import os
import sys

from vjepa_pipe.config.errors import ConfigError

# torchrun and its kin first: inside a SLURM allocation they set ranks of their own.
_LAUNCHERS = (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS"))

WHERE_TO_BUILD = (
    "build the DataManager where the group exists (Lightning: in train_dataloader), or give it rank and world_size"
)


def rank_and_world() -> tuple[int, int]:
    """The rank of this process and the number of ranks.

    An initialised `torch.distributed` answers first, then the variables that torchrun sets (`RANK`,
    `WORLD_SIZE`), then those of a SLURM step (`SLURM_PROCID`, `SLURM_NTASKS`). With none of them
    there is one process. torch is never imported for this.

    Returns:
        `(rank, world_size)`, with `0 <= rank < world_size`.

    Raises:
        ConfigError: Only one variable of a pair is set, or a value is not an integer in range. A
            guess here would feed every process the same data.
    """
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    for rank_name, world_name in _LAUNCHERS:
        if rank_name in os.environ or world_name in os.environ:
            return _from_environment(rank_name, world_name)
    return 0, 1


def _from_environment(rank_name: str, world_name: str) -> tuple[int, int]:
    for name, other in ((rank_name, world_name), (world_name, rank_name)):
        if name not in os.environ:
            raise ConfigError(
                [
                    f"{name} must be set when {other} is ({other}={os.environ[other]}); under a trainer that makes the "
                    f"process group, {WHERE_TO_BUILD}"
                ]
            )
    world_size = _integer(world_name, low=1, high=None)
    return _integer(rank_name, low=0, high=world_size - 1), world_size


def _integer(name: str, low: int, high: int | None) -> int:
    text = os.environ[name]
    bound = f">= {low}" if high is None else f"from {low} to {high}"
    try:
        value = int(text)
    except ValueError:
        raise ConfigError([f"{name} must be an integer {bound} (got {text!r})"]) from None
    if value < low or (high is not None and value > high):
        raise ConfigError([f"{name} must be {bound} (got {value})"])
    return value
