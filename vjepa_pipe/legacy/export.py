"""An experiment as the YAML that the published code reads, and what that YAML cannot say."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vjepa_pipe.composition.schemas import SCHEMAS
from vjepa_pipe.config.data import DataConfig
from vjepa_pipe.config.errors import ConfigError, UserError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.fields import bounds_of
from vjepa_pipe.config.image import ImageStreamConfig
from vjepa_pipe.config.training.base import REQUIRED
from vjepa_pipe.config.tree import leaves, put
from vjepa_pipe.legacy.key import Profile
from vjepa_pipe.legacy.paths import named_paths
from vjepa_pipe.legacy.profiles import PROFILES
from vjepa_pipe.legacy.read import LegacyFile
from vjepa_pipe.legacy.translate import translate
from vjepa_pipe.legacy.write import store_translation, to_yaml

TARGETS = {"vjepa2": ("vjepa", "vjepa_2_1", "vjepa_droid", "video_probe", "image_probe", "anticipation"),
           "jepa": ("vjepa_v1", "video_probe_v1", "image_probe_v1")}  # fmt: skip
"""Options of the group `training/` that each published repository reads."""

_NOT_COMPARED = (
    "name", "task", "data.path_variables", "data.source_names", "image.data.path_variables", "image.data.source_names",
)  # fmt: skip


def published_values(experiment: ExperimentConfig) -> dict[str, Any]:
    """What the published trainer's `main` takes: nested dicts, lists and scalars.

    Raises:
        UserError: If the experiment says nothing about a published trainer (`training=none`).
        ConfigError: If a key that the published code needs is not set.
    """
    profile = profile_of(experiment)
    kind, name = profile.marker
    values: dict[str, Any] = {kind: name}
    missing = []
    for key in profile.keys:
        value = _plain(key.write(experiment))
        if isinstance(value, str) and value == REQUIRED:
            missing.append(f"{key.to} must be given: the published code has no default for {key.name}")
        elif value is not None or key.default is not None:
            # Whole numbers stay whole: the published loader counts frames with `fps`.
            put(values, key.name, int(value) if isinstance(value, float) and value.is_integer() else value)
    if missing:
        raise ConfigError(missing)
    return values


def not_said(experiment: ExperimentConfig, values: dict[str, Any]) -> list[str]:
    """Settings that come out differently when `values` are read back: the published YAML cannot say them."""
    file = LegacyFile(Path("exported.yaml"), values)
    translation = translate(file)
    _, read_back = store_translation(translation)
    remarks = []
    if type(read_back.image) is not type(experiment.image):
        remarks.append("image: images beside the videos (the published code has none)")
        experiment = dataclasses.replace(experiment, image=read_back.image)
    again = dict(_compared(read_back))
    mine = dict(_compared(_with_paths(experiment)))
    return remarks + [
        f"{path}={mine.get(path)} (the published code does {again.get(path)})"
        for path in dict.fromkeys([*mine, *again])
        if mine.get(path) != again.get(path)
    ]


def export_text(experiment: ExperimentConfig, target: str) -> str:
    """The YAML file, with a comment for each setting that it cannot say.

    Args:
        experiment: A checked experiment.
        target: Whose YAML, a key of `TARGETS`.

    Raises:
        UserError: If the experiment's `training` belongs to another repository.
        ConfigError: If a key that the published code needs is not set.
    """
    option = profile_of(experiment).training
    if option not in TARGETS[target]:
        raise UserError(f"training={option} is not read by {target}: it reads {', '.join(TARGETS[target])}")
    values = published_values(experiment)
    remarks = [f"# {experiment.name}, exported from vjepa_pipe"]
    remarks += [f"# cannot be said here: {fault}" for fault in not_said(experiment, values)]
    return "\n".join([*remarks, to_yaml(values)])


def profile_of(experiment: ExperimentConfig) -> Profile:
    """The kind of published file that an experiment corresponds to.

    Raises:
        UserError: If it corresponds to none.
    """
    found = [one for one in PROFILES if type(experiment.training) is SCHEMAS[f"training_{one.training}"]]
    if found:
        return found[-1 if isinstance(experiment.image, ImageStreamConfig) else 0]
    known = ", ".join(dict.fromkeys(profile.training for profile in PROFILES))
    raise UserError(f"training=none says nothing about a published trainer: choose training= one of {known}")


def _with_paths(experiment: ExperimentConfig) -> ExperimentConfig:
    """The same with the files that environment variables name written out."""
    image = experiment.image
    if isinstance(image, ImageStreamConfig):
        image = dataclasses.replace(image, data=_paths_written_out(image.data))
    return dataclasses.replace(experiment, data=_paths_written_out(experiment.data), image=image)


def _paths_written_out(data: DataConfig) -> DataConfig:
    return dataclasses.replace(data, data_paths=data.data_paths or named_paths(data))


def _compared(experiment: ExperimentConfig) -> Iterator[tuple[str, Any]]:
    values = dataclasses.asdict(experiment)
    for mask in (values["mask"], values["image"].get("mask", {})):
        if "masks" in mask:  # the published list has an order, not names
            mask["masks"] = list(mask["masks"].values())
    speed = set(_speed_only(experiment, ""))
    for path, value in leaves(values):
        if path not in speed and not any(f"{path}.".startswith(f"{skipped}.") for skipped in _NOT_COMPARED):
            yield path, _plain(value)


def _speed_only(node: Any, path: str) -> Iterator[str]:
    """Settings that change no batch."""
    for one in dataclasses.fields(node):
        where = f"{path}.{one.name}" if path else one.name
        if dataclasses.is_dataclass(getattr(node, one.name)):
            yield from _speed_only(getattr(node, one.name), where)
        elif not bounds_of(one).affects_results:
            yield where


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value
