"""Data that published files name and that is not streamed here: asking for a batch says so."""

from __future__ import annotations

from typing import Any, NoReturn

from vjepa_pipe.config.errors import UserError


def RobotTrajectories(**_: Any) -> NoReturn:
    """Stands for the dataset of `app: vjepa_droid`.

    Raises:
        UserError: Always.
    """
    raise UserError(
        "robot trajectories of a vjepa_droid file are not streamed: its settings are kept under training "
        "and handed on by task=external"
    )


def ActionSegments(**_: Any) -> NoReturn:
    """Stands for the EPIC-KITCHENS pipeline of `eval_name: action_anticipation_frozen`.

    Raises:
        UserError: Always.
    """
    raise UserError(
        "action segments of EPIC-KITCHENS are not streamed: the file's settings are kept under training "
        "and handed on by task=external"
    )
