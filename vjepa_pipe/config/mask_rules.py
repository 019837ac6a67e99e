"""Rules between masks and the clips that they are drawn on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from vjepa_pipe.config.captioned import is_vlm
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.img_size import ImgSize, canonical, height_and_width
from vjepa_pipe.config.mask import MaskConfig, TubeConfig
from vjepa_pipe.config.mask_sizes import block_faults, tube_faults


def clips_hold_whole_tokens(experiment: ExperimentConfig) -> Iterator[str]:
    """Masks are drawn on a grid of tokens, so a clip must hold a whole number of them."""
    if not _masks(experiment):
        return
    yield from token_faults(experiment.mask, experiment.data.img_size, _lengths(experiment))


def token_faults(mask: MaskConfig, img_size: ImgSize, lengths: Iterable[int]) -> Iterator[str]:
    """A line for each side of a clip that holds no whole number of tokens.

    Args:
        mask: Says how large a token is.
        img_size: Height and width of the clips, in pixels; one number: squares.
        lengths: Their lengths, in frames.
    """
    patch, tubelet = mask.patch_size, mask.tubelet_size
    if any(side % patch for side in height_and_width(img_size)):
        yield f"data.img_size must be a multiple of mask.patch_size={patch} (got {canonical(img_size)})"
    for length in sorted(set(lengths)):
        if length < tubelet:
            yield f"data.frames_per_clip must be at least mask.tubelet_size={tubelet} to hold a token (got {length})"
        elif length % tubelet:
            yield f"data.frames_per_clip must be a multiple of mask.tubelet_size={tubelet} (got {length})"


def masks_can_be_drawn(experiment: ExperimentConfig) -> Iterator[str]:
    """Each mask leaves the encoder something, and hides something, of every clip."""
    height, width = (side // experiment.mask.patch_size for side in height_and_width(experiment.data.img_size))
    for length in _lengths(experiment):
        grid = (length // experiment.mask.tubelet_size, height, width)
        for name, mask in _masks(experiment).items():
            check = tube_faults if isinstance(mask, TubeConfig) else block_faults
            yield from check(mask, grid, experiment.mask.convention, f"mask.masks.{name}")


def distances_need_masks(experiment: ExperimentConfig) -> Iterator[str]:
    """Distances between tokens are those of masks."""
    if experiment.mask.context_distance and not masks_per_clip(experiment):
        without = "data.output.layout=vlm" if is_vlm(experiment.data) else "mask=none"
        yield f"mask.context_distance must be false with {without}: such batches have no masks"


def masks_per_clip(experiment: ExperimentConfig) -> int:
    """Pairs of masks that batches hold for each clip: those of `mask.masks`, or the one of a class of the user's."""
    own = experiment.mask._target_ != MaskConfig()._target_ and not is_vlm(experiment.data)
    return len(_masks(experiment)) or int(own)


def _masks(experiment: ExperimentConfig) -> dict[str, Any]:
    return {} if is_vlm(experiment.data) else getattr(experiment.mask, "masks", {})


def _lengths(experiment: ExperimentConfig) -> list[int]:
    return sorted(set(experiment.data.frames_per_clip_by_source or [experiment.data.frames_per_clip]))
