"""The published list of masks, and our masks by name."""

from __future__ import annotations

import dataclasses
from typing import Any

from vjepa_pipe.config.errors import did_you_mean
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.mask import MultiBlockConfig, TubeConfig
from vjepa_pipe.legacy.key import BadValue, Settings

RELEASED = {
    "short": MultiBlockConfig(num_blocks=8),
    "long": MultiBlockConfig(num_blocks=2, spatial_scale=(0.7, 0.7)),
}
"""What `mask=multiblock3d` holds."""

RELEASED_FOR_IMAGES = {"short": MultiBlockConfig(num_blocks=10)}
"""What `mask=multiblock2d` holds."""

_NEEDED = ("spatial_scale", "temporal_scale", "aspect_ratio", "num_blocks")


def read_blocks(entries: Any) -> Settings:
    """Multi-block entries: `mask=multiblock3d` if they are the released two, else `mask=blocks`."""
    given = [_entry(entry, index, MultiBlockConfig, _NEEDED) for index, entry in enumerate(_as_list(entries))]
    if _are(given, RELEASED):
        return {"mask": "multiblock3d"}
    settings = {f"mask.masks.{block_name(i)}.{key}": v for i, entry in enumerate(given) for key, v in entry.items()}
    return {"mask": "blocks", **settings}


def read_image_blocks(entries: Any) -> Settings:
    """Entries of V-JEPA 2.1's `img_mask`: `mask=multiblock2d` if they are the released one, else as `read_blocks`."""
    settings = read_blocks(entries)
    return {"mask": "multiblock2d"} if _are(entries, RELEASED_FOR_IMAGES) else settings


def read_tubes(entries: Any) -> Settings:
    """Tube entries of V-JEPA 1: `mask=tube`."""
    given = [_entry(entry, index, TubeConfig, ("ratio",)) for index, entry in enumerate(_as_list(entries))]
    names = ["tube", *(f"tube_{index}" for index in range(1, len(given)))]
    return {"mask": "tube", **{f"mask.masks.{name}.ratio": e["ratio"] for name, e in zip(names, given, strict=True)}}


def write_masks(experiment: ExperimentConfig) -> list[dict[str, Any]] | None:
    """The published list; None if the experiment draws no masks."""
    masks = getattr(experiment.mask, "masks", None)
    if not masks:
        return None
    return [
        {key: list(value) if isinstance(value, tuple) else value for key, value in dataclasses.asdict(mask).items()}
        for mask in masks.values()
    ]


def block_name(index: int) -> str:
    """Our name of a published entry."""
    return f"mask_{index}"


def _as_list(entries: Any) -> list[Any]:
    if not isinstance(entries, list) or not entries:
        raise BadValue(f"must be a list of masks (got {entries!r})")
    return entries


def _entry(entry: Any, index: int, cls: type[Any], needed: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise BadValue(f"must be a mask with keys such as {needed[0]} (got {entry!r})", f"[{index}]")
    known = [field.name for field in dataclasses.fields(cls)]
    for key in entry:
        if key not in known:
            raise BadValue(f"is not a key of a mask{did_you_mean(key, known)}", f"[{index}].{key}")
    for key in needed:
        if entry.get(key) is None:
            raise BadValue(f"must be given: the published code has no default for mask[].{key}", f"[{index}]")
    return entry


def _are(entries: list[dict[str, Any]], masks: dict[str, MultiBlockConfig]) -> bool:
    return [_filled(entry) for entry in entries] == [dataclasses.asdict(mask) for mask in masks.values()]


def _filled(entry: dict[str, Any]) -> dict[str, Any]:
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    return dataclasses.asdict(MultiBlockConfig()) | values
