"""The worker pool by itself: how workers start and end, and what keeps nobody waiting."""

from __future__ import annotations

import errno
import os
import pickle
import resource
import signal
import subprocess
import threading
import time
from pathlib import Path

import psutil
import pytest
import torch
from hazards import hang
from program import launch

from vjepa_pipe.config import UserError
from vjepa_pipe.loader import pulse
from vjepa_pipe.loader.blocks import Blocks
from vjepa_pipe.loader.channel import Channel
from vjepa_pipe.loader.pool import Death, WorkerPool
from vjepa_pipe.loader.processes import CannotStart
from vjepa_pipe.loader.pulse import Phase
from vjepa_pipe.loader.shortage import Shortage, shortage
from vjepa_pipe.loader.watch import Clock, Watch
from vjepa_pipe.loader.worker import _Inbox
from vjepa_pipe.sampling import SampleKey

FORKS: list[int] = []
os.register_at_fork(before=lambda: FORKS.append(os.getpid()))


class Echo:
    """Gives each task back, with the process that had it."""

    def __init__(self) -> None:
        self.blocks = Blocks()
        self.left = False

    def watch(self, pulse) -> None:
        self.pulse = pulse

    def plan(self, task) -> None: ...

    def leave(self) -> None:
        self.left = True

    def __call__(self, task):
        if task == "hang after sending":
            threading.Timer(0.3, hang).start()
            return torch.ones(3), torch.ones(2)
        if task == "whether a pass is over":
            return self.left
        return os.getpid(), task


def nothing(number: int) -> None: ...


def fail(number: int) -> None:
    raise ValueError(f"no such device in worker {number}")


def leave(number: int) -> None:
    os._exit(5)


def hang_at_start(number: int) -> None:
    hang()


@pytest.fixture
def pool_of():
    pools = []

    def make(start=nothing, workers=2, prefetch=2, method="fork", timeout=30.0) -> WorkerPool:
        deaths: list[Death] = []
        pool = WorkerPool(Echo(), start, workers, prefetch, method, timeout, deaths.append)
        pool.deaths = deaths
        pools.append(pool)
        return pool

    yield make
    for pool in pools:
        pool.close()


def test_the_main_process_forks_once_before_the_first_batch(pool_of):
    pool = pool_of()
    list(pool.run(range(3)))
    forks = FORKS.count(os.getpid())
    for _ in range(3):
        for task, (_, found) in enumerate(pool.run(range(12))):
            assert found == task
            pool._workers[task % 2].process.kill()
        pool.end_workers()
    assert pool.deaths
    assert FORKS.count(os.getpid()) == forks


def test_a_fork_server_that_is_killed_is_succeeded_by_its_spare(pool_of):
    pool = pool_of()
    results = pool.run(range(40))
    servers = set()
    for task in range(40):
        assert next(results)[1] == task
        if task % 10 == 5:
            server = psutil.Process(pool.pids[0]).parent()
            servers.add(server.pid)
            server.kill()
            os.kill(pool.pids[0], signal.SIGKILL)
    assert len(servers) == 4
    assert len(pool.deaths) >= 3  # the last may die with nothing left to do
    assert not any(death.by_itself for death in pool.deaths)


def test_servers_that_are_both_killed_are_an_error(pool_of):
    pool = pool_of()
    list(pool.run(range(3)))
    for process in psutil.Process(pool._launcher._first.pid).children(recursive=True):
        process.kill()
    pool._launcher._first.kill()
    with pytest.raises(UserError, match="the processes that start workers have been killed"):
        list(pool.run(range(8)))


def test_nothing_is_left_when_a_pool_is_closed(pool_of):
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    fds = len(list(Path("/dev/fd").iterdir()))
    pool = pool_of()
    list(pool.run(range(3)))
    pool.close()
    until = time.monotonic() + 20
    while {process.pid for process in psutil.Process().children(recursive=True)} - before:
        assert time.monotonic() < until
        time.sleep(0.05)
    del pool
    assert len(list(Path("/dev/fd").iterdir())) <= fds + 2  # the process object of the server keeps its own


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.soak)])
def test_an_error_at_the_start_is_raised_at_once(pool_of, method: str):
    pool = pool_of(fail, 1, method=method)
    with pytest.raises(ValueError, match="no such device in worker 0"):
        list(pool.run(range(3)))
    assert not pool.deaths


def test_an_exit_at_the_start_is_raised_at_once(pool_of):
    pool = pool_of(leave)
    with pytest.raises(CannotStart, match=r"worker \d ended before it had started \(exit status 5\)"):
        list(pool.run(range(3)))
    assert not pool.deaths


def test_the_start_is_watched(pool_of, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(pulse._LEAST, Phase.STARTING, 0.5)
    with pytest.raises(CannotStart, match=r"more than 0\.5 s starting up"):
        list(pool_of(hang_at_start, timeout=0.5).run(range(3)))


def test_batches_of_8192_keys_prefetched_8_fold(pool_of):
    tasks = [[SampleKey(1, epoch, i, 3, i * 10**9) for i in range(8192)] for epoch in range(20)]
    pool = pool_of(workers=2, prefetch=8)
    results = pool.run(tasks)
    first = next(results)
    time.sleep(0.5)  # all results are sent meanwhile
    assert [first[1], *(keys for _, keys in results)] == tasks


@pytest.mark.parametrize("how", ["stopped", "hang"])
def test_a_worker_that_stops_between_two_tasks_is_replaced(pool_of, monkeypatch: pytest.MonkeyPatch, how: str):
    monkeypatch.setitem(pulse._LEAST, Phase.IDLE, 0.5)
    pool = pool_of(workers=1, prefetch=1, timeout=0.5)
    results = pool.run([1, "hang after sending" if how == "hang" else 2, 3])
    next(results)
    if how == "hang":
        time.sleep(1.0)  # it has sent its result, and hangs with the GIL: nothing can be asked of it
        assert [len(tensor) for tensor in next(results)] == [3, 2]
    else:
        os.kill(pool.pids[0], signal.SIGSTOP)
        assert next(results)[1] == 2
    assert [task for _, task in results] == [3]
    assert pool.deaths[0].by_itself == (how == "hang")
    assert ("stopped" in pool.deaths[0].reason) == (how == "stopped")


@pytest.mark.parametrize("room", [0, 3, 6])
def test_no_descriptors_left_is_named(pool_of, room: int):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/dev/fd").iterdir())) + room, hard))
    try:
        with pytest.raises(Shortage, match=r"no file descriptors are left \(ulimit -n is \d+\): raise it, keep fewer"):
            list(pool_of(workers=8).run(range(3)))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_no_descriptors_left_while_receiving_is_no_death(pool_of):
    pool = pool_of()
    results = pool.run(["x" * 100_000] * 6)
    next(results)
    time.sleep(0.3)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(Shortage, match="no file descriptors are left"):
            list(results)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert not pool.deaths


@pytest.mark.parametrize(("error", "what"), [
    (OSError(errno.ENOSPC, "No space left on device"), "/dev/shm is full: make it larger"),
    (OSError(errno.ENOSPC, "No space left on device", "/data/cache"), None),
    (OSError(errno.ENOMEM, "Cannot allocate memory"), "no memory is left"),
    (OSError(errno.EAGAIN, "Resource temporarily unavailable"), "no more processes can be started"),
    (RuntimeError("unable to open shared memory object </torch_1> in read-write mode: Too many open files (24)"), "no"),
    (RuntimeError("unable to allocate shared memory(shm) for file </x>: No space left on device (28)"), "/dev/shm"),
    (RuntimeError("unable to mmap 8 bytes from file </x>: Cannot allocate memory (12)"), "no memory is left"),
    (RuntimeError("size mismatch (12)"), None),
    (FileNotFoundError(errno.ENOENT, "No such file"), None),
])  # fmt: skip
def test_shortages(error: Exception, what: str | None):
    found = shortage(error)
    assert (found is None) if what is None else str(found).startswith(what)


def test_time_that_nobody_watched_does_not_count(monkeypatch: pytest.MonkeyPatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    clock, watch = Clock(1.0), Watch()
    watch.look(1, clock.look(), False, 0)
    now[0] += 1.5
    watch.look(1, clock.look(), False, 0)
    assert watch.running == 1.5
    now[0] += 600
    watch.look(1, clock.look(), False, 0)
    assert watch.running == 3.5
    watch.look(1, 1.0, True, 0)
    assert (watch.running, watch.stopped) == (0.0, 1.0)
    watch.look(1, 1.0, False, 0)
    assert (watch.running, watch.stopped) == (0.0, 0.0)


def test_memory_grows_over_one_thing():
    watch = Watch()
    for changes, memory, grown in [(4, 100, 0), (4, 130, 30), (5, 150, 20), (5, 450, 320), (9, 440, -10)]:
        watch.look(changes, 1.0, False, memory)
        assert watch.grown == grown


SCRIPT = """
import os, sys
sys.path.insert(0, {tests!r})
from loader.test_pool import Echo, nothing
from vjepa_pipe.loader.pool import WorkerPool
{guard}
    pool = WorkerPool(Echo(), nothing, {workers}, 2, {method!r}, 30.0, print)
    results = pool.run(range(12))
    next(results)
    before = pool.pids
    if os.fork() == 0:
        sys.exit(0)
    os.wait()
    print([task for _, task in results], pool.pids == before)
"""


def run_script(folder: Path, method: str, guard: str, workers: int = 2) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parents[1]), guard=guard, method=method, workers=workers))
    root = Path(__file__).parents[2]
    env = os.environ | {"PYTHONPATH": f"{root}:{root / 'tests'}"}
    return launch(cwd=folder, env=env, script=script)


@pytest.mark.parametrize(("method", "workers"), [("fork", 2), ("spawn", 1)])
def test_a_child_of_the_trainer_that_exits_leaves_the_workers_alone(tmp_path: Path, method: str, workers: int):
    done = run_script(tmp_path, method, 'if __name__ == "__main__":', workers)
    assert done.stdout == f"{list(range(1, 12))} True\n", done.stderr


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_script_without_a_guard_is_told_so_once(tmp_path: Path, method: str):
    done = run_script(tmp_path, method, "if True:")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert f"with loader.start_method={method} each worker imports the script: put what the script does under" in last
    assert 'if __name__ == "__main__":' in last
    assert done.stderr.count("Traceback") <= 2


@pytest.mark.parametrize("end", ["closed", "another begins", "whole"])
def test_workers_are_told_when_a_pass_is_over(pool_of, end: str) -> None:
    pool = pool_of()
    first = pool.run(["whether a pass is over"] * 9)
    assert next(first) is False
    if end == "closed":
        first.close()
    elif end == "whole":
        assert len(list(first)) == 8
    assert list(pool.run(["whether a pass is over"] * 2)) == [True, True]


def test_a_worker_knows_that_a_pass_is_over_before_it_has_done_its_tasks() -> None:
    main, worker = Channel.pair()
    inbox = _Inbox(worker)
    for message in (((1, 0), "a", []), ((1, 1), "b", [])):
        main.post(pickle.dumps(message))
    assert inbox.next() == ((1, 0), "a", []) and not inbox.ends_pass
    for message in ((None, None, []), ((2, 0), "c", [])):
        main.post(pickle.dumps(message))
    assert inbox.next() == ((1, 1), "b", []) and inbox.ends_pass
    assert inbox.next() == (None, None, []) and not inbox.ends_pass
    assert inbox.next() == ((2, 0), "c", [])
    main.close()
    assert inbox.next() is None
    worker.close()
