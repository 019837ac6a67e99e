"""A worker's use of CPU, memory and storage, sampled into a CSV file."""

from __future__ import annotations

import csv
import logging
import threading
import time
from pathlib import Path

import psutil

logger = logging.getLogger(__name__)

COLUMNS = (
    "time",
    "cpu_percent",
    "user_sec",
    "system_sec",
    "rss_bytes",
    "read_bytes",
    "write_bytes",
    "threads",
    "context_switches",
)


class ResourceMonitor(threading.Thread):
    """Appends a row about this process every `interval` seconds until the process ends.

    Columns: `time` (seconds since 1970), `cpu_percent` since the last row, `user_sec` and `system_sec` of
    CPU so far, `rss_bytes` of memory, `read_bytes` and `write_bytes` of storage so far (empty where the
    platform does not count them), `threads`, `context_switches` so far.

    Args:
        file: The CSV file; its folder is made.
        interval: Seconds between rows.
    """

    def __init__(self, file: Path, interval: float) -> None:
        super().__init__(name="resource-monitor", daemon=True)
        self.file = file
        self.interval = interval
        self._stopped = threading.Event()

    def run(self) -> None:
        """Write rows until stopped, or until they cannot be written: the run is worth more than its log."""
        try:
            self._write()
        except OSError as error:
            logger.warning("%s: no more rows are written: %s", self.file, error.strerror)

    def _write(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        process = psutil.Process()
        with self.file.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            while True:
                writer.writerow(self._row(process))
                file.flush()
                if self._stopped.wait(self.interval):
                    return

    def stop(self) -> None:
        """End after the row being written."""
        self._stopped.set()
        self.join()

    @staticmethod
    def _row(process: psutil.Process) -> list[float | int | str]:
        with process.oneshot():
            cpu, io = process.cpu_times(), _io_bytes(process)
            switches = process.num_ctx_switches()
            return [
                round(time.time(), 3),
                process.cpu_percent(),
                cpu.user,
                cpu.system,
                process.memory_info().rss,
                *io,
                process.num_threads(),
                switches.voluntary + switches.involuntary,
            ]


def _io_bytes(process: psutil.Process) -> tuple[int | str, int | str]:
    try:
        counters = process.io_counters()
    except (AttributeError, psutil.AccessDenied):
        return "", ""
    return counters.read_bytes, counters.write_bytes
