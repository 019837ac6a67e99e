"""`vjepa-pipe ls [GROUP]`: config groups, their options, and what each is for."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vjepa_pipe.commands import parser_of
from vjepa_pipe.composition.options import description, group_options, groups
from vjepa_pipe.config.errors import ConfigError, did_you_mean
from vjepa_pipe.config.program import program


def main(arguments: list[str]) -> int:
    """List groups with their options, or one group's options with when to use each."""
    parser = parser_of("ls")
    parser.add_argument("group", nargs="?", help="list only this group, such as data or experiment")
    parser.add_argument("--config-dir", type=Path, help="a folder of your own config groups")
    given = parser.parse_args(arguments)
    known = groups(given.config_dir)
    if given.group is not None and given.group not in known:
        raise ConfigError([f"{given.group} is not a group{did_you_mean(given.group, known)}: {', '.join(known)}"])
    table = Table("group", "option", "when to use it", box=None, pad_edge=False)
    for group in [given.group] if given.group else known:
        for number, option in enumerate(group_options(group, given.config_dir)):
            said = description(group, option, given.config_dir).replace("python launch.py", program())
            table.add_row("" if number else escape(group), escape(option), escape(said))
    Console().print(table)
    return 0
