"""What a `_target_` may name.

Config is data: a file that someone else wrote must not run code of its choice. Each place of an experiment has a list
of what may stand there. The user extends the lists: from code (`allow_targets`), on the command line (`--allow`,
`--plugin`), or by an installed package (entry point group `vjepa_pipe.targets`); a config never does.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import functools
import importlib
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from typing import Any

from vjepa_pipe.config.build import MISSING
from vjepa_pipe.config.errors import ConfigError, did_you_mean
from vjepa_pipe.config.image import group_of

TARGET = "_target_"
ENTRY_POINTS = "vjepa_pipe.targets"

_TASKS = ("benchmark", "external", "index", "prepare", "probe", "statistics", "stream", "train", "validate")
PLACES: dict[str, tuple[str, ...]] = {
    "data": (
        "vjepa_pipe.datasets.VideoDataset",
        "vjepa_pipe.datasets.RobotDataset",
        "vjepa_pipe.datasets.build_video_dataset",
        "vjepa_pipe.legacy.not_run.ActionSegments",
    ),
    "data_aug": ("vjepa_pipe.transforms.VideoTransformPipeline",),
    "data_aug.extra_transforms": ("torchvision.transforms.v2.CLASS",),
    "mask": ("vjepa_pipe.loader.MaskCollator",),
    "decoder": (
        "vjepa_pipe.video.PyavDecoder",
        "vjepa_pipe.video.DecordDecoder",
        "vjepa_pipe.video.TorchcodecDecoder",
    ),
    "loader.sampler": ("vjepa_pipe.sampling.SampleOrder",),
    "model": ("vjepa_pipe.models.frozen.random_encoder", "vjepa_pipe.models.frozen.pretrained_encoder"),
    "tracker": tuple(
        f"vjepa_pipe.tasks.trackers.{name}Tracker" for name in ("No", "Tensorboard", "Wandb", "Mlflow", "Trackio")
    ),
    "task": tuple(f"vjepa_pipe.tasks.{name}.{name}" for name in _TASKS),
}
"""What of ours and of torchvision may stand at each place, by exact name; CLASS is any public class there."""

_TORCHVISION = re.compile(r"torchvision\.transforms\.v2\.[A-Z]\w*")
_allowed: list[str] = []
_plugins: set[str] = set()


def allow_targets(*patterns: str) -> None:
    """Let configs name further targets, such as `mypackage.datasets.*`."""
    _allowed.extend(pattern for pattern in patterns if pattern not in _allowed)


def trust_module(name: str) -> None:
    """Let configs name whatever a module defines: a plugin, whose code has run already."""
    _plugins.add(name)


def allowed_by_user() -> list[str]:
    """What `allow_targets` was given in this process."""
    return list(_allowed)


def allowed_targets() -> list[str]:
    """Patterns of the names that the user and installed packages allow, at any place."""
    return _allowed + _from_packages()


@functools.cache  # reading the metadata of every installed package takes milliseconds
def _from_packages() -> list[str]:
    return [point.value for point in entry_points(group=ENTRY_POINTS)]


def is_allowed_by_user(name: str) -> bool:
    """Whether the user or an installed package has allowed this name."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in allowed_targets())


def _is_allowed(name: str) -> bool:
    return is_allowed_by_user(name) or any(name.startswith(f"{module}.") for module in _plugins)


def forbidden_targets(node: Any, path: str = "") -> Iterator[str]:
    """A line for each `_target_` in nested plain values that may not stand at its place, without importing any."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            where = f"{path}.{key}" if path else str(key)
            if key == TARGET and value != MISSING:
                yield from _not_allowed(value, where) if isinstance(value, str) else [f"{where} must be a name"]
            yield from forbidden_targets(value, where)
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from forbidden_targets(value, f"{path}[{index}]")
    elif dataclasses.is_dataclass(node) and not isinstance(node, type):
        yield from forbidden_targets({f.name: getattr(node, f.name) for f in dataclasses.fields(node)}, path)


def _not_allowed(name: str, where: str) -> Iterator[str]:
    """A line if a name may not stand at `where`, such as `data_aug.extra_transforms[0]._target_`."""
    place = group_of(re.sub(r"\[\d+\]", "", where).removesuffix(TARGET).removesuffix("."))
    offered = PLACES.get(place, ())
    transform = "data_aug.extra_transforms" in place and _TORCHVISION.fullmatch(name)
    if name in offered or transform or _is_allowed(name):
        return
    what = ", ".join(offered) or "nothing"
    yield (
        f"{where}: {name} is not an allowed target{did_you_mean(name, offered)}: this place takes {what}, "
        "and what --allow NAME or --plugin FILE.py on the command line adds"
    )


def locate(name: str, where: str) -> Any:
    """The object that a `_target_` names.

    Args:
        name: Dotted path of a class or function.
        where: The config field that says so, such as `data._target_`: it decides what may stand there.

    Raises:
        ConfigError: If the name may not stand there or names nothing.
    """
    if refused := list(_not_allowed(name, where)):
        raise ConfigError(refused)
    module_name, _, attribute = name.rpartition(".")
    try:
        holder = _holder(module_name)
    except ImportError as error:
        raise ConfigError([f"{where}: {name} cannot be imported: {error}"]) from error
    if not hasattr(holder, attribute):
        hint = did_you_mean(attribute, [n for n in dir(holder) if not n.startswith("_")])
        raise ConfigError([f"{where}: {module_name} has no {attribute}{hint}"])
    found = getattr(holder, attribute)
    if not _is_what_its_name_says(name, found):
        defined = f"{getattr(found, '__module__', '')}.{getattr(found, '__qualname__', '')}"
        raise ConfigError([f"{where}: {name} is {defined}, which is not an allowed target"])
    if not callable(found):
        raise ConfigError([f"{where}: {name} is neither a class nor a function, but of type {type(found).__name__}"])
    return found


def _holder(name: str) -> Any:
    """A module, or a class within one, by its dotted name."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        outer, _, inner = name.rpartition(".")
        if error.name != name or not outer or not hasattr(holder := _holder(outer), inner):
            raise
        return getattr(holder, inner)


def _is_what_its_name_says(name: str, found: Any) -> bool:
    """Whether an allowed name led to what was meant: a pattern must not reach what a module has only imported."""
    if _TORCHVISION.fullmatch(name):
        return isinstance(found, type) and found.__module__.startswith("torchvision.transforms.")
    by_name = any(name in offered for offered in PLACES.values()) or name in allowed_targets()
    return by_name or _is_allowed(f"{getattr(found, '__module__', '')}.{getattr(found, '__qualname__', '')}")
