"""Modules of a user's own, imported before anything is composed: they register options, data sets and policies.

They are named by installed packages (entry point group `vjepa_pipe.plugins`), on the command line (`--plugin NAME`) or
in the environment variable `VJEPA_PIPE_PLUGINS` (names separated by commas), which workers and launched jobs inherit.
A config never names one.
"""

from __future__ import annotations

import functools
import importlib
import os
from importlib.metadata import entry_points

from vjepa_pipe.config.errors import UserError

VARIABLE = "VJEPA_PIPE_PLUGINS"
ENTRY_POINTS = "vjepa_pipe.plugins"


def add_plugin(name: str) -> None:
    """Name a module that is imported here, and in every process that this one starts."""
    named = [*_named(), name]
    os.environ[VARIABLE] = ",".join(dict.fromkeys(named))


def import_plugins() -> None:
    """Import every module that is named. Safe to call again.

    Raises:
        UserError: If one cannot be imported.
    """
    for name in _named():
        _import(name, f"named by --plugin or {VARIABLE}; is its folder on the PYTHONPATH?")
    for name, package in _from_packages():
        _import(name, f"which the package {package} offers")


def _named() -> list[str]:
    return [name for name in os.environ.get(VARIABLE, "").split(",") if name]


@functools.cache  # reading the metadata of every installed package takes milliseconds
def _from_packages() -> tuple[tuple[str, str], ...]:
    return tuple((point.value, point.dist.name if point.dist else "?") for point in entry_points(group=ENTRY_POINTS))


def _import(name: str, origin: str) -> None:
    try:
        importlib.import_module(name)
    except UserError:
        raise
    except Exception as error:  # whatever its own code raises
        raise UserError(f"the plugin {name} cannot be imported: {type(error).__name__}: {error} ({origin})") from error
