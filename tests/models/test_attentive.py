"""The attentive probe is that of transformers, and so that of the published code."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from vjepa_pipe.models.attentive import AttentiveProbe, Probes


def named_weights(probe: AttentiveProbe) -> Iterator[tuple[str, Tensor]]:
    """A probe's weights by the names of transformers' pooler."""
    own = dict(probe.named_parameters())
    yield "query_tokens", own["query"]
    for ours, theirs, kind in [
        *((f"blocks.{i}.attention", f"self_attention_layers.{i}", "self_attn") for i in range(len(probe.blocks))),
        ("pool", "cross_attention_layer", "cross_attn"),
    ]:
        for part in ("weight", "bias"):
            yield f"{theirs}.layer_norm1.{part}", own[f"{ours}.norm1.{part}"]
            yield f"{theirs}.layer_norm2.{part}", own[f"{ours}.norm2.{part}"]
            yield f"{theirs}.{kind}.q_proj.{part}", own[f"{ours}.query.{part}"]
            key, value = own[f"{ours}.key_value.{part}"].chunk(2)
            yield f"{theirs}.{kind}.k_proj.{part}", key
            yield f"{theirs}.{kind}.v_proj.{part}", value
            yield f"{theirs}.mlp.fc1.{part}", own[f"{ours}.first.{part}"]
            yield f"{theirs}.mlp.fc2.{part}", own[f"{ours}.last.{part}"]
            if kind == "self_attn":
                yield f"{theirs}.self_attn.out_proj.{part}", own[f"blocks.{ours[7]}.project.{part}"]


@pytest.mark.parametrize("blocks", [1, 3])
def test_it_is_the_pooler_of_transformers(blocks: int) -> None:
    vjepa2 = pytest.importorskip("transformers.models.vjepa2.modeling_vjepa2")
    torch.manual_seed(0)
    probe = AttentiveProbe(width=24, heads=4, blocks=blocks, classes=5)
    with torch.no_grad():
        for weight in probe.parameters():
            weight.normal_()
    config = vjepa2.VJEPA2Config(
        hidden_size=24, num_attention_heads=4, num_pooler_layers=blocks - 1, layer_norm_eps=1e-5,
        attn_implementation="sdpa",
    )  # fmt: skip
    pooler = vjepa2.VJEPA2AttentivePooler(config)
    pooler.load_state_dict(dict(named_weights(probe)))
    tokens = torch.randn(3, 7, 24)
    torch.testing.assert_close(probe(tokens), probe.classify(pooler(tokens)))


def test_weights_are_drawn_as_published() -> None:
    torch.manual_seed(0)
    probe = AttentiveProbe(width=96, heads=4, blocks=3, classes=5)
    spread = {name: float(weight.detach().std()) for name, weight in probe.named_parameters() if weight.ndim > 1}
    expected = {
        "pool.query.weight": 0.02, "pool.first.weight": 0.02, "pool.last.weight": 0.01,  # 0.02 / sqrt(2 * 2)
        "blocks.0.project.weight": 0.02 / 2**0.5, "blocks.1.project.weight": 0.01,
        "blocks.1.attention.last.weight": 0.01,
    }  # fmt: skip
    assert {name: spread[name] for name in expected} == pytest.approx(expected, rel=0.05)
    linear = {name: module for name, module in probe.named_modules() if isinstance(module, nn.Linear)}
    assert [name for name, module in linear.items() if module.bias.any()] == ["classify"]


def test_probes_are_trained_side_by_side_as_by_themselves() -> None:
    torch.manual_seed(0)
    probes = Probes([8, 4], each=2, heads=2, blocks=1, classes=3)
    tokens = [torch.randn(5, 6, 8), torch.randn(5, 6, 4)]
    logits = probes(tokens)
    assert logits.shape == (2, 2, 5, 3)
    for encoder in range(2):
        for place in range(2):
            torch.testing.assert_close(logits[encoder, place], probes.probes[2 * encoder + place](tokens[encoder]))
