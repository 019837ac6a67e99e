"""task=external: call a trainer of the user's with the settings that the published one reads."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from vjepa_pipe.config.errors import ConfigError, UserError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.task import ExternalTaskConfig
from vjepa_pipe.legacy.export import published_values
from vjepa_pipe.legacy.write import to_yaml

ARGUMENTS = "published_args.yaml"


def external(experiment: ExperimentConfig, output_dir: Path) -> dict[str, Any]:
    """Build the published `args` and call `task.entry` with them.

    The arguments are also left in `published_args.yaml`. A trainer without a `folder` of its own gets
    the output folder.

    Returns:
        Nothing of its own: published trainers return none.

    Raises:
        ConfigError: If no entry is named, or a setting it needs is missing.
        UserError: If the entry cannot be imported.
    """
    task = experiment.task
    assert isinstance(task, ExternalTaskConfig)
    if not task.entry:
        raise ConfigError(["task.entry must be given on the command line, such as task.entry=app.vjepa.train:main"])
    values = published_values(experiment)
    if values.get("folder") is None:
        values["folder"] = str(output_dir.resolve())
    Path(values["folder"]).mkdir(parents=True, exist_ok=True)
    (output_dir / ARGUMENTS).write_text(to_yaml(values))
    _entry(task)(values)
    return {}


def _entry(task: ExternalTaskConfig) -> Any:
    module_name, _, function = task.entry.partition(":")
    if not function:
        raise ConfigError([f"task.entry must be module:function (got {task.entry})"])
    if task.path is not None:
        if not Path(task.path).is_dir():
            raise UserError(f"task.path={task.path} is no folder")
        sys.path.insert(0, str(Path(task.path).resolve()))
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise UserError(f"task.entry={task.entry} cannot be imported: {error}") from error
    if not callable(getattr(module, function, None)):
        raise UserError(f"task.entry={task.entry}: {module_name} has no function {function}")
    return getattr(module, function)
