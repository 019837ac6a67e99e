"""Frozen encoders: what the group `model/` builds, from clips `[B, C, T, H, W]` to tokens `[B, N, D]`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vjepa_pipe.config.errors import UserError, one_line
from vjepa_pipe.config.extras import import_extra
from vjepa_pipe.config.model import CHECKPOINT_PARTS, PretrainedModelConfig, VJepa2TinyConfig
from vjepa_pipe.config.training.sizes import ENCODERS, EncoderSize
from vjepa_pipe.models.vjepa2 import Encoder, initialised
from vjepa_pipe.models.weights import first_line, load_published, read_checkpoint, some

HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_FIRST = "patch_embed.proj.weight"


class FrozenEncoder(nn.Module):
    """An encoder of transformers' VJEPA2, of clips with any number of whole tokens along each side.

    Args:
        config: A `VJEPA2Config`.
        encoder: Has these sizes.
        out_layers: Layers, from 0, whose tokens follow each other, each layer's normalised; None: the last.

    Raises:
        UserError: If there are fewer layers.
    """

    def __init__(self, config: Any, encoder: Encoder, out_layers: Sequence[int] | None = None) -> None:
        super().__init__()
        self.config, self.encoder, self.out_layers = config, encoder, out_layers
        if out_layers and max(out_layers) >= len(encoder.layer):
            raise UserError(
                f"model.out_layers must be < {len(encoder.layer)}, the encoder's layers (got {list(out_layers)})"
            )

    def forward(self, clips: Tensor) -> Tensor:
        """Tokens `[B, N, D]` of float clips `[B, C, T, H, W]`; N is larger with several `out_layers`.

        Raises:
            UserError: If a side of the clips holds no whole number of tokens.
        """
        token = (self.config.tubelet_size, self.config.patch_size, self.config.patch_size)
        if any(side % part for side, part in zip(clips.shape[2:], token, strict=True)):
            raise UserError(
                f"clips of {'x'.join(map(str, clips.shape[2:]))} (data.frames_per_clip, data.img_size) hold no whole "
                f"tokens of {'x'.join(map(str, token))}"
            )
        if not self.out_layers:
            tokens: Tensor = self.encoder(clips)
            return tokens
        found: list[Tensor] = []
        hooks = [
            self.encoder.layer[place].register_forward_hook(lambda _module, _given, gave: found.append(gave[0]))
            for place in sorted(self.out_layers)
        ]
        try:
            self.encoder(clips)
        finally:
            for hook in hooks:
                hook.remove()
        return torch.cat([self.encoder.layernorm(tokens) for tokens in found], dim=1)

    def with_random_weights(self, seed: int) -> FrozenEncoder:
        """Another encoder of this architecture."""
        return FrozenEncoder(self.config, _random(self.config, seed), self.out_layers)


def random_encoder(config: VJepa2TinyConfig, seed: int) -> FrozenEncoder:
    """An encoder with random weights, initialised as for pretraining.

    Args:
        config: Its size.
        seed: Its weights follow from it alone.

    Raises:
        UserError: If transformers is not installed.
    """
    of = _transformers_config(ENCODERS[config.model_name], config.patch_size, config.tubelet_size)
    return FrozenEncoder(of, _random(of, seed))


def pretrained_encoder(config: PretrainedModelConfig) -> FrozenEncoder:
    """The encoder of a hub id, of a folder, or of a checkpoint of the published trainer.

    Raises:
        UserError: If there is none, it cannot be downloaded or read, or is of another architecture.
    """
    path = Path(config.path).expanduser()
    if path.is_file():
        return _from_checkpoint(path, config)
    if path.is_dir() and not (path / "config.json").is_file():
        raise UserError(
            f"model.path: {path} holds no config.json; it must be a folder that save_pretrained has written"
        )
    if not path.is_dir() and (not HUB_ID.fullmatch(config.path) or path.suffix in (".pt", ".pth", ".tar")):
        raise UserError(f"model.path: {config.path} does not exist")
    return _from_transformers(str(path) if path.is_dir() else config.path, config)


def _from_transformers(path: str, config: PretrainedModelConfig) -> FrozenEncoder:
    """Of a folder or a hub id."""
    vjepa2 = import_extra("transformers.models.vjepa2", "train")
    try:
        told, _ = vjepa2.VJEPA2Config.get_config_dict(path)
        if told.get("model_type") != "vjepa2":
            raise UserError(
                f"model.path: {path} is of type {told.get('model_type')}, not vjepa2: model=own builds others"
            )
        model, info = vjepa2.VJEPA2Model.from_pretrained(path, dtype=torch.float32, output_loading_info=True)
    except UserError:
        raise
    except Exception as error:  # transformers, safetensors and the hub's client raise many kinds
        hub = "is no folder here and cannot be loaded from the Hugging Face hub"
        where = "cannot be read" if Path(path).is_dir() else hub
        raise UserError(f"model.path: {path} {where}: {first_line(error)}") from error
    faults = {
        what: [name for name in sorted(info[kind]) if name.startswith("encoder.")]
        for what, kind in (("missing", "missing_keys"), ("not known", "unexpected_keys"))
    }
    if text := "; ".join(f"{what}: {some(names)}" for what, names in faults.items() if names):
        raise UserError(f"model.path: {path} is of another architecture: {text}")
    return FrozenEncoder(model.config, Encoder(model.encoder, checkpointing=False), config.out_layers)


def _from_checkpoint(path: Path, config: PretrainedModelConfig) -> FrozenEncoder:
    saved = read_checkpoint(path, "model.path")
    parts = [config.checkpoint_key] if config.checkpoint_key else CHECKPOINT_PARTS
    part = next((part for part in parts if isinstance(saved, Mapping) and isinstance(saved.get(part), Mapping)), None)
    if part is None:
        held = ", ".join(map(str, saved)) if isinstance(saved, Mapping) else type(saved).__name__
        raise UserError(f"model.path: {path} holds no {' or '.join(parts)} (it holds {one_line(held)})")
    of = _config_of(saved[part], f"model.path: {path}", config.model_name)
    encoder = _random(of, seed=0)
    load_published(nn.ModuleDict({part: encoder}), saved, f"model.path: {path}", [part])
    return FrozenEncoder(of, encoder, config.out_layers)


def _config_of(weights: Mapping[str, Any], where: str, model_name: str | None) -> Any:
    """The sizes that weights of a published checkpoint have."""
    shapes = {name: tuple(weight.shape) for name, weight in weights.items() if isinstance(weight, Tensor)}
    first = next((shape for name, shape in shapes.items() if name.endswith(_FIRST)), ())
    if len(first) != 5:
        raise UserError(f"{where} is of another architecture: it has no {_FIRST} of a video encoder")
    depth = len({match[1] for name in shapes if (match := re.search(r"blocks\.(\d+)\.", name))})
    names = [name for name, size in ENCODERS.items() if (size.width, size.depth) == (first[0], depth)]
    if model_name is None and len(names) != 1:
        fits = (
            f"model.model_name must say which of {', '.join(names)} it is" if names else "no model_name has these sizes"
        )
        raise UserError(f"{where}: its encoder is {first[0]} wide and {depth} layers deep: {fits}")
    return _transformers_config(ENCODERS[model_name or names[0]], first[-1], first[-3])


def _transformers_config(size: EncoderSize, patch_size: int, tubelet_size: int) -> Any:
    vjepa2 = import_extra("transformers.models.vjepa2", "train")
    return vjepa2.VJEPA2Config(
        patch_size=patch_size,
        tubelet_size=tubelet_size,
        hidden_size=size.width,
        num_hidden_layers=size.depth,
        num_attention_heads=size.heads,
        mlp_ratio=size.mlp_ratio,
        pred_hidden_size=12,  # of the predictor, which nothing reads
        pred_num_hidden_layers=1,
        pred_num_attention_heads=1,
        attn_implementation="sdpa",
    )


def _random(config: Any, seed: int) -> Encoder:
    with seeded(seed):
        return Encoder(initialised(config).encoder, checkpointing=False)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """What is drawn in this block from torch's generator of the CPU follows from the seed, and nothing else changes."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
