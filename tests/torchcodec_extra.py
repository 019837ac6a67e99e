"""torchcodec is optional, and needs FFmpeg's shared libraries, which no Python package brings."""

from __future__ import annotations

import pytest

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.video import TorchcodecDecoder


def _loads() -> bool:
    try:
        TorchcodecDecoder()
    except UserError:
        return False
    return True


needs_torchcodec = pytest.mark.skipif(not _loads(), reason="torchcodec or FFmpeg's shared libraries are not installed")
