"""Weights in the layouts of the published code and of transformers, and back.

The published code (vjepa2 `src/models`) has other names, one `attn.qkv` where transformers has three layers, and the
prefixes of its wrapper, `backbone.`, and of DistributedDataParallel, `module.`. In transformers' layout all mask tokens
are one tensor. What is read must hold every weight, in its shape, and no other.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.files.regular_file import regular_file
from vjepa_pipe.models.optimizer import parameter_groups
from vjepa_pipe.models.vjepa2 import Pretraining

PARTS = ("encoder", "predictor", "target_encoder")
"""The networks of a published checkpoint."""

Layout = dict[str, list[str]]
"""Names in a file, each with the names of our parameters that it joins, in order."""

_PREFIX = "module.backbone."
_PUBLISHED = {
    "embeddings.patch_embeddings": "patch_embed",
    "embeddings.predictor_embeddings": "predictor_embed",
    "embeddings.mask_tokens": "mask_tokens",
}
_PUBLISHED_ENCODER = _PUBLISHED | {"layer": "blocks", "layernorm": "norm"}
_PUBLISHED_PREDICTOR = _PUBLISHED | {
    "layer": "predictor_blocks",
    "layernorm": "predictor_norm",
    "proj": "predictor_proj",
}
_SUPERSEDED = ("pos_embed", "predictor_pos_embed")
"""Released checkpoints hold sine and cosine positions, which the published code leaves out with rotary ones."""

_MASK_TOKENS = "predictor.embeddings.mask_tokens"
_MOST_NAMED = 4


def published_weights(model: Pretraining) -> dict[str, dict[str, Tensor]]:
    """The networks as `encoder`, `predictor` and `target_encoder` of a published checkpoint."""
    weights = model.state_dict()
    return {part: _joined(_published_layout(part, weights), weights, _PREFIX) for part in PARTS}


def read_checkpoint(path: Path, setting: str) -> Any:
    """What `torch.save` wrote to a file; nothing in it is run.

    Args:
        path: The file.
        setting: What names it, for messages.

    Raises:
        UserError: If it cannot be read.
    """
    try:
        regular_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file fails in many ways
        raise UserError(f"{setting}: {path} cannot be read as a checkpoint: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """What an error says first; its name if it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def load_published(model: nn.Module, saved: Any, where: str, parts: Sequence[str] = PARTS) -> None:
    """Take networks over from a published checkpoint.

    Args:
        model: Gets the weights; its networks have these names.
        saved: The checkpoint.
        where: Its file, for messages.
        parts: The networks that are read.

    Raises:
        UserError: Naming what is missing, not known, or of another shape; the model is then as it was.
    """
    weights, layout, found = model.state_dict(), Layout(), {}
    if not isinstance(saved, Mapping):
        raise UserError(f"{where} holds no {', no '.join(parts)} (got {type(saved).__name__})")
    if absent := [part for part in parts if not isinstance(saved.get(part), Mapping)]:
        raise UserError(f"{where} holds no {', no '.join(absent)} (got {', '.join(map(str, saved))})")
    for part in parts:
        layout |= {f"{part}.{name}": ours for name, ours in _published_layout(part, weights).items()}
        for name, weight in saved[part].items():
            plain = str(name).removeprefix("module.").removeprefix("backbone.")
            if plain not in _SUPERSEDED:
                found[f"{part}.{plain}"] = weight
    model.load_state_dict(_split(layout, found, weights, where), strict=False)


def transformers_weights(model: Pretraining, encoder: str = "target_encoder") -> dict[str, Tensor]:
    """A state dict of transformers' `VJEPA2Model`.

    Args:
        model: Holds the weights.
        encoder: The encoder that goes with the predictor: `target_encoder` or `encoder`.
    """
    weights = model.state_dict()
    return _joined(_transformers_layout(weights, encoder), weights)


def load_transformers(model: Pretraining, saved: Mapping[str, Any], where: str) -> None:
    """Take the weights of a `VJEPA2Model` over; its one encoder becomes student and teacher.

    Args:
        model: Gets the weights.
        saved: A state dict of `VJEPA2Model`.
        where: Where it was read, for messages.

    Raises:
        UserError: As `load_published`.
    """
    weights = model.state_dict()
    read = _split(_transformers_layout(weights, "encoder"), saved, weights, where)
    model.load_state_dict(read, strict=False)
    model.target_encoder.load_state_dict(model.encoder.state_dict())


def published_optimizer(model: Pretraining, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The state of `make_optimizer`'s optimiser as `opt` of a published checkpoint."""
    kept = optimizer.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    groups: list[dict[str, Any]] = []
    for layout, group in zip(_group_layouts(model), kept["param_groups"], strict=True):
        numbers = dict(zip((name for ours in layout.values() for name in ours), group["params"], strict=True))
        first = sum(len(one["params"]) for one in groups)
        groups.append({**group, "params": list(range(first, first + len(layout)))})
        for number, ours in enumerate(layout.values(), start=first):
            entries = [kept["state"][numbers[name]] for name in ours if numbers[name] in kept["state"]]
            if entries:  # a mask token that no clip has used yet has no state
                state[number] = {
                    key: torch.cat([entry[key] for entry in entries]) if value.ndim else value
                    for key, value in entries[0].items()
                }
    return {"state": state, "param_groups": groups}


def load_published_optimizer(
    model: Pretraining, optimizer: torch.optim.Optimizer, saved: Mapping[str, Any], where: str
) -> None:
    """Take moments, and as in the published code `betas` and `eps`, over from `opt` of a published checkpoint.

    As with `load_state_dict` of torch, moments are not copied: `saved` changes with the next step.

    Args:
        model: Holds the parameters.
        optimizer: An optimiser of `make_optimizer`.
        saved: `opt` of the checkpoint.
        where: Its file, for messages.

    Raises:
        UserError: If it is the state of another optimiser or model; the optimiser is then as it was.
    """
    layouts, weights = list(_group_layouts(model)), model.state_dict()
    state: dict[int, dict[str, Any]] = {}
    groups: list[dict[str, Any]] = []
    if [len(layout) for layout in layouts] != [len(group["params"]) for group in saved["param_groups"]]:
        raise UserError(f"{where}: opt is the state of other parameters than this experiment's")
    for layout, group in zip(layouts, saved["param_groups"], strict=True):
        first = number = sum(len(one["params"]) for one in groups)
        for (name, ours), index in zip(layout.items(), group["params"], strict=True):
            entry = dict(saved["state"].get(index, {}))
            step = entry.pop("step", None)
            moments = {
                key: _split({name: ours}, {name: value}, weights, f"{where}: opt, {key}")
                for key, value in entry.items()
            }
            for one in ours:
                if step is not None:
                    state[number] = {"step": copy.deepcopy(step), **{key: read[one] for key, read in moments.items()}}
                number += 1
        groups.append({**group, "params": list(range(first, number))})
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _published_layout(part: str, names: Iterable[str]) -> Layout:
    """The names of a network in published files, without prefix, and ours with the network's."""
    layout = Layout()
    for name in names:
        if name.startswith(f"{part}."):
            layout.setdefault(_published_name(part, name), []).append(name)
    return layout


def _published_name(part: str, name: str) -> str:
    name = name.removeprefix(f"{part}.")
    for ours, theirs in (_PUBLISHED_PREDICTOR if part == "predictor" else _PUBLISHED_ENCODER).items():
        if name.startswith(f"{ours}."):
            name = theirs + name.removeprefix(ours)
            break
    return re.sub(r"\.(query|key|value)\.", ".qkv.", name.replace(".attention.", ".attn."))


def _transformers_layout(names: Iterable[str], encoder: str) -> Layout:
    layout = Layout()
    for name in names:
        if name.startswith(_MASK_TOKENS):
            layout.setdefault(_MASK_TOKENS, []).append(name)
        elif name.startswith((f"{encoder}.", "predictor.")):
            layout[name.replace(f"{encoder}.", "encoder.", 1)] = [name]
    return layout


def _group_layouts(model: Pretraining) -> Iterable[Layout]:
    for part, group in zip(("encoder", "predictor") * 2, parameter_groups(model), strict=True):
        yield _published_layout(part, group)


def _joined(layout: Layout, weights: Mapping[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    joined = {}
    for name, ours in layout.items():
        pieces = [weights[one] for one in ours]
        join = torch.stack if name == _MASK_TOKENS else torch.cat
        joined[prefix + name] = join(pieces) if len(ours) > 1 or name == _MASK_TOKENS else pieces[0]
    return joined


def _split(layout: Layout, found: Mapping[str, Any], weights: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """Tensors of a file by the names of our parameters.

    Raises:
        UserError: Naming what is missing, not known, or of another shape.
    """
    read: dict[str, Tensor] = {}
    misshapen = []
    for name, ours in layout.items():
        if name in found:
            pieces = _pieces(name, found[name], ours)
            if [piece.shape for piece in pieces] == [weights[one].shape for one in ours]:
                read |= zip(ours, pieces, strict=True)
            else:
                misshapen.append(f"{name} {list(getattr(found[name], 'shape', ()))}")
    faults = {
        "missing": [name for name in layout if name not in found],
        "not known": [name for name in found if name not in layout],
        "of another shape": misshapen,
    }
    if text := "; ".join(f"{what}: {some(names)}" for what, names in faults.items() if names):
        raise UserError(f"{where} does not fit this experiment's model: {text}")
    return read


def _pieces(name: str, weight: Any, ours: Sequence[str]) -> Sequence[Tensor]:
    if not isinstance(weight, Tensor) or not weight.ndim:
        return ()
    if name == _MASK_TOKENS:
        return weight.unbind()
    return weight.chunk(len(ours))


def some(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(map(str, names[:_MOST_NAMED])) + more
