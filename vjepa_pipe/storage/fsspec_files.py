"""One request to a store that fsspec has an implementation for, such as `hf://` and `memory://`; as `object_stores`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.extras import import_extra
from vjepa_pipe.config.storage import StorageConfig
from vjepa_pipe.config.urls import EXTRA, scheme_of
from vjepa_pipe.storage.answers import PROBE, Answer, Facts, Listed
from vjepa_pipe.storage.errors import NoSuchObject, ObjectChanged, ObjectError, StorageError, Transient


def read(config: StorageConfig, url: str, start: int, end: int, known: Facts | None) -> Answer:
    """See `object_stores.read`; what is known of the object is asked for again each time."""
    files, path = file_system(url)
    with _named(url):
        found = facts(config, url)
        if known not in (None, found):
            raise ObjectChanged(url)
        return Answer(bytes(files.cat_file(path, start, min(end, found.size))), found)


def facts(config: StorageConfig, url: str) -> Facts:  # noqa: ARG001
    """See `object_stores.facts`."""
    files, path = file_system(url)
    with _named(url):
        about = files.info(path)
        if about["type"] == "directory":
            raise NoSuchObject(url, "there is no such object")
        return Facts(int(about["size"]), str(files.ukey(path)))


def list_below(config: StorageConfig, url: str, most: int, after: str | None) -> list[Listed]:  # noqa: ARG001
    """See `object_stores.list_below`."""
    files, path = file_system(url)
    with _named(url):
        root = f"{path.rstrip('/')}/"  # what is found at the name itself is a file
        found = sorted((name, about) for name, about in files.find(path, detail=True).items() if name.startswith(root))
        below = (Listed(url + name.removeprefix(root), about["size"]) for name, about in found)
        return list(islice((one for one in below if after is None or one.url > after), most))


def answers(config: StorageConfig, url: str) -> bool:
    """See `object_stores.answers`."""
    try:
        facts(config, f"{url.rpartition('/')[0]}/{PROBE}")
    except ObjectError:
        pass
    except (StorageError, Transient):
        return False
    return True


def file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL, and its name there.

    Raises:
        UserError: If a library that it needs is not installed, or nobody knows its scheme.
    """
    core = import_extra("fsspec.core", EXTRA)
    try:
        found: tuple[Any, str] = core.url_to_fs(url)
        return found
    except ImportError as error:
        raise UserError(f"{scheme_of(url)}:// URLs need another package ({error})") from error
    except ValueError as error:
        raise UserError(f"{scheme_of(url)}:// is no scheme that is known") from error


@contextmanager
def _named(url: str) -> Iterator[None]:
    """Errors of fsspec leave as ours, without their texts, which may hold more than may be shown."""
    try:
        yield
        return
    except (ObjectError, Transient, UserError):
        raise
    except FileNotFoundError:
        named: Exception = NoSuchObject(url, "there is no such object")
    except PermissionError:
        named = ObjectError(url, "access is denied")
    except Exception as error:  # of whichever library the file system is made of
        named = Transient(f"{type(error).__name__} from its library")
    raise named
