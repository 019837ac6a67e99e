"""Statistics and the scales made from them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from vjepa_pipe.robotics import Statistics


@pytest.fixture
def values() -> np.ndarray:
    drawn = np.random.default_rng(0).normal([1.0, -5.0, 0.0], [2.0, 0.1, 1.0], (5000, 3))
    return np.concatenate([drawn, np.full((5000, 1), 3.0)], axis=1)


def test_standard_gives_mean_zero_and_deviation_one(values: np.ndarray) -> None:
    scaled = Statistics.of(values).normalize(values, "standard")
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(scaled.std(0), [1, 1, 1, 0], atol=1e-9)


def test_quantiles_become_minus_one_and_one(values: np.ndarray) -> None:
    scaled = Statistics.of(values).normalize(values, "quantile")
    np.testing.assert_allclose(np.quantile(scaled[:, :3], [0.01, 0.99], axis=0), [[-1] * 3, [1] * 3], atol=1e-9)
    assert np.abs(scaled[:, :3]).max() > 1
    np.testing.assert_allclose(scaled[:, 3], 0)


def test_round_trip_through_json(values: np.ndarray) -> None:
    found = Statistics.of(values)
    again = Statistics.from_lists(json.loads(json.dumps(found.as_lists())))
    assert all(np.array_equal(getattr(found, name), getattr(again, name)) for name in ("mean", "std", "q01", "max"))
    with pytest.raises(ValueError, match="misses q99"):
        Statistics.from_lists({name: part for name, part in found.as_lists().items() if name != "q99"})


def test_other_width_is_refused(values: np.ndarray) -> None:
    with pytest.raises(ValueError, match="statistics are of 4 numbers, these have 7"):
        Statistics.of(values).normalize(np.zeros((2, 7)), "standard")
