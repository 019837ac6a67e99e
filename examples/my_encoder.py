"""An encoder: a torch module from clips to tokens. Here patches of the clip, projected at random."""

import torch


class Patches(torch.nn.Module):
    def __init__(self, width=96):
        super().__init__()
        self.project = torch.nn.Conv3d(3, width, (2, 16, 16), stride=(2, 16, 16))

    def forward(self, clips):  # float [B, C, T, H, W], normalised
        return self.project(clips).flatten(2).transpose(1, 2)  # [B, N, D]
