"""The network that is pretrained."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from vjepa_pipe import DataManager, compose
from vjepa_pipe.config import ExperimentConfig, UserError
from vjepa_pipe.models.vjepa2 import Pretraining, transformers_model
from vjepa_pipe.models.weights import transformers_weights

SMALL = [
    "data=synthetic", "data.num_videos=2", "data.batch_size=2", "data.num_workers=0", "data.frames_per_clip=4",
    "data.img_size=64", "training=tiny",
]  # fmt: skip


def experiment(*overrides: str) -> ExperimentConfig:
    return compose([*SMALL, *overrides])


@pytest.fixture(scope="module")
def model() -> Pretraining:
    return Pretraining(experiment())


def a_batch(frames: int = 4, seed: int = 0) -> dict[str, Any]:
    draw = torch.Generator().manual_seed(seed)
    tokens = torch.stack([torch.randperm(frames // 2 * 16, generator=draw) for _ in range(2)])
    return {
        "video": torch.randn(2, 3, frames, 64, 64, generator=draw),
        "masks_enc": [tokens[:, :9].sort().values, tokens[:, :4].sort().values],
        "masks_pred": [tokens[:, 9:16].sort().values, tokens[:, 4:].sort().values],
    }


@pytest.mark.parametrize("size", ["64", "[32,64]"])
def test_a_loaders_batch_has_a_loss_with_gradients(cache: Any, size: str) -> None:
    chosen = experiment(f"data.img_size={size}")
    model = Pretraining(chosen)
    loss = model(next(iter(DataManager(chosen).build_train_loader())))
    loss.backward()
    assert loss.shape == () and loss.isfinite()
    without = {name for name, weight in model.named_parameters() if weight.requires_grad and weight.grad is None}
    assert without == {"predictor.embeddings.mask_tokens.1"}, "one clip length uses one of two mask tokens"
    assert not any(weight.requires_grad for weight in model.target_encoder.parameters())


def test_clips_of_several_lengths_take_mask_tokens_in_the_order_of_the_sources() -> None:
    model = Pretraining(
        experiment("data.frames_per_clip_by_source=[8,4]", "data.data_paths=[a.csv,b.csv]", "data.source_names=null")
    )
    tokens = model.predictor.embeddings.mask_tokens
    assert len(tokens) == 4, "masks times sources"
    used = {}
    for name, batch in (("short", [a_batch(4)]), ("both", [a_batch(4), a_batch(8)])):
        model.zero_grad()
        model(batch).backward()
        used[name] = [token.grad is not None for token in tokens]
    assert used == {"short": [True, False, False, False], "both": [True, True, False, False]}
    with torch.no_grad():
        tokens[1] += 1
        long_first = model([a_batch(8), a_batch(4)])
        assert long_first == model([a_batch(4), a_batch(8)])


def test_the_context_has_not_seen_what_is_predicted(model: Pretraining) -> None:
    batch = a_batch()
    seen = batch["masks_enc"][0]
    other = batch["video"].clone()
    hidden = next(place for place in range(32) if place not in seen[0])
    time, row, column = hidden // 16, hidden % 16 // 4, hidden % 4
    other[0, :, 2 * time : 2 * time + 2, 16 * row : 16 * row + 16, 16 * column : 16 * column + 16] += 1
    assert torch.equal(model.encoder(batch["video"], seen), model.encoder(other, seen))
    assert not torch.equal(model.encoder(batch["video"]), model.encoder(other))


@pytest.mark.parametrize(("height", "width"), [(32, 64), (64, 32), (16, 48)])
def test_tokens_of_any_shape_stand_at_their_rows_and_columns(model: Pretraining, height: int, width: int) -> None:
    """A part of a clip from its corner has the features that its tokens have where they stand in the clip."""
    clips = a_batch()["video"]
    places = torch.arange(2 * 4 * 4).view(2, 4, 4)[:, : height // 16, : width // 16].reshape(1, -1)
    with torch.no_grad():
        found = model.encoder(clips[..., :height, :width])
        torch.testing.assert_close(found, model.encoder(clips, places.expand(2, -1)), rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("encoder", "dtype"), [("encoder", "float32"), ("target_encoder", "float32"), ("encoder", "bfloat16")]
)
def test_features_are_those_of_transformers_with_our_weights(encoder: str, dtype: str) -> None:
    chosen = experiment(f"training.meta.dtype={dtype}")
    model = Pretraining(chosen)
    with torch.no_grad():
        for weight in model.encoder.parameters():
            weight.add_(0.01)
    theirs = transformers_model(chosen)
    theirs.load_state_dict(transformers_weights(model, encoder))
    clips = a_batch()["video"]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
        expected = theirs(clips.transpose(1, 2), skip_predictor=True).last_hidden_state
    found = model.features(clips, encoder)
    assert found.shape == (2, 2 * 4 * 4, 96) and not found.requires_grad
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-6)


def test_predictions_are_those_of_transformers(model: Pretraining) -> None:
    theirs = transformers_model(experiment())
    theirs.load_state_dict(transformers_weights(model, "encoder"))
    batch = a_batch()
    seen, asked = batch["masks_enc"][0], batch["masks_pred"][0]
    with torch.no_grad():
        context = torch.randn(2, 32, 96, generator=torch.Generator().manual_seed(1))
        expected = theirs.predictor(context, [seen], [asked]).last_hidden_state
        chosen = context.gather(1, seen.unsqueeze(-1).expand(-1, -1, 96))
        found = model.predictor(chosen, seen, asked, (4, 4), 1)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-6)


def test_weights_follow_from_the_seed_alone() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = Pretraining(experiment("seed=1")).state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(6)
    second, other = (Pretraining(experiment(f"seed={seed}")).state_dict() for seed in (1, 2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    name = "encoder.layer.0.mlp.fc1.weight"
    assert not torch.equal(first[name], other[name])
    assert torch.equal(first[name], first[f"target_{name}"])


def test_weights_are_initialised_as_published(model: Pretraining) -> None:
    for layers in (model.encoder.layer, model.predictor.layer):
        for number, layer in enumerate(layers, start=1):
            last = 0.02 / (2 * number) ** 0.5
            assert layer.attention.query.weight.std().item() == pytest.approx(0.02, rel=0.05)
            assert layer.mlp.fc1.weight.std().item() == pytest.approx(0.02, rel=0.05)
            assert layer.attention.proj.weight.std().item() == pytest.approx(last, rel=0.05)
            assert layer.mlp.fc2.weight.std().item() == pytest.approx(last, rel=0.05)
    assert model.encoder.embeddings.patch_embeddings.proj.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert all(not weight.any() for name, weight in model.named_parameters() if name.endswith("bias"))
    assert not torch.stack(list(model.predictor.embeddings.mask_tokens)).any()
    drawn = Pretraining(experiment("training.model.zero_init_mask_tokens=false")).predictor.embeddings.mask_tokens
    assert torch.stack(list(drawn)).std().item() == pytest.approx(0.02, rel=0.3)


def test_checkpointing_recomputes_and_changes_no_number(model: Pretraining) -> None:
    other = Pretraining(experiment("training.model.use_activation_checkpointing=true"))
    calls = []
    other.encoder.layer[0].register_forward_pre_hook(lambda *_: calls.append(1))
    for one in (model, other):
        one.zero_grad()
        one(a_batch()).backward()
    assert len(calls) == 4, "two masks, forward and backward"
    for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert (ours.grad is None) == (theirs.grad is None)
        assert ours.grad is None or torch.equal(ours.grad, theirs.grad)


def test_autocast_computes_in_the_given_type(model: Pretraining) -> None:
    other = Pretraining(experiment("training.meta.dtype=bfloat16"))
    types = []
    other.encoder.layer[0].mlp.fc1.register_forward_hook(lambda _, __, output: types.append(output.dtype))
    loss = other(a_batch())
    loss.backward()
    assert types == [torch.bfloat16] * 2
    assert loss.dtype == torch.float32
    assert all(weight.dtype == torch.float32 for weight in other.parameters())
    assert loss.item() == pytest.approx(model(a_batch()).item(), rel=0.02)


def test_the_teacher_moves_towards_the_student(model: Pretraining) -> None:
    student = torch.nn.utils.parameters_to_vector(model.encoder.parameters()).detach()
    with torch.no_grad():
        for weight in model.target_encoder.parameters():
            weight.zero_()
    model.update_teacher(0.75)
    teacher = torch.nn.utils.parameters_to_vector(model.target_encoder.parameters())
    torch.testing.assert_close(teacher, student * 0.25)


def test_compile_model_compiles_the_three_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[torch.nn.Module] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module: compiled.append(module))
    model = Pretraining(experiment("training.model.compile_model=true"))
    assert compiled == [model.encoder, model.target_encoder, model.predictor]


def test_other_sizes_follow_the_names() -> None:
    chosen = experiment("training.model.model_name=vit_giant_xformers")
    with torch.device("meta"):
        model = transformers_model(chosen)
    assert model.encoder.layer[39].mlp.fc1.weight.shape == (6144, 1408)
    assert model.encoder.layer[0].attention.attention_head_size == 64


def test_a_missing_extra_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "transformers.models.vjepa2", None)
    with pytest.raises(UserError, match=r"needs transformers: pip install 'vjepa_pipe\[train\]'"):
        Pretraining(dataclasses.replace(experiment()))
