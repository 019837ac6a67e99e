"""Files that lie in object storage or on a web server, by their URLs: read whole or in ranges, and listed.

Readers above ask `is_remote` of a path, and open one that is by `Storage.open`; nothing else differs for them.
"""

from __future__ import annotations

from vjepa_pipe.config.urls import is_remote, local_path, shown_path
from vjepa_pipe.storage.answers import Answer, Facts, Listed
from vjepa_pipe.storage.errors import NoSuchObject, NotAnObject, ObjectChanged, ObjectError, StorageError
from vjepa_pipe.storage.process import REQUESTS_AT_ONCE, never_forks
from vjepa_pipe.storage.ranges import RangesRead
from vjepa_pipe.storage.remote_file import RemoteFile
from vjepa_pipe.storage.storage import Storage
from vjepa_pipe.storage.urls import absolute, folder_of, join, name_of

__all__ = [
    "REQUESTS_AT_ONCE",
    "Answer",
    "Facts",
    "Listed",
    "NoSuchObject",
    "NotAnObject",
    "ObjectChanged",
    "ObjectError",
    "RangesRead",
    "RemoteFile",
    "Storage",
    "StorageError",
    "absolute",
    "folder_of",
    "is_remote",
    "join",
    "local_path",
    "name_of",
    "never_forks",
    "shown_path",
]
