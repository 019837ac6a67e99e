"""Sweeps: every point checked before the first runs, and a table of the results."""

import sys
from pathlib import Path

PLUGINS = Path(__file__).parent / "plugins"


def make_plugins_known() -> None:
    """Let Hydra find our sweeper, however the package is installed. Safe to call again."""
    if str(PLUGINS) not in sys.path:
        sys.path.append(str(PLUGINS))
