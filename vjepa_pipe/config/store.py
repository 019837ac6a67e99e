"""The schemas in Hydra's ConfigStore: each group option's YAML names one in its defaults list."""

from __future__ import annotations

from hydra.core.config_store import ConfigStore

from vjepa_pipe.config.aug import AugConfig
from vjepa_pipe.config.captioned import CaptionedDataConfig
from vjepa_pipe.config.data import CsvDataConfig, DataConfig, SyntheticDataConfig
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.loader import DecoderConfig, LoaderConfig, RoboticsConfig
from vjepa_pipe.config.mask import MaskConfig, MultiBlock3DMaskConfig, TubeMaskConfig
from vjepa_pipe.config.task import ExternalTaskConfig, StreamTaskConfig, ValidateTaskConfig
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
    "robotics": RoboticsConfig,
    "decoder": DecoderConfig,
    "loader": LoaderConfig,
    "stream": StreamTaskConfig,
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
    for name, schema in SCHEMAS.items():
        store.store(group="schema", name=name, node=schema, provider="vjepa_pipe")
