"""Sweeps of `toy_task` from tests: in this process, or as a person would start them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from vjepa_pipe.config.folders import conf_dir

ROOT = conf_dir().parent
TESTS = Path(__file__).parent


def toy_environment(folder: Path) -> dict[str, str]:
    """An environment in which other processes find `toy_task` and accept it as a target.

    A package says what targets it brings by an entry point; this writes the metadata of one.
    """
    metadata = folder / "toy-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[vjepa_pipe.targets]\ntoy = toy_task.*\n")
    paths = [str(ROOT), str(TESTS), str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


def states(sweep: Path) -> dict[str, str]:
    """The last state of each point, by its overrides."""
    from vjepa_pipe.records.plan import read_plan_file
    from vjepa_pipe.records.status import state_of

    return {" ".join(point.overrides): state_of(sweep / point.folder) for point in read_plan_file(sweep).points}


def read(file: Path) -> Any:
    return json.loads(file.read_text())
