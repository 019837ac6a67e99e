"""What can be known to fail before a run starts, of an experiment that says nothing wrong.

An experiment may be read, compared and translated all the same, so composing it does not look at this.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vjepa_pipe.config.epoch import epoch_faults, known_rows
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.idle import idle_faults
from vjepa_pipe.config.image import faults_of_streams
from vjepa_pipe.config.mask_rules import masks_can_be_drawn
from vjepa_pipe.config.probe import probe_faults
from vjepa_pipe.config.task import BenchmarkTaskConfig, ProbeTaskConfig, StreamTaskConfig
from vjepa_pipe.config.train_task import TrainTaskConfig
from vjepa_pipe.config.training_rules import training_faults
from vjepa_pipe.config.url_rules import scheme_faults


def draws_batches(experiment: ExperimentConfig) -> bool:
    """Whether the task makes batches with masks; a trainer of somebody else's may make its own."""
    return isinstance(experiment.task, (StreamTaskConfig, BenchmarkTaskConfig, TrainTaskConfig))


def run_faults(experiment: ExperimentConfig, typed: Sequence[str] = ()) -> Iterator[str]:
    """A line for each setting typed in vain, URL of an unknown kind, mask that no clip can have; and for empty epochs.

    For task=probe also for what else keeps it from running.

    Args:
        experiment: A checked experiment.
        typed: Overrides of the command line.
    """
    yield from idle_faults(experiment, typed)
    yield from faults_of_streams(lambda one: scheme_faults(one.data), experiment)
    yield from probe_faults(experiment)
    if isinstance(experiment.task, TrainTaskConfig):
        yield from training_faults(experiment)
    if draws_batches(experiment):
        yield from faults_of_streams(masks_can_be_drawn, experiment)
    if draws_batches(experiment) or isinstance(experiment.task, ProbeTaskConfig):
        yield from epoch_faults(experiment, known_rows(experiment.data))
