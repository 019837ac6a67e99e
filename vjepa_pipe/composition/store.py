"""Hydra's ConfigStore: schemas that options in YAML extend, and options that are a dataclass and nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.config_store import ConfigNode, ConfigStore
from omegaconf import OmegaConf

from vjepa_pipe.composition.plugins import import_plugins
from vjepa_pipe.composition.schemas import OPTIONS, SCHEMAS
from vjepa_pipe.config.build import hints_of
from vjepa_pipe.config.errors import UserError, did_you_mean
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.folders import conf_dir
from vjepa_pipe.config.image import group_of
from vjepa_pipe.config.sweep import SweepConfig

ROOT = "experiment_schema"


def register() -> None:
    """Put the schemas, our own options and those of plugins into the ConfigStore. Safe to call again.

    Raises:
        UserError: If a plugin cannot be imported, or an option of its own cannot be registered.
    """
    if f"{ROOT}.yaml" not in ConfigStore.instance().repo:
        _register_own()
    import_plugins()


def _register_own() -> None:
    store = ConfigStore.instance()
    for group, options in OPTIONS.items():
        for option, schema in options.items():
            _offer(group, option, SCHEMAS[schema])
    store.repo["schema"] = {f"{name}.yaml": LazySchema("schema", name, schema) for name, schema in SCHEMAS.items()}
    store.store(group="hydra/sweeper", name="vjepa_pipe", node=SweepConfig, provider="vjepa_pipe")
    store.store(name=ROOT, node=ExperimentConfig, provider="vjepa_pipe")


def register_config(group: str, name: str, schema: type) -> None:
    """Offer a dataclass as an option of a config group: `GROUP=NAME` chooses it, with its defaults.

    Its fields are checked against the bounds that `vjepa_pipe.config.fields.setting` gives them, and its docstring says
    in listings when to use it. YAML files of the group may extend it: `defaults: [NAME, _self_]`. It must be registered
    wherever the option is chosen or a record of it is read; the launchers of sweeps do that in their own processes.

    Args:
        group: A group of `ExperimentConfig`, such as `mask`.
        name: What the option is called.
        schema: A dataclass that extends the group's own, such as `MaskConfig`.

    Raises:
        UserError: If there is no such group, `schema` is no dataclass or extends another one, or the name is taken.
    """
    register()
    _offer(group, name, schema)


def registered(group: str) -> dict[str, type]:
    """The dataclass of each option of a group that is in the ConfigStore, whoever put it there."""
    if group not in group_types():
        return {}
    register()
    nodes = ConfigStore.instance().repo.get(group, {})
    stored = {name: node for name, node in sorted(nodes.items()) if isinstance(node, ConfigNode)}
    return {name.removesuffix(".yaml"): _schema_of(node) for name, node in stored.items()}


def group_types() -> dict[str, type]:
    """The dataclass that every option of a group is or extends, by group."""
    hints: dict[str, type] = hints_of(ExperimentConfig)
    return {name: hint for name, hint in hints.items() if dataclasses.is_dataclass(hint)}


def not_of_group(path: str, schema: type) -> str | None:
    """A line if a node is that of a group and a dataclass cannot be an option of it."""
    group = group_of(path)
    base = group_types().get(group, object)
    if issubclass(schema, base):
        return None
    return f"{schema.__qualname__} must extend {base.__name__}, as every option of {group} does"


def _offer(group: str, name: str, schema: type) -> None:
    where = f"{group}={name} cannot be registered"
    if group not in group_types():
        hint = did_you_mean(group, group_types())
        raise UserError(f"{where}: {group} is not a config group{hint}; groups are {', '.join(group_types())}")
    if not isinstance(schema, type) or "__dataclass_fields__" not in vars(schema):  # a base's fields are not its own
        shown = getattr(schema, "__qualname__", repr(schema))
        raise UserError(f"{where}: {shown} is not a dataclass; write @dataclass above its class")
    if fault := not_of_group(group, schema):
        raise UserError(f"{where}: {fault}")
    options = ConfigStore.instance().repo.setdefault(group, {})
    taken = _schema_of(options[f"{name}.yaml"]) if f"{name}.yaml" in options else schema
    if not same_class(taken, schema):
        raise UserError(f"{where}: the name is taken by {taken.__module__}.{taken.__qualname__}")
    if taken.__module__ != schema.__module__:
        return  # the script that runs, imported again by what it names as a target
    if (conf_dir() / group / f"{name}.yaml").is_file():
        raise UserError(f"{where}: the name is taken by conf/{group}/{name}.yaml")
    options[f"{name}.yaml"] = LazySchema(group, name, schema)


def same_class(one: type, other: type) -> bool:
    """Whether two classes come from the same lines: a notebook's cell, or the script that runs, may be read twice."""
    modules = {one.__module__, other.__module__}
    return one.__qualname__ == other.__qualname__ and (len(modules) == 1 or "__main__" in modules)


def _schema_of(node: ConfigNode) -> type:
    """The dataclass of an entry of the ConfigStore; `dict` if it is a mapping without one."""
    return node.schema if isinstance(node, LazySchema) else OmegaConf.get_type(node.node) or dict


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


typed_as: dict[str, list[str]] = {}
"""The overrides that stood where a stored experiment is chosen now, by its option; files with their whole paths."""


def as_typed(overrides: Sequence[str]) -> list[str]:
    """Overrides with each choice of a stored experiment as it was typed."""
    words: list[str] = []
    for text in overrides:
        group, _, option = text.partition("=")
        words += typed_as.get(option, [text]) if group == "experiment" else [text]
    return words


class LazySchema(ConfigNode):
    """A schema whose node is made when Hydra loads it: a config uses a dozen of them, and each takes milliseconds."""

    def __init__(self, group: str, name: str, schema: type) -> None:
        super().__init__(f"{name}.yaml", node=None, group=group, package=None, provider="vjepa_pipe")  # type: ignore[arg-type]
        self.schema = schema

    def __copy__(self) -> ConfigNode:
        """What the store gives to Hydra is a copy of what it holds."""
        return ConfigNode(self.name, OmegaConf.structured(self.schema), self.group, self.package, self.provider)
