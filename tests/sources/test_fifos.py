"""What sources read beside videos is refused before it is opened where it is no regular file: a FIFO waits for ever."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from vjepa_pipe.config import ConfigError
from vjepa_pipe.sources import DroidSource, LeRobotSource, Rows, SourceError, read_indexes
from vjepa_pipe.sources.errors import EpisodeError
from vjepa_pipe.sources.robots.droid import _json
from vjepa_pipe.storage import Storage
from vjepa_pipe.synthetic import write_synthetic_lerobot


def test_indexes_and_lists(tmp_path: Path) -> None:
    rows = Rows.from_lists("a", ["/v/a"], [0])
    os.mkfifo(tmp_path / "a.parquet")
    with pytest.raises(ConfigError, match=r"a.parquet cannot be read: not a file but a fifo"):
        read_indexes(tmp_path, [rows], [rows])
    with pytest.raises(SourceError, match=r"a.parquet: cannot be read: .*not a file but a fifo"):
        DroidSource(tmp_path / "a.parquet")
    with pytest.raises(EpisodeError, match=r"a.parquet.* cannot be read as JSON .*not a file but a fifo"):
        _json(str(tmp_path / "a.parquet"), dict, Storage())


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_every_file_of_a_lerobot_dataset(version: str, cache: Path, tmp_path: Path) -> None:
    whole = write_synthetic_lerobot(cache, 2, version)
    files = sorted(
        path.relative_to(whole) for kind in ("json", "jsonl", "parquet") for path in whole.rglob(f"*.{kind}")
    )
    refused = 0
    for number, file in enumerate(files):
        root = Path(shutil.copytree(whole, tmp_path / str(number)))
        (root / file).unlink()
        os.mkfifo(root / file)
        try:
            episode = LeRobotSource(root).open(0)
            episode.read(["timestamp"], np.arange(2))
        except (SourceError, EpisodeError) as error:
            assert "not a file but a fifo" in str(error), (file, error)
            refused += 1
    assert refused >= 3
