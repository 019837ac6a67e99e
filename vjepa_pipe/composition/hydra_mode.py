"""Hydra 1.3 composes an experiment once only to learn `hydra.mode`; most files do not set it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra

from vjepa_pipe.config.folders import conf_dir
from vjepa_pipe.files.regular_file import read_regular


@contextmanager
def mode_composed_if_set() -> Iterator[None]:
    """In this block Hydra composes for `hydra.mode` only where it may be set: typed, or in a file."""
    hydra_class: Any = Hydra
    get_mode = hydra_class.get_mode

    def mode_if_set(hydra: Hydra, config_name: str | None, overrides: list[str]) -> Any:
        folders = hydra.config_loader.get_search_path().get_path()
        own = any(folder.provider == "command-line" for folder in folders)
        typed = any("hydra." in text for text in overrides)
        set_by_user = own or typed or any(map(_says_mode, conf_dir().rglob("*.yaml")))
        return get_mode(hydra, config_name, overrides) if set_by_user else None

    if not hasattr(ConfigLoaderImpl, "get_mode"):  # Hydra 1.4 reads it from the one composition
        hydra_class.get_mode = mode_if_set
    try:
        yield
    finally:
        hydra_class.get_mode = get_mode


def _says_mode(file: Path) -> bool:
    try:
        return re.search(r"\bmode\s*:", read_regular(file)) is not None
    except (OSError, UnicodeDecodeError):  # whoever composes it is told
        return False
