#!/usr/bin/env python3
"""Run an experiment: python launch.py data=kinetics data_aug=robotics (see --help)."""

import sys

from vjepa_pipe.cli import main

if __name__ == "__main__":
    sys.exit(main())
