"""What an experiment may say: schemas, bounds, rules, and which classes it may name."""

from vjepa_pipe.config.aug import AugConfig
from vjepa_pipe.config.captioned import CaptionedDataConfig, OutputConfig, TextConfig
from vjepa_pipe.config.check import check
from vjepa_pipe.config.data import DataConfig, SyntheticDataConfig
from vjepa_pipe.config.errors import ConfigError, SampleError, UserError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.fields import setting
from vjepa_pipe.config.instantiate import instantiate
from vjepa_pipe.config.loader import DecoderConfig, LoaderConfig, MonitorConfig, SamplerConfig
from vjepa_pipe.config.mask import MaskConfig, MultiBlock3DMaskConfig, MultiBlockConfig, TubeConfig, TubeMaskConfig
from vjepa_pipe.config.robot_data import RobotDataConfig, SyntheticRobotDataConfig
from vjepa_pipe.config.robotics import RoboticsConfig
from vjepa_pipe.config.targets import allow_targets
from vjepa_pipe.config.task import StatisticsTaskConfig, StreamTaskConfig, TaskConfig, ValidateTaskConfig
from vjepa_pipe.config.tracker import TrackerConfig
from vjepa_pipe.config.train_task import TrainTaskConfig
from vjepa_pipe.config.video import VideoConfig

__all__ = [
    "AugConfig",
    "CaptionedDataConfig",
    "ConfigError",
    "DataConfig",
    "DecoderConfig",
    "ExperimentConfig",
    "LoaderConfig",
    "MaskConfig",
    "MonitorConfig",
    "MultiBlock3DMaskConfig",
    "MultiBlockConfig",
    "OutputConfig",
    "RobotDataConfig",
    "RoboticsConfig",
    "SampleError",
    "SamplerConfig",
    "StatisticsTaskConfig",
    "StreamTaskConfig",
    "SyntheticDataConfig",
    "SyntheticRobotDataConfig",
    "TaskConfig",
    "TextConfig",
    "TrackerConfig",
    "TrainTaskConfig",
    "TubeConfig",
    "TubeMaskConfig",
    "UserError",
    "ValidateTaskConfig",
    "VideoConfig",
    "allow_targets",
    "check",
    "instantiate",
    "setting",
]
