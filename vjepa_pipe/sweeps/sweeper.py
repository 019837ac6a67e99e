"""The Hydra sweeper of `python launch.py -m`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.utils import JobReturn

from vjepa_pipe.config.compose import read_experiment
from vjepa_pipe.config.errors import ConfigError


class CheckedSweeper(BasicSweeper):
    """Hydra's grid sweeper, with our checks on every point before any runs and a table at the end."""

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Compose and check every point.

        Raises:
            ConfigError: Naming every faulty point and its faults.
        """
        assert self.hydra_context is not None and self.config is not None
        faults: list[str] = []
        for number, overrides in enumerate(batch):
            config = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
            _, found = read_experiment(config)
            faults.extend(f"point {number} ({' '.join(overrides)}): {fault}" for fault in found)
        if faults:
            raise ConfigError(faults)

    def sweep(self, arguments: list[str]) -> Any:
        """Run every point, then print what varied beside what came out."""
        from vjepa_pipe.sweeps.table import print_table

        batches: list[Sequence[JobReturn]] = super().sweep(arguments)
        print_table([job for batch in batches for job in batch])
        return batches
