"""Actions of EPIC-KITCHENS: rows, classes, and lists that cannot be used."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from epic_kitchens import TRAIN, VAL, write_actions

from vjepa_pipe.sources import ActionClasses, Segments, SourceError, read_actions
from vjepa_pipe.sources.lists.epic_kitchens import Action

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "epic_kitchens.json").read_text())["classes"]
PLACE = "{participant}/{video}.MP4"


def test_rows_are_actions_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = write_actions(tmp_path / "train.csv", TRAIN)
    actions = read_actions(file)
    assert actions == [Action(*row) for row in TRAIN]
    rows = Segments.of(str(file), actions, ActionClasses.of(actions), "", PLACE)
    assert (rows.name, len(rows)) == ("train", len(TRAIN))
    assert rows.path(2) == str(tmp_path / "P02" / "P02_103.MP4"), "beside the list"
    assert rows.numbers(2) == [50, 70, 1, 0], "of verbs 3, 5 and nouns 9, 70"
    assert [rows.label(i) for i in range(4)] == [3, 0, 2, 1], "of (3, 9), (3, 70), (5, 9), (5, 70)"
    copy = pickle.loads(pickle.dumps(rows))
    assert (copy.path(2), copy.numbers(2), copy.fingerprint()) == (rows.path(2), rows.numbers(2), rows.fingerprint())
    later = Segments.of(str(file), [*actions[:-1], actions[-1]._replace(last=90)], ActionClasses.of(actions), "", PLACE)
    assert later.fingerprint() != rows.fingerprint()


def test_where_videos_lie(tmp_path: Path) -> None:
    actions = [Action(*row) for row in TRAIN]
    classes = ActionClasses.of(actions)
    inside = Segments.of("train.csv", actions, classes, str(tmp_path), "videos/{video}/{participant}.mp4")
    assert inside.path(0) == str(tmp_path / "videos" / "P01_01" / "P01.mp4")
    stored = Segments.of("s3://bucket/lists/train.csv", actions, classes, "", PLACE)
    assert stored.path(0) == "s3://bucket/lists/P01/P01_01.MP4"


def test_actions_that_training_does_not_know_are_left_out() -> None:
    classes = ActionClasses.of([Action(*row) for row in TRAIN])
    rows = Segments.of("val.csv", [Action(*row) for row in VAL], classes, "", PLACE)
    assert [rows.numbers(i)[:2] for i in range(len(rows))] == [[40, 60], [50, 95]]
    with pytest.raises(SourceError, match=r"val\.csv: none of its actions is one of training"):
        Segments.of("val.csv", [Action("P01_01", 1, 2, 5, 3)], classes, "", PLACE)


def test_reference_numbers_classes_as_published() -> None:
    train = [Action("P01_01", 0, 1, verb, noun) for verb, noun in GOLDEN["train"]]
    classes = ActionClasses.of(train, "reference")
    found = (classes.verbs, classes.nouns, classes.actions)
    expected = GOLDEN["verbs"], GOLDEN["nouns"], list(map(tuple, GOLDEN["actions"]))
    for numbers, order in zip(found, expected, strict=True):
        assert list(numbers) == order and list(numbers.values()) == list(range(len(order)))
    val = [Action("P01_01", i, i, verb, noun) for i, (verb, noun) in enumerate(GOLDEN["val"])]
    rows = Segments.of("val.csv", val, classes, "", PLACE)
    assert [rows.numbers(i)[0] for i in range(len(rows))] == GOLDEN["kept"]
    strict = ActionClasses.of(train)
    assert list(strict.actions) == sorted(classes.actions) != list(classes.actions)


@pytest.mark.parametrize(("content", "message"), [
    ("video_id,start_frame,stop_frame\nP01_01,1,2\n", "has no column verb_class, noun_class: its columns are"),
    ("P01_01,1,2.5,3,4", r"line 2: stop_frame must be a whole number \(got '2\.5'\)"),
    ("P01_01,-1,2,3,4", r"line 2: start_frame must be a whole number \(got '-1'\)"),
    (f"P01_01,1,{'9' * 16},3,4", "line 2: stop_frame must be a whole number"),
    ("P01_01,1,2,3,4\n../x,1,2,3,4", r"line 3: video_id must be a file name \(got '\.\./x'\)"),
    ("P01_01,1,2,3", r"line 2 must have 5 columns, as the header \(got 4\)"),
    ("", "holds no rows"),
])  # fmt: skip
def test_broken_lists(content: str, message: str, tmp_path: Path) -> None:
    header = "" if content.startswith("video_id") else "video_id,start_frame,stop_frame,verb_class,noun_class\n"
    (tmp_path / "bad.csv").write_text(f"{header}{content}\n")
    with pytest.raises(SourceError, match=rf"bad\.csv: {message}"):
        read_actions(tmp_path / "bad.csv")
