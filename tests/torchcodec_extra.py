"""torchcodec is optional, and needs FFmpeg's shared libraries, which no Python package brings."""

from __future__ import annotations

import functools

import pytest

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.video import TorchcodecDecoder


@functools.cache
def loads() -> bool:
    """Whether it can be imported."""
    try:
        TorchcodecDecoder()
    except UserError:
        return False
    return True


# As text it is found out when such a test is run: the import takes two seconds.
needs_torchcodec = pytest.mark.skipif(
    f"not __import__({__name__!r}).loads()", reason="torchcodec or FFmpeg's shared libraries are not installed"
)
