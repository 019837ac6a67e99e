"""Registering resolvers with OmegaConf, whose lines have two names for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import omegaconf
from omegaconf import OmegaConf


def register_resolver(name: str, resolver: Callable[..., Any], use_cache: bool = False) -> None:
    """Make a resolver known to OmegaConf, in place of one of the same name."""
    old = omegaconf.__version__.startswith("2.3.")  # where `register_resolver` is something else
    register: Any = OmegaConf.register_new_resolver if old else OmegaConf.register_resolver
    register(name, resolver, use_cache=use_cache, replace=True)
