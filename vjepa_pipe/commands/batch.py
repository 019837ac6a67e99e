"""`vjepa-pipe batch RUN STEP`: any batch that a run was given, read again from its record."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vjepa_pipe.commands import add_picture, parser_of
from vjepa_pipe.commands.diff import differences
from vjepa_pipe.commands.source import Source
from vjepa_pipe.config.errors import UserError, counted
from vjepa_pipe.config.targets import allow_targets
from vjepa_pipe.files.whole_file import replacing
from vjepa_pipe.records import Origin
from vjepa_pipe.report import wide_console

if TYPE_CHECKING:
    from rich.console import Console

    from vjepa_pipe.records.batches import RecordedRun, RunBatch

DRAWN = 64
"""Clips that a picture has at most."""


def main(arguments: list[str]) -> int:
    """Say what has changed since, then print what each sample is made of; or what differs from another run.

    The exit status of `--diff` is 0 without a difference and 1 with one, as diff's.
    """
    parser = parser_of("batch")
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a run")
    parser.add_argument(
        "step",
        type=int,
        metavar="STEP",
        help="which of the batches that each rank was handed, over all epochs and resumes; from 1, as in metrics.jsonl",
    )
    parser.add_argument("--rank", type=int, default=0, metavar="R", help="the batch of which rank, from 0")
    add_picture(parser, f"its first {DRAWN} clips; without FILE.png, in batch_STEP.png in the run's folder")
    parser.add_argument("--save", type=Path, metavar="FILE.pt", help="write the batch with torch.save")
    parser.add_argument("--diff", type=Path, metavar="OTHER_RUN", help="what differs from that run's batch")
    parser.add_argument("--allow", action="append", default=[], metavar="NAME", help="let the record name this target")
    given = parser.parse_args(arguments)
    allow_targets(*given.allow)
    from vjepa_pipe.records.batches import RecordedRun  # torch is not needed for --help

    console = wide_console()
    run = RecordedRun(given.run)
    other = None if given.diff is None else RecordedRun(given.diff)
    found = _read(run, given.step, given.rank, console)
    if given.save is not None:
        _save(found, given.save)
    if given.picture is not None:
        several = found.loader.schedule.world_size > 1
        name = f"batch_{given.step}{f'_rank{given.rank}' if several else ''}.png"
        _draw(found, run.folder / name if given.picture == Path() else given.picture, console)
    if other is not None:
        return _compare(run, found, other, console)
    from vjepa_pipe.report.batches import batch_table, mask_lines

    console.print(batch_table(found))
    for line in mask_lines(found):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 0


def _read(run: RecordedRun, step: int, rank: int, console: Console) -> RunBatch:
    found = run.batch(step, rank, lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True))
    schedule = found.loader.schedule
    console.print(
        f"{run.folder}: step {step} is batch {found.place.batch} of {len(schedule)} of epoch {found.place.epoch} (both "
        f"from 0), on rank {rank} of {counted(schedule.world_size, 'rank')}{_of(found)}",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    return found


def _of(found: RunBatch) -> str:
    """Which stream a batch is of, where there are two."""
    if len(found.manager.streams) == 1:
        return ""
    return f", of {found.loader.dataset.modality_of(found.samples[0].key.source)}s"


def _compare(run: RecordedRun, here: RunBatch, other: RecordedRun, console: Console) -> int:
    from vjepa_pipe.report.batches import difference_table

    there = _read(other, here.step, here.loader.schedule.rank, console)
    names = ", ".join(differences(*(Source("", one.experiment, Origin()) for one in (run, other))))
    console.print(f"settings that differ: {names or 'none'}", markup=False, highlight=False, soft_wrap=True)
    table, said = difference_table(here, there)
    if table is not None:
        console.print(table)
    console.print(said, markup=False, highlight=False, soft_wrap=True)
    return int(table is not None)


def _save(found: RunBatch, file: Path) -> None:
    import torch

    with replacing(file) as draft, draft.open("wb") as stream:  # torch's own errors of files are no OSError
        torch.save(_plain(found.batch), stream)


def _plain(value: Any) -> Any:
    """Named tuples as dicts, so that `torch.load` needs no class of ours."""
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return type(value)(map(_plain, value)) if isinstance(value, (list, tuple)) else value


def _draw(found: RunBatch, file: Path, console: Console) -> None:
    from vjepa_pipe.report.batches import groups_of
    from vjepa_pipe.report.picture import draw_batch, one_below_another

    drawn = [draw_batch(found.manager, found.loader.dataset, group, DRAWN) for group in groups_of(found.batch)]
    pictures = [picture for picture in drawn if picture is not None]
    if not pictures:
        raise UserError("this batch cannot be drawn: it does not say which clip is which")
    content = BytesIO()
    one_below_another(pictures).save(content, "png", optimize=True)
    with replacing(file) as draft:
        draft.write_bytes(content.getvalue())
    console.print(file, markup=False, highlight=False, soft_wrap=True)
