"""From arguments to points: grids, zips, lists, draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from vjepa_pipe import ConfigError
from vjepa_pipe.composition.hydra_loader import hydra_loader
from vjepa_pipe.composition.sweep_words import as_hydra_overrides
from vjepa_pipe.config.sweep import SweepConfig
from vjepa_pipe.sweeps.axes import _element, expand
from vjepa_pipe.sweeps.sampling import unit_points


def points(*arguments: str, **options: Any) -> list[list[str]]:
    with hydra_loader() as loader:
        return expand(arguments, SweepConfig(**options), loader)


def test_grid_varies_the_last_fastest() -> None:
    assert points("seed=0,1", "name=x", "data.target_fps=4,8") == [
        ["seed=0", "name=x", "data.target_fps=4"],
        ["seed=0", "name=x", "data.target_fps=8"],
        ["seed=1", "name=x", "data.target_fps=4"],
        ["seed=1", "name=x", "data.target_fps=8"],
    ]


def test_zip_advances_together() -> None:
    found = points("a=1,2", "b=3,4", "c=5,6", zip=["a", "c"])
    assert found == [["a=1", "c=5", "b=3"], ["a=1", "c=5", "b=4"], ["a=2", "c=6", "b=3"], ["a=2", "c=6", "b=4"]]


def test_two_zips() -> None:
    found = points("a=1,2", "b=3,4", "c=5,6", "d=7,8", zip=[["a", "b"], ["c", "d"]])
    assert len(found) == 4 and found[0] == ["a=1", "b=3", "c=5", "d=7"]


@pytest.mark.parametrize(("zipped", "words"), [
    (["a", "d"], "d is not swept"), (["a", "b"], "a has 2, b has 3"), (["a"], "two or more"),
    ([["a"], ["b"]], "two or more"),
])  # fmt: skip
def test_zip_that_does_not_fit(zipped: list[Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        points("a=1,2", "b=1,2,3", zip=zipped)


def test_listed_points_cross_the_grid() -> None:
    listed = [{"data": {"target_fps": 4}, "mask": "tube"}, {"data.target_fps": 8}]
    assert points("seed=1,2", points=listed) == [
        ["seed=1", "data.target_fps=4", "mask=tube"],
        ["seed=1", "data.target_fps=8"],
        ["seed=2", "data.target_fps=4", "mask=tube"],
        ["seed=2", "data.target_fps=8"],
    ]


def test_points_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "points.yaml").write_text("- {seed: 1}\n- {seed: 2, name: two words}\n")
    assert points(points=str(tmp_path / "points.yaml")) == [["seed=1"], ["seed=2", "name='two words'"]]


@pytest.mark.parametrize("given_points", ["no.yaml", [], [3], {"seed": 1}])
def test_points_that_are_none(given_points: Any) -> None:
    with pytest.raises(ConfigError, match=r"sweep\.points"):
        points(points=given_points)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="ascii", exclude_categories=["Cc"])),
    lambda inner: st.lists(inner, max_size=3), max_leaves=5,
))  # fmt: skip
def test_listed_values_arrive_as_they_were_written(value: Any) -> None:
    (override,) = OverridesParser.create().parse_overrides([f"key={_element(value)}"])
    assert override.value() == value


def test_group_options_by_pattern() -> None:
    assert ["mask=multiblock3d"] in points("mask=glob(*)") and ["mask=tube"] in points("mask=glob(*)")


@pytest.mark.parametrize("sampler", ["random", "latin_hypercube", "sobol"])
def test_draws_are_within_bounds_and_repeatable(sampler: str) -> None:
    arguments = ("x=interval(0.25,0.75)", "n=int(interval(2,5))", "lr=tag(log,interval(1e-4,1e-1))")
    found = points(*arguments, samples=64, sampler=sampler, seed=1)
    assert found == points(*arguments, samples=64, sampler=sampler, seed=1)
    assert found != points(*arguments, samples=64, sampler=sampler, seed=2)
    values = [dict(text.split("=") for text in point) for point in found]
    assert all(0.25 <= float(v["x"]) <= 0.75 and 1e-4 <= float(v["lr"]) <= 1e-1 for v in values)
    assert {v["n"] for v in values} == {"2", "3", "4", "5"}
    below = sum(float(v["lr"]) < 10**-2.5 for v in values)
    assert 16 <= below <= 48  # a logarithmic scale: half of the draws are below the geometric mean


@given(samples=st.integers(1, 40), dimensions=st.integers(1, 4), seed=st.integers(0, 99))
def test_latin_hypercube_has_one_point_in_each_slice(samples: int, dimensions: int, seed: int) -> None:
    found = unit_points("latin_hypercube", samples, dimensions, seed)
    for axis in zip(*found, strict=True):
        assert sorted(int(at * samples) for at in axis) == list(range(samples))


def test_sobol_is_even() -> None:
    found = unit_points("sobol", 16, 2, 0)
    for axis in zip(*found, strict=True):
        assert sorted(int(at * 16) for at in axis) == list(range(16))


@pytest.mark.parametrize(("arguments", "options", "words"), [
    (["x=interval(0,1)"], {}, "needs sweep.samples"), (["x=1"], {"samples": 3}, "needs a setting given as interval"),
    (["x=interval(1,0)"], {"samples": 3}, "ascending order"), (["x=tag(log,interval(0,1))"], {"samples": 3}, "above 0"),
    (["x=range(0,1000)", "y=range(0,1000)"], {}, "at most 100000 points"),
])  # fmt: skip
def test_draws_that_do_not_fit(arguments: list[str], options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        points(*arguments, **options)


def test_command_line_names() -> None:
    assert as_hydra_overrides(["-m", "seed=1", "sweep.where=seed < 3 and name == 'x'", "sweep.samples=3"]) == [
        "-m", "seed=1", "hydra.sweeper.where='seed < 3 and name == \\'x\\''", "hydra.sweeper.samples=3",
    ]  # fmt: skip
    assert as_hydra_overrides(["-m", "sweep.metric=acc (val)"])[1] == "hydra.sweeper.metric='acc (val)'"
    with pytest.raises(ConfigError, match=r"sweep.dryrun is not a setting \(did you mean dry_run\?\)"):
        as_hydra_overrides(["-m", "sweep.dryrun=true"])
    with pytest.raises(ConfigError, match="needs -m"):
        as_hydra_overrides(["sweep.dry_run=true"])
