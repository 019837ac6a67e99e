"""What docs/remote.md says can be typed."""

from __future__ import annotations

import re
import shlex

import pytest

from vjepa_pipe import compose
from vjepa_pipe.config.before_run import run_faults
from vjepa_pipe.config.folders import conf_dir

TEXT = (conf_dir().parent / "docs" / "remote.md").read_text()
COMMANDS = re.findall(r"^    (?:LIST=\S+ )?(python launch\.py|vjepa-pipe check --data) (.*)$", TEXT, re.MULTILINE)


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 9


@pytest.mark.parametrize("words", dict.fromkeys(words for _, words in COMMANDS))
def test_command(words: str) -> None:
    assert list(run_faults(compose(shlex.split(words)), shlex.split(words))) == []


def test_python_example(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    opened: list[str] = []
    monkeypatch.setattr("vjepa_pipe.storage.Storage.open", lambda self, url: opened.append(url) or __import__("io"))
    monkeypatch.setattr("vjepa_pipe.VideoDataset", lambda path, storage: opened.append(path))
    with pytest.raises(AttributeError, match="stream"):
        exec(code)
    assert opened == ["s3://bucket/train.csv", "s3://bucket/a.h5"]
