"""One composition: Hydra is initialised for it, with the user's own config folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.types import Quote, QuotedString

from vjepa_pipe.composition.cache import cached_folders
from vjepa_pipe.composition.composer import Composed, Composer
from vjepa_pipe.composition.hydra_loader import hydra_loader
from vjepa_pipe.composition.options import config_folders
from vjepa_pipe.composition.store import register

SEARCH_PATH = "hydra.searchpath="


def compose_overrides(overrides: Sequence[str], config_dir: str | Path | None = None) -> Composed:
    """The experiment that overrides describe, and what is wrong with it.

    Raises:
        ConfigError: If there is no such folder, or the files of the chosen options cannot be merged at all.
    """
    register()
    words = with_search_path(overrides, [str(folder) for folder in config_folders(config_dir)[1:]])
    hydras = [word for word in words if word.lstrip("+~").startswith("hydra.")]
    with hydra_loader() as loader:
        return Composer(loader, hydras, None if hydras else cached_folders()).compose(
            [word for word in words if word not in hydras]
        )


def with_search_path(overrides: Sequence[str], folders: Sequence[str]) -> list[str]:
    """The overrides, with further folders of config groups after those they name already."""
    given = [text for text in overrides if text.startswith(SEARCH_PATH)]
    if not folders:
        return list(overrides)
    named = [item for text in given for item in [text[len(SEARCH_PATH) :].strip("[]")] if item]
    quoted = [QuotedString(f"file://{folder}", Quote.single).with_quotes() for folder in folders]
    rest = [text for text in overrides if text not in given]
    # Beside the other overrides: on a command line, flags may stand before and after them.
    place = next((i for i, text in enumerate(rest) if "=" in text and not text.startswith("-")), len(rest))
    return [*rest[:place], f"{SEARCH_PATH}[{','.join([*named, *quoted])}]", *rest[place:]]
