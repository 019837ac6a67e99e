"""Ten steps of pretraining and four of cooldown, number for number those of the published trainer in float64.

VJEPA2_CHECKOUT names a folder with the published repository, against which the recorded numbers are compared too.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import published_training
import pytest
import torch
import yaml
from published_training import ITERATIONS, SCHEDULES, arguments, batches, fill, fingerprints

from vjepa_pipe import compose
from vjepa_pipe.config.training import VJepaTraining
from vjepa_pipe.config.training.vjepa import VJepaOptimization
from vjepa_pipe.models.optimizer import make_optimizer, set_rates
from vjepa_pipe.models.schedules import Schedules
from vjepa_pipe.models.vjepa2 import Pretraining
from vjepa_pipe.models.weights import (
    PARTS,
    load_published,
    load_published_optimizer,
    published_optimizer,
    published_weights,
)

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "pretraining_steps.json").read_text())
CHECKOUT = os.environ.get("VJEPA2_CHECKOUT")


class Run:
    """A run of the published arguments, with numbers in the place of its first weights."""

    def __init__(self, name: str, folder: Path) -> None:
        file = folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump(arguments(name, folder)))
        self.name, self.experiment = name, compose([f"legacy={file}"])
        assert isinstance(self.experiment.training, VJepaTraining)
        self.model = Pretraining(self.experiment).double()
        load_published(self.model, {part: fill(of) for part, of in published_weights(self.model).items()}, "filled")
        optimization = self.experiment.training.optimization
        self.optimizer = make_optimizer(self.model, optimization)
        self.schedules = Schedules(optimization, ITERATIONS[name])

    def steps(self) -> list[dict[str, float]]:
        steps = []
        epochs = self.schedules.optimization.epochs
        for step, batch in enumerate(list(batches(self.name)) * epochs):
            rates = self.schedules.learning_rate(step), self.schedules.weight_decay(step)
            set_rates(self.optimizer, *rates)
            loss = self.model(batch)
            loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.model.update_teacher(self.schedules.momentum(step))
            steps.append({"loss": loss.item(), "lr": rates[0], "wd": rates[1]})
        return steps

    def checkpoint(self) -> dict[str, Any]:
        return {**published_weights(self.model), "opt": published_optimizer(self.model, self.optimizer)}

    def load(self, checkpoint: dict[str, Any]) -> None:
        load_published(self.model, checkpoint, "latest.pt")
        load_published_optimizer(self.model, self.optimizer, checkpoint["opt"], "latest.pt")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Steps and last checkpoint of both runs; the cooldown starts from the pretraining's checkpoint."""
    folder = tmp_path_factory.mktemp("runs")
    done = {}
    first = Run("pretrain", folder)
    done["pretrain"] = first.steps(), first.checkpoint()
    second = Run("cooldown", folder)
    second.load(copy.deepcopy(done["pretrain"][1]))
    done["cooldown"] = second.steps(), second.checkpoint()
    return done


@pytest.mark.parametrize("name", ITERATIONS)
def test_losses_and_rates_are_the_published_ones(runs: Any, name: str) -> None:
    steps = runs[name][0]
    assert len(steps) == {"pretrain": 10, "cooldown": 4}[name]
    for ours, theirs in zip(steps, GOLDEN[name]["steps"], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", ITERATIONS)
@pytest.mark.parametrize("part", PARTS)
def test_weights_are_the_published_ones(runs: Any, name: str, part: str) -> None:
    ours, theirs = fingerprints(runs[name][1][part]), GOLDEN[name]["weights"][part]
    assert list(ours) == list(theirs)
    for weight, fingerprint in theirs.items():
        assert ours[weight] == pytest.approx(fingerprint, rel=1e-12, abs=1e-12), weight


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("is_anneal", [False, True])
def test_schedules_are_the_published_ones(name: str, is_anneal: bool) -> None:
    settings: Any = SCHEDULES[name]
    (start, top, last), decays = settings["lrs"], settings["decays"]
    schedules = Schedules(
        VJepaOptimization(
            epochs=settings["epochs"], warmup=settings["warmup"], start_lr=start, lr=top, final_lr=last,
            weight_decay=decays[0], final_weight_decay=decays[1], ipe_scale=settings.get("ipe_scale", 1.0),
            is_anneal=is_anneal, ema=[0.99, 1.0],
        ),
        settings["ipe"],
    )  # fmt: skip
    golden = GOLDEN["schedules"][f"{name}{', annealed' if is_anneal else ''}"]
    assert len(golden) == int((settings["epochs"] * settings["ipe"]) ** 0.5)
    for root, (rate, decay) in enumerate(golden, start=1):
        assert schedules.learning_rate(root**2 - 1) == rate
        assert schedules.weight_decay(root**2 - 1) == decay


@pytest.mark.skipif(not CHECKOUT, reason="VJEPA2_CHECKOUT is not set")
def test_a_checkout_gives_these_numbers_and_checkpoints_like_ours(runs: Any, tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, published_training.__file__, str(CHECKOUT), str(tmp_path)],
        capture_output=True, text=True, timeout=300, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, sys.path)), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-3000:]
    found = json.loads((tmp_path / "golden.json").read_text())
    assert found["schedules"] == GOLDEN["schedules"]
    for name in ITERATIONS:
        assert [step["loss"] for step in found[name]["steps"]] == pytest.approx(
            [step["loss"] for step in GOLDEN[name]["steps"]], rel=1e-12
        )
        theirs, ours = torch.load(tmp_path / name / "latest.pt", weights_only=False), runs[name][1]
        assert same(theirs, ours) > 380
        assert theirs["opt"]["param_groups"] == ours["opt"]["param_groups"]
        assert theirs["opt"]["state"].keys() == ours["opt"]["state"].keys()
        assert all(list(theirs[part]) == list(ours[part]) for part in PARTS)
    again = Run("cooldown", tmp_path)
    again.load(torch.load(tmp_path / "pretrain" / "latest.pt"))
    assert [step["loss"] for step in again.steps()] == pytest.approx(
        [step["loss"] for step in found["cooldown"]["steps"]], rel=1e-12
    )


def same(theirs: dict[str, Any], ours: dict[str, Any]) -> int:
    """How many tensors of two checkpoints were compared."""
    pairs = [(theirs[part][name], ours[part][name], f"{part} {name}") for part in PARTS for name in theirs[part]] + [
        (moment, ours["opt"]["state"][index][key], f"opt {index} {key}")
        for index, state in theirs["opt"]["state"].items()
        for key, moment in state.items()
    ]
    for a, b, name in pairs:
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12, msg=lambda text, name=name: f"{name}: {text}")
    return len(pairs)
