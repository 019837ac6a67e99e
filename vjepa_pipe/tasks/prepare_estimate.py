"""What making all copies will cost and save, reckoned from those that are made already."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from shutil import disk_usage

import numpy as np
from rich.filesize import decimal

from vjepa_pipe.config.errors import SampleError, UserError, counted
from vjepa_pipe.config.task import PrepareTaskConfig
from vjepa_pipe.sources.probed.index_file import stamp
from vjepa_pipe.storage import is_remote
from vjepa_pipe.tasks.prepare_parts import CopyParts
from vjepa_pipe.video import ClipSampler, Decoder

CERTAIN = 0.8
"""Share of the bytes reckoned that copies will surely need."""


@dataclass
class Estimate:
    """Of one source.

    Attributes:
        source: Its name.
        files: Files of all shards.
        done: Files of this shard that are done, bad ones too.
        original_bytes: Of all files of all shards.
        size_ratio: Bytes of copies to those of originals.
        left_bytes: Bytes that copies which are not yet made will take, in all shards.
        left_sec: Seconds that this shard will take.
        clip_ms: Processor time of opening and reading a clip, from originals and from copies.
    """

    source: str
    files: int
    done: int
    original_bytes: float
    size_ratio: float
    left_bytes: float
    left_sec: float
    clip_ms: tuple[float, float]

    @property
    def speed_ratio(self) -> float:
        """How many times as fast clips are read from copies."""
        before, after = self.clip_ms
        return before / after if after else 1.0


def estimate(
    part: CopyParts, task: PrepareTaskConfig, sample: Sequence[str], sampler: ClipSampler, decoder: Decoder
) -> Estimate:
    """The estimate of a source, some of whose files are copied; reading is timed with those of `sample`."""
    paths, good = part.paths_here, part.good.values()
    copied = sum(file.original_bytes for file in good)
    size_ratio = sum(file.copy_bytes for file in good) / max(copied, 1)
    sec_per_byte = sum(file.seconds for file in good) / max(copied, 1)
    missing = [path for path in paths if path not in part.found]
    known = [(stamp(path) or [0])[0] for path in missing if not is_remote(path)]
    left = sum(known) + copied / max(len(good), 1) * (len(missing) - len(known))  # objects are not asked for their size
    each = (copied + left) / max(len(paths), 1)
    share = len(part.rows_of(task.shard)) / len(part.rows)
    return Estimate(
        source=part.rows.name,
        files=round(len(paths) / share) if share else len(part.rows),
        done=len(part.found),
        original_bytes=(copied + left) / share if share else 0.0,
        size_ratio=size_ratio,
        left_bytes=size_ratio * (left + each * part.left_elsewhere(task.shard)),
        left_sec=sec_per_byte * left / task.workers,
        clip_ms=reading_ms([(path, part.copy_of(path)) for path in sample], sampler, decoder),
    )


def reading_ms(pairs: Sequence[tuple[str, Path]], sampler: ClipSampler, decoder: Decoder) -> tuple[float, float]:
    """Milliseconds of processor time for a clip, from originals and from copies, which take turns."""
    spent = []
    for again in (False, True):  # the first round loads libraries, and the files into memory
        for original, copy in pairs:
            with suppress(SampleError):  # too short for a clip, say
                times = [_clip_ms(path, sampler, decoder) for path in (original, str(copy))]
                spent += [times] if again else []
    before, after = np.mean(spent, axis=0) if spent else (0.0, 0.0)
    return float(before), float(after)


def _clip_ms(path: str, sampler: ClipSampler, decoder: Decoder) -> float:
    started = time.process_time()
    with decoder.open(path) as video:
        video.read(np.concatenate(sampler.draw(np.random.default_rng(0), video.num_frames, video.fps)))
    return 1e3 * (time.process_time() - started)


def estimate_lines(found: Estimate, shards: int, workers: int) -> str:
    """What is said of a source."""
    if found.done and not found.size_ratio:
        return f"{found.source}: not one of {counted(found.done, 'file')} could be copied, so there is no estimate"
    each = f", in each of {shards} shards" if shards > 1 else ""
    before, after = found.clip_ms
    originals, copies = (decimal(round(found.original_bytes * ratio)) for ratio in (1, found.size_ratio))
    return (
        f"{found.source}: about {copies} of copies, {found.size_ratio:.2f} times the {originals} of "
        f"{counted(found.files, 'original')}\n"
        f"  {timedelta(seconds=round(found.left_sec))} to go with task.workers={workers}{each}; "
        f"{counted(found.done, 'file')} done\n"
        f"  a clip is read in {before:.1f} ms, from copies in {after:.1f}: {found.speed_ratio:.1f} times as fast"
    )


def check_space(folder: Path, estimates: Sequence[Estimate]) -> str:
    """What a folder has free beside what copies will still take, in words.

    Raises:
        UserError: If it is clearly not enough.
    """
    needed, free = sum(found.left_bytes for found in estimates), disk_usage(folder).free
    if CERTAIN * needed > free:
        raise UserError(
            f"{folder} has {decimal(free)} free, and the copies will take about {decimal(round(needed))} more: nothing "
            "but the sample was copied; another task.target_dir, a smaller task.short_side, a higher task.crf or "
            "task.qscale, or a longer task.group_length would help"
        )
    warning = ", which may not be enough" if needed > free else ""
    return f"{folder}: {decimal(round(needed))} more to write, {decimal(free)} free{warning}"
