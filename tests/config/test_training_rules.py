"""What cannot be pretrained here, said before work starts."""

from __future__ import annotations

import importlib.util

import pytest

from vjepa_pipe import compose
from vjepa_pipe.config import training_rules
from vjepa_pipe.config.training_rules import superseded, training_faults

TRAINING = ["data=synthetic", "training=tiny"]


def faults(*overrides: str) -> list[str]:
    return list(training_faults(compose([*TRAINING, *overrides])))


@pytest.mark.parametrize("training", ["tiny", "vjepa2_pretrain"])
def test_what_is_published_is_trained(training: str) -> None:
    assert faults(f"training={training}") == []


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("training.model.use_rope=false", "training.model.use_rope must be true: transformers' VJEPA2 has rotary "),
        ("training.model.use_mask_tokens=false", "training.model.use_mask_tokens must be true: its predictor has "),
        ("training.model.use_silu=true", "training.model.use_silu must be false: its encoder has no SwiGLU"),
        ("training.model.use_pred_silu=true", "training.model.use_pred_silu must be false: its predictor has no "),
        ("training.model.model_name=vit_larg", "(got 'vit_larg') (did you mean vit_large?)"),
        ("training.model.model_name=vit_large_rope", "training.model.model_name must be one of vit_nano, vit_tiny, "),
        ("training.model.pred_embed_dim=50", "must be a multiple of its 3 heads, at least 12 times as large (got 50)"),
        ("training.model.pred_embed_dim=33", "must be a multiple of its 3 heads, at least 12 times as large (got 33)"),
        ("training.model.pred_num_heads=5", "training.model.pred_embed_dim must be a multiple of its 5 heads"),
        ("training.meta.dtype=bf16", "one of bfloat16, float16, float32 (got 'bf16') (did you mean bfloat16?)"),
        ("training.optimization.ema=[0.9]", "training.optimization.ema must be two numbers from 0 to 1 (got [0.9])"),
        ("training.optimization.betas=[0.9,1.0]", "betas must be two numbers from 0 to below 1 (got [0.9, 1.0])"),
        ("training.optimization.ipe_scale=0.9", "ipe_scale must be >= 1 (got 0.9): the momentum schedule would end "),
        ("training.optimization.is_anneal=true", "is_anneal needs training.optimization.anneal_ckpt"),
        ("mask=none", "mask must draw masks to train with, such as mask=multiblock3d (got none)"),
    ],
)  # fmt: skip
def test_each_fault_is_named(override: str, fault: str) -> None:
    (found,) = faults(override)
    assert fault in found


@pytest.mark.parametrize("training", ["none", "vjepa2_ac", "jepa_pretrain"])
def test_other_trainings_are_refused(training: str) -> None:
    (found,) = faults(f"training={training}")
    assert found.startswith("training must be V-JEPA 2 pretraining, such as training=tiny")
    assert "task=external runs trainers of others" in found


def test_all_faults_are_told_at_once() -> None:
    assert len(faults("training.model.use_rope=false", "training.meta.dtype=half", "mask=none")) == 3


def test_a_missing_extra_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(training_rules, "find_spec", lambda name: None if name == "transformers" else found(name))
    assert faults() == ["training needs transformers: pip install 'vjepa_pipe[train]'"]


def test_what_is_superseded_is_said() -> None:
    assert list(superseded(compose(TRAINING))) == []
    said = list(
        superseded(
            compose([
                *TRAINING, "training.meta.load_checkpoint=true", "training.meta.skip_batches=3",
                "training.meta.use_sdpa=false", "training.model.uniform_power=true",
            ])
        )
    )  # fmt: skip
    assert [text.split(" is superseded")[0].split(" has no effect")[0] for text in said] == [
        "training.meta.load_checkpoint", "training.meta.skip_batches", "training.meta.use_sdpa=false",
        "training.model.uniform_power",
    ]  # fmt: skip
