"""The Hydra sweeper of `python launch.py -m`. Hydra imports it for every command, so it imports little itself."""

from __future__ import annotations

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from vjepa_pipe.config.sweep import SweepConfig


class PlanSweeper(Sweeper):
    """Plans every point, then runs from the plan what has not run yet.

    Args:
        **options: The fields of `SweepConfig`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__()
        plain: dict[str, Any] = OmegaConf.to_container(OmegaConf.create(options))  # type: ignore[assignment]
        self._options = SweepConfig(**plain)

    def setup(
        self,
        *,
        hydra_context: HydraContext,
        task_function: TaskFunction,
        config: DictConfig,
    ) -> None:
        """Called by Hydra before `sweep`."""
        self._context, self._config = hydra_context, config
        self._command = list(getattr(task_function, "command", ()))  # it is not called: points run from the plan

    def sweep(self, arguments: list[str]) -> list[Any]:
        """Plan and run.

        Args:
            arguments: The command line's overrides of the experiment.

        Raises:
            ConfigError: Naming every faulty point and field, before any job.
            UserError: If points failed, after all have run; or if the folder cannot be written.
        """
        from vjepa_pipe.sweeps.sweep import Sweep

        Sweep(self._options, self._context, self._config, self._command).run(arguments)
        return []
