"""How this program is started, for messages that say what to type."""

from __future__ import annotations

import sys
from pathlib import Path

from vjepa_pipe.config.folders import PACKAGE


def program() -> str:
    """What was typed: `vjepa-pipe`, `python -m vjepa_pipe` or `python launch.py`.

    Where somebody else's program calls us, `python launch.py` in a checkout, and else `vjepa-pipe`.
    """
    typed = Path(sys.argv[0] if sys.argv else "")
    if typed.parts[-2:] == ("vjepa_pipe", "__main__.py"):
        return "python -m vjepa_pipe"
    in_checkout = (PACKAGE.parent / "launch.py").is_file()
    return "python launch.py" if in_checkout and typed.name != "vjepa-pipe" else "vjepa-pipe"
