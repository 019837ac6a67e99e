"""task=index: probe every file once, and keep what it holds or what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from vjepa_pipe.config.errors import counted
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.task import IndexTaskConfig
from vjepa_pipe.files.whole_file import make_folder
from vjepa_pipe.sources.probed.index_file import Column, import_parquet
from vjepa_pipe.storage import Storage, is_remote
from vjepa_pipe.tasks.index_parts import IndexParts, listable
from vjepa_pipe.tasks.plain_videos import all_files
from vjepa_pipe.tasks.progress import count_progress, print_faults
from vjepa_pipe.tasks.shard_log import Entry
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
    sources = all_files(experiment, folder, "task.index_dir", copies=False).sources
    listable(sources)
    for rows in sources:
        longer = experiment.storage.longest_sec if rows.has_urls else 0.0  # a file is not to be blamed for its store
        task = replace(asked, timeout_sec=asked.timeout_sec + longer)
        parts = IndexParts(folder, rows, task.shards)
        parts.begin(task.shard)
        found = _probe_shard(rows.name, parts, task, Storage(experiment.storage), console)
        errors = {path: file.error for path, file in found.items() if file.error}
        hours = sum(file.seconds for file in found.values()) / 3600
        console.print(
            f"{rows.name}: {counted(len(found), 'file')}, {hours:.2f} hours, {len(errors)} bad{_read(found)}",
            markup=False,
            highlight=False,
        )
        print_faults(console, errors)
        files, bad, seconds = files + len(found), bad + len(errors), seconds + 3600 * hours
        if parts.end(task.shard):
            console.print(f"  {parts.parquet}, {parts.annotations.name}", markup=False, highlight=False, soft_wrap=True)
    return {"files": files, "bad": bad, "hours": round(seconds / 3600, 3)}


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
    paths = parts.paths(task.shard)
    found = parts.done(task.shard, _summary, stamp_of=parts.stamps_now(task, storage))
    missing = [path for path in paths if path not in found]
    with count_progress(console, name, len(paths), len(found)) as advance:
        for entry in parts.work(task.shard, missing, partial(probe, storage=storage), task):
            found[entry[Column.PATH]] = _summary(entry)
            advance()
    return found


def _summary(entry: Entry) -> _Found:
    sizes = entry.get(Column.BYTES, 0), entry.get(Column.BYTES_READ, 0)
    return _Found(entry[Column.ERROR], entry.get(Column.DURATION, 0.0), *sizes)
