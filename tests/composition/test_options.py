"""Options registered from code, by our call and as Hydra's tutorial does it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf
from own_options import PlainMaskConfig, RandomMaskConfig, Unrelated
from program import launch
from sweeping import states, toy_environment
from toy_task import TARGET

from vjepa_pipe import ConfigError, MaskConfig, compose, register_config
from vjepa_pipe.cli import main
from vjepa_pipe.commands.json_schema import group_schemas
from vjepa_pipe.composition.identity import identity
from vjepa_pipe.composition.options import description, group_options, groups
from vjepa_pipe.composition.schemas import OPTIONS, SCHEMAS
from vjepa_pipe.composition.snapshot import freeze, thaw
from vjepa_pipe.composition.store import register
from vjepa_pipe.config.errors import UserError
from vjepa_pipe.experiments import compose_with_provenance


def as_hydras_tutorial(group: str, name: str, schema: type) -> None:
    ConfigStore.instance().store(group=group, name=name, node=schema)


BOTH_WAYS = pytest.mark.parametrize("store", [register_config, as_hydras_tutorial])
Store = Callable[[str, str, type], None]


@pytest.fixture(autouse=True)
def registrations_end_with_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    register()
    repo = ConfigStore.instance().repo
    monkeypatch.setitem(repo, "mask", dict(repo["mask"]))


@BOTH_WAYS
def test_a_registered_option_is_chosen_and_checked(store: Store) -> None:
    store("mask", "random", RandomMaskConfig)
    mask = compose(["mask=random", "mask.ratio='0.5'"]).mask
    assert mask == RandomMaskConfig(ratio=0.5) and type(mask) is RandomMaskConfig
    with pytest.raises(ConfigError) as error:
        compose(["mask=random", "mask.ratio=3", "mask.rati=0.5", "mask.blocks_per_frame=x"])
    assert set(error.value.faults) == {
        "mask.rati is not a setting (did you mean mask.ratio?)",
        "mask.ratio must be < 1 (got 3.0)",
        "mask.blocks_per_frame must be a whole number (got 'x')",
    }
    with pytest.raises(ConfigError, match=r"mean random\?\): mask can be blocks, multiblock2d, multiblock3d, none, ra"):
        compose(["mask=randm"])


@BOTH_WAYS
def test_it_is_listed_and_described(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    store("mask", "random", RandomMaskConfig)
    store("mask", "plain", PlainMaskConfig)
    assert group_options("mask") == ["blocks", "multiblock2d", "multiblock3d", "none", "plain", "random", "tube"]
    assert description("mask", "random").startswith("Tokens hidden one by one, wherever they are.")
    assert description("mask", "plain") == ""  # not the signature that dataclasses make a docstring of
    assert main(["ls", "mask"]) == 0
    assert "Tokens hidden one by one" in capsys.readouterr().out
    assert group_schemas()["mask"]["properties"]["ratio"]["anyOf"]
    assert main(["check", "mask=random", "mask.ratio=1"]) == 2
    assert "mask.ratio must be < 1" in capsys.readouterr().out


@BOTH_WAYS
def test_where_its_settings_come_from(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    store("mask", "random", RandomMaskConfig)
    found = compose_with_provenance(["mask=random", "mask.ratio=0.5"])
    assert found.choices["mask"] == "random"
    assert found.provenance["mask.blocks_per_frame"] == "schema default"
    assert found.provenance["mask.ratio"] == "command line: mask.ratio=0.5"
    assert main(["show", "mask=random"]) == 0
    assert "  ratio: 0.75" in capsys.readouterr().out


@BOTH_WAYS
def test_a_file_extends_it(store: Store, tmp_path: Path) -> None:
    store("mask", "random", RandomMaskConfig)
    (tmp_path / "mask").mkdir()
    file = tmp_path / "mask" / "few.yaml"
    file.write_text("defaults: [random, _self_]\nratio: 0.9\n")
    mask = compose(["mask=few"], tmp_path).mask
    assert mask == RandomMaskConfig(ratio=0.9) and type(mask) is RandomMaskConfig
    file.write_text("defaults: [random, _self_]\nratio: many\n")
    with pytest.raises(ConfigError, match=r"few.yaml:2: mask.ratio must be a number \(got 'many'\)"):
        compose(["mask=few"], tmp_path)


@BOTH_WAYS
def test_a_record_names_it(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "frozen.yaml"
    before = dict(ConfigStore.instance().repo["mask"])
    store("mask", "random", RandomMaskConfig)
    experiment = compose(["mask=random", "mask.ratio=0.5"])
    file.write_text(freeze(experiment))
    assert "mask: mask/random" in file.read_text()
    assert thaw(file) == experiment and type(thaw(file).mask) is RandomMaskConfig
    assert identity(thaw(file)) == identity(experiment)
    ConfigStore.instance().repo["mask"] = before
    with pytest.raises(UserError) as error:
        thaw(file)
    assert str(error.value) == (
        f"{file}: schemas.mask=mask/random is not registered in this process: import the module that calls "
        'register_config("mask", "random", ...) before the file is read, or name it by --plugin'
    )
    with pytest.raises(UserError, match=r'register_config\("mask", NAME, RandomMaskConfig\) does it'):
        freeze(experiment)


def test_records_name_our_schemas_as_ever(tmp_path: Path) -> None:
    file = tmp_path / "frozen.yaml"
    file.write_text(
        freeze(
            compose(
                ["mask=blocks", "+mask.masks.few.num_blocks=4", "data=csv", "data.data_paths=[a.csv]", "task=index"]
            )
        )
    )
    assert "schemas: {data: csv, mask: multiblock3d, task: index}" in file.read_text()
    assert set(OPTIONS["task"]) < set(SCHEMAS)
    file.write_text("schemas: {data: multiblock3d}\nexperiment: {data: {}}")
    with pytest.raises(UserError, match="data=multiblock3d: MultiBlock3DMaskConfig must extend DataConfig"):
        thaw(file)


@pytest.mark.parametrize(("group", "name", "schema", "words"), [
    ("mask", "mine", dict, "mask=mine cannot be registered: dict is not a dataclass; write @dataclass above its class"),
    ("mask", "mine", RandomMaskConfig(), "is not a dataclass"),
    ("mask", "mine", type("Undecorated", (MaskConfig,), {}), "Undecorated is not a dataclass"),
    ("mask", "mine", Unrelated, "Unrelated must extend MaskConfig, as every option of mask does"),
    ("data", "mine", RandomMaskConfig, "RandomMaskConfig must extend DataConfig, as every option of data does"),
    ("maks", "mine", RandomMaskConfig, "maks is not a config group (did you mean mask?); groups are data, data_aug, "),
    ("hydra/launcher", "mine", RandomMaskConfig, "hydra/launcher is not a config group"),
    ("mask", "none", RandomMaskConfig, "mask=none cannot be registered: the name is taken by vjepa_pipe.config.mask.M"),
    ("mask", "tube", RandomMaskConfig, "mask=tube cannot be registered: the name is taken by conf/mask/tube.yaml"),
])  # fmt: skip
def test_what_cannot_be_registered(group: str, name: str, schema: type, words: str) -> None:
    with pytest.raises(UserError) as error:
        register_config(group, name, schema)
    assert words in str(error.value)
    assert "mine" not in group_options("mask")


def test_registering_again() -> None:
    register_config("mask", "random", RandomMaskConfig)
    register_config("mask", "random", RandomMaskConfig)
    with pytest.raises(UserError, match=r"the name is taken by own_options\.RandomMaskConfig"):
        register_config("mask", "random", PlainMaskConfig)

    def cell() -> type:
        """A notebook's cell that is run again makes another class of the same name."""

        @dataclass
        class CellMask(MaskConfig):
            pass

        return CellMask

    register_config("mask", "cell", cell())
    register_config("mask", "cell", later := cell())
    assert type(compose(["mask=cell"]).mask) is later


def test_what_hydra_stored_without_a_fitting_dataclass() -> None:
    as_hydras_tutorial("mask", "unrelated", Unrelated)
    with pytest.raises(ConfigError, match="Unrelated must extend MaskConfig, as every option of mask does"):
        compose(["mask=unrelated"])
    ConfigStore.instance().store(group="mask", name="values", node={"patch_size": 8})
    assert compose(["mask=values"]).mask == MaskConfig(patch_size=8)
    ConfigStore.instance().store(group="mask", name="instance", node=RandomMaskConfig(ratio=0.25))
    assert compose(["mask=instance"]).mask == RandomMaskConfig(ratio=0.25)
    assert description("mask", "values") == ""


def test_every_option_of_ours_is_its_schema() -> None:
    assert set(OPTIONS) < set(groups())
    for group, options in OPTIONS.items():
        for option, schema in options.items():
            node = ConfigStore.instance().load(f"{group}/{option}.yaml").node
            assert OmegaConf.get_type(node) is SCHEMAS[schema]


SCRIPT = """
import sys
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf
from own_options import RandomMaskConfig
from vjepa_pipe import register_config
from vjepa_pipe.cli import main

way = sys.argv.pop(1)
if way == "tutorial":
    ConfigStore.instance().store(group="mask", name="random", node=RandomMaskConfig)
elif way == "register_config":
    register_config("mask", "random", RandomMaskConfig)
sys.exit(main())
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A launch script of a user's own, which registers an option and then does as launch.py."""
    (tmp_path / "mine.py").write_text(SCRIPT)
    environment = toy_environment(tmp_path / "metadata")

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return launch(*arguments, cwd=tmp_path, env=environment | more, script=tmp_path / "mine.py")

    return run


# Points in this process, and in others: those import the script again, whichever way it registers its option.
@pytest.mark.parametrize(("way", "launcher"), [
    ("register_config", "basic"),
    ("tutorial", "local"),
    pytest.param("tutorial", "basic", marks=pytest.mark.soak),
    pytest.param("register_config", "local", marks=pytest.mark.soak),
])  # fmt: skip
def test_a_sweep_over_its_settings(
    run: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, way: str, launcher: str
) -> None:
    if launcher == "local":
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    sweep = ["-m", "hydra.sweep.dir=sweep", f"hydra/launcher={launcher}", TARGET, "mask=random", "mask.ratio=0.1,0.2"]
    result = run(way, *sweep)
    assert result.returncode == 0, result.stderr
    assert list(states(tmp_path / "sweep").values()) == ["done", "done"]
    records = sorted((tmp_path / "sweep").glob("0*/resolved_config.yaml"))
    assert ["ratio: 0.1" in file.read_text() for file in records] == [True, False]


def test_a_run_of_it_is_repeated_where_it_is_registered(run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    assert run("register_config", TARGET, "mask=random", "hydra.run.dir=one").returncode == 0
    assert run("tutorial", "rerun", "one", "--dry-run").returncode == 0
    elsewhere = run("neither", "rerun", "one", "--dry-run")
    assert elsewhere.returncode == 1 and "schemas.mask=mask/random is not registered" in elsewhere.stderr


@pytest.mark.parametrize("way", ["tutorial", "register_config"])
def test_it_is_completed(run: Callable[..., subprocess.CompletedProcess[str]], way: str) -> None:
    assert run(way, "-sc", "query=bash", COMP_LINE="mine.py mask=ra").stdout.split() == ["mask=random"]
    settings = run(way, "-sc", "query=bash", COMP_LINE="mine.py mask=random mask.ra").stdout
    assert settings.split() == ["mask.ratio="]
