"""MapStyleDataset: any map-style torch dataset, read by keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from vjepa_pipe.config.errors import ConfigError, SampleError, UserError
from vjepa_pipe.config.protocols import PAGE
from vjepa_pipe.datasets.keyed import CLIP, KeyedDataset, Transform, is_clip, shown
from vjepa_pipe.datasets.stats import SampleStats, Stopwatch
from vjepa_pipe.figures import Figures
from vjepa_pipe.sampling import SampleKey, keyed_hash
from vjepa_pipe.transforms import global_generators

RESERVED = ("key", "replaced", "stats", "masks_enc", "masks_pred", "context_distance")


class _Items:
    """The items of a dataset as the rows of a source."""

    def __init__(self, dataset: Any, name: str) -> None:
        self.name = name
        self._dataset = dataset
        try:
            self._size = len(dataset)
        except (TypeError, ValueError) as error:
            raise ConfigError([f"data._target_: the dataset {name} cannot be counted: {error} ({PAGE})"]) from error

    def __len__(self) -> int:
        return self._size

    def path(self, i: int) -> str:
        """What the dataset says of item `i`, else its number."""
        return str(self._dataset.path(i)) if hasattr(self._dataset, "path") else f"{self.name}[{i}]"

    def fingerprint(self) -> str:
        """What the dataset says of its items, else how many they are."""
        own = self._dataset.fingerprint() if hasattr(self._dataset, "fingerprint") else self._size
        return f"{self.name} {own}"


class MapStyleDataset(KeyedDataset):
    """A dataset with `__len__` and `__getitem__(index)`, or with `sample(key)`, as one source of samples.

    Its items are tensors or arrays, pairs of one with a label, or mappings:

    - frames, uint8 `[T, H, W, 3]` or `[T, 3, H, W]`, in a mapping under `frames`, go through the transform;
    - a finished clip, `[C, T, H, W]` in floating point, in a mapping under `video`, is left as it is.

    The rest of a mapping stays in the sample, which also has `source`, `row`, `key` and `replaced` as in
    `VideoDataset`. While `__getitem__` runs, Python's, NumPy's and torch's global generators start from the key, so
    that what it draws does not depend on workers; `sample(key)` draws from `vjepa_pipe.sampling.generator(key, ...)`.
    An item that raises `SampleError` or `OSError` counts as bad; other errors end the run.

    Args:
        dataset: May also have `path(i)`, which names an item in reports, and `fingerprint()`, which changes with its
            items: a saved state of other items is then refused.
        name: Of the source.
        transform: As for `KeyedDataset`.
        seed: As for `KeyedDataset`.
        on_bad_sample: As for `KeyedDataset`.
        max_replacements: As for `KeyedDataset`.
    """

    def __init__(
        self, dataset: Any, name: str, transform: Transform | None, seed: int, on_bad_sample: str, max_replacements: int
    ) -> None:
        super().__init__([_Items(dataset, name)], transform, seed, on_bad_sample, max_replacements)
        self.dataset = dataset
        own = getattr(type(dataset), "__getitem__", Dataset.__getitem__)
        self._draws_itself = own is Dataset.__getitem__ and hasattr(dataset, "sample")
        self._class = f"{type(dataset).__module__}.{type(dataset).__qualname__}"

    def sample(self, key: SampleKey) -> dict[str, Any]:
        """The sample of a key, without `key` and `replaced`.

        Raises:
            SampleError: If the item cannot be read.
            UserError: If it holds no clip.
        """
        stopwatch = Stopwatch()
        named = self._as_mapping(self._item(key), key.row)
        read_sec = stopwatch()
        video, drawn = self._video(named, key)
        rest = {name: value for name, value in named.items() if name not in ("video", "frames")}
        stats = SampleStats(video.shape[-3], None, 0.0, read_sec, stopwatch(), drawn)
        return {"video": video, "source": self.sources[0].name, "row": key.row, **rest, "stats": stats}

    def _item(self, key: SampleKey) -> Any:
        try:
            if self._draws_itself:
                return self.dataset.sample(key)
            with global_generators(keyed_hash("item", *key) % 2**63):
                return self.dataset[key.row]
        except OSError as error:
            raise SampleError(f"{self.sources[0].path(key.row)}: {type(error).__name__}: {error}") from error
        except NotImplementedError as error:  # torch's own base class has a method that only says so
            raise UserError(f"{self._class} has no __getitem__(index): a dataset needs it ({PAGE})") from error

    def _as_mapping(self, item: Any, row: int) -> Mapping[str, Any]:
        if isinstance(item, Mapping):
            if taken := [name for name in RESERVED if name in item]:
                raise self._fault(row, f"has {taken[0]!r}, a name that the loader uses itself")
            return item
        clip, label = item if isinstance(item, (tuple, list)) and len(item) == 2 else (item, None)
        if not isinstance(clip, (torch.Tensor, np.ndarray)):
            raise self._fault(row, f"is of type {type(item).__name__}")
        name = "frames" if clip.dtype in (torch.uint8, np.uint8) else "video"
        return {name: clip} if label is None else {name: clip, "label": label}

    def _video(self, item: Mapping[str, Any], key: SampleKey) -> tuple[torch.Tensor, Figures]:
        if "frames" in item:
            return self._transformed(self._frames(item["frames"], key.row), key, 0)
        if "video" not in item:
            raise self._fault(
                key.row, f"has {', '.join(map(str, item)) or 'nothing'}, but neither 'video' nor 'frames'"
            )
        video = item["video"]
        if isinstance(video, np.ndarray) and video.dtype.name in ("uint8", "float16", "float32", "float64"):
            video = torch.from_numpy(np.require(video, requirements=["C", "W"]))  # torch views no others
        if not is_clip(video):
            raise self._fault(key.row, f"has as 'video' {shown(video)}")
        return video, {}

    def _frames(self, frames: Any, row: int) -> npt.NDArray[np.uint8]:
        array = frames.numpy() if isinstance(frames, torch.Tensor) else frames
        if isinstance(array, np.ndarray) and array.dtype == np.uint8 and array.ndim == 4 and array.size:
            if array.shape[3] == 3:
                return array
            if array.shape[1] == 3:
                return array.transpose(0, 2, 3, 1)
        raise self._fault(row, f"has as 'frames' {shown(frames)}")

    def _fault(self, row: int, found: str) -> UserError:
        return UserError(
            f"{self._class}: item {row} {found}; an item holds 'frames', uint8 [T, H, W, 3], or 'video', "
            f"{CLIP} ({PAGE})"
        )
