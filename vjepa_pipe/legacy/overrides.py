"""`legacy=FILE` among Hydra overrides: the file becomes an experiment of its own."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.legacy.read import read_legacy
from vjepa_pipe.legacy.translate import Translation, translate
from vjepa_pipe.legacy.write import LISTED, store_translation

LEGACY = "legacy="
POLICY = "legacy_unknown="

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class _Named:
    """A file of this command line: the words that named it, and what it says."""

    words: list[str]
    translation: Translation


_named: dict[str, _Named] = {}
"""By the experiment option that it became."""


def replace_legacy(overrides: Sequence[str]) -> list[str]:
    """Overrides without `legacy=` and `legacy_unknown=`, choosing the experiment they describe instead.

    What else stands there comes after the file and wins over it. Several files, separated by commas,
    make a sweep.

    Args:
        overrides: What was asked for.

    Raises:
        ConfigError: If a file cannot be translated, or `experiment=` stands beside `legacy=`.
    """
    files = [text[len(LEGACY) :] for text in overrides if text.startswith(LEGACY)]
    policies = [text[len(POLICY) :] for text in overrides if text.startswith(POLICY)]
    rest = [text for text in overrides if not text.startswith((LEGACY, POLICY))]
    if not files:
        if policies:
            raise ConfigError([f"{POLICY}{policies[-1]} needs legacy=FILE"])
        return rest
    if any(text.startswith("experiment=") for text in rest):
        raise ConfigError(["legacy=FILE and experiment= both choose the experiment: give one of them"])
    if len(files) > 1:
        raise ConfigError([f"legacy is given {len(files)} times: give one file, or several to sweep over: legacy=A,B"])
    chosen: list[str] = []
    for name in files[0].split(","):
        file = name.strip("'\"")
        translation = translate(read_legacy(file), policies[-1] if policies else "error")
        option, _ = store_translation(translation)
        if option in chosen and _named[option].translation.settings != translation.settings:
            other = _named[option].translation.file.path
            raise ConfigError([f"{LEGACY}{other},{file} would both be experiment={option}: rename one of the files"])
        chosen.append(option)
        words = [f"{LEGACY}{Path(file).resolve()}", *(f"{POLICY}{policy}" for policy in policies[-1:])]
        _named[option] = _Named(words, translation)
    replaced = [f"experiment={','.join(chosen)}" if text.startswith(LEGACY) else text for text in overrides]
    return [text for text in replaced if not text.startswith(POLICY)]


def as_named(overrides: Sequence[str]) -> list[str]:
    """Overrides as they were before `replace_legacy`, but with the files' whole paths.

    Args:
        overrides: Of one run, or of one point of a sweep.
    """
    words: list[str] = []
    for text in overrides:
        group, _, option = text.partition("=")
        named = _named.get(option) if group == "experiment" else None
        words += [text] if named is None else named.words
    return words


def log_translations(option: str) -> None:
    """Write what became of a file's keys into the log of the run that came from it."""
    if option not in _named:
        return
    translation = _named[option].translation
    logger.info("%s: %s", translation.file.path, translation.profile.name)
    for row in translation.rows:
        if row.line is not None:
            logger.log(logging.INFO if row.status in LISTED else logging.DEBUG, "%s", row)
    for warning in translation.warnings:
        logger.warning("%s", warning)
