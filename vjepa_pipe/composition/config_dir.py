"""`${config_dir:}` in a file of a config folder of the user's own: that folder, wherever it is by now.

Hydra does not tell a resolver which file a value comes from, so the text is replaced when the file is read.
"""

from __future__ import annotations

from typing import Any

from vjepa_pipe.composition.resolvers import register_resolver
from vjepa_pipe.config.errors import UserError

CONFIG_DIR = "${config_dir:}"


def _elsewhere(*_: Any) -> str:
    raise UserError(
        f"{CONFIG_DIR}, written exactly like this, has a meaning only in files of a folder that --config-dir names"
    )


register_resolver("config_dir", _elsewhere)


def in_folder(value: Any, folder: str) -> Any:
    """Nested values with the folder in place of `CONFIG_DIR`."""
    if isinstance(value, dict):
        return {key: in_folder(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [in_folder(item, folder) for item in value]
    return value.replace(CONFIG_DIR, folder) if isinstance(value, str) else value
