"""What a `_target_` may name, and how it is built.

Config is data: a file that someone else wrote must not run code of its choice. A target is built
only if its name is on the list below and the object found there was defined under a listed name too
(so that `vjepa_pipe.somewhere.os.system` is refused). The list can be extended from code
(`allow_targets`) or by an installed package (entry point group `vjepa_pipe.targets`), never from config.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import functools
import importlib
import inspect
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from typing import Any

from vjepa_pipe.config.errors import ConfigError, did_you_mean

TARGET = "_target_"
ENTRY_POINTS = "vjepa_pipe.targets"
_allowed = ["vjepa_pipe.*", "torchvision.transforms.v2.*"]


def allow_targets(*patterns: str) -> None:
    """Let configs name further targets, such as `mypackage.datasets.*`."""
    _allowed.extend(pattern for pattern in patterns if pattern not in _allowed)


def allowed_targets() -> list[str]:
    """Patterns of the names that a `_target_` may have."""
    return _allowed + _from_packages()


@functools.cache  # reading the metadata of every installed package takes milliseconds
def _from_packages() -> list[str]:
    return [point.value for point in entry_points(group=ENTRY_POINTS)]


def is_allowed(name: str) -> bool:
    """Whether a `_target_` may have this name."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in allowed_targets())


def forbidden_targets(node: Any, path: str = "") -> Iterator[str]:
    """A line for each `_target_` in nested plain values that is not allowed, without importing any."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            where = f"{path}.{key}" if path else str(key)
            if key == TARGET and isinstance(value, str) and not is_allowed(value):
                yield f"{where}: {value} is not an allowed target ({', '.join(allowed_targets())})"
            yield from forbidden_targets(value, where)
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from forbidden_targets(value, f"{path}[{index}]")
    elif dataclasses.is_dataclass(node) and not isinstance(node, type):
        yield from forbidden_targets({f.name: getattr(node, f.name) for f in dataclasses.fields(node)}, path)


def locate(name: str, where: str = TARGET) -> Any:
    """The object that a `_target_` names.

    Args:
        name: Dotted path of a class or function.
        where: The config field that says so, for messages.

    Raises:
        ConfigError: If the name is not allowed or names nothing.
    """
    if not is_allowed(name):
        raise ConfigError([f"{where}: {name} is not an allowed target ({', '.join(allowed_targets())})"])
    module_name, _, attribute = name.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ConfigError([f"{where}: {name} cannot be imported: {error}"]) from error
    if not hasattr(module, attribute):
        hint = did_you_mean(attribute, [n for n in dir(module) if not n.startswith("_")])
        raise ConfigError([f"{where}: {module_name} has no {attribute}{hint}"])
    found = getattr(module, attribute)
    defined_as = f"{getattr(found, '__module__', '')}.{getattr(found, '__qualname__', '')}"
    if not is_allowed(defined_as):
        raise ConfigError([f"{where}: {name} is {defined_as}, which is not an allowed target"])
    return found


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
