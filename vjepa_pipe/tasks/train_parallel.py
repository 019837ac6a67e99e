"""One model on several ranks: DistributedDataParallel, or FSDP2."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

from vjepa_pipe.config.train_task import TrainTaskConfig
from vjepa_pipe.models.vjepa2 import Pretraining
from vjepa_pipe.sampling import rank_and_world


def backend(task: TrainTaskConfig, device: torch.device) -> str | None:
    """The backend of the process group that a run needs; None: one rank needs none, unless weights are sharded."""
    if rank_and_world()[1] == 1 and task.parallel == "ddp":
        return None
    return "nccl" if device.type == "cuda" else "gloo"


def parallel(network: Pretraining, how: str, device: torch.device) -> nn.Module:
    """What gives the loss of this rank's batch, and gradients that are the mean over ranks.

    Args:
        network: On `device`, the same on every rank. With `fsdp2` its parameters become this rank's shards.
        how: `ddp` or `fsdp2`.
        device: This rank's.
    """
    ranks = rank_and_world()[1]
    if how == "fsdp2":
        mesh = init_device_mesh(device.type, (ranks,))
        for part in (network.encoder, network.predictor, network.target_encoder):
            for layer in part.layer:
                fully_shard(layer, mesh=mesh)
        fully_shard(network, mesh=mesh, reshard_after_forward=True)  # also after a forward pass without a backward one
        register_fsdp_forward_method(network, "features")
        return network
    if ranks == 1:
        return network
    # Mask tokens of clip lengths that a batch does not hold have no part in its loss.
    return nn.parallel.DistributedDataParallel(network, find_unused_parameters=True)


def over_ranks(loss: Tensor, stop: bool) -> tuple[float, bool]:
    """The mean loss of all ranks, and whether any is to stop: all hear the same, so that they stop together."""
    told = torch.stack([loss.detach().float(), torch.tensor(float(stop), device=loss.device)])
    if torch.distributed.is_initialized():
        torch.distributed.all_reduce(told)
        told[0] /= torch.distributed.get_world_size()
    mean_loss, stops = told.tolist()
    return mean_loss, stops > 0


def gathered(mine: Any) -> list[Any]:
    """What each rank has, on every rank, by rank."""
    if not torch.distributed.is_initialized():
        return [mine]
    everyone: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(everyone, mine)
    return everyone
