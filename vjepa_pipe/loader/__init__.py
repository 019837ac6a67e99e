"""Keys to batches: the loaders, their workers and the collation of samples and masks."""

from vjepa_pipe.loader.blame import WorkersKeepDying
from vjepa_pipe.loader.caption_collate import VideoCollator
from vjepa_pipe.loader.collate import MaskCollator
from vjepa_pipe.loader.device import device_prefetch
from vjepa_pipe.loader.loader import ClipLoader
from vjepa_pipe.loader.manager import DataManager
from vjepa_pipe.loader.report import Report, SourceReport, TooManyFailures
from vjepa_pipe.loader.state import StateError

__all__ = [
    "ClipLoader",
    "DataManager",
    "MaskCollator",
    "Report",
    "SourceReport",
    "StateError",
    "TooManyFailures",
    "VideoCollator",
    "WorkersKeepDying",
    "device_prefetch",
]
