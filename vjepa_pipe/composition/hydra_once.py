"""What Hydra does over and over, done once: a composition takes half of the time."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra._internal import config_loader_impl, defaults_list
from hydra._internal.config_repository import CachingConfigRepository, IConfigRepository
from hydra._internal.defaults_list import DefaultsList
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult

from vjepa_pipe.files.regular_file import change_stamp

OF_HYDRA = "hydra.conf"
"""The package of Hydra's own files, which stay as they are."""
CHOICES = "_create_interpolation_map"
"""The function for which Hydra 1.3 maps all choices so far; later lines have none."""


@contextmanager
def done_once() -> Iterator[None]:
    """In this block Hydra parses a file again only if it has changed, and makes nothing that it does not use.

    It copies the ConfigStore for each composition, so that sources can be added beside it, and maps the choices made so
    far for each config, where only entries such as `${data}` of a defaults list refer to them.
    """
    Plugins.instance()  # registers the classes that read configs
    classes = [SourcesRegistry.instance().resolve(scheme) for scheme in ("file", "pkg")]
    changes: list[tuple[Any, str, Any]] = [
        *((source_class, "load_config", _read_if_changed(source_class.load_config)) for source_class in classes),
        (CachingConfigRepository, "__init__", _copy_sources),
    ]
    if map_choices := getattr(defaults_list, CHOICES, None):
        changes.append((defaults_list, CHOICES, _map_if_needed(map_choices)))
    before = [getattr(owner, name) for owner, name, _ in changes]
    for owner, name, new in changes:
        setattr(owner, name, new)
    try:
        yield
    finally:
        for (owner, name, _), old in zip(changes, before, strict=True):
            setattr(owner, name, old)


@contextmanager
def defaults_noted() -> Iterator[list[DefaultsList]]:
    """In this block, every defaults list that Hydra makes is noted, so that nobody has to ask for it again."""
    module: Any = config_loader_impl
    create = module.create_defaults_list
    made: list[DefaultsList] = []

    def create_noted(*arguments: Any, **more: Any) -> DefaultsList:
        made.append(create(*arguments, **more))
        return made[-1]

    module.create_defaults_list = create_noted
    try:
        yield made
    finally:
        module.create_defaults_list = create


def _copy_sources(repository: CachingConfigRepository, delegate: IConfigRepository) -> None:
    repository.delegate, repository.cache = copy.copy(delegate), {}


def _map_if_needed(map_choices: Callable[..., Any]) -> Callable[..., Any]:
    def map_if_needed(overrides: Any, defaults: Sequence[Any], *rest: Any) -> Any:
        return map_choices(overrides, defaults, *rest) if any(entry.is_interpolation() for entry in defaults) else None

    return map_if_needed


_parsed: dict[tuple[str, ...], tuple[Any, bytes]] = {}
"""Of each file: what tells whether it has changed, and its config, pickled: copied faster than by `deepcopy`."""


def _read_if_changed(read: Callable[[Any, str], ConfigResult]) -> Callable[[Any, str], ConfigResult]:
    def read_if_changed(source: Any, config_path: str) -> ConfigResult:
        stamp = change_stamp(Path(source.path) / source._normalize_file_name(config_path))
        if stamp is None and source.path != OF_HYDRA:
            return read(source, config_path)
        file = (source.scheme(), source.path, source.provider, config_path)
        if file not in _parsed or _parsed[file][0] != stamp:
            _parsed[file] = stamp, pickle.dumps(read(source, config_path))
        result: ConfigResult = pickle.loads(_parsed[file][1])
        return result

    return read_if_changed
