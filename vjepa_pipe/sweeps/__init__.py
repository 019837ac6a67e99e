"""Sweeps: planned once, run from the plan by any of Hydra's launchers, resumed, reported."""

import importlib
import sys
from pathlib import Path

from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton

PLUGINS = Path(__file__).parent / "plugins"


def make_plugins_known() -> None:
    """Let Hydra find our sweeper, however the package is installed. Safe to call again."""
    if str(PLUGINS) not in sys.path:
        sys.path.append(str(PLUGINS))
    if Plugins in Singleton._instances:  # it has looked for plugins already, for instance to compose
        sweeper = importlib.import_module("hydra_plugins.vjepa_pipe_sweeper").VjepaPipeSweeper
        Plugins.instance().register(sweeper)
