"""Frozen encoders: random ones from a seed, and those that files hold."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from vjepa_pipe import compose
from vjepa_pipe.config import UserError
from vjepa_pipe.config.model import PretrainedModelConfig, VJepa2TinyConfig
from vjepa_pipe.models.frozen import pretrained_encoder, random_encoder
from vjepa_pipe.models.vjepa2 import Pretraining
from vjepa_pipe.models.weights import published_weights

vjepa2 = pytest.importorskip("transformers.models.vjepa2")
SMALL = vjepa2.VJEPA2Config(
    hidden_size=24, num_hidden_layers=3, num_attention_heads=2, crop_size=32, frames_per_clip=4, pred_hidden_size=12,
    pred_num_hidden_layers=1, pred_num_attention_heads=1, num_pooler_layers=1, num_labels=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def clips() -> Tensor:
    return torch.randn(2, 3, 4, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    vjepa2.VJEPA2Model(SMALL).eval().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model() -> Pretraining:
    return Pretraining(compose(["training=tiny", "data.img_size=32", "data.frames_per_clip=4"]))


@pytest.fixture(scope="module")
def checkpoint(model: Pretraining, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with torch.no_grad():
        for weight in model.target_encoder.parameters():
            weight += 0.01
    file = tmp_path_factory.mktemp("checkpoint") / "latest.pt"
    torch.save({**published_weights(model), "opt": {}, "epoch": 3, "loss": 0.5}, file)
    return file


def test_random_weights_follow_from_the_seed_alone(clips: Tensor) -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one = random_encoder(VJepa2TinyConfig(), seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    again, other = random_encoder(VJepa2TinyConfig(), seed=1), one.with_random_weights(2)
    assert one(clips).shape == (2, 8, 96)
    assert torch.equal(one(clips), again(clips)) and not torch.equal(one(clips), other(clips))


def test_a_folder_of_transformers(folder: Path, clips: Tensor, tmp_path: Path) -> None:
    model = vjepa2.VJEPA2Model.from_pretrained(folder).eval()
    expected = model.get_vision_features(clips.transpose(1, 2))
    encoder = pretrained_encoder(PretrainedModelConfig(path=str(folder)))
    torch.testing.assert_close(encoder(clips), expected)
    larger = torch.randn(1, 3, 4, 64, 64)  # positions follow the clip's size, not the folder's crop_size
    again = vjepa2.VJEPA2Model.from_pretrained(folder, crop_size=64).get_vision_features(larger.transpose(1, 2))
    torch.testing.assert_close(encoder(larger), again)
    classifier = vjepa2.VJEPA2ForVideoClassification(SMALL)
    classifier.vjepa2.load_state_dict(model.state_dict())
    classifier.save_pretrained(tmp_path)
    torch.testing.assert_close(pretrained_encoder(PretrainedModelConfig(path=str(tmp_path)))(clips), expected)


def test_a_checkpoint_of_the_published_trainer(checkpoint: Path, model: Pretraining, clips: Tensor) -> None:
    for key, part in ((None, "target_encoder"), ("encoder", "encoder")):
        encoder = pretrained_encoder(PretrainedModelConfig(path=str(checkpoint), checkpoint_key=key))
        torch.testing.assert_close(encoder(clips), model.features(clips, part))
    assert not torch.equal(model.features(clips, "encoder"), model.features(clips, "target_encoder"))


def test_several_layers_follow_each_other(checkpoint: Path, clips: Tensor) -> None:
    last = pretrained_encoder(PretrainedModelConfig(path=str(checkpoint)))(clips)
    both = pretrained_encoder(PretrainedModelConfig(path=str(checkpoint), out_layers=[1, 3]))(clips)
    assert both.shape == (2, 16, 96) and torch.equal(both[:, 8:], last) and not torch.equal(both[:, :8], last)
    with pytest.raises(UserError, match=r"model.out_layers must be < 4, the encoder's layers \(got \[4\]\)"):
        pretrained_encoder(PretrainedModelConfig(path=str(checkpoint), out_layers=[4]))


def changed(checkpoint: Path, folder: Path, change: str) -> PretrainedModelConfig:
    """A file that is not what it should be."""
    saved = torch.load(checkpoint, weights_only=True)
    weights, file = saved["target_encoder"], folder / "changed.pt"
    if change == "missing":
        del weights["module.backbone.blocks.2.norm1.weight"]
    elif change == "extra":
        weights["module.backbone.cls_token"] = torch.zeros(1)
    elif change == "size":
        return PretrainedModelConfig(path=str(checkpoint), model_name="vit_tiny")
    elif change == "unknown size":
        weights |= {f"module.backbone.blocks.{i}.x": torch.zeros(1) for i in range(4, 7)}
    elif change == "two sizes":
        weights["module.backbone.patch_embed.proj.weight"] = torch.zeros(1408, 3, 2, 16, 16)
        weights |= {f"module.backbone.blocks.{i}.x": torch.zeros(1) for i in range(40)}
    elif change == "images":
        weights["module.backbone.patch_embed.proj.weight"] = torch.zeros(96, 3, 16, 16)
    elif change == "part":
        saved = {"model": weights}
    elif change == "code":
        saved = {"target_encoder": print}
    elif change == "bytes":
        file.write_bytes(b"no checkpoint")
        return PretrainedModelConfig(path=str(file))
    elif change == "nothing":
        return PretrainedModelConfig(path="runs/latest.pt")
    elif change == "empty folder":
        return PretrainedModelConfig(path=str(folder))
    elif change == "other model":
        (folder / "config.json").write_text('{"model_type": "videomae"}')
        return PretrainedModelConfig(path=str(folder))
    elif change == "offline":
        return PretrainedModelConfig(path="facebook/vjepa2-vitl-fpc64-256")
    torch.save(saved, file)
    return PretrainedModelConfig(path=str(file))


@pytest.mark.parametrize(("change", "message"), [
    ("missing", r"changed.pt .*missing: target_encoder.blocks.2.norm1.weight"),
    ("extra", r"changed.pt .*not known: target_encoder.cls_token"),
    ("size", r"latest.pt .*missing: target_encoder.blocks.4.norm1.weight.* more"),
    ("unknown size", r"its encoder is 96 wide and 7 layers deep: no model_name has these sizes"),
    ("two sizes", r"model.model_name must say which of vit_giant, vit_giant_xformers it is"),
    ("images", r"is of another architecture: it has no patch_embed.proj.weight of a video encoder"),
    ("part", r"changed.pt holds no target_encoder or encoder \(it holds model\)"),
    ("code", r"changed.pt cannot be read as a checkpoint: Weights only load failed"),
    ("bytes", r"changed.pt cannot be read as a checkpoint"),
    ("nothing", r"model.path: runs/latest.pt does not exist"),
    ("empty folder", r"holds no config.json"),
    ("other model", r"is of type videomae, not vjepa2"),
    ("offline", r"facebook/vjepa2-vitl-fpc64-256 is no folder here and cannot be loaded from the Hugging Face hub: \w"),
])  # fmt: skip
def test_what_cannot_be_read(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, message: str
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=message) as error:
        pretrained_encoder(changed(checkpoint, tmp_path, change))
    assert "\n" not in str(error.value)


def test_clips_of_no_whole_tokens(clips: Tensor) -> None:
    with pytest.raises(UserError, match=r"clips of 4x24x32 .* hold no whole tokens of 2x16x16"):
        random_encoder(VJepa2TinyConfig(), seed=0)(clips[..., :24, :])


def test_a_layer_that_transformers_lacks_is_named(folder: Path, tmp_path: Path) -> None:
    vjepa2.VJEPA2Model(SMALL).save_pretrained(tmp_path)
    config = (tmp_path / "config.json").read_text().replace('"num_hidden_layers": 3', '"num_hidden_layers": 4')
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(UserError, match=r"is of another architecture: missing: encoder.layer.3\."):
        pretrained_encoder(PretrainedModelConfig(path=str(tmp_path)))
