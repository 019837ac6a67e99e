"""What was merged for one call of `compose` serves the next, as long as nothing that it was made of has changed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore

from vjepa_pipe.composition.composer import ConfigFolders
from vjepa_pipe.composition.store import written_in_memory
from vjepa_pipe.config.folders import conf_dir
from vjepa_pipe.files.regular_file import change_stamp, read_regular

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
    """What a merge depends on: files, variables they name, stored options, what relative paths are relative to."""
    nodes = _nodes(ConfigStore.instance().repo)
    files = {file: change_stamp(file) for file in conf_dir().rglob("*.yaml")}
    return (
        files,
        {path: (node, getattr(node, "schema", None)) for path, node in nodes if path not in written_in_memory},
        [os.environ.get(name) for file, stamp in files.items() for name in _variables(file, stamp)],
        Path.cwd(),
    )


@lru_cache(maxsize=256)
def _variables(file: Path, _stamp: tuple[int, ...] | None) -> list[str]:
    """The environment variables that a file names: in its defaults list, they choose what is merged."""
    try:
        return re.findall(r"\$\{\s*oc\.env\s*:\s*(\w+)", read_regular(file))
    except (OSError, UnicodeDecodeError):  # whoever composes it is told
        return []


def _nodes(group: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, entry in group.items():
        where = f"{path}{name.removesuffix('.yaml')}"
        yield from _nodes(entry, f"{where}/") if isinstance(entry, Mapping) else [(where, entry)]
