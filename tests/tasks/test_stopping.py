"""task=stream: what is left when a run stops, and going on from it."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from program import Run

from vjepa_pipe.config import UserError
from vjepa_pipe.config.folders import conf_dir
from vjepa_pipe.tasks.stopping import save_state

ROOT = conf_dir().parent
SMALL = [
    "data.num_videos=8", "data.img_size=64", "data.frames_per_clip=4", "data.batch_size=2", "data.num_workers=1",
    "task.preview_clips=0", "task.progress=false", "task.epochs=100000",
]  # fmt: skip


def start(folder: Path, *arguments: str) -> Run:
    return Run(*SMALL, f"hydra.run.dir={folder}", *arguments, cwd=folder.parent)


def state(folder: Path) -> dict:
    return json.loads((folder / "state.json").read_text())


def place(folder: Path) -> tuple[int, int]:
    return state(folder)["epoch"], state(folder)["position"]


def test_sigterm_saves_and_the_next_run_goes_on(tmp_path: Path):
    run = start(tmp_path / "a", "task.save_every_batches=1")
    until = time.monotonic() + 300
    while not (tmp_path / "a" / "state.json").exists():
        assert run.poll() is None and time.monotonic() < until
        time.sleep(0.01)
    run.send_signal(signal.SIGTERM)
    _, said = run.communicate()
    assert run.returncode == 143, said
    assert f"stopped by SIGTERM; task.resume={tmp_path / 'a'} goes on" in said
    summary = json.loads((tmp_path / "a" / "summary.json").read_text())
    epoch, position = place(tmp_path / "a")
    assert summary["clips"] == 8 * epoch + position > 0

    resumed = start(tmp_path / "b", f"task.resume={tmp_path / 'a'}", f"task.epochs={epoch + 2}")
    _, said = resumed.communicate(timeout=60)
    assert resumed.returncode == 0, said
    summary = json.loads((tmp_path / "b" / "summary.json").read_text())
    assert summary["clips"] == summary["figures"]["crop_area"]["clips"] == 16 - position
    assert summary["counted_from"] == {"epoch": epoch, "batch": position // 2}
    assert place(tmp_path / "b") == (epoch + 2, 0)

    done = start(tmp_path / "c", f"task.resume={tmp_path / 'b'}", f"task.epochs={epoch + 2}")
    assert done.wait(60) == 0
    assert json.loads((tmp_path / "c" / "summary.json").read_text())["clips"] == 0

    other = start(tmp_path / "d", f"task.resume={tmp_path / 'a'}", "seed=5")
    _, said = other.communicate(timeout=60)
    assert other.returncode == 1
    assert f"error: task.resume={tmp_path / 'a'}: the state was saved by another run; these differ: seed (0" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("text", "reason"), [(None, "No such file"), ("{", "damaged"), ("[" * 9999, "damaged"), ("[]", "must be a mapping")]
)
def test_unreadable_states_are_one_clear_message(tmp_path: Path, text: str | None, reason: str):
    if text is not None:
        (tmp_path / "state.json").write_text(text)
    run = start(tmp_path / "run", f"task.resume={tmp_path / 'state.json'}")
    _, said = run.communicate(timeout=60)
    assert run.returncode == 1 and reason in said and "Traceback" not in said


def test_a_state_is_never_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    save_state(tmp_path / "state.json", {"place": 1})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"cannot write .*state\.json: No space"):
        save_state(tmp_path / "state.json", {"place": 2})
    assert json.loads((tmp_path / "state.json").read_text()) == {"place": 1}
