"""Data that published files name and that is not streamed here: asking for a batch says so."""

from __future__ import annotations

from typing import Any, NoReturn

from vjepa_pipe.config.errors import UserError


def ActionSegments(**_: Any) -> NoReturn:
    """Stands for the EPIC-KITCHENS pipeline of `eval_name: action_anticipation_frozen`.

    Raises:
        UserError: Always.
    """
    raise UserError(
        "action segments of EPIC-KITCHENS are not streamed: the file's settings are kept under training "
        "and handed on by task=external"
    )
