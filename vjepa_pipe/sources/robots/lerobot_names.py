"""Which cameras and columns of a LeRobot dataset are read: those that are named, else what `meta/info.json` offers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from vjepa_pipe.config.errors import did_you_mean
from vjepa_pipe.config.robot_data import RobotDataConfig
from vjepa_pipe.config.robotics import RoboticsConfig
from vjepa_pipe.sources.robots.episodes import EYES, pose_column
from vjepa_pipe.sources.robots.lerobot_info import LeRobotInfo

STATE, ACTION, CAMERA_POSE = "observation.state", "action", "camera_extrinsics.{camera}"
POSE = 6


def with_lerobot_names(data: RobotDataConfig, info: LeRobotInfo) -> RobotDataConfig:
    """The same config, with the dataset's own names where none were given.

    All cameras but those of distances; the column `observation.state`, or else every `observation.state.*`; `action`,
    or else every `action.*`; `camera_extrinsics.{camera}` if each of the cameras has one.
    """
    cameras, extrinsics = data.cameras or info.cameras, data.extrinsics_key
    if extrinsics is None:
        columns = [info.columns.get(column) for column in _of_each(CAMERA_POSE, cameras)]
        extrinsics = CAMERA_POSE if all(column and column.size == POSE for column in columns) else ""
    return replace(
        data,
        cameras=cameras,
        state_keys=data.state_keys or _named_or_below(STATE, info),
        action_keys=data.action_keys or _named_or_below(ACTION, info),
        extrinsics_key=extrinsics,
    )


def name_faults(data: RobotDataConfig, info: LeRobotInfo, robotics: RoboticsConfig) -> Iterator[str]:
    """A line for each name that the dataset does not have: what it has instead, and the overrides that mend it.

    Args:
        data: After `with_lerobot_names`.
        info: The dataset.
        robotics: Without states, only cameras are looked for.
    """
    known = ", ".join(info.cameras) or "none"
    mend = f"set data.cameras=[{','.join(info.cameras)}] or some of them"
    if not info.cameras and not data.cameras:
        yield f"data.cameras: {info.shown} has neither videos nor images"
    for camera in data.cameras:
        feature = info.features.get(camera)
        if feature is not None and feature.has_pictures:
            continue
        fault = f"is stored as {feature.kind}, and is not" if feature else "is not"
        yield f"data.cameras: {info.shown}: camera {camera} {fault} one of its cameras: {known}: {mend}"
    fps = robotics.fps if robotics.enabled else data.target_fps
    if fps is not None and fps > info.fps and robotics.temporal_sampling == "physical":
        yield (
            f"data.target_fps: {info.shown} has {info.fps:g} rows per second, {fps:g} were asked for: "
            f"set data.target_fps={info.fps:g} or less"
        )
    if not robotics.enabled:
        return
    yield from _column_faults("data.state_keys", data.state_keys, STATE, "robotics=none for video alone", info)
    if robotics.action == "dataset":
        yield from _column_faults("data.action_keys", data.action_keys, ACTION, "robotics.action=difference", info)
    if data.extrinsics_key:
        columns = _of_each(data.extrinsics_key, data.cameras)
        yield from _column_faults("data.extrinsics_key", columns, "", "data.extrinsics_key=''", info)
        for column in columns:
            if column in info.columns and info.columns[column].size != POSE:
                size = info.columns[column].size
                yield f"data.extrinsics_key: {info.shown}: {column} has {size} numbers, a camera's pose has {POSE}"
    elif robotics.camera_frame:
        yield (
            f"robotics.camera_frame: {info.shown} does not say where its cameras are ({CAMERA_POSE}): "
            "set data.extrinsics_key=COLUMN, or robotics.camera_frame=false"
        )


def _column_faults(field: str, columns: Sequence[str], usual: str, instead: str, info: LeRobotInfo) -> Iterator[str]:
    offered = ", ".join(f"{name} [{column.size}]" for name, column in info.columns.items()) or "none"
    found = _named_or_below(usual, info) if usual else []
    example = f"[{','.join(found) or 'NAME,...'}]" if usual else "NAME"
    mend = f"set {field}={example}, or {instead}"
    if not columns:
        yield f"{field}: {info.shown} has no column {usual} or {usual}.* (columns: {offered}): {mend}"
    if missing := [column for column in columns if column not in info.features]:
        hint = did_you_mean(missing[0], info.columns)
        yield f"{field}: {info.shown} has no column {', '.join(missing)} (columns: {offered}){hint}: {mend}"
    for column in columns:
        feature = info.features.get(column)
        if feature is not None and not feature.has_numbers:
            fault = f"stores {column} as {feature.kind}, not as numbers (columns: {offered})"
            yield f"{field}: {info.shown} {fault}: {mend}"


def _named_or_below(name: str, info: LeRobotInfo) -> list[str]:
    return [name] if name in info.columns else [column for column in info.columns if column.startswith(f"{name}.")]


def _of_each(pattern: str, cameras: Sequence[str]) -> list[str]:
    """The column of each camera; LeRobot has no second eye."""
    return list(dict.fromkeys(pose_column(pattern, camera.rpartition(".")[2], EYES[0]) for camera in cameras))
