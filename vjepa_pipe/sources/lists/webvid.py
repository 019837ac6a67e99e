"""WebVid: captioned videos, as KempnerForge lays them out and as the original download does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from vjepa_pipe.sources.errors import SourceError, as_source_error
from vjepa_pipe.sources.lists.delimited import csv_rows
from vjepa_pipe.sources.rows import Rows
from vjepa_pipe.sources.tables.cache import entry_of, is_kept, keep, load_table
from vjepa_pipe.sources.tables.columns import Table, TextBuilder
from vjepa_pipe.sources.tables.text import list_file
from vjepa_pipe.storage import RemoteFile, Storage, absolute, folder_of, join, name_of

CSV_SPLITS = {"train": "train", "validation": "val"}
_MOST_NAMED = 8

Place = Callable[[dict[str, str]], str]


class MissingPartitions(SourceError, FileNotFoundError):
    """A folder without the CSV files that say what the data set holds."""

    def __str__(self) -> str:
        return f"No partition CSVs found under '{self.path}': {self.reason}"


def read_webvid(
    root: str | Path,
    dataset_name: str = "webvid-10M",
    split: str = "train",
    max_samples: int = 0,
    storage: Storage | None = None,
) -> Rows:
    """Rows of WebVid as KempnerForge lays it out; a row's label is its caption.

        ROOT/raw/DATASET_NAME/data/{train,val}/partitions/*.csv      columns videoid and name
        ROOT/raw/videos/train/12/1234/123456/1234567.mp4
        ROOT/raw/videos/validation/1234567.mp4

    Partitions are read in the order of their names, and no further than `max_samples` rows. Ids and captions are
    text as written: `007`, an empty caption and `NA` stay what they are. No video is looked for.

    Args:
        root: The folder above `raw`, or its URL in a store that lists its objects, which web servers do not.
        dataset_name: Which partitions, such as `webvid-10M`.
        split: `train` or `validation`.
        max_samples: Most rows; 0: all.
        storage: Reads what lies at a URL; unset: with the default settings.

    Raises:
        StorageError: The store of a URL does not answer.
        SourceError: If there are no partitions (then it is a FileNotFoundError too), or no rows in them, or if a
            partition lacks a column or has a broken row.
    """
    storage, root = storage or Storage(), absolute(root)
    folder = join(root, f"raw/{dataset_name}/data/{CSV_SPLITS[split]}/partitions")
    with as_source_error():
        partitions = storage.find(folder, "*.csv")
    if not partitions:
        raise MissingPartitions(folder, "it must hold .csv files with the columns videoid and name")

    def place(row: dict[str, str]) -> str:
        video = row["videoid"]
        return f"{video}.mp4" if split == "validation" else f"{video[:2]}/{video[:4]}/{video[:6]}/{video}.mp4"

    videos = join(root, f"raw/videos/{split}")
    return _read(dataset_name, partitions, ("videoid", "name"), place, videos, max_samples, storage)


def read_webvid_original(
    root: str | Path,
    dataset_name: str = "webvid-10M",
    split: str = "train",
    max_samples: int = 0,
    storage: Storage | None = None,
) -> Rows:
    """Rows of WebVid as its authors' download leaves it; see `read_webvid`.

        ROOT/results_10M_{train,val}.csv, or ROOT/metadata/...       columns videoid, name and page_dir
        ROOT/videos/PAGE_DIR/VIDEOID.mp4

    The part of `dataset_name` after `webvid-` is the one in the file's name.
    """
    storage, folder = storage or Storage(), absolute(root)
    file_name = f"results_{dataset_name.removeprefix('webvid-')}_{CSV_SPLITS[split]}.csv"
    with as_source_error():
        places = join(folder, file_name), join(folder, f"metadata/{file_name}")
        table = next(filter(storage.is_file, places), None)
    if table is None:
        raise MissingPartitions(folder, f"it must hold {file_name}, or metadata/{file_name}")

    def place(row: dict[str, str]) -> str:
        return f"{row['page_dir']}/{row['videoid']}.mp4"

    columns = ("videoid", "name", "page_dir")
    return _read(dataset_name, [table], columns, place, join(folder, "videos"), max_samples, storage)


def _read(
    name: str,
    files: list[str],
    columns: tuple[str, ...],
    place: Place,
    videos: str,
    max_samples: int,
    storage: Storage,
) -> Rows:
    with as_source_error():
        facts = [storage.identity(file) for file in files]
    entry = entry_of(None, "webvid", facts, columns, videos, max_samples)
    if is_kept(entry):
        return Rows(name, load_table(entry), videos, entry)
    paths, captions, count = TextBuilder(), TextBuilder(), 0
    for row in _rows(files, facts, columns, storage):
        paths.append(place(row))
        captions.append(row["name"])
        count += 1
        if count == max_samples:
            break
    if not count:
        named = ", ".join(name_of(file) for file in files[:_MOST_NAMED])
        raise SourceError(folder_of(files[0]), f"holds no rows (read: {named})")
    table, kept = keep(Table(paths.build(), captions.build()), entry, folder_of(files[0]))
    return Rows(name, table, videos, kept)


def _rows(
    files: list[str], facts: list[tuple[str, int, int | str]], columns: tuple[str, ...], storage: Storage
) -> Iterator[dict[str, str]]:
    for path, known in zip(files, facts, strict=True):
        file = list_file(path, storage)
        if isinstance(file, RemoteFile) and file.facts != known[1:]:
            raise SourceError(file, "changed while it was read")
        for line, row in csv_rows(file, columns):
            video = row["videoid"]
            if not video or "/" in video:
                raise SourceError(file, f"line {line}: videoid must be a file name (got {video!r})")
            yield row
