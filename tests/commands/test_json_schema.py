"""JSON Schema and the written reference say what the dataclasses say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from vjepa_pipe.cli import main
from vjepa_pipe.commands.json_schema import group_schemas
from vjepa_pipe.commands.reference_docs import reference_text
from vjepa_pipe.composition.options import group_options, groups, option_file
from vjepa_pipe.config.folders import conf_dir

SCHEMAS = group_schemas()
TYPES: dict[str, Any] = {
    "integer": int, "number": (int, float), "string": str, "boolean": bool, "array": list, "object": dict,
    "null": type(None),
}  # fmt: skip


def broken(schema: dict[str, Any], value: Any, path: str = "") -> list[str]:
    """The part of JSON Schema that is written here, checked by the letter of draft 7."""
    if "anyOf" in schema:
        tried = [broken(one, value, path) for one in schema["anyOf"]]
        return [] if any(not one for one in tried) else tried[0]
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or (kind != "boolean" and isinstance(value, bool))):
        return [f"{path}: {value!r} is no {kind}"]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{path}: {value!r}")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{path}: {value!r}")
    limits = {"minimum": lambda v, b: v >= b, "exclusiveMinimum": lambda v, b: v > b, "maximum": lambda v, b: v <= b,
              "exclusiveMaximum": lambda v, b: v < b, "minItems": lambda v, b: len(v) >= b,
              "maxItems": lambda v, b: len(v) <= b}  # fmt: skip
    found += [f"{path}: {name}" for name, holds in limits.items() if name in schema and not holds(value, schema[name])]
    if kind == "object":
        known, other = schema.get("properties", {}), schema.get("additionalProperties", {})
        for key, item in value.items():
            if key in known or other is not False:
                found += broken(known.get(key, other), item, f"{path}.{key}")
            else:
                found.append(f"{path}.{key} is unknown")
    if kind == "array":
        found += [fault for item in value for fault in broken(schema.get("items", {}), item, path)]
    return found


OPTIONS = [(group, option) for group in groups() if group in SCHEMAS for option in group_options(group)]
FILES = [(group, file) for group, option in OPTIONS if (file := option_file(group, option)) is not None]


@pytest.mark.parametrize(("group", "file"), FILES, ids=lambda value: getattr(value, "stem", value))
def test_packaged_files_keep_to_their_schema(group: str, file: Path) -> None:
    assert broken(SCHEMAS[group], yaml.safe_load(file.read_text())) == []


@pytest.mark.parametrize(("group", "text"), [
    ("data", "target_fps: 0"), ("data", "target_fsp: 4"), ("data", "clip_mode: fsp"), ("data", "data_paths: a.csv"),
    ("data_aug", "crop_scale: [1]"), ("data_aug", "horizontal_flip: 3"), ("mask", "masks: {short: {num_blocks: 0}}"),
    ("experiment", "data: {img_size: big}"), ("data", "img_size: [256]"), ("data", "img_size: [0, 256]"),
    ("experiment", "sed: 3"), ("loader", "prefetch_factor: 1.5"),
])  # fmt: skip
def test_faults_an_editor_underlines(group: str, text: str) -> None:
    assert broken(SCHEMAS[group], yaml.safe_load(text))


@pytest.mark.parametrize("size", ["224", "[256, 512]", "${seed}"])
def test_a_size_is_one_number_or_two(size: str) -> None:
    assert not broken(SCHEMAS["data"], yaml.safe_load(f"img_size: {size}"))


def test_references_and_missing_values_are_allowed() -> None:
    assert not broken(SCHEMAS["data"], yaml.safe_load("target_fps: ${seed}\nimg_size: ???\ndata_weights: null"))


def test_written_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--write", str(tmp_path / "schema")]) == 0
    setting = json.loads(capsys.readouterr().out)["yaml.schemas"]
    assert setting[str(tmp_path / "schema" / "data.json")] == "**/data/*.yaml"
    for group, schema in SCHEMAS.items():
        assert json.loads((tmp_path / "schema" / f"{group}.json").read_text()) == json.loads(json.dumps(schema))


def test_the_written_reference_is_current() -> None:
    docs = conf_dir().parent / "docs" / "configuration.md"
    assert docs.read_text() == reference_text(), "run: vjepa-pipe schema --docs docs/configuration.md"
