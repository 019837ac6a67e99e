"""What files may say under `hydra:`.

Hydra builds launchers, sweepers, callbacks and log handlers that a config names, sets environment variables and
writes folders. So everything there that was not typed must be on the list below; what is not on it is refused.
Interpolations are read as text: what one stands for may change between this check and its use.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.errors import ConfigCompositionException, HydraException
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vjepa_pipe.config.errors import ConfigError, UserError
from vjepa_pipe.config.folders import conf_dir
from vjepa_pipe.config.sweep import SweepConfig
from vjepa_pipe.config.targets import TARGET, is_allowed_by_user
from vjepa_pipe.files.yaml_file import MAX_COMPOSED_VALUES, yaml_text

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
    r"formatters\.[^.]+\.(format|datefmt|style|validate)|handlers\.[^.]+\.(level|formatter|mode|delay|encoding)"
)
_HARMLESS = re.compile(
    r"mode|verbose|(help|hydra_help|runtime|aliases)\b.*|job\.(chdir|override_dirname|id|num|config_name|env_copy)|"
    r"job\.config\..*"
)
_FOLDERS = ("run.dir", "sweep.dir", "sweep.subdir", "output_subdir")
_NAMES_IN_FOLDERS = re.compile(
    r"\$\{(name|seed|launched:|experiment_id:|now:[\w%:. -]*|hydra\.job\.(num|id|name|override_dirname))\}"
)


@contextmanager
def checked_hydra() -> Iterator[None]:
    """Whatever Hydra composes in this block is checked before Hydra acts on it.

    Hydra composes in several places and makes logging, callbacks, sweeper and launcher in others; loading is the one
    place that all of them pass.
    """
    loader_class: Any = ConfigLoaderImpl
    load, defaults = loader_class.load_configuration, loader_class.compute_defaults_list

    composing = _raising_hydras_errors(load)

    def load_checked(
        loader: ConfigLoaderImpl, config_name: str | None, overrides: list[str], *rest: Any, **more: Any
    ) -> DictConfig:
        _refuse_search_path(loader, config_name, overrides)
        config: DictConfig = composing(loader, config_name, list(overrides), *rest, **more)
        if faults := list(hydra_faults(config.hydra, overrides)):
            raise ConfigError(faults)
        return config

    Plugins.instance()  # registers the classes that read files
    file_class: Any = SourcesRegistry.instance().resolve("file")
    read = file_class.load_config

    def read_checked(source: Any, config_path: str) -> ConfigResult:
        file = Path(source.path) / source._normalize_file_name(config_path)
        if file.exists() and not file.is_relative_to(conf_dir()):
            yaml_text(file, MAX_COMPOSED_VALUES)
        try:
            result: ConfigResult = read(source, config_path)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise ConfigError([f"{file} is not YAML: {' '.join(str(error).split())}"]) from error
        return result

    loader_class.load_configuration, file_class.load_config = load_checked, read_checked
    loader_class.compute_defaults_list = _raising_hydras_errors(defaults)
    try:
        yield
    finally:
        loader_class.load_configuration, file_class.load_config = load, read
        loader_class.compute_defaults_list = defaults


def _raising_hydras_errors(compose: Callable[..., Any]) -> Callable[..., Any]:
    """A function of Hydra's that composes; what its parsers do not see coming is a config error too."""

    @functools.wraps(compose)
    def composing(*arguments: Any, **more: Any) -> Any:
        try:
            return compose(*arguments, **more)
        except (HydraException, OmegaConfBaseException, UserError):
            raise
        except RecursionError as error:
            raise ConfigCompositionException("nested too deeply") from error
        except Exception as error:
            raise ConfigCompositionException(str(error) or type(error).__name__) from error

    return composing


def _refuse_search_path(loader: ConfigLoaderImpl, config_name: str | None, typed: Sequence[str]) -> None:
    """Before Hydra composes: `pkg://NAME` imports what it names."""
    if config_name is None or any(text.lstrip("+").startswith("hydra.searchpath=") for text in typed):
        return
    primary = loader.repository.load_config(config_name)
    if primary is not None and isinstance(primary.config, DictConfig):
        plain: Any = OmegaConf.to_container(primary.config, resolve=False)
        hydra = plain.get("hydra") if isinstance(plain, dict) else None
        if hydra and (not isinstance(hydra, dict) or hydra.get("searchpath")):
            raise ConfigError(["hydra.searchpath counts only when it is typed: a file must not choose others to read"])


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
    for path, value in _leaves(plain):
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
            yield from (f"{key}.{path}" for path, _ in _leaves(value)) if isinstance(value, dict) and value else [key]


def _leaves(node: Mapping[Any, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        where = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, where)
        else:
            yield where, value


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
