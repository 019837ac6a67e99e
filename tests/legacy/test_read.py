"""Files that are no published experiment: one clear message each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vjepa_pipe import ConfigError
from vjepa_pipe.legacy.read import read_legacy

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join(['*' + old] * 10)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("app: [", "not YAML: .*line 2"),
        ("- a.yaml\n- b.yaml\n", "a list at top level"),
        ("just words", "holds no sections"),
        ("", "holds no sections"),
        (BOMB, "more than 10000 values, aliases unfolded"),
        ("a: &a\n  b: *a\n", "the alias .a holds itself"),
        ("a: " + "[" * 10_000 + "]" * 10_000, "levels|is not YAML"),
        ("a: " + "[" * 200 + "]" * 200, "more than 100 levels"),
        ("app: vjepa\napp: vjepa\n", ":2: app is a duplicate key"),
        ("a: !!python/object/apply:os.system [ls]\n", ":1: the tag .*os.system is not read"),
        ("a: !!python/name:os.system x\n", "could not determine a constructor"),
    ],
)
def test_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "old.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message) as error:
        read_legacy(file)
    assert str(file) in str(error.value) and "\n" not in str(error.value)


def test_merge_keys_do_not_escape_the_cap(tmp_path: Path) -> None:
    file = tmp_path / "old.yaml"
    file.write_text("a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\n")
    assert read_legacy(file).values["b"] == {"x": 1, "y": 3}


def test_missing_folder_and_binary_files(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    for file in (tmp_path / "none.yaml", tmp_path, tmp_path / "b.yaml"):
        with pytest.raises(ConfigError, match=re.escape(str(file))):
            read_legacy(file)


def test_lines_of_keys_and_list_items(tmp_path: Path) -> None:
    file = tmp_path / "old.yaml"
    file.write_text("# first\napp: vjepa\nmask:\n- num_blocks: 8\n- num_blocks: 2\nckpt: None\n")
    found = read_legacy(file)
    assert found.lines["mask[1].num_blocks"] == 5
    assert found.values["ckpt"] is None
