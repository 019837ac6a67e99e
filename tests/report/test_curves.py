"""The picture of a training."""

from __future__ import annotations

import numpy as np

from vjepa_pipe.report.curves import HEIGHT, LINE, WIDTH, draw_curves


def test_a_plot_for_each_number_that_is_finite() -> None:
    lines = [{"step": s, "epoch": 0, "loss": 1 / (s + 1), "lr": float("nan"), "note": "x"} for s in range(5)]
    picture = draw_curves([*lines, {"step": 4, "epoch": 0, "rankme": 3.0}])
    assert picture is not None and picture.size == (2 * WIDTH, HEIGHT)  # loss and rankme
    blue = np.all(np.asarray(picture) == [int(LINE[i : i + 2], 16) for i in (1, 3, 5)], axis=2)
    assert blue[:, :WIDTH].sum() > 100 and 0 < blue[:, WIDTH:].sum() < 50  # a curve, and a point
    left = np.flatnonzero(blue[:, : WIDTH // 3].any(axis=1)).min()
    right = np.flatnonzero(blue[:, 3 * WIDTH // 4 : WIDTH].any(axis=1)).min()
    assert left < right  # it falls
    assert draw_curves([{"step": 1, "epoch": 0}]) is None
