"""Rules between masks and the clips that they are drawn on."""

from __future__ import annotations

from collections.abc import Iterator

from vjepa_pipe.config.captioned import is_vlm
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.mask import TubeConfig
from vjepa_pipe.config.mask_sizes import block_faults, tube_faults


def masks_can_be_drawn(experiment: ExperimentConfig) -> Iterator[str]:
    """Masks are drawn on a grid of tokens: a clip holds a whole number of them, and each mask leaves and hides some."""
    masks = getattr(experiment.mask, "masks", None)
    if not masks or is_vlm(experiment.data):
        return
    patch, tubelet, size = experiment.mask.patch_size, experiment.mask.tubelet_size, experiment.data.img_size
    lengths = sorted(set(experiment.data.frames_per_clip_by_source or [experiment.data.frames_per_clip]))
    faults = [f"data.img_size must be a multiple of mask.patch_size={patch} (got {size})"] if size % patch else []
    for length in lengths:
        if length < tubelet:
            faults.append(
                f"data.frames_per_clip must be at least mask.tubelet_size={tubelet} to hold a token (got {length})"
            )
        elif length % tubelet:
            faults.append(f"data.frames_per_clip must be a multiple of mask.tubelet_size={tubelet} (got {length})")
    yield from faults
    for length in lengths if not faults else []:
        grid = (length // tubelet, size // patch, size // patch)
        for name, mask in masks.items():
            check = tube_faults if isinstance(mask, TubeConfig) else block_faults
            yield from check(mask, grid, experiment.mask.convention, f"mask.masks.{name}")


MASK_RULES = (masks_can_be_drawn,)
