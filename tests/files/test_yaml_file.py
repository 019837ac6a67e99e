"""YAML that anyone wrote: one clear line that names the file, whatever is in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vjepa_pipe import ConfigError, compose
from vjepa_pipe.composition.snapshot import thaw
from vjepa_pipe.files import yaml_file
from vjepa_pipe.files.yaml_file import read_yaml

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join(['*' + old] * 10)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)
)
BAD = {
    "10,000 levels": ("a: " + "[" * 10_000 + "]" * 10_000, "levels|is not YAML"),
    "200 levels": ("a: " + "[" * 200 + "]" * 200, "more than 100 levels"),
    "aliases": (BOMB, "values, aliases unfolded"),
    "an alias of itself": ("a: &a\n  b: *a\n", "holds itself"),
    "a tag": ("a: !!python/object/apply:os.system [ls]\n", "is not YAML"),
    "cut off": ("a: [", "is not YAML"),
    "bytes": (b"\xff\xfe\x00", "not a text file"),
    "a number without end": ("a: " + "9" * 5000, "is not YAML"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_refused_by_every_reader(content: str | bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "data" / "odd.yaml"
    file.parent.mkdir()
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    for read in (read_yaml, thaw, lambda _: compose(["data=odd"], tmp_path)):
        with pytest.raises(ConfigError, match=message) as error:
            read(file)
        assert len(error.value.faults) == 1 and "odd.yaml" in str(error.value) and "\n" not in str(error.value)


def test_size_and_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "long.yaml").write_text("a: " + "x" * 100)
    monkeypatch.setattr(yaml_file, "MAX_BYTES", 50)
    os.mkfifo(tmp_path / "fifo.yaml")
    for name, message in (
        ("long", "larger than 50 bytes"),
        ("fifo", "not a file but a fifo"),
        ("none", "No such file"),
    ):
        with pytest.raises(ConfigError, match=message):
            read_yaml(tmp_path / f"{name}.yaml")


def test_what_people_write_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: &a {x: 1}\nb: {<<: *a, y: [2, 3.5, null]}\n")
    assert read_yaml(tmp_path / "a.yaml")["b"] == {"x": 1, "y": [2, 3.5, None]}


def test_hydra_reads_files_of_fewer_values(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "odd.yaml").write_text("a: &a [" + "x," * 100 + "]\nb: [" + "*a," * 100 + "]\n")
    assert len(read_yaml(tmp_path / "data" / "odd.yaml")["b"]) == 100
    with pytest.raises(ConfigError, match=r"odd\.yaml:2: more than 10000 values"):
        compose(["data=odd"], tmp_path)


@pytest.mark.parametrize("text", ["schemas: 3\nexperiment: {}", "schemas: {}\nexperiment: 3"])
def test_a_resolved_experiment_of_another_form(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(Exception, match="is not a resolved experiment"):
        thaw(tmp_path / "x.yaml")
