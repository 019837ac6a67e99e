"""What a run was made of: the form of `run.json`."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Repository:
    """The state of a checkout; None for what git does not say before the first commit."""

    path: str
    commit: str | None
    branch: str | None
    uncommitted: list[str]


@dataclasses.dataclass(frozen=True)
class RunFile:
    """What stands in `run.json`.

    Attributes:
        id: Hash of the settings that decide the results.
        config_id: Hash of all settings.
        name: Of the experiment.
        seed: Of the experiment.
        started: When.
        command: The command line, word by word, as it was typed.
        cwd: The working folder, for the relative paths of the command line.
        decoder: What reads videos.
        versions: Of Python and packages.
        host: The machine.
        data: What tells one state of each annotation file from another.
        git: The checkouts that the code came from, by name.
        images: As `data`, of images beside the videos.
    """

    id: str
    config_id: str
    name: str
    seed: int
    started: str
    command: list[str]
    decoder: str
    versions: dict[str, str]
    host: dict[str, Any]
    data: dict[str, dict[str, Any]]
    git: dict[str, Repository]
    cwd: str = ""
    images: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
