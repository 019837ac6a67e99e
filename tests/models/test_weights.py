"""Weights in the published layout and in that of transformers, and back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from vjepa_pipe import compose
from vjepa_pipe.config import UserError
from vjepa_pipe.models.optimizer import make_optimizer
from vjepa_pipe.models.vjepa2 import Pretraining, transformers_model
from vjepa_pipe.models.weights import (
    load_published,
    load_published_optimizer,
    load_transformers,
    published_optimizer,
    published_weights,
    transformers_weights,
)

SMALL = ["data=synthetic", "data.frames_per_clip=4", "data.img_size=64", "training=tiny"]


def a_model(seed: int, *overrides: str) -> Pretraining:
    """A model whose teacher differs from its student."""
    model = Pretraining(compose([*SMALL, f"seed={seed}", *overrides]))
    with torch.no_grad():
        for number, weight in enumerate(model.parameters()):
            weight += number
    return model


def equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return list(one) == list(other) and all(torch.equal(one[name], other[name]) for name in one)


def test_published_weights_come_back() -> None:
    model, other = a_model(1), a_model(2)
    saved = published_weights(model)
    assert saved["encoder"]["module.backbone.blocks.3.attn.qkv.weight"].shape == (288, 96)
    assert [name for name in saved["predictor"] if "mask_tokens" in name] == [
        "module.backbone.mask_tokens.0", "module.backbone.mask_tokens.1",
    ]  # fmt: skip
    load_published(other, saved, "latest.pt")
    assert equal(model.state_dict(), other.state_dict())


def test_released_files_have_positions_and_other_prefixes() -> None:
    model, other = a_model(1), a_model(2)
    released = {
        part: {name.removeprefix("module."): weight for name, weight in weights.items()}
        for part, weights in published_weights(model).items()
    }
    released["encoder"]["backbone.pos_embed"] = torch.zeros(1, 32, 96)
    released["predictor"]["backbone.predictor_pos_embed"] = torch.zeros(1, 32, 48)
    load_published(other, released, "vitl.pt")
    assert equal(model.state_dict(), other.state_dict())
    third = a_model(3)
    before = {name: weight.clone() for name, weight in third.state_dict().items()}
    load_published(third, {"target_encoder": released["target_encoder"]}, "vitl.pt", parts=["target_encoder"])
    assert equal(third.target_encoder.state_dict(), model.target_encoder.state_dict())
    assert equal(third.encoder.state_dict(), {n[8:]: w for n, w in before.items() if n.startswith("encoder.")})


def test_what_does_not_fit_is_named_and_changes_nothing() -> None:
    model = a_model(1)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    saved = published_weights(a_model(2))
    del saved["encoder"]["module.backbone.norm.bias"]
    saved["predictor"]["module.backbone.mask_tokens.2"] = torch.zeros(1, 1, 48)
    saved["target_encoder"]["module.backbone.blocks.0.attn.qkv.bias"] = torch.zeros(290)
    with pytest.raises(UserError) as error:
        load_published(model, saved, "latest.pt")
    assert str(error.value) == (
        "latest.pt does not fit this experiment's model: missing: encoder.norm.bias; "
        "not known: predictor.mask_tokens.2; of another shape: target_encoder.blocks.0.attn.qkv.bias [290]"
    )
    assert equal(before, model.state_dict())
    with pytest.raises(UserError, match=r"latest.pt holds no predictor, no target_encoder \(got encoder, epoch\)"):
        load_published(model, {"encoder": saved["encoder"], "epoch": 3}, "latest.pt")


def test_many_faults_are_counted() -> None:
    model = a_model(1)
    deeper = a_model(2, "training.model.pred_depth=3")
    with pytest.raises(UserError, match=r"not known: predictor.predictor_blocks.2.norm1.weight, .* and 8 more$"):
        load_published(model, published_weights(deeper), "latest.pt")


@pytest.mark.parametrize("encoder", ["encoder", "target_encoder"])
def test_transformers_reads_our_weights_and_we_read_its_folders(tmp_path: Path, encoder: str) -> None:
    model, other = a_model(1), a_model(2)
    theirs = transformers_model(compose(SMALL))
    theirs.load_state_dict(transformers_weights(model, encoder))
    theirs.save_pretrained(tmp_path)
    read = type(theirs).from_pretrained(tmp_path)
    load_transformers(other, read.state_dict(), str(tmp_path))
    expected = model.get_submodule(encoder).state_dict()
    assert equal(other.encoder.state_dict(), expected) and equal(other.target_encoder.state_dict(), expected)
    assert equal(other.predictor.state_dict(), model.predictor.state_dict())
    with pytest.raises(UserError, match=r"config.json does not fit .*missing: encoder.layernorm.bias$"):
        load_transformers(
            other, {n: w for n, w in read.state_dict().items() if n != "encoder.layernorm.bias"}, "config.json"
        )


def test_an_optimizers_state_comes_back() -> None:
    model, other = a_model(1), a_model(2)
    optimization: Any = compose(SMALL).training.optimization  # type: ignore[attr-defined]
    optimizer, fresh = make_optimizer(model, optimization), make_optimizer(other, optimization)
    model.predictor.embeddings.mask_tokens[1].requires_grad_(False)
    for weight in model.parameters():
        if weight.requires_grad:
            weight.grad = torch.randn_like(weight)
    optimizer.step()
    saved = published_optimizer(model, optimizer)
    names = [name for part in ("encoder", "predictor") for name in published_weights(model)[part]]
    assert [len(group["params"]) for group in saved["param_groups"]] == [17, 12, 35, 20]
    assert sum(len(group["params"]) for group in saved["param_groups"]) == len(names)
    assert len(saved["state"]) == len(names) - 1, "a mask token without gradient has no state"
    assert saved["state"][1]["exp_avg"].shape == (288, 96)
    load_published_optimizer(other, fresh, saved, "latest.pt")
    ours, theirs = optimizer.state_dict(), fresh.state_dict()
    assert ours["param_groups"] == theirs["param_groups"]
    assert ours["state"].keys() == theirs["state"].keys()
    for number, state in ours["state"].items():
        assert equal(state, theirs["state"][number])
    saved["state"][1]["exp_avg"] = torch.zeros(3, 96)
    with pytest.raises(UserError, match=r"latest.pt: opt, exp_avg does not fit .*: blocks.0.attn.qkv.weight \[3, 96\]"):
        load_published_optimizer(other, fresh, saved, "latest.pt")
    saved["param_groups"][0]["params"].pop()
    with pytest.raises(UserError, match=r"latest.pt: opt is the state of other parameters"):
        load_published_optimizer(other, fresh, saved, "latest.pt")


def test_the_examples_of_the_docs_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "model.md").read_text()
    small = '"data=synthetic", "data.num_videos=2", "data.batch_size=2", "data.num_workers=0", "data.img_size=64"'
    found: dict[str, Any] = {}
    exec("".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL)).replace('"data=synthetic"', small), found)
    assert found["features"].shape == (2, 8 * 4 * 4, 96) and found["step"] == 0
    assert (tmp_path / "vjepa2" / "model.safetensors").exists()
