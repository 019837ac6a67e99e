"""`task.full` of task=validate: every row is read, and those that cannot be are listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vjepa_pipe.config.errors import SampleError
from vjepa_pipe.datasets import BadSample, KeyedDataset
from vjepa_pipe.loader import DataManager
from vjepa_pipe.loader.quarantine import QuarantineWriter, quarantine_name
from vjepa_pipe.tasks.gates import require
from vjepa_pipe.tasks.killable import map_killable

MAX_LISTED = 20
UNREADABLE = "Unreadable"
"""`BadSample.error` of a row that took too long, or ended the process that read it."""


def every_row(manager: DataManager, output_dir: Path, console: Console) -> str:
    """Open each row of every source and read a clip of it, in processes that are killed when they hang.

    The rows that cannot be read are printed, and written to `quarantine.jsonl`, which `loader.quarantine` takes.

    Args:
        manager: Of the experiment; `data.num_workers` processes read, for at most `loader.sample_timeout_sec` a row.
        output_dir: Where the list of bad rows goes.
        console: Where the progress bar and the bad rows are drawn.

    Returns:
        How many rows there are, and how many of them could not be read.

    Raises:
        GateFailed: If more of a source's rows than `loader.max_failure_rate` cannot be read.
    """
    config, dataset = manager.config, manager.build_train_dataset()
    file = output_dir / quarantine_name(0, 1)
    quarantine, bad = QuarantineWriter(file), []
    columns = TextColumn("files"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[bad]} bad")
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task("files", total=len(dataset), bad=0)
        read = partial(read_row, dataset)
        workers, timeout = max(1, config.data.num_workers), config.loader.sample_timeout_sec
        for outcome in map_killable(read, range(len(dataset)), workers, timeout):
            found = outcome.result
            if outcome.error is not None:
                key = dataset.key_of(outcome.item)
                found = dataset.describe_bad(key.source, key.row, UNREADABLE, outcome.error)
            if found is not None:
                bad.append(found)
                quarantine.add(found)
            progress.update(bar, advance=1, bad=len(bad))
    _list(sorted(bad), file, console)
    counts, limit = Counter(row.source for row in bad), config.loader.max_failure_rate
    over = [rows.name for rows in dataset.sources if counts[rows.name] > limit * len(rows)]
    found_all = f"{len(bad)} of {len(dataset)} rows could not be read"
    require(not over, f"{found_all}; more than loader.max_failure_rate={limit:g} of {', '.join(over)}")
    return found_all


def read_row(dataset: KeyedDataset, index: int) -> BadSample | None:
    """A row that cannot be read, and why; None for one that can."""
    key = dataset.key_of(index)
    try:
        dataset.check_known(key.source, key.row)
        dataset.read(key)
    except SampleError as error:
        return dataset.describe_bad(key.source, key.row, type(error).__name__, str(error))
    return None


def _list(bad: Sequence[BadSample], file: Path, console: Console) -> None:
    for row in bad[:MAX_LISTED]:
        line = f"  {row.source} row {row.row}: {row.reason if row.path in row.reason else f'{row.path}: {row.reason}'}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if bad:
        more = f"  and {len(bad) - MAX_LISTED} more; " if len(bad) > MAX_LISTED else "  "
        console.print(f"{more}all of them: {file}", markup=False, highlight=False, soft_wrap=True)
