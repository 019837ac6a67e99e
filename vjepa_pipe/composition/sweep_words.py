"""`sweep.NAME=VALUE` on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from hydra.core.override_parser.types import Quote, QuotedString

from vjepa_pipe.config.errors import ConfigError, did_you_mean
from vjepa_pipe.config.program import program
from vjepa_pipe.config.sweep import SweepConfig

PREFIX = "sweep."
SETTINGS = tuple(field.name for field in fields(SweepConfig) if field.name not in ("_target_", "params"))
"""What may stand behind it."""

TEXTS = ("where", "resume", "metric")
"""Settings that are one text, whatever signs are in it."""


def as_hydra_overrides(arguments: Sequence[str]) -> list[str]:
    """A command line with each `sweep.NAME=VALUE` as Hydra knows it, `hydra.sweeper.NAME=VALUE`.

    Raises:
        ConfigError: If a name is not a setting of a sweep, or there is no `-m`.
    """
    faults: list[str] = []
    rewritten: list[str] = []
    for argument in arguments:
        name, separator, value = argument.partition("=")
        if not name.startswith(PREFIX) or not separator:
            rewritten.append(argument)
            continue
        name = name.removeprefix(PREFIX)
        if name not in SETTINGS:
            faults.append(f"sweep.{name} is not a setting{did_you_mean(name, SETTINGS)}")
        elif not {"-m", "--multirun"} & set(arguments):
            faults.append(f"sweep.{name} needs -m: {program()} -m ...")
        rewritten.append(f"hydra.sweeper.{name}={_quoted(value) if name in TEXTS else value}")
    if faults:
        raise ConfigError(faults)
    return rewritten


def _quoted(value: str) -> str:
    """Text as one value: Hydra would stop at the first sign such as `<`."""
    if value[:1] in ("'", '"'):
        return value
    return QuotedString(value, Quote.single).with_quotes()
