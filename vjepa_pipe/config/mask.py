"""What an experiment may say about token masks: group `mask/`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from vjepa_pipe.config.data import CONVENTIONS
from vjepa_pipe.config.fields import setting

CUT_OVER = ("rank", "global")


@dataclass
class MultiBlockConfig:
    """One multi-block mask: the predictor's tokens are the union of blocks, the encoder sees the rest.

    Keys and meanings are those of vjepa2's `mask` entries.
    """

    spatial_scale: tuple[float, float] = setting(
        (0.15, 0.15), "share of a frame's tokens that one block covers: smallest, largest", gt=0, le=1, ordered=True
    )
    temporal_scale: tuple[float, float] = setting(
        (1.0, 1.0), "share of the clip's length that one block covers: smallest, largest", gt=0, le=1, ordered=True
    )
    aspect_ratio: tuple[float, float] = setting(
        (0.75, 1.5),
        "height / width of a block, in tokens: smallest, largest; a side longer than the frame's is cut to it",
        ge=0.01,
        le=100,
        ordered=True,
    )
    num_blocks: int = setting(8, "blocks per clip", ge=1, le=1000)
    max_temporal_keep: float = setting(1.0, "share of the clip, from its start, that the encoder may see", gt=0, le=1)
    max_keep: Optional[int] = setting(None, "most tokens the encoder may see", ge=1, le=10**9)
    full_complement: bool = setting(False, "predict every token the encoder does not see")
    pred_full_complement: bool = setting(False, "let the encoder see every token that is not predicted")
    inv_block: bool = setting(False, "swap what the encoder sees and what is predicted")


@dataclass
class TubeConfig:
    """One tube mask: the same places hidden in every frame."""

    ratio: float = setting(0.9, "share of the places that are hidden", gt=0, lt=1)


@dataclass
class MaskConfig:
    """Batches without masks, for supervised training; the base of every other mask.

    python launch.py mask=none
    """

    patch_size: int = setting(16, "side of a token in pixels", ge=1, le=1024)
    tubelet_size: int = setting(2, "frames per token", ge=1, le=1024)
    convention: str = setting(
        "strict",
        "when a batch's masks are cut to one length: strict drops tokens at random, reference drops the "
        "latest tokens, as the released checkpoints were trained",
        choices=CONVENTIONS,
    )
    cut_over: Optional[str] = setting(
        None,
        "the clips whose masks are cut to one length: global, all of a batch's clips, so masks do not depend on the "
        "number of ranks; rank, those of one rank, as published; unset: rank with convention=reference, else global",
        choices=CUT_OVER,
    )
    context_distance: bool = setting(
        False,
        "batches hold `context_distance` too: how far each of the encoder's tokens is from the nearest predicted one, "
        "for V-JEPA 2.1's context loss",
        in_identity_if_set=True,
    )
    extra_args: dict[str, Any] = setting({}, "further keyword arguments, for a `_target_` of your own")
    _target_: str = setting("vjepa_pipe.loader.MaskCollator", "what is built from this group")


@dataclass
class MultiBlock3DMaskConfig(MaskConfig):
    """Multi-block 3D masks of your own, by name; each gives one pair of encoder and predictor indices per clip.

    python launch.py mask=blocks '+mask.masks={few:{num_blocks:4}}'
    """

    masks: dict[str, MultiBlockConfig] = setting({}, "the masks, by name; mask=none draws none", not_empty=True)


@dataclass
class TubeMaskConfig(MaskConfig):
    """Tube masks, by name."""

    masks: dict[str, TubeConfig] = setting({}, "the masks, by name; mask=none draws none", not_empty=True)


def mask_names(config: MaskConfig, drawn: int) -> list[str]:
    """The names of the masks of a batch: those of `masks`, unless a class of the user's draws another number.

    Args:
        config: The settings.
        drawn: How many masks the batch has.
    """
    names = list(getattr(config, "masks", {}))
    return names if len(names) == drawn else ["own"] if drawn == 1 else [f"own{i}" for i in range(drawn)]
