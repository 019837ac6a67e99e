"""The place of batches that are read ahead of the trainer."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
from loading import digests, loader_of, tiny

from vjepa_pipe.loader import device_prefetch


@pytest.mark.parametrize("workers", [0, 2])
def test_what_was_read_ahead_does_not_count(videos_csv: Path, tmp_path: Path, workers: int) -> None:
    experiment = tiny(videos_csv, f"data.num_workers={workers}")
    expected = digests(loader_of(experiment, tmp_path))
    for seen in range(len(expected) + 1):
        loader = loader_of(experiment, tmp_path)
        ahead = device_prefetch(loader, "cpu")
        head = digests(islice(iter(ahead), seen))
        state = ahead.state_dict()
        assert (state["epoch"], state["position"]) == ((0, seen * 2) if seen < len(expected) else (1, 0))
        assert state["steps"] == seen
        assert loader.state_dict()["position"] == (min(seen + 1, 4) % 4 * 2 if seen else 0)  # it did read ahead
        loader.close()
        again = device_prefetch(loader_of(experiment, tmp_path), "cpu")
        again.load_state_dict(state)
        if seen < len(expected):
            assert head + digests(again) == expected


def test_epochs_follow_those_of_the_loader(videos_csv: Path, tmp_path: Path) -> None:
    ahead = device_prefetch(loader_of(tiny(videos_csv, "mask=none"), tmp_path), "cpu")
    assert len(ahead) == 4
    assert [batch["key"][0].epoch for batch in islice(ahead, 1)] == [0]
    assert [batch["key"][0].epoch for batch in ahead] == [1] * 4
    assert ahead.state_dict()["steps"] == 5  # the second batch of the first pass was read, and given to nobody
    ahead.set_epoch(7)
    assert ahead.state_dict()["epoch"] == 7
    assert [batch["key"][0].epoch for batch in ahead] == [7] * 4
