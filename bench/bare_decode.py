"""Datasets to compare with: the decoder's limit, and a pipeline by hand. The clips are those that our loader reads."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import torch
from torch.utils.data import DataLoader, Dataset

from vjepa_pipe.sampling import SampleKey, generator
from vjepa_pipe.video import ClipSampler

SAMPLER = ClipSampler(target_fps=4, convention="reference")
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


class SparseDecode(Dataset[torch.Tensor]):
    """PyAV, one thread: from the key frame before the clip, leaving out pictures that nothing depends on."""

    def __init__(self, paths: Sequence[str], keys: Sequence[SampleKey], size: Sequence[int]) -> None:
        self.paths, self.keys, self.size = paths, keys, size

    def __len__(self) -> int:
        return len(self.keys)

    def path(self, index: int) -> str:
        return self.paths[self.keys[index].row]

    def draw(self, index: int, frames: int, fps: float) -> list[int]:
        """The clip that our loader draws for the same sample."""
        clip: list[int] = SAMPLER.draw(generator(self.keys[index], "clip"), frames, fps)[0].tolist()
        return clip

    def __getitem__(self, index: int) -> torch.Tensor:
        with av.open(self.path(index)) as container:
            stream = container.streams.video[0]
            context = stream.codec_context
            stream.thread_type, context.thread_count = "NONE", 1
            fps, first = float(stream.average_rate), stream.start_time or 0
            frames = stream.frames or int(container.duration / 1e6 * fps)
            duration = 1 / (fps * float(stream.time_base))
            clip = self.draw(index, frames, fps)
            wanted = set(clip)
            container.seek(int(first + clip[0] * duration), stream=stream)
            found = 0
            for packet in container.demux(stream):
                if packet.pts is not None:
                    shown = round((packet.pts - first) / duration)
                    context.skip_frame = "DEFAULT" if shown in wanted else "NONREF"
                for picture in packet.decode():
                    found += round((picture.pts - first) / duration) in wanted
                if found >= len(wanted):
                    break
        return torch.zeros(1)


class TorchcodecByHand(SparseDecode):
    """torchcodec with approximate seeking, then torchvision v2 on uint8 and the normalisation."""

    def source(self, index: int) -> Any:
        """What torchcodec opens: a path, or an open file."""
        return self.path(index)

    def __getitem__(self, index: int) -> torch.Tensor:
        from torchcodec.decoders import VideoDecoder
        from torchvision.transforms import v2

        video = VideoDecoder(self.source(index), seek_mode="approximate", num_ffmpeg_threads=1)
        about = video.metadata
        frames = video.get_frames_at(self.draw(index, about.num_frames, about.average_fps)).data
        frames = v2.RandomResizedCrop(self.size, scale=(0.3, 1.0), ratio=(0.75, 1.35), antialias=False)(frames)
        frames = v2.RandomHorizontalFlip()(frames)
        return v2.functional.normalize(frames.float(), MEAN, STD).transpose(0, 1)


class S3fsByHand(TorchcodecByHand):
    """The same from a bucket: torchcodec reads the file that s3fs opens, with its defaults."""

    def source(self, index: int) -> Any:
        import s3fs

        return s3fs.S3FileSystem().open(self.path(index))  # one file system for each process


def by_hand(args: argparse.Namespace, kind: Callable[..., Dataset[Any]], keys: Sequence[SampleKey]) -> Iterator[Any]:
    paths = [line.split()[0] for line in Path(args.csv).read_text().splitlines()]
    loader = DataLoader(
        kind(paths, keys, args.size), batch_size=args.batch, num_workers=args.workers, worker_init_fn=one_thread
    )
    return iter(loader)


def one_thread(_: int) -> None:
    torch.set_num_threads(1)
