"""What our composer makes of overrides is what Hydra composes, and points that share a base are what each is alone."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hydra
import pytest
from companions import own_commands
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from vjepa_pipe import ConfigError, compose
from vjepa_pipe.composition import hydra_loader as loader_module
from vjepa_pipe.composition import hydra_mode
from vjepa_pipe.composition.composer import Composer, change
from vjepa_pipe.composition.hydra_loader import PRIMARY, hydra_loader
from vjepa_pipe.composition.hydra_mode import mode_composed_if_set
from vjepa_pipe.composition.read import experiment_from
from vjepa_pipe.composition.store import register
from vjepa_pipe.config.folders import conf_dir

POINTS = [
    ["data.target_fps=4", "seed=7"],
    ["data.target_fps=0", "+typo=1", "++seed=9"],
    ["data_aug=robotics", "data_aug.horizontal_flip=true", "data_aug.crop_scale=[0.5,1.0]"],
    ["mask=tube", "mask.masks.tube.ratio=0.5"],
    ["+data.extra_args.a=1", "++data.extra_args.b=[2]"],
    ["loader={drop_last:false}", "loader.monitor.enabled=true", "data.clip_duration_sec=null"],
    ["experiment=vjepa2_vitl16_256px_16f", "mask.masks.short={num_blocks:3}", "mask.masks.short.num_blocks=2"],
    ["name=x", "~mask.masks.long"],
]
# Overrides that OmegaConf's typed nodes convert.
CONVERTED = [
    ["data.batch_size='4'", "name=12", "data_aug.horizontal_flip=1", "data.target_fps='2.5'"],
    ["data_aug.horizontal_flip=off", "data.source_names=[1,true]", "data.data_weights=['1']", "name=2.50"],
    ["data.frames_per_clip=${oc.decode:'8'}", "name=${data.clip_mode}-${seed}", "data.batch_size=${.num_workers}"],
    ["~mask.masks.short", "mask.masks.long={num_blocks:'3'}"],
    ["data_aug.extra_transforms=[{_target_:torchvision.transforms.v2.RandomVerticalFlip,p:1}]"],
    [
        "data_aug.extra_transforms=[{_target_:x}]",
        "data_aug.extra_transforms.0._target_=torchvision.transforms.v2.Identity",
    ],
]
# Hydra alone composes commands that only choose options.
COMMANDS = [words for words in own_commands() if any("." in word.partition("=")[0] for word in words)]


@pytest.mark.parametrize("overrides", [*POINTS[2:7], *CONVERTED, *COMMANDS], ids=" ".join)
def test_composer_and_hydra_agree(overrides: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vjepa_pipe.composition.read.deeper_faults", lambda _: [])
    register()
    with hydra_loader() as loader:
        theirs = experiment_from(hydra.compose(PRIMARY, overrides=overrides))
        ours = Composer(loader).compose(overrides)
    assert (ours.experiment, ours.faults) == (theirs, [])


def test_shared_bases_change_nothing() -> None:
    register()
    with hydra_loader() as loader:
        composer = Composer(loader)
        for overrides in POINTS:
            composer.compose(overrides)
        for overrides in POINTS:  # again, on bases that have been used
            quick, alone = composer.compose(overrides), Composer(loader).compose(overrides)
            assert (quick.experiment, quick.faults) == (alone.experiment, alone.faults)
            assert quick.provenance == alone.provenance


def test_an_override_that_fails_leaves_the_base_as_it_was() -> None:
    register()
    with hydra_loader() as loader:
        composer = Composer(loader)
        before = composer.compose(["seed=1"])
        faulty = composer.compose(["seed=5", "data.frames_per_clip=abc", "data_aug.crop_scale.0=2"])
        assert len(faulty.faults) == 2
        assert composer.compose(["seed=1"]).experiment == before.experiment


def test_change_of_an_experiment_is_checked() -> None:
    experiment, sources = change(
        compose(["mask=tube"]), {"seed": "conf/config.yaml:17"}, ["seed=5", "data.target_fps=3"]
    )
    assert (experiment.seed, experiment.data.target_fps) == (5, 3.0)
    assert sources["seed"] == "command line: seed=5"
    with pytest.raises(ConfigError) as error:
        change(experiment, {}, ["mask=none", "data.target_fsp=3", "seed=-1"])
    assert len(error.value.faults) == 3
    assert "chooses an option" in str(error.value) and "did you mean data.target_fps?" in str(error.value)


def test_composing_within_a_running_hydra_application() -> None:
    with hydra_loader():
        assert compose(["seed=3"]).seed == 3
        with hydra_loader() as loader:
            assert loader.get_group_options("mask")


@pytest.mark.skipif(hasattr(ConfigLoaderImpl, "get_mode"), reason="Hydra 1.4 reads it from its one composition")
@pytest.mark.parametrize(("text", "mode"), [("hydra: {mode: MULTIRUN}", RunMode.MULTIRUN), ("name: mine", None)])
def test_an_experiment_in_conf_may_be_a_sweep(
    text: str, mode: RunMode | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(conf_dir(), tmp_path / "conf"))
    (folder / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{text}\n")
    for module in (hydra_mode, loader_module):
        monkeypatch.setattr(module, "conf_dir", lambda: folder)
    register()
    with hydra_loader(), mode_composed_if_set():
        app = GlobalHydra.instance().hydra
        assert app is not None and app.get_mode(PRIMARY, ["experiment=mine"]) is mode


def test_threads_compose_one_at_a_time() -> None:
    load = ConfigLoaderImpl.load_configuration
    with ThreadPoolExecutor(4) as threads:
        words = [
            ["data=csv", "data.data_paths=[a]", f"data.batch_size={size}", "hydra.verbose=true"]
            for size in (1, 2, 3, 4)
        ]
        assert [found.data.batch_size for found in threads.map(compose, words)] == [1, 2, 3, 4]
    assert GlobalHydra.instance().hydra is None and ConfigLoaderImpl.load_configuration is load
