"""Tasks on an experiment with images beside its videos."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from vjepa_pipe import compose
from vjepa_pipe.config import UserError
from vjepa_pipe.config.before_run import run_faults
from vjepa_pipe.tasks import run_task
from vjepa_pipe.tasks.plain_videos import all_files

SMALL = [
    "data=synthetic_small", "data.num_videos=8", "data.frames_per_clip=4", "data.batch_size=2", "data.num_workers=0",
    "data.img_size=64", "image.data.num_images=8", "image.data.batch_size=3",
]  # fmt: skip
SHARE = "image.share=0.5"


def run(folder: Path, *overrides: str) -> dict[str, Any]:
    return run_task(compose([*SMALL, "image=synthetic", SHARE, *overrides]), folder)


def test_stream_counts_and_draws_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = run(tmp_path, "task.max_batches=4")
    assert (metrics["clips"], metrics["image.clips"]) == (2 * 2 + 2 * 3, 2 * 3)
    assert "6 images in 2 of 4 batches, the others of videos" in capsys.readouterr().err
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["batches"], summary["image.batches"]) == (4, 2)
    assert summary["shapes"]["video"] == [2, 3, 4, 64, 64] and summary["shapes"]["image.video"] == [3, 3, 1, 64, 64]
    figures = summary["figures"]
    assert (figures["crop_area"]["clips"], figures["image.crop_area"]["clips"]) == (4, 6)
    masks = {name: figure["clips"] for name, figure in figures.items() if "mask." in name and name.endswith("encoder")}
    assert masks == {"mask.short.encoder": 4, "mask.long.encoder": 4, "image.mask.short.encoder": 6}
    assert "source_fps" in figures and "image.source_fps" not in figures
    with Image.open(tmp_path / "preview.png") as picture:
        assert picture.height == videos_height(clips=2, masks=2) + images_height(masks=1)


def test_a_rank_without_images_draws_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert run(tmp_path, "task.max_batches=2")["image.clips"] == 0
    with Image.open(tmp_path / "preview.png") as picture:
        assert picture.height == videos_height(clips=2, masks=2) + images_height(masks=1)


def videos_height(clips: int, masks: int) -> int:
    return 62 + clips * (44 + (1 + masks) * 131)


def images_height(masks: int) -> int:
    return videos_height(1, masks)


def test_validate_reads_images_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        Image.new("RGB", (80, 70)).save(tmp_path / f"{name}.png")
    images = ["image=folder", f"image.data.data_paths=[{tmp_path}]", "task=validate", "task.samples=1"]
    found = run_task(compose([*SMALL[:-2], *images]), tmp_path / "good")
    assert found == dict.fromkeys([*(gates := ["clips", "transforms", "order"]), *(f"image.{n}" for n in gates)], True)
    (tmp_path / "c.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    with pytest.raises(UserError, match=r"^image\.clips did not pass$"):
        run_task(compose([*SMALL[:-2], *images, "task.samples=3"]), tmp_path / "bad")
    assert "c.png: not a readable image" in capsys.readouterr().err


@pytest.mark.parametrize("task", ["index", "prepare"])
def test_index_and_prepare_leave_images_out(task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    experiment = compose([*SMALL, "image=synthetic", f"task={task}"])
    sources = all_files(experiment, tmp_path, "task.index_dir", copies=False).sources
    assert [rows.name for rows in sources] == ["synthetic"]
    assert "image.data is left out" in capsys.readouterr().err
    typed = "image.data.batch_size=3"
    assert list(run_faults(experiment, [typed])) == [
        f"image.data.batch_size has no effect when task={task}: leave one of the two out"
    ]


def test_benchmark_weighs_both(tmp_path: Path) -> None:
    run(tmp_path, "task=benchmark", "task.clips=1", "task.batches=2", "image.share=0.25")
    stages = json.loads((tmp_path / "benchmark.json").read_text())["stages"]
    assert {one["source"]: one["share"] for one in stages} == {"synthetic": 6 / 9, "synthetic_images": 3 / 9}
