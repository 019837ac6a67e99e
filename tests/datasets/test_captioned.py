"""CaptionedDataset: what a sample holds, in both layouts, and what stands for a video that cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from captioned import CAPTIONS, Letters, save_tokenizer, video_path, write_csv, write_webvid
from footage import read_counter, truncated, write_audio, write_video

from vjepa_pipe import AugConfig, CaptionedDataset, VideoConfig, VideoTransformPipeline, register_sampling_policy
from vjepa_pipe.config import CaptionedDataConfig, ConfigError, OutputConfig, TextConfig, UserError, registry
from vjepa_pipe.datasets import CaptionTokens, KeyedDataset, TooManyBadSamples, build_video_dataset
from vjepa_pipe.sources import read_webvid
from vjepa_pipe.video import DecordDecoder, PolicyError, VideoError

GONE = ("9999999",)
SAMPLE = {
    "pixel_values", "frame_mask", "frame_times", "clip_indices", "caption", "label", "video_id", "decode_ok", "source",
    "row", "key", "replaced", "stats",
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows 0 to 3 are videos of 20, 3, 60 and 40 frames at 10 per second; row 4 has no video."""
    return write_webvid(tmp_path_factory.mktemp("webvid"), GONE)


def config(root: Path, **changes) -> VideoConfig:
    return VideoConfig(**({"data_root": str(root), "max_frames": 8, "frame_size": 16} | changes))


def dataset(root: Path, tokens: CaptionTokens | None = None, **settings) -> CaptionedDataset:
    return CaptionedDataset(read_webvid(root), config(root), tokens, **settings)


def test_a_full_sample(root: Path) -> None:
    sample = dataset(root, CaptionTokens(Letters(), 8))[2]
    assert set(sample) == SAMPLE | {"input_ids", "labels"}
    assert (sample["pixel_values"].shape, sample["pixel_values"].dtype) == ((8, 3, 16, 16), torch.float32)
    assert sample["pixel_values"].min() >= -1 and sample["pixel_values"].max() <= 1
    assert (sample["frame_mask"].dtype, sample["frame_mask"].tolist()) == (torch.bool, [True] * 8)
    assert sample["frame_times"].dtype == torch.float32
    assert sample["frame_times"].tolist() == pytest.approx((sample["clip_indices"] / 10).tolist())
    assert sample["clip_indices"].tolist() == [0, 9, 18, 26, 35, 43, 52, 59]
    assert sample["input_ids"].shape == sample["labels"].shape == (8,)
    assert (sample["caption"], sample["video_id"], bool(sample["decode_ok"])) == ("NA", "8469580", True)
    assert sample["label"] == sample["caption"]
    assert (sample["source"], sample["row"], sample["replaced"]) == ("webvid-10M", 2, [])


def test_a_short_video_is_padded_and_no_frame_comes_twice(root: Path) -> None:
    sample = dataset(root)[1]
    assert sample["frame_mask"].tolist() == [True] * 3 + [False] * 5
    assert sample["clip_indices"].tolist() == [0, 1, 2, -1, -1, -1, -1, -1]
    assert sample["frame_times"].tolist() == pytest.approx([0, 0.1, 0.2, 0, 0, 0, 0, 0])
    assert (sample["pixel_values"][3:] == 0).all()
    assert all((frame != 0).any() for frame in sample["pixel_values"][:3])


def test_ids_and_captions_are_text(root: Path) -> None:
    samples = dataset(root)
    assert {samples[row]["video_id"]: samples[row]["caption"] for row in range(4)} == CAPTIONS


def test_frames_are_the_ones_asked_for(tmp_path: Path) -> None:
    write_video(video_path(write_webvid(tmp_path), "0071234"), 60, fps=30, size=(128, 128))
    samples = CaptionedDataset(read_webvid(tmp_path), config(tmp_path, max_frames=4, frame_size=128))
    pixels = ((samples[0]["pixel_values"] + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    assert [read_counter(frame) for frame in pixels] == [0, 20, 40, 59]


def test_decoders_give_the_same_sample(root: Path) -> None:
    a, b = dataset(root), dataset(root, decoder=DecordDecoder())
    for row in range(4):
        assert torch.equal(a[row]["clip_indices"], b[row]["clip_indices"])
        assert (a[row]["pixel_values"] - b[row]["pixel_values"]).abs().max() < 0.03


def test_layout_of_vjepa(root: Path) -> None:
    transform = VideoTransformPipeline(AugConfig(), img_size=32).get_train_transform()
    samples = dataset(root, layout="vjepa", transform=transform)
    short, again = samples[1], samples[1]
    assert set(short) == SAMPLE - {"pixel_values"} | {"video"}
    assert short["video"].shape == (3, 8, 32, 32)
    assert (short["video"][:, 3:] == 0).all() and (short["video"][:, :3] != 0).any()
    assert torch.equal(short["video"], again["video"])
    assert short["frame_mask"].tolist() == [True] * 3 + [False] * 5


def test_both_layouts_show_the_same_frames(root: Path) -> None:
    vlm, vjepa = dataset(root)[0], dataset(root, layout="vjepa")[0]
    assert vjepa["video"].dtype == torch.uint8 and vjepa["video"].shape == (3, 8, 96, 128)
    for name in ("frame_mask", "frame_times", "clip_indices"):
        assert torch.equal(vlm[name], vjepa[name])


@pytest.mark.parametrize("layout", ["vlm", "vjepa"])
def test_zero_masked(root: Path, layout: str) -> None:
    tokens = CaptionTokens(Letters(), 8)
    sample = dataset(root, tokens, layout=layout, on_bad_sample="zero_masked")[4]
    pixels = sample["pixel_values" if layout == "vlm" else "video"]
    assert pixels.shape == ((8, 3, 16, 16) if layout == "vlm" else (3, 8, 16, 16))
    assert (pixels == 0).all() and not sample["frame_mask"].any() and not sample["decode_ok"]
    assert (sample["labels"] == -100).all()
    assert sample["input_ids"].tolist()[:4] == [7, 15, 14, 5]  # gone
    assert (sample["caption"], sample["video_id"], sample["row"]) == ("gone", GONE[0], 4)
    (bad,) = sample["replaced"]
    assert (bad.row, bad.source) == (4, "webvid-10M") and "No such file" in bad.reason


def test_a_bad_video_is_replaced_with_its_caption(root: Path) -> None:
    sample = dataset(root)[4]
    assert sample["row"] != 4 and sample["decode_ok"] and sample["frame_mask"].any()
    assert sample["caption"] == list(CAPTIONS.values())[sample["row"]]
    assert next(bad.row for bad in sample["replaced"]) == 4
    with pytest.raises(VideoError, match=r"9999999\.mp4: No such file"):
        dataset(root, on_bad_sample="raise")[4]


@pytest.mark.parametrize("damage", ["text", "empty", "folder", "sound"])
def test_what_is_no_video(damage: str, tmp_path: Path) -> None:
    path = video_path(write_webvid(tmp_path), "007")
    path.unlink()
    match damage:
        case "folder":
            path.mkdir()
        case "sound":
            write_audio(path)
        case _:
            path.write_text("no video" if damage == "text" else "")
    assert not dataset(tmp_path, on_bad_sample="zero_masked")[1]["decode_ok"]
    with pytest.raises(VideoError, match=r"007\.mp4"):
        dataset(tmp_path, on_bad_sample="raise")[1]


def test_a_video_that_is_cut_off(tmp_path: Path) -> None:
    path = video_path(write_webvid(tmp_path), "8469580")
    write_video(path.with_name("whole.mp4"), 60, fps=10, container_options={"movflags": "faststart"})
    truncated(path.with_name("whole.mp4"), path, 0.6)
    assert not dataset(tmp_path, on_bad_sample="zero_masked")[2]["frame_mask"].any()
    with pytest.raises(VideoError, match=r"8469580\.mp4: damaged or cut off"):
        dataset(tmp_path, on_bad_sample="raise")[2]


def test_limits(root: Path) -> None:
    with pytest.raises(VideoError, match=r"longer than max_duration_sec=1\.5"):
        dataset(root, max_duration_sec=1.5, on_bad_sample="raise")[0]
    with pytest.raises(VideoError, match="more than max_file_bytes=10"):
        dataset(root, max_file_bytes=10, on_bad_sample="raise")[0]
    with pytest.raises(TooManyBadSamples, match="source webvid-10M: 5 samples in a row"):
        dataset(root, max_file_bytes=10)[0]


def test_a_policy_that_breaks_its_contract_is_no_bad_sample(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry._policies, "_loaded", dict(registry._policies._loaded))
    register_sampling_policy("late")(lambda duration_s, fps, min_frames, max_frames: [duration_s + 1])
    samples = CaptionedDataset(read_webvid(root), config(root, sampling_policy="late"), on_bad_sample="zero_masked")
    with pytest.raises(PolicyError, match=r"sampling policy late must give times in \[0, 2\] \(got 3\)"):
        samples[0]


def test_build_from_a_video_config(root: Path, tmp_path: Path) -> None:
    samples = build_video_dataset(config(root, prompt="Say:"), save_tokenizer(tmp_path), 12)
    assert isinstance(samples, KeyedDataset)
    assert (len(samples), samples.layout, samples[0]["input_ids"].shape) == (5, "vlm", (12,))
    assert "input_ids" not in build_video_dataset(config(root))[0]


@pytest.mark.parametrize("kind", ["webvid", "webvid_original"])
def test_every_setting_reaches_the_dataset(kind: str, tmp_path: Path) -> None:
    rows = [("1", "one", "p"), ("2", "two", "p")]
    header = ("videoid", "name", "page_dir")
    write_csv(tmp_path / "results_2M_val.csv", rows, header)
    write_csv(tmp_path / "raw" / "webvid-2M" / "data" / "val" / "partitions" / "a.csv", rows, header)
    video = VideoConfig(str(tmp_path), kind, "webvid-2M", "molmo2", "validation", 1, 9, 3, 5.0, 24, "Say:")
    samples = build_video_dataset(video, save_tokenizer(tmp_path / "tokenizer"), 12)
    sampler = samples.frame_sampler
    assert (sampler.name, sampler.frame_rule) == ("molmo2", "on_show")
    assert (sampler.fps, sampler.min_frames, sampler.max_frames) == (5.0, 3, 9)
    assert (len(samples), samples.sources[0].name, samples.sources[0].label(0)) == (1, "webvid-2M", "one")
    assert samples.transform.size == 24
    assert samples.tokens("x")["labels"].tolist()[:3] == [-100] * 3
    assert samples.tokens("x")["labels"][3] >= 0


def test_build_from_the_data_of_an_experiment(root: Path, tmp_path: Path) -> None:
    data = CaptionedDataConfig(
        data_root=str(root), max_frames=4, frame_size=16, frames_per_clip=4, img_size=16,
        text=TextConfig(tokenizer_path=save_tokenizer(tmp_path), max_text_len=6, labels="reference"),
        output=OutputConfig(layout="vjepa"), max_duration_sec=5,
    )  # fmt: skip
    samples = build_video_dataset(data)
    assert (samples.layout, samples.tokens.labels, samples.max_duration_sec) == ("vjepa", "reference", 5)
    assert samples[0]["labels"].tolist() == samples[0]["input_ids"].tolist()


def test_arguments_are_checked(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"layout must be one of vlm, vjepa \(got 'vllm'\)"):
        dataset(root, layout="vllm")
    with pytest.raises(
        ValueError, match=r"on_bad_sample must be one of replace, raise, skip, zero_masked \(got 'zero'\)"
    ):
        dataset(root, on_bad_sample="zero")
    monkeypatch.setattr(registry._datasets, "_loaded", dict(registry._datasets._loaded))
    registry.register_video_dataset("no_dataset")(lambda config, tokenizer_path, max_text_len: [1, 2])
    with pytest.raises(UserError, match=r"data.dataset_type=no_dataset must build a CaptionedDataset \(got list\)"):
        build_video_dataset(config(root, dataset_type="no_dataset"))
    data = CaptionedDataConfig(dataset_type="no_dataset", extra_args={"shard": 1})
    with pytest.raises(ConfigError, match=r"data\.extra_args\.shard: no_dataset has no such parameter"):
        build_video_dataset(data)


def test_global_generators_are_left_alone(root: Path) -> None:
    np.random.seed(0)
    torch.manual_seed(0)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    dataset(root)[0]
    assert (before[0] == np.random.get_state()[1]).all() and torch.equal(before[1], torch.get_rng_state())
