"""Points composed from a shared base are what Hydra composes whole."""

from __future__ import annotations

import pytest

from vjepa_pipe import ConfigError, compose
from vjepa_pipe.composition.compose import compose_dict, read_experiment
from vjepa_pipe.composition.hydra_loader import hydra_loader
from vjepa_pipe.composition.options import config_folders
from vjepa_pipe.composition.points import PointComposer, change
from vjepa_pipe.composition.provenance import provenance
from vjepa_pipe.composition.snapshot import plain
from vjepa_pipe.composition.store import register
from vjepa_pipe.config.tree import leaves

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


def test_shared_bases_change_nothing() -> None:
    register()
    with hydra_loader() as loader:
        composer = PointComposer(loader, [], config_folders())
        for overrides in POINTS:
            composer.compose(overrides)
        for overrides in POINTS:  # again, on bases that have been used
            quick = composer.compose(overrides)
            experiment, faults = read_experiment(compose_dict(overrides))
            assert (quick.experiment, quick.faults) == (experiment, faults)
            names = [path for path, _ in leaves(plain(experiment))]
            assert quick.provenance == provenance(loader, overrides, config_folders(), names)


def test_an_override_that_fails_leaves_the_base_as_it_was() -> None:
    register()
    with hydra_loader() as loader:
        composer = PointComposer(loader, [], config_folders())
        before = composer.compose(["seed=1"])
        with pytest.raises(Exception, match="frames_per_clip"):
            composer.compose(["seed=5", "data.frames_per_clip=abc"])
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
