"""task=prepare: copies of the videos that are cheap to read at random places."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from vjepa_pipe.config.errors import UserError, counted
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.img_size import height_and_width
from vjepa_pipe.config.program import program
from vjepa_pipe.config.task import PrepareTaskConfig
from vjepa_pipe.datasets import annotation_files
from vjepa_pipe.files.whole_file import make_folder
from vjepa_pipe.sources import Rows
from vjepa_pipe.sources.probed.index_file import SUFFIX
from vjepa_pipe.storage import Storage, shown_path
from vjepa_pipe.tasks.plain_videos import all_files
from vjepa_pipe.tasks.prepare_estimate import Estimate, check_space, estimate, estimate_lines
from vjepa_pipe.tasks.prepare_option import check_option, option_file, write_option
from vjepa_pipe.tasks.prepare_parts import CopyParts
from vjepa_pipe.tasks.progress import count_progress, print_faults

SAMPLE = 8
"""Files of each source that are copied first, or as many as there are workers."""

RATE_TOLERANCE = 1e-6


def prepare(experiment: ExperimentConfig, output_dir: Path) -> dict[str, Any]:
    """Encode every video anew, verify the copy, and write lists of the copies and an option that reads them.

    A copy has the frames of its original, upright, at their times from the first one on, without sound. It appears
    under its name only when it is whole and verified; originals are only read.

    A sample of the files is copied first, and what all of them will take is said. For each source it leaves
    `NAME.jsonl`, one line per file, written as files are done: a run that is started again goes on from there, and
    copies files again whose size or time of change is another. When all are done it leaves `NAME.csv` and the option.
    With `task.shards`, each shard leaves its own `jsonl`, and the run that finds all shards done writes the rest; see
    `Shards`.

    Returns:
        `files` copied and `bad`; `size_ratio` (bytes of the copies to those of the originals), `speed_ratio` (how many
        times as fast clips are read); with `task.dry_run`, `bytes_left` to write in all shards and `seconds_left` in
        this one.

    Raises:
        ConfigError: If two sources have one name, or the option cannot have its name.
        UserError: If a result would be written over the list that it is of, or into the folder that it is of; if there
            is clearly too little space; if copies cannot be written.
    """
    task, console, storage = experiment.task, Console(stderr=True, soft_wrap=True), Storage(experiment.storage)
    assert isinstance(task, PrepareTaskConfig)
    target = Path(task.target_dir or output_dir).resolve()
    check_option(target, task.option)
    dataset = all_files(experiment, target, "task.target_dir", copies=True)
    _check_target(target, annotation_files(experiment.data), dataset.sources)
    _check_rows(dataset.sources)
    if any(rows.has_urls for rows in dataset.sources):  # a file is not to be blamed for its store
        task = replace(task, timeout_sec=task.timeout_sec + experiment.storage.longest_sec)
    make_folder(target)
    parts = [CopyParts(target, rows, task, experiment.data.max_file_bytes, storage) for rows in dataset.sources]
    for part in parts:
        _copy(part, evenly(part.paths_here, max(SAMPLE, task.workers)), console)
    estimates = [
        estimate(part, task, evenly(list(part.good), SAMPLE), sampler, dataset.decoder)
        for part, sampler in zip(parts, dataset.clip_samplers, strict=True)
    ]
    for found in estimates:
        console.print(estimate_lines(found, task.shards, task.workers), markup=False, highlight=False)
    console.print(check_space(target, estimates), markup=False, highlight=False)
    if min(height_and_width(experiment.data.img_size)) > task.short_side:
        crop, side = f"data.img_size={experiment.data.img_size}", f"task.short_side={task.short_side}"
        console.print(f"{crop} is more than {side}: every crop will be enlarged", markup=False, highlight=False)
    if not task.dry_run:
        complete = False
        for part in parts:
            part.begin(task.shard)
            _copy(part, part.paths_here, console)
            _say_what_was_done(part, console)
            complete = part.end(task.shard)
        without = [part.rows.name for part in parts if complete and not part.annotations.stat().st_size]
        if without:
            said = f"{', '.join(without)}: no file could be copied, so no option is written: leave it out"
            if (left := option_file(target, task.option)).exists():
                said += f"; {left} is still that of an earlier run"
            console.print(said, markup=False, highlight=False)
        elif complete:
            write_option(target, task.option, experiment.data, [rows.name for rows in dataset.sources])
            command = f"{program()} --config-dir {shlex.quote(str(target))} data={task.option}"
            console.print(f"train on the copies: {command}", markup=False, highlight=False)
        else:
            console.print("the last of the shards to end writes the lists and the option", highlight=False)
    return _metrics(parts, estimates, task)


def _check_rows(sources: Sequence[Rows]) -> None:
    for rows in sources:
        for row in range(len(rows)):
            if (shown := shown_path(path := rows.path(row))) != path:
                reason = "which may be a credential, and the log of copies keeps all paths"
                raise UserError(f"{shown}: its URL has a user name or a query, {reason}")
            if not str(rows.label(row)).strip():
                raise UserError(f"{rows.path(row)}: its caption is empty, which no list can hold")


def evenly(paths: Sequence[str], size: int) -> list[str]:
    """So many of the paths, at even distances; all if they are fewer."""
    places = np.linspace(0, len(paths) - 1, min(size, len(paths))).round().astype(int)
    return [paths[place] for place in places.tolist()]


def _check_target(target: Path, lists: Sequence[str], sources: Sequence[Rows]) -> None:
    if within := [source for source in lists if target.is_relative_to(source)]:
        raise UserError(f"task.target_dir={target} lies in {within[0]}, which would then hold the copies too")
    for index in (target / f"{rows.name}{SUFFIX}" for rows in sources):
        if index.exists():
            raise UserError(f"task.target_dir={target} holds {index.name}, an index: name another folder")


def _copy(part: CopyParts, paths: Sequence[str], console: Console) -> None:
    """Copy those of the paths that are not done."""
    missing = [path for path in paths if path not in part.found]
    if missing:
        with count_progress(console, part.rows.name, len(part.paths_here), len(part.found)) as advance:
            for _ in part.make(missing):
                advance()


def _say_what_was_done(part: CopyParts, console: Console) -> None:
    errors = {path: file.error for path, file in part.found.items() if file.error}
    copies = counted(len(part.good), "copy", "copies")
    console.print(f"{part.rows.name}: {copies}, {len(errors)} bad", markup=False, highlight=False)
    print_faults(console, errors)
    other = [
        f"{path} declares {file.original_fps:g} frames per second, its copy {file.fps:g}"
        for path, file in part.good.items()
        if abs(file.fps - file.original_fps) > RATE_TOLERANCE * file.original_fps
    ]
    if other:
        said = f"  {len(other)} x the header's rate is not that of the frames, by which copies go: {other[0]}"
        console.print(said, markup=False, highlight=False)


def _metrics(parts: Sequence[CopyParts], estimates: Sequence[Estimate], task: PrepareTaskConfig) -> dict[str, Any]:
    good = [file for part in parts for file in part.good.values()]
    before, after = (sum(times) for times in zip(*(each.clip_ms for each in estimates), strict=True))
    metrics: dict[str, Any] = {
        "files": len(good),
        "bad": sum(len(part.found) for part in parts) - len(good),
        "size_ratio": round(sum(file.copy_bytes for file in good) / max(sum(f.original_bytes for f in good), 1), 3),
        "speed_ratio": round(before / after, 2) if after else 1.0,
    }
    if task.dry_run:
        metrics["bytes_left"] = round(sum(each.left_bytes for each in estimates))
        metrics["seconds_left"] = round(sum(each.left_sec for each in estimates), 1)
    return metrics
