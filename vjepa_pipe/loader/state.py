"""Where a run stands: a few numbers, and hashes of what they count in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, get_origin, get_type_hints

from vjepa_pipe.config.errors import UserError

VERSION = 4
SOURCE = "source "
"""Begins the names of fingerprints that are hashes of a source's rows."""
_CHECKSUM = "checksum"


class StateError(UserError, ValueError):
    """A saved state that cannot be loaded here."""


@dataclass(frozen=True)
class LoaderState:
    """A place in a run, the same on all ranks.

    Attributes:
        version: Of this format.
        seed: The experiment's.
        epoch: From 0.
        position: Samples of the epoch handed out so far, over all ranks.
        epoch_size: Samples in the epoch, over all ranks.
        global_batch_size: Samples in a batch, over all ranks.
        world_size: Number of ranks; told, not checked.
        fingerprints: Everything that decides what stands at a position, by name: settings as text, rows as hashes.
        steps: Batches that each rank was handed since the run began, over all epochs and resumes.
    """

    version: int
    seed: int
    epoch: int
    position: int
    epoch_size: int
    global_batch_size: int
    world_size: int
    fingerprints: dict[str, str]
    steps: int = 0

    @property
    def batches(self) -> int:
        """Batches in an epoch."""
        return -(-self.epoch_size // self.global_batch_size)

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON and `torch.save` can hold, with a checksum over them."""
        plain = asdict(self)
        return plain | {_CHECKSUM: _checksum(plain)}

    @classmethod
    def from_dict(cls, state: Any) -> LoaderState:
        """The state that `to_dict` gave.

        Raises:
            StateError: If it is not one, or any of it has changed.
        """
        if not isinstance(state, Mapping):
            raise StateError(f"a loader's state must be a mapping (got {type(state).__name__})")
        version = state.get("version")
        if version != VERSION or isinstance(version, bool):
            raise StateError(f"a loader's state must have version {VERSION} (got {version!r})")
        hints = get_type_hints(cls)
        names = {field.name for field in fields(cls)} | {_CHECKSUM}
        if set(state) != names:
            odd = sorted(map(str, set(state) ^ names))
            raise StateError(f"a loader's state is damaged: {', '.join(odd)} missing or not known")
        plain = {name: value for name, value in state.items() if name != _CHECKSUM}
        for name, value in plain.items():
            kind = get_origin(hints[name]) or hints[name]
            if type(value) is not kind or (kind is int and value < 0):
                raise StateError(f"a loader's state is damaged: {name} must be a {_KINDS[kind]} (got {value!r})")
        if state[_CHECKSUM] != _checksum(plain):
            raise StateError("a loader's state is damaged: its checksum does not fit")
        return cls(**plain)

    def changes(self, here: LoaderState) -> list[str]:
        """What differs between the run that was saved and the one `here`, other than the place."""
        mine, others = ({"seed": one.seed, "epoch_size": one.epoch_size} | one.fingerprints for one in (self, here))
        return [
            name
            if name.startswith(SOURCE)
            else f"{name} ({mine.get(name, 'nothing')} saved, {others.get(name, 'nothing')} here)"
            for name in dict.fromkeys([*mine, *others])
            if mine.get(name) != others.get(name)
        ]


_KINDS = {int: "whole number >= 0", dict: "mapping"}


def hash_of(*values: Any) -> str:
    """A short hash of plain values, equal only for equal ones."""
    return hashlib.blake2b(json.dumps(values, sort_keys=True, default=repr).encode(), digest_size=8).hexdigest()


def _checksum(plain: Mapping[str, Any]) -> str:
    try:
        return hash_of(plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise StateError(f"a loader's state is damaged: {error}") from error
