"""A dataset: any map-style torch dataset. Here squares that move over noise."""

import torch
from torch.utils.data import Dataset


class MovingSquares(Dataset):
    def __init__(self, items=64, frames_per_clip=16):
        self.items, self.frames = items, frames_per_clip

    def __len__(self):
        return self.items

    def __getitem__(self, index):
        frames = torch.randint(0, 80, (self.frames, 128, 128, 3), dtype=torch.uint8)
        for time in range(self.frames):
            frames[time, 48:80, 2 * time : 2 * time + 32] = 255
        return {"frames": frames, "label": index % 4}
