"""From a composed config to the experiment in it."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vjepa_pipe.config.build import build
from vjepa_pipe.config.check import deeper_faults
from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.targets import forbidden_targets
from vjepa_pipe.config.tree import leaves


def experiment_from(config: DictConfig) -> ExperimentConfig:
    """The checked experiment in a config that Hydra composed with our schemas.

    Raises:
        ConfigError: As `compose`.
    """
    experiment, faults = read_values(values_of(config), dict(node_types(config)))
    if faults:
        raise ConfigError(faults)
    return experiment


def values_of(config: DictConfig) -> dict[str, Any]:
    """A config as nested plain values, with its interpolations as they are written and without Hydra's own node."""
    own = (
        OmegaConf.masked_copy(config, [key for key in map(str, config) if key != "hydra"])
        if "hydra" in config
        else config
    )
    values: dict[str, Any] = OmegaConf.to_container(own, resolve=False)  # type: ignore[assignment]
    return values


def read_values(values: Mapping[str, Any], types_at: Mapping[str, type]) -> tuple[ExperimentConfig, list[str]]:
    """An experiment and its faults; with faults, the experiment may hold wrong values.

    Args:
        values: Nested plain values, with interpolations.
        types_at: The dataclass of each node, by dotted path, where it is narrower than the field's type.

    Raises:
        ConfigError: If they are nested too deeply for OmegaConf.
    """
    faults: list[str] = []
    try:
        resolved = _resolved(values, faults)
    except RecursionError as error:
        raise ConfigError(["the config is nested too deeply"]) from error
    experiment: ExperimentConfig = build(ExperimentConfig, resolved, "", faults, types_at, convert=True)
    if faults:
        faults.extend(forbidden_targets(resolved))
    else:
        faults = deeper_faults(experiment)
    return experiment, faults


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


def _resolved(values: Mapping[str, Any], faults: list[str]) -> Mapping[str, Any]:
    """Values with every interpolation replaced by what it stands for; one that stands for nothing is a fault."""
    waiting = {path: value for path, value in leaves(values) if _has_interpolation(value)}
    if not waiting:
        return values
    own = copy.deepcopy(dict(values))
    for path, value in waiting.items():
        _keep_if(partial(OmegaConf.create, {"value": value}), path, own, faults)
    config = OmegaConf.create(own)
    for path in waiting:
        _keep_if(partial(_resolve, config, path), path, own, faults)
    resolved: dict[str, Any] = OmegaConf.to_container(OmegaConf.create(own), resolve=True)  # type: ignore[assignment]
    return resolved


def _has_interpolation(value: Any) -> bool:
    return any(map(_has_interpolation, value)) if isinstance(value, list) else isinstance(value, str) and "${" in value


def _resolve(config: DictConfig, path: str) -> None:
    found = OmegaConf.select(config, path)
    if OmegaConf.is_config(found):
        OmegaConf.to_container(found, resolve=True)


def _keep_if(works: Callable[[], Any], path: str, values: dict[str, Any], faults: list[str]) -> None:
    """Leave the value at `path` out if `works` raises."""
    try:
        works()
    except (OmegaConfBaseException, RecursionError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        faults.append(f"{path}: {re.sub(r'^.* raised while resolving interpolation: ', '', first)}")
        *parents, name = path.split(".")
        node: Any = values
        for part in parents:
            node = node[part]
        node.pop(name, None)
