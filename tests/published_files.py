"""Small files of every published kind, written for these tests: each has only what its code needs."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

SCHEDULE = {"epochs": 3, "warmup": 1, "weight_decay": 0.1, "final_weight_decay": 0.2}
RATES = {"start_lr": 1e-4, "lr": 1e-3, "final_lr": 1e-5}
BLOCKS = {"spatial_scale": [0.2, 0.3], "temporal_scale": [1.0, 1.0], "aspect_ratio": [0.8, 1.2], "num_blocks": 3}
SHORT = BLOCKS | {"spatial_scale": [0.15, 0.15], "aspect_ratio": [0.75, 1.5], "num_blocks": 8}
LONG = SHORT | {"spatial_scale": [0.7, 0.7], "num_blocks": 2}
MODEL = {"model_name": "vit_tiny", "pred_depth": 1, "pred_embed_dim": 48}
CLIPS = {"batch_size": 2, "patch_size": 16, "tubelet_size": 2, "crop_size": 32}
PROBE_MODEL = {"checkpoint": "/c.pt", "module_name": "m", "pretrain_kwargs": {"encoder": {"patch_size": 16}}}
HEADS = [{"lr": 0.1, "start_lr": 0.1, "final_lr": 0.0, "warmup": 0.0, "weight_decay": 0.1, "final_weight_decay": 0.1}]
PROBE = {"batch_size": 2, "num_epochs": 1, "multihead_kwargs": HEADS}
V1_PROBE = {"num_epochs": 1, "batch_size": 2, "warmup": 0, "weight_decay": 0.1, **RATES}
V1_ENCODER = {"model_name": "vit_tiny", "folder": "/f", "checkpoint": "c.pt"}

FILES: dict[str, dict[str, Any]] = {
    "vjepa": {
        "app": "vjepa",
        "data": {"datasets": ["a.csv", "b.csv"], "dataset_fpcs": [4, 8], "datasets_weights": [1, 3], "fps": 4, **CLIPS},
        "data_aug": {"reprob": 0.25},
        "mask": [BLOCKS, LONG | {"max_keep": 20, "inv_block": True}],
        "meta": {"dtype": "bfloat16", "seed": 7},
        "model": MODEL,
        "loss": {"loss_exp": 1.0},
        "optimization": SCHEDULE | RATES | {"ema": [0.99, 1.0], "ipe": 12},
    },
    "vjepa_droid": {
        "app": "vjepa_droid",
        "data": {"datasets": ["a.csv"], "dataset_fpcs": [8], **CLIPS, "fps": 4, "camera_views": ["right_mp4_path"]},
        "data_aug": {"random_resize_scale": [1.777, 1.777]},
        "meta": {"dtype": "float32"},
        "model": MODEL,
        "loss": {"loss_exp": 1.0},
        "optimization": SCHEDULE | RATES | {"anneal": 1},
    },
    "video_probe": {
        "eval_name": "video_classification_frozen",
        "tag": "t",
        "experiment": {
            "data": {"dataset_train": "a.csv", "dataset_val": "b.csv", "num_classes": 5, "num_segments": 2},
            "optimization": PROBE,
        },
        "model_kwargs": PROBE_MODEL,
    },
    "image_probe": {
        "eval_name": "image_classification_frozen",
        "experiment": {
            "data": {"dataset_name": "ImageNet", "num_classes": 5, "root_path": "/images/", "image_folder": "in1k/"},
            "optimization": PROBE,
        },
        "model_kwargs": PROBE_MODEL,
    },
    "anticipation": {
        "eval_name": "action_anticipation_frozen",
        "experiment": {
            "data": {
                "dataset": "EK100", "base_path": "/b", "dataset_train": "a.csv", "dataset_val": "b.csv",
                "frames_per_clip": 8, "frames_per_second": 4, "auto_augment": True, "motion_shift": False,
                "reprob": 0.25, "random_resize_scale": [0.08, 1.0],
            },
            "optimization": PROBE,
        },
        "model_kwargs": PROBE_MODEL,
    },
    "vjepa_v1": {
        "app": "vjepa",
        "data": {"datasets": ["a.csv"], "num_frames": 8, "sampling_rate": 3, **CLIPS, "filter_short_videos": True},
        "mask": [SHORT, LONG],
        "meta": {"dtype": "float16"},
        "model": MODEL,
        "loss": {"loss_exp": 1.0, "reg_coeff": 0.0},
        "optimization": SCHEDULE | RATES | {"ema": [0.99, 1.0]},
        "logging": {"folder": "/f", "write_tag": "x"},
    },
    "video_probe_v1": {
        "eval_name": "video_classification_frozen",
        "data": {"dataset_train": "a.csv", "dataset_val": "b.csv", "num_classes": 5},
        "optimization": V1_PROBE,
        "pretrain": V1_ENCODER | {"clip_duration": 2.5},
    },
    "image_probe_v1": {
        "eval_name": "image_classification_frozen",
        "data": {"dataset_name": "iNat21", "num_classes": 5, "root_path": "/images", "image_folder": "inat"},
        "optimization": V1_PROBE,
        "pretrain": V1_ENCODER,
    },
}  # fmt: skip
FILES["vjepa_2_1"] = FILES["vjepa"] | {
    "app": "vjepa_2_1",
    "img_data": {
        "dataset_type": "VideoDataset",
        "datasets": ["i.csv"],
        "datasets_weights": [1.0],
        "dataset_fpcs": [2],
        "batch_size": 6,
        "rank_ratio": 0.5,
    },
    "img_mask": [BLOCKS],
}
FILES["vjepa_v1_tubes"] = FILES["vjepa_v1"] | {
    "data": FILES["vjepa_v1"]["data"] | {"mask_type": "random_tube", "sampling_rate": None, "clip_duration": 3.0},
    "mask": [{"ratio": 0.8}, {"ratio": 0.5}],
}


def write_file(folder: Path, kind: str, name: str = "", /, **changes: Any) -> Path:
    """A published file; `changes` are values by path, with `__` for dots, or None to leave a key out."""
    values = copy.deepcopy(FILES[kind])
    for path, value in changes.items():
        *parents, last = path.split("__")
        node = values
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value
    file = folder / f"{name or kind}.yaml"
    file.write_text(yaml.safe_dump(values, sort_keys=False))
    return file
