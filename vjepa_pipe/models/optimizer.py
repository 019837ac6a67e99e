"""AdamW with the published parameter groups (vjepa2 `app/vjepa/utils.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from vjepa_pipe.config.training.vjepa import VJepaOptimization
from vjepa_pipe.models.vjepa2 import Pretraining


def parameter_groups(model: Pretraining) -> Iterator[dict[str, Tensor]]:
    """Parameters by name in the published order: weights of encoder and predictor, then those without weight decay.

    Biases and vectors do not decay. Names are those of `model.named_parameters()`.
    """
    for decays in (True, False):
        for part in ("encoder", "predictor"):
            named = model.get_submodule(part).named_parameters(prefix=part)
            yield {name: weight for name, weight in named if decays is not ("bias" in name or weight.ndim == 1)}


def make_optimizer(model: Pretraining, optimization: VJepaOptimization) -> torch.optim.AdamW:
    """The optimiser of a pretraining; `set_rates` gives it the rates of each step."""
    groups: list[dict[str, Any]] = [{"params": list(group.values())} for group in parameter_groups(model)]
    for group in groups[2:]:
        group |= {"WD_exclude": True, "weight_decay": 0}
    first, second = optimization.betas
    return torch.optim.AdamW(groups, betas=(first, second), eps=optimization.eps)


def set_rates(optimizer: torch.optim.Optimizer, learning_rate: float, weight_decay: float) -> None:
    """Set the learning rate of all groups, and the weight decay of those that have one."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
        if not group.get("WD_exclude"):
            group["weight_decay"] = weight_decay
