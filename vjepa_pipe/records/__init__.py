"""What a run leaves behind: its folder, what it was made of, how it ended, what came out.

    outputs/<experiment>/<time>_<short id>/
        resolved_config.yaml   the experiment, whole
        origin.json            the overrides and options it was composed from, and where each setting came from
        run.json               identity, code, versions, machine, data, seed
        uncommitted.diff       changes to the code that are in no commit, if there are any
        status.json            running, done, failed with the traceback, killed, pruned
        metrics.json           what the task returned
        metrics.jsonl          what it measured as it went, if it writes that

Nothing here imports torch.
"""

from vjepa_pipe.records.origin import Origin
from vjepa_pipe.records.read import Run, find_runs, read_origin, read_run, run_from
from vjepa_pipe.records.record import RunRecord, claim_folder

__all__ = ["Origin", "Run", "RunRecord", "claim_folder", "find_runs", "read_origin", "read_run", "run_from"]
