"""URLs in settings: where they can stand, what must fit them, and no credential among them."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from vjepa_pipe import ConfigError, compose
from vjepa_pipe.cli import main
from vjepa_pipe.composition.identity import identity
from vjepa_pipe.config import url_rules
from vjepa_pipe.config.before_run import run_faults
from vjepa_pipe.config.data import FolderDataConfig
from vjepa_pipe.config.experiment import ExperimentConfig

URL = "s3://bucket/train.csv"
CSV = ["data=csv", f"data.data_paths=[a.csv,{URL}]"]


HERE = "reads files of this machine"


def test_everything_is_refused_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        compose([*CSV, "decoder=decord", "data.index_dir=s3://b/index", "task=index", "task.index_dir=s3://b/index",
                 "loader.sample_timeout_sec=93", "loader.quarantine=https://h/q.jsonl",
                 "storage.endpoint=minio:9000"])  # fmt: skip
    at = f"data.data_paths[1]={URL}"
    assert list(error.value.faults) == [
        "loader.quarantine must be a path of this machine (got https://h/q.jsonl)",
        "task.index_dir must be a path of this machine (got s3://b/index)",
        "storage.endpoint must be http://HOST or https://HOST (got minio:9000)",
        f"decoder must be pyav with {at}: vjepa_pipe.video.DecordDecoder {HERE}",
        "loader.sample_timeout_sec must be > 93, the seconds that storage.timeout_sec and storage.retries allow one "
        "request: a file is not to be blamed for its store (got 93)",
    ]


def test_a_web_server_cannot_list_a_folder() -> None:
    data = FolderDataConfig(data_paths=["s3://b/videos", "http://h/videos"])
    (found,) = [line for rule in url_rules.URL_RULES for line in rule(replace(ExperimentConfig(), data=data))]
    assert found == (
        "data.data_paths[1]: data=folder lists what is in http://h/videos, which web servers do not do: "
        "data=csv reads a list"
    )


@pytest.mark.parametrize("overrides", [
    [*CSV, "task=validate", "task.full=true"],
    [*CSV, "task=prepare"],
    ["data=webvid", "data.data_root=s3://bucket/webvid"],
    ["data=folder", "data.data_paths=[s3://bucket/videos]"],
    ["data=droid", "data.data_paths=[gs://bucket/droid/list.csv]"],
    ["data=lerobot", "data.data_paths=[hf://datasets/lerobot/pusht]"],
    [*CSV, "task=index", "task.index_dir=index", "data.index_dir=index"],
    [*CSV, f"data.eval_data_paths=[{URL}]"],
    ["data=csv", "data.data_paths=[file:///a.csv]", "decoder=decord", "data.index_dir=index"],
    ["training=vjepa2_pretrain", "training.folder=s3://bucket/checkpoints"],
    ["storage.endpoint=http://minio:9000", "storage.anonymous=true", "loader.sample_timeout_sec=1"],
])  # fmt: skip
def test_allowed(overrides: list[str]) -> None:
    assert not list(run_faults(compose(overrides)))


def test_a_url_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINETICS_CSV", f"{URL}?X-Amz-Signature=SECRET")  # which no record holds
    assert compose(["data=kinetics"]).data.data_paths == []
    with pytest.raises(ConfigError, match=f"decoder must be pyav with KINETICS_CSV={URL}: ") as error:
        compose(["data=kinetics", "decoder=torchcodec"])
    assert "SECRET" not in str(error.value)


@pytest.mark.parametrize("url", ["https://host/a.csv?X-Amz-Signature=SECRET", "https://me:SECRET@host/a.csv"])
def test_credentials_are_refused_in_settings(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "data=csv", f'data.data_paths=["{url}"]', f'loader.quarantine="{url}"']) == 2
    said = capsys.readouterr()
    assert "data.data_paths[0]: https://host/a.csv has a user name or a query, which may be a credential" in said.out
    assert "loader.quarantine must be a path of this machine (got https://host/a.csv)" in said.out
    assert url not in said.err + said.out.partition("\n")[2]  # the first line shows what was typed


@pytest.mark.parametrize(("url", "fault"), [
    ("htps://h/a.csv", "htps:// is no scheme that is known (did you mean https?): s3://, gs://, "),
    ("s4://h/a.csv", "s4:// is no scheme that is known (did you mean s3?): "),
    ("memory://h/a.csv", ""),
    ("hf://datasets/a/b.csv", ""),
])  # fmt: skip
def test_schemes(url: str, fault: str) -> None:
    pytest.importorskip("fsspec")
    found = list(run_faults(compose(["data=csv", f"data.data_paths=[a.csv,{url}]"])))
    assert len(found) == bool(fault) and all(line.startswith(f"data.data_paths[1]: {fault}") for line in found)


@pytest.mark.parametrize(("url", "package"), [(URL, "obstore"), ("hf://datasets/a/b.csv", "fsspec")])
def test_a_url_without_its_extra(url: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(url_rules, "find_spec", lambda name: None if name == package else sys)
    assert list(run_faults(compose(["data=csv", f"data.data_paths=[{url}]"]))) == [
        f"data.data_paths[0]: {url} needs {package}: pip install 'vjepa_pipe[remote]'"
    ]


def test_how_files_are_fetched_is_no_part_of_what_an_experiment_is() -> None:
    changed = ["storage.timeout_sec=1", "storage.endpoint=http://minio:9000", "storage.bytes_per_second=1000000"]
    assert identity(compose(CSV)) == identity(compose([*CSV, *changed]))
