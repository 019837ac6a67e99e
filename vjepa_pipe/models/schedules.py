"""Learning rate, weight decay and momentum of each step (vjepa2 `src/utils/schedulers.py`, `app/vjepa/train.py`).

Pure functions of the step: a run that goes on has nothing to restore.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from vjepa_pipe.config.training.vjepa import VJepaOptimization


@dataclass(frozen=True)
class Schedules:
    """The published schedules. Steps count from 0 over the whole run.

    Attributes:
        optimization: Says where they start and end, and how long they are.
        iterations_per_epoch: Steps of an epoch.
    """

    optimization: VJepaOptimization
    iterations_per_epoch: int

    @property
    def _length(self) -> int:
        """Steps over which the schedules are laid out; with `ipe_scale` above 1, a run ends before they do."""
        return int(self.optimization.ipe_scale * self.optimization.epochs * self.iterations_per_epoch)

    def learning_rate(self, step: int) -> float:
        """Linear warm-up, then half a cosine; with `is_anneal`, a straight line from `lr` to `final_lr`."""
        settings = self.optimization
        done = float(step + 1)
        if settings.is_anneal:
            return settings.lr + done / max(1, self._length) * (settings.final_lr - settings.lr)
        warmup = int(settings.warmup * self.iterations_per_epoch)
        if done < warmup:
            return settings.start_lr + done / max(1, warmup) * (settings.lr - settings.start_lr)
        share = (done - warmup) / max(1, self._length - warmup)
        return max(settings.final_lr, _half_cosine(settings.lr, settings.final_lr, share))

    def weight_decay(self, step: int) -> float:
        """Half a cosine from `weight_decay` to `final_weight_decay`."""
        first, last = self.optimization.weight_decay, self.optimization.final_weight_decay
        now = _half_cosine(first, last, (step + 1) / self._length)
        return max(last, now) if last <= first else min(last, now)

    def momentum(self, step: int) -> float:
        """A straight line between the two values of `ema`."""
        first, last = self.optimization.ema
        length = self.iterations_per_epoch * self.optimization.epochs * self.optimization.ipe_scale
        return first + step * (last - first) / length


def _half_cosine(first: float, last: float, share: float) -> float:
    return last + (first - last) * 0.5 * (1.0 + math.cos(math.pi * share))
