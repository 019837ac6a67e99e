"""Draw the result of `bench/compare.py`: python bench/plot.py bench.json docs/performance.png"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

COLOURS = ("#8a8a8a", "#1f5fa8", "#3f8fd0", "#7fc0ee", "#b5dbf5", "#c9b26b")
BAR, GAP, LEFT, WIDTH = 20, 12, 190, 900


def main() -> None:
    rows = json.loads(Path(sys.argv[1]).read_text())["rows"]
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    height = 40 + sum((1 + len(row)) * BAR + GAP for row in rows.values())
    image = Image.new("RGB", (WIDTH, height), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(13)
    draw.text((10, 10), "processor time per clip, ms; each kind of footage has a scale of its own", "black", font)
    top = 40
    for row, loaders in rows.items():
        draw.text((10, top), row, "black", font)
        top += BAR
        most = max(figures["cpu_ms_per_clip"] for figures in loaders.values())
        for name, figures in loaders.items():
            length = int((WIDTH - LEFT - 60) * figures["cpu_ms_per_clip"] / most)
            draw.rectangle((LEFT, top + 2, LEFT + length, top + BAR - 3), COLOURS[names.index(name) % len(COLOURS)])
            draw.text((30, top + 1), name, "#555555", font)
            draw.text((LEFT + length + 5, top + 1), f"{figures['cpu_ms_per_clip']:.0f}", "black", font)
            top += BAR
        top += GAP
    image.save(sys.argv[2], optimize=True)


if __name__ == "__main__":
    main()
