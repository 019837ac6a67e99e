"""Whether each `_target_` exists and takes what its node gives it. Imports what the targets name."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from vjepa_pipe.config.errors import ConfigError, did_you_mean
from vjepa_pipe.config.targets import TARGET, locate


def signature_faults(node: Any, path: str = "") -> Iterator[str]:
    """A line for each target that does not exist or does not fit its node.

    Arguments that only a running program can give, such as a dataset's transform, are not asked for.
    """
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        fields = {field.name: getattr(node, field.name) for field in dataclasses.fields(node)}
        if TARGET in fields:
            yield from _faults(fields[TARGET], path, fields.get("extra_args", {}), whole=False)
        for name, value in fields.items():
            yield from signature_faults(value, f"{path}.{name}" if path else name)
    elif isinstance(node, Mapping):
        if isinstance(node.get(TARGET), str):
            yield from _faults(node[TARGET], path, {k: v for k, v in node.items() if k != TARGET}, whole=True)
        for key, value in node.items():
            yield from signature_faults(value, f"{path}.{key}")
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from signature_faults(value, f"{path}[{index}]")


def _faults(name: str, path: str, given: Mapping[str, Any], whole: bool) -> Iterator[str]:
    try:
        parameters = inspect.signature(locate(name, f"{path}.{TARGET}")).parameters
    except ConfigError as error:
        yield from error.faults
        return
    except (TypeError, ValueError):  # a class of a C extension says nothing about its parameters
        return
    kinds = {parameter.kind for parameter in parameters.values()}
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        for key in given:
            if key not in parameters:
                yield f"{path}.{key}: {name} has no such parameter{did_you_mean(key, parameters)}"
    if not whole:
        return
    for key, parameter in parameters.items():
        optional = parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        if parameter.default is parameter.empty and not optional and key not in given:
            yield f"{path}: {name} needs {key}"
