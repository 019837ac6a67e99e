"""The training transform: every random operation, drawn together and then applied together.

Order: random resized crop, flip, [extra transforms], [RandAugment], to `[C, T, H, W]`, normalise, [erase].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.img_size import ImgSize, height_and_width
from vjepa_pipe.transforms.crop import CropParams, RandomResizedCrop
from vjepa_pipe.transforms.erase import EraseParams, RandomErasing
from vjepa_pipe.transforms.flip import FlipParams, HorizontalFlip
from vjepa_pipe.transforms.frames import CHANNELS, Frames, as_frames, check_shape, to_uint8
from vjepa_pipe.transforms.global_generators import global_generators
from vjepa_pipe.transforms.memory import new_clip
from vjepa_pipe.transforms.normalize import Normalize
from vjepa_pipe.transforms.randaugment import RandAugment, RandAugmentParams

ClipTransform = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class ClipParams:
    """Everything that was drawn for one training clip.

    Attributes:
        crop: Where it is cropped.
        flip: Whether it is mirrored.
        rand_augment: Its image operations; None without auto-augment.
        erase: Its erased box; None when nothing is erased.
        extra_seed: What the global generators start from for extra transforms; None without any.
    """

    crop: CropParams
    flip: FlipParams
    rand_augment: RandAugmentParams | None = None
    erase: EraseParams | None = None
    extra_seed: int | None = None

    def figures(self, height: int, width: int, size: ImgSize) -> dict[str, float]:
        """What was drawn, in numbers: see `vjepa_pipe.figures.FIGURES`. Of a moving crop, the mean of both its ends.

        Args:
            height: Pixels of the decoded frames.
            width: Pixels of the decoded frames.
            size: Height and width of the clip in pixels; one number: a square.
        """
        boxes = [box for box in (self.crop.start, self.crop.end) if box is not None]
        erased = self.erase.box.height * self.erase.box.width if self.erase else 0
        return {
            "crop_area": sum(box.height * box.width for box in boxes) / (len(boxes) * height * width),
            "crop_aspect": sum(box.width / box.height for box in boxes) / len(boxes),
            "erased": erased / math.prod(height_and_width(size)),
        }


@dataclass(frozen=True)
class TrainTransform:
    """From decoded frames to an augmented training clip.

    Attributes:
        crop: Random resized crop.
        flip: Horizontal flip.
        rand_augment: Image operations, or None.
        rand_augment_first: Run them on whole frames before the crop, as the published code does.
        extra_transforms: Further transforms on uint8 `[T, C, H, W]`. What they draw from the global generators of
            Python, NumPy and torch follows from `ClipParams.extra_seed`.
        normalize: Mean and standard deviation.
        erase: Random erasing.
        as_uint8: Give whole 8-bit values, neither normalised nor erased.
    """

    crop: RandomResizedCrop
    flip: HorizontalFlip
    rand_augment: RandAugment | None
    rand_augment_first: bool
    extra_transforms: tuple[ClipTransform, ...]
    normalize: Normalize
    erase: RandomErasing
    as_uint8: bool = False

    def __call__(self, frames: Frames, rng: np.random.Generator | None = None) -> Tensor:
        """Draw and apply.

        Args:
            frames: uint8 `[T, H, W, 3]`, tensor or array; never written to.
            rng: Source of randomness; None takes a fresh, unseeded one.

        Returns:
            Normalised float32 `[C, T, height, width]`; with `as_uint8`, uint8 from 0 to 255.

        Raises:
            TypeError: The frames are not uint8.
            ValueError: The frames have another shape.
        """
        frames = as_frames(frames)
        return self.apply(frames, self.draw(np.random.default_rng() if rng is None else rng, frames.shape))

    def draw(self, rng: np.random.Generator, shape: Sequence[int]) -> ClipParams:
        """Draw the parameters of one clip.

        Args:
            rng: Source of randomness.
            shape: Shape of the frames, `[T, H, W, 3]`.
        """
        count, _, _, channels = check_shape(shape)
        return ClipParams(
            crop=self.crop.draw(rng, shape),
            flip=self.flip.draw(rng, shape),
            rand_augment=self.rand_augment.draw(rng, shape) if self.rand_augment else None,
            erase=self.erase.draw(rng, (count, *height_and_width(self.crop.size), channels)),
            extra_seed=int(rng.integers(2**63)) if self.extra_transforms else None,
        )

    def apply(self, frames: Frames, params: ClipParams) -> Tensor:
        """Apply drawn parameters; equal frames and parameters give equal clips.

        Frames go one by one from their pixels to their place in the clip, each while it is in the processor's cache.

        Args:
            frames: uint8 `[T, H, W, 3]`, tensor or array; never written to.
            params: What `draw` gave for frames of this shape.

        Returns:
            As for a call.
        """
        frames = as_frames(frames)
        shape = (CHANNELS, len(frames), *height_and_width(self.crop.size))
        out = new_clip(shape, torch.uint8 if self.as_uint8 else torch.float32)
        if self.rand_augment_first:
            frames = self._augment(frames, params)
        pieces = self._cropped(frames, params)
        augment_now = bool(params.rand_augment and params.rand_augment.ops) and not self.rand_augment_first
        if self.extra_transforms or augment_now:
            # These work on whole 8-bit values; a clip that goes through neither keeps its fractions.
            whole = torch.cat([to_uint8(piece) for piece in pieces], 1).permute(1, 2, 3, 0).contiguous()
            whole = self._run_extra(whole, params.extra_seed)
            whole = self._augment(whole, params) if augment_now else whole
            pieces = (whole[i : i + 1].permute(3, 0, 1, 2) for i in range(len(whole)))
        for index, piece in enumerate(pieces):
            place = out[:, index : index + 1]
            if self.as_uint8:
                place.copy_(to_uint8(piece))
            else:
                self.normalize.write(piece, place)
        return out if self.as_uint8 else self.erase.apply(out, params.erase)

    def _cropped(self, frames: Tensor, params: ClipParams) -> Iterator[Tensor]:
        """The frames, cropped and flipped, one by one: float32 or uint8 `[C, 1, height, width]`."""
        for index, box in enumerate(params.crop.boxes(len(frames))):
            yield self.flip.apply(self.crop.resized(frames[index], box), params.flip)[:, None]

    def _augment(self, frames: Tensor, params: ClipParams) -> Tensor:
        if self.rand_augment is None or params.rand_augment is None:
            return frames
        return self.rand_augment.apply(frames, params.rand_augment)

    def _run_extra(self, frames: Tensor, seed: int | None) -> Tensor:
        clip = frames.permute(0, 3, 1, 2)
        with nullcontext() if seed is None else global_generators(seed):
            for transform in self.extra_transforms:
                given = clip.shape
                clip = transform(clip)
                if not isinstance(clip, Tensor) or clip.dtype != torch.uint8 or clip.shape != given:
                    got = f"{clip.dtype} {list(clip.shape)}" if isinstance(clip, Tensor) else type(clip).__name__
                    name, wanted = type(transform).__qualname__, f"uint8 {list(given)}"
                    raise ConfigError([f"data_aug.extra_transforms: {name} must return {wanted} (got {got})"])
        return clip.permute(0, 2, 3, 1)
