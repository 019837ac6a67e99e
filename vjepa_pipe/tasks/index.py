"""task=index: probe every file once, and keep what it holds or what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from vjepa_pipe.config.errors import counted
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.task import IndexTaskConfig
from vjepa_pipe.files.whole_file import make_folder
from vjepa_pipe.sources.probed.index_file import Column, import_parquet
from vjepa_pipe.tasks.index_parts import IndexParts, listable
from vjepa_pipe.tasks.plain_videos import all_files
from vjepa_pipe.tasks.progress import count_progress, print_faults
from vjepa_pipe.tasks.shard_log import Entry
from vjepa_pipe.video import probe


def index(experiment: ExperimentConfig, output_dir: Path) -> dict[str, Any]:
    """Probe the files of every source, each in a process that is killed when it hangs.

    For each source it leaves `NAME.jsonl`, one line per file, written as files are done: a run that is started again
    goes on from there, and probes files again whose size or time of change is another. When all are done it leaves
    `NAME.parquet`, and `NAME.csv` with the rows whose files can be read, to train from. With `task.shards`, each shard
    leaves its own `jsonl`, and the run that finds all shards done puts them together; see `IndexParts`.

    Returns:
        `files`, `bad` and `hours` of video.

    Raises:
        ConfigError: If two sources have one name.
        UserError: If a result would be written over the list that it is of, or a path cannot stand in a list.
    """
    task = experiment.task
    assert isinstance(task, IndexTaskConfig)
    import_parquet()  # now, not after hours
    folder, console = Path(task.index_dir or output_dir), Console(stderr=True)
    make_folder(folder)
    files = bad = 0
    seconds = 0.0
    sources = all_files(experiment, folder, "task.index_dir").sources
    listable(sources)
    for rows in sources:
        parts = IndexParts(folder, rows, task.shards)
        parts.begin(task.shard)
        found = _probe_shard(rows.name, parts, task, console)
        errors = {path: file.error for path, file in found.items() if file.error}
        hours = sum(file.seconds for file in found.values()) / 3600
        console.print(
            f"{rows.name}: {counted(len(found), 'file')}, {hours:.2f} hours, {len(errors)} bad",
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


def _probe_shard(name: str, parts: IndexParts, task: IndexTaskConfig, console: Console) -> dict[str, _Found]:
    """What was found in all files of this shard, by path."""
    paths, found = parts.paths(task.shard), parts.done(task.shard, _summary)
    missing = [path for path in paths if path not in found]
    with count_progress(console, name, len(paths), len(found)) as advance:
        for entry in parts.work(task.shard, missing, probe, task):
            found[entry[Column.PATH]] = _summary(entry)
            advance()
    return found


def _summary(entry: Entry) -> _Found:
    return _Found(entry[Column.ERROR], entry.get(Column.DURATION, 0.0))
