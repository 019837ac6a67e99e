"""task=probe: what it measures, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from published_files import HEADS, PROBE_MODEL, write_file
from torch import Tensor, nn

from vjepa_pipe import compose
from vjepa_pipe.composition.identity import _canonical, full_identity
from vjepa_pipe.config import ConfigError, ExperimentConfig, UserError, targets
from vjepa_pipe.config.before_run import run_faults
from vjepa_pipe.config.probe import probe_settings, probed_model
from vjepa_pipe.datasets.files import eval_files
from vjepa_pipe.loader import DataManager
from vjepa_pipe.models.vjepa2 import Pretraining
from vjepa_pipe.models.weights import published_weights
from vjepa_pipe.tasks.probe import probe
from vjepa_pipe.tasks.probe_labels import number_of_classes
from vjepa_pipe.tasks.probe_scores import MeanTokens, Tally, scores_of
from vjepa_pipe.tasks.probe_training import ProbeRun
from vjepa_pipe.tasks.run import run_task

PROBE = ["task=probe", "task.progress=false", "data.num_workers=0"]
TINY = [
    *PROBE, "data.num_videos=8", "data.eval_videos=8", "data.img_size=32", "data.batch_size=4",
    "task.epochs=2", "task.learning_rates=[0.001]", "task.random_encoders=1",
]  # fmt: skip


def read(folder: Path) -> Any:
    return json.loads((folder / "probe.json").read_text())


def test_it_measures_what_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    experiment = compose([*TINY, "task.weight_decays=[0.01,0.1]"])
    metrics = probe(experiment, tmp_path)
    assert set(metrics) == {"top1", "top5", "linear_top1", "knn_top1", "random_top1", "chance"}
    assert metrics["chance"] == 0.125 and all(0 <= value <= 1 for value in metrics.values())
    found = read(tmp_path)
    assert [found[name] for name in metrics] == list(metrics.values())
    assert (found["seed"], found["train_videos"], found["eval_videos"]) == (0, 8, 8)
    assert metrics["top1"] == max(one["top1"] for one in found["probes"]) <= metrics["top5"]
    assert [(one["lr"], one["weight_decay"]) for one in found["probes"]] == [(0.001, 0.01), (0.001, 0.1)]
    assert sum(one["top1"] * one["videos"] for one in found["per_class"].values()) == 8 * metrics["top1"]
    (other,) = found["random_encoders"]
    assert other["top1"] == metrics["random_top1"]
    said = capsys.readouterr().err
    assert f"seed 0: attentive {metrics['top1']:.3f}, linear {metrics['linear_top1']:.3f}" in said
    assert "chance 0.125" in said and "attentive, 1 encoder with random weights: mean" in said
    (tmp_path / "again").mkdir()
    assert probe(experiment, tmp_path / "again") == metrics and read(tmp_path / "again") == found


def test_it_is_measured_on_other_videos(videos_csv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = DataManager(compose(TINY))
    train, test = manager.build_train_dataset().sources[0], manager.build_eval_dataset().sources[0]
    assert len(train) == len(test) == 8 and Path(train.path(0)).read_bytes() != Path(test.path(0)).read_bytes()
    monkeypatch.setenv("SSV2_VAL_CSV", str(videos_csv))
    assert eval_files(compose(["data=ssv2"]).data) == [str(videos_csv.resolve())]
    assert eval_files(compose(["data=ssv2", f"data.eval_data_paths=[{__file__}]"]).data) == [__file__]


SIDEWAYS = """
import torch
class Squares(torch.utils.data.Dataset):  # they move to the right (0) or to the left (1)
    def __len__(self):
        return 64
    def __getitem__(self, index):
        frames = torch.randint(0, 60, (8, 32, 32, 3), dtype=torch.uint8)
        top, left = torch.randint(0, 24, ()), torch.randint(0, 10, ())
        for time in range(8):
            start = left + 2 * (time if index % 2 == 0 else 7 - time)
            frames[time, top : top + 8, start : start + 8] = 255
        return {"frames": frames, "label": index % 2}
"""


def test_flips_hide_which_way_things_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It checks the machinery, from augmentation to accuracy; of V-JEPA it says nothing."""
    (tmp_path / "sideways.py").write_text(SIDEWAYS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(targets, "_allowed", ["sideways.*"])
    accuracy = {}
    for flip in (False, True):
        metrics = probe(
            compose([
                *PROBE, "data._target_=sideways.Squares", "data_aug=none", f"data_aug.horizontal_flip={flip}",
                "data.img_size=32", "data.batch_size=16", "model.patch_size=8", "task.epochs=10",
                "task.random_encoders=0", "task.num_classes=2",
            ]),
            tmp_path,
        )  # fmt: skip
        accuracy[flip] = metrics["top1"]
    assert accuracy[False] > accuracy[True] + 0.2, accuracy


class Marks(nn.Module):
    """Two tokens of a clip, both its mean and its number of frames."""

    def forward(self, clips: Tensor) -> Tensor:
        mean = clips.mean(dim=(1, 2, 3, 4))
        return torch.stack([mean, torch.full_like(mean, clips.shape[2])], dim=1).unsqueeze(1).expand(-1, 2, -1)


def run_of(experiment: ExperimentConfig, views: int) -> ProbeRun:
    return ProbeRun([Marks()], [2], probe_settings(experiment), 8, views, 0, torch.device("cpu"))


def test_tokens_of_segments_follow_each_other_view_by_view() -> None:
    run = run_of(compose([*TINY, "task.heads=2"]), views=3)
    marks = torch.arange(12.0).reshape(2, 6)  # two videos with two segments of three views
    clips = marks[..., None, None, None, None].expand(-1, -1, 3, 4, 8, 8)
    (tokens,) = run._tokens(clips, views=3)
    assert tokens.shape == (3, 2, 4, 2)
    assert tokens[..., 0].tolist() == [[[v, v, v + 3, v + 3], [v + 6, v + 6, v + 9, v + 9]] for v in range(3)]


def test_several_segments_and_views_are_measured(tmp_path: Path) -> None:
    experiment = compose([
        *TINY, "data.num_clips=2", "data.allow_clip_overlap=true", "data_aug.eval_views=3", "task.random_encoders=0"
    ])  # fmt: skip
    batch = next(iter(DataManager(experiment).build_eval_loader()))
    assert batch["video"].shape == (4, 6, 3, 8, 32, 32)
    metrics = probe(experiment, tmp_path)
    assert "random_top1" not in metrics and read(tmp_path)["eval_videos"] == 8


def test_images_are_repeated() -> None:
    experiment = compose([*TINY, "task.heads=2"])
    run = run_of(experiment, views=1)
    run._settings = type(run._settings)(**(vars(run._settings) | {"still_frames": 6}))
    clips, labels = run._read({"video": torch.rand(2, 3, 1, 8, 8), "label": torch.tensor([1, 2])})
    assert clips.shape == (2, 1, 3, 6, 8, 8) and labels.dtype == torch.int64
    assert torch.equal(clips[:, :, :, 0], clips[:, :, :, 5])


def test_counts() -> None:
    tally = Tally((1, 2), 3, torch.device("cpu"))
    labels = torch.tensor([0, 1, 1, 2])
    good, bad = torch.eye(3)[labels], torch.eye(3)[torch.tensor([0, 0, 0, 0])]
    tally.add(torch.stack([bad, good])[None], labels)
    tokens = MeanTokens([[]], [])
    tokens.add([torch.eye(4)], labels)
    scores = scores_of(tally, tokens, tokens)
    assert scores.chance == 0.5 and scores.train_videos == 4 and scores.videos.tolist() == [1, 2, 1]
    (own,) = scores.encoders
    assert (own.top1, own.by_probe, own.per_class, own.top5) == (1.0, [0.25, 1.0], [1.0, 1.0, 1.0], 1.0)


def with_labels(experiment: list[str], folder: Path, labels: str, others: str) -> tuple[Any, Any]:
    for name, numbers in (("train", labels), ("val", others)):
        (folder / f"{name}.csv").write_text("".join(f"x.mp4 {label}\n" for label in numbers.split()))
    made = compose([*PROBE, "data=csv", *experiment, f"data.data_paths=[{folder / 'train.csv'}]",
                    f"data.eval_data_paths=[{folder / 'val.csv'}]"])  # fmt: skip
    manager = DataManager(made)
    return manager.build_train_dataset(), manager.build_eval_dataset()


@pytest.mark.parametrize(("labels", "others", "given", "outcome"), [
    ("0 1 4", "0 1", None, 5),
    ("0 1", "1 0", 174, 174),
    ("0 1 4", "0 1", 4, "task.num_classes says 4, and the train rows have a label 4"),
    ("0 1", "0 2", None, "the training rows say 2, and the eval rows have a label 2"),
    ("0 1000000", "0", None, "at most 1000000 classes apart, and labels go up to 1000000"),
    ("3 3", "0", None, "all training videos have the label 3, and a probe needs two classes"),
    ("-1 2", "0", None, r"labels must be whole numbers >= 0 for task=probe \(got -1\)"),
    ("left right", "left", None, r"labels must be whole numbers >= 0 for task=probe \(got '\w+'\)"),
])  # fmt: skip
def test_classes(tmp_path: Path, labels: str, others: str, given: int | None, outcome: int | str) -> None:
    datasets = with_labels([], tmp_path, labels, others)
    if isinstance(outcome, int):
        assert number_of_classes(*datasets, given) == outcome
    else:
        with pytest.raises(ConfigError, match=outcome):
            number_of_classes(*datasets, given)


@pytest.mark.parametrize(("overrides", "faults"), [
    ([], []),
    (["model=none"], ["model: task=probe needs an encoder"]),
    (["data.img_size=40"], ["data.img_size must be a multiple of model.patch_size=16 (got 40)"]),
    (["data.frames_per_clip=5"], ["data.frames_per_clip must be a multiple of model.tubelet_size=2 (got 5)"]),
    (["data.eval_videos=null"], ["data.eval_data_paths must be given: the videos that task=probe measures on"]),
    (["data=ssv2"], ["data.eval_data_paths must be given", "or SSV2_VAL_CSV=PATH in the environment"]),
    (["data=folder", "data.data_paths=[x]"], ["data.labels must be folders for task=probe"]),
    (["data=synthetic_robot"], ["data: task=probe needs videos with a class each"]),
    (["data=epic_kitchens"], ["data: task=probe needs videos with a class each"]),
    (["loader.output=uint8", "data_aug=none"], ["loader.output must be float32 for task=probe (got uint8)"]),
    (["data.batch_size=1000"], ["data.batch_size=1000 is more than an epoch of 192 clips"]),
])  # fmt: skip
def test_what_it_lacks_is_said_before_it_starts(overrides: list[str], faults: list[str]) -> None:
    found = list(run_faults(compose(["task=probe", *overrides])))
    assert len(found) == bool(faults) and all(part in "".join(found) for part in faults), found


def test_probes_of_v_jepa_1_are_not_run(tmp_path: Path) -> None:
    experiment = compose([f"legacy={write_file(tmp_path, 'video_probe_v1')}", "task=probe"])
    assert any("task=probe reads the probes of V-JEPA 2" in fault for fault in run_faults(experiment))


def test_settings_typed_in_vain(tmp_path: Path) -> None:
    experiment = compose([f"legacy={write_file(tmp_path, 'video_probe')}", "task=probe", "task.epochs=3"])
    faults = list(run_faults(experiment, ["task.epochs=3", "mask.patch_size=8"]))
    assert any("task.epochs has no effect when training says how probes are trained" in fault for fault in faults)
    assert any("mask.patch_size has no effect when task=probe" in fault for fault in faults)


def published(folder: Path, **changes: Any) -> ExperimentConfig:
    encoder = {"patch_size": 16, "use_rope": True, "model_name": "vit_large", "checkpoint_key": "encoder"}
    model = PROBE_MODEL | {"module_name": "evals.x.vit_encoder_multiclip", "pretrain_kwargs": {"encoder": encoder}}
    return compose([f"legacy={write_file(folder, 'video_probe', model_kwargs=model, **changes)}", "task=probe"])


def test_published_files_say_how_they_are_probed(tmp_path: Path) -> None:
    heads = [HEADS[0] | {"warmup": 2.0, "final_lr": 0.01}, HEADS[0]]
    experiment = published(
        tmp_path, experiment__optimization__multihead_kwargs=heads, experiment__optimization__use_bfloat16=True,
        experiment__classifier__num_probe_blocks=4, model_kwargs__wrapper_kwargs={"out_layers": [1, 2]},
    )  # fmt: skip
    assert list(run_faults(experiment)) == []
    settings, model = probe_settings(experiment), probed_model(experiment)
    assert (settings.epochs, settings.blocks, settings.heads, settings.num_classes) == (1, 4, 16, 5)
    assert settings.precision == "bfloat16" and settings.still_frames is None
    assert [(one.lr, one.warmup, one.final_lr) for one in settings.schedules] == [(0.1, 2.0, 0.01), (0.1, 0.0, 0.0)]
    assert (model.path, model.model_name, model.checkpoint_key, model.out_layers) == (
        "/c.pt", "vit_large", "encoder", [1, 2],
    )  # fmt: skip
    assert (experiment.data.num_clips, experiment.data_aug.horizontal_flip) == (2, False)


@pytest.mark.parametrize(("changes", "fault"), [
    ({"model_kwargs__wrapper_kwargs": {"use_pos_embed": True}}, "wrapper_kwargs.use_pos_embed must be false"),
    ({"model_kwargs__pretrain_kwargs": {"encoder": {}}}, "pretrain_kwargs.encoder.use_rope must be true"),
    ({"model_kwargs__pretrain_kwargs": {"encoder": {"use_rope": True, "model_name": "x"}}}, "model_name must be"),
    ({"model_kwargs__module_name": "mine.encoder"}, "module_name=mine.encoder is none of vit_encoder"),
    ({"val_only": True}, "training.val_only must be false"),
    ({"experiment__optimization__multihead_kwargs": []}, "multihead_kwargs must not be empty"),
    ({"experiment__optimization__multihead_kwargs": [{"lr": 1}]}, "multihead_kwargs[0] must have lr, start_lr"),
    ({"experiment__optimization__multihead_kwargs": [HEADS[0] | {"lr": "x"}]}, "[0].lr must be a number"),
])  # fmt: skip
def test_published_files_that_are_not_run(tmp_path: Path, changes: dict[str, Any], fault: str) -> None:
    (found,) = run_faults(published(tmp_path, **changes))
    assert fault in found


def test_a_published_file_runs(videos_csv: Path, tmp_path: Path) -> None:
    torch.save(published_weights(Pretraining(compose(["training=tiny"]))), tmp_path / "c.pt")
    experiment = published(
        tmp_path, experiment__data__dataset_train=str(videos_csv), experiment__data__dataset_val=str(videos_csv),
        experiment__data__num_classes=8, experiment__data__resolution=32, experiment__data__frames_per_clip=4,
        experiment__data__num_views_per_segment=3, experiment__optimization__batch_size=4, num_workers=0,
        model_kwargs__checkpoint=str(tmp_path / "c.pt"),
        model_kwargs__pretrain_kwargs={"encoder": {"model_name": "vit_nano", "use_rope": True}},
    )  # fmt: skip
    metrics = run_task(experiment, tmp_path / "run")
    assert read(tmp_path / "run")["probes"][0]["lr"] == 0.1 and metrics["chance"] == 0.125


OWN = """
import torch
class Patches(torch.nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.project = torch.nn.Conv3d(3, width, (2, 16, 16), stride=(2, 16, 16))
    def forward(self, clips):
        return self.project(clips).flatten(2).transpose(1, 2)
class Flat(Patches):
    def forward(self, clips):
        return clips.mean(dim=(2, 3, 4))
def Nothing():
    return len
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    (tmp_path / "own_encoder.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(targets, "_allowed", ["own_encoder.*"])
    return lambda name: [*TINY, "model=own", f"model._target_=own_encoder.{name}"]


def test_an_encoder_of_ones_own(own: Callable[[str], list[str]], tmp_path: Path) -> None:
    metrics = probe(compose([*own("Patches"), "+model.extra_args.width=16"]), tmp_path)
    assert metrics["random_top1"] >= 0  # beside it the tiny encoder with random weights
    with pytest.raises(UserError, match=r"task.heads must be a divisor of the encoder's width, 16 \(got 3\)"):
        probe(compose([*own("Patches"), "+model.extra_args.width=16", "task.heads=3"]), tmp_path)
    with pytest.raises(UserError, match=r"an encoder must give tokens \[B, N, D\] .*got \[1, 3\]"):
        probe(compose(own("Flat")), tmp_path)
    with pytest.raises(UserError, match=r"own_encoder.Nothing must give a torch.nn.Module \(got builtin"):
        probe(compose(own("Nothing")), tmp_path)


def test_a_config_cannot_name_an_encoder_of_its_own_choice() -> None:
    with pytest.raises(ConfigError, match=r"model._target_: os.system is not an allowed target"):
        compose([*TINY, "model=own", "model._target_=os.system"])


def test_experiments_without_a_model_keep_their_identity() -> None:
    """As it was before there was a group `model`, and settings of data that they do not use."""
    said = _canonical(compose([]), only_results=False)
    assert "model" not in said and not {"eval_videos", "small", "eval_path_variables"} & set(said["data"])
    assert full_identity(compose(["model=vjepa2_tiny"])) != full_identity(compose([]))
