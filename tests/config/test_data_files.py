"""Which files the data of an experiment names."""

from __future__ import annotations

import pytest

from vjepa_pipe import compose
from vjepa_pipe.config.data_files import named_files, unset_variables


@pytest.mark.parametrize(("overrides", "variables", "named", "unset"), [
    (["data=csv", "data.data_paths=[a.csv,b.csv]"], {}, ["a.csv", "b.csv"], []),
    (["data=kinetics"], {}, [], ["KINETICS_CSV"]),
    (["data=kinetics"], {"KINETICS_CSV": "/k.csv"}, ["/k.csv"], []),
    (["data=kinetics", "data.data_paths=[a.csv]"], {"KINETICS_CSV": "/k.csv"}, ["a.csv"], []),
    (["data=vjepa2_mix"], {"SSV2_CSV": "/s.csv"}, ["/s.csv"], ["K710_CSV", "HOWTO100M_CSV"]),
    (["data=webvid", "data.data_root=/w", "mask=none"], {}, ["/w"], []),
    (["data=synthetic"], {}, [], []),
])  # fmt: skip
def test_named_files(
    overrides: list[str], variables: dict[str, str], named: list[str], unset: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KINETICS_CSV", "K710_CSV", "SSV2_CSV", "HOWTO100M_CSV"):
        monkeypatch.delenv(name, raising=False)
    for name, path in variables.items():
        monkeypatch.setenv(name, path)
    data = compose(overrides).data
    assert named_files(data) == named and sorted(unset_variables(data)) == sorted(unset)
