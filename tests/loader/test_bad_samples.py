"""Bad files: replaced, skipped or raised; counted, named, and given back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from loading import digests, loader_of, rows_csv, tiny

from vjepa_pipe.config import UserError
from vjepa_pipe.datasets import VideoDataset
from vjepa_pipe.datasets.bad import replacements
from vjepa_pipe.loader import TooManyFailures
from vjepa_pipe.sampling import SampleKey
from vjepa_pipe.video import VideoError


def bad_rows(tmp_path: Path, videos_csv: Path, *bad: int, rows: int = 16) -> Path:
    return rows_csv(tmp_path / "rows.csv", videos_csv, {row: f"bad{row}.txt" for row in bad}, rows)


def quarantine(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "quarantine.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("workers", [0, 2])
def test_each_bad_row_is_written_once(videos_csv: Path, tmp_path: Path, workers: int):
    rows = bad_rows(tmp_path, videos_csv, 2, 9)
    loader = loader_of(tiny(rows, f"data.num_workers={workers}"), tmp_path)
    keys = list(loader.sampler)
    for _ in range(2):
        batches = list(loader)
    loader.close()
    assert sorted(line["row"] for line in quarantine(tmp_path)) == [2, 9]
    assert quarantine(tmp_path)[0].keys() == {"source", "row", "path", "error", "reason", "decoder", "step"}
    first = {row: min(key.position for key in keys if key.row == row) // 2 + 1 for row in (2, 9)}
    assert {line["row"]: line["step"] for line in quarantine(tmp_path)} == first
    assert {(line["error"], line["decoder"]) for line in quarantine(tmp_path)} == {("VideoError", "pyav")}
    assert all(row not in (2, 9) for batch in batches for row in batch["row"].tolist())
    report = loader.report.sources["rows"]
    assert (report.clips, report.skipped, report.quarantined) == (32, 0, 2)
    assert report.replaced >= 4

    again = loader_of(tiny(rows), tmp_path)  # the same folder once more
    list(again)
    assert len(quarantine(tmp_path)) == 2


def test_given_back_the_rows_are_not_opened_and_nothing_else_changes(videos_csv: Path, tmp_path: Path):
    rows = bad_rows(tmp_path, videos_csv, 2, 9)
    expected = digests(loader_of(tiny(rows), tmp_path))
    told = loader_of(tiny(rows, f"loader.quarantine={tmp_path / 'quarantine.jsonl'}"), tmp_path / "told")
    opened = []
    told.dataset.on_read = lambda key: opened.append(key.row)
    assert digests(told) == expected
    assert not {2, 9} & set(opened)
    assert {line["error"] for line in quarantine(tmp_path / "told")} == {"Quarantined"}


def test_replacements_are_other_rows_each_once():
    key = SampleKey(0, 0, 5, 1, 3)
    assert not list(replacements(key._replace(row=0), 1, 10))
    for size in (4, 7, 500):
        keys = list(replacements(key, size, 10))
        rows = [other.row for other in keys]
        assert len(rows) == len(set(rows)) == min(10, size - 1), size
        assert 3 not in rows and all(0 <= row < size for row in rows)
        assert all(other[:4] == key[:4] for other in keys)
    assert [k.row for k in replacements(key, 500, 10)] != [
        k.row for k in replacements(key._replace(position=6), 500, 10)
    ]


def test_one_good_row_of_eleven_is_enough(videos_csv: Path, tmp_path: Path):
    loader = loader_of(tiny(bad_rows(tmp_path, videos_csv, *range(10), rows=11)), tmp_path)
    assert {row for batch in loader for row in batch["row"].tolist()} == {10}


def test_skipped_samples_leave_smaller_batches(videos_csv: Path, tmp_path: Path):
    rows = bad_rows(tmp_path, videos_csv, 2, 9)
    whole = {key.position: key for batch in loader_of(tiny(rows), tmp_path) for key in batch["key"]}
    loader = loader_of(tiny(rows, "loader.on_bad_sample=skip", "data.batch_size=4", "data.num_workers=1"), tmp_path)
    batches = list(loader)
    loader.close()
    keys = [key for batch in batches for key in batch["key"]]
    assert len(keys) == 14 and {key.row for key in keys} == set(range(16)) - {2, 9}
    assert all(whole[key.position] == key for key in keys)
    assert [len(batch["masks_enc"][0]) for batch in batches] == [len(batch["key"]) for batch in batches]
    report = loader.report.sources["rows"]
    assert (report.clips, report.skipped, report.replaced) == (14, 2, 0)


def test_raise_stops_at_the_first(videos_csv: Path, tmp_path: Path):
    loader = loader_of(tiny(bad_rows(tmp_path, videos_csv, 2), "loader.on_bad_sample=raise"), tmp_path)
    with pytest.raises(VideoError, match=r"bad2\.mp4: not a video"):
        list(loader)


def test_a_source_that_is_too_bad_stops_the_run(videos_csv: Path, tmp_path: Path):
    rows = bad_rows(tmp_path, videos_csv, 2, 9)
    small = ["mask=none", "data.frames_per_clip=2", "data.img_size=32"]
    loader = loader_of(tiny(rows, *small, "data.num_workers=2"), tmp_path)
    with pytest.raises(TooManyFailures) as error:
        for _ in range(20):
            list(loader)
    assert "of 200 opened rows could not be read, more than loader.max_failure_rate=0.05; for example: " in str(
        error.value
    )
    assert "bad2.mp4: not a video" in str(error.value)

    told = loader_of(tiny(rows, *small, f"loader.quarantine={tmp_path}"), tmp_path / "told")
    for _ in range(14):
        list(told)  # rows known to be bad are no news
    assert told.report.sources["rows"].clips == 14 * 16


@pytest.mark.parametrize(("line", "reason"), [
    ("{", "not a line of a quarantine file"),
    ("[]", "not a line of a quarantine file"),
    ('{"source": "rows"}', "not a line of a quarantine file"),
    ('{"source":"rows","row":"2","path":"x","error":"","reason":"","decoder":""}', "wrong types"),
    ('{"source":"rows","row":2,"path":"x.mp4","error":"","reason":"","decoder":""}', "row 2 of source .* not x"),
    ('{"source":"rows","row":99,"path":"x.mp4","error":"","reason":"","decoder":""}', "row 99 of source rows is not"),
])  # fmt: skip
def test_quarantine_files_that_do_not_fit(videos_csv: Path, tmp_path: Path, line: str, reason: str):
    rows = bad_rows(tmp_path, videos_csv, 2)
    (tmp_path / "q.jsonl").write_text(line + "\n")
    with pytest.raises(UserError, match=f"q.jsonl:1: .*{reason}"):
        loader_of(tiny(rows, f"loader.quarantine={tmp_path / 'q.jsonl'}"), tmp_path)


def test_missing_quarantine(videos_csv: Path, tmp_path: Path):
    with pytest.raises(UserError, match="holds no quarantine"):
        loader_of(tiny(videos_csv, f"loader.quarantine={tmp_path}"), tmp_path)
    with pytest.raises(UserError, match="cannot be read as a quarantine file"):
        loader_of(tiny(videos_csv, f"loader.quarantine={tmp_path / 'no'}"), tmp_path)


def test_other_sources_of_a_quarantine_are_left_out(videos_csv: Path, tmp_path: Path):
    (tmp_path / "q.jsonl").write_text('{"source":"a","row":2,"path":"x","error":"","reason":"","decoder":""}\n')
    assert not loader_of(tiny(videos_csv, f"loader.quarantine={tmp_path / 'q.jsonl'}"), tmp_path).dataset.quarantine


def test_times_and_frames_are_counted(videos_csv: Path, tmp_path: Path):
    loader = loader_of(tiny(videos_csv), tmp_path)
    for batch in loader:
        assert "stats" not in batch
    report = loader.report.sources["videos"]
    assert report.frames_used <= 32 <= (report.frames_decoded or 0)
    assert min(report.open_sec, report.decode_sec, report.transform_sec) > 0
    decord = loader_of(tiny(videos_csv, "decoder=decord"), tmp_path)
    next(iter(decord))
    assert decord.report.sources["videos"].frames_decoded is None


def test_clips_that_repeat_frames_are_counted_and_named_once(
    videos_csv: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = VideoDataset(videos_csv, on_bad_sample="raise")
    rates = [dataset.read(dataset.key_of(row)).fps for row in range(8)]
    for asked, repeating in ((1.005 * min(rates), 0), (2 * max(rates), 8)):
        loader = loader_of(tiny(videos_csv, f"data.target_fps={asked}"), tmp_path)
        list(loader)
        assert loader.report.sources["videos"].repeating == repeating
        assert len([record for record in caplog.records if "frames repeat" in record.message]) == bool(repeating)
    assert f"frames per second, fewer than the {2 * max(rates):g} of its clip" in caplog.text
