"""A published file to our settings, with an account of every key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from vjepa_pipe.config.errors import ConfigError, did_you_mean
from vjepa_pipe.config.training.base import REQUIRED
from vjepa_pipe.config.tree import leaves
from vjepa_pipe.legacy.key import BadValue, Key, Profile, Settings
from vjepa_pipe.legacy.numbers import numbers_for
from vjepa_pipe.legacy.profiles import PROFILES, recognise
from vjepa_pipe.legacy.read import LegacyFile

UNKNOWN_POLICIES = ("error", "warn")


@dataclass(frozen=True)
class AuditRow:
    """What became of one key.

    Attributes:
        key: Dotted path in the published file; `(built in)` for what the published code has no key for.
        line: Its line; None if the file lacks it.
        value: Its value.
        status: `moved`, `handed on`, `changed meaning`, `defaulted`, `built in`, `dead`, `typo` or `unknown`.
        to: Where it went in our experiment.
        note: The reason, or what changed.
    """

    key: str
    line: int | None
    value: Any
    status: str
    to: str = ""
    note: str = ""

    def __str__(self) -> str:
        return f"{self.key} ({self.status}) {self.note}".rstrip()


@dataclass
class Translation:
    """A published file in our terms.

    Attributes:
        file: The file.
        profile: Its kind.
        settings: Our settings, by dotted path; paths without a dot choose options.
        rows: What became of each key.
        warnings: Likely mistakes in the file, and what is not run.
        origin: The published key behind each of our settings.
    """

    file: LegacyFile
    profile: Profile
    settings: Settings = field(default_factory=dict)
    rows: list[AuditRow] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    origin: dict[str, str] = field(default_factory=dict)


def translate(file: LegacyFile, unknown: str = "error") -> Translation:
    """Translate a file.

    Args:
        file: What was read.
        unknown: `error` refuses keys that no published code knows, `warn` leaves them out with a warning.

    Raises:
        ConfigError: Naming every fault with its key and line.
    """
    if unknown not in UNKNOWN_POLICIES:
        raise ConfigError([f"legacy_unknown must be one of {', '.join(UNKNOWN_POLICIES)} (got {unknown!r})"])
    profile = recognise(file)
    done = Translation(file, profile)
    if faults := list(_empty_sections(file, profile)):
        raise ConfigError(faults)
    given = dict(_given(file.values, profile))
    done.settings.update(profile.built_in, training=profile.training)
    for key in profile.keys:
        faults.extend(_apply(key, given, done))
    if not faults:
        done.settings.update(profile.finish(file.values))
    for name, value in given.items():
        faults.extend(_account(name, value, done, unknown))
    for name, reason in profile.dead.items():
        if name in file.lines:
            done.rows.append(AuditRow(name, file.lines[name], given.get(name), "dead", note=reason))
    done.rows.extend(
        AuditRow("(built in)", None, value, "built in", to=path, note=profile.built_in_notes.get(path, ""))
        for path, value in profile.built_in.items()
        if "." in path
    )
    faults.extend(f"{file.where(name)} {message}" for name, message in profile.check(file.values))
    if faults:
        raise ConfigError(sorted(set(faults), key=faults.index))
    done.warnings.extend(profile.warnings(file.values))
    return done


def _apply(key: Key, given: Mapping[str, Any], done: Translation) -> Iterator[str]:
    """Take one key over; yields its faults."""
    file = done.file
    present = key.name in given
    if not present and isinstance(key.default, str) and key.default == REQUIRED:
        yield f"{file.path}: {key.name} must be given: the published code has no default for it"
        return
    value = numbers_for(key.to, given[key.name], done.settings) if present else key.default
    try:
        settings = key.read(value)
    except BadValue as bad:
        yield f"{file.where(key.name + bad.below)} {bad}"
        return
    done.settings.update(settings)
    done.origin.update(dict.fromkeys(settings, key.name))
    changed = key.note if value != key.default else ""
    status = "changed meaning" if changed else "handed on" if key.to.startswith("training.") else "moved"
    note = changed
    if present and value is not given[key.name] and value != given[key.name]:
        note = f"{note}; text read as a number".lstrip("; ")
    done.rows.append(
        AuditRow(key.name, file.lines.get(key.name), value, status if present else "defaulted", key.to, note)
    )


def _account(name: str, value: Any, done: Translation, unknown: str) -> Iterator[str]:
    """Say what becomes of a key that is none of the profile's; yields its faults."""
    file, profile = done.file, done.profile
    known = {key.name for key in profile.keys}
    if name in known or name in profile.dead or name == profile.marker[0]:
        return
    if name in profile.typos:
        note = f"did you mean {profile.typos[name]}? The published code ignores it, and so does this experiment"
        done.rows.append(AuditRow(name, file.lines[name], value, "typo", note=note))
        done.warnings.append(f"{name}={value} is ignored: {note}")
        return
    elsewhere = [p.name for p in PROFILES if p is not profile and name in {key.name for key in p.keys}]
    hint = f" (it is a key of {elsewhere[0]})" if elsewhere else did_you_mean(name, known)
    if unknown == "error":
        yield f"{file.where(name)} is not a key of {profile.name}{hint}; legacy_unknown=warn leaves it out"
        return
    status = "typo" if "did you mean" in hint else "unknown"
    done.rows.append(AuditRow(name, file.lines.get(name), value, status, note=hint.strip(" ()")))
    done.warnings.append(f"{name}={value} is left out: it is not a key of {profile.name}{hint}")


def _given(values: Mapping[str, Any], profile: Profile) -> Iterator[tuple[str, Any]]:
    """The file's keys and values, each down to where the profile knows it."""
    known = [key.name for key in profile.keys]
    for name, value in values.items():
        yield from _down_to(name, value, known)


def _down_to(name: str, value: Any, known: list[str]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and name not in known and any(k.startswith(f"{name}.") for k in known):
        for key, inner in value.items():
            yield from _down_to(f"{name}.{key}", inner, known)
    elif isinstance(value, Mapping) and name not in known and value:
        yield from leaves(value, name)
    else:
        yield name, value


def _empty_sections(file: LegacyFile, profile: Profile) -> Iterator[str]:
    sections = {key.name.rsplit(".", depth)[0] for key in profile.keys for depth in range(1, key.name.count(".") + 1)}
    for section in sorted(sections):
        node: Any = file.values
        for name in section.split("."):
            node = node.get(name, {}) if isinstance(node, Mapping) else {}
        if not isinstance(node, Mapping):
            yield f"{file.where(section)} must be a section of keys (got {node!r})"
