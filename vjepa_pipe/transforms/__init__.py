"""Augmentation: one module per operation, joined by `pipeline`.

Every random operation has two halves: `draw(rng, shape)` chooses the parameters, `apply(frames, params)` uses
them and draws nothing. So what happened to a clip can be logged, compared and repeated.
"""

from __future__ import annotations

from vjepa_pipe.transforms.box import Box
from vjepa_pipe.transforms.crop import CropParams, RandomResizedCrop
from vjepa_pipe.transforms.erase import EraseParams, RandomErasing
from vjepa_pipe.transforms.evaluate import EvalTransform
from vjepa_pipe.transforms.flip import FlipParams, HorizontalFlip
from vjepa_pipe.transforms.frames import as_frames
from vjepa_pipe.transforms.global_generators import global_generators
from vjepa_pipe.transforms.memory import new_clip, next_clip_at
from vjepa_pipe.transforms.normalize import Normalize
from vjepa_pipe.transforms.padding import pad_clip_circulant, pad_indices_circulant
from vjepa_pipe.transforms.pipeline import VideoTransformPipeline
from vjepa_pipe.transforms.randaugment import AugmentOp, RandAugment, RandAugmentParams
from vjepa_pipe.transforms.squeeze import Squeeze
from vjepa_pipe.transforms.train import ClipParams, TrainTransform
from vjepa_pipe.transforms.views import MultiViewCrop, ResizeCenterCrop

__all__ = [
    "AugmentOp",
    "Box",
    "ClipParams",
    "CropParams",
    "EraseParams",
    "EvalTransform",
    "FlipParams",
    "HorizontalFlip",
    "MultiViewCrop",
    "Normalize",
    "RandAugment",
    "RandAugmentParams",
    "RandomErasing",
    "RandomResizedCrop",
    "ResizeCenterCrop",
    "Squeeze",
    "TrainTransform",
    "VideoTransformPipeline",
    "as_frames",
    "global_generators",
    "new_clip",
    "next_clip_at",
    "pad_clip_circulant",
    "pad_indices_circulant",
]
