"""VideoDataset: samples, their dependence on nothing but the key, and bad rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vjepa_pipe import AugConfig, VideoDataset, VideoTransformPipeline
from vjepa_pipe.datasets import TooManyBadSamples
from vjepa_pipe.sampling import SampleKey
from vjepa_pipe.video import ClipError, DecordDecoder, VideoError


@pytest.fixture(scope="module")
def train_transform():
    return VideoTransformPipeline(AugConfig(), img_size=64).get_train_transform()


@pytest.mark.parametrize("mode", ["fps", "duration", "frame_step"])
def test_clip_modes_give_c_t_h_w(videos_csv: Path, train_transform, mode: str) -> None:
    sample = VideoDataset(videos_csv, clip_mode=mode, frames_per_clip=8, transform=train_transform)[0]
    assert sample["video"].shape == (3, 8, 64, 64)
    assert sample["video"].dtype == torch.float32
    assert sample["clip_indices"].shape == (8,)
    assert (sample["source"], sample["row"], sample["replaced"]) == ("videos", 0, [])
    assert isinstance(sample["label"], int)


def test_frame_step_is_kept(videos_csv: Path) -> None:
    indices = VideoDataset(videos_csv, clip_mode="frame_step", frame_step=2, frames_per_clip=8)[0]["clip_indices"]
    assert torch.equal(indices.diff(), torch.full((7,), 2))


def test_sample_depends_on_its_key_alone(videos_csv: Path, train_transform) -> None:
    first, second = (VideoDataset(videos_csv, frames_per_clip=4, transform=train_transform) for _ in range(2))
    key = SampleKey(seed=3, epoch=2, position=17, source=0, row=5)
    np.random.seed(1)
    a = first[key]
    torch.manual_seed(7)
    second[SampleKey(3, 2, 18, 0, 4)]
    assert torch.equal(a["video"], second[key]["video"])
    assert not torch.equal(a["video"], first[key._replace(position=18)]["video"])


def test_decoders_give_the_same_sample(videos_csv: Path) -> None:
    a, b = VideoDataset(videos_csv), VideoDataset(videos_csv, decoder=DecordDecoder())
    for row in range(len(a)):
        difference = (a[row]["video"].int() - b[row]["video"].int()).abs()
        assert difference.max() <= 1, row


def test_without_transform_frames_stay_uint8(videos_csv: Path) -> None:
    video = VideoDataset(videos_csv, frames_per_clip=4)[1]["video"]
    assert (video.dtype, video.shape[:2]) == (torch.uint8, (3, 4))


def test_torchvision_transform_gets_t_c_h_w(videos_csv: Path) -> None:
    from torchvision.transforms import v2

    sample = VideoDataset(videos_csv, frames_per_clip=4, transform=v2.CenterCrop(32))[0]
    assert sample["video"].shape == (4, 3, 32, 32)


def test_several_clips_are_stacked(videos_csv: Path, train_transform) -> None:
    sample = VideoDataset(videos_csv, frames_per_clip=4, target_fps=30, num_clips=2, transform=train_transform)[0]
    assert sample["video"].shape == (2, 3, 4, 64, 64)
    assert sample["clip_indices"].shape == (2, 4)


def test_views_of_an_eval_clip(videos_csv: Path) -> None:
    views = VideoTransformPipeline(AugConfig(eval_views=3), img_size=64).get_eval_transform()
    assert VideoDataset(videos_csv, frames_per_clip=4, num_clips=2, transform=views)[0]["video"].shape == (
        6,
        3,
        4,
        64,
        64,
    )


def test_images_are_clips_of_one_repeated_frame(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    Image.new("RGB", (40, 30), (255, 0, 0)).save(tmp_path / "cat" / "a.png")
    sample = VideoDataset(tmp_path, frames_per_clip=4)[0]
    assert sample["video"].shape == (3, 4, 30, 40)
    assert (sample["video"][0] == 255).all() and (sample["video"][1:] == 0).all()


def test_sources_may_differ_in_length(videos_csv: Path) -> None:
    dataset = VideoDataset([videos_csv, videos_csv], frames_per_clip_by_source=[4, 6], source_names=["a", "b"])
    assert len(dataset) == 16
    assert dataset[0]["video"].shape[1] == 4
    assert (dataset[8]["video"].shape[1], dataset[8]["source"], dataset[8]["row"]) == (6, "b", 0)
    assert dataset[-1]["row"] == 7


@pytest.fixture
def one_bad_of_eight(videos_csv: Path, tmp_path: Path) -> Path:
    """The synthetic videos, the third replaced by text."""
    lines = [line.rsplit(" ", 1) for line in videos_csv.read_text().splitlines()]
    rows = [[str((videos_csv.parent / path).resolve()), label] for path, label in lines]
    (tmp_path / "bad.mp4").write_text("this is not a video")
    rows[2][0] = str(tmp_path / "bad.mp4")
    csv = tmp_path / "some_bad.csv"
    csv.write_text("".join(f"{path} {label}\n" for path, label in rows))
    return csv


def test_bad_row_is_replaced_by_its_source_and_reported(one_bad_of_eight: Path) -> None:
    dataset = VideoDataset(one_bad_of_eight, frames_per_clip=4)
    sample = dataset[2]
    (bad,) = sample["replaced"]
    assert (bad.source, bad.row) == ("some_bad", 2)
    assert "bad.mp4" in bad.reason
    assert sample["row"] != 2
    assert torch.equal(sample["video"], dataset[2]["video"])


def test_bad_row_can_be_raised(one_bad_of_eight: Path) -> None:
    with pytest.raises(VideoError, match=r"bad\.mp4"):
        VideoDataset(one_bad_of_eight, on_bad_sample="raise")[2]


def test_short_video_can_be_dropped(videos_csv: Path) -> None:
    with pytest.raises(ClipError, match=r"\.mp4: a clip spans"):
        VideoDataset(videos_csv, frames_per_clip=64, target_fps=1, short_videos="drop", on_bad_sample="raise")[0]


def test_replacement_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("".join(f"missing{i}.mp4 0\n" for i in range(50)))
    with pytest.raises(TooManyBadSamples, match="source rows: 11 samples in a row could not be read"):
        VideoDataset(tmp_path / "rows.csv")[0]


def test_size_and_duration_limits(videos_csv: Path) -> None:
    with pytest.raises(VideoError, match="more than max_file_bytes=10"):
        VideoDataset(videos_csv, max_file_bytes=10, on_bad_sample="raise")[0]
    with pytest.raises(VideoError, match=r"longer than max_duration_sec=0\.5"):
        VideoDataset(videos_csv, max_duration_sec=0.5, on_bad_sample="raise")[0]


def test_arguments_are_checked(videos_csv: Path) -> None:
    with pytest.raises(ValueError, match=r"source_names must have 1 value, one for each source \(got"):
        VideoDataset(videos_csv, source_names=["a", "b"])
    with pytest.raises(ValueError, match="clip_mode"):
        VideoDataset(videos_csv, clip_mode="duratoin")
