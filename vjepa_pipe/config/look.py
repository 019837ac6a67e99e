"""An experiment with where it came from, whatever it is named by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vjepa_pipe.config.active import our_hydra
from vjepa_pipe.config.compose import compose, with_legacy_files, with_search_path
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
    own = [str(Path(config_dir).resolve())] if config_dir is not None else []
    words = with_search_path(with_legacy_files(overrides), own)
    hydras = [word for word in words if word.startswith("hydra.")]
    try:
        with our_hydra() as loader:
            composer = PointComposer(loader, hydras, config_folders(config_dir))
            found = composer.compose([word for word in words if word not in hydras])
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
