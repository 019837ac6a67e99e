"""Hydra's mechanics: how words and files become a config, and where each value came from."""
