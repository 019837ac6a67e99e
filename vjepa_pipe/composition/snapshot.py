"""A resolved experiment as a file: what ran, readable without the config groups it came from.

    # The resolved experiment. Run it again: vjepa-pipe rerun <this folder>
    schemas: {data: synthetic, mask: multiblock3d, task: stream}
    experiment:
      name: default
      ...

`schemas` names the schema of each node that is narrower than its field's type: one of ours by the name that defaults
lists call it, one that somebody registered by group and option, such as `mask/mine`.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from vjepa_pipe.composition.schemas import SCHEMAS
from vjepa_pipe.composition.store import not_of_group, registered, same_class
from vjepa_pipe.config.build import build, hints_of
from vjepa_pipe.config.check import deeper_faults
from vjepa_pipe.config.errors import ConfigError, UserError, did_you_mean
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.image import group_of
from vjepa_pipe.files.yaml_file import read_yaml

HEADER = "# The resolved experiment. Run it again: vjepa-pipe rerun FOLDER_OF_THIS_FILE\n"
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def freeze(experiment: ExperimentConfig) -> str:
    """The text of a file that holds the experiment whole."""
    content = {"schemas": dict(_narrower_nodes(experiment)), "experiment": plain(experiment)}
    return HEADER + yaml.dump(content, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=100)


def thaw(file: Path) -> ExperimentConfig:
    """The experiment in a file that `freeze` wrote.

    Raises:
        UserError: If the file cannot be read or is no such file, or names an option that nobody registered here.
        ConfigError: If its values have been changed to ones that are not allowed.
    """
    content = read_yaml(file)
    if not isinstance(content, dict) or set(content) != {"schemas", "experiment"}:
        raise UserError(f"{file} is not a resolved experiment: it has no `schemas` and `experiment`")
    if not all(isinstance(part, dict) for part in content.values()):
        raise UserError(f"{file} is not a resolved experiment: `schemas` and `experiment` must be mappings")
    types_at: dict[str, type] = {path: _schema(path, str(name), file) for path, name in content["schemas"].items()}
    faults: list[str] = []
    experiment: ExperimentConfig = build(ExperimentConfig, content["experiment"], "", faults, types_at)
    if faults := faults or deeper_faults(experiment):
        raise ConfigError([f"{file}: {fault}" for fault in faults])
    return experiment


def is_frozen(file: Path) -> bool:
    """Whether `freeze` wrote a file, as far as its first lines say."""
    with file.open(errors="replace") as stream:
        return any(line.startswith("schemas:") for line in itertools.islice(stream, 5))


def plain(value: Any) -> Any:
    """Nested dicts, lists and scalars, without tuples and dataclasses."""
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def _narrower_nodes(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    hints = hints_of(type(node))
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        if dataclasses.is_dataclass(value):
            where = f"{path}.{field.name}" if path else field.name
            if type(value) is not hints[field.name]:
                yield where, _schema_name(type(value), where)
            yield from _narrower_nodes(value, where)


def _schema_name(schema: type, where: str) -> str:
    ours = (name for name, known in SCHEMAS.items() if known is schema)
    group = group_of(where)
    others = (f"{group}/{option}" for option, known in registered(group).items() if same_class(known, schema))
    for name in itertools.chain(ours, others):
        return name
    raise UserError(
        f"{where}: {schema.__qualname__} is not registered, so a record cannot name it: "
        f'register_config("{group}", NAME, {schema.__qualname__}) does it'
    )


def _schema(path: str, name: str, file: Path) -> type:
    """The class that `schemas` of a file names for a node."""
    group, separator, option = name.partition("/")
    schema = registered(group).get(option) if separator else SCHEMAS.get(name)
    where = f"{file}: schemas.{path}={name}"
    if schema is None and separator:
        raise UserError(
            f"{where} is not registered in this process: import the module that calls "
            f'register_config("{group}", "{option}", ...) before the file is read, or name it by --plugin'
        )
    if schema is None:
        raise UserError(f"{where} is not a schema{did_you_mean(name, SCHEMAS)}")
    if fault := not_of_group(path, schema):
        raise UserError(f"{where}: {fault}")
    return schema
