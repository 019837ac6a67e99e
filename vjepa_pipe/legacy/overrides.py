"""`legacy=FILE` among Hydra overrides: the file becomes an experiment of its own."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from vjepa_pipe.composition.store import typed_as
from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.legacy.read import read_legacy
from vjepa_pipe.legacy.translate import Translation, translate
from vjepa_pipe.legacy.write import LISTED, store_translation

LEGACY = "legacy="
POLICY = "legacy_unknown="

logger = logging.getLogger(__name__)


_translations: dict[str, Translation] = {}
"""By the experiment option that a file became."""


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
        if option in chosen and _translations[option].settings != translation.settings:
            other = _translations[option].file.path
            raise ConfigError([f"{LEGACY}{other},{file} would both be experiment={option}: rename one of the files"])
        chosen.append(option)
        typed_as[option] = [f"{LEGACY}{Path(file).resolve()}", *(f"{POLICY}{policy}" for policy in policies[-1:])]
        _translations[option] = translation
    replaced = [f"experiment={','.join(chosen)}" if text.startswith(LEGACY) else text for text in overrides]
    return [text for text in replaced if not text.startswith(POLICY)]


def log_translations(option: str) -> None:
    """Write what became of a file's keys into the log of the run that came from it."""
    if option not in _translations:
        return
    translation = _translations[option]
    logger.info("%s: %s", translation.file.path, translation.profile.name)
    for row in translation.rows:
        if row.line is not None:
            logger.log(logging.INFO if row.status in LISTED else logging.DEBUG, "%s", row)
    for warning in translation.warnings:
        logger.warning("%s", warning)
