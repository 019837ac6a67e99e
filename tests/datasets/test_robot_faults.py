"""Robot data that is wrong: named errors, or counted replacements."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest

from vjepa_pipe import RobotDataset, compose
from vjepa_pipe.config import ConfigError, RobotDataConfig, RoboticsConfig
from vjepa_pipe.config.errors import SampleError, UserError
from vjepa_pipe.datasets import TooManyBadSamples
from vjepa_pipe.sources import DroidSource, LeRobotSource, SourceError
from vjepa_pipe.synthetic import write_synthetic_droid, write_synthetic_lerobot

POSE = "observation/robot_state/cartesian_position"
GRIPPER = "observation/robot_state/gripper_position"
EXTRINSICS = "observation/camera_extrinsics/20000001_left"
CAMERA = "observation.images.exterior_1_left"


@pytest.fixture
def droid(cache: Path, tmp_path: Path) -> Path:
    """A copy of the synthetic DROID episodes."""
    return Path(shutil.copytree(write_synthetic_droid(cache, 4), tmp_path / "droid"))


@pytest.fixture(params=["v2.1", "v3.0"])
def lerobot(cache: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of the synthetic LeRobot dataset, in both versions."""
    return Path(shutil.copytree(write_synthetic_lerobot(cache, 4, request.param), tmp_path / "lerobot"))


def open_droid(path: Path, on_bad: str = "raise", **robotics: Any) -> RobotDataset:
    config = RobotDataConfig(data_paths=[str(path)])
    settings = {"enabled": True, "fps": 4.0, "time_tolerance_sec": 0.05} | robotics
    return RobotDataset(config, RoboticsConfig(**settings), on_bad_sample=on_bad)


def open_lerobot(path: Path, data: dict[str, Any] | None = None, **robotics: Any) -> RobotDataset:
    config = RobotDataConfig(data_paths=[str(path)], layout="lerobot", **(data or {}))
    settings = {"enabled": True, "fps": 4.0, "alignment": "timestamps"} | robotics
    return RobotDataset(config, RoboticsConfig(**settings), on_bad_sample="raise")


def rewrite(column: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    """Change a column of an episode's trajectory.h5."""

    def apply(episode: Path) -> None:
        with h5py.File(episode / "trajectory.h5", "a") as file:
            values = file[column][:]
            del file[column]
            file[column] = change(values)

    return apply


def remove(column: str) -> Callable[[Path], None]:
    def apply(episode: Path) -> None:
        with h5py.File(episode / "trajectory.h5", "a") as file:
            del file[column]

    return apply


def metadata(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def apply(episode: Path) -> None:
        (file,) = episode.glob("metadata*.json")
        content = json.loads(file.read_text())
        file.write_text(json.dumps(change(content)))

    return apply


def no_rows(episode: Path) -> None:
    for column in (POSE, GRIPPER):
        rewrite(column, lambda values: values[:0])(episode)


def shorter_rows(rows: int) -> Callable[[Path], None]:
    def apply(episode: Path) -> None:
        for column in (POSE, GRIPPER, EXTRINSICS):
            rewrite(column, lambda values: values[:-rows])(episode)

    return apply


DROID_FAULTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no h5": (lambda e: (e / "trajectory.h5").unlink(), "episode_001: holds no trajectory.h5"),
    "no HDF5": (lambda e: (e / "trajectory.h5").write_text("x"), r"trajectory\.h5: cannot be read as HDF5"),
    "cut h5": (lambda e: (e / "trajectory.h5").write_bytes((e / "trajectory.h5").read_bytes()[:900]), "read as HDF5"),
    "no folder": (shutil.rmtree, "episode_001: holds no trajectory.h5"),
    "another camera": (
        metadata(lambda content: {"wrist_mp4_path": content["left_mp4_path"]}),
        r"its metadata names no camera left_mp4_path \(cameras: wrist_mp4_path\)",
    ),
    "no metadata": (lambda e: (e / "metadata_001.json").unlink(), r"must hold one metadata\*\.json \(found none\)"),
    "two metadata": (
        lambda e: shutil.copy(e / "metadata_001.json", e / "metadata_002.json"),
        r"must hold one metadata\*\.json \(found metadata_001.json, metadata_002.json\)",
    ),
    "broken metadata": (lambda e: (e / "metadata_001.json").write_text("{"), r"_001\.json: cannot be read as JSON"),
    "metadata is a list": (lambda e: (e / "metadata_001.json").write_text("[]"), r"must hold a dict \(got list\)"),
    "no mp4": (lambda e: (e / "recordings/MP4/20000001.mp4").unlink(), r"20000001\.mp4: "),
    "no video in mp4": (lambda e: (e / "recordings/MP4/20000001.mp4").write_text("x"), r"20000001\.mp4: not a video"),
    "NaN state": (
        rewrite(POSE, lambda values: np.where(np.arange(len(values))[:, None] > 2, np.nan, values)),
        f"{POSE} is not a finite number in row ",
    ),
    "unequal lengths": (rewrite(GRIPPER, lambda values: values[:-3]), r"columns differ in length: .* has \d+ rows"),
    "zero length": (no_rows, "episode_001: holds no rows"),
    "too short": (
        lambda e: [rewrite(c, lambda values: values[:20])(e) for c in (POSE, GRIPPER, EXTRINSICS)],
        r"20 rows, but left_mp4_path shows \d+ frames of them; they may differ by robotics.max_missing_frames=1",
    ),
    "no extrinsics": (remove(EXTRINSICS), rf"has no {EXTRINSICS} \(beside it: 20000001_right"),
    "short extrinsics": (rewrite(EXTRINSICS, lambda values: values[:5]), rf"{EXTRINSICS} has 5 rows, the trajectory"),
    "no pose": (remove(POSE), rf"trajectory.h5 has no {POSE} \(beside it: gripper_position\)"),
    "column is a group": (
        lambda e: [remove(POSE)(e), h5py.File(e / "trajectory.h5", "a").create_group(POSE)], f"has no {POSE}",
    ),
    "text for numbers": (
        rewrite(GRIPPER, lambda values: np.array([b"open"] * len(values))), f"{GRIPPER} cannot be read"
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", DROID_FAULTS)
def test_droid_faults_are_named(droid: Path, fault: str) -> None:
    change, message = DROID_FAULTS[fault]
    listed = droid / "list.csv"
    listed.write_text("".join(f"success/episode_00{i}\n" for i in range(4)))
    change(droid / "success" / "episode_001")
    with pytest.raises(SampleError, match=message) as error:
        open_droid(listed, camera_views="first")[1]
    assert "\n" not in str(error.value)
    sample = open_droid(listed, "replace", camera_views="first")[1]
    (bad,) = [bad for bad in sample["replaced"] if bad.row == 1][:1]
    assert bad.source == "list" and "episode_001" in bad.path
    assert sample["row"] != 1


def test_replacement_of_robot_episodes_is_bounded(droid: Path) -> None:
    for episode in (droid / "success").iterdir():
        rewrite(POSE, lambda values: values * np.nan)(episode)
    with pytest.raises(TooManyBadSamples, match="source droid: 4 samples in a row could not be read"):
        open_droid(droid, "replace")[0]


def test_large_files_are_refused_as_for_videos(droid: Path) -> None:
    config = RobotDataConfig(data_paths=[str(droid)], max_file_bytes=1000)
    with pytest.raises(SampleError, match=r"20000001.mp4: \d+ bytes, more than max_file_bytes=1000"):
        RobotDataset(config, on_bad_sample="raise")[0]


def test_metadata_is_found_by_name_among_other_json_files(droid: Path) -> None:
    episode = droid / "success" / "episode_000"
    (episode / "aaa_calibration.json").write_text("not json")
    (episode / "zzz.json").write_text('{"left_mp4_path": "recordings/MP4/other.mp4"}')
    assert open_droid(droid)[0]["replaced"] == []


def test_video_one_frame_shorter_than_its_rows_is_usual(droid: Path) -> None:
    """Every second synthetic video is; the last row then has no frame, and no clip asks for it."""
    found = open_droid(droid)
    key = found.key_of(1)
    clips = [found.read(key._replace(position=p), decode=False) for p in range(60)]
    with found.sources[0].open(1) as episode, found.decoder.open(clips[0].views[0].track.path) as video:
        assert video.num_frames == episode.num_rows - 1
        assert max(int(clip.rows[-1]) for clip in clips) <= video.num_frames - 1


def test_video_longer_than_its_rows(droid: Path) -> None:
    change = shorter_rows(2)
    change(droid / "success" / "episode_000")
    with pytest.raises(SampleError, match=r"they may differ by robotics.max_missing_frames=1"):
        open_droid(droid)[0]
    sample = open_droid(droid, max_missing_frames=2)[0]
    assert sample["replaced"] == []


def test_sidecar_times(droid: Path) -> None:
    episode = droid / "success" / "episode_000"
    sidecar = episode / "recordings" / "MP4" / "20000001_timestamps.json"
    times = json.loads(sidecar.read_text())
    faults = {
        "20000001_timestamps.json is missing": None,
        r"must hold a list of numbers": ["a"] * len(times),
        r"must hold a list \(got dict\)": {"times": times},
        rf"left_mp4_path has {len(times)} frames and {len(times) - 5} times beside the video": times[:-5],
        "more than robotics.time_tolerance_sec=0.05": [t + 60 if i % 2 else t for i, t in enumerate(times)],
        "shows 0 frames of them": [t + 10**9 for t in times],
    }
    for message, content in faults.items():
        sidecar.unlink(missing_ok=True)
        if content is not None:
            sidecar.write_text(json.dumps(content))
        with pytest.raises(SampleError, match=message):
            open_droid(droid, alignment="timestamps", camera_views="first")[0]
    assert open_droid(droid, camera_views="first")[0]["replaced"] == []


def test_frames_missing_at_the_start_are_seen_by_the_sidecar_alone(droid: Path) -> None:
    """A video that lost its first frame: by the clock, row i is shown by frame i - 1."""
    episode = droid / "success" / "episode_000"
    videos = episode / "recordings" / "MP4"
    cut = droid / "cut.mp4"
    with av.open(str(videos / "20000001.mp4")) as source, av.open(str(cut), "w") as target:
        stream = target.add_stream("libx264", rate=60, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for frame in list(source.decode(video=0))[1:]:
            frame.pts = None
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
    shutil.move(cut, videos / "20000001.mp4")
    sidecar = videos / "20000001_timestamps.json"
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text())[1:]))
    by_time = open_droid(droid, alignment="timestamps", camera_views="first")[0]
    assert (by_time["indices"] - by_time["clip_indices"]).tolist() == [1] * 8
    by_row = open_droid(droid, camera_views="first")[0]
    assert (by_row["indices"] - by_row["clip_indices"]).tolist() == [0] * 8


def test_files_are_closed(droid: Path) -> None:
    psutil = pytest.importorskip("psutil")
    found = open_droid(droid)
    found[0]
    before = psutil.Process().num_fds()
    for row in range(4):
        found[row]
    (droid / "success" / "episode_002" / "metadata_002.json").unlink()
    with pytest.raises(SampleError):
        found[2]
    assert psutil.Process().num_fds() == before


@pytest.mark.parametrize(("content", "message"), [("", "holds no rows"), ("\n\n", "holds no rows")])
def test_empty_list(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "list.csv").write_text(content)
    with pytest.raises(SourceError, match=message):
        DroidSource(tmp_path / "list.csv")
    (tmp_path / "root").mkdir()
    with pytest.raises(SourceError, match=r"holds no folder with a trajectory\.h5"):
        DroidSource(tmp_path / "root")


def edit_info(root: Path, **changes: Any) -> None:
    file = root / "meta" / "info.json"
    content = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))


def parquet_of(root: Path, episode: int) -> Path:
    with LeRobotSource(root).open(episode) as opened:
        return Path(opened._place.data)


def test_lerobot_faults_that_stop_before_work(lerobot: Path) -> None:
    info = json.loads((lerobot / "meta" / "info.json").read_text())
    features = info["features"] | {CAMERA: {"dtype": "string", "shape": [1]}}
    named = {"cameras": [CAMERA]}
    other = "data/chunk-{episode_chunk:03d}/x_{episode_index}.parquet"
    swapped = other if info["codebase_version"] == "v3.0" else "data/{chunk_index}/{file_index}.parquet"
    for changes, message in (
        ({"codebase_version": "v1.6"}, r"codebase_version must be v2.0, v2.1 or v3.0 \(got 'v1.6'\)"),
        ({"fps": None}, "misses fps"),
        ({"features": features}, rf"camera {CAMERA} is stored as string, and is not one of its cameras"),
        ({"data_path": swapped}, f"says version {info['codebase_version']}, but its file names are those of another"),
    ):
        edit_info(lerobot, **{name: info[name] for name in info} | changes)
        with pytest.raises((SourceError, ConfigError), match=message):
            open_lerobot(lerobot, named)
    edit_info(lerobot, **info)
    with pytest.raises(ConfigError, match=r"camera observation.images.top is not one of its cameras: observation"):
        open_lerobot(lerobot, {"cameras": ["observation.images.top"]})
    with pytest.raises(ConfigError, match=r"has no column observation.state \(columns: observation.state.cartesian"):
        open_lerobot(lerobot, {"state_keys": ["observation.state"]})
    with pytest.raises(ConfigError, match=r"has no column camera_extrinsics.none"):
        open_lerobot(lerobot, {"extrinsics_key": "camera_extrinsics.none"})
    with pytest.raises(SourceError, match=r"is not a LeRobot dataset: it holds no meta/info\.json"):
        open_lerobot(lerobot / "data")


def test_meta_of_the_other_version(lerobot: Path) -> None:
    version = json.loads((lerobot / "meta" / "info.json").read_text())["codebase_version"]
    edit_info(lerobot, codebase_version="v3.0" if version == "v2.1" else "v2.1")
    with pytest.raises(SourceError, match=r"holds no parquet file|episodes\.jsonl: cannot be read"):
        open_lerobot(lerobot)


@pytest.mark.parametrize(
    "line", ["3", "null", "{}", '{"episode_index": 0}', '{"episode_index": "x", "length": 2}',
             f'{{"episode_index": {10**30}, "length": 2}}', "[" * 5000]
)  # fmt: skip
def test_lines_that_are_no_episodes(line: str, cache: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(write_synthetic_lerobot(cache, 4, "v2.1"), tmp_path / "lerobot"))
    (root / "meta" / "episodes.jsonl").write_text(f"{line}\n")
    with pytest.raises(SourceError, match=r"episodes\.jsonl"):
        open_lerobot(root)


def rewrite_parquet(file: Path, change: Callable[[dict[str, list[Any]]], Any]) -> None:
    columns = pq.read_table(file).to_pydict()
    change(columns)
    import pyarrow

    pq.write_table(pyarrow.table(columns), file)


def shift_clock(columns: dict[str, list[Any]]) -> None:
    columns["timestamp"] = [t + (0.02 if i % 2 else 0) for i, t in enumerate(columns["timestamp"])]


LEROBOT_FAULTS: dict[str, tuple[Callable[[dict[str, list[Any]]], Any], str]] = {
    "frames off their rows": (shift_clock, r"episode 0: row \d+ is at .* s, the nearest frame \d+ is 0\.0200 s away"),
    "column missing": (lambda c: c.pop("observation.state.gripper_position"), "has no column observation.state.g"),
    "another episode's rows": (
        lambda c: c.update(episode_index=[7] * len(c["episode_index"])), r"marked as episodes \[7\]"
    ),
    "too few rows": (lambda c: [c.update({n: v[:50] for n, v in c.items()})], "the file has 50 rows"),
    "NaN": (
        lambda c: c.update({"observation.state.gripper_position": [[float("nan")]] * len(c["index"])}),
        "observation.state.gripper_position is not a finite number in row",
    ),
    "nulls": (lambda c: c.update({"observation.state.gripper_position": [None] * len(c["index"])}), "is not a finite"),
    "ragged": (
        lambda c: c.update({"observation.state.cartesian_position": [[0.0] * (i % 3) for i in range(len(c["index"]))]}),
        "observation.state.cartesian_position of .* cannot be read",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", LEROBOT_FAULTS)
def test_lerobot_faults_are_named(lerobot: Path, fault: str) -> None:
    change, message = LEROBOT_FAULTS[fault]
    rewrite_parquet(parquet_of(lerobot, 0), change)
    with pytest.raises(SampleError, match=message) as error:
        open_lerobot(lerobot)[0]
    assert "episode 0" in str(error.value) and "\n" not in str(error.value)


def test_files_of_a_lerobot_episode_that_are_missing_or_broken(lerobot: Path) -> None:
    data = parquet_of(lerobot, 0)
    data.write_bytes(b"PAR1 nothing")
    with pytest.raises(SampleError, match=r"episode 0: .*\.parquet cannot be read as parquet"):
        open_lerobot(lerobot)[0]
    data.unlink()
    with pytest.raises(SampleError, match=r"\.parquet cannot be read as parquet"):
        open_lerobot(lerobot)[0]


def test_stereo_of_lerobot_is_refused(lerobot: Path) -> None:
    with pytest.raises(SampleError, match=r"hold no stereo videos: set robotics\.stereo=false"):
        open_lerobot(lerobot, stereo=True)[0]


@pytest.mark.parametrize(("overrides", "message"), [
    (["data=kinetics", "robotics=droid", "data_aug=robotics"], "robotics.enabled needs data with robot states"),
    (["data=droid", "robotics=droid"], "data_aug.horizontal_flip must be false for robot data"),
    (["data=droid", "data.clip_mode=duration"], r"data.clip_mode must be fps for robot data, .* \(got duration\)"),
    (["data=droid", "data.short_videos=repeat_last"], "data.short_videos must be one of drop"),
    (["data=lerobot", "robotics=lerobot", "data_aug=robotics", "robotics.stereo=true"], "needs data.layout=droid"),
    (["data=droid", "robotics=droid", "data_aug=robotics", "data.extrinsics_key=''", "robotics.camera_frame=true"],
     "robotics.camera_frame needs data.extrinsics_key"),
    (["data=droid", "robotics=droid", "data_aug=robotics", "robotics.action=delta"], "robotics.action must be one of"),
    (["data_aug=pretrain", "data_aug.motion_shift=true", "data_aug.center_crop_ratio=1"], "a fixed crop does not move"),
])  # fmt: skip
def test_contradictions_stop_before_work(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        compose(overrides)


def test_missing_library_names_the_extra(droid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(UserError, match=r"needs h5py: pip install 'vjepa_pipe\[robotics\]'") as error:
        open_droid(droid, "replace")[0]
    assert not isinstance(error.value, SampleError)
