"""Rules for URLs: which settings take them, and what else must fit where lists of videos lie at URLs."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from vjepa_pipe.config.data import DataConfig, FolderDataConfig
from vjepa_pipe.config.data_files import named_files
from vjepa_pipe.config.epic_kitchens import EpicKitchensDataConfig
from vjepa_pipe.config.errors import did_you_mean
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.fields import bounds_of
from vjepa_pipe.config.urls import EXTRA, FROM_OBSTORE, is_remote, scheme_of, shown_path

TAKE_URLS = ("data.data_paths", "data.eval_data_paths", "data.data_root", "data.video_root", "data.index_dir")
"""Settings that take URLs; others that name files or folders take paths of this machine."""

GROUPS = ("data", "loader", "robotics", "storage", "task")
"""Where settings that name files are ours to read; those in `training` are handed on."""

LOCAL_DECODERS = ("vjepa_pipe.video.DecordDecoder", "vjepa_pipe.video.TorchcodecDecoder")
_COMMON = (*FROM_OBSTORE, "file", "hf")


def urls_stand_where_they_are_read(experiment: ExperimentConfig) -> Iterator[str]:
    """Only the data that is read may lie at URLs, and no setting holds a credential."""
    for where, text in _paths(experiment):
        shown = shown_path(text)
        if re.sub(r"\[\d+\]$", "", where) not in TAKE_URLS:
            yield f"{where} must be a path of this machine (got {shown})"
        elif shown != text:
            yield (
                f"{where}: {shown} has a user name or a query, which may be a credential, and records keep all "
                "settings: name it in an environment variable, and that in data.path_variables"
            )
    if (endpoint := experiment.storage.endpoint) is not None and (
        scheme_of(endpoint) not in ("http", "https") or shown_path(endpoint) != endpoint
    ):
        yield f"storage.endpoint must be http://HOST or https://HOST (got {shown_path(endpoint)})"


def lists_at_urls_are_of_videos(experiment: ExperimentConfig) -> Iterator[str]:
    """What reads videos by another decoder or as a robot's reads files of this machine."""
    lists = list(remote_lists(experiment.data))
    if not lists:
        return
    data, loader = experiment.data, experiment.loader
    where, url = lists[0]
    if isinstance(data, FolderDataConfig):
        for named, folder in lists:
            if scheme_of(folder) in ("http", "https"):
                advice = "which web servers do not do: data=csv reads a list"
                yield f"{named}: data=folder lists what is in {folder}, {advice}"
    if experiment.decoder._target_ in LOCAL_DECODERS:
        yield f"decoder must be pyav with {where}={url}: {experiment.decoder._target_} reads files of this machine"
    if loader.sample_timeout_sec <= (longest := experiment.storage.longest_sec):
        yield (
            f"loader.sample_timeout_sec must be > {longest:g}, the seconds that storage.timeout_sec and storage.retries"
            f" allow one request: a file is not to be blamed for its store (got {loader.sample_timeout_sec:g})"
        )


def remote_lists(data: DataConfig) -> Iterator[tuple[str, str]]:
    """Each list or folder of videos that is a URL: the setting or variable that names it, and what is shown of it."""
    for name in ("data_paths", "eval_data_paths"):
        for i, path in enumerate(getattr(data, name)):
            if is_remote(path):
                yield f"data.{name}[{i}]", shown_path(path)
    if isinstance(data, EpicKitchensDataConfig) and is_remote(data.video_root):
        yield "data.video_root", shown_path(data.video_root)
    written = set(data.data_paths)
    for path in named_files(data):
        if is_remote(path) and path not in written:
            names = (name for name in data.path_variables if os.environ.get(name) == path)
            yield next(names, "data.data_root"), shown_path(path)


def scheme_faults(data: DataConfig) -> Iterator[str]:
    """A line for each list or index whose scheme nobody knows, or needs a package that is not installed."""
    index = data.index_dir
    indexes = [("data.index_dir", shown_path(index))] if index is not None and is_remote(index) else []
    for where, url in [*remote_lists(data), *indexes]:
        scheme = scheme_of(url)
        package = "obstore" if scheme in FROM_OBSTORE else "fsspec"
        if find_spec(package) is None:
            yield f"{where}: {url} needs {package}: pip install 'vjepa_pipe[{EXTRA}]'"
        elif package == "fsspec" and scheme not in _known_to_fsspec():
            known = ", ".join(f"{name}://" for name in _COMMON)
            hint = did_you_mean(scheme, _COMMON, cutoff=0.5)
            yield f"{where}: {scheme}:// is no scheme that is known{hint}: {known}, or another that fsspec reads"


def _known_to_fsspec() -> list[str]:
    from fsspec import available_protocols  # only URLs of its schemes wait for it

    return list(available_protocols())


def _paths(experiment: ExperimentConfig) -> Iterator[tuple[str, str]]:
    """Every setting that names a file and holds a URL."""
    for group in GROUPS:
        yield from _paths_in(getattr(experiment, group), group)


def _paths_in(config: Any, path: str) -> Iterator[tuple[str, str]]:
    for field in dataclasses.fields(config):
        value, where = getattr(config, field.name), f"{path}.{field.name}"
        if dataclasses.is_dataclass(value):
            yield from _paths_in(value, where)
        elif bounds_of(field).path:
            texts = (
                {where: value} if isinstance(value, str) else {f"{where}[{i}]": v for i, v in enumerate(value or ())}
            )
            yield from ((name, text) for name, text in texts.items() if is_remote(text))


URL_RULES = (urls_stand_where_they_are_read, lists_at_urls_are_of_videos)
