"""Token masks for a batch of a given shape: which tokens the encoder sees, which are predicted."""

from vjepa_pipe.masks.base import BoolGrid, MaskGenerator
from vjepa_pipe.masks.distance import context_distance
from vjepa_pipe.masks.multiblock import MultiBlock3D
from vjepa_pipe.masks.own import OwnMask
from vjepa_pipe.masks.tube import Tube

__all__ = ["BoolGrid", "MaskGenerator", "MultiBlock3D", "OwnMask", "Tube", "context_distance"]
