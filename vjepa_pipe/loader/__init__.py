"""Keys to batches: the loaders, their workers and the collation of samples and masks."""

from vjepa_pipe.loader.caption_collate import VideoCollator
from vjepa_pipe.loader.collate import MaskCollator
from vjepa_pipe.loader.loader import ClipLoader
from vjepa_pipe.loader.manager import DataManager

__all__ = ["ClipLoader", "DataManager", "MaskCollator", "VideoCollator"]
