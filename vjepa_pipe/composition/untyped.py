"""Composing without the types of the schemas, so that a value of a wrong type does not stop Hydra."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.config_store import ConfigStore
from hydra.core.default_element import ResultDefault
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf


@contextmanager
def untyped_schemas() -> Iterator[None]:
    """In here, what the ConfigStore gives to Hydra is plain values: the same defaults, of any type and with any key."""
    Plugins.instance()  # registers the classes that read configs
    store_class: Any = SourcesRegistry.instance().resolve("structured")
    load = store_class.load_config

    def load_untyped(source: Any, config_path: str) -> ConfigResult:
        found: ConfigResult = load(source, config_path)
        if not config_path.startswith("hydra/"):
            found.config = OmegaConf.create(OmegaConf.to_container(found.config, resolve=False))
        return found

    store_class.load_config = load_untyped
    try:
        yield
    finally:
        store_class.load_config = load


def schemas_in(defaults: Iterable[ResultDefault]) -> dict[str, type]:
    """The dataclass of each package in a defaults list, where the ConfigStore has one for it; the last one counts."""
    store = ConfigStore.instance()
    found: dict[str, type] = {}
    for default in defaults:
        path = f"{default.config_path}.yaml"
        if default.config_path is None or store.get_type(path) is not ObjectType.CONFIG:
            continue
        node = store.load(path).node
        schema = OmegaConf.get_type(node) if isinstance(node, DictConfig) else None
        if schema is not None and schema is not dict:
            found[default.package or ""] = schema
    return found
