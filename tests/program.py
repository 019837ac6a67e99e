"""The program as a person starts it, in a process of its own.

To import torch costs more than most runs of the tests, so one process imports everything, has Hydra compose once and
waits. Each run is a fork of it that has its own arguments, folder, environment and output. It ends as any Python
program does, threads and exit functions included, but leaves its modules whole: each page of memory that it writes to
on the way out would have to be copied first.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

IMPORTED = (
    "vjepa_pipe.cli", "vjepa_pipe.commands", "vjepa_pipe.legacy.overrides", "vjepa_pipe.loader",
    "vjepa_pipe.records.where", "vjepa_pipe.report.robot_preview", "vjepa_pipe.sweeps.sweeper",
    "vjepa_pipe.tasks.stream", "numpy.ma", "numpy.random", "PIL.ImageDraw", "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin", "rich.progress", "rich.table",
)  # fmt: skip
"""What most runs import."""
IMPORTED_TO_TRAIN = ("vjepa_pipe.tasks.train", "transformers.models.vjepa2.modeling_vjepa2")
"""What runs of `task=train` import too; the process that waits does so when the first of them is asked for."""
LAUNCH = Path(__file__).parents[1] / "launch.py"


class Run:
    """A run that has been started, as `subprocess.Popen` with text pipes for its output.

    Args:
        arguments: Of the script.
        cwd: Its folder.
        env: Its environment; None: that of this process.
        script: A script instead of launch.py.

    Attributes:
        args: The command line.
        returncode: Its exit status, or minus a signal; None until it was seen to end.
    """

    def __init__(self, *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, script: Path = LAUNCH) -> None:
        self.args = [str(script), *arguments]
        self.returncode: int | None = None
        folder = _server().folder.name
        self._output = [Path(tempfile.mkstemp(dir=folder)[1]) for _ in range(2)]
        order: dict[str, Any] = {"argv": self.args, "cwd": str(cwd), "env": dict(os.environ if env is None else env)}
        order["imported"] = IMPORTED_TO_TRAIN if "task=train" in arguments else ()
        self.pid: int = _server().ask(order | {"output": [str(file) for file in self._output]})

    def poll(self) -> int | None:
        """Its exit status if it has ended."""
        if self.returncode is None:
            self.returncode = _server().ask(self.pid)
        return self.returncode

    def wait(self, timeout: float = 300) -> int:
        """Its exit status, once it has ended."""
        until = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                self.send_signal(signal.SIGKILL)
                raise subprocess.TimeoutExpired(self.args, timeout)
            time.sleep(0.01)
        return code

    def communicate(self, timeout: float = 300) -> tuple[str, str]:
        """What it wrote to stdout and stderr, once it has ended."""
        self.wait(timeout)
        out, err = (file.read_text() for file in self._output)
        return out, err

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


def launch(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, script: Path = LAUNCH, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run `python launch.py ARGUMENTS` in a folder, to its end; `more` is added to the environment."""
    run = Run(*arguments, cwd=cwd, env={**(os.environ if env is None else env), **more}, script=script)
    out, err = run.communicate()
    assert run.returncode is not None
    return subprocess.CompletedProcess(run.args, run.returncode, out, err)


class _Server:
    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="runs_")
        self._lock = threading.Lock()
        command = [sys.executable, __file__]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(LAUNCH.parent), os.environ.get("PYTHONPATH", "")]),
            "OMP_NUM_THREADS": "1",  # runs share the cores with tests
        }
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)

    def ask(self, order: Any) -> Any:
        """Start what a mapping says: its process id. Or the exit status of a process, if it has ended."""
        with self._lock:
            assert self._process.stdin is not None and self._process.stdout is not None
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())


@functools.cache
def _server() -> _Server:
    return _Server()


def _serve() -> dict[str, Any]:
    """Answer orders; returns one in the process that shall follow it."""
    for name in IMPORTED:
        importlib.import_module(name)
    _compose()
    gc.collect()
    gc.freeze()  # what was imported is not looked through again, neither while a run works nor when it ends
    while line := sys.stdin.buffer.readline():
        order, answer = json.loads(line), None
        if isinstance(order, dict):
            for name in order.pop("imported"):
                importlib.import_module(name)
            answer = os.fork()
            if answer == 0:
                return order
        else:
            pid, status = os.waitpid(order, os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    sys.exit()


def _compose() -> None:
    """What Hydra keeps from one composition to the next; plugins and what they register are found by each run."""
    from hydra.types import RunMode

    from vjepa_pipe.composition.hydra_loader import PRIMARY, hydra_loader
    from vjepa_pipe.composition.store import _register_own
    from vjepa_pipe.config import targets

    _register_own()
    with hydra_loader() as loader:
        loader.load_configuration(PRIMARY, [], RunMode.RUN)
    targets._from_packages.cache_clear()


def _become(argv: list[str], cwd: str, env: dict[str, str], output: list[str]) -> None:
    files = [os.open(os.devnull, os.O_RDONLY), *(os.open(name, os.O_WRONLY | os.O_APPEND) for name in output)]
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    paths = [str(Path(argv[0]).parent), *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]
    sys.path[:] = [*paths, *(path for path in sys.path if path not in paths and path != str(Path(__file__).parent))]
    importlib.invalidate_caches()
    sys.argv = argv


if __name__ == "__main__":
    _become(**_serve())
    status = 0
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        if not isinstance(end.code, int):
            raise
        status = end.code
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
