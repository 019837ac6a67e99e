"""What was merged for one call of `compose` serves the next, as long as nothing that it was made of has changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore

from vjepa_pipe.composition.composer import ConfigFolders
from vjepa_pipe.composition.store import written_in_memory
from vjepa_pipe.config.folders import conf_dir

_last: tuple[Any, ConfigFolders] = (None, ConfigFolders())


def cached_folders() -> ConfigFolders:
    """What is known of the packaged files and the ConfigStore; composers add to it."""
    global _last
    state = _state()
    if state != _last[0]:
        _last = (state, ConfigFolders())
    return _last[1]


def _state() -> Any:
    """What a merge depends on: files, stored options, and what relative paths are relative to."""
    files = [(file, file.stat()) for file in conf_dir().rglob("*.yaml")]
    stored = [(node, getattr(node, "schema", None)) for node in _nodes(ConfigStore.instance().repo)]
    return (
        {file: (status.st_mtime_ns, status.st_size) for file, status in files},
        stored,
        dict(written_in_memory),
        Path.cwd(),
    )


def _nodes(group: Mapping[str, Any]) -> Iterator[Any]:
    for entry in group.values():
        yield from _nodes(entry) if isinstance(entry, Mapping) else [entry]
