"""A small pretraining in float64: what it is given, and the published trainer on it.

`python published_training.py CHECKOUT FOLDER` runs vjepa2's `app.vjepa.train.main` and `src.utils.schedulers` of a
checkout. In FOLDER it leaves `golden.json`, of which `golden/pretraining_steps.json` is a copy, and the trainer's
checkpoints, `pretrain/latest.pt` and `cooldown/latest.pt`.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import types
import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from published_files import BLOCKS, LONG

ITERATIONS = {"pretrain": 5, "cooldown": 4}
SCHEDULES = {
    "released": {"epochs": 10, "ipe": 300, "warmup": 40, "lrs": (1e-4, 5.25e-4, 5.25e-4), "decays": (0.04, 0.04)},
    "warm": {"epochs": 3, "ipe": 7, "warmup": 0.5, "lrs": (1e-4, 1e-3, 1e-5), "decays": (0.04, 0.4), "ipe_scale": 1.25},
    "falling": {"epochs": 2, "ipe": 9, "warmup": 0, "lrs": (0.0, 1e-3, 0.0), "decays": (0.4, 0.04), "ipe_scale": 1.1},
}


def arguments(run: str, folder: Path | str) -> dict[str, Any]:
    """What the published trainer reads; `folder` holds one folder for each run."""
    pretraining = run == "pretrain"
    optimization = {
        "ema": [0.9, 1.0], "epochs": 2, "warmup": 0.5, "start_lr": 1e-4, "lr": 2e-3, "final_lr": 1e-4,
        "weight_decay": 0.04, "final_weight_decay": 0.4, "ipe_scale": 1.25,
    }  # fmt: skip
    cooldown = {"epochs": 1, "is_anneal": True, "anneal_ckpt": f"{folder}/pretrain/latest.pt", "warmup": 0}
    return {
        "app": "vjepa",
        "folder": f"{folder}/{run}",
        "data": {
            "datasets": ["a.csv", "b.csv"], "dataset_fpcs": [8, 4], "batch_size": 3, "crop_size": 32, "patch_size": 8,
            "tubelet_size": 2, "fps": 4, "num_workers": 0,
        },
        "data_aug": {},
        "mask": [BLOCKS, LONG],
        "loss": {"loss_exp": 1.0 if pretraining else 1.5},
        "meta": {"dtype": "float32", "use_sdpa": True, "load_checkpoint": not pretraining},
        "model": {
            "model_name": "vit_nano", "pred_depth": 2, "pred_embed_dim": 48, "pred_num_heads": 3, "use_rope": True,
            "use_mask_tokens": True,
        },
        "optimization": optimization | {"ipe": ITERATIONS[run]} | ({} if pretraining else cooldown),
    }  # fmt: skip


def batches(run: str) -> Iterator[list[dict[str, Any]]]:
    """Batches of an epoch with clips of both lengths, or of one; longer clips first, as `dataset_fpcs` has them."""
    draw = np.random.RandomState(len(run))
    for number in range(ITERATIONS[run]):
        longer, shorter = (2, 8), (1, 4)
        sizes = ((longer, shorter), (longer,), (shorter,))[number % 3]
        yield [_group(draw, *size) for size in sizes]


def _group(draw: np.random.RandomState, clips: int, frames: int) -> dict[str, Any]:
    tokens = frames // 2 * 4 * 4
    group: dict[str, Any] = {"video": torch.tensor(draw.uniform(-2, 2, (clips, 3, frames, 32, 32)))}
    orders = [torch.tensor(np.array([draw.permutation(tokens) for _ in range(clips)])) for _ in range(2)]
    seen, asked = (tokens // 2, 5), (tokens // 4, 9)
    group["masks_enc"] = [order[:, :count].sort().values for order, count in zip(orders, seen, strict=True)]
    group["masks_pred"] = [order[:, -count:].sort().values for order, count in zip(orders, asked, strict=True)]
    return group


def as_published(group: dict[str, Any]) -> tuple[Any, Any, Any]:
    """A group as the published loader gives it: videos, labels and frame numbers; then masks."""
    clips, _, frames = group["video"].shape[:3]
    return ([group["video"]], 0, [torch.zeros(clips, frames)]), group["masks_enc"], group["masks_pred"]


def fill(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Numbers in the place of weights, which follow from their names."""
    filled = {}
    for name, weight in weights.items():
        short = name.removeprefix("module.").removeprefix("backbone.")
        draw = np.random.RandomState(zlib.crc32(short.encode())).uniform(-0.1, 0.1, tuple(weight.shape))
        filled[name] = torch.tensor(draw) + (1.0 if "norm" in name and name.endswith("weight") else 0.0)
    return filled


def fingerprints(weights: Mapping[str, torch.Tensor]) -> dict[str, list[float]]:
    """Of each weight, the norm and the product with a vector that follows from its name."""
    other = fill({f"print.{name}": weight for name, weight in weights.items()})
    return {name: [float(w.norm()), float((w * other[f"print.{name}"]).sum())] for name, w in weights.items()}


def main(checkout: str, folder: Path) -> None:
    """Run the published trainer; libraries that it imports and does not use here may be absent."""
    sys.path.insert(0, checkout)
    unused = {"timm.models.layers": {"drop_path": None}, "einops": {"rearrange": None}, "cv2": {}}
    for name, members in unused.items():
        if importlib.util.find_spec(name.partition(".")[0]) is None:
            parts = name.split(".")
            for i in range(1, len(parts) + 1):
                sys.modules.setdefault(".".join(parts[:i]), types.ModuleType(".".join(parts[:i])))
            vars(sys.modules[name]).update(members)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/group", rank=0, world_size=1)
    import app.vjepa.train as trainer
    import src.models.vision_transformer as encoders
    from app.vjepa.utils import init_opt

    encoders.vit_nano = partial(
        encoders.VisionTransformer, embed_dim=96, depth=4, num_heads=3, mlp_ratio=4, qkv_bias=True,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
    )  # fmt: skip
    init_video_model = trainer.init_video_model

    def filled(**given: Any) -> Any:
        networks = init_video_model(**given)
        for network in networks:
            network.double().load_state_dict(fill(network.state_dict()))
        return networks

    golden: dict[str, Any] = {}
    trainer.init_video_model = filled
    for run in ITERATIONS:
        (folder / run).mkdir()
        steps: list[list[float]] = []
        loader = [[as_published(group) for group in batch] for batch in batches(run)]
        trainer.init_data = lambda loader=loader, **_: (loader, types.SimpleNamespace(set_epoch=lambda _: None))
        trainer.gpu_timer = lambda closure, steps=steps: (steps.append(list(result := closure())) or result, 0.0)
        trainer.main(arguments(run, folder))
        saved = torch.load(folder / run / "latest.pt", weights_only=False)
        golden[run] = {
            "steps": [dict(zip(("loss", "lr", "wd"), step, strict=True)) for step in steps],
            "weights": {part: fingerprints(saved[part]) for part in ("encoder", "predictor", "target_encoder")},
        }
    golden["schedules"] = {
        f"{name}{', annealed' if is_anneal else ''}": list(_rates(init_opt, is_anneal=is_anneal, **settings))
        for name, settings in SCHEDULES.items()
        for is_anneal in (False, True)
    }
    (folder / "golden.json").write_text(json.dumps(golden, indent=1))


def _rates(
    init_opt: Any, epochs: int, ipe: int, warmup: float, lrs: Any, decays: Any, is_anneal: bool, ipe_scale: float = 1.0
) -> Iterator[list[float]]:
    """Learning rate and weight decay of every 1st, 4th, 9th, 16th, ... step."""
    encoder, predictor = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    _, _, rates, decay = init_opt(
        encoder=encoder, predictor=predictor, is_anneal=is_anneal, iterations_per_epoch=ipe, num_epochs=epochs,
        warmup=warmup, start_lr=lrs[0], ref_lr=lrs[1], final_lr=lrs[2], wd=decays[0], final_wd=decays[1],
        ipe_scale=ipe_scale,
    )  # fmt: skip
    for step in range(epochs * ipe):
        now = [rates.step(), decay.step()]
        if int((step + 1) ** 0.5) ** 2 == step + 1:
            yield now


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
