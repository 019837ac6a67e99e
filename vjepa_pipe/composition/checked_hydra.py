"""Hydra, with what it reads and composes checked before it acts on it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.plugins import Plugins
from hydra.errors import ConfigCompositionException, HydraException
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import GrammarParseError, OmegaConfBaseException

from vjepa_pipe.composition.config_dir import CONFIG_DIR, in_folder
from vjepa_pipe.composition.hydra_node import hydra_faults
from vjepa_pipe.config.build import shown
from vjepa_pipe.config.errors import ConfigError, UserError
from vjepa_pipe.config.folders import conf_dir
from vjepa_pipe.config.tree import leaves
from vjepa_pipe.files.yaml_file import MAX_COMPOSED_VALUES, read_yaml, yaml_text


@contextmanager
def checked_hydra() -> Iterator[None]:
    """Whatever Hydra composes in this block is checked before Hydra acts on it.

    Hydra composes in several places and makes logging, callbacks, sweeper and launcher in others; loading is the one
    place that all of them pass.
    """
    loader_class: Any = ConfigLoaderImpl
    loading = next(name for name in ("_load_configuration", "load_configuration") if hasattr(loader_class, name))
    load, defaults = getattr(loader_class, loading), loader_class.compute_defaults_list

    files: list[Path] = []
    composing = _raising_hydras_errors(load, files)

    def load_checked(
        loader: ConfigLoaderImpl, config_name: str | None, overrides: list[str], *rest: Any, **more: Any
    ) -> DictConfig:
        _refuse_search_path(loader, config_name, overrides)
        config: DictConfig = composing(loader, config_name, list(overrides), *rest, **more)
        if faults := list(hydra_faults(config.hydra, overrides)):
            raise ConfigError(faults)
        return config

    Plugins.instance()  # registers the classes that read files
    file_class: Any = SourcesRegistry.instance().resolve("file")
    read = file_class.load_config

    def read_checked(source: Any, config_path: str) -> ConfigResult:
        file = Path(source.path) / source._normalize_file_name(config_path)
        own = file.exists() and not file.is_relative_to(conf_dir())
        names_folder = own and CONFIG_DIR in yaml_text(file, MAX_COMPOSED_VALUES)
        files.append(file)
        try:
            result: ConfigResult = read(source, config_path)
            if names_folder:
                result.config = OmegaConf.create(
                    in_folder(OmegaConf.to_container(result.config), str(Path(source.path).resolve()))
                )
        except GrammarParseError as error:
            raise ConfigError(list(_bad_interpolations(file))) from error
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise ConfigError([f"{file} is not YAML: {' '.join(str(error).split())}"]) from error
        return result

    setattr(loader_class, loading, load_checked)
    file_class.load_config = read_checked
    loader_class.compute_defaults_list = _raising_hydras_errors(defaults, files)
    try:
        yield
    finally:
        setattr(loader_class, loading, load)
        file_class.load_config = read
        loader_class.compute_defaults_list = defaults


def _raising_hydras_errors(compose: Callable[..., Any], files: Sequence[Path]) -> Callable[..., Any]:
    """A function of Hydra's that composes; what its parsers do not see coming is a config error too.

    Args:
        compose: The function.
        files: Those that have been read so far.
    """

    @functools.wraps(compose)
    def composing(*arguments: Any, **more: Any) -> Any:
        try:
            return compose(*arguments, **more)
        except ConfigCompositionException as error:
            for choice in re.findall(r"^Error resolving interpolation '(.+?)',", str(error)):
                for file in files:
                    if file.is_file() and choice in yaml_text(file):
                        raise ConfigError([f"{file}: defaults: {choice} stands for nothing"]) from error
            raise
        except (HydraException, OmegaConfBaseException, UserError):
            raise
        except RecursionError as error:
            raise ConfigCompositionException("nested too deeply") from error
        except Exception as error:
            raise ConfigCompositionException(str(error) or type(error).__name__) from error

    return composing


def _bad_interpolations(file: Path) -> Iterator[str]:
    """A line for each value of a file that OmegaConf cannot parse."""
    for path, value in leaves(read_yaml(file)):
        try:
            OmegaConf.create({"value": value})
        except GrammarParseError:
            yield f"{file}: {path}: {shown(value)} is no interpolation that OmegaConf can read"


def _refuse_search_path(loader: ConfigLoaderImpl, config_name: str | None, typed: Sequence[str]) -> None:
    """Before Hydra composes: `pkg://NAME` imports what it names."""
    if config_name is None or any(text.lstrip("+").startswith("hydra.searchpath=") for text in typed):
        return
    primary = loader.repository.load_config(config_name)
    if primary is not None and isinstance(primary.config, DictConfig):
        plain: Any = OmegaConf.to_container(primary.config, resolve=False)
        hydra = plain.get("hydra") if isinstance(plain, dict) else None
        if hydra and (not isinstance(hydra, dict) or hydra.get("searchpath")):
            raise ConfigError(["hydra.searchpath counts only when it is typed: a file must not choose others to read"])
