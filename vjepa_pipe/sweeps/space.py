"""What a search chooses from: the values of a sweep's arguments as Optuna's distributions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override

from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.extras import import_extra
from vjepa_pipe.sweeps.axes import MAX_POINTS, key_of
from vjepa_pipe.sweeps.sampling import ends_of, rounded

SEED = "seed"


@dataclass(frozen=True)
class Space:
    """What a search chooses from.

    Attributes:
        fixed: Overrides that every point has.
        seeds: Overrides of the seed: every trial is run with each, and judged by the mean; empty: only with its own.
        distributions: Of each setting that is searched, by its name.
    """

    fixed: list[str]
    seeds: list[str]
    distributions: dict[str, Any]

    def points(self, params: Mapping[str, Any]) -> list[list[str]]:
        """The overrides of a trial, one list for each seed."""
        chosen = [f"{name}={rounded(v) if isinstance(v, float) else v}" for name, v in params.items()]
        return [[*self.fixed, *chosen, *seed] for seed in ([[seed] for seed in self.seeds] or [[]])]

    def corners(self) -> Iterator[list[str]]:
        """The overrides of points that show what is wrong with any value: each choice, and the ends of each range."""
        ends = {name: _ends(distribution) for name, distribution in self.distributions.items()}
        first = {name: values[0] for name, values in ends.items()}
        yield from self.points(first)
        for name, values in ends.items():
            yield from (self.points(first | {name: value})[0] for value in values[1:])

    def grid(self) -> list[dict[str, Any]]:
        """Every choice, the last setting varying fastest.

        Raises:
            ConfigError: If a setting is given as an interval, or there are too many.
        """
        values = [_values(name, distribution) for name, distribution in self.distributions.items()]
        if (count := math.prod(map(len, values))) > MAX_POINTS:
            raise ConfigError([f"a sweep must have at most {MAX_POINTS} points (got {count})"])
        return [dict(zip(self.distributions, point, strict=True)) for point in itertools.product(*values)]


def space_of(arguments: Sequence[str], loader: ConfigLoader) -> Space:
    """The space that a sweep's arguments describe.

    `choice(a,b)` and `a,b` are categories; `range(a,b)` and `interval(a,b)` numbers, whole ones where Hydra would give
    whole ones, and `tag(log,interval(a,b))` is searched on a logarithmic scale.

    Raises:
        ConfigError: If nothing varies but the seed, or an interval is empty.
    """
    space = Space([], [], {})
    for override in OverridesParser.create(config_loader=loader).parse_overrides(list(arguments)):
        key = key_of(override)
        if not override.is_sweep_override():
            space.fixed.append(str(override.input_line))
        elif key == SEED and not override.is_interval_sweep():
            space.seeds.extend(f"{key}={value}" for value in _choices(override))
        else:
            space.distributions[key] = _distribution(override)
    if not space.distributions:
        raise ConfigError(["sweep.search needs a setting to search, such as data_aug.random_erasing=interval(0,0.5)"])
    return space


def _distribution(override: Override) -> Any:
    distributions = import_extra("optuna.distributions", "search")
    value: Any = override.value()
    if isinstance(value, IntervalSweep):
        try:
            low, high, log = ends_of(value)
        except ValueError as error:
            raise ConfigError([str(error)]) from error
        whole = isinstance(low, int) and isinstance(high, int)
        return (distributions.IntDistribution if whole else distributions.FloatDistribution)(low, high, log=log)
    if override.is_range_sweep() and value.step > 0 and not value.shuffle:
        numbers = value.range()
        if isinstance(numbers, range) and len(numbers) > 0:
            return distributions.IntDistribution(numbers[0], numbers[-1], step=numbers.step)
    return distributions.CategoricalDistribution(_choices(override))


def _choices(override: Override) -> list[Any]:
    values = list(itertools.islice(override.sweep_string_iterator(), MAX_POINTS + 1))
    if len(values) > MAX_POINTS:
        raise ConfigError([f"{key_of(override)} must have at most {MAX_POINTS} values"])
    return values


def _ends(distribution: Any) -> list[Any]:
    return list(getattr(distribution, "choices", ())) or [distribution.low, distribution.high]


def _values(name: str, distribution: Any) -> Sequence[Any]:
    if hasattr(distribution, "choices"):
        choices: Sequence[Any] = distribution.choices
        return choices
    if isinstance(distribution.low, float):
        raise ConfigError([f"sweep.search=grid needs the values of {name}, as choice(...) or range(...)"])
    return range(distribution.low, distribution.high + 1, distribution.step)
