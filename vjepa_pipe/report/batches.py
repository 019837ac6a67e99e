"""Batches as tables: what each sample of one is made of, and what differs between two."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.markup import escape
from rich.table import Table

from vjepa_pipe.config.errors import counted
from vjepa_pipe.config.mask import mask_names
from vjepa_pipe.datasets import MixedDataset, RobotDataset, VideoDataset
from vjepa_pipe.records.batches import Drawn, RunBatch, Sample
from vjepa_pipe.transforms import Box

CLIPS = ("video", "pixel_values")
"""What holds the pixels of a sample."""
_COMPARED_ELSEWHERE = frozenset({"key", "replaced", "source", "row", "clip_indices", *CLIPS})


def batch_table(found: RunBatch) -> Table:
    """A row for each sample, with the columns that this kind of data has."""
    seconds = _seconds(found)
    start = os.path.commonprefix([sample.path for sample in found.samples])  # noqa: RUF071 (of URLs too)
    folder = start[: start.rfind("/") + 1]
    rows = [
        {
            "sample": str(number),
            "source": f"{sample.content['source']} {sample.key.row}",
            "file": sample.path.removeprefix(folder),
            "picture": _lines(f"{one.width}x{one.height}" for one in sample.drawn),
            "frames": _lines(_frames(part) for part in _indices(sample)),
            "seconds": _lines(f"{part.min():.2f} to {part.max():.2f}" if len(part) else "none" for part in shown_at),
            "crop": _lines(map(_crop, sample.drawn)),
            "flip": _lines("yes" if one.params.flip.mirrored else "no" for one in sample.drawn),
            "RandAugment": _lines(map(_rand_augment, sample.drawn)),
            "erased": _lines(map(_erased, sample.drawn)),
            "replaces": _lines(f"{bad.path.removeprefix(folder)} ({bad.error})" for bad in sample.replaced),
        }
        for number, (sample, shown_at) in enumerate(zip(found.samples, seconds, strict=True))
    ]
    table = Table(caption=escape(f"files below {folder}") if folder else None, caption_justify="left")
    shown = [title for title in rows[0] if any(row[title] for row in rows)]
    for title in shown:
        table.add_column(title, overflow="fold", justify="right" if title == "sample" else "left")
    for row in rows:
        table.add_row(*(escape(row[title]) for title in shown))
    return table


def mask_lines(found: RunBatch) -> Iterator[str]:
    """A line for each mask: how many tokens the encoder sees, and the predictor must predict, of each clip."""
    for group in groups_of(found.batch):
        masks = group.get("masks_enc", ())
        names = mask_names(found.manager.stream_of(group).config.mask, len(masks))
        length = f", clips of {group['video'].shape[-3]} frames" if isinstance(found.batch, list) else ""
        for name, seen, predicted in zip(names, masks, group.get("masks_pred", ()), strict=False):
            yield f"mask {name}: the encoder sees {seen.shape[1]} tokens, {predicted.shape[1]} are predicted{length}"


def groups_of(batch: Any) -> list[dict[str, Any]]:
    """The dicts of a batch, one for each length of its clips; none where a collator makes something else."""
    return [group for group in (batch if isinstance(batch, list) else [batch]) if isinstance(group, dict)]


def difference_table(here: RunBatch, there: RunBatch) -> tuple[Table | None, str]:
    """What differs between two batches, sample by sample, at the same places of the batch of all ranks.

    Returns:
        A row for each sample that differs; None if none does. And how many differ in what.
    """
    table, counts = Table(), Counter[str]()
    for title in ("sample", "rows", "frames", "drawn", "pixels", "masks", "others"):
        table.add_column(title, overflow="fold", justify="right" if title == "sample" else "left")
    ours, theirs = _by_place(here), _by_place(there)
    both = sorted(ours.keys() & theirs.keys())
    for place in both:
        found = _differences(ours[place], theirs[place])
        counts.update(name for name, text in found.items() if text)
        if any(found.values()):
            table.add_row(str(place), *map(escape, found.values()))
    names = ("rows", "frames", "drawn", "pixels", "masks", "others")
    said = f"of {counted(len(both), 'sample')} differ: " + ", ".join(f"{name} {counts[name]}" for name in names)
    if alone := len(ours.keys() ^ theirs.keys()):
        said += f"; {counted(alone, 'sample')} in one of the two alone"
    return (table if counts else None), said


def _by_place(found: RunBatch) -> dict[int, tuple[Sample, list[torch.Tensor]]]:
    """Samples and their masks, by their place in the batch of all ranks."""
    first = found.loader.schedule.global_batch(*found.place).first
    masks: dict[int, list[torch.Tensor]] = {}
    for group in groups_of(found.batch):
        parts = [*group.get("masks_enc", ()), *group.get("masks_pred", ())]
        for number, key in enumerate(group.get("key", ())):
            masks[key.position - first] = [part[number] for part in parts]
    places = (sample.key.position - first for sample in found.samples)
    return {place: (sample, masks.get(place, [])) for place, sample in zip(places, found.samples, strict=True)}


def _differences(here: tuple[Sample, list[torch.Tensor]], there: tuple[Sample, list[torch.Tensor]]) -> dict[str, str]:
    (a, our_masks), (b, their_masks) = here, there
    others = dict.fromkeys([*a.content, *b.content])
    same_masks = len(our_masks) == len(their_masks) and all(map(_same, our_masks, their_masks))
    return {
        "rows": "" if a.path == b.path else f"{a.path} / {b.path}",
        "frames": "" if _same(a.content.get("clip_indices"), b.content.get("clip_indices")) else "yes",
        "drawn": ", ".join(_drawn_differences(a.drawn, b.drawn)),
        "pixels": next((text for name in CLIPS if (text := _pixels(a.content.get(name), b.content.get(name)))), ""),
        "masks": "" if same_masks else "yes",
        "others": ", ".join(
            name
            for name in others
            if name not in _COMPARED_ELSEWHERE and not _same(a.content.get(name), b.content.get(name))
        ),
    }


def _drawn_differences(a: Sequence[Drawn], b: Sequence[Drawn]) -> Iterator[str]:
    """Names of the columns of `batch_table` that differ."""
    columns: dict[str, Callable[[Drawn], object]] = {
        "crop": lambda one: one.params.crop,
        "flip": lambda one: one.params.flip,
        "RandAugment": lambda one: one.params.rand_augment,
        "erased": lambda one: one.params.erase,
        "own transforms": lambda one: one.params.extra_seed,
    }
    for name, of in columns.items():
        if [of(one) for one in a] != [of(one) for one in b]:
            yield name


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    try:
        return bool(a == b)
    except (TypeError, ValueError, RuntimeError):  # arrays of a user's own
        return bool(np.array_equal(a, b))


def _pixels(a: Any, b: Any) -> str:
    if a is None and b is None:
        return ""
    if not (isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor)) or a.shape != b.shape:
        return f"{list(getattr(a, 'shape', []))} / {list(getattr(b, 'shape', []))}"
    if _same(a, b):
        return ""
    apart = (a.double() - b.double()).abs()
    return f"{float((apart > 0).double().mean()):.1%}, by at most {float(apart.max()):.3g}"


def _indices(sample: Sample) -> list[npt.NDArray[np.int64]]:
    """Frame numbers of each clip, or view; of those that are there."""
    found = sample.content.get("clip_indices")
    if not isinstance(found, torch.Tensor):
        return []
    parts = found.numpy() if found.ndim == 2 else found.numpy()[None]
    return [part[part >= 0] for part in parts]


def _seconds(found: RunBatch) -> Iterator[list[npt.NDArray[np.float64]]]:
    """For each sample, when the frames of each of its clips are shown; nothing where the data does not say."""
    times = dict[tuple[int, int], npt.NDArray[np.float64]]()
    for sample in found.samples:
        dataset, key, content = found.loader.dataset, sample.key, sample.content
        if isinstance(dataset, MixedDataset):
            dataset, key = dataset.own(key)
        if "frame_times" in content:
            yield [content["frame_times"][content["frame_mask"]].numpy()]
        elif isinstance(dataset, RobotDataset):
            clip = dataset.read(key, decode=False)
            yield [clip.rows / clip.row_fps]
        elif isinstance(dataset, VideoDataset):
            if key[3:] not in times:
                times[key[3:]] = dataset.frame_times(key)
            yield [times[key[3:]][part] for part in _indices(sample)]
        else:
            yield []


def _frames(indices: npt.NDArray[np.int64]) -> str:
    if not len(indices):
        return "none"
    steps = np.unique(np.diff(indices))
    regular = f" by {steps[0]}" if len(steps) == 1 else f", {len(np.unique(indices))} different"
    return f"{indices[0]} to {indices[-1]}{regular if len(indices) > 1 else ''}"


def _box(box: Box) -> str:
    return f"{box.width}x{box.height} at ({box.left}, {box.top})"


def _crop(one: Drawn) -> str:
    crop = one.params.crop
    return _box(crop.start) if crop.end is None else f"{_box(crop.start)}\nto {_box(crop.end)}"


def _rand_augment(one: Drawn) -> str:
    drawn = one.params.rand_augment
    if drawn is None:
        return ""
    return "\n".join(f"{op.name} {'-' if op.negate else ''}{op.magnitude:.2f}" for op in drawn.ops) or "none"


def _erased(one: Drawn) -> str:
    return "" if one.params.erase is None else _box(one.params.erase.box)


def _lines(texts: Any) -> str:
    """One text for each clip; a single one where they are alike."""
    return "\n".join(dict.fromkeys(texts))
