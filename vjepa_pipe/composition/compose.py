"""Words to a composed config, and the experiment in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vjepa_pipe.composition.hydra_loader import hydra_loader
from vjepa_pipe.composition.store import register
from vjepa_pipe.config.build import build
from vjepa_pipe.config.check import deeper_faults
from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.targets import forbidden_targets

PRIMARY = "config"
SEARCH_PATH = "hydra.searchpath="


def compose_dict(overrides: Sequence[str], config_dir: str | Path | None = None) -> DictConfig:
    """The composed config as Hydra gives it: typed by the schemas, but not checked further."""
    register()
    own = [str(Path(config_dir).resolve())] if config_dir is not None else []
    with hydra_loader():
        return hydra.compose(PRIMARY, overrides=with_search_path(overrides, own))


def with_search_path(overrides: Sequence[str], folders: Sequence[str]) -> list[str]:
    """The overrides, with further folders of config groups after those they name already."""
    given = [text for text in overrides if text.startswith(SEARCH_PATH)]
    if not folders:
        return list(overrides)
    named = [item for text in given for item in [text[len(SEARCH_PATH) :].strip("[]")] if item]
    quoted = [QuotedString(f"file://{folder}", Quote.single).with_quotes() for folder in folders]
    rest = [text for text in overrides if text not in given]
    # Beside the other overrides: on a command line, flags may stand before and after them.
    place = next((i for i, text in enumerate(rest) if "=" in text and not text.startswith("-")), len(rest))
    return [*rest[:place], f"{SEARCH_PATH}[{','.join([*named, *quoted])}]", *rest[place:]]


def experiment_from(config: DictConfig) -> ExperimentConfig:
    """The checked experiment in a composed config.

    Raises:
        ConfigError: As `compose`.
    """
    experiment, faults = read_experiment(config)
    if faults:
        raise ConfigError(faults)
    return experiment


def read_experiment(
    config: DictConfig, types_at: Mapping[str, type] | None = None
) -> tuple[ExperimentConfig, list[str]]:
    """An experiment and its faults; with faults, the experiment may hold wrong values.

    Args:
        config: A composed config.
        types_at: What `node_types` said of it, where that is known already.
    """
    faults: list[str] = []
    own = config  # copied only where needed: a copy takes longer than everything else here
    if "hydra" in config:
        own = OmegaConf.masked_copy(config, [key for key in map(str, config) if key != "hydra"])
    try:
        plain: dict[str, Any] = OmegaConf.to_container(own, resolve=True)  # type: ignore[assignment]
    except (OmegaConfBaseException, RecursionError) as error:
        raise ConfigError([_interpolation_fault(error)]) from error
    if types_at is None:
        types_at = dict(node_types(config))
    experiment: ExperimentConfig = build(types_at.get("", ExperimentConfig), plain, "", faults, types_at)
    if not faults:
        faults = deeper_faults(experiment)
    else:
        faults.extend(forbidden_targets(plain))
    return experiment, faults


def _interpolation_fault(error: Exception) -> str:
    where = getattr(error, "full_key", None)
    what = (str(error).splitlines() or [type(error).__name__])[0]
    return f"{where}: {what}" if where else what


def node_types(node: Any, path: str = "") -> Iterator[tuple[str, type]]:
    """The dataclass of every typed node of a composed config, by dotted path; the root's path is empty."""
    if isinstance(node, DictConfig):
        node_type = OmegaConf.get_type(node)
        if node_type is not None and node_type is not dict and not issubclass(node_type, Mapping):
            yield path, node_type
        key: Any  # a number, where somebody has written one
        for key in node:
            if not OmegaConf.is_missing(node, key) and not OmegaConf.is_interpolation(node, key):
                yield from node_types(node[key], f"{path}.{key}" if path else key)
