"""V-JEPA 2.1's images: `img_data` and `img_mask` in and out, what follows the videos, and what the YAML cannot say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from published_files import BLOCKS, LONG, SHORT, write_file

from vjepa_pipe import ConfigError, compose
from vjepa_pipe.config.image import ImageStreamConfig
from vjepa_pipe.legacy.export import not_said, published_values
from vjepa_pipe.legacy.read import read_legacy
from vjepa_pipe.legacy.translate import translate
from vjepa_pipe.legacy.write import experiment_text

SINGLE = {"model__img_temporal_dim_size": 1, "img_data__dataset_fpcs": [1]}


def images_of(folder: Path, **changes: Any) -> ImageStreamConfig:
    image = compose([f"legacy={write_file(folder, 'vjepa_2_1', **changes)}"]).image
    assert isinstance(image, ImageStreamConfig)
    return image


def test_images_become_a_stream(tmp_path: Path) -> None:
    found = images_of(tmp_path)
    assert (found.data.data_paths, found.data.batch_size, found.data.frames_per_clip) == (["i.csv"], 6, 2)
    assert (found.share, found.convention, found.data.convention, found.mask.convention) == (
        0.5,
        *["reference"] * 3,
    )
    assert list(found.mask.masks) == ["mask_0"]  # type: ignore[attr-defined]
    several = images_of(tmp_path, img_data__datasets=["i", "j"], img_data__dataset_fpcs=[2, 2],
                        img_data__datasets_weights=["1e0", 3])  # fmt: skip
    assert several.data.data_weights == [1, 3]


def test_published_defaults_and_what_follows_the_videos(tmp_path: Path) -> None:
    data = {"dataset_type": "VideoDataset", "datasets": ["i.csv"], "dataset_fpcs": [2], "batch_size": 6}
    found = images_of(tmp_path, img_data=data, data__num_workers=5, data__fps=3)
    assert (found.share, found.data.img_size) == (0.25, 512)
    assert (found.data.num_workers, found.data.target_fps, found.mask.tubelet_size) == (5, 3, 2)
    assert images_of(tmp_path, img_data=data | {"num_workers": 7}).data.num_workers == 7
    assert images_of(tmp_path, **SINGLE).mask.tubelet_size == 1
    for masks, names in ([SHORT, LONG], ["short", "long"]), ([BLOCKS], ["mask_0"]):
        found = images_of(tmp_path, mask=masks, img_mask=None)
        assert list(found.mask.masks) == names  # type: ignore[attr-defined]
    released = images_of(tmp_path, img_mask=[SHORT | {"num_blocks": 10}]).mask
    assert list(released.masks) == ["short"]  # type: ignore[attr-defined]
    missing = translate(read_legacy(write_file(tmp_path, "vjepa_2_1", img_data=data)))
    assert missing.warnings == ["img_data.datasets_weights is missing: the published code then has no image to draw"]


def test_a_file_without_images(tmp_path: Path) -> None:
    file = write_file(tmp_path, "vjepa_2_1", img_data=None)
    found = compose([f"legacy={file}"])
    assert not isinstance(found.image, ImageStreamConfig) and "img_data" not in published_values(found)
    dead = {row.key: row.note for row in translate(read_legacy(file)).rows if row.status == "dead"}
    assert dead == {"img_data": "empty: videos alone", "img_mask": "read beside img_data"}


def test_out_again(tmp_path: Path) -> None:
    values = published_values(compose([f"legacy={write_file(tmp_path, 'vjepa_2_1', **SINGLE)}"]))
    assert values["img_data"] == {
        "dataset_type": "VideoDataset", "datasets": ["i.csv"], "datasets_weights": [1], "dataset_fpcs": [1],
        "batch_size": 6, "crop_size": 512, "num_workers": 1, "rank_ratio": 0.5,
    }  # fmt: skip
    assert [{key: entry[key] for key in BLOCKS} for entry in values["img_mask"]] == [BLOCKS]
    assert values["model"]["img_temporal_dim_size"] == 1


def test_the_experiment_that_is_written_is_the_same(tmp_path: Path) -> None:
    """Images follow the videos only where the file does not say otherwise, whatever the default of a setting is."""
    file = write_file(tmp_path, "vjepa_2_1", img_data__crop_size=224, data__crop_size=64, img_mask=[SHORT, LONG])
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(experiment_text(translate(read_legacy(file)), "mine"))
    written = compose(["experiment=mine"], tmp_path)
    assert written.image.data.img_size == 224  # type: ignore[attr-defined]
    assert replace(written, name="vjepa_2_1") == compose([f"legacy={file}"])


def test_what_the_yaml_cannot_say(tmp_path: Path) -> None:
    file = write_file(tmp_path, "vjepa_2_1")
    ours = ["image.convention=strict", "image.mask.patch_size=8", "image.data.short_videos=drop"]
    also_published = ["image.data.data_paths=[i,j]", "image.data.data_weights=[1,2]", "image.share=0.25"]
    changed = compose([f"legacy={file}", *ours, *also_published])
    assert not_said(changed, published_values(changed)) == [
        "image.data.short_videos=drop (the published code does repeat_last)",
        "image.mask.patch_size=8 (the published code does 16)",
        "image.convention=strict (the published code does reference)",
    ]
    two = compose([f"legacy={write_file(tmp_path, 'vjepa')}", "image=csv", "image.data.data_paths=[i.csv]"])
    assert not_said(two, published_values(two)) == ["image: images beside the videos (the published code has none)"]


def test_images_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = compose(["experiment=vjepa2_1_vitl16_256px_16f"])
    for name in recipe.data.path_variables:
        monkeypatch.setenv(name, f"{name}.csv")
    monkeypatch.delenv("IMAGENET_DIR", raising=False)
    with pytest.raises(ConfigError, match=r"image\.data\.data_paths is empty: name .*IMAGENET_DIR"):
        published_values(recipe)
    monkeypatch.setenv("IMAGENET_DIR", "in1k.csv")
    assert published_values(recipe)["img_data"]["datasets"] == ["in1k.csv"]
    assert not_said(recipe, published_values(recipe)) == []


@pytest.mark.parametrize(("changes", "message"), [
    ({"img_data__dataset_type": None}, r"img_data.dataset_type must be VideoDataset"),
    ({"img_data": {}}, r"img_data.dataset_type must be VideoDataset \(got 'imagenet'\)"),
    ({"img_data__dataset_fpcs": [1, 1]}, r":\d+: img_data.dataset_fpcs must have 1 value"),
    ({"model__img_temporal_dim_size": 1}, r":\d+: img_data.dataset_fpcs must be 1 with model.img_temporal_dim_size"),
    ({"img_data__dataset_fpcs": [[1]], "model__img_temporal_dim_size": 1}, r"img_data.dataset_fpcs must be a list"),
    ({"img_data__datasets_weights": 3}, r":\d+: img_data.datasets_weights: image.data.data_weights must be a list"),
    ({"img_data__rank_ratio": 1}, r":\d+: img_data.rank_ratio: image.share must be < 1"),
    ({"img_data__crop_size": 33}, r":\d+: img_data.crop_size: image.data.img_size must be a multiple of image.mask.pa"),
    ({"img_data__crop_siz": 32}, r"img_data.crop_siz is not a key of .*\(did you mean img_data.crop_size\?\)"),
    ({"img_mask": [BLOCKS | {"num_blocks": 0}]}, r":\d+: img_mask\[0\].num_blocks: .* must be >= 1"),
    ({"img_mask": [{}]}, r":\d+: img_mask\[0\] must be given"),
    ({"img_mask": None, "mask": [{}]}, r":\d+: mask\[0\] must be given"),
])  # fmt: skip
def test_faults_name_key_and_line(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        images_of(tmp_path, **changes)
