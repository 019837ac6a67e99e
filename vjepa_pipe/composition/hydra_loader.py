"""Hydra's config loader for a moment, whether or not a Hydra application is running around us."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import hydra
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra

from vjepa_pipe.composition.checked_hydra import checked_hydra
from vjepa_pipe.composition.hydra_once import done_once
from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.folders import conf_dir

PRIMARY = "config"
"""The primary config."""

SCHEMAS = "schema"
"""The config group of what files extend, which nobody chooses from."""


def version_base() -> dict[str, str]:
    """The `version_base` argument for Hydra: needed by 1.3, refused by later lines."""
    return {"version_base": "1.3"} if hydra.__version__.startswith("1.3.") else {}


_ONE_AT_A_TIME = threading.RLock()
"""Hydra is a global of the process, and so is what `checked_hydra` changes in it."""


@contextmanager
def hydra_loader() -> Iterator[ConfigLoader]:
    """Hydra, initialised with our config folder; what was active before is active again afterwards.

    Raises:
        ConfigError: If the current folder is gone.
    """
    try:
        os.getcwd()  # noqa: PTH109
    except FileNotFoundError as error:  # which Hydra would raise without a word
        raise ConfigError(["the current folder has been removed: change to another"]) from error
    with _ONE_AT_A_TIME:
        around = GlobalHydra.instance()
        active, around.hydra = around.hydra, None
        try:
            with done_once(), checked_hydra(), hydra.initialize_config_dir(str(conf_dir()), **version_base()):
                yield GlobalHydra.instance().config_loader()
        finally:
            GlobalHydra.instance().hydra = active
