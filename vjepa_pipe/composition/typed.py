"""Settings that count only when the user has typed them: a file must not choose what they name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser

from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.fields import bounds_of
from vjepa_pipe.config.targets import is_allowed_by_user


def untyped_faults(experiment: ExperimentConfig, typed: Sequence[str]) -> Iterator[str]:
    """A line for each such setting of the task that has a value which was neither typed nor let in by `--allow`.

    Args:
        experiment: A checked experiment.
        typed: Overrides of this command line; not those of a record, a plan or a file.
    """
    for field in dataclasses.fields(experiment.task):
        value = getattr(experiment.task, field.name)
        name = f"task.{field.name}"
        if not bounds_of(field).typed_only or not value or is_allowed_by_user(name):
            continue
        if value not in _typed_values(name, typed):
            yield (
                f"{name}={value} counts only on the command line: a file or a record must not choose what runs "
                f"(type {name}={value}, or --allow {name})"
            )


def _typed_values(name: str, typed: Sequence[str]) -> list[object]:
    values: list[object] = []
    own = [text for text in typed if text.lstrip("+").startswith(f"{name}=")]
    for override in OverridesParser.create().parse_overrides(own):
        if override.is_sweep_override():
            values.extend(text.strip("'\"") for text in override.sweep_string_iterator())
        else:
            values.append(override.value())
    return values
