"""Two changes to Hydra while our command line runs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from vjepa_pipe.config.hydra_settings import check_hydra_settings


@contextmanager
def guarded_hydra() -> Iterator[None]:
    """Hydra, with every composed config checked before anything is made of its node `hydra`.

    Hydra composes in several places and makes logging, callbacks, sweeper and launcher in others; loading is the one
    place that all of them pass. It also prints a line before it raises a job's error, which our message replaces.
    """
    loader: Any = ConfigLoaderImpl
    returned: Any = JobReturn
    load, value = loader.load_configuration, returned.return_value

    def load_checked(self: Any, config_name: str | None, overrides: Sequence[str], *args: Any, **kw: Any) -> DictConfig:
        config: DictConfig = load(self, config_name, list(overrides), *args, **kw)
        check_hydra_settings(config.hydra, overrides)
        return config

    def value_or_error(self: JobReturn) -> Any:
        if self.status == JobStatus.FAILED:
            raise self._return_value
        return self._return_value

    loader.load_configuration = load_checked
    returned.return_value = property(value_or_error, value.fset)
    try:
        yield
    finally:
        loader.load_configuration = load
        returned.return_value = value
