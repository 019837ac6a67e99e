"""Looking at something every so often while something else goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

POLL_SEC = 2.0
"""Between two looks."""


@contextmanager
def polling(look: Callable[[], bool], name: str) -> Iterator[None]:
    """Within this context a thread calls `look` every `POLL_SEC`, until it returns True.

    Args:
        look: What is called; where it raises an OSError, as on a full disk, it is called again the next time.
        name: Of the thread.
    """
    ended = threading.Event()

    def poll() -> None:
        while not ended.wait(POLL_SEC):
            with suppress(OSError):
                if look():
                    return

    thread = threading.Thread(target=poll, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
