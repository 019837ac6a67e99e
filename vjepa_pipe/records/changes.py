"""What is no longer as it was when a run began."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vjepa_pipe.config.data_files import named_files
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.image import image_experiment
from vjepa_pipe.records.environment import code, data_fingerprint, versions
from vjepa_pipe.records.run_file import RunFile


def code_since(recorded: RunFile, run: Path) -> Iterator[str]:
    """A line for each checkout that is at another commit or has uncommitted changes, and for each other version.

    Args:
        recorded: What the run was made of.
        run: Its folder.
    """
    repositories, _ = code()
    for name, repository in repositories.items():
        before = recorded.git.get(name)
        was = before.commit if before else None
        if was != repository["commit"]:
            yield f"code has changed: {name} is at {_short(repository['commit'])}, was at {_short(was)}"
        if (before and before.uncommitted) or repository["uncommitted"]:
            yield f"code may have changed: {name} has or had uncommitted changes; those of the run are in {run}"
    for package in sorted({*recorded.versions, *versions()}):
        old, new = recorded.versions.get(package), versions().get(package)
        if old != new:
            yield f"versions differ: {package} is {new}, was {old}"


def data_since(recorded: RunFile, experiment: ExperimentConfig) -> Iterator[str]:
    """A line for each file or folder that the experiment's data names, and that has another content."""
    images = image_experiment(experiment)
    named = [*named_files(experiment.data), *([] if images is None else named_files(images.data))]
    for path, state in data_fingerprint(named, experiment.storage).items():
        before = (recorded.data | recorded.images).get(path)
        if before is not None and any(before.get(name) != state.get(name) for name in ("sha256", "version")):
            yield f"data has changed: {path}"


def _short(commit: str | None) -> str:
    return commit[:10] if commit else "no commit"
