"""JSON Schema and the written reference say what the dataclasses say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from vjepa_pipe.commands.json_schema import FOLDER, group_schemas, modeline, modeline_files
from vjepa_pipe.commands.reference_docs import reference_text
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


@pytest.mark.parametrize("file", modeline_files(), ids=lambda file: f"{file.parent.name}/{file.name}")
def test_packaged_files_keep_to_their_schema_and_name_it(file: Path) -> None:
    group = modeline_files()[file]
    assert broken(SCHEMAS[group], yaml.safe_load(file.read_text())) == []
    assert modeline(group) in file.read_text().splitlines(), "run: vjepa-pipe schema"
    target = re.search(r"\$schema=(\S+)", file.read_text())
    assert target is not None and (file.parent / target[1]).is_file()


@pytest.mark.parametrize(("group", "text"), [
    ("data", "target_fps: 0"), ("data", "target_fsp: 4"), ("data", "clip_mode: fsp"), ("data", "data_paths: a.csv"),
    ("data_aug", "crop_scale: [1]"), ("data_aug", "horizontal_flip: 3"), ("mask", "masks: {short: {num_blocks: 0}}"),
    ("experiment", "data: {img_size: big}"), ("experiment", "sed: 3"), ("loader", "prefetch_factor: 1.5"),
])  # fmt: skip
def test_faults_an_editor_underlines(group: str, text: str) -> None:
    assert broken(SCHEMAS[group], yaml.safe_load(text))


def test_references_and_missing_values_are_allowed() -> None:
    assert not broken(SCHEMAS["data"], yaml.safe_load("target_fps: ${seed}\nimg_size: ???\ndata_weights: null"))


def test_written_files_are_current() -> None:
    for group, schema in SCHEMAS.items():
        written = json.loads((conf_dir() / FOLDER / f"{group}.json").read_text())
        assert written == json.loads(json.dumps(schema)), "run: vjepa-pipe schema"
    docs = conf_dir().parent / "docs" / "configuration.md"
    assert docs.read_text() == reference_text(), "run: vjepa-pipe schema --docs docs/configuration.md"
