"""Composition: what is accepted, what is refused, and in which words."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from companions import companions
from omegaconf import OmegaConf

from vjepa_pipe import ConfigError, compose
from vjepa_pipe.cli import main
from vjepa_pipe.composition.options import description, group_options, groups
from vjepa_pipe.config import AugConfig, DataConfig, ExperimentConfig, check, targets
from vjepa_pipe.config.folders import conf_dir

SNAPSHOTS = Path(__file__).with_name("error_messages.json")
NEEDED = {f"data={option}": ["data.data_paths=[a]"] for option in ("csv", "folder")}
SWAPPED = ("data", "data_aug", "mask", "robotics", "decoder", "loader", "task")
OPTIONS = [f"{group}={option}" for group in SWAPPED for option in group_options(group)]
OF_VIDEO, OF_ROBOTS = ["experiment=vjepa2_vitl16_256px_16f"], ["experiment=vjepa2_ac_droid"]
# Those of robots and of video in turn. Without an experiment each option becomes a loader in
# tests/loader/test_every_option_builds.py.
IN_TURN = list(zip(itertools.cycle([OF_VIDEO, OF_ROBOTS]), OPTIONS, strict=False))
PAIRS = [
    pytest.param(*pair, marks=() if pair in IN_TURN else pytest.mark.soak)
    for pair in itertools.product([[], OF_VIDEO, OF_ROBOTS], OPTIONS)
]


@pytest.mark.parametrize(("experiment", "choice"), PAIRS, ids=str)
def test_every_option_composes_with_every_experiment(experiment: list[str], choice: str) -> None:
    found = compose([*experiment, choice, *companions(choice), *NEEDED.get(choice, [])])
    assert isinstance(found, ExperimentConfig)


def test_an_experiment_that_sets_clips_refuses_captioned_video() -> None:
    with pytest.raises(ConfigError, match=r"data\.clip_mode=frame_step is not read for captioned video"):
        compose(["experiment=jepa_vitl16_224px_16f", "data=webvid"])


@pytest.mark.parametrize("name", group_options("experiment"))
def test_every_experiment_composes_under_its_own_name(name: str) -> None:
    assert compose([f"experiment={name}"]).name == name


def test_public_defaults_are_those_of_the_contract() -> None:
    data, aug = DataConfig(), AugConfig()
    assert (data.clip_mode, data.frames_per_clip, data.target_fps, data.img_size) == ("fps", 16, 10, 224)
    assert (data.num_workers, data.batch_size) == (8, 64)
    assert (aug.crop_scale, aug.crop_ratio, aug.horizontal_flip, aug.auto_augment) == (
        (0.3, 1.0),
        (0.75, 1.33),
        True,
        False,
    )
    assert (aug.rand_augment_n, aug.rand_augment_m, aug.motion_shift, aug.random_erasing) == (2, 9, True, 0.0)


def test_composed_experiment_holds_plain_values_only() -> None:
    experiment = compose(["data=vjepa2_mix"])

    def walk(value: object) -> None:
        assert not OmegaConf.is_config(value)
        if is_dataclass(value):
            for item in vars(value).values():
                walk(item)
        elif isinstance(value, dict):
            for item in value.values():
                walk(item)

    walk(experiment)
    assert isinstance(experiment.data_aug.crop_scale, tuple)
    assert experiment.data.data_weights == [0.335, 0.1, 0.565]


BAD_COMMAND_LINES = {
    "unknown option": ["data=kinetcs"],
    "unknown group": ["dta=kinetics"],
    "unknown key": ["data.target_fsp=4"],
    "unknown key added": ["+data.foo=3"],
    "unknown key forced": ["++sed=3"],
    "wrong type": ["data.frames_per_clip=abc"],
    "bound": ["data.target_fps=0"],
    "not finite": ["data.target_fps=nan"],
    "choice": ["data.clip_mode=duratoin"],
    "pair too short": ["data_aug.crop_scale=[0.5]"],
    "pair reversed": ["data_aug.crop_scale=[1.0,0.5]"],
    "missing value": ["data=csv"],
    "two clip modes": ["data.frame_step=2"],
    "weights of another length": ["data=vjepa2_mix", "data.data_paths=[a.csv]", "data.source_names=null"],
    "weights that sum to zero": ["data.data_weights=[0,0]"],
    "negative weight": ["data.data_weights=[1,-1]"],
    "flip with robot data": ["data_aug=robotics", "data_aug.horizontal_flip=true"],
    "token larger than clip": ["data.frames_per_clip=1"],
    "image not a multiple of the patch": ["data.img_size=100"],
    "target that is not allowed": ["data._target_=os.system"],
    "target behind an alias": ["data_aug.extra_transforms=[{_target_:subprocess.run}]"],
    "two epoch lengths": ["loader.samples_per_epoch=10", "loader.iterations_per_epoch=1"],
    "nested value": ["mask.masks.short.num_blocks=0"],
    "captions: names that are not registered": ["data=webvid", "data.dataset_type=w", "data.sampling_policy=unifrom"],
    "captions: frames": ["data=webvid", "data.min_frames=20", "data.frames_per_clip=8", "data.img_size=100"],
    "captions: settings of clips": ["data=webvid", "data.data_paths=[a.csv]", "data.clip_mode=duration"],
    "actions: settings of clips": ["data=epic_kitchens", "data.num_clips=2", "data.index_dir=i", "data.video_path=x"],
    "captions: half a budget": ["data=webvid", "data.text.max_seq_len=256", "data.text.max_text_len=1"],
    "captions: no mask": ["loader.on_bad_sample=zero_masked"],
    "index: robot data": ["data=synthetic_robot", "data_aug=robotics", "mask=none", "data.index_dir=index"],
    "index: captions": ["data=webvid", "data.index_dir=index"],
    "index: frames by the header": ["decoder=torchcodec", "decoder.seek_mode=approximate", "data.index_dir=index"],
    "index: shards": ["task=index", "task.shards=2", "task.shard=2"],
    "a name in a free mapping": ["mask.masks.shrt.num_blocks=2"],
    "a new name in a free mapping": ["data.extra_args.colour=red"],
    "below a scalar": ["seed.x=1"],
    "interpolations": ["data.target_fps=${nothing}", "name=${oc.env:NOT_SET_ANYWHERE}"],
    "several values": ["seed=1,2"],
    "text for a list": ["data.data_paths=a.csv"],
    "a setting without its group": ["batch_size=4"],
    "a setting in another group": ["data.horizontal_flip=false"],
    "an option added": ["+mask=tube"],
    "a value that cannot be read": ["name=a=b", "data.data_paths=[a"],
    "no value": ["seed"],
    "deleted": ["~data.nothing", "~seed=7"],
    "added twice": ["+seed=1"],
    "images: none": ["data@image.data=folder"],
    "images: no setting": ["image.share=0.5"],
    "images: an option": ["image=synthetic", "mask@image.mask=tub"],
    "images: their settings": ["image=csv", "image.data.batch_siz=4", "image.share=1"],
    "images: their rules": ["image=synthetic", "image.data.img_size=100", "image.mask.tubelet_size=2"],
    "images: beside videos": ["image=synthetic", "data@image.data=synthetic_robot", "loader.drop_last=false"],
    "images: a target": ["image=synthetic", "image.mask._target_=os.system"],
    "many at once": ["data=kinetcs", "data.nam=1", "data.target_fps=0", "data_aug.crop_scale=[2,1]", "+x=1"],
}


def test_error_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The texts are interface. To accept new ones, delete error_messages.json, run, and read the difference."""
    monkeypatch.setattr(targets, "_allowed", [])  # not what other tests have allowed
    found = {}
    for name, overrides in BAD_COMMAND_LINES.items():
        with pytest.raises(ConfigError) as error:
            compose(overrides)
        found[name] = str(error.value).splitlines()
    if not SNAPSHOTS.exists():
        SNAPSHOTS.write_text(json.dumps(found, indent=2) + "\n")
        pytest.fail(f"{SNAPSHOTS.name} did not exist; it was written, read it")
    assert found == json.loads(SNAPSHOTS.read_text())


FIVE_FAULTS = """# @package _global_
defaults:
  - override /mask: tube
data:
  target_fsp: 5
  batch_size: many
  img_size: ${oc.env:SIZE}
mask:
  masks:
    tube: {ratio: 2}
data_aug:
  crop_scale: [0.5]
"""


def test_every_fault_in_a_file_is_named_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIZE", "large")
    file = tmp_path / "experiment" / "five.yaml"
    file.parent.mkdir()
    file.write_text(FIVE_FAULTS)
    with pytest.raises(ConfigError) as error:
        compose(["experiment=five", "data.num_workers=-1"], tmp_path)
    assert set(error.value.faults) == {
        "experiment/five.yaml:5: data.target_fsp is not a setting (did you mean data.target_fps?)",
        "experiment/five.yaml:6: data.batch_size must be a whole number (got 'many')",
        "experiment/five.yaml:7: data.img_size must be one number or [height, width] (got 'large')",
        "experiment/five.yaml:10: mask.masks.tube.ratio must be < 1 (got 2.0)",
        "experiment/five.yaml:12: data_aug.crop_scale must have 2 values (got [0.5])",
        "data.num_workers must be >= 0 (got -1)",
    }
    file.write_text(FIVE_FAULTS.replace("many", "'4'").replace("target_fsp: 5", "target_fps: '2.5'"))
    monkeypatch.setenv("SIZE", "112")
    with pytest.raises(ConfigError) as error:
        compose(["experiment=five"], tmp_path)
    assert len(error.value.faults) == 2  # text that stands for a number is one, as in Hydra


def test_an_experiment_file_without_its_package_says_so(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("name: mine\ndata:\n  target_fps: 5\n")
    with pytest.raises(ConfigError) as error:
        compose(["experiment=mine"], tmp_path)
    assert error.value.faults == (
        "experiment/mine.yaml must begin with the line '# @package _global_', as every experiment file",
    )


def test_config_made_in_python_is_checked_too() -> None:
    with pytest.raises(ConfigError, match=r"data.batch_size must be >= 1 \(got 0\)"):
        check(ExperimentConfig(data=DataConfig(batch_size=0)))
    with pytest.raises(ConfigError, match=r"data.img_size must be one number or \[height, width\] \(got '224'\)"):
        check(ExperimentConfig(data=DataConfig(img_size="224")))  # type: ignore[arg-type]


def test_user_config_folder(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /data_aug: robotics\nname: mine\ndata:\n  target_fps: 5\n"
    )
    experiment = compose(["experiment=mine"], config_dir=tmp_path)
    assert (experiment.name, experiment.data.target_fps, experiment.data_aug.keep_geometry) == ("mine", 5, True)


def test_a_config_folder_can_be_moved(tmp_path: Path) -> None:
    (tmp_path / "one" / "data").mkdir(parents=True)
    paths = '["${config_dir:}/a.csv", "${config_dir:}/b/${data.img_size}.csv", c.csv]'
    text = f"defaults:\n- /schema@_here_: csv\n- _self_\nimg_size: 32\ndata_paths: {paths}\n"
    (tmp_path / "one" / "data" / "mine.yaml").write_text(text)
    (tmp_path / "one").rename(tmp_path / "two")
    found = compose(["data=mine"], config_dir=tmp_path / "two").data.data_paths
    assert found == [f"{tmp_path}/two/a.csv", f"{tmp_path}/two/b/32.csv", "c.csv"]
    assert main(["--config-dir", str(tmp_path / "two"), "data=mine", "--cfg", "job"]) == 0


@pytest.mark.parametrize(("folder", "fault"), [
    ("nowhere", "the config folder {} does not exist"),
    ("a.yaml", "the config folder {} is not a folder"),
    ("${b}", "the config folder {} must have another name: ${{ begins an interpolation"),
])  # fmt: skip
def test_a_config_folder_that_cannot_be_read_is_named(folder: str, fault: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("")
    (tmp_path / "${b}").mkdir()
    with pytest.raises(ConfigError) as error:
        compose(["data=synthetic"], config_dir=tmp_path / folder)
    assert error.value.faults == (fault.format(tmp_path / folder),)


@pytest.mark.parametrize("text", ["${config_dir:}", "${ config_dir:}/x"])
def test_the_name_of_a_config_folder_stands_in_its_files(text: str, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"^config error: name: \$\{config_dir:\}, written exactly like this, has a meaning only in"
    ):
        compose([f"name={text}"], config_dir=tmp_path)


@pytest.mark.parametrize("overrides", [None, 3, [Path("data=csv")], [3]])
def test_what_is_no_list_of_overrides(overrides: Any) -> None:
    with pytest.raises(ConfigError, match="compose takes a list of overrides, such as"):
        compose(overrides)


def test_composition_imports_neither_torch_nor_a_decoder() -> None:
    code = (
        "import sys; from vjepa_pipe import compose; compose(['data=kinetics']); "
        "print([m for m in ('torch', 'av', 'decord', 'numpy') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_yaml_files_are_short_and_say_how_to_run_them() -> None:
    files = sorted(conf_dir().rglob("*.yaml"))
    assert len(files) > 20
    for file in files:
        lines = file.read_text().splitlines()
        assert len(lines) < 50, file
        comment = " ".join(line for line in lines[:4] if line.startswith("#"))
        assert "python launch.py" in comment, f"{file} does not say which command runs it"
        said = yaml.safe_load(file.read_text())
        overrides = any(str(key).startswith("override ") for entry in said.get("defaults", []) for key in entry)
        assert overrides or set(said) - {"defaults"}, f"{file} says nothing: register its dataclass"


def test_every_option_says_how_to_run_it() -> None:
    options = [(group, option) for group in groups() for option in group_options(group)]
    assert len(options) > 60
    for group, option in options:
        said = description(group, option)
        assert f"{group}={option}" in said.partition("python launch.py ")[2], f"{group}={option}: {said}"


def test_groups_are_the_documented_ones() -> None:
    assert set(groups()) >= {
        "data",
        "data_aug",
        "mask",
        "robotics",
        "decoder",
        "loader",
        "task",
        "training",
        "experiment",
    }
