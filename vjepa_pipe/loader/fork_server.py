"""A process that forks workers, so that the main one need not once it has threads, a GPU and open files.

It is forked from the main process before the first batch, has one thread, and keeps what every worker is given.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Callable
from typing import Any

import psutil

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.loader.channel import Channel, readable
from vjepa_pipe.loader.processes import is_alive, start_unlisted

Run = Callable[[int, Channel], None]

_REPLY_SEC = 10.0
_PARENT_CHECK_SEC = 2.0
_SPARE = -1
_STARTED, _ENDED, _REFUSED = range(3)


class _Gone(Exception):
    """The server does not answer any more."""


class ForkServer:
    """The main process's side of it.

    A spare server stands by, forked by the first one, in case that one is killed; it then takes its place and forks a
    spare of its own.

    Args:
        run: What a worker runs, given its number and its end of the connection.
    """

    def __init__(self, run: Run) -> None:
        self._pids: dict[int, ForkedProcess] = {}
        self._channel, theirs = Channel.pair()
        context = multiprocessing.get_context("fork")
        self._first: Any = context.Process(target=_serve, args=(theirs, self._channel, run, os.getpid()), name="forks")
        try:
            start_unlisted(self._first)
        finally:
            theirs.close()
        self._spare = self._fork(_SPARE)[1]

    def launch(self, number: int) -> tuple[ForkedProcess, Channel]:
        """Start a worker.

        Raises:
            UserError: If the server and its spare are gone.
            OSError: If the system refuses another process.
        """
        try:
            pid, channel = self._fork(number)
        except _Gone:
            self._take_over()
            pid, channel = self._fork(number)
        process = self._pids[pid] = ForkedProcess(pid, self)
        return process, channel

    def collect(self, seconds: float = 0.0) -> None:
        """Learn of workers that have ended, waiting for news at most for some seconds."""
        if self._channel.closed:  # both servers are gone
            time.sleep(seconds)
            return
        readable([self._channel], seconds)
        try:
            self._reports()
        except _Gone:
            with contextlib.suppress(UserError):
                self._take_over()

    def close(self) -> None:
        """End the servers, and the workers that are left."""
        self._channel.close()
        self._spare.close()
        self._first.join(1.0)
        self._first.kill()
        self._first.join(1.0)

    def _fork(self, number: int) -> tuple[int, Channel]:
        if self._channel.closed:
            raise _Gone
        ours, theirs = Channel.pair()
        try:
            self._channel.post(pickle.dumps(number), [theirs.detach()])
            until = time.monotonic() + _REPLY_SEC
            while time.monotonic() < until:
                readable([self._channel], until - time.monotonic())
                for kind, value in self._reports():
                    if kind == _REFUSED:
                        raise OSError(value, os.strerror(value))
                    return value, ours
            raise _Gone
        except ConnectionError as error:
            ours.close()
            raise _Gone from error
        except BaseException:
            ours.close()
            raise

    def _reports(self) -> list[tuple[int, int]]:
        """Take in what the server has sent; the answer to a request is given back."""
        answers = []
        for message in self._channel.messages():
            kind, value, code = pickle.loads(message.data)
            if kind != _ENDED:
                answers.append((kind, value))
            elif (process := self._pids.pop(value, None)) is not None:
                process.exit_code = code
        if self._channel.closed and not answers:
            raise _Gone
        return answers

    def _take_over(self) -> None:
        self._channel.close()
        self._first.kill()
        self._pids.clear()  # nobody will tell how they end
        self._channel = self._spare
        try:
            self._spare = self._fork(_SPARE)[1]
        except _Gone:
            raise UserError("the processes that start workers have been killed; the loader has to be closed") from None


class ForkedProcess:
    """A worker that a fork server has started.

    Attributes:
        pid: Its process id.
        exit_code: As the server has told; None before, and if that server is gone.
    """

    def __init__(self, pid: int, server: ForkServer) -> None:
        self.pid = pid
        self.exit_code: int | None = None
        self._server = server
        self._process: psutil.Process | None = None
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended already
            self._process = psutil.Process(pid)

    def wait(self, seconds: float) -> bool:
        """Wait for its end."""
        until = time.monotonic() + seconds
        while True:
            self._server.collect(min(0.1, max(0.0, until - time.monotonic())))
            if self.exit_code is not None:
                return True
            orphan = self.pid not in self._server._pids
            if orphan and not (self._process is not None and is_alive(self._process)):
                return True
            if time.monotonic() >= until:
                return False

    def kill(self) -> None:
        """Send SIGKILL."""
        if self.exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def _serve(channel: Channel, other_end: Channel, run: Run, main: int) -> None:
    """Fork what is asked for, tell of those that end, and end with the main process."""
    other_end.close()
    for reaches_all in (signal.SIGINT, signal.SIGTERM):  # of Ctrl-C, and of a job that is to end; the main one decides
        signal.signal(reaches_all, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # a handler that a fork inherited is not meant for us
    gc.freeze()  # pages that no collection touches stay shared with the workers
    context = multiprocessing.get_context("fork")
    children: dict[int, Any] = {}
    with contextlib.suppress(psutil.NoSuchProcess, ConnectionError):
        parent = psutil.Process(main)
        while not channel.closed and is_alive(parent):
            ready = readable([channel, *children], _PARENT_CHECK_SEC)
            try:
                for data, (fd,) in channel.messages():
                    child = _fork_child(context, pickle.loads(data), Channel.of(fd), channel, run, main)
                    children[child.sentinel] = child
                    channel.post(pickle.dumps((_STARTED, child.pid, None)))
            except ConnectionError:
                break
            except OSError as error:
                channel.post(pickle.dumps((_REFUSED, error.errno or errno.EAGAIN, None)))
            for sentinel in children.keys() & ready:
                child = children.pop(sentinel)
                child.join()
                channel.post(pickle.dumps((_ENDED, child.pid, child.exitcode)))
    for child in children.values():
        if child.daemon:
            child.kill()


def _fork_child(context: Any, number: int, end: Channel, servers: Channel, run: Run, main: int) -> Any:
    child = (
        context.Process(target=_serve, args=(end, servers, run, main), name="forks")
        if number == _SPARE
        else context.Process(target=_work, args=(end, servers, run, number), name=f"worker{number}", daemon=True)
    )
    try:
        start_unlisted(child)
    finally:
        end.close()
    return child


def _work(channel: Channel, servers: Channel, run: Run, number: int) -> None:
    servers.close()
    run(number, channel)
