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
from vjepa_pipe.config.data_files import named_files
from vjepa_pipe.config.errors import ConfigError, UserError
from vjepa_pipe.config.targets import allow_targets
from vjepa_pipe.experiments import compose_with_provenance
from vjepa_pipe.records import claim_folder
from vjepa_pipe.records.environment import code, data_fingerprint, versions
from vjepa_pipe.records.files import read_record
from vjepa_pipe.records.origin import existing
from vjepa_pipe.records.record import RESOLVED_CONFIG, RUN
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
    for line in [*_conf_since(then), *_surroundings_since(given.run, now)]:
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


def _surroundings_since(run: Path, now: Source) -> Iterator[str]:
    """Code, versions and data that are not what they were."""
    recorded = read_record(run / RUN, RunFile)
    repositories, _ = code()
    for name, repository in repositories.items():
        before = recorded.git.get(name)
        was = before.commit if before else None
        if was != repository["commit"]:
            yield f"code has changed: {name} is at {_short(repository['commit'])}, was at {_short(was)}"
        if (before and before.uncommitted) or repository["uncommitted"]:
            yield f"code may have changed: {name} has or had uncommitted changes; those of the run are in {run}"
    for package in sorted({*recorded.versions, *versions()}):
        old, new = recorded.versions.get(package), versions().get(package)
        if old != new:
            yield f"versions differ: {package} is {new}, was {old}"
    for path, state in data_fingerprint(named_files(now.experiment.data), now.experiment.storage).items():
        old_state = recorded.data.get(path)
        if old_state is not None and any(old_state.get(name) != state.get(name) for name in ("sha256", "version")):
            yield f"data has changed: {path}"


def _short(commit: str | None) -> str:
    return commit[:10] if commit else "no commit"
