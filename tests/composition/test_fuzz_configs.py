"""A few of the odd overrides that `make soak` tries by the thousand."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz_configs import FAULTS, checked, composed, outcomes, printed

from vjepa_pipe import ConfigError, compose

SEEDS = range(20)
ODD = {
    "a name too long for a file": [".".join(["a"] * 300) + "=1"],
    "an option too long for a file": ["data=" + "x" * 5000],
    "a number of thousands of digits": ["seed=" + "9" * 5000],
    "a group that is a number": ["@=1"],
    "bytes that are no text": ["name='\udc80'"],
    "signs that move the cursor": ["data.clip_mode='\x1b[31m'"],
    "several lines": ["~~seed=a\nb"],
    "a key that is a number": ["++training.cpus_per_task={1.5: 1}"],
    "itself": ["seed=${seed}"],
    "a circle": ["name=${data.clip_mode}", "data.clip_mode=${name}"],
    "interpolations in each other": ["name='" + "${oc.decode:" * 200 + "1" + "}" * 200 + "'"],
    "names in each other": [f"++{'.'.join('a' * 200)}=1", "name=${data.clip_mode}"],
    "lists in each other": ["data.data_paths=" + "[" * 500 + "]" * 500],
}


@pytest.mark.parametrize("seed", SEEDS)
def test_an_experiment_or_a_clear_message(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for one in outcomes(seed):
        assert one.result not in FAULTS, one


@pytest.mark.parametrize("overrides", ODD.values(), ids=ODD)
def test_odd_ones(overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [way(overrides)[0] for way in (composed, checked)] == ["refused", "refused"]
    assert printed(overrides)[0] in ("refused", "composed")  # Hydra's printing does not check


def test_a_long_value_is_shown_in_part() -> None:
    with pytest.raises(ConfigError) as error:
        compose(["nothing=" + "x" * 5000, "mask=" + "y" * 5000, "~~seed=" + "z" * 5000])
    assert len(error.value.faults) == 3 and max(map(len, error.value.faults)) < 1100
