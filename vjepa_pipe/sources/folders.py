"""Folders that appear complete or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Fill a folder that other processes may be making at the same time.

    The block gets an empty folder beside `target`, which is renamed to `target` when the block ends
    well. Whoever comes first wins; the later ones are dropped, as all are equal.

    Args:
        target: The folder to make; its parents are made too.

    Yields:
        The folder to write into.

    Raises:
        OSError: The folder cannot be made.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
    draft.mkdir()
    try:
        yield draft
        try:
            draft.replace(target)
        except OSError:
            # A folder that is not empty cannot be replaced: another process was first.
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
