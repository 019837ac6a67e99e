"""What docs/remote.md says can be typed."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest

from vjepa_pipe import compose
from vjepa_pipe.config.before_run import run_faults
from vjepa_pipe.config.folders import conf_dir
from vjepa_pipe.storage import Answer, Facts, RemoteFile, Storage

TEXT = (conf_dir().parent / "docs" / "remote.md").read_text()
COMMANDS = re.findall(r"^    (?:LIST=\S+ )?(python launch\.py|vjepa-pipe check --data) (.*)$", TEXT, re.MULTILINE)


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 9


@pytest.mark.parametrize("words", dict.fromkeys(words for _, words in COMMANDS))
def test_command(words: str) -> None:
    assert list(run_faults(compose(shlex.split(words)), shlex.split(words))) == []


def test_python_example(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    files = {
        "s3://bucket/train.csv": RemoteFile("s3://bucket/train.csv", pytest.fail, Answer(b"a.mp4 0\n", Facts(8, "1"))),
        "s3://bucket/a.h5": RemoteFile("s3://bucket/a.h5", pytest.fail, Answer(b"\x89HDF", Facts(4, "1"))),
    }
    monkeypatch.setattr(Storage, "open", lambda self, url: files[url])
    found: dict[str, Any] = {}
    exec(code, found)
    assert found["storage"].config.endpoint == "http://minio:9000" and found["dataset"].storage is found["storage"]
    assert found["dataset"].sources[0].path(0) == "s3://bucket/a.mp4" and found["file"].read() == b"\x89HDF"
