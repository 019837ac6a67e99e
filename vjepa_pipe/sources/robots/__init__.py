"""Robot episodes: raw DROID and LeRobot."""
