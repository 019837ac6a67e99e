"""The gate of task=validate for captioned video."""

from __future__ import annotations

import torch

from vjepa_pipe.config.captioned import CaptionedDataConfig
from vjepa_pipe.config.errors import counted
from vjepa_pipe.config.img_size import height_and_width
from vjepa_pipe.config.task import ValidateTaskConfig
from vjepa_pipe.config.urls import shown_path
from vjepa_pipe.loader import DataManager
from vjepa_pipe.tasks.gates import OpenedFiles, require


def captions(manager: DataManager, files: OpenedFiles) -> str:
    """Shapes, masks, times and text of the first rows; each read twice with equal bits."""
    data, task = manager.config.data, manager.config.task
    assert isinstance(data, CaptionedDataConfig) and isinstance(task, ValidateTaskConfig)
    dataset = manager.build_train_dataset()
    dataset.on_bad_sample = "raise"
    frames, size = data.max_frames, height_and_width(data.frame_size)
    vlm = data.output.layout == "vlm"
    name, shape = ("pixel_values", (frames, 3, *size)) if vlm else ("video", (3, frames, *size))
    count = real = empty = 0
    for row in range(min(task.samples, len(dataset))):
        path = shown_path(dataset.sources[0].path(row))
        with files.opening(path):
            sample, again = dataset[row], dataset[row]
            pixels, mask = sample[name], sample["frame_mask"]
            require(tuple(pixels.shape) == shape, f"{path}: {name} is {list(pixels.shape)}, not {list(shape)}")
            require(torch.equal(pixels, again[name]), f"{path}: two readings gave two results")
            times = sample["frame_times"][mask]
            require(bool((times.diff() > 0).all()), f"{path}: frame times do not rise: {times.tolist()}")
            trained = "labels" not in sample or bool((sample["labels"] >= 0).any())
            require(trained or not sample["caption"], f"{path}: no token of its caption is trained on")
            count, real, empty = count + 1, real + int(mask.sum()), empty + (not sample["caption"])
    files.require_all()
    filled = f"{real / count:.1f} real frames on average"
    return f"{counted(count, 'sample')} with {name} {list(shape)}, {filled}, {empty} without caption"
