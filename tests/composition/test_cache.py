"""What `compose` keeps from one call to the next."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from omegaconf import OmegaConf

from vjepa_pipe import compose
from vjepa_pipe.cli import main
from vjepa_pipe.composition import cache, checked_hydra, composer, hydra_loader
from vjepa_pipe.composition.store import store_experiment
from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.folders import conf_dir
from vjepa_pipe.files.regular_file import change_stamp

OVERRIDES = ["data=csv", "data.data_paths=[a.csv]", "data.batch_size=3"]


@pytest.fixture
def merges(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """One entry for each time that Hydra merges files."""
    compose(OVERRIDES)  # whatever earlier tests have left
    seen: list[int] = []
    load = composer.Composer._load
    monkeypatch.setattr(composer.Composer, "_load", lambda self, words: (seen.append(1), load(self, words))[1])
    yield seen


def test_the_same_choices_are_merged_once(merges: list[int]) -> None:
    first = compose(OVERRIDES)
    first.data.batch_size, first.data.data_paths = 77, ["elsewhere"]
    second = compose([*OVERRIDES, "data.num_workers=1"])
    assert (second.data.batch_size, second.data.data_paths, second.data.num_workers) == (3, ["a.csv"], 1)
    assert not merges
    compose(["data=synthetic", "mask=none", "task=validate"])
    assert len(merges) == 1


def test_a_file_that_has_changed_is_read_again(merges: list[int]) -> None:
    file = conf_dir() / "config.yaml"
    times = file.stat()
    try:
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns + 1))
        compose(OVERRIDES)
    finally:
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert len(merges) == 1


def test_what_is_stored_in_memory_is_read_again(merges: list[int]) -> None:
    for frames in (4, 8):
        store_experiment("in_memory", {"data": {"frames_per_clip": frames}}, {})
        assert compose(["experiment=in_memory"]).data.frames_per_clip == frames


def test_the_current_folder_counts(merges: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    compose(OVERRIDES)
    assert len(merges) == 1


@pytest.mark.skipif(hasattr(ConfigLoaderImpl, "get_mode"), reason="Hydra 1.4 resolves only choices in a defaults list")
def test_a_variable_that_chooses_an_option_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(conf_dir(), tmp_path / "conf"))
    for module in (cache, checked_hydra, hydra_loader):
        monkeypatch.setattr(module, "conf_dir", lambda: folder)
    text = "# @package _global_\ndefaults:\n  - override /data_aug: ${oc.env:WHICH}\n"
    (folder / "experiment" / "by_variable.yaml").write_text(text)
    for option, keeps in [("robotics", True), ("pretrain", False)]:
        monkeypatch.setenv("WHICH", option)
        assert compose(["experiment=by_variable"]).data_aug.keep_geometry is keeps


def test_the_lock_of_an_editor_is_no_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".#config.yaml").symlink_to("me@here.1:2")
    monkeypatch.setattr(cache, "conf_dir", lambda: tmp_path)
    assert compose(OVERRIDES).data.batch_size == 3


def test_a_current_folder_that_is_gone_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    with pytest.raises(ConfigError, match="the current folder has been removed"):
        compose(OVERRIDES)
    assert main(["--cfg", "job"]) == 2
    assert capsys.readouterr().err == "config error: the current folder has been removed: change to another\n"


def test_a_file_written_again_within_a_tick_is_another(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    stamps = set()
    for number in (3, 5):
        (tmp_path / "draft").write_text(f"a: {number}")
        os.utime(tmp_path / "draft", ns=(0, 0))
        (tmp_path / "draft").rename(file)
        stamps.add(change_stamp(file))
    assert len(stamps) == 2


def test_a_file_is_parsed_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    compose(OVERRIDES, tmp_path)
    parsed: list[str] = []
    load = OmegaConf.load
    monkeypatch.setattr(OmegaConf, "load", lambda file: (parsed.append(file.name), load(file))[1])
    (tmp_path / "mask").mkdir()
    own = tmp_path / "mask" / "mine.yaml"
    for size in (8, 32):
        own.write_text(f"defaults: [none, _self_]\npatch_size: {size}\n")
        assert compose([*OVERRIDES, "mask=mine"], tmp_path).mask.patch_size == size
    assert parsed == [str(own)] * 2
    assert compose([*OVERRIDES, "mask=mine", "mask.patch_size=4"], tmp_path).mask.patch_size == 4
    assert compose([*OVERRIDES, "mask=mine"], tmp_path).mask.patch_size == 32
    assert len(parsed) == 2
