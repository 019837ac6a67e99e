"""Which of our experiments stands for which published file, and what a comparison leaves out."""

from __future__ import annotations

import dataclasses
from typing import Any

from vjepa_pipe.config import ExperimentConfig
from vjepa_pipe.config.tree import leaves

RECIPES = {
    "vjepa2_vitl16_256px_16f": "configs/train/vitl16/pretrain-256px-16f.yaml",
    "vjepa2_vith16_256px_16f": "configs/train/vith16/pretrain-256px-16f.yaml",
    "vjepa2_vitg16_256px_16f": "configs/train/vitg16/pretrain-256px-16f.yaml",
    "vjepa2_vitl16_256px_64f_cooldown": "configs/train/vitl16/cooldown-256px-64f.yaml",
    "vjepa2_vith16_256px_64f_cooldown": "configs/train/vith16/cooldown-256px-64f.yaml",
    "vjepa2_vitg16_256px_64f_cooldown": "configs/train/vitg16/cooldown-256px-64f.yaml",
    "vjepa2_vitg16_384px_64f_cooldown": "configs/train/vitg16/cooldown-384px-64f.yaml",
    "vjepa2_ac_droid": "configs/train/vitg16/droid-256px-8f.yaml",
}
RECIPES_2_1 = {
    f"vjepa2_1_{ours}16_256px_{kind}": f"configs/train_2_1/{theirs}16/{file}.yaml"
    for ours, theirs in (("vitb", "vitb"), ("vitl", "vitl"), ("vitg", "vitg"), ("vitgigantic", "vitG"))
    for kind, file in (("16f", "pretrain-256px-16f"), ("64f_cooldown", "cooldown-256px-64f"))
}
V1_RECIPES = {
    "jepa_vitl16_224px_16f": "configs/pretrain/vitl16.yaml",
    "jepa_vith16_224px_16f": "configs/pretrain/vith16.yaml",
    "jepa_vith16_384px_16f": "configs/pretrain/vith16_384.yaml",
}
USER_PATHS = (
    "name",
    "data.data_paths",
    "data.path_variables",
    "data.source_names",
    "image.data.data_paths",
    "image.data.path_variables",
    "image.data.source_names",
    "training.folder",
    "training.logging.folder",
    "training.optimization.anneal_ckpt",
    "training.meta.pretrain_checkpoint",
)
"""What every user sets for themselves."""


def meaning(experiment: ExperimentConfig) -> dict[str, Any]:
    """Every setting of an experiment except the user's own paths, by dotted path."""
    values = dict(leaves(dataclasses.asdict(experiment)))
    if experiment.data.clip_mode != "fps":
        del values["data.target_fps"]  # not read then
    return {path: value for path, value in values.items() if path not in USER_PATHS}
