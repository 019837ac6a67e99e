"""task=prepare: what copies keep, the option that reads them, shards, estimates, and what goes wrong."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from footage import read_counter, write_video
from footage_kinds import shown, write_kind
from full_disk import files_end_at
from program import Run, launch

from vjepa_pipe import DataManager, compose
from vjepa_pipe.cli import main
from vjepa_pipe.config import ConfigError, UserError
from vjepa_pipe.config.task import PrepareTaskConfig
from vjepa_pipe.sources import Rows, read_rows
from vjepa_pipe.tasks import prepare, prepare_copy, prepare_estimate, run_task
from vjepa_pipe.tasks.prepare_copy import copy_name, encode, encoding_of, make_copy
from vjepa_pipe.tasks.prepare_option import COMMENT
from vjepa_pipe.video import ClipSampler, PyavDecoder, VideoError

KINDS = [
    "b_frames.mp4", "with_sound.mov", "uneven.mp4", "uneven.mkv", "late_start.mp4", "early_start.mkv", "ntsc.mp4",
    "quarter_left.mp4", "vp9.webm", "hidden.webm", "cut.mp4", "h264.ts", "odd_444.mp4", "raw.h264", "one_frame.mp4",
]  # fmt: skip
SMALL = ["data.frames_per_clip=4", "data.batch_size=2", "data.img_size=32", "mask=none", "data.num_workers=0"]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos of 10 to 12 frames under ten names, the last of a file that is none."""
    folder = tmp_path_factory.mktemp("originals") / "videos"
    folder.mkdir()
    for number in range(10):
        file = folder / f"{number}.mp4"
        if number < 3:
            write_video(file, 10 + number, audio=True)
        else:
            file.symlink_to(f"{number % 3}.mp4")
    (folder / "9.mp4").unlink()
    (folder / "9.mp4").write_text("no video")
    return folder


def words(videos: Path, target: Path, *more: str) -> list[str]:
    data = ["data=folder", f"data.data_paths=[{videos}]", *SMALL]
    return ["task=prepare", f"task.target_dir={target}", "task.short_side=32", "task.workers=1", *data, *more]


def run(videos: Path, target: Path, *more: str) -> dict[str, Any]:
    return run_task(compose(words(videos, target, *more)), Path(tempfile.mkdtemp(dir=target.parent)))


def names(folder: Path, pattern: str = "*") -> list[str]:
    return sorted(file.name for file in folder.glob(pattern))


@pytest.mark.parametrize("codec", ["mjpeg", "h264"])
def test_a_copy_has_the_frames_times_rate_and_clips_of_its_original(codec: str, tmp_path: Path) -> None:
    task, sampler = PrepareTaskConfig(codec=codec, short_side=64, group_length=1), ClipSampler(frames_per_clip=4)
    for kind in KINDS:
        source, target = str(write_kind(kind, tmp_path)), tmp_path / f"copy_of_{kind}"
        encode(source, target, encoding_of(task), task.short_side)
        with PyavDecoder().open(source) as one, PyavDecoder().open(str(target)) as other:
            assert [read_counter(image) for image in other.read(range(other.num_frames))] == shown(kind), kind
            assert other.fps == one.fps, kind
            times = [video.frame_times - video.frame_times[0] for video in (one, other)]
            np.testing.assert_allclose(*times, atol=1e-9, err_msg=kind)
            clips = [sampler.draw(np.random.default_rng(1), video.num_frames, video.fps) for video in (one, other)]
            np.testing.assert_array_equal(*clips, err_msg=kind)
        with av.open(str(target)) as container:
            assert [stream.type for stream in container.streams] == ["video"], kind


def test_a_rate_that_the_times_contradict_gives_way() -> None:
    video: Any = SimpleNamespace(frame_times=np.arange(10) / 25, num_frames=10, fps=30.0)
    with pytest.MonkeyPatch.context() as patch:
        stream = SimpleNamespace(time_base=None, average_rate=None)
        patch.setattr(prepare_copy, "open_video", lambda _: (nullcontext(), stream))
        ticks, per_second = prepare_copy._timetable("x.mkv", video)
    np.testing.assert_allclose(ticks / per_second, np.arange(11) / 25)


def test_a_copy_that_differs_is_refused(videos: Path) -> None:
    path = str(videos / "0.mp4")
    prepare_copy._verify("x", path, np.arange(10) / 25)
    with pytest.raises(VideoError, match="x: its copy has 10 frames instead of 11"):
        prepare_copy._verify("x", path, np.arange(11) / 25)
    with pytest.raises(VideoError, match=r"x: its copy shows frame 9 0.003600 s off its time"):
        prepare_copy._verify("x", path, np.arange(10) / 25 * 1.01)


def test_the_option_trains_on_the_copies_wherever_they_are(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "my list.csv"
    texts = ["turn 0", "3", 'say "a, b"::c', *(f"turn {number}" for number in range(3, 10))]
    mine.write_text("".join(f"{videos}/{number}.mp4::{text}\n" for number, text in enumerate(texts)))
    other = tmp_path / "b.csv"
    other.write_text(f"{videos}/1.mp4 7\n")
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in videos.iterdir()}
    more = [f"data.data_paths=['{mine}',{other}]", "data.data_weights=[0.25,0.75]", "data.clip_mode=frame_step"]
    more += ["data.frame_step=2", f"data.eval_data_paths=[{other}]", "data.max_file_bytes=100000"]
    source = compose(["task=prepare", f"task.target_dir={tmp_path}/a b", "task.workers=1", "data=csv", *SMALL, *more])
    found = run_task(source, tmp_path / "out")
    assert (found["files"], found["bad"]) == (10, 1) and found["size_ratio"] > 0 and found["speed_ratio"] > 0
    assert before == {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in videos.iterdir()}

    (command,) = re.findall(r"train on the copies: python launch.py (.*)", capsys.readouterr().err)
    shutil.move(tmp_path / "a b", tmp_path / "moved")
    flag, folder, option = shlex.split(command)
    assert (flag, folder, option) == ("--config-dir", f"{tmp_path}/a b", "data=prepared")
    few = ["mask=none", "task.max_batches=1", "task.preview_clips=0"]
    result = launch("--config-dir", "moved", option, *few, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    data = compose([option], tmp_path / "moved").data
    assert (data.data_weights, data.clip_mode, data.frame_step) == ([0.25, 0.75], "frame_step", 2)
    assert (data.eval_data_paths, data.max_file_bytes, data.source_names) == ([str(other)], None, None)
    copies = read_rows(data.data_paths[0])
    assert data.data_paths[0] == f"{tmp_path}/moved/my list.csv"
    assert [copies.label(row) for row in range(len(copies))] == texts[:9]
    assert all(Path(copies.path(row)).is_relative_to(tmp_path / "moved") for row in range(9))
    both = [compose([option, "mask=none"], tmp_path / "moved"), compose(["data=csv", *SMALL, *more])]
    one, two = (DataManager(experiment).build_train_dataset() for experiment in both)
    for row in range(9):
        assert one[row]["clip_indices"].tolist() == two[row]["clip_indices"].tolist()


def test_class_folders_keep_their_labels(videos: Path, tmp_path: Path) -> None:
    for name in ("b/1.mp4", "a/x/0.mp4"):
        (tmp_path / "classes" / name).parent.mkdir(parents=True)
        shutil.copy(videos / Path(name).name, tmp_path / "classes" / name)
    run(tmp_path / "classes", tmp_path / "copies", "data.labels=folders")
    rows = read_rows(tmp_path / "copies" / "classes.csv")
    assert [(Path(rows.path(row)).name[0], rows.label(row)) for row in range(2)] == [("0", 0), ("1", 1)]


def test_a_sample_is_copied_first_and_kept(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "copies"
    monkeypatch.setattr("vjepa_pipe.tasks.prepare.SAMPLE", 3)
    found = run(videos, target, "task.dry_run=true")
    assert found["files"] == 2 and found["bad"] == 1 and found["bytes_left"] > 0  # the ends and the middle
    assert [name[0] for name in names(target / "videos")] == ["0", "4"] and not (target / "videos.csv").exists()
    said = capsys.readouterr().err
    assert re.search(r"videos: about .* of copies, [\d.]+ times the .* of 10 originals\n  0:00:0\d to go with ", said)
    assert re.search(r"a clip is read in [\d.]+ ms, from copies in [\d.]+: [\d.]+ times as fast", said)
    assert re.search(r"copies: .* more to write, .* free\n", said)
    made = {file: file.stat().st_mtime_ns for file in (target / "videos").iterdir()}
    monkeypatch.setattr(prepare_estimate, "disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(
        UserError, match=r"copies has 100 bytes free, and the copies will take about .* more: nothing b"
    ):
        run(videos, target)
    assert made == {file: file.stat().st_mtime_ns for file in (target / "videos").iterdir()}


def test_shards_in_any_order_killed_and_cut_otherwise(videos: Path, tmp_path: Path) -> None:
    target = tmp_path / "copies"
    assert run(videos, target, "task.shards=3", "task.shard=2")["files"] == 3
    log, begun = target / "videos.2-of-3.jsonl", target / "videos" / ".x.mp4.123.0123abcd"
    log.write_bytes(log.read_bytes()[:-20])  # killed while writing, before its mark, and while it made a copy
    (target / "videos.2-of-3.done").unlink()
    begun.touch()
    os.utime(begun, (0, 0))
    whole = max((target / "videos").glob("[!.]*"), key=lambda file: file.stat().st_size)
    whole.write_bytes(b"")  # as a machine that goes down may leave it
    kept = {file: file.stat().st_ino for file in (target / "videos").glob("[!.]*") if file != whole}
    for shard in (2, 0):
        run(videos, target, "task.shards=3", f"task.shard={shard}")
        assert not (target / "videos.csv").exists() and not (target / "data").exists()
    assert not begun.exists()
    begun.touch()
    run(videos, target, "task.shards=3", "task.shard=1")
    assert len(read_rows(target / "videos.csv")) == 9 and names(target / "data") == ["prepared.yaml"]
    assert names(target / "videos", ".*") == []
    written = {file: file.stat().st_mtime_ns for file in (target / "videos").iterdir()}
    assert {file: file.stat().st_ino for file in kept} == kept
    for shard in (1, 0):  # another number of shards
        run(videos, target, "task.shards=2", f"task.shard={shard}")
    assert written == {file: file.stat().st_mtime_ns for file in (target / "videos").iterdir()}
    with pytest.raises(ConfigError, match=r"task.target_dir must be set with task.shards=2: shards meet in one folder"):
        compose([*words(videos, target, "task.shards=2"), "task.target_dir=null"])


def test_a_run_that_was_killed_goes_on(videos: Path, tmp_path: Path) -> None:
    copies = tmp_path / "copies" / "videos"
    killed = Run(*words(videos, tmp_path / "copies"), cwd=tmp_path)
    while killed.poll() is None and len(names(copies, "[!.]*")) < 4:
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    kept = {file: file.stat().st_mtime_ns for file in copies.glob("[!.]*")}
    assert len(kept) >= 4
    assert run(videos, tmp_path / "copies")["files"] == 9
    assert kept == {file: file.stat().st_mtime_ns for file in kept}
    assert len(read_rows(tmp_path / "copies" / "videos.csv")) == 9 and names(copies, ".*") == []


def test_an_original_that_has_changed_is_copied_again(videos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    for number in (0, 1):
        shutil.copy(videos / f"{number}.mp4", folder)
    run(folder, tmp_path / "copies")
    run(folder, tmp_path / "copies", "task.short_side=48")
    made = {file: file.stat().st_ino for file in (tmp_path / "copies" / "videos").iterdir()}
    assert len(made) == 4 and "_48p_" in (tmp_path / "copies" / "videos.csv").read_text()
    shutil.copy(videos / "2.mp4", folder / "1.mp4")
    short = ["data.frames_per_clip=100", "data.short_videos=drop"]
    assert run(folder, tmp_path / "copies", *short)["speed_ratio"] == 1
    kept = [file for file, number in made.items() if file.stat().st_ino == number]
    assert len(kept) == 3
    rows, lengths = read_rows(tmp_path / "copies" / "videos.csv"), []
    for row in range(2):
        with PyavDecoder().open(rows.path(row)) as video:
            lengths.append(video.num_frames)
    assert lengths == [10, 12]


def test_what_cannot_be_written_stops_the_run_and_is_no_fault_of_the_file(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "copies"
    task = compose(words(videos, target)).task
    assert isinstance(task, PrepareTaskConfig)
    taken = target / "videos" / copy_name(str(videos / "4.mp4"), task)
    taken.mkdir(parents=True)
    assert main(words(videos, target, f"hydra.run.dir={tmp_path}/out")) == 1
    said = "cannot write .*: Is a directory; 3 of 10 copies of videos are done, and the same command goes on from there"
    assert re.search(said, capsys.readouterr().err)
    taken.rmdir()
    assert run(videos, target)["files"] == 9
    with files_end_at(1000), pytest.raises(UserError, match=r"cannot write .*: File too large"):
        make_copy(str(videos / "0.mp4"), tmp_path, task)
    assert names(tmp_path, ".*") == []


def test_another_run_may_be_first(videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = PrepareTaskConfig(short_side=32)
    made = make_copy(str(videos / "0.mp4"), tmp_path, task)

    def cleared(*_: Any) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(prepare_copy, "encode", cleared)
    assert make_copy(str(videos / "0.mp4"), tmp_path, task)._replace(seconds=made.seconds) == made
    with pytest.raises(UserError, match="cannot write"):
        make_copy(str(videos / "1.mp4"), tmp_path, task)


def test_what_no_list_can_hold_and_what_has_no_estimate(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match=r"a.mp4: its caption is empty, which no list can hold"):
        prepare._check_rows([Rows.from_lists("x", ["a.mp4"], [" "])])
    (tmp_path / "bad").mkdir()
    shutil.copy(videos / "9.mp4", tmp_path / "bad")
    (tmp_path / "bad" / "still.png").touch()
    assert run(tmp_path / "bad", tmp_path / "copies")["files"] == 0
    said = capsys.readouterr().err
    assert "bad: not one of 2 files could be copied, so there is no estimate" in said
    assert "1 x an image, and copies are made of videos" in said


def test_names_of_copies_fit_and_differ() -> None:
    task = PrepareTaskConfig()
    long = [copy_name(f"/{folder}/{'ü' * 120}.mp4", task) for folder in "ab"]
    assert len({*long}) == 2 and max(len(os.fsencode(name)) for name in long) < 200


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["task.option=a b"], r"task.option must be a name of letters, digits, '-' and '_' \(got 'a b'\)"),
        (["task.option=kinetics"], r"task.option=kinetics is the name of an option that there is already"),
    ],
)
def test_names_that_no_option_can_have(more: Sequence[str], said: str, videos: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        run(videos, tmp_path / "copies", *more)


@pytest.mark.parametrize("name", ["videos.csv", "data/prepared.yaml"])
def test_files_of_the_user_are_not_written_over(name: str, videos: Path, tmp_path: Path) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("name: mine\n")
    (tmp_path / "videos.jsonl").write_text('{"path": "mine"}\n')
    with pytest.raises(UserError, match=rf"{name.split('/')[-1]}.* no run "):
        run_task(compose(words(videos, tmp_path)), tmp_path / "out")
    assert file.read_text() == "name: mine\n"


def test_a_source_without_copies_is_in_no_option(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "good.csv").write_text(f"{videos}/0.mp4 0\n")
    (tmp_path / "bad.csv").write_text(f"{videos}/9.mp4 0\n")
    data = ["data=csv", f"data.data_paths=[{tmp_path}/good.csv,{tmp_path}/bad.csv]"]
    run_task(compose([*words(videos, tmp_path / "copies"), *data]), tmp_path / "out")
    said = capsys.readouterr().err
    assert "bad: no file could be copied, so no option is written: leave it out" in said and "train on" not in said
    assert len(read_rows(tmp_path / "copies" / "good.csv")) == 1 and not (tmp_path / "copies" / "data").exists()
    option = tmp_path / "copies" / "data" / "prepared.yaml"
    option.parent.mkdir()
    option.write_text(COMMENT)
    run_task(compose([*words(videos, tmp_path / "copies"), *data]), tmp_path / "out")
    assert f"{option} is still that of an earlier run" in capsys.readouterr().err
    list_before = (tmp_path / "copies" / "good.csv").read_text()
    with pytest.raises(UserError, match=r"holds good.csv, which no run of task=index has left there"):
        run_task(compose(["task=index", f"task.index_dir={tmp_path}/copies", *data]), tmp_path / "index")
    assert (tmp_path / "copies" / "good.csv").read_text() == list_before


def test_a_source_of_any_name(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(f"{videos}/0.mp4 0\n")
    data = ["data=csv", f"data.data_paths=[{tmp_path}/list.csv]", "data.source_names=['a {0} [b]%(c)s']"]
    run_task(compose([*words(videos, tmp_path / "copies"), *data]), tmp_path / "out")
    assert len(read_rows(tmp_path / "copies" / "a {0} [b]%(c)s.csv")) == 1


def test_settings_of_the_other_codec_and_an_index_in_the_way(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["task.crf=20", f"hydra.run.dir={tmp_path}/out"]
    assert main(words(videos, tmp_path / "copies", *arguments)) == 2
    assert "task.crf has no effect when task.codec=mjpeg" in capsys.readouterr().err
    (tmp_path / "copies").mkdir()
    (tmp_path / "copies" / "videos.parquet").touch()
    with pytest.raises(UserError, match=r"copies holds videos.parquet, an index: name another folder"):
        run(videos, tmp_path / "copies")
