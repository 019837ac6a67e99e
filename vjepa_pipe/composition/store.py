"""The schemas in Hydra's ConfigStore: each group option's YAML names one in its defaults list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hydra.core.config_store import ConfigNode, ConfigStore
from omegaconf import OmegaConf

from vjepa_pipe.config.aug import AugConfig
from vjepa_pipe.config.captioned import CaptionedDataConfig
from vjepa_pipe.config.data import CsvDataConfig, DataConfig, SyntheticDataConfig
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.loader import DecoderConfig, LoaderConfig, TorchcodecConfig
from vjepa_pipe.config.mask import MaskConfig, MultiBlock3DMaskConfig, TubeMaskConfig
from vjepa_pipe.config.robot_data import RobotDataConfig, SyntheticRobotDataConfig
from vjepa_pipe.config.robotics import RoboticsConfig
from vjepa_pipe.config.sweep import SweepConfig
from vjepa_pipe.config.task import (
    BenchmarkTaskConfig,
    ExternalTaskConfig,
    IndexTaskConfig,
    PrepareTaskConfig,
    StatisticsTaskConfig,
    StreamTaskConfig,
    ValidateTaskConfig,
)
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

ROOT = "experiment_schema"
SCHEMAS: dict[str, type] = {
    "video": DataConfig,
    "csv": CsvDataConfig,
    "synthetic": SyntheticDataConfig,
    "captioned": CaptionedDataConfig,
    "aug": AugConfig,
    "mask": MaskConfig,
    "multiblock3d": MultiBlock3DMaskConfig,
    "tube": TubeMaskConfig,
    "robot": RobotDataConfig,
    "synthetic_robot": SyntheticRobotDataConfig,
    "robotics": RoboticsConfig,
    "decoder": DecoderConfig,
    "torchcodec": TorchcodecConfig,
    "loader": LoaderConfig,
    "stream": StreamTaskConfig,
    "statistics": StatisticsTaskConfig,
    "benchmark": BenchmarkTaskConfig,
    "index": IndexTaskConfig,
    "prepare": PrepareTaskConfig,
    "validate": ValidateTaskConfig,
    "external": ExternalTaskConfig,
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


def register() -> None:
    """Put every schema into the ConfigStore, in the group `schema`. Safe to call again."""
    store = ConfigStore.instance()
    if f"{ROOT}.yaml" in store.repo:
        return
    store.store(name=ROOT, node=ExperimentConfig, provider="vjepa_pipe")
    store.store(group="hydra/sweeper", name="vjepa_pipe", node=SweepConfig, provider="vjepa_pipe")
    store.repo["schema"] = {f"{name}.yaml": LazySchema(name, schema) for name, schema in SCHEMAS.items()}


def store_experiment(option: str, content: Mapping[str, Any], sources: Mapping[str, str]) -> None:
    """Offer an experiment that no file of a config folder holds; another under this name is replaced.

    Args:
        option: Of the group `experiment`.
        content: As its YAML file would hold it, `defaults` included.
        sources: Where each setting comes from, by dotted path, such as `pretrain.yaml:7`.
    """
    ConfigStore.instance().store(
        group="experiment", name=option, node=dict(content), package="_global_", provider="vjepa_pipe"
    )
    written_in_memory[f"experiment/{option}"] = dict(sources)


written_in_memory: dict[str, dict[str, str]] = {}
"""Where the settings of stored experiments come from, by the config's path."""


class LazySchema(ConfigNode):
    """A schema whose node is made when Hydra loads it: a config uses a dozen of them, and each takes milliseconds."""

    def __init__(self, name: str, schema: type) -> None:
        super().__init__(name=f"{name}.yaml", node=None, group="schema", package=None, provider="vjepa_pipe")  # type: ignore[arg-type]
        self.schema = schema

    def __copy__(self) -> ConfigNode:
        """What the store gives to Hydra is a copy of what it holds."""
        return ConfigNode(self.name, OmegaConf.structured(self.schema), self.group, self.package, self.provider)
