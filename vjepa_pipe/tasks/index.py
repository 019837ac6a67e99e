"""task=index: probe every file once, and keep what it holds or what is wrong with it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.task import IndexTaskConfig
from vjepa_pipe.loader import DataManager
from vjepa_pipe.sources import Rows
from vjepa_pipe.tasks.killable import map_killable
from vjepa_pipe.tasks.plain_videos import plain_videos
from vjepa_pipe.video import probe


def index(experiment: ExperimentConfig, output_dir: Path) -> dict[str, Any]:
    """Probe the files of every source, each in a process that is killed when it hangs.

    For each source it leaves `NAME.jsonl`, one line per file, written as files are done: a run that is started again
    goes on from there, and probes files again whose size or time of change is another. When all are done it leaves
    `NAME.parquet`, and `NAME.csv` with the rows whose files can be read, to train from. With `task.shards`, each shard
    leaves its own `jsonl`, and the run that finds all shards done puts them together.

    Returns:
        `files`, `bad` and `hours` of video.

    Raises:
        UserError: If pyarrow is missing, or the shard does not exist.
    """
    task = experiment.task
    assert isinstance(task, IndexTaskConfig)
    if task.shard >= task.shards:
        raise UserError(f"task.shard must be < task.shards={task.shards} (got {task.shard})")
    folder, console = Path(task.index_dir or output_dir), Console(stderr=True)
    folder.mkdir(parents=True, exist_ok=True)
    files = bad = 0
    seconds = 0.0
    for rows in plain_videos(DataManager(experiment, rank=0, world_size=1)).sources:
        found = _probe_shard(rows, folder, task, console)
        reasons = Counter(entry["error"].rpartition(": ")[2] for entry in found.values() if entry["error"])
        hours = sum(entry.get("duration", 0.0) for entry in found.values()) / 3600
        console.print(f"{rows.name}: {len(found)} files, {hours:.2f} hours, {reasons.total()} bad", highlight=False)
        for reason, count in reasons.most_common(5):
            console.print(f"  {count} x {reason}", markup=False, highlight=False, soft_wrap=True)
        files, bad, seconds = files + len(found), bad + reasons.total(), seconds + 3600 * hours
        shards = [_log(folder, rows, shard, task.shards) for shard in range(task.shards)]
        if all(path.with_suffix(".done").exists() for path in shards):
            _put_together(rows, shards, folder)
            console.print(f"  {folder / rows.name}.parquet, {rows.name}.csv", highlight=False, soft_wrap=True)
    return {"files": files, "bad": bad, "hours": round(seconds / 3600, 3)}


def _log(folder: Path, rows: Rows, shard: int, shards: int) -> Path:
    return folder / (f"{rows.name}.jsonl" if shards == 1 else f"{rows.name}.{shard}-of-{shards}.jsonl")


def _probe_shard(rows: Rows, folder: Path, task: IndexTaskConfig, console: Console) -> dict[str, dict[str, Any]]:
    """The entries of all files of this shard, by path."""
    log = _log(folder, rows, task.shard, task.shards)
    first, last = (len(rows) * part // task.shards for part in (task.shard, task.shard + 1))
    paths = dict.fromkeys(rows.path(row) for row in range(first, last))
    found = {e["path"]: e for e in _entries(log) if e["path"] in paths and e["stamp"] == _stamp(e["path"])}
    missing = [path for path in paths if path not in found]
    columns = (TextColumn(rows.name), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with log.open("a") as file, Progress(*columns, console=console) as progress:
        file.write("\n" if log.stat().st_size else "")  # closes a line that was cut off
        bar = progress.add_task(rows.name, total=len(paths), completed=len(found))
        for outcome in map_killable(probe, missing, task.workers, task.timeout_sec):
            entry = {"path": outcome.item, "stamp": _stamp(outcome.item), "error": outcome.error}
            entry |= outcome.result._asdict() if outcome.result is not None else {}
            found[outcome.item] = entry
            file.write(json.dumps(entry) + "\n")
            file.flush()
            progress.advance(bar)
    log.with_suffix(".done").touch()
    return found


def _entries(log: Path) -> Iterator[dict[str, Any]]:
    """The lines of an earlier run; one that was cut off while being written is left out."""
    for line in log.read_text().splitlines() if log.exists() else []:
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


def _stamp(path: str) -> list[int]:
    """Size and time of change, by which an entry is known to be of this file; empty without a file."""
    try:
        found = Path(path).stat()
    except OSError:
        return []
    return [found.st_size, found.st_mtime_ns]


def _put_together(rows: Rows, logs: list[Path], folder: Path) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UserError("task=index writes Parquet: pip install 'vjepa_pipe[robotics]' (pyarrow)") from error
    entries = {entry["path"]: entry for log in logs for entry in _entries(log)}
    in_order = {rows.path(row): None for row in range(len(rows))}
    table = pyarrow.Table.from_pylist([entries[path] for path in in_order if path in entries])
    pyarrow.parquet.write_table(table, folder / f"{rows.name}.parquet")
    good = (row for row in range(len(rows)) if not entries.get(rows.path(row), {"error": "unknown"})["error"])
    write_annotations(folder / f"{rows.name}.csv", ((rows.path(row), rows.label(row)) for row in good))


def write_annotations(file: Path, lines: Iterator[tuple[str, int | str]]) -> None:
    """Write `path label` lines, or `path::label` where a path or label holds a space."""
    pairs = [(path, str(label)) for path, label in lines]
    mark = "::" if any(" " in path or " " in label for path, label in pairs) else " "
    file.write_text("".join(f"{path}{mark}{label}\n" for path, label in pairs))
