"""vjepa_pipe: V-JEPA video experiments as configuration, streamed into training.

    from vjepa_pipe import compose, DataManager

    experiment = compose(["data=kinetics", "data.target_fps=4"])
    for batch in DataManager(experiment).build_train_loader():
        ...

The public names are imported on first use, so that composing a config loads neither torch nor a decoder.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "compose": "vjepa_pipe.experiments",
    "ConfigError": "vjepa_pipe.config",
    "SampleError": "vjepa_pipe.config",
    "setting": "vjepa_pipe.config",
    "allow_targets": "vjepa_pipe.config",
    "ExperimentConfig": "vjepa_pipe.config",
    "DataConfig": "vjepa_pipe.config",
    "AugConfig": "vjepa_pipe.config",
    "MaskConfig": "vjepa_pipe.config",
    "VideoConfig": "vjepa_pipe.config",
    "register_config": "vjepa_pipe.composition.store",
    "register_sampling_policy": "vjepa_pipe.config.registry",
    "register_video_dataset": "vjepa_pipe.config.registry",
    "CaptionedDataset": "vjepa_pipe.datasets",
    "VideoDataset": "vjepa_pipe.datasets",
    "RobotDataset": "vjepa_pipe.datasets",
    "VideoTransformPipeline": "vjepa_pipe.transforms",
    "DataManager": "vjepa_pipe.loader",
    "MaskCollator": "vjepa_pipe.loader",
    "VideoCollator": "vjepa_pipe.loader",
    "DistributedWeightedSampler": "vjepa_pipe.sampling",
    "ConcatIndices": "vjepa_pipe.sampling",
}
__all__ = [
    "AugConfig",
    "CaptionedDataset",
    "ConcatIndices",
    "ConfigError",
    "DataConfig",
    "DataManager",
    "DistributedWeightedSampler",
    "ExperimentConfig",
    "MaskCollator",
    "MaskConfig",
    "RobotDataset",
    "SampleError",
    "VideoCollator",
    "VideoConfig",
    "VideoDataset",
    "VideoTransformPipeline",
    "allow_targets",
    "compose",
    "register_config",
    "register_sampling_policy",
    "register_video_dataset",
    "setting",
]

if TYPE_CHECKING:
    from vjepa_pipe.composition.store import register_config
    from vjepa_pipe.config import (
        AugConfig,
        ConfigError,
        DataConfig,
        ExperimentConfig,
        MaskConfig,
        SampleError,
        VideoConfig,
        allow_targets,
        setting,
    )
    from vjepa_pipe.config.registry import register_sampling_policy, register_video_dataset
    from vjepa_pipe.datasets import CaptionedDataset, RobotDataset, VideoDataset
    from vjepa_pipe.experiments import compose
    from vjepa_pipe.loader import DataManager, MaskCollator, VideoCollator
    from vjepa_pipe.sampling import ConcatIndices, DistributedWeightedSampler
    from vjepa_pipe.transforms import VideoTransformPipeline


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
