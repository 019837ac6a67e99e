"""What launch.py runs: each task is a function of the experiment and an output folder."""

from vjepa_pipe.tasks.run import run_task

__all__ = ["run_task"]
