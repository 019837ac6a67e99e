"""What a `_target_` may name, and how it is built.

Config is data: a file that someone else wrote must not run code of its choice. Each place of an experiment has a
list of what may stand there, by name, and what the name is found to be must be defined under a listed name too (so
that `torchvision.transforms.v2.functional.os.system` is refused). Further names are added from code
(`allow_targets`) or by an installed package (entry point group `vjepa_pipe.targets`), never from config; they count
in every place.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import functools
import importlib
import inspect
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from typing import Any

from vjepa_pipe.config.errors import ConfigError, did_you_mean

TARGET = "_target_"
ENTRY_POINTS = "vjepa_pipe.targets"
TRANSFORMS = "torchvision.transforms.v2.*"
_MODULE = "torch.nn.modules.module.Module"  # by name: nothing here imports torch
_TASKS = ("stream", "validate", "external", "statistics", "benchmark", "index", "prepare")
PLACES: dict[str, tuple[str, ...]] = {
    "data": (
        *(f"vjepa_pipe.datasets.{name}" for name in ("VideoDataset", "RobotDataset", "build_video_dataset")),
        "vjepa_pipe.legacy.not_run.ActionSegments",
    ),
    "data_aug": ("vjepa_pipe.transforms.VideoTransformPipeline",),
    "data_aug.extra_transforms": (TRANSFORMS,),
    "mask": ("vjepa_pipe.loader.MaskCollator",),
    "decoder": tuple(f"vjepa_pipe.video.{name}" for name in ("PyavDecoder", "DecordDecoder", "TorchcodecDecoder")),
    "loader.sampler": ("vjepa_pipe.sampling.SampleOrder", "vjepa_pipe.sampling.SequentialOrder"),
    "task": tuple(f"vjepa_pipe.tasks.{name}.{name}" for name in _TASKS),
}
"""Path of a node in the experiment, and what of ours may stand there."""
_added: list[str] = []


def allow_targets(*patterns: str) -> None:
    """Let configs name further targets, such as `mypackage.datasets.*`."""
    _added.extend(pattern for pattern in patterns if pattern not in _added)


def added_targets() -> list[str]:
    """Patterns of what may stand in any place."""
    return _added + _from_packages()


@functools.cache  # reading the metadata of every installed package takes milliseconds
def _from_packages() -> list[str]:
    return [point.value for point in entry_points(group=ENTRY_POINTS)]


def is_added(name: str) -> bool:
    """Whether a name was added to the lists."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in added_targets())


def _place(where: str) -> str:
    """`data_aug.extra_transforms` of `data_aug.extra_transforms[0]._target_`."""
    return re.sub(r"\[\d+\]", "", where.removesuffix(f".{TARGET}"))


def _fault(name: str, where: str) -> str | None:
    own = PLACES.get(_place(where), ())
    if is_added(name) or any(fnmatch.fnmatchcase(name, pattern) for pattern in own):
        return None
    here = ", ".join([*own, *added_targets()]) or "none may stand here"
    return f"{where}: {name} is not an allowed target here ({here})"


def forbidden_targets(node: Any, path: str = "") -> Iterator[str]:
    """A line for each `_target_` in nested plain values that is not allowed, without importing any."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            where = f"{path}.{key}" if path else str(key)
            if key == TARGET and isinstance(value, str) and (fault := _fault(value, where)):
                yield fault
            yield from forbidden_targets(value, where)
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from forbidden_targets(value, f"{path}[{index}]")
    elif dataclasses.is_dataclass(node) and not isinstance(node, type):
        yield from forbidden_targets({f.name: getattr(node, f.name) for f in dataclasses.fields(node)}, path)


def locate(name: str, where: str) -> Any:
    """The object that a `_target_` names.

    Args:
        name: Dotted path of a class or function.
        where: The config field that says so, for messages.

    Raises:
        ConfigError: If the name is not allowed or names nothing.
    """
    if fault := _fault(name, where):
        raise ConfigError([fault])
    module_name, _, attribute = name.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ConfigError([f"{where}: {name} cannot be imported: {error}"]) from error
    if not hasattr(module, attribute):
        hint = did_you_mean(attribute, [n for n in dir(module) if not n.startswith("_")])
        raise ConfigError([f"{where}: {module_name} has no {attribute}{hint}"])
    found = getattr(module, attribute)
    if not _is_its_name(found, name, _place(where)):
        defined_as = f"{getattr(found, '__module__', '')}.{getattr(found, '__qualname__', '')}"
        raise ConfigError([f"{where}: {name} is {defined_as}, which is not an allowed target here"])
    return found


def _is_its_name(found: Any, name: str, place: str) -> bool:
    """Whether what stands under an allowed name is what that name promises, not something imported there."""
    module, qualified = getattr(found, "__module__", None), getattr(found, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(qualified, str) or not callable(found):
        return False
    if is_added(name):
        return is_added(f"{module}.{qualified}")
    if name in PLACES.get(place, ()):  # ours: re-exported by its folder
        return module.startswith("vjepa_pipe.") and qualified == name.rpartition(".")[2]
    bases = (
        [f"{base.__module__}.{base.__qualname__}" for base in inspect.getmro(found)] if inspect.isclass(found) else []
    )
    return _MODULE in bases and fnmatch.fnmatchcase(f"{module}.{qualified}", TRANSFORMS)


def instantiate(node: Any, where: str, **runtime: Any) -> Any:
    """Build what a config node's `_target_` names.

    A target with a parameter called `config` receives the node whole; any other receives the node's
    fields as keyword arguments; fields it has no parameter for are those that another part reads
    (such as `data.batch_size`), except in `extra_args`, where each must fit.

    Args:
        node: A config dataclass, or a mapping with `_target_`.
        where: Path of the node in the experiment, for messages.
        **runtime: Arguments that no config can hold. They win over fields of the same name; those
            the target has no parameter for are left out.

    Raises:
        ConfigError: If the target is not allowed, does not exist or does not fit its fields.
    """
    if isinstance(node, Mapping):
        fields = {key: value for key, value in node.items() if key != TARGET}
        required = set(fields)
        name = node[TARGET]
    else:
        fields = {f.name: getattr(node, f.name) for f in dataclasses.fields(node) if f.name != TARGET}
        extra = fields.pop("extra_args", {})
        required = set(extra)
        fields |= extra
        name = getattr(node, TARGET)
    target = locate(name, f"{where}.{TARGET}")
    parameters = inspect.signature(target).parameters
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    if "config" in parameters and not isinstance(node, Mapping):
        fields, required = {"config": node}, set()
    unknown = sorted(required - set(parameters)) if not takes_all else []
    if unknown:
        raise ConfigError(
            [f"{where}.{key}: {name} has no such parameter{did_you_mean(key, parameters)}" for key in unknown]
        )
    arguments = {key: value for key, value in (fields | runtime).items() if takes_all or key in parameters}
    missing = [
        key
        for key, parameter in parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        and key not in arguments
    ]
    if missing:
        raise ConfigError([f"{where}: {name} needs {', '.join(missing)}"])
    return target(**arguments)
