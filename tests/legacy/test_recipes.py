"""The released recipes: the numbers that tell them apart; the checkout tests compare every other one."""

from __future__ import annotations

from typing import Any

import pytest
from released_recipes import RECIPES, V1_RECIPES

from vjepa_pipe import compose

# encoder, frames, side, batch per rank, epochs, iterations per epoch, warm-up epochs, last learning rate, nodes
NUMBERS = {
    "vjepa2_vitl16_256px_16f": ("vit_large", 16, 256, 24, 10, 300, 40, 5.25e-4, 16),
    "vjepa2_vith16_256px_16f": ("vit_huge", 16, 256, 24, 10, 300, 40, 5.25e-4, 16),
    "vjepa2_vitg16_256px_16f": ("vit_giant_xformers", 16, 256, 24, 800, 300, 40, 5.25e-4, 16),
    "vjepa2_vitl16_256px_64f_cooldown": ("vit_large", 64, 256, 12, 40, 300, 0, 1e-6, 32),
    "vjepa2_vith16_256px_64f_cooldown": ("vit_huge", 64, 256, 12, 40, 300, 0, 1e-6, 32),
    "vjepa2_vitg16_256px_64f_cooldown": ("vit_giant_xformers", 64, 256, 6, 4, 30, 0, 1e-6, 64),
    "vjepa2_vitg16_384px_64f_cooldown": ("vit_giant_xformers", 64, 384, 6, 40, 300, 0, 1e-6, 64),
    "vjepa2_ac_droid": ("vit_giant_xformers", 8, 256, 8, 315, 300, 15, 0.0, 4),
    "jepa_vitl16_224px_16f": ("vit_large", 16, 224, 24, 300, 300, 40, 1e-6, 16),
    "jepa_vith16_224px_16f": ("vit_huge", 16, 224, 24, 300, 300, 40, 1e-6, 16),
    "jepa_vith16_384px_16f": ("vit_huge", 16, 384, 10, 300, 300, 40, 1e-6, 30),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_released_numbers(name: str) -> None:
    found = compose([f"experiment={name}"])
    training: Any = found.training
    schedule = training.optimization
    assert (
        training.model.model_name,
        found.data.frames_per_clip,
        found.data.img_size,
        found.data.batch_size,
        schedule.epochs,
        found.loader.iterations_per_epoch,
        schedule.warmup,
        schedule.final_lr,
        training.nodes,
    ) == NUMBERS[name]
    robot = found.robotics.enabled
    assert (found.robotics.temporal_sampling if robot else found.data.convention) == "reference"


def test_every_recipe_is_compared() -> None:
    assert set(NUMBERS) == {*RECIPES, *V1_RECIPES}
