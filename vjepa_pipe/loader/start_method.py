"""How processes start where nothing else was said."""

from __future__ import annotations

import multiprocessing


def use_a_known_start_method() -> None:
    """Where this process starts others in a way of its own, let it start them in the platform's way.

    So do the workers of joblib: theirs can neither send shared memory nor be named to a spawned process.
    """
    known = multiprocessing.get_all_start_methods()
    default = multiprocessing.get_start_method(allow_none=True)
    if default is not None and default not in known:
        multiprocessing.set_start_method(known[0], force=True)
