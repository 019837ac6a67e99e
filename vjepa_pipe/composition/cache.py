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
    """What is known of the packaged files and the ConfigStore; composers add to it.

    Published files become experiments in the ConfigStore, each under the name of the last file so called: nothing of
    them is kept.
    """
    global _last
    state = _state()
    if state != _last[0]:
        _last = (state, ConfigFolders())
    known = _last[1]
    if written_in_memory:
        known.options.pop("experiment", None)
        stored = {path.replace("/", "=", 1) for path in written_in_memory}
        for choices in [choices for choices in known.bases if not stored.isdisjoint(choices)]:
            del known.bases[choices]
    return known


def _state() -> Any:
    """What a merge depends on: files, stored options, and what relative paths are relative to."""
    files = [(file, file.stat()) for file in conf_dir().rglob("*.yaml")]
    nodes = _nodes(ConfigStore.instance().repo)
    return (
        {file: (status.st_mtime_ns, status.st_size) for file, status in files},
        {path: (node, getattr(node, "schema", None)) for path, node in nodes if path not in written_in_memory},
        Path.cwd(),
    )


def _nodes(group: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, entry in group.items():
        where = f"{path}{name.removesuffix('.yaml')}"
        yield from _nodes(entry, f"{where}/") if isinstance(entry, Mapping) else [(where, entry)]
