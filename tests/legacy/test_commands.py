"""`legacy=FILE` on the command line, `vjepa-pipe legacy` and `vjepa-pipe export`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from program import launch
from published_files import FILES, write_file

from vjepa_pipe import ConfigError, compose
from vjepa_pipe.cli import main
from vjepa_pipe.experiments import compose_with_provenance
from vjepa_pipe.legacy.overrides import replace_legacy
from vjepa_pipe.synthetic import write_synthetic_droid

STREAM = ["task.preview_clips=0", "task.max_batches=1", "data.img_size=96"]


def video_file(folder: Path, videos_csv: Path) -> Path:
    return write_file(
        folder, "vjepa", data__datasets=[str(videos_csv)] * 2, data__num_workers=0, data__persistent_workers=False,
        meta__eval_freq=100, optimization__warmup=9, optimization__ipe=4,
    )  # fmt: skip


def test_a_run_over_an_old_file(videos_csv: Path, tmp_path: Path) -> None:
    result = launch(f"legacy={video_file(tmp_path, videos_csv)}", *STREAM, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    (run,) = (tmp_path / "outputs" / "vjepa").iterdir()
    summary = json.loads((run / "summary.json").read_text())
    assert summary["clips"] == 2
    log = (run / "vjepa_pipe.log").read_text()
    assert "meta.eval_freq (dead)" in log and "warmup=9 epochs is longer" in log
    assert "img_size: 96" in (run / "resolved_config.yaml").read_text()


def test_a_sweep_over_an_old_file(videos_csv: Path, tmp_path: Path) -> None:
    file = video_file(tmp_path, videos_csv)
    result = launch("-m", f"legacy={file}", "data.target_fps=2,4", *STREAM, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert len(list(tmp_path.rglob("summary.json"))) == 2


def test_faults_are_one_message(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("app: llama\n")
    result = launch("legacy=bad.yaml", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (
        2,
        "config error: bad.yaml:1: app=llama is not known: it can be vjepa, vjepa_2_1, vjepa_droid\n",
    )
    assert not (tmp_path / "outputs").exists()


def test_a_run_over_a_robot_file(cache: Path, tmp_path: Path) -> None:
    folder = write_synthetic_droid(cache, 4)
    listed = tmp_path / "list.csv"
    listed.write_text("".join(f"{episode}\n" for episode in sorted((folder / "success").iterdir())))
    file = write_file(
        tmp_path, "vjepa_droid", data__datasets=[str(listed)], data__num_workers=0, data__persistent_workers=False
    )
    result = launch(f"legacy={file}", *STREAM, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    (run,) = (tmp_path / "outputs" / "vjepa_droid").iterdir()
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["clips"], summary["replaced"]) == (2, 0)
    assert summary["shapes"]["states"] == [2, 8, 7] and summary["shapes"]["actions"] == [2, 7, 7]
    assert "every crop is the centre one" in (run / "vjepa_pipe.log").read_text()


@pytest.mark.parametrize("kind", FILES)
def test_written_experiment_composes_to_the_same(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_file(tmp_path, kind)
    written = tmp_path / "mine" / "experiment" / f"{kind}.yaml"
    assert main(["legacy", str(file), "--json", "--write", str(written)]) == 0
    audit = json.loads(capsys.readouterr().out)
    assert {"key", "line", "value", "status", "to", "note"} == set(audit["keys"][0])
    assert compose([f"experiment={kind}"], tmp_path / "mine") == compose([f"legacy={file}"])
    assert main(["legacy", str(file), "--write", str(written)]) == 1, "a file of the user's is not overwritten"


def test_audit_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["legacy", str(write_file(tmp_path, "vjepa", meta__eval_freq=1, x=2)), "legacy_unknown=warn"]) == 0
    table = capsys.readouterr().out
    for words in ("meta.eval_freq", "dead", "unknown", "defaulted", "changed meaning", "training.model.model_name"):
        assert words in table
    assert "warning: x=2 is left out" in table


def test_export_prints_yaml(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--to", "vjepa2", f"legacy={write_file(tmp_path, 'vjepa')}", "data.convention=strict"]) == 0
    text = capsys.readouterr().out
    assert "# cannot be said here: data.convention=strict" in text
    assert yaml.safe_load(text)["data"]["dataset_fpcs"] == [4, 8]


def test_two_files_of_one_name(tmp_path: Path, videos_csv: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.mkdir()
    b.mkdir()
    first = video_file(a, videos_csv)
    second = write_file(b, "vjepa", meta__seed=8)
    assert first.name == second.name
    with pytest.raises(ConfigError, match=r"would both be experiment=legacy_.*: rename one") as error:
        replace_legacy([f"legacy={first},{second}"])
    assert str(first) in str(error.value) and str(second) in str(error.value)
    (word,) = replace_legacy([f"legacy={first},{first}"])
    assert word.startswith("experiment=legacy_") and word.count(",") == 1


def test_settings_come_from_the_lines_of_the_published_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VJEPA_PIPE_CACHE", str(tmp_path / "cache"))
    file = write_file(tmp_path, "vjepa")
    found = compose_with_provenance([f"legacy={file}", "data.num_workers=2"])
    (line,) = (n for n, text in enumerate(file.read_text().splitlines(), 1) if text.strip().startswith("batch_size:"))
    assert found.provenance["data.batch_size"] == f"{file}:{line}"
    assert found.provenance["data.num_workers"] == "command line: data.num_workers=2"
    assert not (tmp_path / "cache").exists()
