"""`vjepa-pipe rerun RUN_DIR [OVERRIDES…]`: a run again, from its record."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from vjepa_pipe.commands import parser_of
from vjepa_pipe.commands.diff import differences, print_differences
from vjepa_pipe.commands.source import Source, read_source
from vjepa_pipe.composition.compose import with_search_path
from vjepa_pipe.composition.composer import change
from vjepa_pipe.composition.run_names import folder_name
from vjepa_pipe.config.errors import ConfigError, UserError
from vjepa_pipe.config.folders import RESOLVED_CONFIG
from vjepa_pipe.config.targets import allow_targets
from vjepa_pipe.experiments import compose_with_provenance
from vjepa_pipe.records import claim_folder
from vjepa_pipe.records.changes import code_since, data_since
from vjepa_pipe.records.files import read_record
from vjepa_pipe.records.origin import existing
from vjepa_pipe.records.record import RUN
from vjepa_pipe.records.run_file import RunFile
from vjepa_pipe.report import wide_console


def main(arguments: list[str]) -> int:
    """Say what differs from the time of the run, then run its experiment in a folder of its own."""
    parser = parser_of("rerun")
    parser.add_argument("run", type=Path, metavar="RUN_DIR", help="the folder of a run, or of a point of a sweep")
    parser.add_argument("overrides", nargs="*", help="settings to change, such as data.num_workers=0")
    parser.add_argument("--dry-run", action="store_true", help="only say what differs")
    parser.add_argument(
        "--allow", action="append", default=[], metavar="NAME", help="let the record name this target, or task.entry"
    )
    given = parser.parse_intermixed_args(arguments)
    allow_targets(*given.allow)
    if not (given.run / RESOLVED_CONFIG).is_file():
        raise UserError(f"{given.run} is not the folder of a run: there is no {RESOLVED_CONFIG} in it")
    then = read_source([str(given.run)])
    now = _changed(then, given.overrides)
    console = wide_console(stderr=True)
    if changed := differences(then, now):
        print_differences(console, then, now, changed)
    recorded = read_record(given.run / RUN, RunFile)
    changes = [*code_since(recorded, given.run), *data_since(recorded, now.experiment)]
    for line in [*_conf_since(then), *changes]:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if given.dry_run:
        return 0
    from vjepa_pipe.tasks import run_task

    folder = claim_folder(Path("outputs") / now.experiment.name / folder_name(now.experiment))
    run_task(now.experiment, folder, now.origin, given.overrides)
    return 0


def _changed(then: Source, overrides: Sequence[str]) -> Source:
    """The experiment with some settings changed; options of groups stand in conf/, not in the record."""
    experiment, provenance = change(then.experiment, then.origin.provenance, overrides)
    origin = dataclasses.replace(
        then.origin,
        overrides=[*then.origin.overrides, *overrides],
        provenance=provenance,
        rerun_of=str(Path(then.name).resolve()),
    )
    return Source("now", experiment, origin)


def _conf_since(then: Source) -> Iterator[str]:
    """Settings that the run's own overrides would set differently by now."""
    origin = then.origin
    if origin.rerun_of is not None or not origin.choices:
        return
    try:
        again = compose_with_provenance(with_search_path(origin.words(), existing(origin.folders)))
    except UserError as error:
        reason = error.faults[0] if isinstance(error, ConfigError) else str(error)
        yield f"the run's overrides do not compose here, with what conf/ says now; the record is used ({reason})"
        return
    composed = dataclasses.replace(then, experiment=again.experiment)
    values, new = then.settings(), composed.settings()
    for key in differences(then, composed):
        yield f"conf/ has changed: {key} would now be {new.get(key)}; the record's {values.get(key)} is used"
