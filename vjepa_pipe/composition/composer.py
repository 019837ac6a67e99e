"""From overrides to checked experiments: one, or many that differ in a few overrides.

Hydra merges the files of the chosen options, typed by their schemas; overrides of values are applied to what comes
out, and one checker (`config.build` and the rules) names every fault, wherever it stands. Experiments with the same
choices share one composition, since it takes Hydra tens of milliseconds.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vjepa_pipe.composition.hydra_errors import plain_text
from vjepa_pipe.composition.hydra_loader import PRIMARY
from vjepa_pipe.composition.options import group_options, source_folders
from vjepa_pipe.composition.overrides import apply, parse
from vjepa_pipe.composition.provenance import located, provenance, with_overrides, written_by_files
from vjepa_pipe.composition.read import node_types, read_values, values_of
from vjepa_pipe.composition.snapshot import plain
from vjepa_pipe.composition.store import not_of_group
from vjepa_pipe.composition.untyped import schemas_in, untyped_schemas
from vjepa_pipe.config.build import is_wanting
from vjepa_pipe.config.errors import ConfigError, did_you_mean
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.tree import leaves


class Composed:
    """An experiment and where it came from.

    Attributes:
        experiment: With faults, it may hold wrong values.
        values: The same as nested plain values, with interpolations.
        choices: The option chosen from each group.
        folders: Config folders in the order in which Hydra searches them.
    """

    def __init__(
        self,
        experiment: ExperimentConfig,
        values: dict[str, Any],
        override_faults: Sequence[str],
        value_faults: Sequence[str],
        base: Base,
        written: Callable[[], dict[str, str]],
    ) -> None:
        self.experiment, self.values = experiment, values
        self.choices, self.folders = dict(base.choices), base.folders
        self._override_faults, self._value_faults = override_faults, value_faults
        self._written = written

    @property
    def faults(self) -> list[str]:
        """What is wrong with it."""
        return [*self._override_faults, *self._value_faults]

    @functools.cached_property
    def provenance(self) -> dict[str, str]:
        """Where each setting came from."""
        return provenance(self._written(), (path for path, _ in leaves(plain(self.experiment))))

    def checked(self) -> Composed:
        """This, if nothing is wrong with it.

        Raises:
            ConfigError: Naming every fault, with file and line where one of a file's values is at fault.
        """
        if self.faults:
            written = {} if all(map(is_wanting, self._value_faults)) else self._written()
            raise ConfigError([*self._override_faults, *(located(fault, written) for fault in self._value_faults)])
        return self


@dataclasses.dataclass
class Base:
    """What the files of some choices say, before any override of a value.

    Attributes:
        values: Nested plain values, with interpolations.
        types_at: The dataclass of each node, by dotted path.
        choices: The option chosen from each group.
        folders: Config folders in the order in which Hydra searches them.
        written: What wrote each setting, by dotted path.
    """

    values: dict[str, Any]
    types_at: dict[str, type]
    choices: dict[str, str]
    folders: list[Path]
    written: Callable[[], dict[str, str]]


@dataclasses.dataclass
class ConfigFolders:
    """What is known of the files that can be composed.

    Attributes:
        options: Those of each group; empty for a key that is no group.
        bases: What the files of some choices say, by the choices.
    """

    options: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    bases: dict[tuple[str, ...], Base] = dataclasses.field(default_factory=dict)


class Composer:
    """Composes one experiment after another.

    Args:
        loader: Hydra's config loader.
        hydra_overrides: Overrides of Hydra's own settings, such as `hydra.searchpath`.
        known: What is known of the files; it is added to. None: nothing.
    """

    def __init__(
        self,
        loader: ConfigLoader,
        hydra_overrides: Sequence[str] = (),
        known: ConfigFolders | None = None,
    ) -> None:
        self._loader = loader
        self._hydra_overrides = list(hydra_overrides)
        self._known = ConfigFolders() if known is None else known

    def compose(self, overrides: Sequence[str]) -> Composed:
        """The experiment that `overrides` describe, and what is wrong with it.

        Raises:
            ConfigError: If the files of the chosen options cannot be merged at all.
        """
        faults: list[str] = []
        choices: list[str] = []
        values: list[Override] = []
        for override in parse(overrides, faults):
            options = self._options_of(override)
            if not options:
                values.append(override)
            elif fault := unknown_option(override, options):
                faults.append(fault)
            else:
                choices.append(str(override.input_line))
        try:
            base = self._base(tuple(choices))
        except ConfigError as error:
            raise ConfigError([*faults, *error.faults]) from error
        own = copy.deepcopy(base.values)
        if own.pop("experiment", None) is not None:
            file = f"experiment/{base.choices['experiment']}.yaml"
            faults.append(f"{file} must begin with the line '# @package _global_', as every experiment file")
        faults += [fault for override in values for fault in apply(override, own, base.types_at)]
        experiment, value_faults = read_values(own, base.types_at)
        written = functools.cache(lambda: with_overrides(base.written(), values))
        return Composed(experiment, own, faults, value_faults, base, written)

    def _options_of(self, override: Override) -> list[str]:
        """The options of the group that an override chooses from; empty if it sets a value."""
        key = override.key_or_group
        if "." in key or isinstance(override.value(), dict):
            return []
        if key not in self._known.options:
            overrides = [text for text in self._hydra_overrides if text.startswith("hydra.searchpath=")]
            self._known.options[key] = self._loader.get_group_options(key, config_name=PRIMARY, overrides=overrides)
        return self._known.options[key]

    def _base(self, choices: tuple[str, ...]) -> Base:
        if choices not in self._known.bases:
            overrides = [*self._hydra_overrides, *choices]

            @functools.cache
            def defaults() -> Any:
                return self._loader.compute_defaults_list(PRIMARY, overrides, RunMode.RUN).defaults

            config, typed = self._load(overrides)
            types_at = dict(node_types(config)) if typed else schemas_in(defaults())
            if faults := [fault for path, schema in types_at.items() if (fault := not_of_group(path, schema))]:
                raise ConfigError(faults)
            folders = source_folders(config.hydra)
            written = functools.cache(lambda: written_by_files(defaults(), folders))
            self._known.bases[choices] = Base(values_of(config), types_at, own_choices(config.hydra), folders, written)
        return self._known.bases[choices]

    def _load(self, overrides: list[str]) -> tuple[DictConfig, bool]:
        """Hydra's config, and whether its nodes are typed: OmegaConf stops at the first value of a wrong type."""

        def load() -> DictConfig:
            return self._loader.load_configuration(PRIMARY, overrides, RunMode.RUN, validate_sweep_overrides=False)

        try:
            return load(), True
        except (HydraException, OmegaConfBaseException):
            try:
                with untyped_schemas():
                    return load(), False
            except (HydraException, OmegaConfBaseException) as error:
                raise ConfigError([plain_text(error)]) from error


def change(
    experiment: ExperimentConfig, provenance_before: Mapping[str, str], overrides: Sequence[str]
) -> tuple[ExperimentConfig, dict[str, str]]:
    """An experiment with some settings changed, without the config groups it came from.

    Raises:
        ConfigError: Naming every override that does not fit, and what is wrong with the changed experiment.
    """
    faults: list[str] = []
    values: dict[str, Any] = plain(experiment)
    types_at = dict(node_types(OmegaConf.structured(experiment)))
    applied: list[Override] = []
    for override in parse(overrides, faults):
        if group_options(override.key_or_group) and not isinstance(override.value(), dict):
            faults.append(
                f"{override.input_line} chooses an option: a record holds settings, so start a new run with it"
            )
            continue
        faults += apply(override, values, types_at)
        applied.append(override)
    changed, more = read_values(values, types_at)
    if faults or more:
        raise ConfigError([*faults, *more])
    settings = [path for path, _ in leaves(plain(changed))]
    return changed, provenance(with_overrides(provenance_before, applied), settings)


def unknown_option(override: Override, options: Sequence[str]) -> str | None:
    """A line if an override chooses an option that its group does not have."""
    group, option = override.key_or_group, override.value()
    if not isinstance(option, str) or option in options or override.is_delete():
        return None
    choice = f"{group}@{override.package}={option}" if override.package else f"{group}={option}"
    return f"{choice} is not an option{did_you_mean(option, options)}: {group} can be {', '.join(options)}"


def own_choices(hydra_settings: Any) -> dict[str, str]:
    """The option chosen from each of our groups, as a config's `hydra` node says."""
    chosen = {str(group): option for group, option in hydra_settings.runtime.choices.items()}
    return {
        group: str(option)
        for group, option in chosen.items()
        if option is not None and not group.startswith(("hydra/", "schema@"))
    }
