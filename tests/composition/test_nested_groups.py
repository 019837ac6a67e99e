"""Groups inside a group: `data@image.data` and `mask@image.mask`, on the command line, in files and from code."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra.core.config_store import ConfigStore
from own_options import RandomMaskConfig, Unrelated

from vjepa_pipe import ConfigError, compose, register_config
from vjepa_pipe.cli import main
from vjepa_pipe.commands.json_schema import group_schemas
from vjepa_pipe.composition.identity import _canonical, full_identity, identity
from vjepa_pipe.composition.snapshot import freeze, thaw
from vjepa_pipe.composition.store import register
from vjepa_pipe.config.data import FolderDataConfig
from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.mask import TubeMaskConfig
from vjepa_pipe.experiments import compose_with_provenance

MINE = """defaults: [/schema@_here_: image_stream, /data@data: folder, /mask@mask: tube, _self_]
share: 0.5
data:
  data_paths: ["${config_dir:}/images"]
  frames_per_clip: 1
  img_size: 32
mask: {tubelet_size: 1}
"""


@pytest.fixture(autouse=True)
def registrations_end_with_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    register()
    repo = ConfigStore.instance().repo
    for group in ("mask", "image"):
        monkeypatch.setitem(repo, group, dict(repo[group]))


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "mine.yaml").write_text(MINE)
    return tmp_path


def test_an_option_file_chooses_data_and_mask(mine: Path) -> None:
    found = compose_with_provenance(["image=mine", "image.data.glob=*.png"], mine)
    image = found.experiment.image
    assert isinstance(image.data, FolderDataConfig) and isinstance(image.mask, TubeMaskConfig)  # type: ignore[attr-defined]
    assert image.data.data_paths == [f"{mine}/images"]  # type: ignore[attr-defined]
    chosen = {group: found.choices[group] for group in ("image", "data@image.data", "mask@image.mask", "data")}
    assert chosen == {
        "image": "mine",
        "data@image.data": "folder",
        "mask@image.mask": "tube",
        "data": "synthetic",
    }
    assert found.provenance["image.data.img_size"] == f"{mine}/image/mine.yaml:6"
    assert found.provenance["image.mask.masks.tube.ratio"].startswith("conf/mask/tube.yaml:")
    assert found.provenance["image.data.glob"] == "command line: image.data.glob=*.png"
    assert found.provenance["image.data.labels"] == "schema default"


def test_the_command_line_chooses_others(mine: Path) -> None:
    other = ["data@image.data=synthetic_images", "mask@image.mask=multiblock2d", "image.data.data_paths=[]"]
    image = compose(["image=mine", *other], mine).image
    assert (image.data.num_images, image.data.img_size, image.share) == (64, 32, 0.5)  # type: ignore[attr-defined]
    assert list(image.mask.masks) == ["short"]  # type: ignore[attr-defined]
    with pytest.raises(ConfigError) as error:
        compose(["image=mine", "data@image.data=foldr"], mine)
    assert error.value.faults[0].startswith("data@image.data=foldr is not an option (did you mean folder?): data can")


def test_a_fault_in_a_nested_node_is_named_with_its_line(mine: Path) -> None:
    file = mine / "image" / "mine.yaml"
    file.write_text(MINE.replace("img_size: 32", "img_sise: 32").replace("tubelet_size: 1", "tubelet_size: many"))
    with pytest.raises(ConfigError) as error:
        compose(["image=mine"], mine)
    assert set(error.value.faults) == {
        f"{file}:6: image.data.img_sise is not a setting (did you mean image.data.img_size?)",
        f"{file}:7: image.mask.tubelet_size must be a whole number (got 'many')",
    }


def test_options_from_code(tmp_path: Path) -> None:
    register_config("mask", "random", RandomMaskConfig)
    experiment = compose(["image=synthetic", "mask@image.mask=random", "image.mask.ratio=0.5"])
    mask = experiment.image.mask  # type: ignore[attr-defined]
    assert mask.ratio == 0.5 and type(mask) is RandomMaskConfig
    file = tmp_path / "frozen.yaml"
    file.write_text(freeze(experiment))
    assert "image.mask: mask/random" in file.read_text()
    assert thaw(file) == experiment
    file.write_text(file.read_text().replace("image.mask: mask/random", "image.mask: folder"))
    with pytest.raises(UserError, match="folder: FolderDataConfig must extend MaskConfig"):
        thaw(file)
    with pytest.raises(ConfigError, match=r"image\.mask\.ratio must be < 1 \(got 2.0\)"):
        compose(["image=synthetic", "mask@image.mask=random", "image.mask.ratio=2"])
    ConfigStore.instance().store(group="mask", name="unrelated", node=Unrelated)
    with pytest.raises(ConfigError, match="Unrelated must extend MaskConfig, as every option of mask does"):
        compose(["image=synthetic", "mask@image.mask=unrelated"])
    ConfigStore.instance().store(group="image", name="few", node={"defaults": ["synthetic", "_self_"], "share": 0.125})
    assert compose(["image=few"]).image.share == 0.125  # type: ignore[attr-defined]


def test_identity_counts_images_where_there_are_some() -> None:
    alone = compose([])
    assert "image" not in _canonical(alone, only_results=False), "experiments without images keep their identity"
    some = compose(["image=synthetic"])
    more = [compose(["image=synthetic", one]) for one in ("image.share=0.5", "image.data.img_size=64")]
    assert len({identity(one) for one in (alone, some, *more)}) == 4
    workers = compose(["image=synthetic", "image.data.num_workers=7"])
    assert identity(workers) == identity(some) and full_identity(workers) != full_identity(some)


def test_editors_know_settings_of_nested_options() -> None:
    image = group_schemas()["image"]["properties"]
    assert image["data"]["properties"]["glob"] and image["mask"]["properties"]["masks"]
    assert group_schemas()["experiment"]["properties"]["image"]["properties"]["share"]


def test_commands_take_nested_choices(capsys: pytest.CaptureFixture[str]) -> None:
    choice = ["image=synthetic", "data@image.data=imagenet"]
    assert main(["show", *choice, "--provenance"]) == 0
    assert "source_names: [imagenet]" in capsys.readouterr().out
    assert main(["diff", " ".join(choice), "image=synthetic mask@image.mask=none"]) == 1
    shown = capsys.readouterr().out
    assert "image.mask.masks.short.num_blocks" in shown and "image.data.path_variables" in shown
