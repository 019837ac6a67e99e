"""What an experiment may say: schemas, checks, composition. Imports neither torch nor a decoder."""

from vjepa_pipe.config.aug import AugConfig
from vjepa_pipe.config.compose import check, compose, experiment_from
from vjepa_pipe.config.data import DataConfig, SyntheticDataConfig
from vjepa_pipe.config.errors import ConfigError, UserError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.loader import DecoderConfig, LoaderConfig, MonitorConfig, SamplerConfig
from vjepa_pipe.config.mask import MaskConfig, MultiBlock3DMaskConfig, MultiBlockConfig, TubeConfig, TubeMaskConfig
from vjepa_pipe.config.robot_data import RobotDataConfig, SyntheticRobotDataConfig
from vjepa_pipe.config.robotics import RoboticsConfig
from vjepa_pipe.config.targets import allow_targets, instantiate
from vjepa_pipe.config.task import StatisticsTaskConfig, StreamTaskConfig, TaskConfig, ValidateTaskConfig

__all__ = [
    "AugConfig",
    "ConfigError",
    "DataConfig",
    "DecoderConfig",
    "ExperimentConfig",
    "LoaderConfig",
    "MaskConfig",
    "MonitorConfig",
    "MultiBlock3DMaskConfig",
    "MultiBlockConfig",
    "RobotDataConfig",
    "RoboticsConfig",
    "SamplerConfig",
    "StatisticsTaskConfig",
    "StreamTaskConfig",
    "SyntheticDataConfig",
    "SyntheticRobotDataConfig",
    "TaskConfig",
    "TubeConfig",
    "TubeMaskConfig",
    "UserError",
    "ValidateTaskConfig",
    "allow_targets",
    "check",
    "compose",
    "experiment_from",
    "instantiate",
]
