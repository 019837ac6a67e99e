"""Naming every faulty override of a command line, not only the first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from vjepa_pipe.composition.compose import compose_dict
from vjepa_pipe.composition.options import group_options, groups
from vjepa_pipe.config.errors import ConfigError, did_you_mean
from vjepa_pipe.config.folders import conf_dir


def set_aside_faulty_overrides(
    overrides: Sequence[str], config_dir: str | Path | None, error: Exception
) -> tuple[DictConfig, list[str]]:
    """Compose without the overrides that are at fault.

    Each override is tried on top of the ones before it, so this takes a composition per override; it
    runs only when composing them together failed.

    Args:
        overrides: What was asked for.
        config_dir: The user's own config folder.
        error: What composing all of them raised.

    Returns:
        The config from the good overrides, and a line for each bad one.

    Raises:
        ConfigError: If the fault is not in any one override, for instance in a file.
    """
    good: list[str] = []
    faults: list[str] = []
    config: DictConfig | None = None
    # Hydra's own first, then group choices: what a key means depends on them.
    for override in sorted(overrides, key=lambda t: (not t.startswith("hydra."), "." in t.partition("=")[0])):
        try:
            config = compose_dict([*good, override], config_dir)
            good.append(override)
        except Exception as fault:  # as in compose
            faults.append(explain(override, fault, config, config_dir))
    if not faults:
        raise ConfigError([plain_text(error)]) from error
    return config if config is not None else compose_dict([], config_dir), faults


def explain(override: str, error: Exception, config: DictConfig | None, config_dir: str | Path | None) -> str:
    """One line saying what is wrong with an override."""
    key, _, value = override.lstrip("+~").partition("=")
    options = group_options(key, config_dir)
    if options and "." not in key:
        if value not in options:
            return f"{key}={value} is not an option{did_you_mean(value, options)}: {key} can be {', '.join(options)}"
        return f"{override}: {plain_text(error)}"
    if "Could not override" in str(error) or "not in" in str(error):
        known = _keys_beside(key, config)
        parent, _, name = key.rpartition(".")
        if name in known:  # it is there, but takes nothing of this kind without a `+`
            return f"{override}: {plain_text(error)}"
        hint = did_you_mean(name, known)
        return f"{key} is not a setting{hint.replace('mean ', f'mean {parent}.') if parent else hint}"
    length = re.search(r"TupleConfig length \d+ does not match type hint length (\d+)", str(error.__cause__ or error))
    if length:  # OmegaConf 2.4 finds this itself; 2.3 leaves it to us
        return f"{key} must have {length[1]} values (got {value})"
    return f"{override}: {plain_text(error)}"


def explain_any(overrides: Sequence[str], error: Exception, folders: Sequence[Path]) -> str:
    """One line saying what is wrong with a list of overrides, of which one is at fault.

    Args:
        overrides: In the order in which they were given.
        error: What composing them raised.
        folders: Config folders, in the order in which Hydra searches them.
    """
    config_dir = next((folder for folder in folders if folder != conf_dir()), None)
    for override in overrides:
        key = override.lstrip("+~").partition("=")[0]
        if re.search(rf"(?<![\w.]){re.escape(key)}(?![\w.])", str(error)):
            return explain(override, error, None, config_dir)
    return plain_text(error)


def plain_text(error: Exception) -> str:
    """An error of Hydra or OmegaConf in one line, without its internal fields."""
    if isinstance(error, ConfigError):
        return "; ".join(error.faults)
    causes = [error, error.__cause__] if error.__cause__ is not None else [error]
    text = str(causes[-1]) if "Error merging override" in str(error) else str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    kept = [
        line for line in lines if not re.match(r"(full_key|object_type|reference_type|See https|Set the env)", line)
    ]
    return " ".join(kept) or type(error).__name__


def _keys_beside(key: str, config: DictConfig | None) -> list[str]:
    """The names in the same node of the composed config as `key`, to guess what was meant."""
    parent = key.rpartition(".")[0]
    node: Any = OmegaConf.select(config if config is not None else compose_dict([]), parent) if parent else config
    names = [str(name) for name in node] if isinstance(node, DictConfig) else []
    return names if parent else [*names, *groups()]
