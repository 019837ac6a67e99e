"""Where Hydra looks for our sweeper: it accepts only plugins defined below `hydra_plugins`."""

from vjepa_pipe.sweeps.sweeper import PlanSweeper


class VjepaPipeSweeper(PlanSweeper):
    """The sweeper that conf/config.yaml names."""
