"""task=train: V-JEPA pretraining in a plain torch loop, to read and to copy.

Each thing that it calls is a file beside this one: ranks in `train_parallel`, what goes into a checkpoint in
`train_state`, how it is written in `train_checkpoints`, the log in `train_log`, measures in `train_measures`.
"""

from __future__ import annotations

import math
import shlex
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.train_task import TrainTaskConfig
from vjepa_pipe.config.training import VJepaTraining
from vjepa_pipe.config.training_rules import superseded
from vjepa_pipe.config.urls import shown_path
from vjepa_pipe.loader import ClipLoader, DataManager, device_prefetch
from vjepa_pipe.models.optimizer import make_optimizer, set_rates
from vjepa_pipe.models.schedules import Schedules
from vjepa_pipe.models.vjepa2 import Pretraining
from vjepa_pipe.tasks.process_group import local_device, process_group
from vjepa_pipe.tasks.stopping import STOPPED, Sigterm
from vjepa_pipe.tasks.train_checkpoints import Checkpoints, kept_epochs
from vjepa_pipe.tasks.train_log import TrainLog
from vjepa_pipe.tasks.train_measures import Measuring, collapse
from vjepa_pipe.tasks.train_parallel import backend, gathered, over_ranks, parallel
from vjepa_pipe.tasks.train_state import TrainState


def train(experiment: ExperimentConfig, output_dir: Path) -> dict[str, Any]:
    """Pretrain with the settings of `training`; leave `checkpoints/`, `metrics.jsonl` and `curves.png`.

    A run that was cut short goes on from its newest checkpoint with the batch that would have come next, whatever the
    number of workers, and of ranks while their batches together are as large. SIGTERM ends it after the step under way.

    Returns:
        `steps`, the last `loss`, rates and measures, and `wait_share`, the share of the time that it waited for data.

    Raises:
        UserError: If the loss is not finite, naming the clips; if a checkpoint does not fit or cannot be written.
        SystemExit: With status 143, after SIGTERM.
    """
    task, settings, device = experiment.task, experiment.training, local_device()
    assert isinstance(task, TrainTaskConfig) and isinstance(settings, VJepaTraining)
    with process_group(backend(task, device)), Sigterm() as sigterm:
        # Data: batches of this rank, on the device, one ahead.
        manager = DataManager(experiment, output_dir=output_dir)
        loader = manager.build_train_loader()
        batches = device_prefetch(loader, device, experiment.data_aug.normalize_mean, experiment.data_aug.normalize_std)
        last_step = min(settings.optimization.epochs * len(loader), task.max_steps or math.inf)

        # Student, predictor and teacher; `model` is the same network, with gradients averaged over ranks.
        network = Pretraining(experiment).to(device)
        model = parallel(network, task.parallel, device)
        optimizer = make_optimizer(network, settings.optimization)
        scaler = torch.amp.GradScaler(device.type, enabled=settings.meta.dtype == "float16")
        schedules = Schedules(settings.optimization, len(loader))

        # Where to go on, and what to watch.
        state = TrainState(network, optimizer, scaler, batches)
        step = state.begin(task, settings.optimization)
        measuring = Measuring(manager, network, device) if task.measure_every else None
        checkpoints = Checkpoints(output_dir, task.keep, kept_epochs(settings.meta.save_every_freq, len(loader)))
        log = TrainLog(experiment, output_dir if manager.rank == 0 else None, step)
        for sentence in superseded(experiment):
            log.say(sentence)

        with log, closing(loader):
            if measuring and step == 0:
                measure(measuring, state, log, step, epoch=0)
            stopping = False
            while step < last_step and not stopping:  # each pass over the batches is the next epoch
                epoch = step // len(loader)
                for batch in log.waited_for(batches):
                    rates = {
                        "lr": schedules.learning_rate(step),
                        "weight_decay": schedules.weight_decay(step),
                        "momentum": schedules.momentum(step),
                    }
                    set_rates(optimizer, rates["lr"], rates["weight_decay"])
                    loss = model(batch)
                    scaler.scale(loss).backward()
                    scaler.step(optimizer)
                    scaler.update()
                    optimizer.zero_grad()
                    network.update_teacher(rates["momentum"])
                    step += 1

                    mean_loss, stopping = over_ranks(loss, sigterm.received)
                    if not math.isfinite(mean_loss):
                        raise not_finite(loss.item(), step, batch, loader, output_dir)
                    ended = stopping or step == last_step
                    log.step(step, epoch, mean_loss, rates, last=ended)
                    if measuring and (step % measuring.every == 0 or step == last_step):
                        measure(measuring, state, log, step, epoch)
                    if ended or step % task.save_every == 0 or checkpoints.kept(step):
                        checkpoints.save(step, state.tensors(), state.rest(step))
                    if ended:
                        break

    if step < last_step:
        log.say(f"stopped by SIGTERM after step {step}; task.resume={output_dir} goes on")
        raise SystemExit(STOPPED)
    return log.metrics()


def measure(measuring: Measuring, state: TrainState, log: TrainLog, step: int, epoch: int) -> None:
    """Log what the features are worth, and say so where they have collapsed since the start of the run."""
    found = measuring()
    state.first_measures = state.first_measures or found
    if collapsed := collapse(state.first_measures, found):
        log.say(collapsed)
    log.write(step, epoch, {**found, "collapsed": float(collapsed is not None)})


def not_finite(loss: float, step: int, batch: Any, loader: ClipLoader, output_dir: Path) -> UserError:
    """The error for a loss that is not finite on some rank: it names the clips of these ranks, and what reads them."""
    mine = None
    if not math.isfinite(loss):
        groups = batch if isinstance(batch, list) else [batch]
        sources = loader.dataset.sources
        keys = [key for group in groups for key in group.get("key", [])]
        rows = [f"{sources[k.source].name} row {k.row} ({shown_path(sources[k.source].path(k.row))})" for k in keys]
        mine = f"rank {loader.schedule.rank}, loss {loss}: {', '.join(rows)}"
    told = [one for one in gathered(mine) if one is not None]
    epoch, number = divmod(step - 1, len(loader))
    clips = f"its clips are, on {'; on '.join(told)}"
    return UserError(
        f"the loss is not finite at step {step}, epoch {epoch}, batch {number}; {clips}; "
        f"`vjepa-pipe batch {shlex.quote(str(output_dir))} {step}` reads them again"
    )
