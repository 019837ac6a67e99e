"""What cannot be pretrained here, said before work starts."""

from __future__ import annotations

import copy
import importlib.util
from typing import Any

import pytest

from vjepa_pipe import compose
from vjepa_pipe.config import ExperimentConfig, MaskConfig, training_rules
from vjepa_pipe.config.training import DroidTraining, JepaTraining, TrainingConfig, VJepa21Training
from vjepa_pipe.config.training_rules import superseded, training_faults


@pytest.fixture(scope="module")
def released() -> ExperimentConfig:
    return compose(["data=synthetic", "mask=multiblock3d", "training=vjepa2_pretrain"])


def changed(experiment: ExperimentConfig, settings: dict[str, Any]) -> ExperimentConfig:
    """The experiment with other settings of `training`."""
    other = copy.deepcopy(experiment)
    for name, value in settings.items():
        section, setting = name.split(".")
        setattr(getattr(other.training, section), setting, value)
    return other


def test_what_is_released_and_what_is_tiny_is_trained(released: ExperimentConfig) -> None:
    assert list(training_faults(released)) == []
    assert list(training_faults(compose(["data=synthetic", "training=tiny"]))) == []


@pytest.mark.parametrize(
    ("setting", "value", "fault"),
    [
        ("model.use_rope", False, "training.model.use_rope must be true: transformers' VJEPA2 has rotary "),
        ("model.use_mask_tokens", False, "training.model.use_mask_tokens must be true: its predictor has mask "),
        ("model.use_silu", True, "training.model.use_silu must be false: its encoder has no SwiGLU"),
        ("model.use_pred_silu", True, "training.model.use_pred_silu must be false: its predictor has no SwiGLU"),
        ("model.model_name", "vit_larg", "training.model.model_name must be one of vit_nano, vit_tiny, vit_small, "),
        ("model.model_name", "vit_larg", "(got 'vit_larg') (did you mean vit_large?)"),
        ("model.pred_embed_dim", 100, "must be a multiple of its 12 heads, at least 12 times as large (got 100)"),
        ("model.pred_embed_dim", 132, "must be a multiple of its 12 heads, at least 12 times as large (got 132)"),
        ("model.pred_num_heads", None, None),
        ("model.pred_num_heads", 5, "training.model.pred_embed_dim must be a multiple of its 5 heads"),
        ("meta.dtype", "bfloat", "one of bfloat16, float16, float32 (got 'bfloat') (did you mean bfloat16?)"),
        ("optimization.ema", [0.9], "training.optimization.ema must be two numbers from 0 to 1 (got [0.9])"),
        ("optimization.ema", [0.9, 1.1], "training.optimization.ema must be two numbers from 0 to 1 (got [0.9, 1.1])"),
        ("optimization.betas", [0.9, 1.0], "betas must be two numbers from 0 to below 1 (got [0.9, 1.0])"),
        ("optimization.ipe_scale", 0.9, "ipe_scale must be >= 1 (got 0.9): the momentum schedule would end before "),
        ("optimization.is_anneal", True, "is_anneal needs training.optimization.anneal_ckpt: what to cool down from"),
    ],
)
def test_each_fault_is_named(released: ExperimentConfig, setting: str, value: Any, fault: str | None) -> None:
    found = list(training_faults(changed(released, {setting: value})))
    assert len(found) == (0 if fault is None else 1)
    assert fault is None or fault in found[0]


def test_batches_have_masks(released: ExperimentConfig) -> None:
    other = copy.deepcopy(released)
    other.mask = MaskConfig()
    assert list(training_faults(other)) == ["mask must draw masks to train with, such as mask=multiblock3d (got none)"]
    other.mask._target_ = "mine.Mask"
    assert list(training_faults(other)) == []


@pytest.mark.parametrize("training", [TrainingConfig, DroidTraining, JepaTraining, VJepa21Training])
def test_other_trainings_are_refused(released: ExperimentConfig, training: type[TrainingConfig]) -> None:
    other = copy.deepcopy(released)
    other.training = training()
    assert list(training_faults(other)) == [
        "training must be V-JEPA 2 pretraining, such as training=tiny, training=vjepa2_pretrain or training=vjepa "
        f"(got {training.__name__}): task=external runs trainers of others"
    ]


def test_all_faults_are_told_at_once(released: ExperimentConfig) -> None:
    settings = {"model.use_rope": False, "meta.dtype": "half", "optimization.ema": []}
    assert len(list(training_faults(changed(released, settings)))) == 3


def test_a_missing_extra_is_a_fault(released: ExperimentConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(training_rules, "find_spec", lambda name: None if name == "transformers" else found(name))
    assert list(training_faults(released)) == ["training needs transformers: pip install 'vjepa_pipe[train]'"]


def test_what_is_superseded_is_said(released: ExperimentConfig) -> None:
    assert list(superseded(released)) == [
        "training.meta.load_checkpoint is superseded: a run that was cut short goes on by itself",
        "training.model.uniform_power has no effect: positions are rotary, as in the released models",
    ]
    other = changed(
        released,
        {
            "meta.load_checkpoint": False, "meta.skip_batches": 3, "meta.use_sdpa": False,
            "model.uniform_power": False,
        },
    )  # fmt: skip
    assert list(superseded(other)) == [
        "training.meta.skip_batches is superseded: a run goes on with the batch after its last",
        "training.meta.use_sdpa=false is superseded: attention is always fused, with the same result",
    ]
