"""`python -m vjepa_pipe`: the same as launch.py, from any folder."""

import sys

from vjepa_pipe.cli import main

if __name__ == "__main__":
    sys.exit(main())
