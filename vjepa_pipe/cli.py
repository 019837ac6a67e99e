"""The command line: Hydra composes the experiment, a task runs it, and a fault is one clear message."""

from __future__ import annotations

import dataclasses
import errno
import importlib
import io
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from vjepa_pipe import __version__
from vjepa_pipe.commands import COMMANDS
from vjepa_pipe.commands.completion import own_completion
from vjepa_pipe.commands.help import own_help
from vjepa_pipe.composition.checked_hydra import checked_hydra
from vjepa_pipe.composition.composer import own_choices
from vjepa_pipe.composition.hydra_errors import plain_text, quiet_job_errors
from vjepa_pipe.composition.hydra_loader import PRIMARY, version_base
from vjepa_pipe.composition.hydra_mode import mode_composed_if_set
from vjepa_pipe.composition.hydra_once import done_once
from vjepa_pipe.composition.options import source_folders
from vjepa_pipe.composition.plugins import add_plugin, import_plugins
from vjepa_pipe.composition.provenance import provenance, with_overrides, written_by_files
from vjepa_pipe.composition.read import experiment_from
from vjepa_pipe.composition.run_names import register_resolvers, several_ranks
from vjepa_pipe.composition.snapshot import plain
from vjepa_pipe.composition.store import register
from vjepa_pipe.composition.sweep_words import as_hydra_overrides
from vjepa_pipe.config.errors import ConfigError, UserError, did_you_mean
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.folders import conf_dir
from vjepa_pipe.config.program import program
from vjepa_pipe.config.targets import allow_targets
from vjepa_pipe.config.tree import leaves
from vjepa_pipe.experiments import compose, with_legacy_files
from vjepa_pipe.records import Origin, claim_folder
from vjepa_pipe.records.origin import origin_of
from vjepa_pipe.sweeps import make_plugins_known

_MENDABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOSPC, errno.EDQUOT}
_MODES = {"--run", "-r", "--multirun", "-m", "--cfg", "-c", "--info", "-i", "--shell-completion", "-sc"}
"""Hydra's flags that say what it does; it takes one."""
FULL_ERROR = "HYDRA_FULL_ERROR"


@dataclasses.dataclass(frozen=True)
class _Run:
    """One run: check the composed config, then hand it to its task. Points of a sweep run from its plan instead.

    Attributes:
        typed: The overrides that Hydra was given.
        command: The command line as it was typed; sweepers, which Hydra hands this object too, take it from here.
    """

    typed: list[str]
    command: list[str]

    def __call__(self, config: DictConfig) -> Any:
        """Called by Hydra."""
        experiment = experiment_from(config)
        from vjepa_pipe.legacy.overrides import log_translations
        from vjepa_pipe.tasks import run_task

        log_translations(HydraConfig.get().runtime.choices["experiment"])
        return run_task(experiment, _run_folder(), _origin(experiment, self.typed), self.typed, self.command)


def _run_folder() -> Path:
    """The folder that Hydra made, or another beside it if an equal run, started in the same second, has it."""
    settings = HydraConfig.get()
    folder = Path(settings.runtime.output_dir)
    named = any(text.startswith("hydra.run.dir=") for text in settings.overrides.hydra)
    return folder if named or several_ranks() else claim_folder(folder)


def _origin(experiment: ExperimentConfig, typed: Sequence[str]) -> Origin:
    settings = HydraConfig.get()
    folders = source_folders(settings)
    found = GlobalHydra.instance().config_loader().compute_defaults_list(PRIMARY, list(typed), RunMode.RUN)
    written = with_overrides(written_by_files(found.defaults, folders), found.config_overrides)
    sources = provenance(written, (path for path, _ in leaves(plain(experiment))))
    return origin_of(typed, folders, own_choices(settings), sources)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What stands behind the program's name; unset: `sys.argv`.

    Returns:
        The exit status: 0, 2 for a wrong config, 1 for everything else.
    """
    if arguments is not None:
        sys.argv = [sys.argv[0], *arguments]
    for stream in (sys.stdout, sys.stderr):  # whatever was typed can be shown, on whatever terminal
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    full_error = os.environ.get(FULL_ERROR) == "1"
    try:
        sys.argv[1:] = _without(sys.argv[1:], "--plugin", add_plugin, "mylab.parts")
        if sys.argv[1:] == ["--version"]:
            print(f"vjepa-pipe {__version__}")
            return 0
        if _is_command():
            import_plugins()  # records of runs name what is in them
            return _command(sys.argv[1])(sys.argv[2:])
        _refuse_unknown_command(sys.argv[1:])
        register()
        make_plugins_known()
        register_resolvers()
        command = list(sys.argv)
        sys.argv[1:] = with_legacy_files(as_hydra_overrides(_options(sys.argv[1:])))
        typed = [text for text in sys.argv[1:] if not text.startswith("-") and ("=" in text or text[:1] == "~")]
        os.environ[FULL_ERROR] = "1"  # Hydra then raises instead of printing, so that every fault can be named
        with done_once(), checked_hydra(), mode_composed_if_set(), quiet_job_errors(), own_help(), own_completion():
            start = hydra.main(config_path=str(conf_dir()), config_name=PRIMARY, **version_base())
            start(_Run(typed, command))()
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        if full_error:
            raise
        return _report(error)
    finally:
        if not full_error:
            os.environ.pop(FULL_ERROR, None)
    return 0


def _is_command() -> bool:
    return sys.argv[1:2] != [] and sys.argv[1] in COMMANDS


def _refuse_unknown_command(words: Sequence[str]) -> None:
    """A first word that is neither a command, a flag nor an override is a command mistyped."""
    if words and re.fullmatch(r"[A-Za-z_-]*[A-Za-z]", words[0]) and not words[0].startswith("-"):
        raise ConfigError([f"{words[0]} is not a command{did_you_mean(words[0], COMMANDS)}: {', '.join(COMMANDS)}"])


def _without(arguments: Sequence[str], option: str, take: Callable[[str], None], example: str) -> list[str]:
    """The arguments without one of our own options, `--OPTION NAME` or `--OPTION=NAME`, whose names are taken here."""
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        flag, _, value = word.partition("=")
        if flag != option:
            rest.append(word)
            continue
        name = value or next(words, "")
        if not name or name.startswith("-"):
            raise ConfigError([f"{option} needs a name, such as {option} '{example}'"])
        take(name)
    return rest


def _options(arguments: Sequence[str]) -> list[str]:
    """The arguments for Hydra, without our own `--allow NAME`, which is done; what Hydra would fail at is refused."""
    rest = _without(arguments, "--allow", allow_targets, "mypackage.datasets.*")
    if any(word.partition("=")[0] == "--experimental-rerun" for word in rest):
        raise ConfigError([f"--experimental-rerun is not offered: {program()} rerun RUN_DIR repeats a run"])
    modes = [word for word in rest if word.partition("=")[0] in _MODES]
    if len(modes) > 1:
        raise ConfigError([f"{' and '.join(modes)} cannot be given together: one runs, sweeps or prints"])
    if "--resolve" in rest and not {"--cfg", "-c"} & {word.partition("=")[0] for word in rest}:
        raise ConfigError(["--resolve needs --cfg job: it says how the config is printed"])
    return rest


def _command(name: str) -> Callable[[list[str]], int]:
    module, _, function = COMMANDS[name].place.partition(":")
    found: Callable[[list[str]], int] = getattr(importlib.import_module(f"vjepa_pipe.commands.{module}"), function)
    return found


def _report(error: Exception) -> int:
    ours = [cause for cause in _causes(error) if isinstance(cause, UserError)]  # Hydra and OmegaConf wrap them
    error = next((cause for cause in ours if isinstance(cause, ConfigError)), ours[0] if ours else error)
    if isinstance(error, OSError) and error.errno in _MENDABLE and error.filename:
        error = UserError(f"cannot write {error.filename}: {error.strerror}")
    printing = {"--cfg", "-c"} & {word.partition("=")[0] for word in sys.argv}
    unprintable = isinstance(error, UnicodeEncodeError) and printing  # Hydra 1.4 prints UTF-8 only
    if unprintable or isinstance(error, (ConfigError, HydraException, OmegaConfBaseException)):
        print(_every_config_fault(error), file=sys.stderr)
        return 2
    if isinstance(error, UserError):
        print(f"error: {error}", file=sys.stderr)
        return 1
    traceback.print_exception(error)
    print(
        "\nThis is a bug in vjepa_pipe or in one of your targets; please report it with the lines above.",
        file=sys.stderr,
    )
    return 1


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _config_dir(arguments: Sequence[str]) -> str | None:
    """The folder that `--config-dir FOLDER` or `--config-dir=FOLDER` names, the last one if there are several."""
    named = None
    for word, following in zip(arguments, [*arguments[1:], None], strict=True):
        flag, _, value = word.partition("=")
        if flag in ("--config-dir", "-cd"):
            named = value or following
    return named


def _every_config_fault(error: Exception) -> ConfigError:
    """Hydra stops at the first fault of a value; our own composition names all of them, and their files' lines."""
    if _is_command() and isinstance(error, ConfigError):
        return error  # its arguments are no overrides, or it has composed them itself
    overrides = [text for text in sys.argv[1:] if "=" in text and not text.startswith("-")]
    if {"-m", "--multirun"} & set(sys.argv):
        from vjepa_pipe.sweeps.axes import first_point  # only who asks for it waits for it

        overrides = first_point(overrides)
    try:
        compose(overrides, _config_dir(sys.argv))
    except ConfigError as every:
        return every
    if isinstance(error, ConfigError):
        return error
    only_typed = "Error merging override" in str(error)  # a limit of OmegaConf's typed mappings
    hint = " (Hydra cannot set this from the command line; a config file can)" if only_typed else ""
    return ConfigError([plain_text(error) + hint])
