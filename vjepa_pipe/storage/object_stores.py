"""One request to S3, GCS, Azure or a web server, by obstore; errors are those of `errors.py`.

obstore is written in Rust and keeps threads, which a fork does not copy: in a process that was forked from one that has
used it, every request waits for ever. So these functions are called only where `process.perform` allows it.
"""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore import exceptions, store

from vjepa_pipe.config.storage import StorageConfig
from vjepa_pipe.config.urls import scheme_of, shown_path
from vjepa_pipe.storage.answers import PROBE, Answer, Facts, Listed
from vjepa_pipe.storage.errors import (
    NoSuchObject,
    NoSuchRange,
    ObjectChanged,
    ObjectError,
    StorageError,
    Transient,
)

CLIENTS = 64
"""Buckets and servers whose connections are kept."""

_STATUS = re.compile(r"status code: (\d{3})(?: [A-Z][\w-]*)*")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_BAD_CREDENTIALS = frozenset({
    "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "RequestTimeTooSkewed", "SignatureDoesNotMatch",
    "TokenRefreshRequired", "AuthenticationFailed",
})  # fmt: skip
_OTHER_REGION = frozenset({"AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"})
_NO_CREDENTIALS = ("latest/api/token", "latest/meta-data", "computeMetadata", "metadata/identity")
"""Where a cloud's machines get theirs, which is asked last."""
_AGAIN = (408, 425, 429)


def read(config: StorageConfig, url: str, start: int, end: int, known: Facts | None) -> Answer:
    """The bytes `start` to `end` of an object, fewer where it ends before.

    Args:
        config: Settings.
        url: The object.
        start: First byte.
        end: After the last byte; more than `start`.
        known: What the object must still be; None: anything.
    """
    client, path = _client(config, url)
    options: obstore.GetOptions = {"range": (start, end)}
    if known is not None and known.version.startswith('"'):  # a strong ETag
        options["if_match"] = known.version
    with _named(config, url):
        found = obstore.get(client, path, options=options)
        return Answer(bytes(found.bytes()), _facts(found.meta))


def facts(config: StorageConfig, url: str) -> Facts:
    """What is known of an object."""
    client, path = _client(config, url)
    with _named(config, url):
        return _facts(obstore.head(client, path))


def list_below(config: StorageConfig, url: str, most: int, after: str | None) -> list[Listed]:
    """The objects below a prefix that ends in a slash, in the order of their names, from the one after `after` on."""
    client, path = _client(config, url)
    root = url.removesuffix(path)
    offset = None if after is None else after.removeprefix(root)
    with _named(config, url):
        found = (one for batch in obstore.list(client, path, offset=offset, chunk_size=most) for one in batch)
        return [Listed(root + one["path"], one["size"]) for one in islice(found, most)]


def answers(config: StorageConfig, url: str) -> bool:
    """Whether the store of an object answers at all, be it with a refusal."""
    client, _ = _client(config, url)
    try:
        with _named(config, url):
            obstore.head(client, PROBE)
    except ObjectError:
        pass
    except (StorageError, Transient):
        return False
    return True


def _client(config: StorageConfig, url: str) -> tuple[Any, str]:
    """The client of an object's bucket or server, and its name there."""
    try:
        return _client_of(config, url)
    except ValueError:  # whose text holds the URL whole
        fault = ObjectError(url, "its server, port or bucket has no name that one can have")
    raise fault


def _client_of(config: StorageConfig, url: str) -> tuple[Any, str]:
    scheme, rest = scheme_of(url), url.partition("://")[2]
    if scheme in ("http", "https"):
        parts = urlsplit(url)
        root = f"{scheme}://{parts.netloc}/{parts.query and '?' + parts.query}"
        return _http(root, config.timeout_sec), unquote(parts.path).lstrip("/")
    bucket, _, path = rest.partition("/")
    if not bucket:
        raise ValueError(url)
    settings: dict[str, Any] = {"skip_signature": True} if config.anonymous else {}
    if scheme == "s3":
        settings |= _s3_settings(config)
    return _bucket(f"{scheme}://{bucket}", tuple(sorted(settings.items())), config.timeout_sec), path


def _options(timeout_sec: float) -> dict[str, Any]:
    whole = timedelta(seconds=timeout_sec)
    return {
        "client_options": {"timeout": whole, "connect_timeout": whole, "allow_http": True},
        "retry_config": {"max_retries": 0, "retry_timeout": whole},  # `Storage` tries again, for all stores alike
    }


@lru_cache(CLIENTS)
def _http(root: str, timeout_sec: float) -> Any:
    return store.HTTPStore(root, **_options(timeout_sec))


@lru_cache(CLIENTS)
def _bucket(root: str, settings: tuple[tuple[str, Any], ...], timeout_sec: float) -> Any:
    try:
        return store.from_url(root, **dict(settings), **_options(timeout_sec))
    except exceptions.BaseError as error:
        advice = ": set AZURE_STORAGE_ACCOUNT_NAME" if "Account must be specified" in str(error) else ""
    raise StorageError(f"{shown_path(root)} cannot be used{advice}")


def _s3_settings(config: StorageConfig) -> dict[str, Any]:
    """Endpoint, region and, where the environment gives no credentials, those in AWS's own files."""
    profile = {} if config.anonymous else _aws_profile()
    in_environment = {"AWS_REGION", "AWS_DEFAULT_REGION"} & os.environ.keys()
    region = config.region or (None if in_environment else profile.get("region"))
    given = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
             "AWS_CONTAINER_CREDENTIALS_FULL_URI")  # fmt: skip
    keys = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    named = {} if any(os.environ.get(name) for name in given) else {name: profile.get(name) for name in keys}
    found = {"endpoint": config.endpoint, "region": region, **named}
    return {name: value for name, value in found.items() if value}


def _aws_profile() -> dict[str, str]:
    """What AWS's files say of $AWS_PROFILE, or of the default profile."""
    profile = os.environ.get("AWS_PROFILE") or "default"
    found: dict[str, str] = {}
    for variable, default, section in (
        ("AWS_CONFIG_FILE", "~/.aws/config", profile if profile == "default" else f"profile {profile}"),
        ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", profile),
    ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(Path(os.environ.get(variable) or default).expanduser())
        except (OSError, RuntimeError, ValueError, configparser.Error):
            continue
        found |= dict(parser.items(section)) if parser.has_section(section) else {}
    return found


def _facts(meta: Any) -> Facts:
    version = meta["e_tag"] or meta["version"] or meta["last_modified"].isoformat()
    return Facts(meta["size"], version)


@contextmanager
def _named(config: StorageConfig, url: str) -> Iterator[None]:
    """Errors of obstore leave as ours, without a trace of its texts: they hold URLs whole, signatures included."""
    try:
        yield
        return
    except (exceptions.BaseError, OSError, ValueError) as error:
        named = _as_ours(config, url, error)
    raise named


def _as_ours(config: StorageConfig, url: str, error: Exception) -> Exception:
    text = str(error)
    found, code = _STATUS.search(text), _CODE.search(text)
    status = int(found[1]) if found else 0
    said = " ".join(part for part in (str(status or ""), code[1] if code else "") if part)
    if any(place in text for place in _NO_CREDENTIALS):
        places = "in the environment, nor in the cloud's own files"
        return Transient(f"no credentials are {places}; a public bucket needs none: storage.anonymous=true")
    if code and code[1] in _BAD_CREDENTIALS:
        return StorageError(f"{_root(url)} refuses the credentials ({said})")
    if isinstance(error, FileNotFoundError):
        bucket = code is not None and code[1] in ("NoSuchBucket", "ContainerNotFound")
        return NoSuchObject(url, f"there is no {'such bucket' if bucket else 'such object'}")
    if isinstance(error, (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError)):
        return ObjectError(url, f"access is denied ({said or 'without a reason'})")
    if isinstance(error, exceptions.PreconditionError):
        return ObjectChanged(url)
    if isinstance(error, exceptions.InvalidPathError):
        return ObjectError(url, "its name has empty or relative parts")
    if isinstance(error, exceptions.NotSupportedError):
        return ObjectError(url, "its server gives no byte ranges")
    if "Received redirect" in text or (code and code[1] in _OTHER_REGION):
        return ObjectError(url, "its bucket is in another region: set storage.region")
    if status == 416:
        return NoSuchRange(url, "it ends before the bytes that were asked for")
    if 400 <= status < 500 and status not in _AGAIN:
        return ObjectError(url, f"the request is refused ({said})")
    return Transient(f"it answers {said}" if status else _connection_fault(config, text))


def _connection_fault(config: StorageConfig, text: str) -> str:
    for sign, fault in (
        ("kind: Timeout", f"no answer within {config.timeout_sec:g} s"),
        ("dns error", "its name cannot be resolved"),
        ("Connection refused", "the connection is refused"),
        ("ertificate", "its certificate is not accepted"),
        ("kind: Connect", "no connection can be made"),
        ("kind: Interrupted", "the connection was cut"),
    ):
        if sign in text:
            return fault
    return "the request failed"


def _root(url: str) -> str:
    return "/".join(shown_path(url).split("/")[:3])
