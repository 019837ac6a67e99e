"""What README and these pages of docs/ say works: every command of them runs."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from lerobot_files import write_lerobot
from PIL import Image
from program import launch
from published_files import write_file

from vjepa_pipe import compose
from vjepa_pipe.composition.options import group_options
from vjepa_pipe.config.folders import conf_dir
from vjepa_pipe.models.vjepa2 import Pretraining, transformers_model
from vjepa_pipe.models.weights import published_weights
from vjepa_pipe.synthetic import write_synthetic_droid

ROOT = conf_dir().parent
README = (ROOT / "README.md").read_text()
NAMES = ("experiments", "folders", "images", "img_size", "prepare", "train")
PAGES = [(ROOT / "docs" / f"{name}.md").read_text() for name in NAMES]
LINES = [
    line
    for line in "".join([README, *PAGES]).splitlines()
    if re.match(r" {4}(python launch\.py|vjepa-pipe) ", line + " ")
    and not line.endswith("\\")  # those are for clusters
]
COMMANDS = list(
    dict.fromkeys(
        line.split("  # ")[0].strip()
        for line in LINES
        if "check --all" not in line  # its own test is slow enough
    )
)
SMALL = [
    "task.max_batches=1",
    "task.preview_clips=1",
    "data.batch_size=2",
    "data.num_workers=0",
    "data.img_size=64",
    "data.frames_per_clip=4",
]
CLIPS = ["data.num_workers=0", "data.img_size=32", "data.frames_per_clip=4"]
PROBE = ["data.batch_size=4", "task.epochs=1", "task.learning_rates=[0.001]", "task.random_encoders=1"]
SYNTHETIC = ["data.num_videos=8", "data.eval_videos=8"]


def few_clips(arguments: list[str]) -> list[str]:
    """What makes a run short."""
    if "task=train" in arguments:
        return ["data.num_videos=8", "data.batch_size=4", "data.num_workers=0", "training.optimization.epochs=1"]
    if "task=probe" not in arguments:
        return ["data.num_episodes=4"] if "data=synthetic_robot" in arguments else []
    if any(argument.startswith("legacy=") for argument in arguments):
        return CLIPS
    videos = [] if any(argument.startswith("data=") for argument in arguments) else SYNTHETIC
    return [*CLIPS, *PROBE, *videos]


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 8


def write_encoder(folder: Path) -> None:
    """A tiny model where the hub's id is a folder, and a published probe of a checkpoint of it."""
    model = Pretraining(compose(["training=tiny", "data.img_size=32", "data.frames_per_clip=4"]))
    transformers_model(compose(["training=tiny"])).save_pretrained(folder / "facebook" / "vjepa2-vitl-fpc64-256")
    torch.save(published_weights(model), folder / "latest.pt")
    encoder = {"model_name": "vit_nano", "use_rope": True}
    write_file(
        folder, "video_probe", "probe", experiment__data__dataset_train="a.csv", experiment__data__num_classes=8,
        experiment__data__dataset_val="b.csv", model_kwargs__checkpoint="latest.pt",
        model_kwargs__module_name="evals.vit_encoder_multiclip", model_kwargs__pretrain_kwargs={"encoder": encoder},
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, videos_csv: Path, cache: Path) -> Path:
    """A working folder with the files that README's commands name."""
    folder = tmp_path_factory.mktemp("readme")
    rows = [line.rsplit(" ", 1) for line in videos_csv.read_text().splitlines()]
    text = "".join(f"{(videos_csv.parent / path).resolve()} {label}\n" for path, label in rows)
    for name in ("a.csv", "b.csv"):
        (folder / name).write_text(text)
    write_file(folder, "vjepa", "pretrain", data__datasets=["a.csv", "b.csv"])
    write_encoder(folder)
    for name in ("my_videos", "more"):
        (folder / name).mkdir()
        (folder / name / "train").symlink_to(videos_csv.parent)
    (folder / "my_images").mkdir()
    for i in range(4):
        Image.new("RGB", (80, 70), (60 * i, 0, 0)).save(folder / "my_images" / f"{i}.png")
    (folder / "droid").symlink_to(write_synthetic_droid(cache, 4))
    shutil.copy(ROOT / "examples" / "my_dataset.py", folder)
    write_lerobot(folder / "my_so100", "so100")
    block = next(part for part in README.split("\n\n") if "# my_experiments/" in part)
    lines = [line.removeprefix("    ") for line in block.splitlines()]
    file = folder / lines[0].removeprefix("# ").strip()
    file.parent.mkdir(parents=True)
    file.write_text("\n".join(lines[1:]) + "\n")
    return folder


def expanded(word: str, folder: Path) -> list[str]:
    """A word as a shell expands it."""
    return sorted(str(file.relative_to(folder)) for file in folder.glob(word)) if "_*" in word else [word]


@pytest.mark.parametrize("command", COMMANDS)
def test_command(command: str, folder: Path) -> None:
    words = shlex.split(command)
    ours = words[0] == "vjepa-pipe"
    arguments = [match for word in words[1 if ours else 2 :] for match in expanded(word, folder)]
    only_prints = {"--help", "--cfg", "--shell-completion"} & set(arguments)
    other_task = any(argument.startswith("task=") for argument in arguments)
    streams = not ours and not only_prints and "sweep.resume=erasing" not in arguments and not other_task
    few = few_clips(arguments)
    csv = str(folder / "a.csv")
    data = {"KINETICS_CSV": csv, "SSV2_CSV": csv, "SSV2_VAL_CSV": csv, "DROID_TRAJECTORIES": str(folder / "droid")}
    result = launch(*arguments, *few, *(SMALL if streams else []), cwd=folder, env=os.environ | data)
    differs = arguments[:1] == ["diff"]
    assert result.returncode == int(differs), result.stderr


def test_python_example(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    found: dict = {}
    exec(code.replace('"data=synthetic"', '"data=synthetic", "data.num_workers=0"'), found)
    assert found["video"].ndim == 5
    assert len(found["masks_enc"]) == len(found["masks_pred"]) == 2


def test_a_loop_over_images_and_videos() -> None:
    page = (ROOT / "docs" / "images.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    few = ["data.num_workers=0", "data.num_videos=8", "data.img_size=64", "image.data.num_images=8"]
    found: dict = {}
    exec(code.replace('"data=synthetic_small"', f'"data=synthetic_small", {str(few)[1:-1]}'), found)
    assert (found["images"].shape[2], found["clips"].shape[2]) == (1, 16)


def test_folders_and_groups_of_the_readme_exist() -> None:
    groups = re.findall(r"^\| `(\w+)` \| (.*?) \|", README, re.MULTILINE)
    assert len(groups) >= 8
    for group, options in groups:
        for option in re.findall(r"`(\w+)`", options):
            assert option in group_options(group), f"{group}={option}"
