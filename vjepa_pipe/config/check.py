"""Everything that is wrong with an experiment, at once."""

from __future__ import annotations

from vjepa_pipe.config.build import faults_of
from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.image import faults_of_streams
from vjepa_pipe.config.rules import RULES
from vjepa_pipe.config.targets import forbidden_targets


def check(experiment: ExperimentConfig) -> None:
    """Check an experiment made in Python.

    Raises:
        ConfigError: As `compose`.
    """
    faults = faults_of(experiment) or deeper_faults(experiment)
    if faults:
        raise ConfigError(faults)


def deeper_faults(experiment: ExperimentConfig) -> list[str]:
    """Forbidden targets and broken rules of an experiment whose types and bounds are right."""
    return [*forbidden_targets(experiment), *faults_of_streams(_broken_rules, experiment)]


def _broken_rules(experiment: ExperimentConfig) -> list[str]:
    return [line for rule in RULES for line in rule(experiment)]
