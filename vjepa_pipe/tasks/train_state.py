"""Everything that a training goes on from: weights, moments of the optimizer, and the loader's place."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.train_task import TrainTaskConfig
from vjepa_pipe.config.training.vjepa import VJepaOptimization
from vjepa_pipe.loader import StateError, device_prefetch
from vjepa_pipe.models.vjepa2 import Pretraining
from vjepa_pipe.models.weights import load_published, load_published_optimizer, read_checkpoint
from vjepa_pipe.records.files import read_record
from vjepa_pipe.tasks.stopping import STATE
from vjepa_pipe.tasks.train_checkpoints import find_checkpoint, load_tensors

MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class Rest:
    """What a checkpoint holds beside its tensors: its `state.json`.

    Attributes:
        step: Steps done.
        loader: Its place; see `LoaderState`.
        scaler: State of the GradScaler; empty unless it trains in float16.
        threads: Of PyTorch on the CPU.
        first_measures: What features were worth at the start of the run; empty before they are measured.
    """

    step: int
    loader: dict[str, Any]
    scaler: dict[str, Any]
    threads: int
    first_measures: dict[str, float]


class TrainState:
    """What changes while a run trains; schedules follow from the step, and nothing is drawn.

    Args:
        network: Its weights, whole or sharded.
        optimizer: AdamW. Moments of all its parameters are made here, as zeros: a checkpoint has the same names
            before the first step, and after.
        scaler: Of float16.
        batches: Its place is that after the batch yielded last.

    Attributes:
        first_measures: What features were worth at the start of the run; empty before they are measured.
    """

    def __init__(
        self, network: Pretraining, optimizer: torch.optim.AdamW, scaler: torch.amp.GradScaler, batches: device_prefetch
    ) -> None:
        self._network, self._optimizer, self._scaler, self._batches = network, optimizer, scaler, batches
        self.first_measures: dict[str, float] = {}
        self._make_moments()

    def begin(self, task: TrainTaskConfig, optimization: VJepaOptimization) -> int:
        """Take over what the run begins with: that of `task.resume`, else of the checkpoint that is cooled down from.

        Returns:
            Steps done.

        Raises:
            UserError: As `resume`.
        """
        if task.resume is not None:
            return self.resume(task.resume)
        if optimization.is_anneal and optimization.anneal_ckpt is not None:
            self._take_weights(Path(optimization.anneal_ckpt))
        return 0

    def _make_moments(self) -> None:
        for group in self._optimizer.param_groups:
            for weight in group["params"]:
                moments = {"step": torch.tensor(0.0), **{name: torch.zeros_like(weight) for name in MOMENTS}}
                self._optimizer.state[weight] = moments | self._optimizer.state.get(weight, {})

    def tensors(self) -> dict[str, Tensor]:
        """All tensors by name; not copies, so that filling them fills the network and the optimizer."""
        named = {f"model.{name}": weight for name, weight in self._network.state_dict().items()}
        for name, weight in self._network.named_parameters():
            for moment, tensor in self._optimizer.state.get(weight, {}).items():
                named[f"optimizer.{name}.{moment}"] = tensor
        return named

    def rest(self, step: int) -> dict[str, Any]:
        """All else, as JSON takes it.

        Args:
            step: Steps done.
        """
        return asdict(
            Rest(
                step=step,
                loader=self._batches.state_dict(),
                scaler=self._scaler.state_dict(),
                threads=torch.get_num_threads(),
                first_measures=self.first_measures,
            )
        )

    def resume(self, path: str) -> int:
        """Take everything over from a checkpoint; on a CPU also the number of threads, on which the last bits depend.

        Args:
            path: The checkpoint, or the folder of a run.

        Returns:
            Steps done.

        Raises:
            UserError: If it is damaged, of another architecture, or of other data.
        """
        checkpoint = find_checkpoint(path)
        rest = read_record(checkpoint / STATE, Rest)
        if rest.step < 0:
            raise UserError(f"{checkpoint / STATE} is damaged: step must be >= 0 (got {rest.step})")
        try:
            self._batches.load_state_dict(rest.loader)
        except StateError as error:
            raise StateError(f"{checkpoint / STATE}: {error}") from error
        load_tensors(checkpoint, self.tensors())
        if self._scaler.is_enabled() and rest.scaler:
            try:
                self._scaler.load_state_dict(rest.scaler)
            except KeyError as error:
                raise UserError(f"{checkpoint / STATE} is damaged: scaler lacks {error}") from error
        if not torch.cuda.is_available() and 0 < rest.threads <= 1024:
            torch.set_num_threads(rest.threads)
        self.first_measures = dict(rest.first_measures)
        return rest.step

    def _take_weights(self, path: Path) -> None:
        """Take weights and moments over from a checkpoint of ours, or from a published file."""
        if path.is_dir():
            load_tensors(find_checkpoint(path), self.tensors())
            return
        saved = read_checkpoint(path, "training.optimization.anneal_ckpt")
        load_published(self._network, saved, str(path))
        try:
            load_published_optimizer(self._network, self._optimizer, saved["opt"], str(path))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(f"{path}: opt is no state of an optimizer ({type(error).__name__}: {error})") from error
        self._make_moments()
