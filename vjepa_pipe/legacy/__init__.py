"""Published V-JEPA files and calls: in, out, and in place of the published loader.

    from vjepa_pipe.legacy import MaskCollator, init_data, init_droid_data, make_transforms

stand where a trainer imports the functions of these names. They are imported on first use, so that
translating a file loads neither torch nor a decoder.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOME = {
    "MaskCollator": "vjepa_pipe.legacy.dropin.masks",
    "init_data": "vjepa_pipe.legacy.dropin.data",
    "init_droid_data": "vjepa_pipe.legacy.dropin.robots",
    "make_transforms": "vjepa_pipe.legacy.dropin.transforms",
}
__all__ = ["MaskCollator", "init_data", "init_droid_data", "make_transforms"]

if TYPE_CHECKING:
    from vjepa_pipe.legacy.dropin.data import init_data
    from vjepa_pipe.legacy.dropin.masks import MaskCollator
    from vjepa_pipe.legacy.dropin.robots import init_droid_data
    from vjepa_pipe.legacy.dropin.transforms import make_transforms


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
