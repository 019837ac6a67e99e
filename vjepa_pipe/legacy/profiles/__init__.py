"""The kinds of published files, told apart by their content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vjepa_pipe.config.errors import ConfigError, did_you_mean
from vjepa_pipe.legacy.key import Profile
from vjepa_pipe.legacy.profiles.droid import DROID
from vjepa_pipe.legacy.profiles.pretrain import VJEPA, VJEPA_2_1, VJEPA_2_1_IMAGES
from vjepa_pipe.legacy.profiles.probes import ANTICIPATION, IMAGE_PROBE, VIDEO_PROBE
from vjepa_pipe.legacy.profiles.v1 import JEPA, V1_IMAGE_PROBE, V1_VIDEO_PROBE
from vjepa_pipe.legacy.read import LegacyFile

PROFILES = (
    VJEPA,
    VJEPA_2_1,
    VJEPA_2_1_IMAGES,
    DROID,
    VIDEO_PROBE,
    IMAGE_PROBE,
    ANTICIPATION,
    JEPA,
    V1_VIDEO_PROBE,
    V1_IMAGE_PROBE,
)


def recognise(file: LegacyFile) -> Profile:
    """The profile of a file: what `app` or `eval_name` says, then the sections that only one of these has.

    Raises:
        ConfigError: If it is a file of another project.
    """
    values = file.values
    for marker in ("app", "eval_name"):
        if marker not in values:
            continue
        found = [p for p in PROFILES if p.marker == (marker, values[marker]) and (p in _V1) == _is_v1(values)]
        if found:
            return found[-1 if values.get("img_data") is not None else 0]
        known = sorted({p.marker[1] for p in PROFILES if p.marker[0] == marker})
        hint = did_you_mean(str(values[marker]), known)
        raise ConfigError([f"{file.where(marker)}={values[marker]} is not known{hint}: it can be {', '.join(known)}"])
    raise ConfigError([f"{file.path}: neither `app` nor `eval_name` stands here: this is no published V-JEPA file"])


_V1 = (JEPA, V1_VIDEO_PROBE, V1_IMAGE_PROBE)


def _is_v1(values: Mapping[str, Any]) -> bool:
    data = values.get("data")
    return "logging" in values or "pretrain" in values or (isinstance(data, Mapping) and "num_frames" in data)
