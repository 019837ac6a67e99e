"""The sources of a robot dataset, opened: by which names each is read, and what its states are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.robot_data import RobotDataConfig, with_droid_names
from vjepa_pipe.config.robotics import RoboticsConfig
from vjepa_pipe.config.state_forms import STATE_FORMS, form_faults
from vjepa_pipe.robotics import form_of
from vjepa_pipe.sources import DroidSource, LeRobotSource, RobotSource, name_faults, read_all, with_lerobot_names
from vjepa_pipe.storage import Storage, shown_path

MOST_NAMES = 32
"""Names of numbers that a message lists."""
SHOWN = {
    "random": "a sample shows one of them, drawn at random",
    "first": "every sample shows the first",
    "all": "every sample shows all",
}


class OpenSource(NamedTuple):
    """A source, and how it is read.

    Attributes:
        rows: Its episodes.
        data: The config with every name filled in.
        form: Of its states, one of `STATE_FORMS`; empty without states.
        size: Numbers of a state; None: unknown until an episode is read.
        numbers: Names of these; empty: unknown.
    """

    rows: RobotSource
    data: RobotDataConfig
    form: str
    size: int | None
    numbers: tuple[str, ...]


def open_sources(
    data: RobotDataConfig,
    robotics: RoboticsConfig,
    paths: Sequence[str],
    names: Sequence[str | None],
    storage: Storage,
) -> list[OpenSource]:
    """Open every source and find out how it is read.

    Args:
        data: Names that are left empty are the source's own.
        robotics: Which states and actions.
        paths: Path of each source.
        names: Name of each source; None: the path's.
        storage: Reads what lies at URLs.

    Raises:
        StorageError: A store does not answer.
        SourceError: A source cannot be read.
        ConfigError: Naming every source, if several cannot be read; every column and camera that is missing, states
            of which nobody knows what they are, and what is asked of states that they do not have; each with the
            settings that mend it.
    """
    opened: list[OpenSource] = []
    faults: list[str] = []
    named = with_droid_names(data)
    sources = read_all(partial(_source, named, path, name, storage) for path, name in zip(paths, names, strict=True))
    for path, rows in zip(paths, sources, strict=True):
        if isinstance(rows, LeRobotSource):
            named = with_lerobot_names(data, rows.info)
            faults += name_faults(named, rows.info, robotics)
        source = OpenSource(rows, named, "", *_numbers(rows, named))
        if robotics.enabled and named.state_keys and source.size != 0:
            source = source._replace(form=_form(source, robotics) or "")
            faults += _form_faults(source, shown_path(path), robotics)
        opened.append(source)
    if faults := [*faults, *_differences(opened, robotics)]:
        raise ConfigError(list(dict.fromkeys(faults)))
    if not all(source.data.extrinsics_key for source in opened):  # a batch has them of all clips, or of none
        opened = [source._replace(data=replace(source.data, extrinsics_key="")) for source in opened]
    return opened


def _source(data: RobotDataConfig, path: str, name: str | None, storage: Storage) -> RobotSource:
    if data.layout == "droid":
        return DroidSource(path, name, data.state_keys, storage)
    return LeRobotSource(path, name, storage)


def described(source: OpenSource, given: RobotDataConfig, robotics: RoboticsConfig) -> Iterator[str]:
    """Lines that say to a person what is read of a source, and what of that nobody has configured.

    Args:
        source: The source.
        given: The config, before names were filled in.
        robotics: Which states and actions.
    """
    data = source.data
    yield f"{source.rows.name}: {source.rows.title}, {len(source.rows)} episodes"
    shown = SHOWN[robotics.camera_views] if len(data.cameras) > 1 else "the only one"
    yield f"  {_auto('cameras', given.cameras)}: {', '.join(data.cameras)}; {shown}"
    if not robotics.enabled:
        return
    yield f"  {_auto('states', given.state_keys)}: {', '.join(data.state_keys)}{_listed(source)}"
    action = {
        "difference": "rigid transforms" if STATE_FORMS[source.form].rotates else "plain differences",
        "absolute": "the next states",
        "dataset": ", ".join(data.action_keys),
    }[robotics.action]
    form = f"{_auto('state_form', robotics.state_form != 'auto')}: {source.form}, {STATE_FORMS[source.form].meaning}"
    yield f"  {form}; actions are {action}"
    poses = _auto("camera poses", given.extrinsics_key is not None)
    yield f"  {poses}: {data.extrinsics_key or 'none'}"


def _auto(what: str, given: object) -> str:
    return what if given else f"{what} (auto)"


def _numbers(rows: RobotSource, data: RobotDataConfig) -> tuple[int | None, tuple[str, ...]]:
    """How many numbers a state has, and what they are called."""
    features = [rows.feature(column) for column in data.state_keys]
    known = [feature for feature in features if feature is not None and feature.has_numbers]
    if len(known) < len(features):
        return None, ()
    named = [feature.names for feature in known if feature.names is not None]
    return sum(feature.size for feature in known), sum(named, ()) if len(named) == len(known) else ()


def _form(source: OpenSource, robotics: RoboticsConfig) -> str | None:
    return form_of(source.numbers) if robotics.state_form == "auto" else robotics.state_form


def _form_faults(source: OpenSource, path: str, robotics: RoboticsConfig) -> Iterator[str]:
    if source.form:
        yield from form_faults(source.form, robotics, source.size)
    elif source.size is not None or isinstance(source.rows, DroidSource):
        fitting = [
            f"{name} ({form.meaning})"
            for name, form in STATE_FORMS.items()
            if form.size in (None, source.size or form.size)
        ]
        yield (
            f"robotics.state_form: {path}: states do not say what they are ({', '.join(source.data.state_keys)}"
            f"{_listed(source)}): set robotics.state_form to one of {', '.join(fitting)}"
        )


def _listed(source: OpenSource) -> str:
    """How many numbers a state has and what they are called, after the names of its columns."""
    if source.size is None:
        return ""
    more = ", ..." if len(source.numbers) > MOST_NAMES else ""
    names = f": {', '.join(source.numbers[:MOST_NAMES])}{more}" if source.numbers else " without names"
    return f", {source.size} numbers{names}"


def _differences(opened: Sequence[OpenSource], robotics: RoboticsConfig) -> Iterator[str]:
    """What must be alike in all sources, since their clips share a batch."""
    states = {(s.form, s.size) for s in opened if s.form}
    if len(states) > 1:
        said = ", ".join(f"{s.rows.name} {s.form} of {s.size} numbers" for s in opened)
        yield f"data.data_paths have different states, which cannot share a batch ({said}): run them apart"
    views = {len(s.data.cameras) for s in opened}
    if robotics.camera_views == "all" and len(views) > 1:
        said = ", ".join(f"{s.rows.name} {len(s.data.cameras)}" for s in opened)
        yield f"robotics.camera_views=all needs as many cameras in each source ({said}): name them in data.cameras"
