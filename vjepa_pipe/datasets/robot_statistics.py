"""Where the statistics of an experiment's states and actions are kept."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.robot_data import RobotDataConfig
from vjepa_pipe.config.robotics import RoboticsConfig
from vjepa_pipe.files.json_text import parse_json
from vjepa_pipe.files.regular_file import open_regular
from vjepa_pipe.robotics import Statistics
from vjepa_pipe.sources import cache_dir
from vjepa_pipe.storage import absolute, shown_path

PARTS = ("states", "actions")
DATA_FIELDS = ("layout", "cameras", "state_keys", "action_keys", "extrinsics_key", "row_fps", "frames_per_clip")
MAX_BYTES = 2**24
NOT_COUNTED = ("normalization", "statistics", "shared_crop", "enabled")
"""Settings of `robotics/` that leave unnormalised states and actions as they are."""


def statistics_file(data: RobotDataConfig, robotics: RoboticsConfig, paths: Sequence[str]) -> Path:
    """The file that `task=statistics` keeps for this data: named by everything that changes states or actions.

    A source that changes under the same path keeps its file until the task is run again.

    Args:
        data: With its usual names filled in.
        robotics: Which states and actions.
        paths: Path of each source.
    """
    settings = dataclasses.asdict(robotics)
    identity = {
        "paths": [shown_path(absolute(path)) for path in paths],
        "data": {name: getattr(data, name) for name in DATA_FIELDS},
        "robotics": {name: value for name, value in settings.items() if name not in NOT_COUNTED},
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return cache_dir() / "statistics" / f"{digest[:32]}.json"


def load_statistics(data: RobotDataConfig, robotics: RoboticsConfig, paths: Sequence[str]) -> dict[str, Statistics]:
    """Statistics of `states` and of `actions`.

    Raises:
        ConfigError: Naming the command that computes them, or what is wrong with the file.
    """
    named = robotics.statistics
    file = Path(named) if named is not None else statistics_file(data, robotics, paths)
    if not file.is_file():
        what = f"robotics.statistics: {file} does not exist" if named is not None else "there are none for this data"
        raise ConfigError(
            [f"robotics.normalization={robotics.normalization} needs statistics; {what}: run task=statistics first"]
        )
    try:
        with open_regular(file) as stream:
            content = parse_json(stream.read(MAX_BYTES))
        return {part: Statistics.from_lists(content[part]) for part in PARTS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError([f"robotics.statistics: {file} is not a file of task=statistics ({error})"]) from error
