"""An experiment with where it came from, whatever it is named by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vjepa_pipe.config.active import our_hydra
from vjepa_pipe.config.compose import compose
from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.options import config_folders, group_options
from vjepa_pipe.config.points import Composed, PointComposer
from vjepa_pipe.config.store import register


def look(overrides: Sequence[str], config_dir: str | Path | None = None) -> Composed:
    """Compose an experiment and find out where each setting came from.

    Raises:
        ConfigError: As `compose`.
    """
    register()
    search = [f"hydra.searchpath=[file://{Path(config_dir).resolve()}]"] if config_dir is not None else []
    try:
        with our_hydra() as loader:
            found = PointComposer(loader, search, config_folders(config_dir)).compose(overrides)
    except Exception:  # Hydra stops at the first fault; `compose` names all
        compose(overrides, config_dir)
        raise
    if found.faults:
        raise ConfigError(found.faults)
    return found


def named_overrides(words: Sequence[str], config_dir: str | Path | None = None) -> list[str]:
    """Overrides, where an experiment may also be named without `experiment=`."""
    experiments = group_options("experiment", config_dir)
    return [f"experiment={word}" if word in experiments else word for word in words]
