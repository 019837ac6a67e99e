"""Robot episodes for trying things out, in the layout of raw DROID: the marker is where the states say."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from vjepa_pipe.config.extras import import_extra
from vjepa_pipe.sources.folders import new_folder
from vjepa_pipe.sources.robots.episodes import EYES
from vjepa_pipe.synthetic.robot_world import CAMERA_PLACES, HEIGHT, WIDTH, Motion, camera_pose, draw_frames
from vjepa_pipe.synthetic.shapes import Image

VERSION = 1
"""Part of the folder's name: raise it when the same seed would give other episodes."""
HEADER_FPS = 60
"""What raw DROID's mp4 headers say, for frames taken 15 times a second."""
SERIALS = ("20000001", "20000002")
KEYS = ("left_mp4_path", "right_mp4_path")
ROWS = (124, 140)
START_MS = 1_690_000_000_000


def write_synthetic_droid(folder: str | Path, num_episodes: int, seed: int = 0) -> Path:
    """Write trajectories in the layout of raw DROID.

    As in DROID, mp4 headers say 60 frames per second for rows recorded at 15, and every second video is one frame
    shorter than its rows. Each camera also has a stereo video and a file of times.

    Args:
        folder: Where to keep them; a folder of their own, named by number and seed, is made inside.
        num_episodes: How many, from 1.
        seed: Chooses the motions.

    Returns:
        The folder that holds the trajectory folders, for `DroidSource`.

    Raises:
        OSError: The folder cannot be written.
    """
    target = Path(folder) / f"robot-droid-{num_episodes}-seed{seed}-v{VERSION}"
    if not target.is_dir():
        with new_folder(target) as draft:
            for index, motion in enumerate(motions(num_episodes, seed)):
                _write_trajectory(draft / "success" / f"episode_{index:03d}", motion, index, short=index % 2 == 1)
    return target


def motions(num_episodes: int, seed: int) -> Iterator[Motion]:
    """The motions of a seed; the first ones do not depend on how many there are."""
    for index in range(num_episodes):
        rng = np.random.default_rng([VERSION, seed, index])
        yield Motion.draw(rng, int(rng.integers(*ROWS)))


def write_video(file: Path, frames: Iterable[Image], fps: int) -> None:
    """Write pictures as H.264, with a keyframe every 15 frames."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(file), "w") as container:
        options = {"preset": "veryfast", "crf": "18", "g": "15", "threads": "1"}
        stream = container.add_stream("libx264", rate=Fraction(fps), options=options)
        stream.pix_fmt = "yuv420p"
        for index, picture in enumerate(frames):
            if index == 0:
                stream.height, stream.width = picture.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode())


def _write_trajectory(folder: Path, motion: Motion, index: int, short: bool) -> None:
    rows = len(motion.states)
    folder.mkdir(parents=True)
    milliseconds = START_MS + np.round(motion.times * 1000).astype(np.int64)
    videos = folder / "recordings" / "MP4"
    with import_extra("h5py", "robotics").File(folder / "trajectory.h5", "w") as file:
        file["observation/robot_state/cartesian_position"] = motion.states[:, :6]
        file["observation/robot_state/gripper_position"] = motion.states[:, 6]
        file["action/cartesian_velocity"] = motion.velocities[:, :6]
        file["action/gripper_velocity"] = motion.velocities[:, 6]
        for number, (serial, place) in enumerate(zip(SERIALS, CAMERA_PLACES, strict=True)):
            poses = [camera_pose(place, eye) for eye in EYES]
            for eye, pose in zip(EYES, poses, strict=True):
                file[f"observation/camera_extrinsics/{serial}_{eye}"] = np.tile(pose, (rows, 1))
                file[f"observation/timestamp/cameras/{serial}_{eye}_frame_received"] = milliseconds
            shown = motion.states[: rows - 1] if short else motion.states
            seed = 100 * index + number
            left, right = (list(draw_frames(shown, pose, seed)) for pose in poses)
            write_video(videos / f"{serial}.mp4", left, HEADER_FPS)
            stereo = (np.concatenate(pair, axis=1) for pair in zip(left, right, strict=True))
            write_video(videos / f"{serial}-stereo.mp4", stereo, HEADER_FPS)
            (videos / f"{serial}_timestamps.json").write_text(json.dumps(milliseconds[: len(shown)].tolist()))
    metadata = {
        "current_task": motion.task,
        "trajectory_length": rows,
        "picture_size": [WIDTH, HEIGHT],
        **{
            key: f"success/{folder.name}/recordings/MP4/{serial}.mp4" for key, serial in zip(KEYS, SERIALS, strict=True)
        },
    }
    (folder / f"metadata_{index:03d}.json").write_text(json.dumps(metadata, indent=2))
