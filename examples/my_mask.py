"""A mask with settings of its own: the encoder sees some whole time steps, the predictor the others."""

from dataclasses import dataclass

import numpy as np

from vjepa_pipe import MaskConfig, register_config, setting


class TimeSteps:
    def __init__(self, ratio):
        self.ratio = ratio

    def draw(self, rng, grid):  # bool [T, H, W]: true where the encoder sees a token
        seen = rng.permutation(grid[0]) >= round(self.ratio * grid[0])
        return np.broadcast_to(seen[:, None, None], grid)


@dataclass
class TimeStepsConfig(MaskConfig):
    """Whole time steps are hidden."""

    ratio: float = setting(0.75, "share of the time steps that are hidden", gt=0, lt=1)
    _target_: str = setting("my_mask.TimeSteps", "what draws the mask")


register_config("mask", "time_steps", TimeStepsConfig)
