"""Training loops of other people's trainers, run by the client tests: `python client_runs.py NAME FOLDER CSV WORKERS`.

Each writes `seen_RANK.json`: for each epoch, the rows that its steps were given. With STOP_AFTER set it saves the
client's own checkpoint after so many steps and ends; with RESUME set it goes on from there.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch

from vjepa_pipe import DataManager, compose
from vjepa_pipe.loader import ClipLoader

STOP_AFTER = int(os.environ.get("STOP_AFTER", "0"))
RESUME = "RESUME" in os.environ


def loader_for(csv: str, workers: str, folder: Path, *place: int) -> ClipLoader:
    config = compose([
        "data=csv", f"data.data_paths=[{csv}]", "data.frames_per_clip=2", "data.img_size=32", "mask=none",
        "data.batch_size=2", f"data.num_workers={workers}", "loader.persistent_workers=false",
    ])  # fmt: skip
    return DataManager(config, *place, output_dir=folder).build_train_loader()


def for_their_model(samples: Any) -> dict[str, torch.Tensor]:
    """What a Hugging Face model is called with: tensors by the names of its arguments."""
    return {
        "video": torch.stack([sample["video"] for sample in samples]),
        "labels": torch.tensor([sample["label"] for sample in samples]),
        "rows": torch.tensor([sample["row"] for sample in samples]),
    }


class Seen:
    def __init__(self, folder: Path) -> None:
        self.file = folder / f"seen_{os.environ.get('RANK', '0')}{'_resumed' if RESUME else ''}.json"
        self.steps: list[tuple[int, list[int]]] = []

    def add(self, batch: Any) -> int:
        return self.add_rows(batch["key"][0].epoch, [key.row for key in batch["key"]])

    def add_rows(self, epoch: int, rows: list[int]) -> int:
        self.steps.append((epoch, rows))
        self.file.write_text(json.dumps(self.steps))
        return len(self.steps)


def plain(folder: Path, csv: str, workers: str) -> None:
    loader, seen, state = loader_for(csv, workers, folder), Seen(folder), folder / "state.pt"
    if RESUME:
        loader.load_state_dict(torch.load(state))
    while loader.epoch < 2:
        for batch in loader:
            if seen.add(batch) == STOP_AFTER:
                torch.save(loader.state_dict(), state)
                return


def fabric(folder: Path, csv: str, workers: str) -> None:
    from lightning.fabric import Fabric

    fabric = Fabric(accelerator="cpu", devices=1, num_nodes=int(os.environ.get("WORLD_SIZE", "1")))
    fabric.launch()
    loader = loader_for(csv, workers, folder)
    given, seen = fabric.setup_dataloaders(loader), Seen(folder)
    state = {"loader": loader}
    if RESUME:
        fabric.load(folder / "fabric.ckpt", state)
    while loader.epoch < 2:
        for batch in given:
            if seen.add(batch) == STOP_AFTER:
                fabric.save(folder / "fabric.ckpt", state)
                return


def accelerate(folder: Path, csv: str, workers: str) -> None:
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    given, seen = accelerator.prepare(loader_for(csv, workers, folder)), Seen(folder)
    if RESUME:
        accelerator.load_state(str(folder / "accelerate"))
    while given.epoch < 2:
        for batch in given:
            if seen.add(batch) == STOP_AFTER:
                accelerator.save_state(str(folder / "accelerate"))
                return


def lightning(folder: Path, csv: str, workers: str) -> None:
    import lightning as L
    from lightning.pytorch.callbacks import ModelCheckpoint

    seen = Seen(folder)

    class Model(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)

        def training_step(self, batch: Any, number: int) -> torch.Tensor:
            if seen.add(batch) == STOP_AFTER:
                self.trainer.should_stop = True
            return self.layer(batch["video"].mean().reshape(1)).sum()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    class Data(L.LightningDataModule):
        def train_dataloader(self) -> ClipLoader:
            return loader_for(csv, workers, folder)

    world = int(os.environ.get("WORLD_SIZE", "1"))
    keep = ModelCheckpoint(folder, "lightning", every_n_train_steps=STOP_AFTER or None, save_last=False)
    trainer = L.Trainer(
        max_epochs=2, min_epochs=0, accelerator="cpu", devices=1, num_nodes=world, logger=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=[keep] if STOP_AFTER else [],
        enable_checkpointing=bool(STOP_AFTER), strategy="ddp" if world > 1 else "auto",
    )  # fmt: skip
    trainer.fit(Model(), datamodule=Data(), ckpt_path=str(folder / "lightning.ckpt") if RESUME else None)


def huggingface(folder: Path, csv: str, workers: str) -> None:
    """Evaluation: a Trainer is given an eval loader."""
    from transformers import Trainer, TrainingArguments

    seen = Seen(folder)
    loader = DataManager(
        compose([
            "data=csv", f"data.data_paths=[{csv}]", "data.frames_per_clip=2", "data.img_size=32", "mask=none",
            "data.batch_size=3", f"data.num_workers={workers}",
        ]),
        output_dir=folder,
    ).build_eval_loader(for_their_model)  # fmt: skip

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(1, 8)

        def forward(self, video: torch.Tensor, labels: torch.Tensor, rows: torch.Tensor) -> dict[str, torch.Tensor]:
            logits = self.layer(video.mean(dim=(1, 2, 3, 4)).unsqueeze(1))
            return {"loss": torch.nn.functional.cross_entropy(logits, labels % 8), "logits": logits}

    class OurTrainer(Trainer):
        def get_eval_dataloader(self, eval_dataset: Any = None) -> ClipLoader:
            return loader

        def prediction_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            seen.add_rows(0, inputs["rows"].tolist())
            return super().prediction_step(model, inputs, *args, **kwargs)

    arguments = TrainingArguments(
        str(folder), use_cpu=True, report_to=[], label_names=["label"], remove_unused_columns=False
    )
    trainer = OurTrainer(Model(), arguments)
    trainer.evaluate()
    trainer.evaluate()


if __name__ == "__main__":
    name, where, csv_file, num_workers = sys.argv[1:]
    globals()[name](Path(where), csv_file, num_workers)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
