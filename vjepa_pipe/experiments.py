"""From words to a checked experiment: published files are translated, Hydra composes, and every fault is named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from vjepa_pipe.composition.compose import compose_overrides
from vjepa_pipe.composition.composer import Composed
from vjepa_pipe.composition.options import group_options
from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.experiment import ExperimentConfig


def compose(overrides: Sequence[str] = (), config_dir: str | Path | None = None) -> ExperimentConfig:
    """The experiment that `python launch.py OVERRIDES` would run.

    Args:
        overrides: Hydra overrides, such as `["data=kinetics", "data.target_fps=4"]`; `legacy=FILE` starts
            from a published YAML file.
        config_dir: A folder of your own config groups, as `--config-dir` on the command line.

    Returns:
        A checked, plain dataclass without any OmegaConf object in it.

    Raises:
        ConfigError: Naming every fault: unknown options, keys and targets, wrong types, broken
            bounds, missing values and settings that contradict each other.
    """
    if isinstance(overrides, str):
        raise ConfigError([f"compose takes a list of overrides: compose([{overrides!r}])"])
    if not isinstance(overrides, Iterable) or not all(isinstance(text, str) for text in overrides):
        raise ConfigError([f"compose takes a list of overrides, such as ['data=kinetics'] (got {overrides!r})"])
    return compose_with_provenance(overrides, config_dir).experiment


def compose_with_provenance(overrides: Sequence[str], config_dir: str | Path | None = None) -> Composed:
    """Compose an experiment and find out where each setting came from.

    Raises:
        ConfigError: As `compose`.
    """
    return compose_overrides(with_legacy_files(overrides), config_dir).checked()


def with_legacy_files(overrides: Sequence[str]) -> list[str]:
    """The overrides, with `legacy=FILE` replaced by the experiment that the file describes.

    Raises:
        ConfigError: If the file cannot be translated.
    """
    if not any(text.startswith("legacy") for text in overrides):
        return list(overrides)
    from vjepa_pipe.legacy.overrides import replace_legacy  # only who asks for it waits for it

    return replace_legacy(overrides)


def named_overrides(words: Sequence[str], config_dir: str | Path | None = None) -> list[str]:
    """Overrides, where an experiment may also be named without `experiment=`."""
    experiments = group_options("experiment", config_dir)
    return [f"experiment={word}" if word in experiments else word for word in words]
