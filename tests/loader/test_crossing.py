"""What crosses from a worker to the main process: all that can be pickled, without a descriptor for each tensor."""

from __future__ import annotations

import copy
import pickle
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from loading import digests, loader_of, tiny
from program import launch

from vjepa_pipe import DataManager
from vjepa_pipe.config.errors import UserError


class Refuses:
    """Cannot be pickled."""

    def __reduce__(self) -> Any:
        raise ValueError("not for you")


def give_up() -> None:
    raise ValueError("not as I was")


class ComesBackBroken:
    """Can be pickled, and not unpickled."""

    def __reduce__(self) -> Any:
        return give_up, ()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: lambda: None, "lambda"),
        (threading.Lock, "TypeError: cannot pickle '_thread.lock' object"),
        (Refuses, "ValueError: not for you"),
        (lambda: (i for i in range(3)), "TypeError: cannot pickle 'generator' object"),
        (Path("/dev/null").open, "TypeError: cannot pickle '_io.TextIOWrapper'"),
        (ComesBackBroken, "ValueError: not as I was"),
    ],
)
def test_what_cannot_cross_is_named_at_once(videos_csv: Path, tmp_path: Path, make: Any, reason: str) -> None:
    def collate(samples: list[Any]) -> Any:
        return {"made": make()}

    loader = DataManager(tiny(videos_csv, "data.num_workers=1"), output_dir=tmp_path).build_train_loader(collate)
    with pytest.raises(UserError, match="a batch cannot be sent from a worker to the main process") as caught:
        next(iter(loader))
    assert reason in str(caught.value) and loader.report.restarts == 0


def test_every_kind_of_tensor_crosses(videos_csv: Path, tmp_path: Path) -> None:
    base = torch.arange(12.0).view(3, 4)
    large = torch.arange(20_000)
    made = {
        "sparse": base.to_sparse(),
        "scalar": torch.tensor(3),
        "empty": torch.empty(0, 4),
        "bfloat16": base.bfloat16(),
        "bool": base > 3,
        "complex": base.to(torch.complex64),
        "views": [base, base.t(), base[1:, 2]],
        "large": [large, large[5:9]],
    }

    def collate(samples: list[Any]) -> Any:
        return made

    loader = DataManager(tiny(videos_csv, "data.num_workers=1"), output_dir=tmp_path).build_train_loader(collate)
    got = next(iter(loader))
    loader.close()
    for name, value in made.items():
        for one, other in zip(*(v if isinstance(v, list) else [v] for v in (value, got[name])), strict=True):
            assert one.dtype == other.dtype and torch.equal(one.to_dense(), other.to_dense()), name
    got["views"][0][1, 2] = -1
    assert got["views"][1][2, 1] == -1 and got["views"][2][0] == -1, "views of one tensor stay so"
    got["large"][0][5] = -1
    assert got["large"][1][0] == -1


KEEP = """
import os, resource, sys
from pathlib import Path
from loading import digests, loader_of, tiny
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
loader = loader_of(tiny(Path(sys.argv[1]), "data.num_workers=2", "data.batch_size=1", "mask=tube"),
    Path(sys.argv[3]))
kept, opened = [], []
while len(kept) < 200:
    for batch in loader:
        kept.append(batch)
        opened.append(len(os.listdir("/dev/fd")))
assert max(opened[8:]) <= opened[8] + 3, opened
print(len({batch["video"].data_ptr() for batch in kept}), len(set(digests(kept))))
loader.close()
"""


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors as Linux shows them")
def test_batches_that_are_kept_cost_no_descriptors(videos_csv: Path, tmp_path: Path) -> None:
    script = tmp_path / "keep.py"
    script.write_text(KEEP)
    ran = launch(str(videos_csv), "80", str(tmp_path), cwd=tmp_path, script=script, PYTHONPATH=":".join(sys.path))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["200", "200"]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda loader: pickle.loads(pickle.dumps(loader))])
def test_a_loader_that_has_begun_can_be_copied(videos_csv: Path, tmp_path: Path, workers: int, copied: Any) -> None:
    expected = digests(loader_of(tiny(videos_csv), tmp_path))
    loader = loader_of(tiny(videos_csv, f"data.num_workers={workers}"), tmp_path)
    batches = iter(loader)
    first = digests([next(batches)])
    again = copied(loader)
    assert again.state_dict() == loader.state_dict()
    assert digests(again) == expected[1:]
    again.close()
    assert first + digests(batches) == expected
    end = copied(loader)
    assert end.state_dict() == loader.state_dict() and end.epoch == 1
    loader.close()
