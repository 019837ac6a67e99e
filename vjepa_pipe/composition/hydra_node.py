"""What files may say under `hydra:`.

Hydra builds launchers, sweepers, callbacks and log handlers that a config names, sets environment variables and
writes folders. So everything there that was not typed must be on the list below; what is not on it is refused.
Interpolations are read as text: what one stands for may change between this check and its use.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from vjepa_pipe.config.sweep import SweepConfig
from vjepa_pipe.config.targets import TARGET, is_allowed_by_user
from vjepa_pipe.config.tree import leaves

PLUGINS = {
    "launcher": (
        "hydra._internal.core_plugins.basic_launcher.BasicLauncher",
        "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher",
        "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher",
        "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher",
    ),
    "sweeper": (
        "hydra_plugins.vjepa_pipe_sweeper.VjepaPipeSweeper",
        "hydra._internal.core_plugins.basic_sweeper.BasicSweeper",
    ),
    "callbacks": ("hydra.experimental.callbacks.LogJobReturnCallback",),
}
LAUNCHER_SETTINGS = {
    "n_jobs", "backend", "prefer", "require", "verbose", "timeout", "batch_size", "max_nbytes", "mmap_mode",
    "timeout_min", "cpus_per_task", "gpus_per_node", "tasks_per_node", "mem_gb", "nodes", "name", "stderr_to_stdout",
    "partition", "qos", "comment", "constraint", "exclude", "gres", "cpus_per_gpu", "gpus_per_task", "mem_per_gpu",
    "mem_per_cpu", "account", "signal_delay_s", "max_num_timeout", "array_parallelism", "use_srun",
}  # fmt: skip
LAUNCHER_DEFAULTS = {
    "submitit_folder": "${hydra.sweep.dir}/.submitit/%j", "name": "${hydra.job.name}", "pre_dispatch": "2*n_jobs",
}  # fmt: skip
SWEEPER_SETTINGS = {field.name for field in fields(SweepConfig)} - {TARGET, "resume"}
LOG_HANDLERS = ("logging.StreamHandler", "logging.FileHandler", "logging.NullHandler")
LOG_FILES = ("${hydra.runtime.output_dir}/${hydra.job.name}.log", "hydra-${hydra.job.name}.log")
LOG_STREAMS = ("ext://sys.stdout", "ext://sys.stderr")
_LOG_SETTING = re.compile(
    r"version|disable_existing_loggers|incremental|root|(root|loggers\..+)\.(level|handlers|propagate)|loggers\.[^.]+|"
    r"formatters\.[^.]+\.(format|datefmt|style|validate)|handlers\.[^.]+\.(level|formatter|mode|delay|encoding|errors)"
)
_HARMLESS = re.compile(
    r"mode|verbose|(help|hydra_help|runtime|aliases)\b.*|job\.(chdir|override_dirname|id|num|config_name|env_copy)|"
    r"job\.config\..*"
)
_FOLDERS = ("run.dir", "sweep.dir", "sweep.subdir", "output_subdir")
_NAMES_IN_FOLDERS = re.compile(
    r"\$\{(name|seed|launched:|experiment_id:|now:[\w%:. -]*|hydra\.job\.(num|id|name|override_dirname))\}"
)


def hydra_faults(node: DictConfig, typed: Sequence[str]) -> Iterator[str]:
    """A line for everything under `hydra:` that is neither typed nor on the list.

    Args:
        node: The composed `hydra` node.
        typed: The command line's overrides.
    """
    plain: Any = OmegaConf.to_container(node, resolve=False)
    own = list(_typed_keys(typed))
    if len(node.overrides.hydra) + len(node.overrides.task) != len(typed):
        yield "hydra.overrides is what was typed: a file cannot add to it"
    for path, value in leaves(plain):
        if is_allowed_by_user(f"hydra.{path}") or any(path == key or path.startswith(f"{key}.") for key in own):
            continue
        if not _listed(path, value, plain, typed):
            shown = repr(value) if len(repr(value)) < 100 else f"{repr(value)[:100]}..."
            yield (
                f"hydra.{path}={shown} counts only when it is typed: a file must not choose what runs "
                f"(--allow hydra.{path} lets it)"
            )


def _typed_keys(typed: Sequence[str]) -> Iterator[str]:
    """Dotted paths below `hydra` that the command line sets; a mapping is merged, so it sets what it names."""
    for override in OverridesParser.create().parse_overrides(list(typed)):
        if override.key_or_group.startswith("hydra."):
            value: Any = override.value()
            key = override.key_or_group.removeprefix("hydra.")
            yield from (f"{key}.{path}" for path, _ in leaves(value)) if isinstance(value, dict) and value else [key]


def _listed(path: str, value: Any, node: Mapping[str, Any], typed: Sequence[str]) -> bool:
    group, _, rest = path.partition(".")
    if rest == TARGET or (group == "callbacks" and re.fullmatch(rf"[^.]+\.{TARGET}", rest)):
        return group in PLUGINS and (value in PLUGINS[group] or (isinstance(value, str) and is_allowed_by_user(value)))
    if value in (None, "???", {}, []) and not any(part.startswith("_") for part in path.split(".")):
        return True
    if group == "launcher":
        return value == LAUNCHER_DEFAULTS.get(rest) or (rest in LAUNCHER_SETTINGS and _one_line(value))
    if group == "sweeper":
        return rest.partition(".")[0] in SWEEPER_SETTINGS and _plain(value) and "_target_" not in path
    if group in ("job_logging", "hydra_logging"):
        return _log_setting(rest, value)
    if path in _FOLDERS:
        return _inside(value)
    if path == "job.name":
        return isinstance(value, str) and re.fullmatch(r"\w[\w.-]*", value) is not None
    if group == "job" and rest.startswith("env_set."):  # Hydra puts what `env_copy` names here
        name = rest.removeprefix("env_set.")
        return name in node["job"]["env_copy"] and value == os.environ.get(name)
    if group == "overrides":
        return all(text in typed for text in value)
    return _HARMLESS.fullmatch(path) is not None


def _plain(value: Any) -> bool:
    """Data without interpolations, and without keys that make Hydra build something."""
    if isinstance(value, Mapping):
        return all(not str(key).startswith("_") and _plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(_plain, value))
    return not (isinstance(value, str) and "${" in value)


def _one_line(value: Any) -> bool:
    """Launchers write these into shell scripts, a line each."""
    return isinstance(value, (bool, int, float)) or (isinstance(value, str) and value.isprintable() and _plain(value))


def _inside(folder: Any) -> bool:
    """A relative folder that stays below the working folder."""
    if not isinstance(folder, str):
        return False
    text = _NAMES_IN_FOLDERS.sub("x", folder)
    return "${" not in text and not text.startswith(("/", "~", "\\")) and ".." not in re.split(r"[/\\]", text)


def _log_setting(path: str, value: Any) -> bool:
    texts = value if isinstance(value, list) else [value]
    if path.startswith("handlers."):
        last = path.rpartition(".")[2]
        known = {"class": LOG_HANDLERS, "stream": LOG_STREAMS, "filename": LOG_FILES}.get(last)
        if known is not None and path.count(".") == 2:
            return value in known
    plain = all(
        not isinstance(text, (dict, list)) and "://" not in str(text) and "${" not in str(text) for text in texts
    )
    return plain and _LOG_SETTING.fullmatch(path) is not None
