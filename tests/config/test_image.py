"""Images beside videos: their faults are those of an experiment of their own, by their names in the whole."""

from __future__ import annotations

import pytest

from vjepa_pipe import ConfigError, compose
from vjepa_pipe.config.before_run import run_faults
from vjepa_pipe.config.image import faults_of_streams, image_experiment, of_images

CSV = ["image=csv", "image.data.data_paths=[images.csv]"]


def faults(*overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        compose(["image=synthetic", *overrides])
    return list(error.value.faults)


def test_images_are_an_experiment_of_their_own() -> None:
    whole = compose([*CSV, "data.img_size=64", "mask.convention=reference", "loader.samples_per_epoch=32"])
    images = image_experiment(whole)
    assert images is not None and image_experiment(images) is None
    assert (images.data.data_paths, images.data.frames_per_clip, images.mask.tubelet_size) == (["images.csv"], 1, 1)
    assert (images.data.img_size, images.data.batch_size, images.mask.convention) == (64, 8, "reference")
    assert images.loader.samples_per_epoch is None, "epochs are counted in videos"
    assert image_experiment(compose([])) is None


def test_names_of_settings_and_nothing_else_are_those_of_the_whole() -> None:
    images = image_experiment(compose(CSV))
    assert images is not None
    said = (
        "data.img_size and mask.masks.short.num_blocks; data.csv, data_aug.crop_scale, a/data.img_size.x: data=folder"
    )
    assert of_images(said, images) == (
        "image.data.img_size and image.mask.masks.short.num_blocks; data.csv, data_aug.crop_scale, "
        "a/image.data.img_size.x: data@image.data=folder"
    )


def test_a_fault_of_both_is_said_once() -> None:
    found = faults("loader.samples_per_epoch=32", "loader.iterations_per_epoch=3", "image.data.frame_step=3")
    assert [fault.partition(" ")[0] for fault in found] == ["loader.samples_per_epoch", "image.data.frame_step=3"]
    whole = compose(CSV)
    assert list(faults_of_streams(lambda one: [f"seed, {one.data.frames_per_clip}"], whole)) == ["seed, 16", "seed, 1"]


@pytest.mark.parametrize(("overrides", "fault"), [
    (["loader.drop_last=false"], "loader.drop_last must be true with images"),
    (["data@image.data=synthetic_robot"], "image.data must be images or plain videos"),
    (["data@image.data=webvid"], "image.data must be images or plain videos"),
    (["data=webvid"], "data.output.layout must be vjepa with images"),
    (["data=synthetic_robot", "robotics=droid", "data_aug=robotics", "mask=none"], "robotics.enabled must be false"),
    (["data.source_names=[a]", "image.data.source_names=[a]"], "image.data.source_names must differ from data.sour"),
    (["image.mask=none"], "image.mask must be a group of settings (got 'none'): mask@image.mask=none chooses one, and"),
    (["image.data.repeated_sampling=3"], "image.data.batch_size must be a multiple of image.data.repeated_sampling=3"),
    (["image.data.frames_per_clip=3", "image.mask.tubelet_size=2"], "multiple of image.mask.tubelet_size=2 (got 3)"),
    (['image.data.data_paths=["s3://b/i.csv?key=x"]'], "image.data.data_paths[0]: s3://b/i.csv has a user name or"),
])  # fmt: skip
def test_rules(overrides: list[str], fault: str) -> None:
    assert any(fault in line for line in faults(*overrides))


def test_repeated_images_fill_the_tubelets_of_videos() -> None:
    compose(["image=synthetic", "image.data.frames_per_clip=4", "image.mask.tubelet_size=2"])
    compose(["image=synthetic", "image.data.repeated_sampling=4", "loader.samples_per_epoch=13"])


def test_before_a_run() -> None:
    overrides = [*CSV, "image.data.allow_clip_overlap=true", "image.mask.masks.short.spatial_scale=[0.001,0.001]"]
    overrides += ["image.data.index_dir=s4://bucket/index"]
    found = list(run_faults(compose(overrides), overrides))
    assert [fault.partition(" ")[0] for fault in found] == [
        "image.data.allow_clip_overlap",
        "image.data.index_dir:",
        "image.mask.masks.short.spatial_scale",
    ]
    assert "when image.data.num_clips=1" in found[0]
    probe = ["image=synthetic", "task=probe", "data=synthetic_split", "image.share=0.5"]
    assert "image.share has no effect when task=probe: leave one of the two out" in run_faults(compose(probe), probe)
