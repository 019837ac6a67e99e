"""Captioned video from the command line, with the data set and the policy that docs/captioned_video.md shows."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from pathlib import Path

import program
import pytest
from captioned import write_webvid

from vjepa_pipe.config.folders import conf_dir

SMALL = ["data=webvid", "data.max_frames=4", "data.frame_size=32", "data.batch_size=2", "data.num_workers=0"]

PAGE = (conf_dir().parent / "docs" / "captioned_video.md").read_text()
MINE = PAGE.split("```python\n")[1].split("```")[0]
POINTS = PAGE.split("```toml\n")[1].split("```")[0]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_webvid(tmp_path_factory.mktemp("webvid"))


@pytest.fixture
def installed(tmp_path: Path) -> str:
    """A folder with an installed package that offers a dataset type and a policy."""
    info = tmp_path / "site" / "mine-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    points = tomllib.loads(POINTS)["project"]["entry-points"]
    points["vjepa_pipe.video_datasets"]["broken"] = "no_such_module:build"
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in names.items()) for group, names in points.items()]
    (info / "entry_points.txt").write_text("\n".join(lines))
    (tmp_path / "site" / "mine.py").write_text(MINE)
    return str(tmp_path / "site")


def launch(*arguments: str, cwd: Path, site: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return program.launch(*SMALL, *arguments, cwd=cwd, env=os.environ | environment | {"PYTHONPATH": site})


@pytest.mark.parametrize("layout", ["vlm", "vjepa"])
def test_a_run_leaves_a_summary_and_a_picture(layout: str, root: Path, tmp_path: Path) -> None:
    result = launch(f"data.output.layout={layout}", "data.frame_size=64", cwd=tmp_path, WEBVID_ROOT=str(root))
    assert result.returncode == 0, result.stderr
    (summary,) = tmp_path.rglob("summary.json")
    shapes = json.loads(summary.read_text())["shapes"]
    assert shapes["pixel_values" if layout == "vlm" else "video"] == (
        [2, 4, 3, 64, 64] if layout == "vlm" else [2, 3, 4, 64, 64]
    )
    assert ("masks_enc" in shapes) == (layout == "vjepa")
    assert summary.with_name("preview.png").stat().st_size > 5000


def test_validate(root: Path, tmp_path: Path) -> None:
    result = launch("task=validate", f"data.data_root={root}", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "pass clips: 4 samples with pixel_values [4, 3, 32, 32], 3.8 real frames on average, 1 without caption" in (
        result.stderr
    )


def test_another_package_brings_data_set_and_policy(root: Path, tmp_path: Path, installed: str) -> None:
    result = launch(
        "data.dataset_type=mine", "data.sampling_policy=ends", "+data.extra_args.shout=true", f"data.data_root={root}",
        "data.num_workers=1", "loader.start_method=spawn", cwd=tmp_path, site=installed,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    (summary,) = tmp_path.rglob("summary.json")
    (source,) = json.loads(summary.read_text())["sources"].items()
    assert (source[0], source[1]["clips"], source[1]["replaced"]) == ("mine", 4, 0)


@pytest.mark.parametrize(("overrides", "status", "message"), [
    (["data.dataset_type=mnie"], 2,
     "data.dataset_type must be one of webvid, webvid_original, mine, broken (got 'mnie') (did you mean mine?)"),
    (["data.dataset_type=broken"], 1,
     "video_dataset/broken: entry point no_such_module:build of mine 1.0 cannot be imported: ModuleNotFoundError"),
    (["data.text.tokenizer_path=no/such/tokenizer/here"], 1, "data.text.tokenizer_path=no/such/tokenizer/here cannot"),
])  # fmt: skip
def test_faults(overrides: list[str], status: int, message: str, root: Path, tmp_path: Path, installed: str) -> None:
    result = launch(*overrides, f"data.data_root={root}", cwd=tmp_path, site=installed, HF_HUB_OFFLINE="1")
    assert result.returncode == status, result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr
