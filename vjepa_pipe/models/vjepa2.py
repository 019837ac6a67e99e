"""V-JEPA 2 pretraining with the modules of transformers' `VJEPA2Model`.

Its own `forward` is not used: that encodes all tokens before it masks any, so that the context has seen what is to be
predicted, and takes one pair of masks.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm
from torch.utils.checkpoint import checkpoint

from vjepa_pipe.config.data_files import named_files
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.extras import import_extra
from vjepa_pipe.config.img_size import height_and_width
from vjepa_pipe.config.mask_rules import masks_per_clip
from vjepa_pipe.config.training import VJepaTraining
from vjepa_pipe.config.training.sizes import ENCODERS
from vjepa_pipe.models.rotary import rotary_table, share_table

Grid = tuple[int, int]
"""Tokens of a frame along height and width."""


class Pretraining(nn.Module):
    """Student encoder, predictor and teacher (vjepa2 `app/vjepa/train.py`).

    The student encodes the tokens of `masks_enc`, the predictor predicts from these the teacher's tokens of
    `masks_pred`, layer-normalised. The teacher is a moving average of the student; see `update_teacher`.

    Weights follow from `experiment.seed` alone. They are initialised as published: a truncated normal distribution of
    deviation 0.02, biases 0, the last projections of layer i divided by sqrt(2i).

    Args:
        experiment: One in which `config.training_rules.training_faults` finds nothing.

    Attributes:
        encoder: The student.
        predictor: From the student's tokens to the teacher's.
        target_encoder: The teacher; its weights take no gradient.

    Raises:
        UserError: If transformers is not installed.
    """

    def __init__(self, experiment: ExperimentConfig) -> None:
        super().__init__()
        training = experiment.training
        assert isinstance(training, VJepaTraining)
        self.loss_exp = training.loss.loss_exp
        self.dtype = getattr(torch, training.meta.dtype)
        self.order = {length: place for place, length in enumerate(dict.fromkeys(_length_by_source(experiment)))}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(experiment.seed)
            model = transformers_model(experiment)
        checkpointing = training.model.use_activation_checkpointing
        self.encoder = Encoder(model.encoder, checkpointing)
        self.predictor = Predictor(model.predictor, checkpointing)
        self.target_encoder = copy.deepcopy(self.encoder).requires_grad_(False)
        if training.model.compile_model:
            for part in (self.encoder, self.target_encoder, self.predictor):
                part.compile()

    def forward(self, batch: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Tensor:
        """The loss of a batch, a scalar.

        The mean over clip lengths and masks of `mean(|prediction - target| ** loss_exp) / loss_exp`.

        Args:
            batch: As a loader gives it: `video`, float `[B, C, T, H, W]`, and `masks_enc` and `masks_pred`, lists of
                int64 `[B, K]`; or a list of these, one for each clip length.
        """
        groups = [batch] if isinstance(batch, Mapping) else list(batch)
        groups.sort(key=lambda group: self.order.get(group["video"].shape[2], 0))  # as published: first source first
        losses = []
        for index, group in enumerate(groups):
            clips = group["video"]
            with self._autocast(clips):
                targets = self._targets(clips)
                grid = self.encoder.grid(clips)
                for seen, asked in zip(group["masks_enc"], group["masks_pred"], strict=True):
                    predicted = self.predictor(self.encoder(clips, seen), seen, asked, grid, index)
                    distance = (predicted - _tokens_at(targets, asked)).abs() ** self.loss_exp
                    losses.append(distance.mean() / self.loss_exp)
        return torch.stack(losses).mean()

    @torch.no_grad()
    def features(self, clips: Tensor, encoder: str = "target_encoder", mask: Tensor | None = None) -> Tensor:
        """Tokens of clips, as an encoder gives them.

        Args:
            clips: float `[B, C, T, H, W]`; any number of whole tokens along each side.
            encoder: `target_encoder`, the teacher, which published evaluations use; or `encoder`.
            mask: int64 `[B, N]`, the tokens that the encoder sees; None: all.

        Returns:
            `[B, N, D]`, tokens by time, then rows, then columns.
        """
        with self._autocast(clips):
            tokens: Tensor = self.get_submodule(encoder)(clips, mask)
        return tokens

    @torch.no_grad()
    def update_teacher(self, momentum: float) -> None:
        """Move the teacher towards the student: `momentum * teacher + (1 - momentum) * student`."""
        teacher: list[Tensor] = list(self.target_encoder.parameters())
        student: list[Tensor] = list(self.encoder.parameters())
        torch._foreach_mul_(teacher, momentum)
        torch._foreach_add_(teacher, student, alpha=1 - momentum)

    @torch.no_grad()
    def _targets(self, clips: Tensor) -> Tensor:
        tokens = self.target_encoder(clips)
        tokens = tokens.to(torch.promote_types(tokens.dtype, torch.float32))  # autocast does so on a GPU alone
        return layer_norm(tokens, tokens.shape[-1:])

    def _autocast(self, clips: Tensor) -> torch.autocast:
        mixed = self.dtype != torch.float32
        return torch.autocast(clips.device.type, self.dtype if mixed else None, enabled=mixed)


class Encoder(nn.Module):
    """An encoder of transformers' VJEPA2, which drops tokens before its first layer.

    Args:
        encoder: A `VJEPA2Encoder`; its modules are taken over, with their names.
        checkpointing: Compute a layer's activations again in the backward pass instead of keeping them.
    """

    def __init__(self, encoder: Any, checkpointing: bool) -> None:
        super().__init__()
        self.embeddings, self.layer, self.layernorm = encoder.embeddings, encoder.layer, encoder.layernorm
        self.checkpointing = checkpointing
        for layer in self.layer:
            share_table(layer)

    def forward(self, clips: Tensor, mask: Tensor | None = None) -> Tensor:
        """Tokens `[B, K, D]` of clips `[B, C, T, H, W]`; `mask`, int64 `[B, K]`, says which; None: all."""
        tokens: Tensor = self.embeddings.patch_embeddings(clips)
        if mask is not None:
            tokens = _tokens_at(tokens, mask)
        places = torch.arange(tokens.shape[1], device=tokens.device).unsqueeze(0) if mask is None else mask
        tokens = self.layernorm(_through(self.layer, tokens, places, self.grid(clips), self.checkpointing))
        return tokens

    def grid(self, clips: Tensor) -> Grid:
        """Tokens of a frame along height and width."""
        height, width = clips.shape[-2:]
        return height // self.embeddings.patch_size, width // self.embeddings.patch_size


class Predictor(nn.Module):
    """The predictor of transformers' VJEPA2, called with tokens that are masked already.

    Each mask token is a parameter by itself, as published: one that no clip of a batch used has no gradient, so that
    the optimiser leaves it and its moments alone.

    Args:
        predictor: A `VJEPA2Predictor`; its modules are taken over, with their names.
        checkpointing: As for `Encoder`.
    """

    def __init__(self, predictor: Any, checkpointing: bool) -> None:
        super().__init__()
        self.embeddings, self.layer = predictor.embeddings, predictor.layer
        self.layernorm, self.proj = predictor.layernorm, predictor.proj
        self.checkpointing = checkpointing
        mask_tokens = self.embeddings.mask_tokens.detach()
        del self.embeddings.mask_tokens
        self.embeddings.mask_tokens = nn.ParameterList(token.clone() for token in mask_tokens)
        for layer in self.layer:
            share_table(layer)

    def forward(self, context: Tensor, seen: Tensor, asked: Tensor, grid: Grid, mask_index: int) -> Tensor:
        """Predicted tokens `[B, K', D]`.

        Args:
            context: `[B, K, D]`, tokens of the student.
            seen: int64 `[B, K]`, their places.
            asked: int64 `[B, K']`, places of the tokens to predict.
            grid: Tokens of a frame along height and width.
            mask_index: Which mask token stands for them, modulo the number of mask tokens.
        """
        context = self.embeddings.predictor_embeddings(context)
        mask_token = self.embeddings.mask_tokens[mask_index % len(self.embeddings.mask_tokens)]
        tokens = torch.cat([context, mask_token.expand(*asked.shape, -1)], dim=1)
        places = torch.cat([seen, asked], dim=1)
        tokens = _through(self.layer, tokens, places, grid, self.checkpointing)
        predicted: Tensor = self.proj(self.layernorm(tokens[:, seen.shape[1] :]))
        return predicted


def transformers_model(experiment: ExperimentConfig) -> Any:
    """A `VJEPA2Model` of transformers with the sizes of an experiment, initialised as published.

    Raises:
        UserError: If transformers is not installed.
    """
    training = experiment.training
    assert isinstance(training, VJepaTraining)
    vjepa2 = import_extra("transformers.models.vjepa2", "train")
    model, size = training.model, ENCODERS[training.model.model_name]
    lengths = _length_by_source(experiment)
    config = vjepa2.VJEPA2Config(
        patch_size=experiment.mask.patch_size,
        tubelet_size=experiment.mask.tubelet_size,
        crop_size=max(height_and_width(experiment.data.img_size)),  # for its own forward, which takes squares alone
        frames_per_clip=max(lengths),
        hidden_size=size.width,
        num_hidden_layers=size.depth,
        num_attention_heads=size.heads,
        mlp_ratio=size.mlp_ratio,
        pred_hidden_size=model.pred_embed_dim,
        pred_num_hidden_layers=model.pred_depth,
        pred_num_attention_heads=model.pred_num_heads or size.heads,
        pred_num_mask_tokens=masks_per_clip(experiment) * len(lengths),
        pred_zero_init_mask_tokens=model.zero_init_mask_tokens,
        attn_implementation="sdpa",
    )
    return initialised(config)


def initialised(config: Any) -> Any:
    """A `VJEPA2Model` of a `VJEPA2Config`, with weights from torch's generator, initialised as published."""
    built = import_extra("transformers.models.vjepa2", "train").VJEPA2Model(config)
    with torch.no_grad():
        for layers in (built.encoder.layer, built.predictor.layer):
            for number, layer in enumerate(layers, start=1):
                layer.attention.proj.weight /= (2.0 * number) ** 0.5
                layer.mlp.fc2.weight /= (2.0 * number) ** 0.5
    return built


def _length_by_source(experiment: ExperimentConfig) -> list[int]:
    """Frames of a clip, source by source."""
    data = experiment.data
    return data.frames_per_clip_by_source or [data.frames_per_clip] * max(1, len(named_files(data)))


def _through(layers: Any, tokens: Tensor, places: Tensor, grid: Grid, checkpointing: bool) -> Tensor:
    """Tokens `[B, N, D]`, of which `places` `[B or 1, N]` says where they stand, after some layers."""
    kind = tokens.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else tokens.dtype
    table = rotary_table(places, grid, layers[0].attention.attention_head_size, dtype)
    for layer in layers:
        if checkpointing and torch.is_grad_enabled():
            (tokens, *_) = checkpoint(layer, tokens, table, use_reentrant=False)
        else:
            (tokens, *_) = layer(tokens, table)
    return tokens


def _tokens_at(tokens: Tensor, places: Tensor) -> Tensor:
    """Of tokens `[B, N, D]`, those at `places` `[B, K]`: `[B, K, D]`."""
    return tokens.gather(1, places.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))
