"""Samples to a batch, with the masks that its clips are trained with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from vjepa_pipe.config.errors import ConfigError, UserError
from vjepa_pipe.config.mask import MaskConfig, TubeConfig
from vjepa_pipe.config.mask_rules import token_faults
from vjepa_pipe.loader.batch_memory import stacked
from vjepa_pipe.loader.schedule import GlobalBatch, Positions
from vjepa_pipe.masks import BoolGrid, MaskGenerator, MultiBlock3D, OwnMask, Tube
from vjepa_pipe.sampling import SampleKey, generator

Batch = dict[str, Any]
IntArray = npt.NDArray[np.int64]

CHUNK = 256
"""Clips whose masks come from one generator: few enough to draw again on every rank, enough for array operations."""


OWN = "own"
"""Name of a mask that is an object, not an entry of the config."""


class MaskCollator:
    """Collates sample dicts into a batch dict and draws its masks.

    Tensors are stacked, whole numbers become int64 tensors and everything else a list. With masks, the
    batch has two more entries, in the order of `config.masks`:

    - `masks_enc`: for each mask, int64 `[B, K]`, the tokens that the encoder sees;
    - `masks_pred`: for each mask, int64 `[B, K']`, the tokens that the predictor must predict.

    Tokens count in time, then rows, then columns. Block sizes follow from the batch's place in the run,
    block positions from the clip's: workers do not matter, and a sample read in place of a bad one has
    the mask that the bad one would have had. Clips of several lengths give a list of batches, one for
    each length present, shortest first.

    With `cut_over=global` a batch's masks are cut to the shortest over all ranks. Masks need no pixels, so
    each rank draws those of all clips by itself.

    Args:
        config: The masks; None or a plain `MaskConfig` draws none.
        frames_per_clip: The clip length T, or that of each source.
        schedule: Where batches lie in the run; None: batches are counted as they come, on this rank alone.
        seed: Seed of the keys made for samples that carry none.
        img_size: Height and width of the clips in pixels, when known: masks that cannot be drawn are then
            found here and not at the first batch.
        own_mask: Draws instead of `config.masks`; see `OwnMask`.

    Raises:
        ConfigError: If a mask cannot be drawn on clips of this size.
    """

    def __init__(
        self,
        config: MaskConfig | None = None,
        frames_per_clip: int | Sequence[int] = 16,
        schedule: Positions | None = None,
        seed: int = 0,
        img_size: int | None = None,
        own_mask: Any = None,
    ) -> None:
        self.config = config if config is not None else MaskConfig()
        self.lengths = [frames_per_clip] if isinstance(frames_per_clip, int) else list(frames_per_clip)
        self.schedule = schedule
        by_convention = "rank" if self.config.convention == "reference" else "global"
        self._over_all_ranks = schedule is not None and (self.config.cut_over or by_convention) == "global"
        self.seed = seed
        self._masks: Mapping[str, Any] = getattr(self.config, "masks", {}) if own_mask is None else {OWN: own_mask}
        self._generators: dict[tuple[str, tuple[int, int, int]], MaskGenerator] = {}
        self._batches = 0
        if img_size is not None:
            if own_mask is not None and (faults := list(token_faults(self.config, img_size, self.lengths))):
                raise ConfigError(faults)
            for length in self.lengths:
                self.generators_for((length, img_size, img_size))

    def __call__(self, samples: Sequence[Mapping[str, Any]]) -> Batch | list[Batch]:
        keys = self._keys(samples)
        if self.schedule is None:
            whole = GlobalBatch(keys[0].position // len(keys), keys[0].position, len(keys))
            places = np.arange(len(keys))
        else:
            whole = self.schedule.containing(keys[0].position)
            places = np.array([key.position - whole.first for key in keys])
        if len(set(self.lengths)) == 1:
            cut = np.arange(whole.size) if self._over_all_ranks else places
            return self._collate(samples, keys, whole, places, cut)
        here = np.array([sample["video"].shape[-3] for sample in samples])
        batches = []
        for length in sorted(set(here.tolist())):
            chosen = np.flatnonzero(here == length)
            cut = self._places_of_length(whole, length) if self._over_all_ranks else places[chosen]
            of = [samples[i] for i in chosen.tolist()], [keys[i] for i in chosen.tolist()]
            batches.append(self._collate(*of, whole, places[chosen], cut))
        return batches

    def generators_for(self, video_shape: Sequence[int]) -> dict[str, MaskGenerator]:
        """The mask generators, by name, for clips of shape `[..., T, H, W]`."""
        frames, height, width = video_shape[-3:]
        patch = self.config.patch_size
        grid = (frames // self.config.tubelet_size, height // patch, width // patch)
        return {name: self._generator(name, config, grid) for name, config in self._masks.items()}

    def _places_of_length(self, whole: GlobalBatch, length: int) -> IntArray:
        """Which places of a batch hold clips of this length; replacements keep to the source."""
        assert self.schedule is not None
        sources = (self.schedule.at(whole.first + place).source for place in range(whole.size))
        return np.flatnonzero([self.lengths[source] == length for source in sources])

    def _collate(
        self,
        samples: Sequence[Mapping[str, Any]],
        keys: Sequence[SampleKey],
        whole: GlobalBatch,
        places: IntArray,
        cut: IntArray,
    ) -> Batch:
        names = dict.fromkeys(name for sample in samples for name in sample)
        batch = {name: _stacked(samples, name) for name in names}
        if self._masks:
            if not isinstance(batch.get("video"), torch.Tensor):
                raise UserError(f"masks are drawn for 'video'; the samples hold {', '.join(samples[0])}")
            drawn = self.draw_masks(batch["video"].shape, keys, whole, places, cut)
            batch["masks_enc"], batch["masks_pred"] = drawn
        return batch

    def draw_masks(
        self,
        video_shape: Sequence[int],
        keys: Sequence[SampleKey],
        whole: GlobalBatch,
        places: IntArray,
        cut: IntArray,
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """The masks of some clips of a batch.

        Args:
            video_shape: `[..., T, H, W]` of the clips.
            keys: Their keys.
            whole: The batch over all ranks; block sizes follow from its place in the run.
            places: Where in `whole` the clips stand.
            cut: The places whose shortest masks all are cut to.

        Returns:
            `(masks_enc, masks_pred)`, as in a batch.
        """
        named = self.generators_for(video_shape).items()
        drawn = [self._draw(name, masks, keys, whole, places, cut) for name, masks in named]
        return [enc for enc, _ in drawn], [pred for _, pred in drawn]

    def _draw(
        self,
        name: str,
        masks: MaskGenerator,
        keys: Sequence[SampleKey],
        whole: GlobalBatch,
        places: IntArray,
        cut: IntArray,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The masks of the clips at `places`, cut to the shortest of those at `cut`."""
        size = masks.draw_size(whole.step)
        own: dict[int, BoolGrid] = {}
        seen: list[IntArray] = []
        wanted = set(places.tolist())
        for chunk in sorted({place // CHUNK for place in cut.tolist()}):
            first, last = chunk * CHUNK, min((chunk + 1) * CHUNK, whole.size)
            key = keys[0] if self.schedule is None else self.schedule.at(whole.first + first)
            place_key = SampleKey(key.seed, key.epoch, whole.first + first, 0, 0)
            grids = masks.draw_clips(size, last - first, generator(place_key, f"mask/{name}"))
            inside = cut[(cut >= first) & (cut < last)]
            seen.append(grids[inside - first].sum(axis=(1, 2, 3)))
            own.update((place, grids[place - first]) for place in inside.tolist() if place in wanted)
        counts = np.concatenate(seen)
        fewest = int(counts.min()), masks.num_tokens - int(counts.max())
        # Of the key, what does not change when another row is read in its place.
        rngs = [generator(SampleKey(key.seed, key.epoch, key.position, 0, 0), f"mask/{name}/cut") for key in keys]
        return masks.collate([own[place] for place in places.tolist()], rngs, fewest)

    def _generator(self, name: str, config: Any, grid: tuple[int, int, int]) -> MaskGenerator:
        if (name, grid) not in self._generators:
            kind: Any = OwnMask if name is OWN else Tube if isinstance(config, TubeConfig) else MultiBlock3D
            try:
                self._generators[name, grid] = kind(config, grid, self.config.convention)
            except ValueError as error:
                if name is OWN or isinstance(error, ConfigError):
                    raise
                raise ConfigError([f"mask.masks.{name}: {error}"]) from error
        return self._generators[name, grid]

    def _keys(self, samples: Sequence[Mapping[str, Any]]) -> list[SampleKey]:
        """The samples' keys; samples of a dataset without keys are numbered as they come."""
        if "key" in samples[0]:
            return [sample["key"] for sample in samples]
        first = self._batches * len(samples)
        self._batches += 1
        return [SampleKey(self.seed, 0, first + i, 0, first + i) for i in range(len(samples))]


def _stacked(samples: Sequence[Mapping[str, Any]], name: str) -> Any:
    if not all(name in sample for sample in samples):
        raise UserError(f"{name!r} is in some samples of a batch and not in others: let all have it, or none")
    values = [sample[name] for sample in samples]
    shapes = sorted({str(list(value.shape)) if isinstance(value, torch.Tensor) else "no tensor" for value in values})
    if len(shapes) > 1:
        raise UserError(f"{name!r} differs within a batch: {' and '.join(shapes)}")
    return stack(values)


def stack(values: list[Any]) -> Any:
    """Values of one kind as one: tensors stacked, whole numbers int64, everything else a list."""
    if isinstance(values[0], torch.Tensor):
        return stacked(values)
    if all(isinstance(value, (int, np.integer)) and not isinstance(value, bool) for value in values):
        return torch.tensor(values, dtype=torch.int64)
    return values
