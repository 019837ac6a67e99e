"""task=index: probe every file once, and keep what it holds or what is wrong with it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vjepa_pipe.config.errors import counted
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.task import IndexTaskConfig
from vjepa_pipe.datasets import annotation_files
from vjepa_pipe.files.whole_file import make_folder
from vjepa_pipe.loader import DataManager
from vjepa_pipe.sources import Rows
from vjepa_pipe.sources.probed.index_file import Column, fault, import_parquet, stamp
from vjepa_pipe.storage import Storage, is_remote
from vjepa_pipe.tasks.index_log import Entry, append_entry, read_log
from vjepa_pipe.tasks.index_parts import IndexParts, listable, own_names
from vjepa_pipe.tasks.killable import map_killable
from vjepa_pipe.tasks.plain_videos import plain_videos
from vjepa_pipe.video import probe


def index(experiment: ExperimentConfig, output_dir: Path) -> dict[str, Any]:
    """Probe the files of every source, each in a process that is killed when it hangs.

    For each source it leaves `NAME.jsonl`, one line per file, written as files are done: a run that is started again
    goes on from there, and probes files again whose size or time of change is another, which takes a request for each
    that lies at a URL. When all are done it leaves
    `NAME.parquet`, and `NAME.csv` with the rows whose files can be read, to train from. With `task.shards`, each shard
    leaves its own `jsonl`, and the run that finds all shards done puts them together; see `IndexParts`.

    Returns:
        `files`, `bad` and `hours` of video.

    Raises:
        ConfigError: If two sources have one name.
        UserError: If a result would be written over the list that it is of, or a path cannot stand in a list.
    """
    asked = experiment.task
    assert isinstance(asked, IndexTaskConfig)
    import_parquet()  # now, not after hours
    folder, console = Path(asked.index_dir or output_dir), Console(stderr=True)
    make_folder(folder)
    files = bad = 0
    seconds = 0.0
    for rows in _sources(experiment, folder):
        longer = experiment.storage.longest_sec if rows.has_urls else 0.0  # a file is not to be blamed for its store
        task = replace(asked, timeout_sec=asked.timeout_sec + longer)
        parts = IndexParts(folder, rows, task.shards)
        parts.begin(task.shard)
        found = _probe_shard(rows.name, parts, task, Storage(experiment.storage), console)
        reasons = Counter(fault(path, file.error) for path, file in found.items() if file.error)
        hours = sum(file.seconds for file in found.values()) / 3600
        console.print(
            f"{rows.name}: {counted(len(found), 'file')}, {hours:.2f} hours, {reasons.total()} bad{_read(found)}",
            markup=False,
            highlight=False,
        )
        for reason, count in reasons.most_common(5):
            console.print(f"  {count} x {reason}", markup=False, highlight=False, soft_wrap=True)
        files, bad, seconds = files + len(found), bad + reasons.total(), seconds + 3600 * hours
        if parts.end(task.shard):
            console.print(f"  {parts.parquet}, {parts.annotations.name}", markup=False, highlight=False, soft_wrap=True)
    return {"files": files, "bad": bad, "hours": round(seconds / 3600, 3)}


def _sources(experiment: ExperimentConfig, folder: Path) -> list[Rows]:
    """The experiment's sources, whose results may be written to a folder."""
    data = replace(experiment.data, index_dir=None)  # the index that is being made may not be there yet
    sources = plain_videos(DataManager(replace(experiment, data=data), rank=0, world_size=1)).sources
    own_names(sources, annotation_files(data), folder, "task.index_dir")
    listable(sources)
    return sources


class _Found(NamedTuple):
    """What the summary says of a file: the whole entry stands in the log."""

    error: str | None
    seconds: float
    bytes_there: int
    bytes_read: int


def _read(found: Mapping[str, _Found]) -> str:
    """How much was read of objects at URLs."""
    remote = [file for path, file in found.items() if is_remote(path)]
    there, read = (sum(sizes) / 1e6 for sizes in ([f.bytes_there for f in remote], [f.bytes_read for f in remote]))
    return f", {read:.1f} of {there:.1f} MB at URLs were read" if remote else ""


def _probe_shard(
    name: str, parts: IndexParts, task: IndexTaskConfig, storage: Storage, console: Console
) -> dict[str, _Found]:
    """What was found in all files of this shard, by path."""
    log, paths = parts.log(task.shard), dict.fromkeys(parts.paths(task.shard))
    found: dict[str, _Found] = {}
    now = _stamps({entry[Column.PATH] for _, entry in read_log(log)} & paths.keys(), task, storage)
    for _, entry in read_log(log):
        path = entry[Column.PATH]
        if path in now and entry[Column.STAMP] == now[path]:
            found[path] = _summary(entry)
        else:
            found.pop(path, None)
    missing = [path for path in paths if path not in found]
    columns = (TextColumn(escape(name)), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        append_entry(log, b"\n" if log.exists() else b"")  # closes a line that was cut off
        bar = progress.add_task(name, total=len(paths), completed=len(found))
        for outcome in map_killable(partial(probe, storage=storage), missing, task.workers, task.timeout_sec):
            entry = {Column.PATH: outcome.item, Column.STAMP: [], Column.ERROR: outcome.error}
            entry |= {} if is_remote(outcome.item) else {Column.STAMP: stamp(outcome.item)}
            entry |= outcome.result._asdict() if outcome.result is not None else {}
            found[outcome.item] = _summary(entry)
            append_entry(log, f"{json.dumps(entry)}\n".encode())
            progress.advance(bar)
    return found


def _summary(entry: Entry) -> _Found:
    sizes = entry.get(Column.BYTES, 0), entry.get(Column.BYTES_READ, 0)
    return _Found(entry[Column.ERROR], entry.get(Column.DURATION, 0.0), *sizes)


def _stamps(paths: Iterable[str], task: IndexTaskConfig, storage: Storage) -> dict[str, list[int]]:
    """The stamps that files have now, those at URLs asked for by many processes at a time."""
    here, remote = ([path for path in paths if is_remote(path) == there] for there in (False, True))
    asked = map_killable(partial(stamp, storage=storage), remote, task.workers, task.timeout_sec) if remote else ()
    return {path: stamp(path) for path in here} | {outcome.item: outcome.result or [] for outcome in asked}
