"""Keys to batches: the loaders, their workers and the collation of samples and masks."""

from vjepa_pipe.loader.collate import MaskCollator
from vjepa_pipe.loader.device import device_prefetch
from vjepa_pipe.loader.loader import ClipLoader
from vjepa_pipe.loader.manager import DataManager

__all__ = ["ClipLoader", "DataManager", "MaskCollator", "device_prefetch"]
