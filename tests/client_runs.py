"""Training loops of other people's trainers, run by the client tests in processes of their own.

`python client_runs.py ONE TWO CSV` imports the trainers once, and then forks a process of one rank, working in folder
ONE, and two ranks, which work in TWO. Each trains with each client and each number of workers: once until some steps
have been made, where it saves the client's own checkpoint, and once more from there to the end of the second epoch.
The epoch and the rows of the steps are left in `CLIENT_WORKERS/seen_RANK.json`. The process of one rank then runs each
client's snippet in docs/trainers.md.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import socket
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from vjepa_pipe import DataManager, compose
from vjepa_pipe.config import ExperimentConfig
from vjepa_pipe.loader import ClipLoader

DOCS = Path(__file__).parents[1] / "docs" / "trainers.md"
CLIENTS = ("plain", "accelerate", "fabric", "lightning")
STOPS = {1: 3, 2: 1}
"""Steps after which a run is stopped, by the number of ranks."""


@dataclass
class Run:
    """One training run.

    Attributes:
        folder: Where its checkpoint stands.
        csv: Its videos.
        workers: Of its loader.
        stop_after: Steps after which it saves and stops; 0: it goes on from the checkpoint, to the end.
        steps: Epoch and rows of each step.
    """

    folder: Path
    csv: str
    workers: str
    stop_after: int
    steps: list[tuple[int, list[int]]] = field(default_factory=list)

    def loader(self) -> ClipLoader:
        return loader_for(self.csv, self.workers, self.folder)

    def add(self, batch: Any) -> bool:
        """A step is made; whether it is the last one."""
        self.steps.append((batch["key"][0].epoch, [key.row for key in batch["key"]]))
        return len(self.steps) == self.stop_after


def config_for(csv: str, workers: str) -> ExperimentConfig:
    return compose([
        "data=csv", f"data.data_paths=[{csv}]", "data.frames_per_clip=2", "data.img_size=32", "mask=none",
        "data.batch_size=2", f"data.num_workers={workers}", "loader.persistent_workers=false",
    ])  # fmt: skip


def loader_for(csv: str, workers: str, folder: Path, *place: int) -> ClipLoader:
    return DataManager(config_for(csv, workers), *place, output_dir=folder).build_train_loader()


def for_the_model(samples: Any) -> dict[str, torch.Tensor]:
    """What a Hugging Face model is called with: tensors by the names of its arguments."""
    return {
        "video": torch.stack([sample["video"] for sample in samples]),
        "labels": torch.tensor([sample["label"] for sample in samples]),
        "rows": torch.tensor([sample["row"] for sample in samples]),
    }


def plain(run: Run) -> None:
    loader, state = run.loader(), run.folder / "state.pt"
    if not run.stop_after:
        loader.load_state_dict(torch.load(state))
    while loader.epoch < 2:
        for batch in loader:
            if run.add(batch):
                torch.save(loader.state_dict(), state)
                return


def fabric(run: Run) -> None:
    from lightning.fabric import Fabric

    fabric = Fabric(accelerator="cpu", devices=1, num_nodes=int(os.environ.get("WORLD_SIZE", "1")))
    fabric.launch()
    loader = run.loader()
    given = fabric.setup_dataloaders(loader)
    state = {"loader": loader}
    if not run.stop_after:
        fabric.load(run.folder / "fabric.ckpt", state)
    while loader.epoch < 2:
        for batch in given:
            if run.add(batch):
                fabric.save(run.folder / "fabric.ckpt", state)
                return


def accelerate(run: Run) -> None:
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    given = accelerator.prepare(run.loader())
    if not run.stop_after:
        accelerator.load_state(str(run.folder / "accelerate"))
    while given.epoch < 2:
        for batch in given:
            if run.add(batch):
                accelerator.save_state(str(run.folder / "accelerate"))
                return


def lightning(run: Run) -> None:
    import lightning as L
    from lightning.pytorch.callbacks import ModelCheckpoint

    class Model(lightning_model()):
        def training_step(self, batch: Any, number: int) -> torch.Tensor:
            if run.add(batch):
                self.trainer.should_stop = True
            return super().training_step(batch, number)

    class Data(L.LightningDataModule):
        def train_dataloader(self) -> ClipLoader:
            return run.loader()

    world, stop = int(os.environ.get("WORLD_SIZE", "1")), run.stop_after
    keep = ModelCheckpoint(run.folder, "lightning", every_n_train_steps=stop or None, save_last=False)
    trainer = L.Trainer(
        max_epochs=2, min_epochs=0, accelerator="cpu", devices=1, num_nodes=world, logger=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=[keep] if stop else [],
        enable_checkpointing=bool(stop), strategy="ddp" if world > 1 else "auto",
    )  # fmt: skip
    trainer.fit(Model(), datamodule=Data(), ckpt_path=None if stop else str(run.folder / "lightning.ckpt"))


def lightning_model() -> Any:
    import lightning as L

    class Model(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)

        def forward(self, batch: Any) -> torch.Tensor:
            return self.layer(batch["video"].mean().reshape(1)).sum()

        def training_step(self, batch: Any, number: int) -> torch.Tensor:
            return self(batch)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    return Model


def huggingface(run: Run) -> None:
    """Evaluation, twice: a Trainer is given an eval loader."""
    from transformers import Trainer, TrainingArguments

    loader = DataManager(config_for(run.csv, run.workers), output_dir=run.folder).build_eval_loader(for_the_model)

    class OurTrainer(Trainer):
        def get_eval_dataloader(self, eval_dataset: Any = None) -> ClipLoader:
            return loader

        def prediction_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            run.steps.append((0, inputs["rows"].tolist()))
            return super().prediction_step(model, inputs, *args, **kwargs)

    trainer = OurTrainer(
        HuggingFaceModel(),
        TrainingArguments(
            str(run.folder), use_cpu=True, report_to=[], label_names=["label"], remove_unused_columns=False
        ),
    )
    trainer.evaluate()
    trainer.evaluate()


class HuggingFaceModel(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 8)

    def forward(self, video: torch.Tensor, labels: torch.Tensor, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        logits = self.layer(video.mean(dim=(1, 2, 3, 4)).unsqueeze(1))
        return {"loss": torch.nn.functional.cross_entropy(logits, labels % 8), "logits": logits}


def run_snippets(client: str, csv: str) -> None:
    """Run the code under the client's heading in the docs, in the current folder, on a few small videos."""
    namespace: dict[str, Any] = {"torch": torch, "for_the_model": for_the_model, "step": lambda batch: None}
    namespace["model"] = {"lightning": lambda: lightning_model()(), "huggingface": HuggingFaceModel}.get(
        client, lambda: torch.nn.Linear(1, 1)
    )()
    namespace["optimizer"] = torch.optim.SGD(namespace["model"].parameters())
    text = DOCS.read_text()
    (opening,) = blocks(text.split("\n## ")[0])
    exec(opening, namespace)
    namespace["cfg"] = config_for(csv, "0")
    (section,) = [part for part in text.split("\n## ") if part.lower().replace(" ", "").startswith(client)]
    for code in blocks(section):
        exec(code, namespace)


def blocks(text: str) -> list[str]:
    return [part.split("```")[0] for part in text.split("```python\n")[1:]]


def train(where: Path, csv: str, ranks: int, rank: int) -> None:
    """What one rank does."""
    clients, workers = ([*CLIENTS, "huggingface"], ("0", "2")) if ranks == 1 else (CLIENTS, ("0",))
    for client, number in itertools.product(clients, workers):
        folder = where / f"{client}_{number}"
        folder.mkdir(exist_ok=True)
        if ranks > 1:  # to Lightning and Fabric the ranks are nodes of one process each
            os.environ["LOCAL_RANK"] = "0" if client in ("fabric", "lightning") else str(rank)
        runs = [Run(folder, csv, number, stop) for stop in (STOPS[ranks], 0)]
        for run in runs[:1] if client == "huggingface" else runs:
            globals()[client](run)
        (folder / f"seen_{rank}.json").write_text(json.dumps([run.steps for run in runs]))
    if ranks == 1:
        os.chdir(where)
        for client in clients:
            run_snippets(client, csv)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def forked(where: Path, csv: str, ranks: int, rank: int, port: int) -> int:
    """The number of a process that is such a rank."""
    if child := os.fork():
        return child
    status = 1
    try:
        if ranks > 1:
            place = {
                "RANK": rank, "LOCAL_RANK": rank, "NODE_RANK": rank, "WORLD_SIZE": ranks, "GROUP_RANK": rank,
                "LOCAL_WORLD_SIZE": 1, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "x",
            }  # fmt: skip
            os.environ |= {name: str(value) for name, value in place.items()}
        train(where, csv, ranks, rank)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def main(one: str, two: str, csv: str) -> None:
    for module in ("accelerate", "lightning", "transformers.trainer"):
        importlib.import_module(module)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = [forked(Path(one), csv, 1, 0, port), *(forked(Path(two), csv, 2, rank, port) for rank in range(2))]
    sys.exit(any([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]))


if __name__ == "__main__":
    main(*sys.argv[1:])
