"""task=train: pretrain V-JEPA in a plain torch loop, a good start for one of your own.

What it calls is small and stands beside it: the ranks (`process_group`, `train_parallel`), checkpoints and what goes
into them (`train_checkpoints`, `train_state`), the log (`train_log`) and what features are worth (`train_measures`).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.train_task import TrainTaskConfig
from vjepa_pipe.config.training import VJepaTraining
from vjepa_pipe.loader import DataManager, device_prefetch
from vjepa_pipe.models.optimizer import make_optimizer, set_rates
from vjepa_pipe.models.schedules import Schedules
from vjepa_pipe.models.vjepa2 import Pretraining
from vjepa_pipe.tasks.process_group import local_device, process_group
from vjepa_pipe.tasks.stopping import STOPPED, Sigterm
from vjepa_pipe.tasks.train_checkpoints import Checkpoints
from vjepa_pipe.tasks.train_log import TrainLog
from vjepa_pipe.tasks.train_measures import Measuring
from vjepa_pipe.tasks.train_parallel import backend, over_ranks, parallel
from vjepa_pipe.tasks.train_state import TrainState, stop_at_nan


def train(experiment: ExperimentConfig, output_dir: Path) -> dict[str, Any]:
    """Pretrain with the settings of `training`, and leave `checkpoints/`, `metrics.jsonl` and `curves.png`.

    A run that was cut short goes on from its newest checkpoint, also on another number of ranks or workers, with the
    batch that would have come next. SIGTERM ends it after the step under way.

    Returns:
        `steps`, the last `loss`, `wait_share`, and the measures of the end.

    Raises:
        UserError: If a checkpoint or the disk does not do, or the loss is not finite.
        SystemExit: With status 143, after SIGTERM.
    """
    task, settings, device = experiment.task, experiment.training, local_device()
    assert isinstance(task, TrainTaskConfig) and isinstance(settings, VJepaTraining)
    with process_group(backend(task, device)), Sigterm() as sigterm:
        manager = DataManager(experiment, output_dir=output_dir)
        loader = manager.build_train_loader()
        aug = experiment.data_aug
        batches = device_prefetch(loader, device, aug.normalize_mean, aug.normalize_std)

        network = Pretraining(experiment).to(device)
        model = parallel(network, task.parallel, device)
        optimizer = make_optimizer(network, settings.optimization)
        scaler = torch.amp.GradScaler(device.type, enabled=settings.meta.dtype == "float16")
        schedules = Schedules(settings.optimization, len(loader))

        last_step = min(settings.optimization.epochs * len(loader), task.max_steps or math.inf)
        state = TrainState(network, optimizer, scaler, batches, device)
        step = state.start(experiment)
        checkpoints = Checkpoints(output_dir, task.keep, kept_steps(settings.meta.save_every_freq, len(loader)))
        measuring = Measuring(manager, network, batches, task, state)
        stopped = False

        with TrainLog(experiment, output_dir if manager.rank == 0 else None, step) as log:
            if measuring.due(step, first=True):
                log.write(step, measuring.measure())
            while step < last_step and not stopped:
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

                    mean_loss, stopped = over_ranks(loss, sigterm.received)
                    if not math.isfinite(mean_loss):
                        stop_at_nan(float(loss), batch, loader, step)
                    step += 1
                    ended = step == last_step or stopped
                    log.step(step, mean_loss, rates, ended)
                    if measuring.due(step, last=step == last_step):
                        log.write(step, measuring.measure())
                    if ended or step % task.save_every == 0 or checkpoints.kept(step):
                        checkpoints.save(step, state.tensors(), state.rest(step))
                    if ended:
                        break
        loader.close()
    if stopped and step < last_step:
        log.say(f"stopped by SIGTERM at step {step}; task.resume={output_dir} goes on")
        raise SystemExit(STOPPED)
    return log.metrics()
