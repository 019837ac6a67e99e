"""Against the published code itself, where a checkout is at hand.

VJEPA2_CHECKOUT (for some tests one with `app/vjepa_2_1`) and JEPA_CHECKOUT name folders with the published
repositories; nothing of them is part of this one.
"""

from __future__ import annotations

import importlib.util
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from epic_kitchens import write_epic_kitchens
from PIL import Image
from published_files import BLOCKS, LONG
from released_recipes import RECIPES, RECIPES_2_1, V1_RECIPES, meaning

from vjepa_pipe import MaskCollator, compose
from vjepa_pipe.legacy.export import export_text
from vjepa_pipe.synthetic import write_synthetic_droid

CHECKOUTS = {name: os.environ.get(name) for name in ("VJEPA2_CHECKOUT", "JEPA_CHECKOUT")}
FILES = [
    (name, file)
    for name, folder in CHECKOUTS.items()
    if folder
    for file in sorted(Path(folder, "configs").rglob("*.yaml"))
]
needs_vjepa2 = pytest.mark.skipif(not CHECKOUTS["VJEPA2_CHECKOUT"], reason="VJEPA2_CHECKOUT is not set")
V_JEPA_2_1 = Path(CHECKOUTS["VJEPA2_CHECKOUT"] or "", "app", "vjepa_2_1", "train.py")
needs_vjepa2_1 = pytest.mark.skipif(
    not (CHECKOUTS["VJEPA2_CHECKOUT"] and V_JEPA_2_1.is_file()), reason="VJEPA2_CHECKOUT does not name V-JEPA 2.1"
)
needs_jepa = pytest.mark.skipif(not CHECKOUTS["JEPA_CHECKOUT"], reason="JEPA_CHECKOUT is not set")

# What batches are made of, for the scripts below.
SHAPE = """
def shape(node):
    if isinstance(node, torch.Tensor):
        return f"{node.dtype} {node.ndim}"
    return [type(node).__name__, *map(shape, node)]
"""

# The trainer with its own loader, or with one import changed. Two libraries that it imports and, with these
# settings, does not use are stood in for where they are not installed.
RUN = (
    SHAPE
    + """
import importlib.util, sys, types, yaml
checkout, arguments, loader = sys.argv[1:]
sys.path.insert(0, checkout)
def stand_in(name, **members):
    if importlib.util.find_spec(name.partition(".")[0]) is None:
        parts = name.split(".")
        for i in range(1, len(parts) + 1):
            sys.modules.setdefault(".".join(parts[:i]), types.ModuleType(".".join(parts[:i])))
        vars(sys.modules[name]).update(members)
stand_in("timm.models.layers", drop_path=None)
stand_in("einops", rearrange=None)
import torch
torch.distributed.init_process_group("gloo", init_method=f"file://{arguments}.group", rank=0, world_size=1)
import app.vjepa.train as trainer
if loader != "theirs":
    import vjepa_pipe.legacy as legacy
    trainer.init_data = legacy.init_data
if loader == "all ours":
    trainer.MaskCollator, trainer.make_transforms = legacy.MaskCollator, legacy.make_transforms
init_data = trainer.init_data
def recorded(**given):
    loader, sampler = init_data(**given)
    print("STRUCTURE", sorted(map(str, map(shape, next(iter(loader)))))[:1])
    return loader, sampler
trainer.init_data = recorded
trainer.main(yaml.safe_load(open(arguments)))
print("DONE")
"""
)


@pytest.mark.parametrize(("name", "file"), FILES, ids=lambda value: str(value)[-40:])
def test_every_published_file_loads_and_comes_out_again(name: str, file: Path, tmp_path: Path) -> None:
    first = compose([f"legacy={file}"])
    again = tmp_path / file.name
    again.write_text(export_text(first, "jepa" if name == "JEPA_CHECKOUT" else "vjepa2"))
    assert compose([f"legacy={again}"]) == first


@needs_vjepa2
@pytest.mark.parametrize(("name", "file"), (RECIPES | RECIPES_2_1).items())
def test_recipes_mean_what_the_published_files_mean(name: str, file: str) -> None:
    path = Path(str(CHECKOUTS["VJEPA2_CHECKOUT"]), file)
    if name in RECIPES_2_1 and not path.exists():
        pytest.skip("a checkout without V-JEPA 2.1")
    published = compose([f"legacy={path}"])
    assert meaning(compose([f"experiment={name}"])) == meaning(published)


@needs_jepa
@pytest.mark.parametrize(("name", "file"), V1_RECIPES.items())
def test_v1_recipes_mean_what_the_published_files_mean(name: str, file: str) -> None:
    published = compose([f"legacy={CHECKOUTS['JEPA_CHECKOUT']}/{file}"])
    assert meaning(compose([f"experiment={name}"])) == meaning(published)


@needs_vjepa2
def test_the_published_trainer_trains_on_our_loader(videos_csv: Path, tmp_path: Path) -> None:
    rows = [line.split() for line in videos_csv.read_text().splitlines()]
    absolute = tmp_path / "rows.csv"
    absolute.write_text("".join(f"{videos_csv.parent / path} {label}\n" for path, label in rows))
    (tmp_path / "run.py").write_text(RUN)
    structures = set()
    for loader in ("theirs", "one import", "all ours"):
        arguments = tmp_path / f"{loader}.yaml"
        (tmp_path / loader).mkdir()
        arguments.write_text(yaml.safe_dump(tiny_arguments(str(absolute), str(tmp_path / loader))))
        result = subprocess.run(
            [sys.executable, str(tmp_path / "run.py"), str(CHECKOUTS["VJEPA2_CHECKOUT"]), str(arguments), loader],
            capture_output=True, text=True, timeout=300, cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, sys.path)), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert result.returncode == 0 and "DONE" in result.stdout, result.stderr[-3000:]
        structures.add(next(line for line in result.stdout.splitlines() if line.startswith("STRUCTURE")))
        log = (tmp_path / loader / "log_r0.csv").read_text().splitlines()
        assert len(log) == 1 + 12, "a header, then two epochs of six iterations"
    assert len(structures) == 1


# V-JEPA 2.1's trainer on one rank of two: the first has images. It knows its models by name, and a smaller one
# goes by the name of the largest here; with one level, any width will do.
RUN_2_1 = (
    SHAPE
    + """
import importlib.machinery, importlib.util, sys, types, yaml
checkout, arguments, loader, rank = sys.argv[1:]
sys.path.insert(0, checkout)
def stand_in(name, **members):
    if importlib.util.find_spec(name.partition(".")[0]) is None:
        parts = name.split(".")
        for i in range(1, len(parts) + 1):
            sys.modules.setdefault(".".join(parts[:i]), types.ModuleType(".".join(parts[:i])))
        vars(sys.modules[name]).update(members)
stand_in("timm.models.layers", drop_path=None)
stand_in("einops", rearrange=None)
stand_in("cv2")
import numpy as np, torch
if importlib.util.find_spec("pandas") is None:
    class Rows:
        def __init__(self, file, **_):
            self.values = np.array([[path, int(label)] for path, label in map(str.split, open(file))], object)
        def __len__(self):
            return len(self.values)
    pandas = sys.modules["pandas"] = types.ModuleType("pandas")
    pandas.__spec__ = importlib.machinery.ModuleSpec("pandas", None)
    pandas.read_csv, pandas.errors = Rows, types.SimpleNamespace(ParserError=ValueError)
torch.distributed.init_process_group("gloo", init_method=f"file://{arguments}.group", rank=int(rank), world_size=2)
import app.vjepa_2_1.train as trainer
import app.vjepa_2_1.models.vision_transformer as models
models.vit_large = models.vit_tiny
import vjepa_pipe.legacy as legacy
if loader != "theirs":
    trainer.init_data = legacy.init_data
if loader == "all ours":
    trainer.MaskCollator, trainer.make_transforms = legacy.MaskCollator, legacy.make_transforms
init_data = trainer.init_data
def recorded(**given):
    loader, sampler = init_data(**given)
    batch = next(iter(loader))
    print("STRUCTURE", shape(batch), list(batch[0][0][0][0].shape), len(loader))
    return loader, sampler
trainer.init_data = recorded
trainer.main(yaml.safe_load(open(arguments)))
print("DONE")
"""
)


@needs_vjepa2_1
def test_the_trainer_of_v_jepa_2_1_trains_on_our_images_and_videos(videos_csv: Path, tmp_path: Path) -> None:
    rows = [line.split() for line in videos_csv.read_text().splitlines()]
    (tmp_path / "videos.csv").write_text("".join(f"{videos_csv.parent / path} {label}\n" for path, label in rows))
    images = [tmp_path / f"{i}.{'jpg' if i % 2 else 'png'}" for i in range(6)]
    for i, file in enumerate(images):
        Image.fromarray(np.full((80, 70 + i, 3), 40 * i, np.uint8)).save(file)
    (tmp_path / "images.csv").write_text("".join(f"{file} 0\n" for file in images))
    (tmp_path / "run.py").write_text(RUN_2_1)
    structures = set()
    for loader in ("theirs", "one import", "all ours"):
        folder, arguments = tmp_path / loader, tmp_path / f"{loader}.yaml"
        folder.mkdir()
        arguments.write_text(yaml.safe_dump(tiny_2_1_arguments(tmp_path, str(folder))))
        ranks = [
            subprocess.Popen(
                [sys.executable, "run.py", str(CHECKOUTS["VJEPA2_CHECKOUT"]), str(arguments), loader, str(rank)],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, sys.path)), "OMP_NUM_THREADS": "1"},
            )
            for rank in (0, 1)
        ]  # fmt: skip
        try:
            said = [process.communicate(timeout=300) for process in ranks]
        finally:
            for process in ranks:
                process.kill()
        assert all("DONE" in out for out, _ in said), [errors[-3000:] for _, errors in said]
        lines = [line for out, _ in said for line in out.splitlines() if line.startswith("STRUCTURE")]
        structures.add(tuple(line.replace("torch.int32", "torch.int64") for line in lines))  # frame numbers of images
        for rank in (0, 1):
            log = (folder / f"log_r{rank}.csv").read_text().splitlines()
            assert len(log) == 1 + 8, "a header, then two epochs of four iterations, more than there are batches"
    assert len(structures) == 1
    assert "[2, 3, 1, 64, 64]" in str(structures) and "[4, 3, 4, 64, 64]" in str(structures), structures


def tiny_2_1_arguments(lists: Path, folder: str) -> dict[str, Any]:
    given = tiny_arguments(str(lists / "videos.csv"), folder)
    images = {"dataset_type": "VideoDataset", "datasets": [str(lists / "images.csv")], "dataset_fpcs": [1]}
    return given | {
        "app": "vjepa_2_1",
        "data": given["data"]
        | {
            "dataset_type": "VideoDataset", "datasets": [str(lists / "videos.csv")], "datasets_weights": [1.0],
            "dataset_fpcs": [4], "batch_size": 2,
        },
        "img_data": images | {"datasets_weights": [1.0], "batch_size": 2, "crop_size": 64, "rank_ratio": 0.5},
        "img_mask": [BLOCKS | {"num_blocks": 2}],
        "loss": {"loss_exp": 1.0, "predict_all": True, "weight_distance_loss": True, "shift_by_n": 0},
        "model": given["model"]
        | {
            "model_name": "vit_large", "img_temporal_dim_size": 1, "modality_embedding": True, "levels_predictor": 1,
            "interpolate_rope": True, "lambda_value_img": 0.5, "lambda_value_vid": 0.5, "pred_num_heads": 3,
            "pred_depth": 4,
        },
        "optimization": given["optimization"] | {"ipe": 4},
    }  # fmt: skip


# Both loaders' batches of the same trajectories; the published one is made to start its clips where ours start.
COMPARE = """
import importlib.util, sys, types
import numpy as np, torch
checkout, listed = sys.argv[1:]
sys.path.insert(0, checkout)
if importlib.util.find_spec("pandas") is None:
    lines = open(listed).read().splitlines()
    read_csv = lambda *_, **__: types.SimpleNamespace(values=np.array([[line] for line in lines], object))
    sys.modules["pandas"] = types.SimpleNamespace(read_csv=read_csv)
import app.vjepa_droid.droid as droid
from vjepa_pipe.legacy import init_droid_data
for camera_frame, skip in ((False, 1), (True, 2)):
    given = dict(data_path=listed, batch_size=1, frames_per_clip=8, fps=4, camera_views=["right_mp4_path"],
                 num_workers=0, pin_mem=False, camera_frame=camera_frame, tubelet_size=skip)
    loader, _ = init_droid_data(**given)
    theirs, _ = droid.init_data(**given)
    for place, ours in enumerate(loader):
        np.random.randint = lambda low, high: int(ours[4][0, 0]) + low
        batch = torch.utils.data.default_collate([theirs.dataset[loader.schedule.order.at(place).row]])
        assert type(batch) is type(ours) and len(batch) == len(ours)
        for a, b in zip(ours, batch):
            assert a.shape == b.shape and a.dtype == b.dtype, (a.shape, b.shape, a.dtype, b.dtype)
        assert (ours[0].int() - batch[0].int()).abs().max() <= 1  # two decoders
        assert all(torch.allclose(a, b, rtol=0, atol=1e-12) for a, b in zip(ours[1:4], batch[1:4]))
        assert torch.equal(ours[4], batch[4])
print("DONE", place + 1)
"""


@needs_vjepa2
def test_robot_batches_are_those_of_the_published_loader(cache: Path, tmp_path: Path) -> None:
    folders = sorted((write_synthetic_droid(cache, 4) / "success").iterdir())
    (tmp_path / "list.csv").write_text("".join(f"{folder}\n" for folder in folders))
    (tmp_path / "compare.py").write_text(COMPARE)
    result = subprocess.run(
        [sys.executable, "compare.py", str(CHECKOUTS["VJEPA2_CHECKOUT"]), "list.csv"],
        capture_output=True, text=True, timeout=300, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, sys.path))},
    )  # fmt: skip
    assert "DONE 4" in result.stdout, result.stderr[-3000:]


# Both pipelines' clips of the same actions; the published one is made to draw the times and points that ours has drawn.
COMPARE_ACTIONS = """
import importlib.util, sys, types
import torch
checkout, root = sys.argv[1:]
sys.path.insert(0, checkout)
if importlib.util.find_spec("webdataset") is None:
    sys.modules["webdataset"] = types.SimpleNamespace(PipelineStage=object)
import evals.action_anticipation_frozen.epickitchens as epic
from vjepa_pipe import DataManager, compose
manager = DataManager(compose([
    "data=epic_kitchens", f"data.data_paths=[{root}/train.csv]", f"data.eval_data_paths=[{root}/val.csv]", "mask=none",
    "data.frames_per_clip=4", "data.target_fps=7", "data.img_size=32", "data.num_workers=0", "data_aug=none",
    "data.convention=reference", "data.anticipation_time_sec=[0.25,1.75]", "data.anticipation_point=[0,0.25]",
]))
found = epic.filter_annotations(root, f"{root}/train.csv", f"{root}/val.csv", file_format=0)
asked, drawn, compared = [], [], 0
class Reader(epic.VideoReader):
    def get_batch(self, indices):
        asked.append(indices.tolist())
        return super().get_batch(indices)
epic.VideoReader = Reader
epic.random = types.SimpleNamespace(uniform=lambda low, high: drawn.pop(0))
for ours, (paths, annotations) in (
    (manager.build_train_dataset(), found["train"]), (manager.build_eval_dataset(), found["val"])
):
    verbs, nouns = list(found["verbs"]), list(found["nouns"])
    assert [list(part) for part in vars(ours.classes).values()] == [verbs, nouns, list(found["actions"])]
    rows, decoder = ours.sources[0], epic.decode_videos_to_clips(annotations, frames_per_clip=4, fps=7)
    assert sum(map(len, annotations.values())) == len(rows)
    for path in paths:
        here = sorted((row for row in range(len(rows)) if rows.path(row) == path), key=rows.numbers)
        samples = [ours[row] for row in here]
        drawn += [sample[f"anticipation_{name}"].item() for sample in samples for name in ("time", "point")]
        for sample, row, theirs in zip(samples, here, decoder.run([path]), strict=True):
            assert sample["clip_indices"].tolist() == asked.pop(0)
            assert (verbs[sample["verb"]], nouns[sample["noun"]]) == (theirs["verb"], theirs["noun"])
            frames = ours.read(ours.key_of(row)).frames
            difference = torch.from_numpy(frames).int() - torch.from_numpy(theirs["video"]).int()
            assert difference.abs().max() <= 1  # two decoders
            compared += 1
print("DONE", compared)
"""


@needs_vjepa2
@pytest.mark.skipif(not importlib.util.find_spec("pandas"), reason="the published code needs pandas")
def test_clips_before_actions_are_those_of_the_published_pipeline(tmp_path: Path) -> None:
    root = write_epic_kitchens(tmp_path)
    (tmp_path / "compare.py").write_text(COMPARE_ACTIONS)
    result = subprocess.run(
        [sys.executable, "compare.py", str(CHECKOUTS["VJEPA2_CHECKOUT"]), str(root)],
        capture_output=True, text=True, timeout=300, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, sys.path))},
    )  # fmt: skip
    assert "DONE 8" in result.stdout, result.stderr[-3000:]


def tiny_arguments(csv: str, folder: str) -> dict[str, Any]:
    return {
        "app": "vjepa",
        "folder": folder,
        "data": {
            "datasets": [csv, csv], "datasets_weights": [0.5, 0.5], "dataset_fpcs": [8, 8], "batch_size": 4,
            "crop_size": 64, "patch_size": 16, "tubelet_size": 2, "fps": 4, "num_workers": 0,
            "persistent_workers": False,
        },
        "data_aug": {},
        "mask": [BLOCKS, LONG],
        "loss": {"loss_exp": 1.0},
        "meta": {"dtype": "float32", "seed": 1},
        "model": {
            "model_name": "vit_tiny", "pred_depth": 1, "pred_embed_dim": 48, "pred_num_heads": 3,
            "use_rope": True, "use_mask_tokens": True,
        },
        "optimization": {
            "ema": [0.99, 1.0], "epochs": 2, "ipe": 6, "warmup": 1, "start_lr": 1e-4, "lr": 1e-3, "final_lr": 1e-4,
            "weight_decay": 0.04, "final_weight_decay": 0.04,
        },
    }  # fmt: skip


# V-JEPA 1's trainer, with its own loader or with its imports changed.
RUN_V1 = (
    SHAPE
    + """
import importlib.util, sys, types, yaml
checkout, arguments, loader = sys.argv[1:]
sys.path.insert(0, checkout)
def stand_in(name, **members):
    if importlib.util.find_spec(name.partition(".")[0]) is None:
        parts = name.split(".")
        for i in range(1, len(parts) + 1):
            sys.modules.setdefault(".".join(parts[:i]), types.ModuleType(".".join(parts[:i])))
        vars(sys.modules[name]).update(members)
stand_in("cv2")
import torch
torch.distributed.init_process_group("gloo", init_method=f"file://{arguments}.group", rank=0, world_size=1)
import app.vjepa.train as trainer
if loader == "ours":
    import vjepa_pipe.legacy.v1 as v1
    trainer.init_data, trainer.make_transforms = v1.init_data, v1.make_transforms
    trainer.MB3DMaskCollator, trainer.TubeMaskCollator = v1.MultiBlockMaskCollator, v1.TubeMaskCollator
init_data = trainer.init_data
def recorded(**given):
    loader, sampler = init_data(**given)
    print("STRUCTURE", shape(next(iter(loader))))
    return loader, sampler
trainer.init_data = recorded
trainer.main(yaml.safe_load(open(arguments)))
print("DONE")
"""
)


@needs_jepa
@pytest.mark.parametrize("masks", ["multiblock3d", "random_tube"])
def test_v1s_trainer_trains_on_our_loader(videos_csv: Path, tmp_path: Path, masks: str) -> None:
    rows = [line.split() for line in videos_csv.read_text().splitlines()]
    absolute = tmp_path / "rows.csv"
    absolute.write_text("".join(f"{videos_csv.parent / path} {label}\n" for path, label in rows))
    (tmp_path / "run.py").write_text(RUN_V1)
    can_read_itself = all(importlib.util.find_spec(name) for name in ("pandas", "decord"))
    structures = set()
    for loader in ("theirs", "ours") if can_read_itself else ("ours",):
        arguments = tmp_path / f"{loader}.yaml"
        (tmp_path / loader).mkdir()
        arguments.write_text(yaml.safe_dump(tiny_v1_arguments(str(absolute), str(tmp_path / loader), masks)))
        result = subprocess.run(
            [sys.executable, str(tmp_path / "run.py"), str(CHECKOUTS["JEPA_CHECKOUT"]), str(arguments), loader],
            capture_output=True, text=True, timeout=300, cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, sys.path)), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert result.returncode == 0 and "DONE" in result.stdout, result.stderr[-3000:]
        structures.add(next(line for line in result.stdout.splitlines() if line.startswith("STRUCTURE")))
        log = (tmp_path / loader / "tiny_r0.csv").read_text().splitlines()
        assert len(log) == 1 + 6, "a header, then two epochs of three iterations"
    assert len(structures) == 1


def tiny_v1_arguments(csv: str, folder: str, masks: str) -> dict[str, Any]:
    return {
        "app": "vjepa",
        "data": {
            "dataset_type": "VideoDataset", "datasets": [csv], "batch_size": 4, "num_clips": 1, "num_frames": 4,
            "tubelet_size": 2, "sampling_rate": 2, "crop_size": 64, "patch_size": 16, "num_workers": 0,
            "mask_type": masks, "pin_mem": False,
        },
        "data_aug": {},
        "mask": [BLOCKS, LONG] if masks == "multiblock3d" else [{"ratio": 0.75}],
        "loss": {"loss_exp": 1.0, "reg_coeff": 0.0},
        "meta": {"dtype": "float32", "seed": 1},
        "model": {"model_name": "vit_tiny", "pred_depth": 1, "pred_embed_dim": 48},
        "optimization": {
            "ema": [0.99, 1.0], "epochs": 2, "ipe": 3, "warmup": 1, "start_lr": 1e-4, "lr": 1e-3, "final_lr": 1e-4,
            "weight_decay": 0.04, "final_weight_decay": 0.04,
        },
        "logging": {"folder": folder, "write_tag": "tiny"},
    }  # fmt: skip


@needs_vjepa2_1
@pytest.mark.parametrize(("img_size", "offset"), [(256, False), (512, True)])
def test_context_distances_are_those_of_the_published_loss(img_size: int, offset: bool) -> None:
    published = runpy.run_path(str(V_JEPA_2_1.parent / "models" / "utils" / "masks_dist.py"))["compute_mask_distance"]
    config = compose(["data=synthetic", "mask=multiblock3d", "mask.context_distance=true"]).mask
    batch = MaskCollator(config, 4)([{"video": torch.zeros(3, 4, img_size, img_size)}] * 2)
    side = img_size // config.patch_size
    (found,) = published([batch["masks_pred"]], [batch["masks_enc"]], side, offset)
    for ours, theirs in zip(batch["context_distance"], found, strict=True):
        scaled = ours / (side // 16) if offset else ours
        # torch's square roots may be off by one in the last place.
        torch.testing.assert_close(scaled.sqrt(), theirs, rtol=2.5e-7, atol=0)
