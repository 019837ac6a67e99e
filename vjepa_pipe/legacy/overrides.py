"""`legacy=FILE` among Hydra overrides: the file becomes an experiment of its own."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import re
from collections.abc import Sequence
from pathlib import Path

from vjepa_pipe.composition.compose import with_search_path
from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.folders import cache_dir
from vjepa_pipe.files.whole_file import make_folder, replacing
from vjepa_pipe.legacy.read import read_legacy
from vjepa_pipe.legacy.translate import Translation, translate
from vjepa_pipe.legacy.write import LISTED, checked_experiment, experiment_text

LEGACY = "legacy="
POLICY = "legacy_unknown="

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class _Named:
    """A file of this command line: the words that named it, what it says, and the config folder it became."""

    words: list[str]
    translation: Translation
    folder: Path


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
    folders: list[str] = []
    for name in files[0].split(","):
        file = name.strip("'\"")
        translation = translate(read_legacy(file), policies[-1] if policies else "error")
        option, folder = keep_experiment(translation)
        if option in chosen and str(folder) not in folders:  # Hydra would take the first file for both
            other = _named[option].translation.file.path
            raise ConfigError([f"{LEGACY}{other},{file} would both be experiment={option}: rename one of the files"])
        chosen.append(option)
        folders.append(str(folder))
        words = [f"{LEGACY}{Path(file).resolve()}", *(f"{POLICY}{policy}" for policy in policies[-1:])]
        _named[option] = _Named(words, translation, folder.resolve())
    replaced = [f"experiment={','.join(chosen)}" if text.startswith(LEGACY) else text for text in overrides]
    return with_search_path([text for text in replaced if not text.startswith(POLICY)], folders)


def as_named(overrides: Sequence[str], folders: Sequence[Path]) -> tuple[list[str], list[Path]]:
    """Overrides and config folders as they were before `replace_legacy`, but with the files' whole paths.

    Args:
        overrides: Of one run, or of one point of a sweep.
        folders: Whole paths.
    """
    words: list[str] = []
    for text in overrides:
        group, _, option = text.partition("=")
        named = _named.get(option) if group == "experiment" else None
        words += [text] if named is None else named.words
    made = {named.folder for named in _named.values()}
    return words, [folder for folder in folders if folder not in made]


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


def keep_experiment(translation: Translation) -> tuple[str, Path]:
    """Write the experiment into the cache folder and check it.

    Returns:
        The option of the group `experiment/`, and the folder above it, which goes onto the search path.

    Raises:
        ConfigError: Naming every fault with the published key and its line.
        UserError: If the cache folder cannot be written.
    """
    name = experiment_name(translation.file.path)
    text = experiment_text(translation, name)
    folder = cache_dir() / "legacy" / hashlib.sha256(text.encode()).hexdigest()[:16]
    option = f"legacy_{name}"
    target = folder / "experiment" / f"{option}.yaml"
    make_folder(target.parent)
    with replacing(target) as draft:  # other ranks may be writing the same file
        draft.write_text(text, encoding="utf-8")
    checked_experiment(translation, folder, option)
    return option, folder


def experiment_name(path: Path) -> str:
    """The file's stem, as the name of an experiment."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", path.stem).strip("_") or "published"
