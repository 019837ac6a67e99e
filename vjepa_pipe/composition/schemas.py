"""The dataclasses that options are or extend, by the names that defaults lists and records have for them.

Files name the one that they extend as `/schema@_here_: NAME`: a group of their own lets a schema have the name of an
option that extends it, such as `synthetic`, and holds those that are no option by themselves, such as `robot`.
"""

from __future__ import annotations

from vjepa_pipe.config.aug import AugConfig
from vjepa_pipe.config.captioned import CaptionedDataConfig
from vjepa_pipe.config.data import (
    CsvDataConfig,
    DataConfig,
    FolderDataConfig,
    SyntheticDataConfig,
    SyntheticImagesConfig,
)
from vjepa_pipe.config.image import ImageConfig, ImageStreamConfig
from vjepa_pipe.config.loader import DecoderConfig, LoaderConfig, TorchcodecConfig
from vjepa_pipe.config.mask import MaskConfig, MultiBlock3DMaskConfig, TubeMaskConfig
from vjepa_pipe.config.model import EncoderConfig, ModelConfig, PretrainedModelConfig, VJepa2TinyConfig
from vjepa_pipe.config.robot_data import RobotDataConfig, SyntheticRobotDataConfig
from vjepa_pipe.config.robotics import RoboticsConfig
from vjepa_pipe.config.storage import CachedStorageConfig, StorageConfig
from vjepa_pipe.config.task import (
    BenchmarkTaskConfig,
    ExternalTaskConfig,
    IndexTaskConfig,
    PrepareTaskConfig,
    ProbeTaskConfig,
    StatisticsTaskConfig,
    StreamTaskConfig,
    TaskConfig,
    ValidateTaskConfig,
)
from vjepa_pipe.config.tracker import (
    MlflowConfig,
    TensorboardConfig,
    TrackerConfig,
    TrackioConfig,
    WandbConfig,
)
from vjepa_pipe.config.train_task import TrainTaskConfig
from vjepa_pipe.config.training import (
    AnticipationTraining,
    DroidTraining,
    ImageProbeTraining,
    JepaTraining,
    TrainingConfig,
    V1ImageProbeTraining,
    V1VideoProbeTraining,
    VideoProbeTraining,
    VJepa21Training,
    VJepaTraining,
)

SCHEMAS: dict[str, type] = {
    "video": DataConfig,
    "csv": CsvDataConfig,
    "folder": FolderDataConfig,
    "synthetic": SyntheticDataConfig,
    "synthetic_images": SyntheticImagesConfig,
    "captioned": CaptionedDataConfig,
    "aug": AugConfig,
    "mask": MaskConfig,
    "multiblock3d": MultiBlock3DMaskConfig,
    "tube": TubeMaskConfig,
    "image": ImageConfig,
    "image_stream": ImageStreamConfig,
    "robot": RobotDataConfig,
    "synthetic_robot": SyntheticRobotDataConfig,
    "robotics": RoboticsConfig,
    "decoder": DecoderConfig,
    "torchcodec": TorchcodecConfig,
    "loader": LoaderConfig,
    "storage": StorageConfig,
    "model": ModelConfig,
    "own": EncoderConfig,
    "vjepa2_tiny": VJepa2TinyConfig,
    "pretrained": PretrainedModelConfig,
    "cached": CachedStorageConfig,
    "stream": StreamTaskConfig,
    "statistics": StatisticsTaskConfig,
    "benchmark": BenchmarkTaskConfig,
    "index": IndexTaskConfig,
    "prepare": PrepareTaskConfig,
    "probe": ProbeTaskConfig,
    "validate": ValidateTaskConfig,
    "external": ExternalTaskConfig,
    "train": TrainTaskConfig,
    "tracker_none": TrackerConfig,
    "tracker_tensorboard": TensorboardConfig,
    "tracker_wandb": WandbConfig,
    "tracker_mlflow": MlflowConfig,
    "tracker_trackio": TrackioConfig,
    "training_none": TrainingConfig,
    "training_vjepa": VJepaTraining,
    "training_vjepa_2_1": VJepa21Training,
    "training_vjepa_droid": DroidTraining,
    "training_video_probe": VideoProbeTraining,
    "training_image_probe": ImageProbeTraining,
    "training_anticipation": AnticipationTraining,
    "training_vjepa_v1": JepaTraining,
    "training_video_probe_v1": V1VideoProbeTraining,
    "training_image_probe_v1": V1ImageProbeTraining,
}
OPTIONS: dict[str, dict[str, str]] = {
    "data": {"csv": "csv", "folder": "folder"},
    "decoder": {"torchcodec": "torchcodec"},
    "image": {"none": "image"},
    "loader": {"default": "loader"},
    "mask": {"none": "mask", "blocks": "multiblock3d"},
    "model": {"none": "model", "own": "own", "vjepa2_tiny": "vjepa2_tiny", "pretrained": "pretrained"},
    "robotics": {"none": "robotics"},
    "storage": {"default": "storage", "cached": "cached"},
    "task": {name: name for name, cls in SCHEMAS.items() if issubclass(cls, TaskConfig) and name != "probe"},
    "tracker": {name.removeprefix("tracker_"): name for name, cls in SCHEMAS.items() if issubclass(cls, TrackerConfig)},
    "training": {
        name.removeprefix("training_"): name for name, cls in SCHEMAS.items() if issubclass(cls, TrainingConfig)
    },
}
"""The options that are a schema with its defaults; those with values of their own are files in conf/."""
