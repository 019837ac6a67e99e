"""The released recipes: the numbers that tell them apart; the checkout tests compare every other one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from published_files import LONG, SHORT, write_file
from released_recipes import RECIPES, RECIPES_2_1, V1_RECIPES, meaning

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


# encoder, layers of the predictor, frames, batches of videos and images per rank, epochs, last learning rate, nodes
NUMBERS_2_1 = {
    "vjepa2_1_vitb16_256px_16f": ("vit_base", 12, 16, 48, 144, 1000, 6e-4, 8),
    "vjepa2_1_vitb16_256px_64f_cooldown": ("vit_base", 12, 64, 24, 144, 40, 1e-6, 16),
    "vjepa2_1_vitl16_256px_16f": ("vit_large", 24, 16, 24, 72, 1000, 6e-4, 16),
    "vjepa2_1_vitl16_256px_64f_cooldown": ("vit_large", 24, 64, 12, 72, 40, 1e-6, 32),
    "vjepa2_1_vitg16_256px_16f": ("vit_giant_xformers", 24, 16, 24, 72, 1000, 6e-4, 16),
    "vjepa2_1_vitg16_256px_64f_cooldown": ("vit_giant_xformers", 24, 64, 12, 72, 40, 1e-6, 32),
    "vjepa2_1_vitgigantic16_256px_16f": ("vit_gigantic_xformers", 24, 16, 12, 36, 1000, 6e-4, 32),
    "vjepa2_1_vitgigantic16_256px_64f_cooldown": ("vit_gigantic_xformers", 24, 64, 6, 36, 40, 1e-6, 64),
}
# What the published file of ViT-L says, beside what test files say of themselves.
VITL_2_1 = {
    "nodes": 16, "tasks_per_node": 8, "cpus_per_task": 16, "mem_per_gpu": "220G",
    "data": {
        "datasets": ["k710", "ssv2", "howto"], "datasets_weights": [0.335, 0.1, 0.565], "dataset_fpcs": [16] * 3,
        "batch_size": 24, "crop_size": 256, "patch_size": 16, "tubelet_size": 2, "fps": 4, "num_workers": 8,
        "pin_mem": True,
    },
    "data_aug": {"random_resize_aspect_ratio": [0.75, 1.35], "random_resize_scale": [0.3, 1.0]},
    "mask": [SHORT, LONG],
    "img_data": {
        "dataset_type": "VideoDataset", "datasets": ["imagenet1k"], "datasets_weights": [1.0], "dataset_fpcs": [1],
        "batch_size": 72, "crop_size": 256, "rank_ratio": 0.5,
    },
    "img_mask": [SHORT | {"num_blocks": 10}],
    "meta": {"dtype": "bfloat16", "seed": 239, "load_checkpoint": True, "save_every_freq": 50, "use_sdpa": True},
    "model": {
        "model_name": "vit_large", "pred_depth": 24, "pred_embed_dim": 384, "pred_num_heads": 12,
        "uniform_power": True, "use_activation_checkpointing": True, "use_mask_tokens": True, "use_rope": True,
        "interpolate_rope": True, "modality_embedding": True, "img_temporal_dim_size": 1,
        "lambda_value_img": 0.5, "lambda_value_vid": 0.5,
    },
    "loss": {"loss_exp": 1.0, "shift_by_n": 0, "weight_distance_loss": True},
    "optimization": {
        "epochs": 1000, "warmup": 40, "weight_decay": 0.04, "final_weight_decay": 0.04, "start_lr": 1e-4,
        "lr": 6e-4, "final_lr": 6e-4, "ema": [0.99925, 0.99925], "ipe": 300, "ipe_scale": 1.25,
    },
}  # fmt: skip


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


@pytest.mark.parametrize("name", NUMBERS_2_1)
def test_released_numbers_of_videos_and_images(name: str) -> None:
    found = compose([f"experiment={name}"])
    training, image = found.training, found.image  # type: Any, Any
    assert (
        training.model.model_name,
        training.model.pred_depth,
        found.data.frames_per_clip,
        found.data.batch_size,
        image.data.batch_size,
        training.optimization.epochs,
        training.optimization.final_lr,
        training.nodes,
    ) == NUMBERS_2_1[name]
    assert (image.share, image.convention, image.data.img_size, found.data.img_size) == (0.5, "reference", 256, 256)


def test_the_recipe_on_videos_and_images_means_what_its_file_means(tmp_path: Path) -> None:
    published = compose([f"legacy={write_file(tmp_path, 'vjepa_2_1', **VITL_2_1)}"])
    assert meaning(compose(["experiment=vjepa2_1_vitl16_256px_16f"])) == meaning(published)


def test_every_recipe_is_compared() -> None:
    assert set(NUMBERS) == {*RECIPES, *V1_RECIPES}
    assert set(NUMBERS_2_1) == set(RECIPES_2_1)
