"""What decides which sample stands at a position, and what it looks like."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.fields import bounds_of, is_default
from vjepa_pipe.config.image import IMAGE
from vjepa_pipe.config.tree import leaves
from vjepa_pipe.datasets import Source
from vjepa_pipe.loader.state import SOURCE, hash_of

LONGEST = 80
"""Characters of a value that a state holds as it is."""

GROUPS = ("data", "data_aug", "mask", "robotics", "decoder", "loader")

_COUNTED_ELSEWHERE = frozenset({
    "data.batch_size", "data.data_weights", "data.source_names", "data.path_variables",
    "loader.drop_last", "loader.samples_per_epoch", "loader.iterations_per_epoch",
})  # fmt: skip
"""Settings that a state knows by what they lead to: sizes of batch and epoch, weights, sources."""


def fingerprints(experiment: ExperimentConfig, sources: Sequence[Source]) -> dict[str, str]:
    """A hash for each source, and the text of the weights and of each setting that changes a batch.

    Where files lie does not count, nor what affects only speed; whoever moves a data set can go on.
    """
    sizes = [len(rows) for rows in sources]
    found = {f"{SOURCE}{rows.name}": fingerprint_of(rows) for rows in sources}
    found["data.data_weights"] = _text(experiment.data.data_weights or sizes)
    for group in GROUPS:
        found |= {path: _text(value) for path, value in leaves(_settings(getattr(experiment, group), group), group)}
    return found


def mixed_fingerprints(
    experiment: ExperimentConfig, images: ExperimentConfig, sources: Sequence[Source], first_image: int, share: Fraction
) -> dict[str, str]:
    """The `fingerprints` of the videos of a mix, those that only its images have, and how many of these there are.

    Args:
        experiment: The mix.
        images: Its images, as an experiment.
        sources: Of the mix.
        first_image: Number of the first source of images.
        share: Of the batches that hold images.
    """
    own = fingerprints(images, sources[first_image:])
    found = fingerprints(experiment, sources[:first_image])
    found |= {name: text for name, text in own.items() if name.startswith(SOURCE)}
    found |= {f"{IMAGE}.{name}": text for name, text in own.items() if name.startswith(("data.", "mask."))}
    ratio = Fraction(images.data.batch_size, experiment.data.batch_size)
    found["image.data.batch_size"] = f"{ratio} of data.batch_size"
    found["image.share"] = str(share)
    found["image.convention"] = _text(experiment.image.convention)  # type: ignore[attr-defined]
    return found


def fingerprint_of(rows: Source) -> str:
    """A hash of a source's rows."""
    return rows.fingerprint() if hasattr(rows, "fingerprint") else hash_of([rows.path(row) for row in range(len(rows))])


def _settings(config: Any, path: str) -> dict[str, Any]:
    settings = {}
    for field in dataclasses.fields(config):
        where, value, bounds = f"{path}.{field.name}", getattr(config, field.name), bounds_of(field)
        if bounds.in_identity_if_set and is_default(field, value):
            continue
        if bounds.path or not bounds.affects_results or where in _COUNTED_ELSEWHERE:
            continue
        settings[field.name] = _settings(value, where) if dataclasses.is_dataclass(value) else _plain(value)
    return settings


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, float) and value.is_integer():
        return int(value)  # 10 and 10.0 frames per second are one setting
    return value


def _text(value: Any) -> str:
    """What tells a value from others and can be read, unless it is long."""
    text = json.dumps(value, sort_keys=True, default=repr)
    return text if len(text) <= LONGEST else f"hash {hash_of(value)}"
