"""Any batch of a run, from its record alone: bit for bit what a loader handed out, wherever it was resumed."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from captioned import write_webvid
from loading import loader_of, rows_csv, tiny
from PIL import Image

from vjepa_pipe import ExperimentConfig, allow_targets, compose, records
from vjepa_pipe.cli import main
from vjepa_pipe.config import UserError
from vjepa_pipe.datasets import BadSample
from vjepa_pipe.loader.blame import ENDED_WORKER
from vjepa_pipe.loader.state import VERSION, LoaderState
from vjepa_pipe.loader.steps import read_steps
from vjepa_pipe.records import Origin, RunRecord
from vjepa_pipe.records.batches import RecordedRun
from vjepa_pipe.records.find import find
from vjepa_pipe.report.batches import batch_table
from vjepa_pipe.sampling import SampleOrder

NAME = f"{__name__}.{{}}".format


class Noise:
    """Items of a dataset of a user's own, one of them bad."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> Any:
        if index == 3:
            raise OSError("gone")
        return {"frames": torch.randint(0, 255, (4, 80, 72, 3), dtype=torch.uint8), "label": index}


class Halves:
    def draw(self, rng: Any, grid: tuple[int, int, int]) -> Any:
        return rng.random(grid) < 0.5


class Backwards:
    def __init__(self, sizes: Sequence[int]) -> None:
        self.rows = sum(sizes)

    def at(self, position: int) -> int:
        return -1 - position % self.rows + self.rows


@pytest.fixture(autouse=True)
def no_git(monkeypatch: pytest.MonkeyPatch) -> None:
    allow_targets(f"{__name__}.*")
    for module in ("record", "changes"):
        monkeypatch.setattr(f"vjepa_pipe.records.{module}.code", lambda: ({}, ""))


@pytest.fixture
def rows(videos_csv: Path, tmp_path: Path) -> Path:
    """Eight rows, two of them bad."""
    return rows_csv(tmp_path / "rows.csv", videos_csv, {2: "bad2.txt", 5: "bad5.txt"})


Given = dict[tuple[int, int], Any]
"""What each rank was handed at each step."""


def stream(
    experiment: ExperimentConfig, folder: Path, passes: Sequence[int], world: int = 1, state: Any = None
) -> tuple[Given, Any]:
    """A run of some passes, each with so many batches; the state returned is that before the last batch."""
    given, states = {}, []
    with RunRecord(folder, experiment, Origin()):
        for rank in range(world):
            loader = loader_of(experiment, folder, rank, world)
            if state is not None:
                loader.load_state_dict(state)
            step = loader.state_dict()["steps"]
            for batches in passes:
                for batch in islice(loader, batches):
                    states.append(loader.state_dict())
                    step += 1
                    given[step, rank] = batch
            assert loader.state_dict()["steps"] == step
    return given, states[-2:][0]


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def quiet(line: str) -> None:
    raise AssertionError(line)


def rebuilt(folder: Path, step: int, rank: int = 0) -> Any:
    return RecordedRun(folder).batch(step, rank, quiet).batch


BOTH_LENGTHS = ["data.source_names=[a,b]", "data.frames_per_clip_by_source=[4,6]", "loader.samples_per_epoch=32"]
OWN = [f"loader.sampler._target_={NAME('Backwards')}", f"mask._target_={NAME('Halves')}"]
LISTS = {
    "masks, noise, operations": ["data_aug.auto_augment=true"],
    "skip, tube, several clips": ["mask=tube", "loader.on_bad_sample=skip", "data.num_clips=2", "data.batch_size=4"],
    "published": ["mask.convention=reference", "data.convention=reference", "data_aug.motion_shift=false"],
    "two lengths, repeated": [*BOTH_LENGTHS, "data.repeated_sampling=2"],
    "bytes": ["loader.output=uint8", "data_aug.random_erasing=0", "data_aug=none", "decoder=decord"],
    "own sampler and mask": OWN,
}


@pytest.mark.parametrize("overrides", LISTS.values(), ids=LISTS)
def test_lists_of_videos(rows: Path, tmp_path: Path, overrides: list[str]) -> None:
    paths = [rows, rows] if "data.source_names=[a,b]" in overrides else rows
    given, _ = stream(tiny(paths, *overrides), tmp_path / "run", [9])
    for (step, _), batch in given.items():
        assert same(batch, rebuilt(tmp_path / "run", step))
    groups = [group for batch in given.values() for group in (batch if isinstance(batch, list) else [batch])]
    replaced = sum(bool(bad) for group in groups for bad in group["replaced"])
    assert replaced or "loader.on_bad_sample=skip" in overrides
    assert len((tmp_path / "run" / "steps.jsonl").read_text().splitlines()) == 1


SMALL = ["data.batch_size=2", "data.num_workers=0", "data.img_size=64", "data.frames_per_clip=4"]
ROBOT = ["data=synthetic_robot", "data_aug=robotics", "mask=none", "data.num_episodes=2"]
OTHERS = {
    "DROID": [*ROBOT, "robotics=droid", *SMALL],
    "LeRobot": [*ROBOT, "robotics=lerobot", "data.layout=lerobot", *SMALL],
    "an own dataset": [f"data._target_={NAME('Noise')}", *SMALL],
    "captions": ["data=webvid", "data.max_frames=4", "data.frame_size=32", *SMALL[:2]],
    "captions for V-JEPA": [
        "data=webvid",
        "data.output.layout=vjepa",
        "data.frame_size=64",
        "data.max_frames=4",
        *SMALL[:2],
    ],
}


@pytest.mark.parametrize("overrides", OTHERS.values(), ids=OTHERS)
def test_other_data(tmp_path: Path, overrides: list[str]) -> None:
    if "data=webvid" in overrides:
        overrides = [*overrides, f"data.data_root={write_webvid(tmp_path / 'webvid', ['9999999'])}"]
    given, _ = stream(compose(overrides), tmp_path / "run", [1, 1])
    for step in (1, 2):
        found = RecordedRun(tmp_path / "run").batch(step, 0, quiet)
        assert same(given[step, 0], found.batch)
        assert batch_table(found).row_count == 2


def pictures(folder: Path) -> Path:
    """Four rows of images, one of them bad."""
    for number in range(3):
        Image.effect_noise((80, 70), 60).convert("RGB").save(folder / f"{number}.png")
    (folder / "pictures.csv").write_text("0.png 0\n1.png 1\nnone.png 2\n2.png 3\n")
    return folder / "pictures.csv"


def test_images(tmp_path: Path) -> None:
    given, _ = stream(tiny(pictures(tmp_path)), tmp_path / "run", [2])
    assert all(same(batch, rebuilt(tmp_path / "run", step)) for (step, _), batch in given.items())


def test_images_beside_videos_resumed_on_other_ranks(
    rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = ["image=csv", f"image.data.data_paths=[{pictures(tmp_path)}]", "image.data.batch_size=3"]
    experiment, run = tiny(rows, *images, "image.share=0.5", "data_aug.auto_augment=true"), tmp_path / "run"
    first, state = stream(experiment, run, [5])
    second, _ = stream(experiment, run, [2], world=2, state=state)
    given, recorded = first | second, RecordedRun(run)
    kinds = {place: batch["modality"] for place, batch in given.items()}
    assert kinds == {(s, 0): ("video", "image")[s % 2 == 0] for s in range(1, 7)} | {
        **{(5, 0): "video", (6, 0): "video"}, **{(5, 1): "image", (6, 1): "image"},
    }  # fmt: skip
    for (step, rank), batch in given.items():
        found = recorded.batch(step, rank, quiet)
        assert same(batch, found.batch), (step, rank)
        assert batch_table(found).row_count == len(batch["key"]) == (3 if batch["modality"] == "image" else 2)
    expected = [
        (step, rank, sample, "pictures")
        for (step, rank), batch in sorted(given.items())
        for sample, key in enumerate(recorded.loader(recorded.segment(step), rank)[1].schedule.keys(
            *recorded.segment(step).place(step)
        ))
        if (key.source, key.row) == (1, 1)
    ]  # fmt: skip
    seen = [one for one in find(recorded, "1.png", 2) if one.step < 7]
    assert expected and [(one.step, one.rank, one.sample, one.source) for one in seen] == expected
    assert main(["batch", str(run), "5", "--rank", "1", "--picture"]) == 0
    said = capsys.readouterr().out
    assert "on rank 1 of 2 ranks, of images" in said and "mask short: the encoder sees" in said
    assert "mask long" not in said and (run / "batch_5_rank1.png").exists()


def test_resumed_from_an_older_place_on_other_ranks_after_an_epoch_cut_short(videos_csv: Path, tmp_path: Path) -> None:
    rows, run = rows_csv(tmp_path / "rows.csv", videos_csv, {5: "text.txt"}, rows=24), tmp_path / "run"
    first, state = stream(tiny(rows), run, [5, 3])
    assert (state["steps"], state["epoch"], state["position"]) == (7, 1, 4)
    second, _ = stream(tiny(rows), run, [5, 1], world=2, state=state)
    assert {step for step, _ in second} == {8, 9, 10, 11, 12, 13}
    given = first | second
    for step, rank in [(1, 0), (5, 0), (6, 0), (7, 0), (8, 0), (8, 1), (12, 1), (13, 0)]:
        assert same(given[step, rank], rebuilt(run, step, rank)), (step, rank)
    assert [segment.began.steps for segment in read_steps(run / "steps.jsonl")] == [0, 5, 7]
    third, _ = stream(tiny(rows), tmp_path / "other", [1], state=state)
    assert same(third[8, 0], rebuilt(tmp_path / "other", 8))
    with pytest.raises(UserError, match=r"other begins with step 8: the steps before are those of another folder"):
        rebuilt(tmp_path / "other", 7)
    with pytest.raises(UserError, match=r"the run had 2 ranks then, from 0 to 1 \(got rank 2\)"):
        rebuilt(run, 9, rank=2)


def test_the_quarantine_is_that_of_then(videos_csv: Path, tmp_path: Path) -> None:
    """Rows that were given back, one that ended workers later on, and one that was mended since."""
    rows, run = rows_csv(tmp_path / "rows.csv", videos_csv, {2: "bad2.txt"}), tmp_path / "run"

    def named(row: int, error: str) -> BadSample:
        path = rows.read_text().splitlines()[row].rpartition(" ")[0]
        return BadSample("rows", row, path, error, f"{path}: {error}", "pyav")

    told = tmp_path / "told.jsonl"
    told.write_text(f"{json.dumps(named(0, 'VideoError')._asdict())}\n")
    experiment, given = tiny(rows, f"loader.quarantine={told}"), []
    with RunRecord(run, experiment, Origin()):
        loader = loader_of(experiment, run)
        for epoch in range(2):
            given += list(loader)
            if epoch == 0:  # as if row 3 had ended workers at the first batch of the next epoch
                loader.dataset.quarantine.add((0, 3))
                loader._quarantine.add(named(3, ENDED_WORKER), 5)
    assert {3} == {row for batch in given[:4] for row in batch["row"].tolist()} & {0, 3}
    assert not {row for batch in given[4:] for row in batch["row"].tolist()} & {0, 3}
    told.write_text("")
    for step in range(1, 9):
        assert same(given[step - 1], rebuilt(run, step))

    (bad,) = [
        number for number, batch in enumerate(given[:4], 1) if any(b.row == 2 for r in batch["replaced"] for b in r)
    ]
    good, broken = (named(row, "").path for row in (1, 2))
    shutil.copy(good, broken)
    os.utime(broken, (0, 0))
    said: list[str] = []
    again = RecordedRun(run).batch(bad, 0, said.append)
    assert same(given[bad - 1]["video"], again.batch["video"])
    assert len(said) == 1 and said[0].startswith(
        f"could not be read at this step, and can be now: {broken}: not a video"
    )


def test_what_has_changed_since_is_said(videos_csv: Path, tmp_path: Path) -> None:
    rows, run = (
        rows_csv(tmp_path / "rows.csv", videos_csv, {row: f"copy{row}.mp4" for row in range(8)}),
        tmp_path / "run",
    )
    given, _ = stream(tiny(rows), run, [1])
    written, gone = (tmp_path / f"copy{key.row}.mp4" for key in given[1, 0]["key"])
    later = time.time() + 100
    os.utime(written, (later, later))
    gone.unlink()
    with pytest.warns(UserWarning) as warned:
        records.batch(run, 1)
    said = {str(one.message) for one in warned if one.filename == __file__}
    assert f"data has changed: {gone} is gone" in said and len(said) == 2
    assert any(f"{written} was written at " in line and line.endswith("after the run had begun") for line in said)
    rows.write_text(rows.read_text().replace(" 7\n", " 8\n"))
    lines: list[str] = []
    RecordedRun(run).batch(3, 0, lines.append)
    assert lines[0] == "data has changed: source rows holds other rows than it did"


def test_paths_are_those_of_where_it_ran(rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path, named by an environment variable that is not set any more."""
    monkeypatch.chdir(rows.parent)
    monkeypatch.setenv("KINETICS_CSV", rows.name)
    monkeypatch.setenv("LVD142M_CSV", pictures(rows.parent).name)
    mix = ["image=lvd142m", "image.data.batch_size=2"]
    given, _ = stream(compose(["data=kinetics", "mask=tube", *mix, *SMALL]), tmp_path / "run", [2])
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.delenv("KINETICS_CSV")
    monkeypatch.delenv("LVD142M_CSV")
    assert all(same(given[step, 0], rebuilt(Path("..") / "run", step)) for step in (1, 2))


def test_no_earlier_step_is_looked_at(videos_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    stream(tiny(videos_csv, "loader.iterations_per_epoch=400000"), run, [1])
    computed, at = [], SampleOrder.at
    monkeypatch.setattr(SampleOrder, "at", lambda self, position: (computed.append(position), at(self, position))[1])
    recorded = RecordedRun(run)
    for step in (1, 10**6, 10**12):
        computed.clear()
        batch = recorded.batch(step, 0, quiet).batch
        assert set(computed) == {2 * step - 2, 2 * step - 1} and len(computed) < 9
        assert batch["key"][0].position == 2 * step - 2


@pytest.mark.parametrize("overrides", [[], [*BOTH_LENGTHS[::2], "data.repeated_sampling=2"], OWN[:1]])
def test_find_names_every_sample_of_a_file(rows: Path, videos_csv: Path, tmp_path: Path, overrides: list[str]) -> None:
    paths, run = [rows, videos_csv] if len(overrides) == 3 else rows, tmp_path / "run"
    experiment = tiny(paths, *overrides)
    _, state = stream(experiment, run, [3, 3])
    stream(experiment, run, [2], world=2, state=state)
    recorded, expected = RecordedRun(run), []
    name = Path(rows.read_text().splitlines()[1].rpartition(" ")[0]).name
    for step in range(1, 8):
        segment = recorded.segment(step)
        for rank in range(segment.began.world_size):
            _, loader = recorded.loader(segment, rank)
            for sample, key in enumerate(loader.schedule.keys(*(place := segment.place(step)))):
                if loader.dataset.sources[key.source].path(key.row).endswith(f"/{name}"):
                    expected.append((place.epoch, step, rank, sample))
    found = [(one.epoch, one.step, one.rank, one.sample) for one in find(recorded, name, 9) if one.step < 8]
    assert expected and found == expected
    with pytest.raises(UserError, match=r"no row of .* is of nothing\.mp4"):
        list(find(recorded, "nothing.mp4", 2))


def test_folders_that_say_nothing(rows: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is not the folder of a run: there is no resolved_config\.yaml in it"):
        RecordedRun(tmp_path)
    with RunRecord(tmp_path / "run", tiny(rows), Origin()):
        pass
    with pytest.raises(UserError, match=r"does not say which batches it was given: there is no steps\.jsonl"):
        RecordedRun(tmp_path / "run")
    stream(tiny(rows), tmp_path / "run", [1])
    steps = tmp_path / "run" / "steps.jsonl"
    whole = steps.read_text()
    nowhere = {"state": LoaderState(VERSION, 0, 0, 0, 0, 0, 0, {}).to_dict(), "quarantine": {}, "time": 0}
    for damaged in (whole.replace('"epoch": 0', '"epoch": 1'), "{}", "nothing", json.dumps(nowhere)):
        steps.write_text(damaged)
        with pytest.raises(UserError, match=r"steps\.jsonl:1: "):
            RecordedRun(tmp_path / "run")
