"""torchcodec is optional, and needs FFmpeg's shared libraries, which no Python package brings."""

from __future__ import annotations

import pytest


def _loads() -> bool:
    try:
        import torchcodec.decoders  # noqa: F401
    except (ImportError, RuntimeError, OSError):
        return False
    return True


needs_torchcodec = pytest.mark.skipif(not _loads(), reason="torchcodec or FFmpeg's shared libraries are not installed")
