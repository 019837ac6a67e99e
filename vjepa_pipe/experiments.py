"""From words to a checked experiment: published files are translated, Hydra composes, and every fault is named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vjepa_pipe.composition.compose import compose_dict, read_experiment, with_search_path
from vjepa_pipe.composition.faults import set_aside_faulty_overrides
from vjepa_pipe.composition.hydra_loader import hydra_loader
from vjepa_pipe.composition.options import config_folders, group_options
from vjepa_pipe.composition.points import Composed, PointComposer
from vjepa_pipe.composition.store import register
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
    overrides = with_legacy_files(overrides)
    faults: list[str] = []
    try:
        config = compose_dict(overrides, config_dir)
    except Exception as error:  # Hydra raises several unrelated types; each becomes a named fault
        config, faults = set_aside_faulty_overrides(overrides, config_dir, error)
    experiment, more = read_experiment(config)
    if faults or more:
        raise ConfigError([*faults, *more])
    return experiment


def compose_with_provenance(overrides: Sequence[str], config_dir: str | Path | None = None) -> Composed:
    """Compose an experiment and find out where each setting came from.

    Raises:
        ConfigError: As `compose`.
    """
    register()
    own = [str(Path(config_dir).resolve())] if config_dir is not None else []
    words = with_search_path(with_legacy_files(overrides), own)
    hydras = [word for word in words if word.startswith("hydra.")]
    try:
        with hydra_loader() as loader:
            composer = PointComposer(loader, hydras, config_folders(config_dir))
            found = composer.compose([word for word in words if word not in hydras])
    except Exception:  # Hydra stops at the first fault; `compose` names all
        compose(overrides, config_dir)
        raise
    if found.faults:
        raise ConfigError(found.faults)
    return found


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
