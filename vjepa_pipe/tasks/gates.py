"""What a gate of task=validate does when data does not pass."""

from __future__ import annotations

from vjepa_pipe.config.errors import UserError


class GateFailed(UserError):
    """What a gate found."""


def require(holds: bool, otherwise: str) -> None:
    """Raise `GateFailed` unless `holds`."""
    if not holds:
        raise GateFailed(otherwise)
