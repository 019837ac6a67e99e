"""Saved places: what is seen after loading one is what would have been seen."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loading import digest, digests, loader_of, rows_csv, tensors_of, tiny
from program import Run

from vjepa_pipe import DataManager
from vjepa_pipe.loader import StateError
from vjepa_pipe.loader.state import VERSION, LoaderState, hash_of
from vjepa_pipe.sampling import SampleOrder


@pytest.fixture(scope="module")
def rows(videos_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 rows, one of them bad."""
    return rows_csv(tmp_path_factory.mktemp("rows") / "rows.csv", videos_csv, {5: "text.txt"}, rows=24)


@pytest.mark.parametrize(("before", "after"), [(0, 2), (2, 0), (2, 1)])
def test_prefetched_batches_are_not_seen(rows: Path, tmp_path: Path, before: int, after: int):
    expected = digests(loader_of(tiny(rows), tmp_path))
    for seen in (0, 1, 7):
        first = loader_of(tiny(rows, f"data.num_workers={before}"), tmp_path)
        batches = iter(first)
        head = digests(islice(batches, seen))
        state = json.loads(json.dumps(first.state_dict()))
        first.close()
        second = loader_of(tiny(rows, f"data.num_workers={after}"), tmp_path)
        second.load_state_dict(state)
        assert head + digests(second) == expected
        second.close()


def test_the_end_of_an_epoch_is_the_start_of_the_next(rows: Path, tmp_path: Path):
    loader = loader_of(tiny(rows), tmp_path)
    for _ in islice(loader, len(loader)):
        pass
    state = loader.state_dict()
    assert (state["epoch"], state["position"]) == (1, 0)
    again = loader_of(tiny(rows), tmp_path)
    again.load_state_dict(state)
    loader.set_epoch(1)
    assert again.epoch == 1 and digests(again) == digests(loader)


def global_batches(experiment, folder: Path, world: int, state=None) -> list[list[torch.Tensor]]:
    """Each batch of all ranks, their tensors joined."""
    loaders = [loader_of(experiment, folder, rank, world) for rank in range(world)]
    for loader in loaders if state else []:
        loader.load_state_dict(state)
    steps = zip(*[[tensors_of(batch) for batch in loader] for loader in loaders], strict=True)
    return [[torch.cat(parts) for parts in zip(*step, strict=True)] for step in steps]


@pytest.mark.parametrize("world", [2, 4])
def test_resume_on_other_ranks_masks_included(rows: Path, tmp_path: Path, world: int):
    def sized(world: int):
        return tiny(rows, f"data.batch_size={8 // world}")

    one = loader_of(sized(1), tmp_path)
    head = [tensors_of(batch) for batch in islice(one, 1)]
    whole = head + global_batches(sized(world), tmp_path, world, one.state_dict())
    expected = global_batches(sized(1), tmp_path, 1)
    assert len(whole) == len(expected) == 3
    assert all(torch.equal(a, b) for x, y in zip(whole, expected, strict=True) for a, b in zip(x, y, strict=True))


def test_masks_cut_over_each_rank_depend_on_the_ranks(rows: Path, tmp_path: Path):
    """As published; the released recipes use it."""
    experiment = tiny(rows, "mask.cut_over=rank", "data.batch_size=4")
    lengths = [
        {loader_of(experiment, tmp_path, rank, 2).__iter__().__next__()["masks_enc"][0].shape[1]} for rank in (0, 1)
    ]
    alone = next(iter(loader_of(tiny(rows, "mask.cut_over=rank", "data.batch_size=8"), tmp_path)))
    assert lengths[0] != lengths[1]
    assert min(lengths[0] | lengths[1]) == alone["masks_enc"][0].shape[1]


def test_other_batch_size_only_at_the_end_of_a_whole_batch(rows: Path, tmp_path: Path):
    loader = loader_of(tiny(rows), tmp_path)
    for _ in islice(loader, 3):
        pass
    larger = loader_of(tiny(rows, "data.batch_size=4"), tmp_path)
    with pytest.raises(
        StateError, match=r"at sample 6 of its epoch .* not at the end of a batch of 4 = data\.batch_size=4 x 1"
    ):
        larger.load_state_dict(loader.state_dict())
    larger = loader_of(tiny(rows, "data.batch_size=3"), tmp_path)
    larger.load_state_dict(loader.state_dict())
    assert next(iter(larger))["key"][0].position == 6


DECODERS = [f'"vjepa_pipe.video.{name}Decoder"' for name in ("Pyav", "Decord")]
CHANGES = [
    (["seed=1"], "seed (0 saved, 1 here)"),
    (["loader.samples_per_epoch=20"], "epoch_size (24 saved, 20 here)"),
    (["data_aug.crop_scale=[0.5,1.0]"], "data_aug.crop_scale ([0.3, 1.0] saved, [0.5, 1.0] here)"),
    (["mask.masks.short.num_blocks=4"], "mask.masks.short.num_blocks (8 saved, 4 here)"),
    (["data.target_fps=5"], "data.target_fps (10 saved, 5 here)"),
    (["decoder=decord"], f"decoder._target_ ({DECODERS[0]} saved, {DECODERS[1]} here)"),
    (["loader.on_bad_sample=skip"], 'loader.on_bad_sample ("replace" saved, "skip" here)'),
]


@pytest.mark.parametrize(("overrides", "named"), CHANGES)
def test_another_run_is_refused_by_name(rows: Path, tmp_path: Path, overrides: list[str], named: str):
    state = loader_of(tiny(rows), tmp_path).state_dict()
    other = loader_of(tiny(rows, *overrides), tmp_path)
    with pytest.raises(StateError) as error:
        other.load_state_dict(state)
    assert f"these differ: {named}; loader.on_change=continue" in str(error.value)


def test_other_rows_and_weights_are_refused_or_continued(videos_csv: Path, rows: Path, tmp_path: Path):
    two = ["data.source_names=[a,b]", "loader.samples_per_epoch=16"]
    loader = loader_of(tiny([videos_csv, rows], *two, "data.data_weights=[1,1]"), tmp_path)
    next(iter(loader))
    state = loader.state_dict()
    (tmp_path / "b.csv").write_text(rows.read_text().replace(" 3\n", " 4\n"))
    for changed, named in (
        (
            tiny([videos_csv, rows], *two, "data.data_weights=[1,2]"),
            r"data.data_weights \(\[1.0, 1.0\] saved, \[1.0, 2.0\] here\)",
        ),
        (tiny([videos_csv, tmp_path / "b.csv"], *two, "data.data_weights=[1,1]"), "source b"),
    ):
        with pytest.raises(StateError, match=f"these differ: {named};"):
            loader_of(changed, tmp_path).load_state_dict(state)
        changed.loader.on_change = "continue"
        forced = loader_of(changed, tmp_path)
        forced.load_state_dict(state)
        assert next(iter(forced))["key"][0].position == 2


def test_moved_files_and_speed_settings_do_not_matter(videos_csv: Path, tmp_path: Path):
    (tmp_path / "elsewhere").symlink_to(videos_csv.parent)
    state = loader_of(tiny(videos_csv), tmp_path).state_dict()
    moved = tiny(tmp_path / "elsewhere" / "videos.csv", "data.num_workers=3", "loader.prefetch_factor=5")
    moved.data.data_paths = [str(tmp_path / "elsewhere" / "videos.csv")]
    loader_of(moved, tmp_path).load_state_dict(state)


STATE = LoaderState(VERSION, 0, 3, 8, 24, 2, 1, {"source a": "0011", "data_aug": "ff"}).to_dict()
JUNK = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)


@given(name=st.sampled_from(sorted(STATE)), value=JUNK, drop=st.booleans())
def test_damaged_states_are_refused(name: str, value, drop: bool):
    damaged = {**STATE, name: value}
    if drop:
        del damaged[name]
    if damaged == STATE and type(damaged[name]) is type(STATE[name]):
        return
    with pytest.raises(StateError, match="a loader's state"):
        LoaderState.from_dict(damaged)


@given(st.integers(0, len(json.dumps(STATE)) * 8 - 1))
@settings(max_examples=300)
def test_any_flipped_bit_is_noticed(bit: int):
    text = bytearray(json.dumps(STATE).encode())
    text[bit // 8] ^= 1 << bit % 8
    try:
        damaged = json.loads(text.decode())
    except ValueError:
        return
    with pytest.raises(StateError):
        LoaderState.from_dict(damaged)


@pytest.mark.parametrize(
    "odd", [None, 3, "state", [], {}, {"version": 1}, {**STATE, "version": 1}, {"version": 2}, {**STATE, "more": 1}]
)
def test_foreign_states_are_refused_and_change_nothing(videos_csv: Path, tmp_path: Path, odd):
    loader = loader_of(tiny(videos_csv), tmp_path)
    loader.set_epoch(2)
    before = loader.state_dict()
    with pytest.raises(StateError):
        loader.load_state_dict(odd)
    assert loader.state_dict() == before


def test_resume_computes_no_more_far_into_a_run(videos_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    loader = loader_of(tiny(videos_csv, "loader.iterations_per_epoch=1000000000"), tmp_path)
    place = LoaderState.from_dict(loader.state_dict())
    computed, at = [], SampleOrder.at
    monkeypatch.setattr(SampleOrder, "at", lambda self, position: (computed.append(position), at(self, position))[1])
    counts = []
    for position in (0, 10, 2 * 999_999_000):
        moved = LoaderState(**{**vars(place), "epoch": position and 7, "position": position})
        computed.clear()
        loader.load_state_dict(moved.to_dict())
        key = next(iter(loader))["key"][0]
        counts.append(len(computed))
        assert key.position == moved.epoch * 2_000_000_000 + position
    assert counts[0] > 0 and len(set(counts)) == 1, counts


TRAINER = """
import os, sys, json
from pathlib import Path
from loading import digest, loader_of, tiny
from vjepa_pipe.tasks.stopping import read_state, save_state
csv, folder, workers, world = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
loader = loader_of(tiny(csv, f"data.num_workers={workers}", f"data.batch_size={4 // world}"), folder)
if (folder / "state.json").exists():
    loader.load_state_dict(read_state(folder))
while loader.epoch < 2:
    for batch in loader:
        place = f"{batch['key'][0].position}"
        with (folder / "consumed").open("a") as log:  # before the state: a batch may be seen twice, never missed
            print(place, digest(batch), file=log, flush=True)
        save_state(folder / "state.json", loader.state_dict())
"""


def test_kill_9_loses_nothing(rows: Path, tmp_path: Path):
    """Killed at random, resumed from what was saved: the union is what one run would have consumed."""
    rng, killed = np.random.default_rng(4), 0
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    script = tmp_path / "trainer.py"
    script.write_text(TRAINER)
    for _ in range(30):
        arguments = [str(rows), str(tmp_path), str(rng.integers(3)), "1"]
        trainer = Run(*arguments, cwd=tmp_path, env=environment, script=script)
        consumed = tmp_path / "consumed"
        before = consumed.stat().st_size if consumed.exists() else 0
        while trainer.poll() is None and killed < 2:
            if consumed.exists() and consumed.stat().st_size > before:
                time.sleep(rng.uniform(0, 0.15))
                trainer.send_signal(signal.SIGKILL)
                killed += 1
                break
            time.sleep(0.002)
        _, complaints = trainer.communicate()
        if trainer.returncode == 0:
            break
        assert trainer.returncode == -signal.SIGKILL, complaints
    seen = [line.split() for line in (tmp_path / "consumed").read_text().splitlines()]
    expected = []
    loader = loader_of(tiny(rows, "data.batch_size=4"), tmp_path)
    for _ in range(2):
        expected += [(str(batch["key"][0].position), digest(batch)) for batch in loader]
    assert killed == 2
    assert list(dict.fromkeys(map(tuple, seen))) == expected  # none lost, none changed, in order
    assert len(seen) <= len(expected) + killed  # at most the batch under way at each kill comes again


def test_hashes_tell_values_apart():
    assert len({hash_of(1), hash_of(1.5), hash_of("1"), hash_of([1]), hash_of({"a": 1}), hash_of(None)}) == 6


def test_state_survives_torch_save(videos_csv: Path, tmp_path: Path):
    loader = loader_of(tiny(videos_csv), tmp_path)
    torch.save(loader.state_dict(), tmp_path / "state.pt")
    DataManager(tiny(videos_csv), output_dir=tmp_path).build_train_loader().load_state_dict(
        torch.load(tmp_path / "state.pt", weights_only=True)
    )
