"""task=index, task=prepare and task=benchmark on real files, with real processes."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow.parquet
import pytest
from footage import read_counter, write_video

from vjepa_pipe import compose
from vjepa_pipe.config import UserError
from vjepa_pipe.config.loader import LoaderConfig
from vjepa_pipe.sources import read_rows
from vjepa_pipe.tasks import run_task
from vjepa_pipe.tasks.killable import DIED, map_killable
from vjepa_pipe.video import PyavDecoder, probe


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos, one of them turned and with a space in its name, and a file that is none."""
    folder = tmp_path_factory.mktemp("videos")
    write_video(folder / "a.mp4", 40, options={"g": "12", "bf": "2"})
    write_video(folder / "b b.mp4", 30, rotation=90)
    write_video(folder / "c.webm", 20, codec="libvpx", options={"deadline": "realtime", "cpu-used": "8"})
    (folder / "d.mp4").write_text("no video")
    lines = [f"{folder}/a.mp4::0", f"{folder}/b b.mp4::1", f"{folder}/c.webm::2", f"{folder}/d.mp4::3"]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    return folder / "rows.csv"


def settings(task: str, csv: Path, *more: str) -> list[str]:
    few = ["data.batch_size=2", "data.num_workers=0", "data.img_size=32", "data.frames_per_clip=4", "mask=none"]
    return [f"task={task}", "data=csv", f"data.data_paths=[{csv}]", *few, *more]


def test_probe(csv: Path) -> None:
    found = probe(str(csv.parent / "b b.mp4"))
    assert (found.frames, found.fps, found.width, found.height) == (30, 25.0, 128, 96)
    assert (found.codec, found.rotation % 360, found.key_frames[0]) == ("h264", 90, 0)
    assert found.bytes == (csv.parent / "b b.mp4").stat().st_size and found.duration == pytest.approx(1.2)
    assert probe(str(csv.parent / "a.mp4")).key_frames == [0, 12, 24, 36]


def test_index_is_whole_and_goes_on_where_it_stopped(csv: Path, tmp_path: Path) -> None:
    run = compose(settings("index", csv, f"task.index_dir={tmp_path}"))
    assert run_task(run, tmp_path / "out") == {"files": 4, "bad": 1, "hours": 0.001}
    rows = pyarrow.parquet.read_table(tmp_path / "rows.parquet").to_pylist()
    assert [row["frames"] for row in rows] == [40, 30, 20, None]
    assert "not a video, or its header is damaged" in rows[3]["error"]
    good = read_rows(tmp_path / "rows.csv")
    assert [(good.path(i), good.label(i)) for i in range(3)] == [(row["path"], i) for i, row in enumerate(rows[:3])]
    log = tmp_path / "rows.jsonl"
    lines = sorted(log.read_text().splitlines(), key=lambda line: str(json.loads(line)["path"]))  # a.mp4 is kept
    log.write_text("\n".join([lines[0], lines[1], lines[2][:20]]))  # as a run that was killed leaves it
    written = (csv.parent / "a.mp4").stat().st_mtime_ns
    os.utime(csv.parent / "a.mp4", ns=(written + 10**9, written + 10**9))
    assert run_task(run, tmp_path / "out")["files"] == 4
    probed = [json.loads(line)["path"] for line in log.read_text().splitlines() if line.endswith("}")]
    assert len(probed) == 5  # two kept, one of them probed again because its file changed, and the two left
    assert len(pyarrow.parquet.read_table(tmp_path / "rows.parquet")) == 4


def test_shards_are_put_together_by_the_last(csv: Path, tmp_path: Path) -> None:
    for shard in (1, 0):
        more = (f"task.index_dir={tmp_path}", "task.shards=2", f"task.shard={shard}")
        assert run_task(compose(settings("index", csv, *more)), tmp_path / f"out{shard}")["files"] == 2
        assert (tmp_path / "rows.parquet").exists() == (shard == 0)
    assert len(pyarrow.parquet.read_table(tmp_path / "rows.parquet")) == 4
    with pytest.raises(UserError, match=r"task.shard must be < task.shards=2 \(got 2\)"):
        run_task(compose(settings("index", csv, "task.shards=2", "task.shard=2")), tmp_path / "out2")


@pytest.mark.parametrize(("codec", "group"), [("h264", 1), ("h264", 8), ("mjpeg", 1)])
def test_copies_hold_the_same_frames(codec: str, group: int, csv: Path, tmp_path: Path) -> None:
    more = [f"task.target_dir={tmp_path}", f"task.codec={codec}", "task.short_side=64", "task.crf=10"]
    more += [f"task.group_length={group}"] if codec == "h264" else []
    found = run_task(compose(settings("prepare", csv, *more)), tmp_path / "out")
    assert (found["files"], found["bad"]) == (3, 1)
    copies = read_rows(tmp_path / "rows.csv")
    assert [copies.label(i) for i in range(3)] == [0, 1, 2]
    for i, frames in enumerate((40, 30, 20)):
        seen = probe(copies.path(i))
        assert (seen.frames, seen.fps, seen.codec, min(seen.width, seen.height)) == (frames, 25.0, codec, 64)
        assert np.diff([*seen.key_frames, frames]).max() <= group
        with PyavDecoder().open(copies.path(i)) as video:
            assert [read_counter(frame) for frame in video.read([frames - 1, 7])] == [frames - 1, 7]
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "rows").iterdir()}
    run_task(compose(settings("prepare", csv, *more)), tmp_path / "out")
    assert made == {path: path.stat().st_mtime_ns for path in (tmp_path / "rows").iterdir()}


def test_the_list_itself_is_not_written_over(csv: Path, tmp_path: Path) -> None:
    before = csv.read_text()
    with pytest.raises(UserError, match=r"task.target_dir=.*rows.csv is the list itself; name another folder"):
        run_task(compose(settings("prepare", csv, f"task.target_dir={csv.parent}")), tmp_path)
    assert csv.read_text() == before


@pytest.mark.parametrize("workers", [0, 1])
def test_benchmark(workers: int, videos_csv: Path, tmp_path: Path) -> None:
    more = ("task.clips=2", "task.batches=2", f"data.num_workers={workers}", "decoder=auto")
    found = run_task(compose([*settings("benchmark", videos_csv), *more]), tmp_path)
    report = json.loads((tmp_path / "benchmark.json").read_text())
    (stages,) = report["stages"]
    assert found["clips_per_sec"] > 0
    assert all(stages[name] > 0 for name in ("open", "seek", "decode", "convert", "transform"))
    assert stages["frames_decoded_per_used"] >= 1
    assert report["advice"]


def test_tuning_keeps_the_settings_unless_others_are_better(
    videos_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vjepa_pipe.tasks.tune.SECONDS_IN_ALL", 2.0)
    more = ("task.clips=2", "task.batches=2", "task.tune=true")
    run_task(compose([*settings("benchmark", videos_csv), *more]), tmp_path)
    report = json.loads((tmp_path / "benchmark.json").read_text())
    found = report["tune"]
    assert found["times_faster"] == pytest.approx(found["clips_per_sec"] / report["clips_per_sec"])
    unchanged = (found["num_workers"], found["prefetch_factor"]) == (0, LoaderConfig().prefetch_factor)
    assert found["times_faster"] == 1 if unchanged else found["times_faster"] > 1.05
    assert found["num_workers"] in {0, *range(1, 2 * (os.cpu_count() or 1))}


def outcome_of(item: str) -> str:
    if item == "hang":
        time.sleep(60)
    if item == "die":
        os._exit(9)
    if item == "fail":
        raise ValueError("two\nlines")
    return item.upper()


def test_processes_that_hang_or_die_are_replaced() -> None:
    items = ["a", "hang", "die", "b", "fail", "c"]
    found = {o.item: (o.result, o.error) for o in map_killable(outcome_of, items, workers=2, timeout=4.0)}
    assert found == {
        "a": ("A", None),
        "b": ("B", None),
        "c": ("C", None),
        "hang": (None, "not done after 4 s"),
        "die": (None, DIED),
        "fail": (None, "two lines"),
    }


def test_a_process_that_dies_between_two_items_or_before_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    others = multiprocessing.active_children()
    outcomes = map_killable(outcome_of, ["a", "b", "c"], workers=1, timeout=60)
    assert next(outcomes).result == "A"
    (worker,) = set(multiprocessing.active_children()) - set(others)
    worker.kill()
    worker.join()
    assert [(one.item, one.result, one.error) for one in outcomes] == [("b", None, DIED), ("c", "C", None)]
    module = ModuleType("only_here")
    monkeypatch.setitem(sys.modules, "only_here", module)
    exec("def gone(item): return item", module.__dict__)
    with pytest.raises(UserError, match=r"ended before it had begun.*__main__"):
        next(map_killable(module.gone, ["a"], workers=1, timeout=60))
