"""EpicKitchensDataset: clips that end before an action in a long video."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from vjepa_pipe.config.epic_kitchens import EpicKitchensDataConfig
from vjepa_pipe.config.errors import counted
from vjepa_pipe.datasets.files import annotation_files
from vjepa_pipe.datasets.keyed import Transform
from vjepa_pipe.datasets.video import VideoDataset
from vjepa_pipe.sampling import SampleKey
from vjepa_pipe.sources import ActionClasses, Segments, read_actions, read_all
from vjepa_pipe.storage import Storage, shown_path
from vjepa_pipe.video import Anticipation, Decoder

logger = logging.getLogger(__name__)


class EpicKitchensDataset(VideoDataset):
    """Clips of EPIC-KITCHENS that end before an action, with what the action will be.

    Samples follow from keys as in `VideoDataset`, and hold besides `video`, `clip_indices`, `source`, `row`, `key`,
    `replaced` and `stats`:

    - `verb`, `noun`, `action` (also `label`): int, classes from 0; see `classes`;
    - `anticipation_time`: float64 tensor, seconds from the end of the clip to the anticipation point;
    - `anticipation_point`: float64 tensor, share of the action that is still to come then.

    Rows are the lines of an annotation file, in its order, but for those whose action training does not know.

    Args:
        config: The settings, with the annotation files of training.
        data_paths: The annotation files that are read; unset: those of training.
        random_clip_sampling: Draw anticipation time and point; otherwise they are those of the eval loader.
        transform: As for `VideoDataset`.
        source_names: Name of each source; unset: the annotation file's.
        decoder: As for `VideoDataset`.
        storage: As for `VideoDataset`.
        seed: As for `VideoDataset`.
        on_bad_sample: As for `VideoDataset`.
        max_replacements: As for `VideoDataset`.

    Raises:
        SourceError: An annotation file cannot be read, or has no action of training.
        ConfigError: Several cannot, naming all, or none is named.

    Attributes:
        classes: What the classes of samples stand for: those of all annotation files of training.
    """

    sources: list[Segments]  # type: ignore[assignment]

    def __init__(
        self,
        config: EpicKitchensDataConfig,
        *,
        data_paths: Sequence[str] = (),
        random_clip_sampling: bool = True,
        transform: Transform | None = None,
        source_names: Sequence[str] | None = None,
        decoder: Decoder | None = None,
        storage: Storage | None = None,
        seed: int = 0,
        on_bad_sample: str = "replace",
        max_replacements: int = 10,
    ) -> None:
        training = annotation_files(config)
        paths = list(data_paths) or training
        files = list(dict.fromkeys([*training, *paths]))
        found = dict(zip(files, read_all(partial(read_actions, file, storage) for file in files), strict=True))
        self.classes = ActionClasses.of([action for file in training for action in found[file]], config.convention)
        names = source_names or [""] * len(paths)
        rows = read_all(
            partial(Segments.of, path, found[path], self.classes, config.video_root, config.video_path, name)
            for path, name in zip(paths, names, strict=True)
        )
        for path, part in zip(paths, rows, strict=True):
            if unknown := len(found[path]) - len(part):
                logger.info(
                    "%s: %s left out, whose action is none of training", shown_path(path), counted(unknown, "row")
                )
        super().__init__(
            rows,
            frames_per_clip=config.frames_per_clip,
            frames_per_clip_by_source=config.frames_per_clip_by_source,
            target_fps=config.target_fps,
            transform=transform,
            repeated_window=config.repeated_window,
            max_file_bytes=config.max_file_bytes,
            max_duration_sec=config.max_duration_sec,
            convention=config.convention,
            decoder=decoder,
            storage=storage,
            seed=seed,
            on_bad_sample=on_bad_sample,
            max_replacements=max_replacements,
        )
        self.lists = [shown_path(path) for path in paths]
        fixed = (config.eval_anticipation_time_sec,) * 2, (config.eval_anticipation_point,) * 2
        drawn = config.anticipation_time_sec, config.anticipation_point
        self._times, self._points = drawn if random_clip_sampling else fixed

    def sample(self, key: SampleKey) -> dict[str, Any]:
        """The sample of a key, without `key` and `replaced`; see `KeyedDataset.sample`."""
        sample, anticipation = super().sample(key), self._anticipation(key)
        _, _, verb, noun = self.sources[key.source].numbers(key.row)
        return sample | {
            "verb": verb,
            "noun": noun,
            "action": sample["label"],
            "anticipation_time": torch.tensor(anticipation.time_sec, dtype=torch.float64),
            "anticipation_point": torch.tensor(anticipation.point, dtype=torch.float64),
        }

    def _clips(self, key: SampleKey, num_frames: int, fps: float) -> list[npt.NDArray[np.int64]]:
        sampler = self.clip_samplers[key.source]
        settings = sampler.frames_per_clip, sampler.target_fps, num_frames, fps, sampler.convention
        return [self._anticipation(key).frames(*settings)]

    def _anticipation(self, key: SampleKey) -> Anticipation:
        first, last, _, _ = self.sources[key.source].numbers(key.row)
        rng = self._window_rng(key)
        return Anticipation(first, last, rng.uniform(*self._times), rng.uniform(*self._points))
