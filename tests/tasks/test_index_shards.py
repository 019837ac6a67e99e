"""task=index on many machines: shards in any order, at once, killed and started again."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pyarrow.parquet
import pytest
from footage import write_video
from program import launch
from sweeping import states

from vjepa_pipe import compose
from vjepa_pipe.config import ConfigError, UserError
from vjepa_pipe.sources import read_rows
from vjepa_pipe.tasks import run_task
from vjepa_pipe.tasks.index_parts import IndexParts
from vjepa_pipe.tasks.shard_log import read_log
from vjepa_pipe.video.probe import Probe


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven rows: three videos, two of them twice, and two files that are none."""
    folder = tmp_path_factory.mktemp("videos")
    for number in range(3):
        write_video(folder / f"{number}.mp4", 10 + number)
    (folder / "3.mp4").write_text("no video")
    lines = [f"{folder}/{number}.mp4 {number}" for number in (0, 1, 2, 3, 0, 4, 1)]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    return folder / "rows.csv"


def settings(csv: Path, folder: Path, *more: str) -> list[str]:
    few = ["data.frames_per_clip=4", "data.batch_size=2", "mask=none", "task.workers=1"]
    return ["task=index", "data=csv", f"data.data_paths=[{csv}]", f"task.index_dir={folder}", *few, *more]


def run_shard(csv: Path, folder: Path, shard: int, shards: int) -> None:
    run_task(
        compose(settings(csv, folder, f"task.shards={shards}", f"task.shard={shard}")),
        folder / f"out{shard}-of-{shards}",
    )


def table(folder: Path) -> list[tuple[str, int | None]]:
    found = pyarrow.parquet.read_table(folder / "rows.parquet").to_pylist()
    return [(Path(row["path"]).name, row["frames"]) for row in found]


WHOLE = [("0.mp4", 10), ("1.mp4", 11), ("2.mp4", 12), ("3.mp4", None), ("4.mp4", None)]


# Of a launcher, an array needs what any sweep does: tests/sweeps/test_launchers.py has both.
@pytest.mark.parametrize("launcher", ["submitit_local", pytest.param("local", marks=pytest.mark.soak)])
def test_a_job_array(csv: Path, tmp_path: Path, launcher: str) -> None:
    arguments = ["-m", f"hydra/launcher={launcher}", "hydra.sweep.dir=sweep"]
    if launcher == "submitit_local":
        # Its local controller may open its log before a folder named after the job is there.
        arguments.append("hydra.launcher.submitit_folder=sweep/.submitit")
    array = ["task.shards=2", "task.shard=range(2)"]
    result = launch(*arguments, *settings(csv, tmp_path / "index"), *array, cwd=tmp_path, env=dict(os.environ))
    assert result.returncode == 0, result.stderr
    assert list(states(tmp_path / "sweep").values()) == ["done"] * 2
    assert table(tmp_path / "index") == WHOLE
    good = read_rows(tmp_path / "index" / "rows.csv")
    assert [good.label(row) for row in range(len(good))] == [0, 1, 2, 0, 1]
    assert not [file for file in (tmp_path / "index").iterdir() if file.name.startswith(".")]


def test_an_array_that_was_cut_short_goes_on(csv: Path, tmp_path: Path) -> None:
    for shard in (2, 0):
        run_shard(csv, tmp_path, shard, 3)
    log = tmp_path / "rows.0-of-3.jsonl"
    log.write_text(log.read_text()[:-20])  # killed while writing, before its mark
    (tmp_path / "rows.0-of-3.done").unlink()
    run_shard(csv, tmp_path, 1, 3)
    assert not (tmp_path / "rows.parquet").exists()
    run_shard(csv, tmp_path, 0, 3)
    assert table(tmp_path) == WHOLE
    assert [Path(entry["path"]).name for _, entry in read_log(log, Probe)] == ["0.mp4", "1.mp4"]


def test_another_number_of_shards_starts_anew(csv: Path, tmp_path: Path) -> None:
    for shard in (0, 1):
        run_shard(csv, tmp_path, shard, 2)
    assert table(tmp_path) == WHOLE
    for shard in (2, 0, 1):
        run_shard(csv, tmp_path, shard, 3)
        assert (tmp_path / "rows.parquet").exists() == (shard == 1)
    assert table(tmp_path) == WHOLE


def test_marks_of_another_list_do_not_count(csv: Path, tmp_path: Path) -> None:
    mine = tmp_path / "rows.csv"
    mine.write_text(csv.read_text())
    for shard in (0, 1):
        run_shard(mine, tmp_path / "index", shard, 2)
    write_video(tmp_path / "new.mp4", 5)
    mine.write_text(csv.read_text() + f"{tmp_path}/new.mp4 9\n")
    run_shard(mine, tmp_path / "index", 1, 2)
    assert not (tmp_path / "index" / "rows.parquet").exists()
    run_shard(mine, tmp_path / "index", 0, 2)
    assert table(tmp_path / "index") == [*WHOLE, ("new.mp4", 5)]


def test_shards_that_end_at_once_leave_a_whole_index(csv: Path, tmp_path: Path) -> None:
    for shard in range(3):
        run_shard(csv, tmp_path, shard, 3)
    parts = IndexParts(tmp_path, read_rows(csv), 3)

    def end_again(shard: int) -> None:
        for _ in range(20):
            assert parts.end(shard)

    endings = [threading.Thread(target=end_again, args=(shard,)) for shard in range(3)]
    for ending in endings:
        ending.start()
    seen = 0
    while any(ending.is_alive() for ending in endings) or not seen:
        assert table(tmp_path) == WHOLE
        assert len((tmp_path / "rows.csv").read_text().splitlines()) == 5
        seen += 1
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".")]


def test_whichever_writes_its_mark_last_puts_the_parts_together(csv: Path, tmp_path: Path) -> None:
    for shard in range(3):
        run_shard(csv, tmp_path, shard, 3)
    parts = IndexParts(tmp_path, read_rows(csv), 3)
    for last in range(3):
        for shard in range(3):
            parts.begin(shard)
        found = {shard: parts.end(shard) for shard in sorted(range(3), key=lambda shard: shard == last)}
        assert found == {shard: shard == last for shard in range(3)}


def test_shards_need_a_folder_to_meet_in(csv: Path) -> None:
    with pytest.raises(ConfigError, match=r"task.index_dir must be set with task.shards=2: shards meet in one folder"):
        compose([*settings(csv, Path("x")), "task.index_dir=null", "task.shards=2"])


def test_a_list_is_not_written_over(csv: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(csv.read_text())
    with pytest.raises(UserError, match=r"rows.csv is the list itself; name another folder"):
        run_task(compose(settings(tmp_path / "rows.csv", tmp_path)), tmp_path / "out")
    assert (tmp_path / "rows.csv").read_text() == csv.read_text()


def test_sources_of_one_name_are_refused(csv: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(csv.read_text())
    both = f"data.data_paths=[{csv},{tmp_path}/rows.csv]"
    with pytest.raises(ConfigError, match=r"data.source_names must be set: 2 sources are called rows"):
        run_task(compose([*settings(csv, tmp_path / "index"), both]), tmp_path / "out")


def test_an_index_is_made_without_the_one_to_be_made(csv: Path, tmp_path: Path) -> None:
    run_task(compose(settings(csv, tmp_path / "index", f"data.index_dir={tmp_path / 'index'}")), tmp_path / "out")
    assert table(tmp_path / "index") == WHOLE
