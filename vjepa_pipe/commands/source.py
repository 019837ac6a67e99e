"""What a command line can name an experiment by."""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from vjepa_pipe.composition.options import option_of
from vjepa_pipe.composition.snapshot import is_frozen, plain, thaw
from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.folders import RESOLVED_CONFIG
from vjepa_pipe.config.tree import leaves
from vjepa_pipe.experiments import compose, compose_with_provenance, named_overrides
from vjepa_pipe.records import Origin, read_origin
from vjepa_pipe.records.record import ORIGIN

FORMS = (
    "an experiment's name, overrides in one argument ('data=ssv2 data.target_fps=8'), a config file, the folder of a "
    "run or of a point, a resolved_config.yaml, or a YAML file of vjepa2"
)


@dataclasses.dataclass
class Source:
    """An experiment, where it came from, and what it was named by."""

    name: str
    experiment: ExperimentConfig
    origin: Origin

    def settings(self) -> dict[str, object]:
        """Every setting by dotted path."""
        return dict(leaves(plain(self.experiment)))


def read_source(words: Sequence[str], config_dir: Path | None = None) -> Source:
    """The experiment that some arguments name.

    Args:
        words: A path, or overrides and names of experiments.
        config_dir: The user's own config folder.

    Raises:
        UserError: If there is no such thing, or it cannot be read.
        ConfigError: If it has faults.
    """
    if _names_a_path(words):
        return _from_path(Path(words[0]))
    return _composed(" ".join(words) or "default", named_overrides(words, config_dir), config_dir)


def read_experiment(words: Sequence[str], config_dir: Path | None = None) -> ExperimentConfig:
    """As `read_source`, without where the experiment came from: finding that out takes half as long again."""
    if _names_a_path(words):
        return _from_path(Path(words[0])).experiment
    return compose(named_overrides(words, config_dir), config_dir)


def split_words(argument: str) -> list[str]:
    """One argument of the shell that may hold several overrides."""
    return [argument] if os.path.exists(argument) else shlex.split(argument)  # noqa: PTH110


def _names_a_path(words: Sequence[str]) -> bool:
    if len(words) != 1:
        return False
    exists = os.path.exists(words[0])  # noqa: PTH110 - pathlib raises where a name is too long
    if not exists and words[0].endswith((".yaml", ".yml")) and "=" not in words[0]:
        raise UserError(f"{words[0]} does not exist; name {FORMS}")
    return exists


def _from_path(path: Path) -> Source:
    file = path / RESOLVED_CONFIG if path.is_dir() else path
    if not file.is_file():
        raise UserError(f"{path} is not the folder of a run: there is no {RESOLVED_CONFIG} in it")
    if is_frozen(file):
        beside = file.parent / ORIGIN if file.name == RESOLVED_CONFIG else file.with_suffix(".json")
        return Source(str(path), thaw(file), read_origin(beside) if beside.exists() else Origin())
    if (option := option_of(file)) is not None:
        group, name, folder = option
        return _composed(str(path), [f"{group}={name}"], folder)
    return _composed(str(path), [f"legacy={file}"], None)


def _composed(name: str, overrides: list[str], config_dir: Path | None) -> Source:
    found = compose_with_provenance(overrides, config_dir)
    return Source(name, found.experiment, Origin(overrides, found.choices, found.provenance))
