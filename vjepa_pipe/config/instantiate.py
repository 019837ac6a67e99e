"""Building what a config node's `_target_` names, and finding out beforehand whether it can be built."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from vjepa_pipe.config.errors import ConfigError, did_you_mean
from vjepa_pipe.config.protocols import protocol_fault, task_fault
from vjepa_pipe.config.targets import TARGET, locate

PARTIAL = "_partial_"
EXTRA = "extra_args"


class _Node(NamedTuple):
    """What a node says.

    Attributes:
        target: The name that it gives.
        fields: Settings of its dataclass; some are read by other parts.
        arguments: What is meant for the target alone, so each must be one of its parameters.
        path: Where `arguments` stand in the experiment.
        partial: Whether it asks for a function that builds, as Hydra's `_partial_: true`.
    """

    target: str
    fields: Mapping[str, Any]
    arguments: Mapping[str, Any]
    path: str
    partial: bool = False


def instantiate(node: Any, where: str, **runtime: Any) -> Any:
    """Build what a config node's `_target_` names, and first what nodes below it name.

    A target with a parameter called `config` receives the node whole; any other receives the node's fields as keyword
    arguments. Fields it has no parameter for are those that another part reads (such as `data.batch_size`). What
    stands in `extra_args` or in a mapping is a keyword argument too, and must fit; a target with a parameter called
    `extra_args` receives that mapping whole.

    Args:
        node: A config dataclass, or a mapping with `_target_`, and `_partial_: true` for a `functools.partial`.
        where: Path of the node in the experiment, for messages.
        **runtime: Arguments that no config can hold. They win over fields of the same name; those the target has no
            parameter for are left out.

    Raises:
        ConfigError: If a target is not allowed, does not exist, does not fit its arguments or lacks a method that its
            place needs.
    """
    said = _read(node, where)
    target = locate(said.target, f"{where}.{TARGET}")
    parameters, takes_any = parameters_of(target)
    if unknown := list(_unknown(said, parameters, takes_any)):
        raise ConfigError(unknown)
    own = _built(said.arguments, said.path)
    whole = "config" in parameters and not isinstance(node, Mapping)
    fields = {"config": node} if whole else said.fields
    given = {**fields, **({EXTRA: own} if EXTRA in parameters else own), **runtime}
    arguments = {key: value for key, value in given.items() if takes_any or key in parameters}
    if said.partial:
        return functools.partial(target, **arguments)
    if missing := _missing(parameters, arguments):
        raise ConfigError([f"{where}: {said.target} needs {', '.join(missing)}"])
    built = target(**arguments)
    if fault := protocol_fault(built, where, said.target):
        raise ConfigError([fault])
    return built


def signature_faults(node: Any, path: str = "") -> Iterator[str]:
    """A line for each target that does not exist or does not fit its node. Imports what the targets name.

    Arguments that only a running program can give, such as a dataset's transform, are not asked for.
    """
    if isinstance(node, Mapping):
        below = node
    elif dataclasses.is_dataclass(node):
        below = {field.name: getattr(node, field.name) for field in dataclasses.fields(node)}
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from signature_faults(value, f"{path}[{index}]")
        return
    else:
        return
    if isinstance(below.get(TARGET), str):
        yield from _faults(node, path)
    for key, value in below.items():
        yield from signature_faults(value, f"{path}.{key}" if path else str(key))


def parameters_of(target: Any) -> tuple[dict[str, inspect.Parameter], bool]:
    """What a class or function takes by name, and whether it takes any name.

    A class that hands `**kwargs` on to its parent takes what the parent takes.
    """
    try:
        found, takes_any = _named(target)
    except (TypeError, ValueError):  # a class of a C extension says nothing about its parameters
        return {}, True
    for parent in target.__mro__[1:] if isinstance(target, type) and takes_any else ():
        if parent is object:
            break
        if "__init__" in vars(parent):
            more, takes_any = _named(parent)
            found = more | found
            if not takes_any:
                break
    return found, takes_any


def _named(target: Any) -> tuple[dict[str, inspect.Parameter], bool]:
    parameters = inspect.signature(target).parameters
    unnamed = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    named = {name: parameter for name, parameter in parameters.items() if parameter.kind not in unnamed}
    return named, any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())


def _read(node: Any, where: str) -> _Node:
    if isinstance(node, Mapping):
        arguments = {key: value for key, value in node.items() if key not in (TARGET, PARTIAL)}
        return _Node(node[TARGET], {}, arguments, where, node.get(PARTIAL) is True)
    fields = {f.name: getattr(node, f.name) for f in dataclasses.fields(node) if f.name not in (TARGET, EXTRA)}
    return _Node(getattr(node, TARGET), fields, getattr(node, EXTRA, {}), f"{where}.{EXTRA}")


def _built(value: Any, where: str) -> Any:
    """A value with every node in it that has a `_target_` built."""
    if isinstance(value, Mapping):
        if TARGET in value:
            return instantiate(value, where)
        return {key: _built(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [_built(item, f"{where}[{index}]") for index, item in enumerate(value)]
    return value


def _faults(node: Any, path: str) -> Iterator[str]:
    said = _read(node, path)
    try:
        target = locate(said.target, f"{path}.{TARGET}")
    except ConfigError as error:
        yield from error.faults
        return
    parameters, takes_any = parameters_of(target)
    if path == "task":
        fault = task_fault(target, said.target)
    else:
        fault = protocol_fault(target, path, said.target) if isinstance(target, type) else None
    if fault:
        yield fault
    yield from _unknown(said, parameters, takes_any)
    if isinstance(node, Mapping) and not said.partial and (missing := _missing(parameters, said.arguments)):
        yield f"{path}: {said.target} needs {', '.join(missing)}"


def _unknown(said: _Node, parameters: Mapping[str, Any], takes_any: bool) -> Iterator[str]:
    for key in said.arguments if EXTRA not in parameters and not takes_any else ():
        if key not in parameters:
            yield f"{said.path}.{key}: {said.target} has no such parameter{did_you_mean(key, parameters)}"


def _missing(parameters: Mapping[str, inspect.Parameter], given: Mapping[str, Any]) -> list[str]:
    return [name for name, one in parameters.items() if one.default is one.empty and name not in given]
