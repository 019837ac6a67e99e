"""Libraries that only some experiments need, imported when they are first used."""

from __future__ import annotations

import importlib
from typing import Any

from vjepa_pipe.config.errors import UserError


def import_extra(module: str, name: str) -> Any:
    """A module of an optional dependency.

    Args:
        module: What to import, such as `h5py`.
        name: The extra that brings it, such as `robotics`.

    Raises:
        UserError: Naming the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"this experiment needs {module.partition('.')[0]}: pip install 'vjepa_pipe[{name}]' ({error})"
        ) from error
