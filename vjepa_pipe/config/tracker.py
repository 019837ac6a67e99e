"""Where a training's metrics go beside its own files: group `tracker/`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from vjepa_pipe.config.fields import setting

WANDB_MODES = ("online", "offline", "disabled")


@dataclass
class TrackerConfig:
    """No tracker: metrics.jsonl and curves.png in the run's folder are all.

    python launch.py task=train training=tiny tracker=none
    """

    _target_: str = setting("vjepa_pipe.tasks.trackers.NoTracker", "what metrics are handed to")


@dataclass
class TensorboardConfig(TrackerConfig):
    """TensorBoard: event files in the run's folder (pip install tensorboard).

    python launch.py task=train training=tiny tracker=tensorboard
    """

    _target_: str = setting("vjepa_pipe.tasks.trackers.TensorboardTracker", "what metrics are handed to")


@dataclass
class WandbConfig(TrackerConfig):
    """Weights & Biases (pip install wandb); a run that goes on after a stop stays one run there.

    python launch.py task=train training=tiny tracker=wandb tracker.mode=offline
    """

    project: str = setting("vjepa_pipe", "the project that the run appears in", not_empty=True)
    entity: Optional[str] = setting(None, "the team; unset: that of the login")
    mode: str = setting("online", "offline keeps everything in the run's folder, for `wandb sync`", choices=WANDB_MODES)
    _target_: str = setting("vjepa_pipe.tasks.trackers.WandbTracker", "what metrics are handed to")


@dataclass
class MlflowConfig(TrackerConfig):
    """MLflow (pip install mlflow-skinny); a run that goes on after a stop stays one run there.

    python launch.py task=train training=tiny tracker=mlflow tracker.tracking_uri=http://localhost:5000
    """

    tracking_uri: Optional[str] = setting(
        None,
        "server, database or folder, without a password (MLFLOW_TRACKING_PASSWORD); unset: $MLFLOW_TRACKING_URI, else "
        "what mlflow takes by default",
    )
    experiment: str = setting("vjepa_pipe", "the experiment that the run appears in", not_empty=True)
    _target_: str = setting("vjepa_pipe.tasks.trackers.MlflowTracker", "what metrics are handed to")


@dataclass
class TrackioConfig(TrackerConfig):
    """trackio, a local dashboard (pip install trackio); a run that goes on after a stop stays one run there.

    python launch.py task=train training=tiny tracker=trackio
    """

    project: str = setting("vjepa_pipe", "the project that the run appears in", not_empty=True)
    _target_: str = setting("vjepa_pipe.tasks.trackers.TrackioTracker", "what metrics are handed to")
