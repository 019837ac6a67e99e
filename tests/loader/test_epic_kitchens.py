"""Clips before actions through DataManager: frames, labels, what is drawn, workers, resuming, bad samples."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from epic_kitchens import TRAIN, VIDEOS, write_actions, write_epic_kitchens
from footage import read_counter
from storage.copies import in_memory

from vjepa_pipe import ConfigError, DataManager, SampleError, compose
from vjepa_pipe.config import ExperimentConfig
from vjepa_pipe.config.data_files import named_files
from vjepa_pipe.config.folders import conf_dir
from vjepa_pipe.datasets import EpicKitchensDataset
from vjepa_pipe.datasets.keyed import KeyedDataset
from vjepa_pipe.tasks.plain_videos import plain_videos
from vjepa_pipe.video import Anticipation

DRAWN = ["data.anticipation_time_sec=[0.25,1.75]", "data.anticipation_point=[0,0.25]"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_epic_kitchens(tmp_path_factory.mktemp("epic"))


@pytest.fixture(autouse=True)
def work_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bad rows are written down in the working folder."""
    monkeypatch.chdir(tmp_path)


def experiment(root: Path, *overrides: str) -> ExperimentConfig:
    return compose([
        "data=epic_kitchens", f"data.data_paths=[{root}/train.csv]", f"data.eval_data_paths=[{root}/val.csv]",
        "data.frames_per_clip=4", "data.img_size=32", "data.batch_size=2", "data.num_workers=0", "mask=none",
        *overrides,
    ])  # fmt: skip


def dataset_of(root: Path, *overrides: str) -> EpicKitchensDataset:
    dataset = DataManager(experiment(root, *overrides)).build_train_dataset()
    assert isinstance(dataset, EpicKitchensDataset)
    return dataset


def digest(batch: dict[str, Any]) -> list[Any]:
    drawn = batch["anticipation_time"], batch["anticipation_point"], batch["clip_indices"], batch["row"]
    return [part.tolist() for part in drawn] + [batch["video"].double().sum().item()]


def test_a_sample_says_what_comes(root: Path) -> None:
    dataset = dataset_of(root, *DRAWN)
    for i, (video, first, last, verb, noun) in enumerate(TRAIN):
        sample, clip = dataset[i], dataset.read(dataset.key_of(i))
        assert clip.path == str(root / video[:3] / "videos" / f"{video}.MP4")
        assert [read_counter(frame) for frame in clip.frames] == sample["clip_indices"].tolist()
        classes = dataset.classes
        found = list(classes.verbs)[sample["verb"]], list(classes.nouns)[sample["noun"]]
        assert found == (verb, noun) == list(classes.actions)[sample["action"]]
        assert sample["label"] == sample["action"] and type(sample["verb"]) is type(sample["noun"]) is int
        time_sec, point = sample["anticipation_time"].item(), sample["anticipation_point"].item()
        assert 0.25 <= time_sec <= 1.75 and 0 <= point <= 0.25
        expected = Anticipation(first, last, time_sec, point).frames(4, 8, VIDEOS[video][0], float(VIDEOS[video][1]))
        assert sample["clip_indices"].tolist() == expected.tolist()
    assert len({dataset[i]["anticipation_time"].item() for i in range(len(TRAIN))}) == len(TRAIN)


def test_both_conventions(root: Path) -> None:
    at_7 = "data.target_fps=7"  # 24 / 7 = 3.43: every third frame, or a true stride
    assert dataset_of(root, at_7)[0]["clip_indices"].tolist() == [22, 25, 29, 32]
    reference = dataset_of(root, at_7, "data.convention=reference")
    assert reference[0]["clip_indices"].tolist() == [24, 27, 30, 33]


def test_eval_is_fixed_and_knows_the_classes_of_training(root: Path) -> None:
    manager = DataManager(experiment(root, *DRAWN, "data.eval_anticipation_time_sec=0.5"))
    loader = manager.build_eval_loader()
    (batch,), (again,) = list(loader), list(loader)
    assert batch["verb"].tolist() == [0, 1] and batch["noun"].tolist() == [0, 1] and batch["action"].tolist() == [0, 3]
    assert batch["anticipation_time"].tolist() == [0.5, 0.5] and batch["anticipation_point"].tolist() == [1, 1]
    assert batch["anticipation_time"].dtype == torch.float64
    assert digest(batch) == digest(again)


def test_workers_and_resuming_change_nothing(root: Path) -> None:
    loader = DataManager(experiment(root, *DRAWN)).build_train_loader()
    expected = [digest(batch) for _ in range(2) for batch in loader]
    assert len(expected) == 6 and expected[0] != expected[3]
    workers = experiment(root, *DRAWN, "data.num_workers=1", "loader.start_method=spawn")
    there = DataManager(workers).build_train_loader()
    first = iter(there)
    assert digest(next(first)) == expected[0]
    state = there.state_dict()
    there.close()
    resumed = DataManager(experiment(root, *DRAWN)).build_train_loader()
    resumed.load_state_dict(state)
    assert [digest(batch) for batch in resumed] == expected[1:3]


def test_clips_of_one_opening_have_a_moment_each(root: Path) -> None:
    found = {}
    for window in ("own", "same"):
        several = ["data.repeated_sampling=2", f"data.repeated_window={window}"]
        batch = next(iter(DataManager(experiment(root, *DRAWN, *several)).build_train_loader()))
        assert batch["row"][0] == batch["row"][1]
        found[window] = (
            len(set(batch["anticipation_time"].tolist())),
            len(set(map(str, batch["clip_indices"].tolist()))),
        )
    assert found["same"] == (1, 1) and found["own"][0] == 2


def test_bad_rows_are_replaced_and_fail_an_evaluation(root: Path, tmp_path: Path) -> None:
    bad = [("P01_01", 300, 400, 5, 70), ("P09_01", 40, 50, 3, 9)]  # past the end of the video; no such video
    write_actions(tmp_path / "bad.csv", [*TRAIN, *bad])
    manager = DataManager(experiment(root, f"data.data_paths=[{tmp_path}/bad.csv]", f"data.video_root={root}"))
    replaced = [bad for batch in manager.build_train_loader() for some in batch["replaced"] for bad in some]
    assert {(one.row, one.error) for one in replaced} == {(6, "ClipError"), (7, "VideoError")}
    assert "would end at frame 273 of a video with 120" in str(replaced)
    here = [f"data.eval_data_paths=[{tmp_path}/bad.csv]", f"data.video_root={root}"]
    with pytest.raises(SampleError, match=r"P01_01\.MP4: the clip before .* would end at frame 273"):
        list(DataManager(experiment(root, *here)).build_eval_loader())


def test_lists_and_videos_at_urls(root: Path) -> None:
    url = in_memory(root, "epic_kitchens")
    here = dataset_of(root)
    for settings in ([f"data.data_paths=[{url}/train.csv]"], [f"data.video_root={url}"]):
        there = dataset_of(root, *settings)
        assert there.sources[0].path(0) == f"{url}/P01/videos/P01_01.MP4"
        assert there.sources[0].fingerprint() == here.sources[0].fingerprint()
        assert torch.equal(there[0]["video"], here[0]["video"])
    with pytest.raises(ConfigError, match=f"decoder must be pyav with data.video_root={url}"):
        experiment(root, f"data.video_root={url}", "decoder=decord")


def test_lists_come_from_the_environment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = ["data.data_paths=[]", "data.eval_data_paths=[]"]
    monkeypatch.delenv("EPIC_KITCHENS_CSV", raising=False)
    with pytest.raises(ConfigError, match=r"EPIC_KITCHENS_CSV is not set: .* with the columns video_id, start_frame"):
        DataManager(experiment(root, *named)).build_train_loader()
    monkeypatch.setenv("EPIC_KITCHENS_CSV", f"{root}/train.csv")
    monkeypatch.setenv("EPIC_KITCHENS_VAL_CSV", f"{root}/val.csv")
    manager = DataManager(experiment(root, *named))
    datasets: list[KeyedDataset] = [manager.build_train_dataset(), manager.build_eval_dataset()]
    assert [len(dataset) for dataset in datasets] == [6, 2]


def test_documented_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (conf_dir().parent / "docs" / "action_anticipation.md").read_text()
    commands = re.findall(r"^ {4}(?:EPIC_KITCHENS_CSV=(\S+) )?python launch\.py (data=.*|task=.*)$", page, re.MULTILINE)
    assert len(commands) == 2
    for variable, words in commands:
        monkeypatch.setenv("EPIC_KITCHENS_CSV", variable)
        assert named_files(compose(shlex.split(words)).data) == ["EPIC_100_train.csv"]


def test_tasks_of_files_refuse_actions(root: Path) -> None:
    with pytest.raises(ConfigError, match="this task reads lists of videos"):
        plain_videos(DataManager(experiment(root)))
