"""`vjepa-pipe diff A B`: two experiments, setting by setting, with where both sides come from."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vjepa_pipe.commands import parser_of
from vjepa_pipe.commands.source import FORMS, Source, read_source, split_words
from vjepa_pipe.config.errors import counted
from vjepa_pipe.report import wide_console

ABSENT = "-"


def main(arguments: list[str]) -> int:
    """Print the settings that differ. The exit status is 0 without a difference and 1 with one, as diff's."""
    parser = parser_of("diff")
    parser.add_argument("a", help=FORMS)
    parser.add_argument("b", help="likewise")
    parser.add_argument("--config-dir", type=Path, help="a folder of your own config groups")
    given = parser.parse_args(arguments)
    a, b = (read_source(split_words(words), given.config_dir) for words in (given.a, given.b))
    differing = differences(a, b)
    console = wide_console()
    if not differing:
        console.print("no setting differs", highlight=False)
        return 0
    print_differences(console, a, b, differing)
    return 1


def differences(a: Source, b: Source) -> list[str]:
    """Settings that are not the same on both sides, in their order."""
    left, right = a.settings(), b.settings()
    keys = dict.fromkeys([*left, *right])
    return [key for key in keys if left.get(key, ABSENT) != right.get(key, ABSENT)]


def print_differences(console: Console, a: Source, b: Source, keys: list[str]) -> None:
    """A table: each setting, both values, where they come from."""
    table = Table(
        caption=f"{counted(len(keys), 'setting')} {'differs' if len(keys) == 1 else 'differ'}", caption_justify="left"
    )
    for title in ("setting", a.name, "from", b.name, "from"):
        table.add_column(escape(title), overflow="fold")
    left, right = a.settings(), b.settings()
    for key in keys:
        table.add_row(
            escape(key),
            escape(str(left.get(key, ABSENT))),
            escape(a.origin.provenance.get(key, "")),
            escape(str(right.get(key, ABSENT))),
            escape(b.origin.provenance.get(key, "")),
        )
    console.print(table)
