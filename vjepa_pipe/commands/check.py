"""`vjepa-pipe check`: everything that is wrong with experiments, before any of them runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from vjepa_pipe.commands import parser_of
from vjepa_pipe.commands.source import read_experiment
from vjepa_pipe.composition.options import group_options, groups, own_command
from vjepa_pipe.config.before_run import run_faults
from vjepa_pipe.config.build import is_wanting
from vjepa_pipe.config.errors import ConfigError, UserError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.instantiate import signature_faults


def main(arguments: list[str]) -> int:
    """Check one experiment, or all options and experiments. The exit status is 2 if anything is wrong."""
    parser = parser_of("check")
    parser.add_argument(
        "experiment", nargs="*", help="overrides, an experiment's name, or a file; nothing: the default"
    )
    parser.add_argument("--all", action="store_true", help="every option of every group, and every experiment")
    parser.add_argument("--data", action="store_true", help="also that the data is there, and gives a batch")
    parser.add_argument("--config-dir", type=Path, help="a folder of your own config groups")
    given = parser.parse_args(arguments)
    if given.config_dir is not None and not given.config_dir.is_dir():
        raise UserError(f"--config-dir {given.config_dir} is not a folder")
    console = Console(soft_wrap=True)
    faulty = 0
    choices = list(_all(given.config_dir)) if given.all else [[]]
    for choice in choices:
        words = [*choice, *given.experiment]
        faults = _faults(words, given.config_dir, given.data)
        if faults and choice and (command := _own_command(choice[0], given.config_dir)) != choice:
            words = [*command, *given.experiment]  # an option may need others beside it, and says which
            faults = _faults(words, given.config_dir, given.data)
        wanting = given.all and bool(faults) and all(is_wanting(fault) for fault in faults)
        faulty += bool(faults) and not wanting
        mark = "[red]FAIL[/]" if faults and not wanting else "[yellow]ask[/] " if wanting else "[green]ok[/]  "
        console.print(mark, end=" ")
        console.print(" ".join(words) or "the default experiment", markup=False, highlight=False)
        for fault in faults:
            console.print(f"       {fault}", markup=False, highlight=False)
    if given.all:
        console.print(f"{len(choices)} checked, {faulty} with faults; `ask`: needs a setting from you", highlight=False)
    return 2 if faulty else 0


def _all(config_dir: Path | None) -> Iterator[list[str]]:
    yield []
    for group in groups(config_dir):
        if not group.startswith("hydra/"):
            yield from ([f"{group}={option}"] for option in group_options(group, config_dir))


def _own_command(choice: str, config_dir: Path | None) -> list[str]:
    group, _, option = choice.partition("=")
    try:
        return own_command(group, option, config_dir)
    except ConfigError:  # the file itself cannot be read, which is the fault
        return [choice]


def _faults(words: list[str], config_dir: Path | None, data: bool) -> list[str]:
    try:
        experiment = read_experiment(words, config_dir)
    except ConfigError as error:
        return list(error.faults)
    faults = [*run_faults(experiment, words), *signature_faults(experiment)]
    return faults or (_data_faults(experiment) if data else [])


def _data_faults(experiment: ExperimentConfig) -> list[str]:
    """What building the loader finds, short of opening a video."""
    from vjepa_pipe.loader import DataManager

    try:
        DataManager(experiment).build_train_loader().close()
    except ConfigError as error:
        return list(error.faults)
    except UserError as error:
        return [str(error)]
    return []
