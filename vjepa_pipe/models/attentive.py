"""Attentive probes: classifiers that read all tokens of a frozen encoder (vjepa2 `src/models/attentive_pooler.py`)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint

_DEVIATION = 0.02


class AttentiveProbe(nn.Module):
    """Layers of self-attention, then one query that attends to all tokens, then a linear classifier.

    Weights are drawn from torch's global generator, as published: a truncated normal distribution of deviation 0.02,
    biases 0, the last projections of layer i divided by sqrt(2i); the classifier as `nn.Linear` has it.

    Args:
        width: D of the tokens.
        heads: Attention heads of each layer; a divisor of `width`.
        blocks: Layers, the one of the query included.
        classes: Classes.
    """

    def __init__(self, width: int, heads: int, blocks: int, classes: int) -> None:
        super().__init__()
        layers = [_SelfAttention(width, heads) for _ in range(blocks - 1)]
        self.blocks = nn.ModuleList(layers)
        self.pool = _Attention(width, heads)
        self.query = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, 1, width), std=_DEVIATION))
        self.apply(_initialise)
        with torch.no_grad():
            for number, layer in enumerate(layers, start=1):
                layer.project.weight /= (2 * number) ** 0.5
                layer.attention.last.weight /= (2 * number) ** 0.5
            self.pool.last.weight /= (2 * max(1, blocks - 1)) ** 0.5  # as published: not counted as a layer
        self.classify = nn.Linear(width, classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits `[B, classes]` of tokens `[B, N, D]`."""
        for block in self.blocks:
            tokens = checkpoint(block, tokens, use_reentrant=False) if torch.is_grad_enabled() else block(tokens)
        query = self.query.expand(len(tokens), -1, -1)
        query = query + self.pool(query, self.pool.norm1(tokens))
        logits: Tensor = self.classify(self.pool.refined(query)[:, 0])
        return logits


class Probes(nn.Module):
    """Attentive probes of several encoders, several of each, that are trained side by side.

    Args:
        widths: D of each encoder's tokens.
        each: Probes of each encoder.
        heads: See `AttentiveProbe`.
        blocks: See `AttentiveProbe`.
        classes: Classes.
    """

    def __init__(self, widths: Sequence[int], each: int, heads: int, blocks: int, classes: int) -> None:
        super().__init__()
        self.each = each
        self.probes = nn.ModuleList(
            AttentiveProbe(width, heads, blocks, classes) for width in widths for _ in range(each)
        )

    def forward(self, tokens: Sequence[Tensor]) -> Tensor:
        """Logits `[encoders, each, B, classes]` of each encoder's tokens `[B, N, D]`."""
        logits = [probe(tokens[place // self.each]) for place, probe in enumerate(self.probes)]
        return torch.stack(logits).reshape(len(tokens), self.each, *logits[0].shape)


class _Attention(nn.Module):
    """Multi-head attention without a projection after it, and the MLP that follows."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key_value = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.first, self.last = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, queries: Tensor, tokens: Tensor) -> Tensor:
        keys, values = self.key_value(tokens).chunk(2, dim=-1)
        split = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.query(queries), keys, values))
        return scaled_dot_product_attention(*split).transpose(1, 2).flatten(2)

    def refined(self, tokens: Tensor) -> Tensor:
        """Tokens after the MLP."""
        added: Tensor = self.last(gelu(self.first(self.norm2(tokens))))
        return tokens + added


class _SelfAttention(nn.Module):
    """A layer of a vision transformer, without position embedding."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention, self.project = _Attention(width, heads), nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        seen = self.attention.norm1(tokens)
        return self.attention.refined(tokens + self.project(self.attention(seen, seen)))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=_DEVIATION)
        nn.init.zeros_(module.bias)
