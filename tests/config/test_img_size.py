"""`data.img_size`: one number for a square, or `[height, width]`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vjepa_pipe import ConfigError, DataConfig, ExperimentConfig, VideoConfig, compose
from vjepa_pipe.composition.identity import full_identity, identity
from vjepa_pipe.composition.snapshot import freeze, thaw
from vjepa_pipe.config.before_run import run_faults
from vjepa_pipe.config.check import check
from vjepa_pipe.config.img_size import height_and_width
from vjepa_pipe.loader.identity import fingerprints

EXPERIMENT = """# @package _global_
data: {img_size: SIZE}
"""


@pytest.mark.parametrize(("written", "read"), [
    ("128", 128), ("[128,256]", [128, 256]), ("[128,128]", 128), ("'128'", 128), ("['128',256]", [128, 256]),
    ("[128,'${seed}6']", [128, 16]),
])  # fmt: skip
def test_overrides(written: str, read: Any) -> None:
    assert compose(["mask.patch_size=8", "seed=1", f"data.img_size={written}"]).data.img_size == read


@pytest.mark.parametrize(("files", "override", "read"), [
    ("[32,64]", "", [32, 64]), ("[32,64]", "96", 96),
])  # fmt: skip
def test_files_and_overrides_of_either_form(tmp_path: Path, files: str, override: str, read: Any) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(EXPERIMENT.replace("SIZE", files))
    words = ["experiment=mine", *([f"data.img_size={override}"] if override else [])]
    found = compose(words, tmp_path)
    assert found.data.img_size == read
    frozen = tmp_path / "frozen.yaml"
    frozen.write_text(freeze(found))
    assert thaw(frozen) == found


@pytest.mark.parametrize(("size", "faults"), [
    ("big", ["data.img_size must be one number or [height, width] (got 'big')"]),
    ("12.5", ["data.img_size must be one number or [height, width] (got 12.5)"]),
    ("true", ["data.img_size must be one number or [height, width] (got True)"]),
    ("null", ["data.img_size must be one number or [height, width] (got None)"]),
    ("[256]", ["data.img_size must be one number or [height, width] (got [256])"]),
    ("[1,2,3]", ["data.img_size must be one number or [height, width] (got [1, 2, 3])"]),
    ("[0,9000]", ["data.img_size[0] must be >= 1 (got 0)", "data.img_size[1] must be <= 8192 (got 9000)"]),
    ("[250,512]", ["data.img_size must be a multiple of mask.patch_size=16 (got [250, 512])"]),
    ("[512,250]", ["data.img_size must be a multiple of mask.patch_size=16 (got [512, 250])"]),
])  # fmt: skip
def test_messages(size: str, faults: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        compose([f"data.img_size={size}"])
    assert list(error.value.faults) == faults


@pytest.mark.parametrize(("words", "fault"), [
    (["mask=tube", "mask.masks.tube.ratio=0.5", "mask.patch_size=64", "data.img_size=[64,128]"], None),
    (["mask=tube", "mask.masks.tube.ratio=0.9", "mask.patch_size=64", "data.img_size=[64,128]"],
     "mask.masks.tube.ratio must leave some places of a frame and hide some (got 0.9, which leaves 0 of 2)"),
    (["task=probe", "data.img_size=[64,40]"], "data.img_size must be a multiple of model.patch_size=16 (got [64, 40])"),
])  # fmt: skip
def test_tokens_are_counted_along_both_sides(words: list[str], fault: str | None) -> None:
    assert list(run_faults(compose(words))) == ([] if fault is None else [fault])


@pytest.mark.parametrize("size", [224, (224, 224), [224, 224]])
def test_a_square_has_the_identity_of_its_side(size: Any) -> None:
    plain, given = (ExperimentConfig(data=DataConfig(img_size=one)) for one in (224, size))
    assert identity(given) == identity(plain) and full_identity(given) == full_identity(plain)
    assert fingerprints(given, []) == fingerprints(plain, [])


def test_rectangles_have_identities_of_their_own() -> None:
    sizes: list[Any] = [224, (224, 256), [224, 256], (256, 224)]
    experiments = [ExperimentConfig(data=DataConfig(img_size=size)) for size in sizes]
    for of in (identity, lambda experiment: fingerprints(experiment, [])["data.img_size"]):
        first, tuple_, list_, turned = map(of, experiments)
        assert tuple_ == list_ and len({first, tuple_, turned}) == 3


@pytest.mark.parametrize("size", ["224", (224,), (224, 2.5), None])
def test_what_is_no_size_is_refused_in_python(size: Any) -> None:
    with pytest.raises(ConfigError, match=r"data.img_size must be one number or \[height, width\]"):
        check(ExperimentConfig(data=DataConfig(img_size=size)))


def test_height_and_width() -> None:
    assert height_and_width(224) == (224, 224)
    assert height_and_width([256, 512]) == (256, 512)


def test_frames_of_captioned_video() -> None:
    data = compose(["data=webvid", "data.frame_size=[32,64]"]).data
    assert data.img_size == data.frame_size == [32, 64]  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=r"data.img_size must equal data.frame_size=\[32, 64\] \(got 32\)"):
        compose(["data=webvid", "data.frame_size=[32,64]", "data.img_size=32"])
    assert VideoConfig(frame_size=(32, 64)).frame_size == (32, 64)
    with pytest.raises(ValueError, match=r"video.frame_size must be one number or \[height, width\] \(got \(32,\)\)"):
        VideoConfig(frame_size=(32,))
