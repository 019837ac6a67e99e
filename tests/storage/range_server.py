"""A web server of the tests' own: it gives byte ranges of the files in a folder, counts, and fails as it is told to."""

from __future__ import annotations

import email.utils
import hashlib
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from vjepa_pipe.storage.pace import pace_of

PART_BYTES = 1 << 16
"""Sent at once where bytes per second are limited."""


@dataclass
class Faults:
    """What the server does wrong.

    Attributes:
        statuses: Answered in turn instead of what was asked for; 0 resets the connection.
        status: Answered always, for paths that `only` matches.
        delay_sec: Waited before each answer.
        bytes_per_second: Of bodies, over all connections; None: no limit.
        cut: Bytes of a body sent before the connection is closed; None: all of them.
        stall_sec: Waited before a connection is closed that was cut.
        wrong_range: Answers name the range that was asked for and hold half of it.
        no_ranges: Whole files, whatever range is asked for.
        no_etag: Answers have no ETag.
        only: Paths that `status`, `delay_sec` and `cut` are for: a regular expression.
        once: `cut` and `wrong_range` happen once.
    """

    statuses: list[int] = field(default_factory=list)
    status: int | None = None
    delay_sec: float = 0.0
    bytes_per_second: int | None = None
    cut: int | None = None
    stall_sec: float = 0.0
    wrong_range: bool = False
    no_ranges: bool = False
    no_etag: bool = False
    only: str = ".*"
    once: bool = False


class RangeServer:
    """Serves a folder on the loopback interface. S3 clients read `s3://BUCKET/KEY` from `BUCKET/KEY` in it.

    Args:
        folder: What is served.
        unchanging: Each file is read once.

    Attributes:
        folder: What is served.
        faults: What it does wrong from now on.
        requests: Method and path of each request, with its `Range`.
        sent: Bytes of bodies sent, by path.
        content: Bytes and ETag of a file.
    """

    def __init__(self, folder: Path, unchanging: bool = False) -> None:
        self.folder, self.faults = folder, Faults()
        self.content = cache(_content) if unchanging else _content
        self.requests: list[tuple[str, str, str]] = []
        self.sent: Counter[str] = Counter()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._server.range_server = self  # type: ignore[attr-defined]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def url(self, path: str = "", query: str = "") -> str:
        """The address of a file."""
        return f"http://127.0.0.1:{self._server.server_port}/{path}{query and '?' + query}"

    def asked_for(self, path: str) -> list[str]:
        """The `Range` of each request for a file, in order."""
        return [asked for _, found, asked in self.requests if found == path]

    def close(self) -> None:
        """Refuse connections from now on."""
        self._server.shutdown()
        self._server.server_close()
        self.faults = Faults(statuses=[0] * 1000)  # on connections that are open


@contextmanager
def serving(folder: Path) -> Iterator[RangeServer]:
    """A server that ends with the context."""
    server = RangeServer(folder)
    try:
        yield server
    finally:
        server.close()


def _content(file: Path) -> tuple[bytes, str]:
    data = file.read_bytes()
    return data, f'"{hashlib.md5(data).hexdigest()}"'


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def _of(self) -> RangeServer:
        return self.server.range_server  # type: ignore[attr-defined]

    def handle(self) -> None:
        with suppress(ConnectionError):  # whoever asked has left
            super().handle()

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        of, faults = self._of, self._of.faults
        path = unquote(urlsplit(self.path).path).lstrip("/")
        asked = self.headers.get("Range", "")
        of.requests.append((self.command, path, asked))
        meant = re.fullmatch(faults.only, path) is not None
        if meant and faults.delay_sec:
            time.sleep(faults.delay_sec)
        status = faults.statuses.pop(0) if meant and faults.statuses else faults.status if meant else None
        if status == 0:
            self._reset()
        elif status is not None:
            self._answer(status, f"{status}, says the server".encode())
        elif not (file := of.folder / path).is_file():
            self._answer(404, b"not here")
        else:
            self._give(file, path, asked, faults if meant else Faults())

    def _give(self, file: Path, path: str, asked: str, faults: Faults) -> None:
        data, etag = self._of.content(file)
        facts = {"Last-Modified": email.utils.formatdate(file.stat().st_mtime, usegmt=True), "Accept-Ranges": "bytes"}
        if not faults.no_etag:
            facts["ETag"] = etag
        if (wanted := self.headers.get("If-Match")) and wanted != facts.get("ETag"):
            return self._answer(412, b"")
        if not asked or faults.no_ranges:
            self._of.sent[path] += len(data) if self.command == "GET" else 0
            return self._answer(200, data, facts, rate=faults.bytes_per_second)
        first, last = re.fullmatch(r"bytes=(\d+)-(\d*)", asked).groups()  # type: ignore[union-attr]
        start, end = int(first), min(int(last or len(data)) + 1, len(data))
        if start >= len(data):
            return self._answer(416, b"", facts | {"Content-Range": f"bytes */{len(data)}"})
        body = data[start:end]
        if faults.wrong_range:
            faults.wrong_range = not faults.once
            body = body[: len(body) // 2]
        self._of.sent[path] += len(body)
        cut, faults.cut = faults.cut, None if faults.once else faults.cut
        facts["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
        return self._answer(206, body, facts, cut, faults.bytes_per_second)

    def _answer(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        cut: int | None = None,
        rate: int | None = None,
    ) -> None:
        try:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self._send(body if cut is None else body[:cut], rate)
                if cut is not None and self._of.faults.stall_sec:
                    time.sleep(self._of.faults.stall_sec)
            self.close_connection = self.close_connection or cut is not None
        except OSError:  # whoever asked has left
            self.close_connection = True

    def _send(self, body: bytes, rate: int | None) -> None:
        if rate is None:
            self.wfile.write(body)
            return
        for start in range(0, len(body), PART_BYTES):
            part = body[start : start + PART_BYTES]
            pace_of(rate).wait(len(part))
            self.wfile.write(part)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()
        self.rfile = self.wfile = open("/dev/null", "r+b", 0)  # noqa: PTH123, SIM115

    def log_message(self, *_: object) -> None:
        pass
