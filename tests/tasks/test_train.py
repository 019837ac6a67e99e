"""task=train: it goes on as if nothing had happened, on any number of ranks, and says what is wrong."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from program import Run, launch

from vjepa_pipe import compose
from vjepa_pipe.config import ConfigError, UserError
from vjepa_pipe.models.optimizer import make_optimizer
from vjepa_pipe.models.vjepa2 import Pretraining
from vjepa_pipe.models.weights import published_optimizer, published_weights
from vjepa_pipe.tasks import run_task, train
from vjepa_pipe.tasks.train_checkpoints import find_checkpoint
from vjepa_pipe.tasks.train_log import TrainLog
from vjepa_pipe.tasks.train_measures import collapse

SMALL = [
    "task=train", "training=tiny", "data.num_videos=8", "data.frames_per_clip=4", "data.batch_size=2",
    "data.num_workers=0", "training.model.pred_depth=1", "training.optimization.epochs=100", "task.log_every=1",
    "task.measure_every=null", "task.progress=false", "data_aug.random_erasing=0.3",
]  # fmt: skip
STEPS = 7
"""Of four in an epoch."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def run(folder: Path, *overrides: str) -> dict[str, Any]:
    return run_task(compose([*SMALL, f"task.max_steps={STEPS}", *overrides]), folder)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def losses(folder: Path) -> dict[int, float]:
    return {line["step"]: line["loss"] for line in lines(folder) if "loss" in line}


def weights(folder: Path, step: int = STEPS) -> bytes:
    """All tensors of the newest checkpoint, as they are on the disk."""
    checkpoint = find_checkpoint(folder)
    assert json.loads((checkpoint / "state.json").read_text())["step"] == step
    return b"".join(file.read_bytes() for file in sorted(checkpoint.glob("*.distcp")))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("undisturbed")
    run(folder)
    return folder


def test_a_run_leaves_its_log_its_checkpoint_and_a_picture(undisturbed: Path):
    logged = lines(undisturbed)
    assert [(line["step"], line["epoch"]) for line in logged] == [(s, (s - 1) // 4) for s in range(1, STEPS + 1)]
    assert all(0 <= line["wait_share"] <= 1 and line["seconds_per_step"] > 0 for line in logged)
    rates = [line["lr"] for line in logged]
    assert max(rates) == rates[3] == 0.001 and rates[:4] == sorted(rates[:4])  # the end of the first epoch
    assert (undisturbed / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((undisturbed / "metrics.json").read_text())["steps"] == STEPS
    assert weights(undisturbed)


def test_killed_and_resumed_it_is_bit_identical(undisturbed: Path, tmp_path: Path):
    """SIGKILL, as soon as there is a checkpoint; then with another number of workers."""
    words = [
        *SMALL,
        "task.max_steps=100000",
        "task.save_every=2",
        "task.keep=100000",
        f"hydra.run.dir={tmp_path / 'a'}",
    ]
    killed = Run(*words, cwd=tmp_path)
    until = time.monotonic() + 120
    while not (tmp_path / "a" / "checkpoints" / "latest").exists():
        assert killed.poll() is None and time.monotonic() < until
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    torch.set_num_threads(2)  # that of the checkpoint is taken
    saved = tmp_path / "a" / "checkpoints" / "step_000000002"
    run(tmp_path / "b", f"task.resume={saved}", "data.num_workers=1")
    assert torch.get_num_threads() == 1
    assert weights(tmp_path / "b") == weights(undisturbed)
    resumed = losses(tmp_path / "b")
    assert min(resumed) == 3 and resumed.items() <= losses(undisturbed).items()


def test_sigterm_saves_and_the_same_folder_goes_on(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    log_step = TrainLog.step

    def and_stop(log: TrainLog, step: int, *args: Any, **more: Any) -> None:
        log_step(log, step, *args, **more)
        if step == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(TrainLog, "step", and_stop)
        with pytest.raises(SystemExit, match="143"):
            run(tmp_path, "task.progress=true")
    assert "stopped by SIGTERM after step 5; task.resume=" in capsys.readouterr().err
    assert find_checkpoint(tmp_path).name == "step_000000005"
    with (tmp_path / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 6, "epoch": 1, "loss": 9}\n{"step": 7, "lo')  # of steps that are done again
    run(tmp_path, "task.progress=true")
    assert "an earlier attempt was cut short: going on from" in capsys.readouterr().err
    assert losses(tmp_path) == losses(undisturbed)
    assert weights(tmp_path) == weights(undisturbed)


@pytest.mark.parametrize(("step", "left"), [(0, []), (3, [0, 3])])
def test_lines_of_steps_that_are_done_again_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, left: list[int]
):
    """Where a run begins anew in the folder of one that was done, also that of its start."""
    monkeypatch.setattr("vjepa_pipe.tasks.train_log.open_tracker", lambda *_: None)
    (tmp_path / "metrics.jsonl").write_text("".join(f'{{"step": {done}}}\n' for done in (0, 3, 6)))
    TrainLog(compose(["task=train", "training=tiny", "data=synthetic_small"]), tmp_path, step)
    assert [line["step"] for line in lines(tmp_path)] == left


def on_two_ranks(folder: Path, *overrides: str) -> None:
    """Three steps of ranks that have half a batch each."""
    with socket.create_server(("localhost", 0)) as free:
        place = {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": str(free.getsockname()[1])}
    words = [*SMALL, "data.batch_size=1", "task.max_steps=3", "task.save_every=1", "task.keep=3", *overrides]
    ranks = [
        Run(*words, f"hydra.run.dir={folder}", cwd=folder.parent, env=os.environ | place | {"RANK": str(rank)})
        for rank in range(2)
    ]
    for rank in ranks:
        _, said = rank.communicate()
        assert rank.returncode == 0, said


@pytest.mark.parametrize("how", ["ddp", "fsdp2"])
def test_two_ranks_see_the_batches_of_one_and_one_goes_on(undisturbed: Path, tmp_path: Path, how: str):
    on_two_ranks(tmp_path / "a", f"task.parallel={how}", "task.measure_every=3")
    run(tmp_path / "b", f"task.resume={tmp_path / 'a'}")
    expected = losses(undisturbed)
    assert losses(tmp_path / "a") | losses(tmp_path / "b") == pytest.approx(expected, rel=1e-4)
    assert max(expected.values()) - min(expected.values()) > 1e-2  # other batches would show
    measured = lines(tmp_path / "a")[-1]
    assert measured["step"] == 3 and measured["rankme"] > 1
    if how == "ddp":  # two ranks that go on, too
        on_two_ranks(tmp_path / "c", f"task.resume={tmp_path / 'a/checkpoints/step_000000001'}")
        assert min(losses(tmp_path / "c")) == 2
        assert weights(tmp_path / "c", 3) == weights(tmp_path / "a", 3)


def test_a_loss_that_is_no_number_names_the_batch_and_its_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    forward = Pretraining.forward

    def at_last_nan(network: Pretraining, batch: Any) -> torch.Tensor:
        first = batch["key"][0]
        return forward(network, batch) * (float("nan") if (first.epoch, first.position) == (1, 10) else 1.0)

    monkeypatch.setattr(Pretraining, "forward", at_last_nan)
    with pytest.raises(UserError) as error:
        run(tmp_path, "task.save_every=4")
    said = str(error.value)
    assert said.startswith("the loss is not finite at step 6, epoch 1, batch 1; its clips are, on rank 0, loss nan: ")
    assert said.count("synthetic row ") == 2 and ".mp4)" in said
    assert find_checkpoint(tmp_path).name == "step_000000004"


def test_what_features_are_worth_is_measured_on_fixed_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The teacher stands still here, so that what is measured would differ only by other clips or masks."""
    monkeypatch.setattr(Pretraining, "update_teacher", lambda network, momentum: None)
    measured_every = ["data.num_videos=16", "task.measure_every=3", "task.measure_clips=16", "task.max_steps=4"]
    run(tmp_path / "a", *measured_every)
    measured = [line for line in lines(tmp_path / "a") if "rankme" in line]
    assert [line["step"] for line in measured] == [0, 3, 4]
    for line in measured:
        assert set(line) == {
            "step", "epoch", "eval_loss", "rankme", "spread", "lidar", "knn", "linear", "collapsed"
        }  # fmt: skip
        assert {name: line[name] for name in ("rankme", "spread", "knn", "linear")} == {
            name: measured[0][name] for name in ("rankme", "spread", "knn", "linear")
        }
    assert measured[0]["eval_loss"] > measured[1]["eval_loss"] and measured[0]["lidar"] != measured[1]["lidar"]
    run(tmp_path / "b", *measured_every, f"task.resume={tmp_path / 'a'}", "task.max_steps=5")
    state = json.loads((find_checkpoint(tmp_path / "b") / "state.json").read_text())
    assert state["first_measures"]["eval_loss"] == measured[0]["eval_loss"]  # by which a collapse is seen


def test_a_collapsing_run_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Targets are of the student itself, with their gradient: to give one answer to everything is the way down."""
    monkeypatch.setattr(
        Pretraining, "_targets", lambda network, clips: torch.nn.functional.layer_norm(network.encoder(clips), (96,))
    )
    monkeypatch.setattr(
        Pretraining,
        "update_teacher",
        lambda network, momentum: network.target_encoder.load_state_dict(network.encoder.state_dict()),
    )
    found = run(tmp_path, "task.max_steps=28", "task.measure_every=28", "task.progress=true")
    assert "the features have collapsed: spread 0.0" in capsys.readouterr().err
    assert found["collapsed"] == 1 and [line.get("collapsed") for line in lines(tmp_path)][::29] == [0, 1]


def test_a_collapse_is_named():
    assert collapse({}, {"spread": 0.0, "rankme": 1.0}) is None
    first = {"spread": 0.5, "rankme": 21.0}
    assert collapse(first, {"spread": 0.2, "rankme": 4.0}) is None
    assert collapse(first, {"spread": 0.01, "rankme": 2.0}) == (
        "the features have collapsed: spread 0.01, at the start 0.5; rankme 2, at the start 21"
    )


def test_a_checkpoint_of_another_model_names_the_difference(undisturbed: Path, tmp_path: Path):
    with pytest.raises(UserError, match=r"does not fit this experiment's model: missing: .*predictor\.layer\.1\."):
        run(tmp_path, "training.model.pred_depth=2", f"task.resume={undisturbed}")


@pytest.mark.parametrize(("damage", "words"), [
    ({"step": -7}, "step must be >= 0"), ({"first_measures": {"spread": "wide"}}, "first_measures"),
    ({"loader": []}, "loader"), ({"threads": None}, "threads"), ({"loader": {"version": 3}}, "must have version 4"),
])  # fmt: skip
def test_a_damaged_state_is_one_message(undisturbed: Path, tmp_path: Path, damage: dict[str, Any], words: str):
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(find_checkpoint(undisturbed), checkpoint)
    state = json.loads((checkpoint / "state.json").read_text())
    (checkpoint / "state.json").write_text(json.dumps(state | damage))
    with pytest.raises(UserError, match=f"state.json.*: .*{words}"):
        run(tmp_path / "b", f"task.resume={checkpoint}")


def test_a_cooldown_begins_with_the_weights_of_another_run(undisturbed: Path, tmp_path: Path):
    words = ["training.optimization.is_anneal=true", "task.max_steps=1"]
    published = tmp_path / "published.pt"
    network = Pretraining(compose([*SMALL, "seed=5"]))
    optimizer = make_optimizer(network, compose(SMALL).training.optimization)
    torch.save(published_weights(network) | {"opt": published_optimizer(network, optimizer)}, published)
    found = {}
    for name, checkpoint in (("ours", undisturbed), ("published", published)):
        run(tmp_path / name, *words, f"training.optimization.anneal_ckpt={checkpoint}")
        found[name] = losses(tmp_path / name)[1]
    assert found["ours"] < found["published"] == pytest.approx(0.82, abs=0.03)  # that of weights that learnt nothing
    torch.save([1], tmp_path / "list.pt")
    torch.save(published_weights(network) | {"opt": []}, tmp_path / "opt.pt")
    for file, said in [
        (undisturbed / "metrics.jsonl", r"anneal_ckpt: .*metrics\.jsonl cannot be read"),
        (tmp_path / "list.pt", r"list\.pt holds no encoder, .* \(got list\)"),
        (tmp_path / "opt.pt", r"opt\.pt: opt is no state of an optimizer"),
    ]:
        with pytest.raises(UserError, match=said):
            run(tmp_path / "bad", *words, f"training.optimization.anneal_ckpt={file}")


def test_eval_clips_that_cannot_be_read_are_one_message(tmp_path: Path):
    (tmp_path / "bad.mp4").write_text("this is no video")
    (tmp_path / "bad.csv").write_text("bad.mp4 0\nbad.mp4 1\n")
    with pytest.raises(UserError, match=r"task\.measure_every: .*bad\.mp4.*data\.eval_data_paths, or"):
        run(tmp_path / "a", "task.measure_every=3", f"data.eval_data_paths=[{tmp_path / 'bad.csv'}]")


def test_a_copy_of_the_loop_is_a_trainer_of_ones_own(tmp_path: Path):
    loop = Path(train.__file__).read_text()
    (tmp_path / "my_trainer.py").write_text(loop.replace("return log.metrics()", 'return {"mine": step}'))
    words = [*SMALL, "task.max_steps=1", "task._target_=my_trainer.train", "hydra.run.dir=run"]
    copied = launch("--plugin", "my_trainer.py", *words, cwd=tmp_path)
    assert copied.returncode == 0, copied.stderr
    assert json.loads((tmp_path / "run" / "metrics.json").read_text()) == {"mine": 1}


def test_settings_that_cannot_train_are_said_at_once(tmp_path: Path):
    with pytest.raises(ConfigError) as error:
        run_task(compose(["task=train", "mask=none"]), tmp_path)
    assert "training must be V-JEPA 2 pretraining" in str(error.value)


MIX = ["image=synthetic", "image.share=0.5", "image.data.num_images=4", "image.data.img_size=48"]
REPEATED = ["image.data.frames_per_clip=2", "image.mask.tubelet_size=2"]


def test_images_beside_videos_are_repeated(undisturbed: Path, tmp_path: Path):
    run(tmp_path, *MIX, *REPEATED, "task.max_steps=2")
    assert losses(tmp_path)[1] == losses(undisturbed)[1] and math.isfinite(losses(tmp_path)[2])
    assert losses(tmp_path)[2] != losses(undisturbed)[2]  # of images


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], "image.mask.tubelet_size must be mask.tubelet_size=2 for task=train, whose encoder has one patch "),
        ([*REPEATED, "image.mask.patch_size=8"], "image.mask.patch_size must be mask.patch_size=16 for task=train"),
        ([*REPEATED, "task.parallel=fsdp2"], "task.parallel must be ddp with 1 mask for images and 2 masks for videos"),
        (["mask@image.mask=none"], "image.mask must draw masks to train with"),
    ],
)
def test_images_that_training_does_not_take(overrides: list[str], message: str, tmp_path: Path):
    with pytest.raises(ConfigError, match=message):
        run(tmp_path, *MIX, *overrides)
