"""Published keys to our settings: meaning, profile defaults, the account of every key, faults with their line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from published_files import BLOCKS, CLIPS, FILES, LONG, SHORT, write_file

from vjepa_pipe import ConfigError, compose
from vjepa_pipe.config import ExperimentConfig, RobotDataConfig
from vjepa_pipe.config.epic_kitchens import EpicKitchensDataConfig
from vjepa_pipe.config.tree import leaves
from vjepa_pipe.legacy.read import read_legacy
from vjepa_pipe.legacy.translate import translate


def load(folder: Path, kind: str, **changes: Any) -> ExperimentConfig:
    return compose([f"legacy={write_file(folder, kind, **changes)}"])


def test_pretraining_file_becomes_these_settings(tmp_path: Path) -> None:
    found = load(tmp_path, "vjepa")
    assert found.data.data_paths == ["a.csv", "b.csv"]
    assert (found.data.data_weights, found.data.frames_per_clip_by_source) == ([1, 3], [4, 8])
    assert (found.data.target_fps, found.data.img_size, found.data.num_workers) == (4, 32, 1)
    assert (found.data.convention, found.mask.convention) == ("reference", "reference")
    assert found.data_aug.crop_ratio == pytest.approx((3 / 4, 4 / 3)), "the published default, not ours"
    assert found.data_aug.random_erasing == 0.25
    assert (found.data_aug.motion_shift, found.data_aug.rand_augment_order) == (False, "before_crop")
    assert list(found.mask.masks) == ["mask_0", "mask_1"]  # type: ignore[attr-defined]
    assert found.mask.masks["mask_1"].max_keep == 20  # type: ignore[attr-defined]
    assert (found.seed, found.loader.iterations_per_epoch) == (7, 12)
    assert found.training.model.model_name == "vit_tiny"  # type: ignore[attr-defined]
    assert found.training.optimization.ema == [0.99, 1.0]  # type: ignore[attr-defined]


def test_released_masks_keep_their_names(tmp_path: Path) -> None:
    assert list(load(tmp_path, "vjepa", mask=[SHORT, LONG]).mask.masks) == ["short", "long"]  # type: ignore[attr-defined]
    assert list(load(tmp_path, "vjepa", mask=[LONG, SHORT]).mask.masks) == ["mask_0", "mask_1"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "path", "default"),
    [
        ("vjepa", "model.uniform_power", False),
        ("vjepa_v1", "model.uniform_power", True),
        ("vjepa", "model.use_mask_tokens", False),
        ("vjepa_v1", "model.use_mask_tokens", True),
        ("vjepa_2_1", "loss.predict_all", True),
        ("vjepa_droid", "model.pred_is_frame_causal", True),
    ],
)
def test_defaults_are_those_of_the_profile(tmp_path: Path, kind: str, path: str, default: Any) -> None:
    node: Any = load(tmp_path, kind).training
    for name in path.split("."):
        node = getattr(node, name)
    assert node == default


def test_clip_modes(tmp_path: Path) -> None:
    v1 = load(tmp_path, "vjepa_v1").data
    assert (v1.clip_mode, v1.frame_step, v1.short_videos) == ("frame_step", 3, "drop")
    tubes = load(tmp_path, "vjepa_v1_tubes")
    assert (tubes.data.clip_mode, tubes.data.clip_duration_sec, tubes.data.frame_step) == ("duration", 3.0, None)
    assert [mask.ratio for mask in tubes.mask.masks.values()] == [0.8, 0.5]  # type: ignore[attr-defined]
    probe = load(tmp_path, "video_probe")
    assert (probe.data.clip_mode, probe.data.frame_step, probe.data.num_clips) == ("frame_step", 4, 2)
    assert (probe.data_aug.random_erasing, probe.data_aug.crop_scale) == (0.25, (0.08, 1.0))
    v1_probe = load(tmp_path, "video_probe_v1").data
    assert (v1_probe.clip_mode, v1_probe.clip_duration_sec) == ("duration", 2.5)
    assert load(tmp_path, "image_probe").data.data_paths == ["/images/in1k/train"]


def test_anticipation_file_becomes_these_settings(tmp_path: Path) -> None:
    found = load(tmp_path, "anticipation", experiment__data__file_format=0)
    data = found.data
    assert isinstance(data, EpicKitchensDataConfig)
    assert (data.data_paths, data.eval_data_paths, data.video_root) == (["a.csv"], ["b.csv"], "/b")
    assert data.video_path == "{participant}/videos/{video}.MP4"
    assert load(tmp_path, "anticipation").data.video_path == "{participant}/{video}.MP4"  # type: ignore[attr-defined]
    assert (data.anticipation_time_sec, data.anticipation_point) == ((0.25, 1.75), (0.0, 0.25))
    assert (data.eval_anticipation_time_sec, data.eval_anticipation_point) == (1.0, 0.0), "the published default point"
    assert (data.frames_per_clip, data.target_fps, data.convention) == (8, 4, "reference")
    assert data.max_file_bytes is None, "these videos are long, and the published code reads all of them"
    assert (found.data_aug.horizontal_flip, found.data_aug.rand_augment_order) == (True, "before_crop")
    (warning,) = translate(read_legacy(write_file(tmp_path, "anticipation"))).warnings
    assert "before the end of the action" in warning


def test_robot_file_becomes_these_settings(tmp_path: Path) -> None:
    found = load(tmp_path, "vjepa_droid", data__camera_frame=True)
    assert isinstance(found.data, RobotDataConfig)
    assert (found.data.layout, found.data.data_paths, found.data.cameras) == ("droid", ["a.csv"], ["right_mp4_path"])
    assert (found.data.frames_per_clip, found.robotics.fps, found.robotics.frameskip) == (8, 4, 1)
    assert (found.robotics.enabled, found.robotics.camera_frame) == (True, True)
    assert (found.robotics.temporal_sampling, found.robotics.camera_views) == ("reference", "random")
    assert (found.data_aug.crop_scale, found.data_aug.keep_geometry) == ((1.777, 1.777), True)
    plain = load(tmp_path, "vjepa_droid", data={"datasets": ["a.csv"], "dataset_fpcs": [8], **CLIPS})
    assert plain.robotics.fps is None, "without a rate the published loader takes every row"
    assert plain.data.cameras == ["left_mp4_path"]  # type: ignore[attr-defined]
    rows = translate(read_legacy(write_file(tmp_path, "vjepa_droid"))).rows
    (mode,) = [row for row in rows if row.to == "robotics.temporal_sampling"]
    assert (mode.value, mode.status) == ("reference", "built in") and "trusts the fps of the mp4 header" in mode.note


@pytest.mark.parametrize("kind", FILES)
def test_every_key_is_accounted_for(tmp_path: Path, kind: str) -> None:
    file = read_legacy(write_file(tmp_path, kind))
    rows = translate(file).rows
    named = [row.key for row in rows if row.line is not None]
    for key, _ in leaves(file.values):
        if key not in ("app", "eval_name"):
            assert any(key == name or key.startswith((f"{name}.", f"{name}[")) for name in named), key
    assert all(row.status == "defaulted" for row in rows if row.line is None and row.key != "(built in)")


def test_dead_keys_typos_and_warnings(tmp_path: Path) -> None:
    done = translate(read_legacy(write_file(tmp_path, "video_probe", max_workers=8)))
    assert next(row for row in done.rows if row.key == "max_workers").status == "typo"
    assert done.settings["data.num_workers"] == 12
    assert "num_workers" in done.warnings[0]
    done = translate(read_legacy(write_file(tmp_path, "vjepa", meta__eval_freq=100, optimization__warmup=40)))
    assert next(row for row in done.rows if row.key == "meta.eval_freq").status == "dead"
    assert "warmup=40 epochs is longer" in done.warnings[0]
    done = translate(
        read_legacy(write_file(tmp_path, "vjepa", optimization__is_anneal=True, optimization__anneal_ckpt="/x/e0.pt"))
    )
    assert "first epoch" in done.warnings[0]
    assert "every crop is the centre one" in translate(read_legacy(write_file(tmp_path, "vjepa_droid"))).warnings[0]


def test_numbers_written_as_yaml_1_2(tmp_path: Path) -> None:
    file = write_file(tmp_path, "vjepa", optimization__final_lr="1e-6", data__fps="4e0", folder="1e5")
    found = compose([f"legacy={file}"])
    assert found.training.optimization.final_lr == 1e-6  # type: ignore[attr-defined]
    assert found.data.target_fps == 4.0
    assert found.training.folder == "1e5", "text stays text"  # type: ignore[attr-defined]
    assert any("text read as a number" in row.note for row in translate(read_legacy(file)).rows)


def test_unknown_key_is_an_error_unless_asked(tmp_path: Path) -> None:
    file = write_file(tmp_path, "vjepa", data__fsp=3)
    with pytest.raises(ConfigError, match=r"vjepa.yaml:\d+: data.fsp is not a key of .*mean data.fps"):
        compose([f"legacy={file}"])
    assert compose([f"legacy={file}", "legacy_unknown=warn"]).data.target_fps == 4
    with pytest.raises(ConfigError, match="legacy_unknown must be one of error, warn"):
        compose([f"legacy={file}", "legacy_unknown=maybe"])


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("vjepa", {"app": "llama"}, r"vjepa.yaml:1: app=llama is not known: it can be vjepa, vjepa_2_1, vjepa_droid"),
        ("vjepa", {"data__crop_size": [256, 512]}, r":\d+: data.crop_size must be one number \(got \[256, 512\]\)"),
        (
            "vjepa",
            {"data__datasets_weights": [1]},
            r"vjepa.yaml:\d+: data.datasets_weights must have 2 values, one for each dataset",
        ),
        ("vjepa", {"data__dataset_fpcs": [4, 4, 4]}, r"data.dataset_fpcs must have 2 values"),
        ("vjepa", {"data__sampling_rate": 4}, r"data.sampling_rate is not a key .*V-JEPA 1"),
        ("vjepa", {"data__fps": 0}, r"vjepa.yaml:\d+: data.fps: data.target_fps must be > 0"),
        ("vjepa", {"data__fps": None}, r"vjepa.yaml:\d+: data.fps: "),
        ("vjepa", {"data__dataset_type": "imagenet"}, r"data.dataset_type must be VideoDataset"),
        ("vjepa", {"mask": [BLOCKS, BLOCKS | {"num_blocks": 0}]}, r":\d+: mask\[1\].num_blocks: .* must be >= 1"),
        ("vjepa", {"mask": [BLOCKS | {"num_block": 1}]}, r"mask\[0\].num_block is not a key of a mask \(did you mean"),
        ("vjepa", {"meta": {}}, r"meta.dtype must be given"),
        ("vjepa", {"meta": None}, r"^config error: .*meta must be a section of keys \(got None\)$"),
        ("video_probe", {"experiment__data__clip_duration": 2.0}, r"clip_duration =2.0 and .*frame_step=4 by default"),
        ("vjepa_v1", {"data__mask_type": "random_tube"}, r"data.mask_type =random_tube does not fit"),
        ("vjepa_droid", {"data_aug__horizontal_flip": True}, r":\d+: data_aug.horizontal_flip .*mirrors the pixels"),
        ("vjepa_droid", {"data__datasets": ["a", "b"]}, r"data.datasets must name one file"),
        ("vjepa_droid", {"data__camera_views": []}, r":\d+: data.camera_views must be a list .* \(got \[\]\)"),
        ("vjepa_droid", {"data__camera_frame": "x"}, r":\d+: data.camera_frame: robotics.camera_frame must be true"),
        ("vjepa_droid", {"data__fps": 0}, r":\d+: data.fps: data.target_fps must be > 0"),
        ("anticipation", {"experiment__data__anticipation_time_sec": [0.5, 1]}, r":\d+: .*must be one number twice"),
        ("anticipation", {"experiment__data__val_anticipation_point": 1}, r":\d+: .*must be one number twice"),
        ("anticipation", {"experiment__data__train_anticipation_point": [0, 1.5]}, r":\d+: .*must be <= 1 \(got 1.5"),
        ("video_probe", {"model_kwargs__wrapper_kwargs": {"_target_": "os.system"}}, r"os.system is not an allowed"),
    ],
)
def test_faults_name_key_and_line(tmp_path: Path, kind: str, changes: dict[str, Any], message: str) -> None:
    file = write_file(tmp_path, kind, **changes)
    with pytest.raises(ConfigError, match=message):
        compose([f"legacy={file}"])


def test_every_fault_at_once(tmp_path: Path) -> None:
    file = write_file(tmp_path, "vjepa", data__fsp=1, meta={}, mask=[{}], data__dataset_type="x")
    with pytest.raises(ConfigError, match=r"4 config errors"):
        compose([f"legacy={file}"])


def test_text_is_not_interpolated(tmp_path: Path) -> None:
    file = write_file(tmp_path, "vjepa", folder="/runs/${oc.env:HOME}")
    assert compose([f"legacy={file}"]).training.folder == "/runs/${oc.env:HOME}"  # type: ignore[attr-defined]


def test_overrides_win_and_experiment_is_refused(tmp_path: Path) -> None:
    file = write_file(tmp_path, "vjepa")
    found = compose(["data.target_fps=8", f"legacy={file}", "data_aug=robotics"])
    assert (found.data.target_fps, found.data_aug.keep_geometry, found.name) == (8, True, "vjepa")
    with pytest.raises(ConfigError, match="both choose the experiment"):
        compose([f"legacy={file}", "experiment=vjepa2_vitl16_256px_16f"])
    with pytest.raises(ConfigError, match=r"data.target_fsp is not a setting"):
        compose([f"legacy={file}", "data.target_fsp=8"])


def test_folders_with_spaces_and_quotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "it's a, folder"
    folder.mkdir()
    monkeypatch.setenv("VJEPA_PIPE_CACHE", str(folder))
    file = write_file(tmp_path, "vjepa", "null")
    assert compose([f"legacy={file}"], config_dir=folder).name == "null"


def test_tokens_need_whole_patches(tmp_path: Path) -> None:
    changes = {"data": FILES["vjepa"]["data"] | CLIPS | {"crop_size": 33}}
    with pytest.raises(ConfigError, match=r"data.crop_size: data.img_size must be a multiple of mask.patch_size=16"):
        load(tmp_path, "vjepa", **changes)
