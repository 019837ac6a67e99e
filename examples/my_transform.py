"""A transform: uint8 [T, C, H, W] in training, after crop and flip. Here frames of the clip, blacked out."""

import torch


class DropFrames:
    def __init__(self, p=0.25):
        self.p = p

    def __call__(self, clip):
        clip = clip.clone()
        clip[torch.rand(len(clip)) < self.p] = 0
        return clip
