"""What a person types, end to end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from loading import rows_csv
from PIL import Image
from program import launch

from vjepa_pipe.config.folders import conf_dir

ROOT = conf_dir().parent
TINY = ["data.num_videos=8", "data.img_size=64", "data.frames_per_clip=4", "data.batch_size=2", "data.num_workers=0"]


def only_folder(parent: Path) -> Path:
    (folder,) = parent.iterdir()
    return folder


def test_default_run_leaves_config_summary_and_picture(tmp_path: Path) -> None:
    result = launch(*TINY, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    run = only_folder(tmp_path / "outputs" / "default")
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["clips"], summary["batches"], summary["replaced"]) == (8, 4, 0)
    source = summary["sources"]["synthetic"]
    assert (source["clips"], source["replaced"], source["quarantined"], source["frames_used"]) == (8, 0, 0, 32)
    assert min(source["open_sec"], source["decode_sec"], source["transform_sec"]) > 0
    assert summary["counted_from"] == {"epoch": 0, "batch": 0} and summary["asked_fps"] == 10
    assert summary["figures"] == source["figures"] | {k: v for k, v in summary["figures"].items() if k[:5] == "mask."}
    assert summary["figures"]["mask.short.encoder"]["clips"] == source["figures"]["crop_area"]["clips"] == 8
    for line in ("source frames per second (asked: 10)", "crop: width / height", "mask long: tokens to predict"):
        assert line in result.stderr
    assert summary["shapes"]["video"] == [2, 3, 4, 64, 64]
    assert len(summary["shapes"]["masks_enc"]) == 2
    assert "num_videos: 8" in (run / "resolved_config.yaml").read_text()
    with Image.open(run / "preview.png") as picture:
        assert picture.width > 500 and picture.height > 500
        assert len(picture.getcolors(maxcolors=1 << 24) or []) > 1000


def test_two_weighted_sources(videos_csv: Path, tmp_path: Path) -> None:
    result = launch(
        "data=csv", f"data.data_paths=[{videos_csv},{videos_csv}]", "data.data_weights=[0.75,0.25]",
        "data.source_names=[a,b]", "data.img_size=32", "data.frames_per_clip=2", "data.batch_size=8",
        "data.num_workers=0", "mask=none", cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    summary = json.loads(next(tmp_path.rglob("summary.json")).read_text())
    assert {name: source["clips"] for name, source in summary["sources"].items()} == {"a": 12, "b": 4}


def test_bad_rows_are_said_at_the_end_with_the_lists_that_name_them(videos_csv: Path, tmp_path: Path) -> None:
    rows = rows_csv(tmp_path / "rows.csv", videos_csv, {3: "bad3.txt"})
    result = launch("data=csv", f"data.data_paths=[{rows}]", *TINY[1:], "task.preview_clips=0", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    run = only_folder(tmp_path / "outputs" / "default")
    (said,) = [line for line in result.stderr.splitlines() if "bad rows" in line]
    assert said.startswith(f"bad rows: 1 in {rows} (1 VideoError); named in {run / 'quarantine.jsonl'}; the first: ")
    assert "UserWarning" not in result.stderr
    (bad,) = json.loads((run / "summary.json").read_text())["bad_samples"]
    assert (bad["listed_in"], bad["row"]) == (str(rows), 3)


def test_sweep_runs_every_point_and_prints_a_table(tmp_path: Path) -> None:
    result = launch(
        "-m",
        "data_aug.motion_shift=true,false",
        "data_aug.random_erasing=0,0.25",
        "task.preview_clips=0",
        *TINY,
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    assert len(list(tmp_path.rglob("summary.json"))) == 4
    header = next(line for line in result.stdout.splitlines() if "point" in line)
    assert "motion_shift" in result.stdout and "clips_per_sec" in result.stdout, header


def test_sweep_with_a_faulty_point_starts_nothing(tmp_path: Path) -> None:
    result = launch("-m", "data_aug.random_erasing=0,2", *TINY, cwd=tmp_path)
    assert result.returncode == 2
    assert "point 1" in result.stderr and "data_aug.random_erasing must be <= 1 (got 2.0)" in result.stderr
    assert not list(tmp_path.rglob("summary.json"))


def test_experiment_that_is_config_only(tmp_path: Path) -> None:
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "own.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /mask: tube\nname: own\ntask:\n  max_batches: 1\n"
    )
    result = launch("--config-dir", "mine", "experiment=own", *TINY, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads(next((tmp_path / "outputs" / "own").rglob("summary.json")).read_text())["clips"] == 2


def test_validate_prints_a_line_for_each_gate(videos_csv: Path, tmp_path: Path) -> None:
    result = launch("task=validate", "data=csv", f"data.data_paths=[{videos_csv}]", "data.img_size=32", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("pass ")]
    assert [line.split()[1] for line in lines] == ["clips:", "transforms:", "order:"]


def test_validate_fails_on_a_bad_file(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_text("no video")
    (tmp_path / "rows.csv").write_text("bad.mp4 0\n")
    result = launch("task=validate", "data=csv", "data.data_paths=[rows.csv]", cwd=tmp_path)
    assert result.returncode == 1
    assert "FAIL clips:" in result.stderr and "bad.mp4" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("arguments", "status", "words"), [
    (["data=kinetcs", "data.target_fps=0"], 2, ["2 config errors", "mean kinetics?", "data.target_fps must be > 0"]),
    (["data=kinetics", "data_aug=robotics"], 2, ["KINETICS_CSV", "path label"]),
    (["data=csv", "data.data_paths=[no.csv]"], 2, ["data.data_paths[0]: no.csv does not exist"]),
    (["data=csv", "data.data_paths=[empty.csv]"], 1, ["empty.csv", "is empty"]),
    (["data=csv", "data.data_paths=[rows.xlsx]"], 1, ["rows.xlsx", "unknown suffix"]),
    (["data=csv", "data.data_paths=[missing.csv]", "data.batch_size=1"], 1, ["source missing", "no.mp4"]),
])  # fmt: skip
def test_faults_are_one_clear_message(tmp_path: Path, arguments: list[str], status: int, words: list[str]) -> None:
    (tmp_path / "empty.csv").touch()
    (tmp_path / "rows.xlsx").write_text("x")
    (tmp_path / "missing.csv").write_text("no.mp4 1\n")
    result = launch(*arguments, cwd=tmp_path, KINETICS_CSV="")
    assert result.returncode == status, result.stderr
    for word in words:
        assert word in result.stderr
    assert "Traceback" not in result.stderr


def test_help_config_and_completion_start_quickly(tmp_path: Path) -> None:
    assert "data: csv, droid, epic_kitchens, folder" in launch("--help", cwd=tmp_path).stdout
    assert "clip_mode: fps" in launch("--cfg", "job", "--resolve", cwd=tmp_path).stdout
    assert "complete" in launch("--shell-completion", "install=bash", cwd=tmp_path).stdout
    assert not list(tmp_path.iterdir())


def test_tab_completion_knows_options_and_settings(tmp_path: Path) -> None:
    assert launch("-sc", "query=bash", cwd=tmp_path, COMP_LINE="launch.py data=ki").stdout.split() == ["data=kinetics"]
    assert "data.clip_mode=" in launch("-sc", "query=bash", cwd=tmp_path, COMP_LINE="launch.py data.cl").stdout


PRINT_THE_CONFIG = """
import sys
before = set(sys.modules)
from vjepa_pipe.cli import main
sys.argv = ["launch.py", "--cfg", "job"]
main()
imported = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(imported - sys.stdlib_module_names), file=sys.stderr)
"""


def test_printing_the_config_imports_what_composing_needs(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PRINT_THE_CONFIG]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    found = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "clip_mode: fps" in found.stdout
    # PyYAML's extension brings two names of its compiler; attr and packaging are OmegaConf's and Hydra's.
    imported = {name for name in found.stderr.split() if not name.startswith(("_cython", "cython_runtime"))}
    assert {"hydra", "vjepa_pipe"} <= imported
    assert imported <= {
        "_yaml", "antlr4", "attr", "hydra", "hydra_plugins", "omegaconf", "packaging", "vjepa_pipe", "yaml",
    }  # fmt: skip


def test_read_only_output_folder(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("a file where the folder should be")
    result = launch(*TINY, cwd=tmp_path)
    assert result.returncode != 0
    assert "outputs" in result.stderr
