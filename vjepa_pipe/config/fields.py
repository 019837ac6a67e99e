"""One line per config field: its default, its meaning and its bounds, kept together.

The bounds written here are the only ones: the checker, the reference documentation and the JSON
Schema all read them from the dataclass.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

KEY = "vjepa_pipe"


LARGEST = 10**15
"""Numbers are smaller than this, unless a field says so of itself; no setting counts or measures more."""

SMALLEST = 1e-6
"""Numbers that must be larger than 0 are at least this, unless a field has its own `ge`: 1 / 1e-320 is infinite."""


@dataclasses.dataclass(frozen=True)
class Bounds:
    """What a field may hold, beyond its type.

    Numeric bounds apply to the value, or to every element when the field is a list or a tuple.

    Attributes:
        help: What the field means, with its unit.
        ge: Smallest value allowed.
        gt: Every value must be larger; gt=0 without ge sets `ge` to `SMALLEST`.
        le: Largest value allowed.
        lt: Every value must be smaller.
        choices: The only values allowed.
        ordered: A pair must be in ascending order.
        not_empty: A string or list must hold something.
        path: The field names a file or folder: kept out of a run's identity where it is output only.
        affects_results: False for settings that change speed or reporting, never a batch.
        in_identity_if_set: Its default is left out of an experiment's identity: a setting that came later, so that
            experiments without it keep the identities that they had.
        typed_only: Counts only when it is typed on the command line; a file must not choose it.
    """

    help: str
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    choices: tuple[str, ...] = ()
    ordered: bool = False
    not_empty: bool = False
    path: bool = False
    affects_results: bool = True
    in_identity_if_set: bool = False
    typed_only: bool = False


def setting(default: Any, help: str, **bounds: Any) -> Any:
    """A dataclass field with its meaning and bounds.

    Args:
        default: The default value; lists, dicts and dataclasses are copied for each instance.
        help: What it means, with its unit.
        **bounds: Any other attribute of `Bounds`.
    """
    if bounds.get("gt") == 0:
        bounds.setdefault("ge", SMALLEST)
    metadata: Mapping[str, Any] = {KEY: Bounds(help, **bounds)}
    if isinstance(default, (list, dict)):
        return dataclasses.field(default_factory=default.copy, metadata=metadata)
    if dataclasses.is_dataclass(default) and not isinstance(default, type):
        return dataclasses.field(default_factory=type(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    """Whether a field holds what it holds when nobody says anything."""
    made = field.default_factory
    return bool(value == (field.default if made is dataclasses.MISSING else made()))


def bounds_of(field: dataclasses.Field[Any]) -> Bounds:
    """The bounds of a dataclass field; fields declared without `setting` have none."""
    found = field.metadata.get(KEY)
    return found if isinstance(found, Bounds) else Bounds("")
