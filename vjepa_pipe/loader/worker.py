"""What happens in a worker process."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import threading
import time
import traceback
from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

import psutil
from torch.utils.data._utils import worker as torch_worker

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.loader.blocks import Blocks
from vjepa_pipe.loader.channel import Channel, close_all
from vjepa_pipe.loader.processes import Parcel, is_alive
from vjepa_pipe.loader.pulse import Phase, Pulse
from vjepa_pipe.loader.shortage import shortage

_PARENT_CHECK_SEC = 2.0


class Work(Protocol):
    """What a worker does, over and over."""

    @property
    def blocks(self) -> Blocks:
        """Memory that results may stand in."""

    def watch(self, pulse: Pulse) -> None:
        """Tell this pulse what is being read, from now on."""

    def plan(self, task: Any) -> None:
        """Begin what a task that is done next, and later ones that it tells of, will need."""

    def __call__(self, task: Any) -> Any:
        """A task to its result."""

    def leave(self) -> None:
        """The pass that the tasks so far were of is over: what was begun for later ones is not wanted."""


@dataclass(frozen=True)
class Failure:
    """An error in place of a result. It travels as a value and is raised where results are used."""

    error: Exception


class CannotCross(UserError):
    """A batch holds what cannot be pickled, or not be unpickled.

    Args:
        error: What pickle says.
    """

    def __init__(self, error: BaseException | str) -> None:
        reason = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"a batch cannot be sent from a worker to the main process: {self.reason}; "
            "let the dataset and the collator return tensors, arrays and plain values"
        )


def run_worker(number: int, channel: Channel, parcel: Parcel, num_workers: int, pulse: Pulse, parent: int) -> None:
    """The life of a worker: tasks in, results out, until there are no more or the main process is gone.

    Args:
        number: Of this worker.
        channel: To the main process.
        parcel: A `Work`, and what is called with the number first of all.
        num_workers: Of the loader.
        pulse: Where to tell what is being done.
        parent: Process id of the main process.
    """
    pulse.enter(Phase.STARTING)
    # For `get_worker_info`: torch then collates into shared memory, which crosses to the main process uncopied.
    torch_worker._worker_info = torch_worker.WorkerInfo(id=number, num_workers=num_workers, seed=0, dataset=None)  # type: ignore[arg-type]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the main one decides
    for deadly in (signal.SIGTERM, signal.SIGALRM):  # a handler that a fork inherited is not meant for us
        signal.signal(deadly, signal.SIG_DFL)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    try:
        work, start = parcel.open()
        start(number)
        work.watch(pulse)
    except (Exception, SystemExit) as error:
        channel.send(pickle.dumps((None, Failure(_portable(error)))))
        return
    gc.freeze()  # what stands now stays: looking through it again and again would cost 4 % of a worker's time
    pulse.enter(Phase.IDLE)
    inbox = _Inbox(channel)
    while (message := inbox.next()) is not None:
        pulse.enter(Phase.WORKING)
        place, task, given_back = message
        work.blocks.give_back(given_back)
        if place is None:
            work.leave()
            pulse.enter(Phase.IDLE)
            continue
        try:
            work.leave() if inbox.ends_pass else work.plan(task)
            result = work(task)
        except Exception as error:
            result = Failure(shortage(error) or _portable(error))
        pulse.enter(Phase.WORKING)
        try:
            data, fds = work.blocks.dumps((place, result))
            try:
                channel.send(data, fds)
            finally:
                close_all(fds)
        except (ConnectionError, EOFError):
            break
        except Exception as error:
            channel.send(pickle.dumps((place, Failure(shortage(error) or CannotCross(error)))))
        del result
        pulse.enter(Phase.IDLE)
    work.leave()


class _Inbox:
    """Messages of the main process: the place of a task, the task, and blocks given back; no place: a pass is over."""

    def __init__(self, channel: Channel) -> None:
        self._channel, self._waiting = channel, deque[Any]()

    def next(self) -> Any:
        """The next one; None if there will be no more."""
        try:
            self._waiting.extend(pickle.loads(message.data) for message in self._channel.messages())
            return self._waiting.popleft() if self._waiting else pickle.loads(self._channel.recv().data)
        except (EOFError, ConnectionError):
            return None

    @property
    def ends_pass(self) -> bool:
        """Whether one that has come says that the pass is over."""
        return any(message is None or message[0] is None for message in self._waiting)


def _portable(error: BaseException) -> Exception:
    """The error with its traceback as a note, in a form that crosses to another process."""
    text = "in a worker:\n" + "".join(traceback.format_exception(error))
    error.add_note(text)
    if not isinstance(error, Exception):  # sys.exit
        return RuntimeError(text)
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # whatever an exception class of somebody else's does
        return RuntimeError(text)
    return error


def _end_with(parent: int) -> None:
    """End this process when the main one has gone; a pipe may be held open by a sibling."""
    try:
        process = psutil.Process(parent)
        while is_alive(process):
            time.sleep(_PARENT_CHECK_SEC)
    except psutil.NoSuchProcess:
        pass
    os._exit(1)
