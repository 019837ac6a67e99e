"""Sweeps: every point checked before the first runs, and a table of the results."""
