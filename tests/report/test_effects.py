"""Effects of swept settings: paired by seed and by everything else, exact where the formula is."""

from __future__ import annotations

import random

import pytest
from swept import grid

from vjepa_pipe.records import Run
from vjepa_pipe.report import Results
from vjepa_pipe.report.design import Design
from vjepa_pipe.report.effects import main_effects, two_way_tables


def design(runs: list[Run]) -> Design:
    return Design(Results(runs))


def noise(seed: int) -> float:
    return random.Random(seed).gauss(0, 100)


def additive() -> list[Run]:
    """Seeds differ by far more than the settings change."""
    return grid(
        {"a": [0, 1, 2], "data.b": ["x", "y"], "seed": range(5)},
        lambda a, data_b, seed: {"loss": a + 10 * (data_b == "y") + noise(seed)},
    )


def test_effects_are_paired_whatever_seeds_do() -> None:
    a, b = main_effects(design(additive()), "loss")
    assert (a.factor, b.factor) == ("a", "b") and [level.value for level in b.levels] == ["x", "y"]
    assert [level.runs for level in a.levels] == [10, 10, 10] and a.levels[0].change is None
    changes = [level.change for level in (*a.levels[1:], b.levels[1])]
    assert [change.mean for change in changes] == pytest.approx([1, 2, 10])
    assert all(change.high - change.low < 1e-6 and change.seeds == 5 and change.distinguished for change in changes)
    assert a.levels[1].mean - a.levels[0].mean == pytest.approx(1)


def test_seeds_are_what_varies_not_pairs() -> None:
    """Two pairs of one seed saw the same clips: they are averaged, and do not count as two."""
    runs = grid(
        {"a": [0, 1], "b": [0, 1, 2, 3], "seed": range(3)}, lambda a, b, seed: {"loss": a * (1 + 0.1 * seed) + b}
    )
    (a, _) = main_effects(design(runs), "loss")
    change = a.levels[1].change
    assert change.seeds == 3 and change.mean == pytest.approx(1.1)
    assert change.high - change.mean == pytest.approx(4.303 * 0.1 / 3**0.5, rel=1e-3)


def test_a_run_that_failed_takes_only_its_pair_away() -> None:
    runs = additive()
    runs[0].metrics, runs[7].metrics = {}, {"loss": float("nan")}
    a, b = main_effects(design(runs), "loss")
    assert [level.change.mean for level in (*a.levels[1:], b.levels[1])] == pytest.approx([1, 2, 10])
    assert [level.runs for level in a.levels] == [8, 10, 10]


def test_settings_that_vary_together_are_one() -> None:
    runs = grid({"data.size": [64, 128], "seed": [0, 1]}, lambda data_size, seed: {"loss": data_size})
    for run in runs:
        run.settings |= {"data.batch": 4096 // run.settings["data.size"], "port": run.settings["seed"] + 9000}
    found = design(runs)
    assert [(factor.name, factor.levels) for factor in found.factors] == [("size batch", ("64 64", "128 32"))]
    assert found.seeds == 2 and found.notes == ["port changes with the seed: its effect is not known"]


def test_what_cannot_be_told_is_said() -> None:
    drawn = design(grid({"lr": [i / 7 for i in range(30)], "mask": ["x"]}, lambda lr, mask: {"loss": lr}))
    assert drawn.notes[0].startswith("one seed") and drawn.notes[1].startswith("lr has 30 values")
    assert not main_effects(drawn, "loss")
    diagonal = [
        run
        for run in grid({"a": [0, 1], "b": [0, 1], "c": [0, 1], "seed": [0, 1]}, lambda **_: {"loss": 1})
        if (run.settings["a"] + run.settings["b"] + run.settings["c"]) % 2 == 0
    ]
    notes = design(diagonal).notes
    assert notes == ["no two points differ only in a or b or c, so what that changes is not known"]
    assert main_effects(design(diagonal), "loss") == []


def test_one_seed_has_changes_without_intervals() -> None:
    (a,) = main_effects(design(grid({"a": [0, 1]}, lambda a: {"loss": a})), "loss")
    assert a.levels[1].change.mean == 1 and a.levels[1].change.low is None


def test_runs_that_agree_in_everything_count_once() -> None:
    runs = grid({"a": [0, 1], "seed": [0, 1]}, lambda a, seed: {"loss": a + seed})
    again = Run(runs[0].folder, runs[0].settings, {}, runs[0].overridden, {"state": "done"}, {"loss": 1.0})
    (a,) = main_effects(design([*runs, again]), "loss")
    assert a.levels[1].change.mean == pytest.approx(0.75) and a.levels[0].runs == 2


def test_two_way_tables() -> None:
    runs = grid(
        {"a": [0, 1], "b": [0, 1], "c": [0, 1, 2], "seed": range(4)},
        lambda a, b, c, seed: {"loss": a + 10 * b + 3 * a * b + 100 * c + noise(seed)},
    )
    tables = {(table.rows.name, table.columns.name): table for table in two_way_tables(design(runs), "loss")}
    assert list(tables) == [("a", "b"), ("a", "c"), ("b", "c")]
    means = tables["a", "b"].means
    assert means[1][0] - means[0][0] == pytest.approx(1) and means[1][1] - means[0][1] == pytest.approx(4)
    assert tables["a", "b"].interaction.mean == pytest.approx(3) and tables["a", "b"].interaction.distinguished
    assert tables["a", "c"].interaction is None and len(tables["a", "c"].means[0]) == 3
    for run in runs[:4]:
        run.metrics = {}
    assert two_way_tables(design(runs), "loss")[1].means[0][0] is not None
    assert two_way_tables(design(runs[:16]), "gone") == []
