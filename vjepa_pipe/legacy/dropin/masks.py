"""`MaskCollator` with the published signature and nesting (vjepa2 `src/masks/multiseq_multiblock3d.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import default_collate

from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.img_size import ImgSize, height_and_width
from vjepa_pipe.config.mask import MaskConfig, MultiBlock3DMaskConfig, MultiBlockConfig, TubeConfig, TubeMaskConfig
from vjepa_pipe.legacy.key import BadValue, Settings
from vjepa_pipe.legacy.masks import RELEASED, read_blocks
from vjepa_pipe.loader.collate import MaskCollator as KeyedMaskCollator
from vjepa_pipe.loader.schedule import GlobalBatch
from vjepa_pipe.sampling import SampleKey

PublishedBatch = list[tuple[Any, list[torch.Tensor], list[torch.Tensor]]]


class MaskCollator:
    """Collates published samples `([clip], label, [clip_indices])` and draws their masks.

    A batch is a list with an entry for each clip length present, in the order of `dataset_fpcs`:
    `(samples, masks_enc, masks_pred)`, where `samples` is what torch's `default_collate` gives, and
    each mask int64 `[B, K]`. Masks are cut as published; block sizes follow the batch number.

    Args:
        cfgs_mask: Entries of a published `mask` list.
        dataset_fpcs: Frames per clip of each source.
        crop_size: Side of a clip in pixels, or height and width.
        patch_size: Side of a token in pixels, or height and width, which must be equal.
        tubelet_size: Frames per token.

    Raises:
        ConfigError: If an entry is wrong, or the sides of a token differ.
        ValueError: If `crop_size` is no size.
    """

    _read = staticmethod(read_blocks)

    def __init__(
        self,
        cfgs_mask: Sequence[Mapping[str, Any]],
        dataset_fpcs: Sequence[int],
        crop_size: ImgSize = (224, 224),
        patch_size: int | Sequence[int] = (16, 16),
        tubelet_size: int = 2,
    ) -> None:
        try:
            settings = self._read([dict(entry) for entry in cfgs_mask])
        except BadValue as bad:
            raise ConfigError([f"cfgs_mask{bad.below} {bad}"]) from bad
        config = _mask_config(settings, _side(patch_size), tubelet_size)
        self.crop_size = height_and_width(crop_size)
        self.lengths = list(dict.fromkeys(dataset_fpcs))
        self._masks = {length: KeyedMaskCollator(config, length) for length in self.lengths}
        self._steps = 0
        self.global_batch_size: int | None = None

    def step(self) -> None:
        """Go on by one batch, as a resumed trainer does for each batch it has seen."""
        self._steps += 1

    def __call__(self, samples: Sequence[Any]) -> PublishedBatch:
        """Collate.

        Raises:
            KeyError: If a clip has a length that is not in `dataset_fpcs`.
        """
        batches: PublishedBatch = []
        by_length: dict[int, list[Any]] = {length: [] for length in self.lengths}
        for sample in samples:
            by_length[len(sample[-1][-1])].append(sample)
        for length, chosen in by_length.items():
            if chosen:
                batches.append((default_collate(chosen), *self._draw(length, chosen)))
        self._steps += 1
        return batches

    def _draw(self, length: int, samples: Sequence[Any]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        keys = [sample.key for sample in samples if hasattr(sample, "key")]
        if len(keys) == len(samples) and self.global_batch_size is not None:
            step = keys[0].position // self.global_batch_size
            whole = GlobalBatch(step, step * self.global_batch_size, self.global_batch_size)
        else:
            first = self._steps * len(samples)
            keys = [SampleKey(0, 0, first + i, 0, i) for i in range(len(samples))]
            whole = GlobalBatch(self._steps, first, len(samples))
        places = np.array([key.position - whole.first for key in keys])
        shape = (length, *self.crop_size)
        return self._masks[length].draw_masks(shape, keys, whole, places, cut=places)


def _mask_config(settings: Settings, patch_size: int, tubelet_size: int) -> MaskConfig:
    """The masks that entries of a published list ask for, cut as published.

    Args:
        settings: What `read_blocks` or `read_tubes` gave for them.
        patch_size: Side of a token in pixels.
        tubelet_size: Frames per token.
    """
    kind, entry = (
        (TubeMaskConfig, TubeConfig) if settings["mask"] == "tube" else (MultiBlock3DMaskConfig, MultiBlockConfig)
    )
    given: dict[str, dict[str, Any]] = {}
    for path, value in settings.items():
        if "." in path:
            _, _, name, key = path.split(".")
            given.setdefault(name, {})[key] = tuple(value) if isinstance(value, list) else value
    masks: Any = {name: entry(**values) for name, values in given.items()} or dict(RELEASED)
    return kind(patch_size=patch_size, tubelet_size=tubelet_size, convention="reference", masks=masks)


def _side(patch_size: int | Sequence[int]) -> int:
    sides = {patch_size} if isinstance(patch_size, int) else set(patch_size)
    if len(sides) != 1:
        raise ConfigError([f"patch_size must be one number, or twice the same (got {patch_size})"])
    return sides.pop()
