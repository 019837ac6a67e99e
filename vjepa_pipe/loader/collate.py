"""Samples to a batch, with the masks that its clips are trained with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.utils.data import default_collate

from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.mask import MaskConfig, MultiBlockConfig, TubeConfig
from vjepa_pipe.loader.batch_memory import batch_of
from vjepa_pipe.masks import MaskGenerator, MultiBlock3D, Tube
from vjepa_pipe.sampling import SampleKey, generator

Batch = dict[str, Any]


class MaskCollator:
    """Collates sample dicts into a batch dict and draws its masks.

    Tensors are stacked, whole numbers become int64 tensors and everything else a list. With masks, the
    batch has two more entries, in the order of `config.masks`:

    - `masks_enc`: for each mask, int64 `[B, K]`, the tokens that the encoder sees;
    - `masks_pred`: for each mask, int64 `[B, K']`, the tokens that the predictor must predict.

    Tokens count in time, then rows, then columns. Block sizes follow from the batch's place in the run
    and block positions from each sample's key, so masks do not depend on workers. Clips of several
    lengths give a list of batches, one for each length present, shortest first.

    Args:
        config: The masks; None or a plain `MaskConfig` draws none.
        frames_per_clip: The clip length T, or all the lengths that samples may have.
        global_batch_size: Samples in a batch over all ranks: the clock of the block sizes.
        seed: Seed of the keys made for samples that carry none.
        img_size: Height and width of the clips in pixels, when known: masks that cannot be drawn are then
            found here and not at the first batch.

    Raises:
        ConfigError: If a mask cannot be drawn on clips of this size.
    """

    def __init__(
        self,
        config: MaskConfig | None = None,
        frames_per_clip: int | Sequence[int] = 16,
        global_batch_size: int | None = None,
        seed: int = 0,
        img_size: int | None = None,
    ) -> None:
        self.config = config if config is not None else MaskConfig()
        self.lengths = sorted({frames_per_clip} if isinstance(frames_per_clip, int) else set(frames_per_clip))
        self.global_batch_size = global_batch_size
        self.seed = seed
        self._masks: Mapping[str, MultiBlockConfig | TubeConfig] = getattr(self.config, "masks", {})
        self._generators: dict[tuple[str, tuple[int, int, int]], MaskGenerator] = {}
        self._batches = 0
        if img_size is not None:
            for length in self.lengths:
                self.generators_for((length, img_size, img_size))

    def __call__(self, samples: Sequence[Mapping[str, Any]]) -> Batch | list[Batch]:
        keys = self._keys(samples)
        step = keys[0].position // (self.global_batch_size or len(samples))
        if len(self.lengths) == 1:
            return self._collate(samples, keys, step)
        batches = []
        for length in self.lengths:
            chosen = [i for i, sample in enumerate(samples) if sample["clip_indices"].shape[-1] == length]
            if chosen:
                batches.append(self._collate([samples[i] for i in chosen], [keys[i] for i in chosen], step))
        return batches

    def generators_for(self, video_shape: Sequence[int]) -> dict[str, MaskGenerator]:
        """The mask generators, by name, for clips of shape `[..., T, H, W]`."""
        frames, height, width = video_shape[-3:]
        patch = self.config.patch_size
        grid = (frames // self.config.tubelet_size, height // patch, width // patch)
        return {name: self._generator(name, config, grid) for name, config in self._masks.items()}

    def _collate(self, samples: Sequence[Mapping[str, Any]], keys: Sequence[SampleKey], step: int) -> Batch:
        batch = {name: _stack([sample[name] for sample in samples]) for name in samples[0]}
        if self._masks:
            drawn = [
                self._draw(name, masks, keys, step) for name, masks in self.generators_for(batch["video"].shape).items()
            ]
            batch["masks_enc"], batch["masks_pred"] = [enc for enc, _ in drawn], [pred for _, pred in drawn]
        return batch

    def _draw(
        self, name: str, masks: MaskGenerator, keys: Sequence[SampleKey], step: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        size = masks.draw_size(step)
        rngs = [generator(key, f"mask/{name}") for key in keys]
        return masks.collate([masks.draw_clip(size, rng) for rng in rngs], rngs)

    def _generator(self, name: str, config: MultiBlockConfig | TubeConfig, grid: tuple[int, int, int]) -> MaskGenerator:
        if (name, grid) not in self._generators:
            kind = Tube if isinstance(config, TubeConfig) else MultiBlock3D
            try:
                self._generators[name, grid] = kind(config, grid, self.config.convention)  # type: ignore[arg-type]
            except ValueError as error:
                raise ConfigError([f"mask.masks.{name}: {error}"]) from error
        return self._generators[name, grid]

    def _keys(self, samples: Sequence[Mapping[str, Any]]) -> list[SampleKey]:
        """The samples' keys; samples of a dataset without keys are numbered as they come."""
        if "key" in samples[0]:
            return [sample["key"] for sample in samples]
        first = self._batches * len(samples)
        self._batches += 1
        return [SampleKey(self.seed, 0, first + i, 0, first + i) for i in range(len(samples))]


def _stack(values: list[Any]) -> Any:
    if isinstance(values[0], torch.Tensor):
        batch = batch_of(values)
        return default_collate(values) if batch is None else batch
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return torch.tensor(values, dtype=torch.int64)
    return values
