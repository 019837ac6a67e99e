"""Where an experiment came from, in the words that it was asked for by."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from vjepa_pipe.composition.store import as_typed
from vjepa_pipe.config.folders import conf_dir


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where an experiment came from.

    Attributes:
        overrides: Of the command line, for this experiment, as they were typed; `legacy=` with the file's whole path.
        provenance: Where each setting came from.
        choices: The option chosen from each group.
        rerun_of: The folder of the run that is repeated.
        folders: Whole paths of the user's own config folders.
    """

    overrides: list[str] = dataclasses.field(default_factory=list)
    choices: dict[str, str] = dataclasses.field(default_factory=dict)
    provenance: dict[str, str] = dataclasses.field(default_factory=dict)
    rerun_of: str | None = None
    folders: list[str] = dataclasses.field(default_factory=list)

    def words(self) -> list[str]:
        """The overrides without those of Hydra's own settings: read from a record they are not typed."""
        return [text for text in self.overrides if not is_hydras(text)]


def origin_of(
    overrides: Iterable[str], folders: Iterable[Path], choices: dict[str, str], provenance: dict[str, str]
) -> Origin:
    """The origin of an experiment that was just composed.

    Args:
        overrides: What Hydra was given.
        folders: Every config folder that it searched.
        choices: The option chosen from each group.
        provenance: Where each setting came from.
    """
    words = as_typed([text for text in overrides if not is_hydras(text)])
    own = [str(folder.resolve()) for folder in folders if folder.resolve() != conf_dir().resolve()]
    return Origin(words, choices, provenance, folders=own)


def is_hydras(override: str) -> bool:
    """Whether an override is of Hydra's own settings, or chooses one of its plugins."""
    return override.strip().lstrip("+~ \t").startswith("hydra")


def existing(folders: Sequence[str]) -> list[str]:
    """The config folders of a record that are still there."""
    return [folder for folder in folders if Path(folder).is_absolute() and Path(folder).is_dir()]
