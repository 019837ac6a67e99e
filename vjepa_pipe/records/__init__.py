"""What a run leaves behind: its folder, what it was made of, how it ended, what came out.

    outputs/<experiment>/<time>_<short id>/
        resolved_config.yaml   the experiment, whole
        origin.json            the overrides and options it was composed from, and where each setting came from
        run.json               identity, code, versions, machine, data, seed
        uncommitted.diff       changes to the code that are in no commit, if there are any
        steps.jsonl            which batches its steps were; a train loader writes it
        status.json            running, done, failed with the traceback, killed, pruned
        metrics.json           what the task returned
        metrics.jsonl          what it measured as it went, if it writes that

Nothing here imports torch, but for what reads batches again.
"""

from typing import TYPE_CHECKING, Any

from vjepa_pipe.records.origin import Origin
from vjepa_pipe.records.read import Run, find_runs, read_origin, read_run, run_from
from vjepa_pipe.records.record import RunRecord, claim_folder

if TYPE_CHECKING:
    from vjepa_pipe.records.batches import batch

__all__ = ["Origin", "Run", "RunRecord", "batch", "claim_folder", "find_runs", "read_origin", "read_run", "run_from"]


def __getattr__(name: str) -> Any:
    if name != "batch":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from vjepa_pipe.records.batches import batch

    return batch
