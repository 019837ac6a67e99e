"""The schemas in Hydra's ConfigStore: each group option's YAML names one in its defaults list."""

from __future__ import annotations

from hydra.core.config_store import ConfigStore

from vjepa_pipe.config.aug import AugConfig
from vjepa_pipe.config.data import CsvDataConfig, DataConfig, SyntheticDataConfig
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.loader import DecoderConfig, LoaderConfig, RoboticsConfig, TorchcodecConfig
from vjepa_pipe.config.mask import MaskConfig, MultiBlock3DMaskConfig, TubeMaskConfig
from vjepa_pipe.config.task import (
    BenchmarkTaskConfig,
    IndexTaskConfig,
    PrepareTaskConfig,
    StreamTaskConfig,
    ValidateTaskConfig,
)

ROOT = "experiment_schema"
SCHEMAS: dict[str, type] = {
    "video": DataConfig,
    "csv": CsvDataConfig,
    "synthetic": SyntheticDataConfig,
    "aug": AugConfig,
    "mask": MaskConfig,
    "multiblock3d": MultiBlock3DMaskConfig,
    "tube": TubeMaskConfig,
    "robotics": RoboticsConfig,
    "decoder": DecoderConfig,
    "torchcodec": TorchcodecConfig,
    "loader": LoaderConfig,
    "stream": StreamTaskConfig,
    "benchmark": BenchmarkTaskConfig,
    "index": IndexTaskConfig,
    "prepare": PrepareTaskConfig,
    "validate": ValidateTaskConfig,
}


def register() -> None:
    """Put every schema into the ConfigStore, in the group `schema`. Safe to call again."""
    store = ConfigStore.instance()
    if f"{ROOT}.yaml" in store.repo:
        return
    store.store(name=ROOT, node=ExperimentConfig, provider="vjepa_pipe")
    for name, schema in SCHEMAS.items():
        store.store(group="schema", name=name, node=schema, provider="vjepa_pipe")
