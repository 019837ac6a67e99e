"""What a sweep may say: `sweep.*` on the command line with `-m`, `hydra.sweeper.*` in a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Optional

from hydra.core.override_parser.types import Quote, QuotedString

from vjepa_pipe.config.errors import ConfigError, did_you_mean
from vjepa_pipe.config.fields import setting

SAMPLERS = ("random", "sobol", "latin_hypercube")


TEXTS = ("where", "resume")
"""Settings that are one text, whatever signs are in it."""
TARGET = "hydra_plugins.vjepa_pipe_sweeper.VjepaPipeSweeper"


@dataclass
class SweepConfig:
    """Which points are run, and what becomes of those that fail."""

    zip: list[Any] = setting([], "swept settings that advance together, such as [data.img_size,data.batch_size]")
    points: Any = setting(None, "points in so many words: a list of mappings, or a YAML file that holds one")
    where: Optional[str] = setting(
        None, "keep only points where this holds, such as 'data.frames_per_clip / data.target_fps <= 4'"
    )
    samples: Optional[int] = setting(
        None, "points drawn from the settings given as interval(low,high)", ge=1, le=100_000
    )
    sampler: str = setting("sobol", "how they are drawn", choices=SAMPLERS)
    seed: int = setting(0, "of the drawn points", ge=0, lt=2**63)
    dry_run: bool = setting(False, "print the plan and stop")
    resume: Optional[str] = setting(None, "folder of a sweep: run what is missing, failed or killed", path=True)
    fail_fast: bool = setting(False, "start no further point once one has failed")
    params: Optional[dict[str, Any]] = setting(None, "overrides with their swept values, for files")
    max_batch_size: Optional[int] = setting(None, "points handed to the launcher at once; unset: all", ge=1, le=100_000)
    _target_: str = setting(TARGET, "the sweeper")


def as_hydra_overrides(arguments: Sequence[str]) -> list[str]:
    """A command line with each `sweep.NAME=VALUE` as Hydra knows it, `hydra.sweeper.NAME=VALUE`.

    Raises:
        ConfigError: If a name is not a setting of a sweep, or there is no `-m`.
    """
    known = [field.name for field in fields(SweepConfig) if field.name not in ("_target_", "params")]
    faults: list[str] = []
    rewritten: list[str] = []
    for argument in arguments:
        name, separator, value = argument.partition("=")
        if not name.startswith("sweep.") or not separator:
            rewritten.append(argument)
            continue
        name = name.removeprefix("sweep.")
        if name not in known:
            faults.append(f"sweep.{name} is not a setting{did_you_mean(name, known)}")
        elif not {"-m", "--multirun"} & set(arguments):
            faults.append(f"sweep.{name} needs -m: python launch.py -m ...")
        rewritten.append(f"hydra.sweeper.{name}={_quoted(value) if name in TEXTS else value}")
    if faults:
        raise ConfigError(faults)
    return rewritten


def _quoted(value: str) -> str:
    """Text as one value: Hydra would stop at the first sign such as `<`."""
    if value[:1] in ("'", '"'):
        return value
    return QuotedString(value, Quote.single).with_quotes()
