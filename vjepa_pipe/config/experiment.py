"""An experiment: one choice from every group, and a seed."""

from __future__ import annotations

from dataclasses import dataclass

from vjepa_pipe.config.aug import AugConfig
from vjepa_pipe.config.data import DataConfig
from vjepa_pipe.config.fields import setting
from vjepa_pipe.config.image import ImageConfig
from vjepa_pipe.config.loader import DecoderConfig, LoaderConfig
from vjepa_pipe.config.mask import MaskConfig
from vjepa_pipe.config.model import ModelConfig
from vjepa_pipe.config.robotics import RoboticsConfig
from vjepa_pipe.config.storage import StorageConfig
from vjepa_pipe.config.task import TaskConfig
from vjepa_pipe.config.tracker import TrackerConfig
from vjepa_pipe.config.training.base import TrainingConfig


@dataclass
class ExperimentConfig:
    """Everything that decides what a training run is fed."""

    name: str = setting("default", "names the run's output folder", not_empty=True, affects_results=False)
    seed: int = setting(0, "every draw of the experiment follows from it", ge=0, lt=2**63)
    data: DataConfig = setting(DataConfig(), "videos and clips")
    data_aug: AugConfig = setting(AugConfig(), "augmentation")
    mask: MaskConfig = setting(MaskConfig(), "token masks")
    image: ImageConfig = setting(ImageConfig(), "images that are trained on beside the videos", in_identity_if_set=True)
    robotics: RoboticsConfig = setting(RoboticsConfig(), "robot states and actions")
    decoder: DecoderConfig = setting(DecoderConfig(), "how frames are read")
    loader: LoaderConfig = setting(LoaderConfig(), "how samples become batches")
    storage: StorageConfig = setting(StorageConfig(), "how files at URLs are read", affects_results=False)
    model: ModelConfig = setting(ModelConfig(), "the frozen encoder that is probed", in_identity_if_set=True)
    task: TaskConfig = setting(TaskConfig(), "what launch.py does")
    training: TrainingConfig = setting(TrainingConfig(), "settings of the trainer, kept and handed on")
    tracker: TrackerConfig = setting(
        TrackerConfig(), "where task=train sends its metrics, beside its own files", affects_results=False
    )
