"""What a file may say under `hydra:`. Settings there make objects and run commands; a file chooses from a list.

What was typed on the command line is the user's own and passes; so does what `--allow` names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, ListConfig, OmegaConf

from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.targets import TARGET, is_allowed_by_user

BUILT_IN = frozenset({
    "hydra._internal.core_plugins.basic_launcher.BasicLauncher",
    "hydra._internal.core_plugins.basic_sweeper.BasicSweeper",
    "hydra.experimental.callbacks.LogJobReturnCallback",
    "hydra.experimental.callbacks.PickleJobInfoCallback",
    "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher",
    "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher",
    "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher",
    "hydra_plugins.vjepa_pipe_sweeper.VjepaPipeSweeper",
})  # fmt: skip
"""Launchers, sweepers and callbacks that a file may choose."""

LOGGING = frozenset({
    "logging.FileHandler", "logging.Filter", "logging.Formatter", "logging.NullHandler", "logging.StreamHandler",
    "logging.handlers.RotatingFileHandler", "logging.handlers.TimedRotatingFileHandler", "colorlog.ColoredFormatter",
    "ext://sys.stdout", "ext://sys.stderr",
})  # fmt: skip
"""Objects that a file may have logging made of; log files stand in the run's folder."""
_LOG_FOLDER = "${hydra.runtime.output_dir}/"

_COMMANDS = ("setup", "srun_args", "additional_parameters", "python")
"""Settings of the SLURM launcher that become part of a shell script."""


def check_hydra_settings(settings: DictConfig, typed: Sequence[str]) -> None:
    """Refuse what files say under `hydra:` and may not.

    Args:
        settings: The node `hydra` of a composed config.
        typed: The overrides of the command line.

    Raises:
        ConfigError: Naming every such setting.
    """
    own = _typed_settings(typed)
    given = settings.overrides
    if len(given.hydra) + len(given.task) != len(typed):
        raise ConfigError(["hydra.overrides is what was typed: a file cannot set it"])
    faults = [
        f"{path}: {fault}; a file must not choose it: type it on the command line, or add --allow {name}"
        for path, name, fault in _faults(settings)
        if path not in own and not is_allowed_by_user(name)
    ]
    if faults:
        raise ConfigError(faults)


def _faults(settings: DictConfig) -> Iterator[tuple[str, str, str]]:
    """Setting, name to allow it by, and what is wrong with it."""
    plain = _plain(settings)
    for part in ("callbacks", "launcher", "sweeper"):
        for path, key, value in _leaves(plain.get(part), f"hydra.{part}"):
            if key == TARGET and value not in BUILT_IN:
                yield path, str(value), f"{value} is not one of Hydra's own"
            elif _is_reference(value):
                yield path, path, f"{value} stands for something unknown"
    for part in ("job_logging", "hydra_logging"):
        yield from _logging_faults(plain.get(part), f"hydra.{part}")
    launcher = plain.get("launcher")
    for name in _COMMANDS if isinstance(launcher, Mapping) else ():
        if launcher.get(name):
            yield f"hydra.launcher.{name}", f"hydra.launcher.{name}", f"{launcher[name]} is run by a shell"
    for path, _, value in _leaves(plain.get("job", {}).get("env_set"), "hydra.job.env_set"):
        yield path, path, f"{value} goes into the environment"
    for folder in plain.get("searchpath") or []:
        if not str(folder).startswith("file://") and "://" in str(folder):
            yield "hydra.searchpath", str(folder), f"{folder} is imported"


def _logging_faults(node: Any, where: str) -> Iterator[tuple[str, str, str]]:
    for path, key, value in _leaves(node, where):
        text = str(value)
        if key in ("()", "class", TARGET) or text.startswith("ext://"):
            if text not in LOGGING:
                yield path, text.removeprefix("ext://"), f"{text} is not a handler or formatter of the standard library"
        elif key == "filename" and (not text.startswith(_LOG_FOLDER) or ".." in text):
            yield path, path, f"{text} is not in the run's folder, {_LOG_FOLDER}"
        elif _is_reference(value):
            yield path, path, f"{text} stands for something unknown"


def _plain(node: Any) -> Any:
    """A node as plain values; interpolations stay text, unless they stand for further nodes."""
    if isinstance(node, ListConfig):
        return [_plain(_value(node, i)) for i in range(len(node))]
    if isinstance(node, DictConfig):
        if node._is_none() or node._is_missing():
            return {}
        return {str(key): _plain(_value(node, key)) for key in node}
    return node


def _value(node: Any, key: Any) -> Any:
    if OmegaConf.is_missing(node, key):
        return None
    if not OmegaConf.is_interpolation(node, key):
        return node[key]
    raw = OmegaConf.to_container(node, resolve=False)[key]  # type: ignore[index]
    if not _is_reference(raw):
        return raw
    try:
        return node[key]
    except Exception:  # it has no value yet, or none at all
        return raw


def _is_reference(value: Any) -> bool:
    """Whether a text may be one interpolation and nothing else, which can stand for a node."""
    return isinstance(value, str) and value.startswith("${") and value.endswith("}")


def _leaves(node: Any, path: str) -> Iterator[tuple[str, str, Any]]:
    """Path, last key and value of everything in nested plain values."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            inner = f"{path}.{key}"
            yield from _leaves(value, inner) if isinstance(value, (Mapping, list)) else [(inner, str(key), value)]
    elif isinstance(node, list):
        for value in node:
            yield from _leaves(value, path) if isinstance(value, (Mapping, list)) else [(path, "", value)]
    elif node is not None:
        yield path, "", node


def _typed_settings(typed: Sequence[str]) -> set[str]:
    """The settings under `hydra` that the command line gives, each by its whole path."""
    found: set[str] = set()
    for override in OverridesParser.create().parse_overrides([t for t in typed if t.lstrip("+~").startswith("hydra.")]):
        key = override.key_or_group
        found.add(key)
        found.update(path for path, _, _ in _leaves(override.value(), key))
    return found
