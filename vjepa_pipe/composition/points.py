"""Composing many experiments that differ in a few overrides, quickly.

A whole composition takes Hydra tens of milliseconds. Overrides of values are applied after all groups are
merged, so points with the same group choices share one composition, and each merges only its own values.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from vjepa_pipe.composition.compose import node_types, read_experiment
from vjepa_pipe.composition.faults import explain
from vjepa_pipe.composition.options import group_options, source_folders
from vjepa_pipe.composition.provenance import PRIMARY, provenance, with_overrides
from vjepa_pipe.composition.snapshot import plain
from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.tree import leaves


@dataclasses.dataclass
class Composed:
    """One point.

    Attributes:
        experiment: Its experiment; with faults, it may hold wrong values.
        faults: What is wrong with it.
        provenance: Where each setting came from.
        choices: The option chosen from each group.
    """

    experiment: ExperimentConfig
    faults: list[str]
    provenance: dict[str, str]
    choices: dict[str, str]


@dataclasses.dataclass
class _Base:
    config: DictConfig
    types_at: dict[str, type]
    provenance: dict[str, str]
    choices: dict[str, str]


class PointComposer:
    """Composes one point after another.

    Args:
        loader: Hydra's config loader.
        hydra_overrides: Overrides of Hydra's own settings, such as `hydra.searchpath`.
        folders: Config folders, for messages about options that do not exist.
    """

    def __init__(self, loader: ConfigLoader, hydra_overrides: Sequence[str], folders: Sequence[Path]) -> None:
        self._loader = loader
        self._hydra_overrides = list(hydra_overrides)
        self.folders = folders
        self._parser = OverridesParser.create()
        self._parsed: dict[str, Override] = {}
        self._value_keys: dict[tuple[str, ...], set[str]] = {}
        self._bases: dict[tuple[str, ...], _Base] = {}

    def compose(self, overrides: Sequence[str]) -> Composed:
        """The experiment of one point.

        Raises:
            Exception: What Hydra raises where an override cannot be applied.
        """
        choices, values = self._split([self._parse(text) for text in overrides])
        base = self._base(choices)
        with _values_applied(base.config, values):
            # A plain value cannot change the type of a node; a mapping can add nodes.
            types_at = None if any(isinstance(one.value(), dict) for one in values) else base.types_at
            experiment, faults = read_experiment(base.config, types_at)
        settings = [path for path, _ in leaves(plain(experiment))]
        return Composed(experiment, faults, with_overrides(base.provenance, values, settings), base.choices)

    def _parse(self, text: str) -> Override:
        if text not in self._parsed:
            (self._parsed[text],) = self._parser.parse_overrides([text])
        return self._parsed[text]

    def _split(self, overrides: Sequence[Override]) -> tuple[tuple[str, ...], list[Override]]:
        """Group choices as text, and value overrides. Which is which, Hydra says once for each set of keys."""
        keys = tuple(_signature(override) for override in overrides)
        texts = [_text(override) for override in overrides]
        if keys not in self._value_keys:
            found = self._loader.compute_defaults_list(PRIMARY, self._hydra_overrides + texts, RunMode.RUN)
            self._value_keys[keys] = {_signature(override) for override in found.config_overrides}
        values = self._value_keys[keys]
        choices = tuple(text for key, text in zip(keys, texts, strict=True) if key not in values)
        return choices, [override for key, override in zip(keys, overrides, strict=True) if key in values]

    def _base(self, choices: tuple[str, ...]) -> _Base:
        if choices not in self._bases:
            overrides = [*self._hydra_overrides, *choices]
            config = self._loader.load_configuration(PRIMARY, overrides, RunMode.RUN, validate_sweep_overrides=False)
            chosen, folders = own_choices(config.hydra), source_folders(config.hydra)
            with open_dict(config):
                del config["hydra"]
            settings = [path for path, _ in leaves(plain(read_experiment(config)[0]))]
            sources = provenance(self._loader, overrides, folders, settings)
            self._bases[choices] = _Base(config, dict(node_types(config)), sources, chosen)
        return self._bases[choices]


def change(
    experiment: ExperimentConfig, provenance_before: Mapping[str, str], overrides: Sequence[str]
) -> tuple[ExperimentConfig, dict[str, str]]:
    """An experiment with some settings changed, without the config groups it came from.

    Raises:
        ConfigError: Naming every override that does not fit, and what is wrong with the changed experiment.
    """
    config = OmegaConf.structured(experiment)
    parsed: list[Override] = []
    faults: list[str] = []
    for text in overrides:
        try:
            (override,) = OverridesParser.create().parse_overrides([text])
            if group_options(override.key_or_group):
                faults.append(f"{text} chooses an option: a record holds settings, so start a new run with it")
                continue
            ConfigLoaderImpl._apply_overrides_to_config([override], config)
            parsed.append(override)
        except (HydraException, OmegaConfBaseException) as error:
            faults.append(explain(text, error, config, None))
    changed, more = read_experiment(config)
    if faults or more:
        raise ConfigError([*faults, *more])
    settings = [path for path, _ in leaves(plain(changed))]
    return changed, with_overrides(provenance_before, parsed, settings)


def own_choices(hydra_settings: Any) -> dict[str, str]:
    """The option chosen from each of our groups, as a config's `hydra` node says."""
    chosen = {str(group): option for group, option in hydra_settings.runtime.choices.items()}
    return {
        group: str(option)
        for group, option in chosen.items()
        if option is not None and not group.startswith(("hydra/", "schema@"))
    }


def _signature(override: Override) -> str:
    """What of an override decides whether it chooses a group: all but its value."""
    return str(override.input_line).partition("=")[0]


def _text(override: Override) -> str:
    return str(override.input_line)


@contextmanager
def _values_applied(config: DictConfig, values: Sequence[Override]) -> Iterator[None]:
    """Apply value overrides to a shared config, and put back what they replaced.

    A copy of the whole config would take as long as everything else that is done for a point.
    """
    saved = [_place(config, override.key_or_group) for override in values]
    copies = [copy.deepcopy(parent[key]) if key in parent else _ABSENT for parent, key in saved]
    try:
        ConfigLoaderImpl._apply_overrides_to_config(list(values), config)
        yield
    finally:
        # Backwards, so that of two overrides of one place the first's copy, which is the older, is put back last.
        for (parent, key), node in reversed(list(zip(saved, copies, strict=True))):
            if node is _ABSENT:
                parent.pop(key, None)
            else:
                parent[key] = node


def _place(config: DictConfig, key: str) -> tuple[dict[str, Any], str]:
    """The innermost mapping on the way to `key` and the name in it, or the first name that is not there."""
    node: Any = config
    *parents, last = key.split(".")
    for part in parents:
        content: dict[str, Any] = node.__dict__["_content"]
        if not isinstance(content.get(part), DictConfig) or not isinstance(
            content[part].__dict__["_content"], dict
        ):  # a list, a missing node, an interpolation: what is replaced is this part, whole
            return content, part
        node = content[part]
    return node.__dict__["_content"], last


_ABSENT = object()
