"""Where the packaged config groups are, and where files are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path

from vjepa_pipe.config.errors import UserError

PACKAGE = Path(__file__).resolve().parents[1]

RESOLVED_CONFIG = "resolved_config.yaml"
"""In the folder of a run: its whole experiment."""

STEPS = "steps.jsonl"
"""In the folder of a run: which batches its steps were; a train loader writes it."""


def conf_dir() -> Path:
    """The folder of the primary config: beside the package in a checkout, inside it in an installed wheel."""
    checkout = PACKAGE.parent / "conf"
    return checkout if (checkout / "config.yaml").is_file() else PACKAGE / "conf"


def cache_dir() -> Path:
    """Folder of everything vjepa_pipe keeps: `$VJEPA_PIPE_CACHE`, else `~/.cache/vjepa_pipe`.

    It may be deleted whenever no experiment is running.

    Raises:
        RuntimeError: The variable is not set and there is no home folder.
    """
    return Path(os.environ.get("VJEPA_PIPE_CACHE") or "~/.cache/vjepa_pipe").expanduser()


def cache_days() -> float:
    """Days that a table which nobody opens stays in the cache: `$VJEPA_PIPE_CACHE_DAYS`, else 90.

    Raises:
        UserError: The variable is no positive number.
    """
    text = os.environ.get("VJEPA_PIPE_CACHE_DAYS") or "90"
    try:
        days = float(text)
    except ValueError:
        days = 0.0
    if not days > 0:
        raise UserError(f"VJEPA_PIPE_CACHE_DAYS must be a number of days > 0 (got {text!r})")
    return days
