"""A decoder: opens a file and reads frames by number. Here every frame is decoded, with PyAV."""

import av
import numpy as np


class DecodeAll:
    def open(self, path):
        return Reader(path)


class Reader:
    def __init__(self, path):
        with av.open(path) as file:
            self.fps = float(file.streams.video[0].average_rate)
            self.frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
        self.num_frames = len(self.frames)

    def read(self, indices):  # uint8 [len(indices), H, W, 3], RGB
        return np.stack([self.frames[index] for index in indices])
