"""`vjepa-pipe find RUN --file FILE`: when a run was or will be given a file."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape
from rich.table import Table

from vjepa_pipe.commands import parser_of
from vjepa_pipe.config.errors import UserError, counted
from vjepa_pipe.config.targets import allow_targets
from vjepa_pipe.report import wide_console


def main(arguments: list[str]) -> int:
    """Print a line for each sample of the file: epoch, step, rank, place in the rank's batch."""
    parser = parser_of("find")
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a run")
    parser.add_argument(
        "--file", required=True, help="path or URL of a file, or the last parts of it; of robots, of an episode"
    )
    parser.add_argument(
        "--epochs", type=int, help="how many epochs to look through; without it, those that the experiment has"
    )
    parser.add_argument("--allow", action="append", default=[], metavar="NAME", help="let the record name this target")
    given = parser.parse_args(arguments)
    allow_targets(*given.allow)
    if given.epochs is not None and given.epochs < 1:
        raise UserError(f"--epochs must be >= 1 (got {given.epochs})")
    if not given.file.strip("/"):
        raise UserError(f"--file must name a file (got {given.file!r})")
    from vjepa_pipe.records.batches import RecordedRun  # torch is not needed for --help
    from vjepa_pipe.records.find import epochs_of, find

    run = RecordedRun(given.run)
    epochs = given.epochs or epochs_of(run)
    table = Table()
    for title in ("epoch", "step", "rank", "sample", "source", "row"):
        table.add_column(title, justify="left" if title == "source" else "right")
    seen = list(find(run, given.file, epochs))
    for one in seen:
        rank = str(one.rank) if one.ranks == 1 else f"{one.rank} of {one.ranks}"
        table.add_row(str(one.epoch), str(one.step), rank, str(one.sample), escape(one.source), str(one.row))
    console = wide_console()
    if seen:
        console.print(table)
    console.print(
        f"{counted(len(seen), 'sample')} in {counted(epochs, 'epoch')}; a row that cannot be read is replaced, and one "
        "of these may stand in for another: vjepa-pipe batch RUN STEP tells",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    return 0
