"""Out again: in, out, in is the identity, and what published YAML cannot say is named."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml
from published_files import FILES, write_file

from vjepa_pipe import ConfigError, compose
from vjepa_pipe.config import UserError
from vjepa_pipe.legacy.export import export_text, not_said, published_values


@pytest.mark.parametrize("kind", FILES)
def test_in_out_in_is_the_identity(tmp_path: Path, kind: str) -> None:
    first = compose([f"legacy={write_file(tmp_path, kind)}"])
    again = tmp_path / "again.yaml"
    again.write_text(export_text(first, "jepa" if "v1" in kind else "vjepa2"))
    second = compose([f"legacy={again}"])
    assert dataclasses.replace(second, name=first.name) == first
    assert "cannot be said" not in again.read_text()


def test_what_published_yaml_cannot_say_is_named(tmp_path: Path) -> None:
    file = write_file(tmp_path, "vjepa")
    ours = ["data.convention=strict", "data.num_clips=2", "data.repeated_sampling=2"]
    changed = compose([f"legacy={file}", *ours, "data.target_fps=5"])
    said = not_said(changed, published_values(changed))
    assert said == [
        "data.num_clips=2 (the published code does 1)",
        "data.repeated_sampling=2 (the published code does 1)",
        "data.convention=strict (the published code does reference)",
    ]
    assert published_values(changed)["data"]["fps"] == 5


@pytest.mark.parametrize(("kind", "default"), [("vjepa", 224), ("vjepa_droid", 256)])
def test_the_published_code_crops_squares(tmp_path: Path, kind: str, default: int) -> None:
    changed = compose([f"legacy={write_file(tmp_path, kind)}", "data.img_size=[32,64]"])
    values = published_values(changed)
    assert values["data"]["crop_size"] == default
    assert not_said(changed, values) == [f"data.img_size=[32, 64] (the published code does {default})"]


def test_whole_numbers_stay_whole(tmp_path: Path) -> None:
    """The published loader divides frames by `fps` and uses the result as a count."""
    values = published_values(compose([f"legacy={write_file(tmp_path, 'vjepa')}"]))
    assert type(values["data"]["fps"]) is int
    assert yaml.safe_load(yaml.safe_dump(values)) == values


def test_recipe_takes_its_files_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = compose(["experiment=vjepa2_vitl16_256px_16f"])
    for name in recipe.data.path_variables:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="K710_CSV, SSV2_CSV, HOWTO100M_CSV"):
        published_values(recipe)
    for name in recipe.data.path_variables:
        monkeypatch.setenv(name, f"{name}.csv")
    assert published_values(recipe)["data"]["datasets"] == ["K710_CSV.csv", "SSV2_CSV.csv", "HOWTO100M_CSV.csv"]
    assert not_said(recipe, published_values(recipe)) == []


def test_experiments_without_a_published_trainer(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="one of vjepa, vjepa_2_1, vjepa_droid, video_probe"):
        export_text(compose(["data=synthetic"]), "vjepa2")
    with pytest.raises(UserError, match="training=vjepa_v1 is not read by vjepa2"):
        export_text(compose([f"legacy={write_file(tmp_path, 'vjepa_v1')}"]), "vjepa2")
