"""Experiments as files, and when two are the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from companions import own_commands

from vjepa_pipe import ConfigError, compose
from vjepa_pipe.composition.identity import full_identity, identity
from vjepa_pipe.composition.snapshot import freeze, is_frozen, thaw
from vjepa_pipe.config import UserError

COMMANDS = own_commands()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_round_trip(command: list[str], tmp_path: Path) -> None:
    experiment = compose(command)
    file = tmp_path / "frozen.yaml"
    file.write_text(freeze(experiment))
    assert is_frozen(file)
    assert thaw(file) == experiment and type(thaw(file).data) is type(experiment.data)


@pytest.mark.parametrize("value", ["1e-5", "on", "null", "12:30", "a: b", "#x", " x ", "'", "\\", "é"])
def test_text_that_yaml_could_take_for_something_else(value: str, tmp_path: Path) -> None:
    experiment = replace(compose(), name=value)
    (tmp_path / "frozen.yaml").write_text(freeze(experiment))
    assert thaw(tmp_path / "frozen.yaml").name == value


@pytest.mark.parametrize(("text", "words"), [
    ("a: [", "is not YAML"), ("a: 1", "is not a resolved experiment"), ("3", "is not a resolved experiment"),
    ("schemas: {data: sythetic}\nexperiment: {}", "schemas.data=sythetic is not a schema (did you mean synthetic?)"),
    ("schemas: {}\nexperiment: {seed: -1, sed: 3}", "seed must be >= 0 (got -1)"),
    ("schemas: {}\nexperiment: {task: {_target_: os.system}}", "os.system is not an allowed target"),
    ("!!python/object/apply:os.system ['true']", "is not YAML"),
])  # fmt: skip
def test_files_that_are_none(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises((UserError, ConfigError)) as error:
        thaw(tmp_path / "x.yaml")
    assert words in str(error.value) and "x.yaml" in str(error.value)


def test_identity_is_what_can_change_a_result() -> None:
    base = compose()
    for same in (["data.num_workers=0"], ["name=other"], ["loader.prefetch_factor=8"], ["decoder.threads=2"],
                 ["task.progress=false"], ["data.cache_dir=/elsewhere"], ["data.target_fps=10.0"]):  # fmt: skip
        assert identity(compose(same)) == identity(base), same
    others = [["seed=1"], ["data.target_fps=9"], ["decoder=decord"], ["mask=none"], ["data_aug.crop_scale=[0.4,1.0]"]]
    assert len({identity(compose(one)) for one in [[], *others]}) == 1 + len(others)
    assert full_identity(compose(["data.num_workers=0"])) != full_identity(base)
    assert full_identity(compose(["data.target_fps=10.0"])) == full_identity(base)
