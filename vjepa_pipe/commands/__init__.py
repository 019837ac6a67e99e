"""The subcommands of `vjepa-pipe`, one module each, imported when they are called.

A command is a function of its arguments that returns the exit status. Errors a user can mend are
raised as `UserError` and printed by the command line.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.program import program


class Command(NamedTuple):
    """A subcommand.

    Attributes:
        place: `module:function`, in this package.
        help: What it does.
    """

    place: str
    help: str


COMMANDS = {
    "ls": Command("ls:main", "List config groups, options and experiments, and when to use each."),
    "show": Command("show:main", "Print a resolved experiment, and where each setting came from."),
    "diff": Command("diff:main", "Compare two experiments setting by setting."),
    "check": Command("check:main", "Check types, bounds, rules, targets and files; name every fault."),
    "schema": Command("schema:main", "Write JSON Schemas of the config groups, by which an editor underlines faults."),
    "rerun": Command("rerun:main", "Repeat a run from its record, whatever conf/ says by now."),
    "batch": Command("batch:main", "Read any batch of a run again: what is in it, and what differs from another run."),
    "find": Command("find:main", "Say when a run was or will be given a file: epochs, steps, ranks."),
    "report": Command("report:main", "Compare runs and sweeps by their results."),
    "info": Command("info:main", "Say what the videos of an index are like."),
    "legacy": Command("legacy:audit", "Say what becomes of a published V-JEPA YAML file."),
    "export": Command("legacy:export", "Print an experiment as published V-JEPA YAML."),
}
"""By name on the command line."""


def parser_of(name: str) -> argparse.ArgumentParser:
    """A parser for the arguments of a command."""
    return argparse.ArgumentParser(f"{program()} {name}", description=COMMANDS[name].help)


def add_picture(parser: argparse.ArgumentParser, draws: str) -> None:
    """Let a command draw: `given.picture` is a file, `Path()` where none was named, or None.

    Args:
        parser: Of the command.
        draws: What it draws, and where if no file is named.
    """
    parser.add_argument("--picture", type=_png, nargs="?", const=Path(), metavar="FILE.png", help=f"draw {draws}")


def _png(text: str) -> Path:
    if Path(text).suffix.lower() != ".png":
        raise UserError(f"--picture must name a .png file (got {text})")
    return Path(text)
