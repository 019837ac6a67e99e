"""task=external: call a trainer of the user's with the settings that it reads, and keep what it measured."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vjepa_pipe.config.errors import ConfigError, UserError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.task import ExternalTaskConfig
from vjepa_pipe.config.training.base import PublishedTraining
from vjepa_pipe.files.whole_file import make_folder, write_whole
from vjepa_pipe.legacy.export import published_values
from vjepa_pipe.legacy.write import to_yaml
from vjepa_pipe.tasks.external_metrics import LeftFiles, numbers
from vjepa_pipe.tasks.process_group import process_group

ARGUMENTS = "published_args.yaml"


def external(experiment: ExperimentConfig, output_dir: Path) -> dict[str, Any]:
    """Call `task.entry`, with the published `args` and with `task.args` as keywords.

    The published arguments are also left in `published_args.yaml`; one without a `folder` of its own gets the output
    folder. With `training=none` there are none: the trainer gets `task.args`, and the output folder and the experiment
    where it has parameters called `folder` and `experiment`.

    Returns:
        The numbers that the trainer returns; else those of a `metrics.json`, the last ones of a `metrics.jsonl`, or the
        last row of a `log*.csv`, that it leaves in its folder.

    Raises:
        ConfigError: If no entry is named, a setting it needs is missing, or it does not take `task.args`.
        UserError: If the entry cannot be imported.
    """
    task = experiment.task
    assert isinstance(task, ExternalTaskConfig)
    if not task.entry:
        raise ConfigError(["task.entry must be given on the command line, such as task.entry=app.vjepa.train:main"])
    positional: list[Any] = []
    folder = output_dir
    keywords = dict(task.args)
    if isinstance(experiment.training, PublishedTraining):
        values = published_values(experiment)
        logging = values.get("logging")
        place = logging if isinstance(logging, dict) and "folder" in logging else values  # V-JEPA 1 has it in a section
        if place.get("folder") is None:
            place["folder"] = str(output_dir.resolve())
        folder = Path(place["folder"])
        make_folder(folder)
        write_whole(output_dir / ARGUMENTS, to_yaml(values))
        positional = [values]
    entry = _entry(task)
    if not positional:
        keywords = _offered(entry, {"folder": str(output_dir.resolve()), "experiment": experiment}) | keywords
    _check_arguments(task.entry, entry, positional, keywords)
    left = LeftFiles([folder, output_dir])
    with process_group(task.init_process_group, "task.init_process_group"):
        returned = entry(*positional, **keywords)
    return numbers(returned) or left.metrics()


def _entry(task: ExternalTaskConfig) -> Callable[..., Any]:
    module_name, _, function = task.entry.partition(":")
    if not function:
        raise ConfigError([f"task.entry must be module:function (got {task.entry})"])
    if task.path is not None:
        if not Path(task.path).is_dir():
            raise UserError(f"task.path={task.path} is not a directory")
        sys.path.insert(0, str(Path(task.path).resolve()))
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise UserError(f"task.entry={task.entry} cannot be imported: {error}") from error
    found = getattr(module, function, None)
    if not callable(found):
        raise UserError(f"task.entry={task.entry}: {module_name} has no function {function}")
    entry: Callable[..., Any] = found
    return entry


def _offered(entry: Callable[..., Any], values: dict[str, Any]) -> dict[str, Any]:
    """Those of some values for which a function has a parameter of that name."""
    try:
        parameters = inspect.signature(entry).parameters
    except (TypeError, ValueError):  # some functions written in C do not say
        return {}
    return {name: value for name, value in values.items() if name in parameters}


def _check_arguments(name: str, entry: Callable[..., Any], positional: list[Any], keywords: dict[str, Any]) -> None:
    """Said before the trainer starts, so that an error of its own is not taken for one of these."""
    try:
        inspect.signature(entry).bind(*positional, **keywords)
    except ValueError:
        return
    except TypeError as error:
        given = "the published args and task.args" if positional else "task.args (training=none has no published args)"
        raise ConfigError([f"task.entry={name} does not take {given}: {error}"]) from error
