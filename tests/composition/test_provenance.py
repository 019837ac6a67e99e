"""Where settings come from: the file and line named is the one that says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from companions import own_commands

from vjepa_pipe.composition.snapshot import plain
from vjepa_pipe.config.folders import conf_dir
from vjepa_pipe.config.tree import leaves
from vjepa_pipe.experiments import compose_with_provenance

FILES = {f"{file.parent.relative_to(conf_dir())}={file.stem}" for file in conf_dir().rglob("*.yaml")}
# Without a file of its own, a command names only lines that others name too.
CASES = [
    pytest.param(command, marks=pytest.mark.soak if FILES.isdisjoint(command) else ()) for command in own_commands()
]


@pytest.mark.parametrize("command", CASES, ids=" ".join)
def test_each_line_that_is_named_holds_the_value(command: list[str]) -> None:
    found = compose_with_provenance(command)
    named = 0
    for path, value in leaves(plain(found.experiment)):
        file, _, line = found.provenance[path].rpartition(":")
        if not file.startswith("conf/"):
            continue
        text = (conf_dir().parent / file).read_text().splitlines()[int(line) - 1].strip()
        (said,) = yaml.safe_load(text).items()
        if str(said[1]).startswith("${"):
            continue  # the line names another setting
        assert said == (path.split(".")[-1], value), path
        named += 1
    assert named >= 2  # at least the name and the seed


def test_command_line_user_folder_and_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "mine" / "experiment"
    folder.mkdir(parents=True)
    (folder / "own.yaml").write_text(
        "# @package _global_\nname: own\nmask:\n  masks:\n    short:\n      num_blocks: 4\n"
    )
    found = compose_with_provenance(
        ["experiment=own", "data.target_fps=4", "mask.masks.long={num_blocks:1}"], "mine"
    ).provenance
    assert found["name"] == "mine/experiment/own.yaml:2"
    assert found["mask.masks.short.num_blocks"] == "mine/experiment/own.yaml:6"
    assert found["mask.masks.short.spatial_scale"].startswith("conf/mask/multiblock3d.yaml:")
    assert found["mask.masks.long.num_blocks"] == "command line: mask.masks.long={num_blocks:1}"
    assert found["mask.masks.long.aspect_ratio"].startswith("conf/mask/multiblock3d.yaml:")
    assert found["data.target_fps"] == "command line: data.target_fps=4"
    assert found["data.num_clips"] == "schema default"


def test_a_file_that_has_changed_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "experiment" / "own.yaml"
    file.parent.mkdir()
    for line in (2, 3):
        file.write_text(f"# @package _global_{line * chr(10)}"[:-1] + "\nname: own\n")
        found = compose_with_provenance(["experiment=own"], tmp_path).provenance
        assert found["name"] == f"{file}:{line + 1}"
