"""`_target_` nodes of a user's own: arguments that fit, nested nodes, and what is said where one does not fit."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import pytest

from vjepa_pipe import ConfigError, ExperimentConfig, MaskConfig, allow_targets, compose
from vjepa_pipe.config import AugConfig, DecoderConfig, instantiate, targets
from vjepa_pipe.config.instantiate import parameters_of, signature_faults


class Parent:
    def __init__(self, threads: int, colour: str = "red") -> None:
        self.threads, self.colour = threads, colour

    def open(self, path: str) -> None:
        """As every decoder."""


class Child(Parent):
    def __init__(self, *args: Any, shape: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.shape = shape


class Whole:
    def __init__(self, config: Any, colour: str = "red") -> None:
        self.config, self.colour = config, colour

    def __call__(self, samples: Any) -> None:
        """As every collator."""


class Mapped:
    def __init__(self, config: Any, extra_args: Any) -> None:
        self.extra_args = extra_args

    def __call__(self, samples: Any) -> None:
        """As every collator."""


NAME = f"{__name__}.{{}}".format
PARENT = {"_target_": NAME("Parent")}
RANDOM_APPLY = {
    "_target_": "torchvision.transforms.v2.RandomApply",
    "transforms": [{"_target_": "torchvision.transforms.v2.Grayscale", "num_output_channels": 3}],
}


@pytest.fixture(autouse=True)
def _allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "_allowed", [])
    allow_targets(f"{__name__}.*")


def test_a_child_takes_what_its_parent_takes() -> None:
    assert sorted(parameters_of(Child)[0]) == ["colour", "shape", "threads"]
    node = DecoderConfig(threads=3, extra_args={"colour": "blue", "shape": [1]}, _target_=NAME("Child"))
    built = instantiate(node, "decoder", seed=5)
    assert (built.threads, built.colour, built.shape) == (3, "blue", [1])


@pytest.mark.parametrize(("experiment", "fault"), [
    (ExperimentConfig(decoder=DecoderConfig(extra_args={"color": 1}, _target_=NAME("Child"))),
     r"decoder\.extra_args\.color: .*Child has no such parameter \(did you mean colour\?\)"),
    (ExperimentConfig(mask=MaskConfig(extra_args={"x": 1}, _target_=NAME("Whole"))),
     r"mask\.extra_args\.x: .*Whole has no such parameter"),
    (ExperimentConfig(mask=MaskConfig(extra_args={"x": 1})), r"mask\.extra_args\.x: .*MaskCollator has no such"),
    (ExperimentConfig(data_aug=AugConfig(extra_args={"keep": 1})), r"data_aug\.extra_args\.keep: .*Pipeline has no"),
    (ExperimentConfig(decoder=DecoderConfig(extra_args={"shape": {"_target_": "os.system"}}, _target_=NAME("Child"))),
     r"decoder\.extra_args\.shape\._target_: os\.system is not an allowed target"),
    (ExperimentConfig(decoder=DecoderConfig(extra_args={"shape": [PARENT]}, _target_=NAME("Child"))),
     r"decoder\.extra_args\.shape\[0\]: .*Parent needs threads"),
])  # fmt: skip
def test_what_does_not_fit_is_named_before_and_when_building(experiment: ExperimentConfig, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        raise ConfigError(list(signature_faults(experiment)))
    with pytest.raises(ConfigError, match=fault):
        for name in ("decoder", "mask", "data_aug"):
            if (node := getattr(experiment, name)) != getattr(ExperimentConfig(), name):
                instantiate(node, name)


@pytest.mark.parametrize(("override", "fault"), [
    ("data_aug.extra_transforms=[blur]", r"extra_transforms\[0\] must be a mapping with a `_target_` \(got 'blur'"),
    ("data_aug.extra_transforms=[{p:1}]", r"data_aug\.extra_transforms\[0\] must be a mapping with a `_target_`"),
    ("data_aug.extra_transforms=[{_target_:5}]", r"data_aug\.extra_transforms\[0\]\._target_ must be a name"),
    ("+decoder.extra_args.a={_target_:[x]}", r"decoder\.extra_args\.a\._target_ must be a name"),
])  # fmt: skip
def test_nodes_that_name_nothing(override: str, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        compose([override])


def test_config_and_extra_args_by_name() -> None:
    node = MaskConfig(extra_args={"colour": "blue"}, _target_=NAME("Whole"))
    built = instantiate(node, "mask")
    assert built.config is node and built.colour == "blue"
    free = replace(node, extra_args={"anything": 1}, _target_=NAME("Mapped"))
    assert instantiate(free, "mask").extra_args == {"anything": 1}
    assert not list(signature_faults(ExperimentConfig(mask=free)))


def test_nodes_below_nodes_are_built() -> None:
    nested = PARENT | {"threads": 2}
    partial = PARENT | {"_partial_": True, "colour": "green"}
    node = DecoderConfig(extra_args={"shape": {"a": [nested], "b": partial}}, _target_=NAME("Child"))
    assert not list(signature_faults(ExperimentConfig(decoder=node)))
    shape = instantiate(node, "decoder").shape
    assert isinstance(shape["a"][0], Parent) and shape["a"][0].threads == 2
    assert isinstance(shape["b"], functools.partial) and shape["b"](threads=1).colour == "green"
    built = instantiate(RANDOM_APPLY, "data_aug.extra_transforms[0]")
    assert type(built.transforms[0]).__name__ == "Grayscale"
