"""`vjepa-pipe info INDEX`: what the videos of an index are like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vjepa_pipe.commands import add_picture, parser_of
from vjepa_pipe.files.whole_file import replacing

if TYPE_CHECKING:
    from vjepa_pipe.commands.index_facts import IndexFacts

SHOWN = 4
PICTURE = "info.png"


def main(arguments: list[str]) -> int:
    """Print a table for each source; with `--picture` also draw how lengths, rates, sizes and key frames spread."""
    parser = parser_of("info")
    parser.add_argument("index", type=Path, help="the folder of task=index, or one NAME.parquet in it")
    add_picture(parser, f"histograms; without FILE.png, {PICTURE} beside the index")
    given = parser.parse_args(arguments)
    folder = given.index if given.index.is_dir() else given.index.parent
    picture = folder / PICTURE if given.picture == Path() else given.picture
    from vjepa_pipe.commands.index_facts import index_facts  # numpy is not needed for --help
    from vjepa_pipe.sources.probed.index_file import index_files

    sources = [index_facts(file) for file in index_files(given.index)]
    console = Console()
    for source in sources:
        table = Table(show_header=False, title=escape(source.name), title_justify="left", title_style="bold")
        for name, value in _lines(source):
            table.add_row(name, escape(value))
        console.print(table)
    if picture is not None:
        _draw(sources, picture)
        Console(soft_wrap=True).print(picture, markup=False, highlight=False)
    return 0


def _lines(source: IndexFacts) -> Iterator[tuple[str, str]]:
    from vjepa_pipe.commands.index_facts import middle

    yield "files", f"{source.files:,}"
    yield "bad", f"{source.bad:,}" + (f" ({source.bad / source.files:.2%})" if source.bad else "")
    for text, count in source.faults.most_common(SHOWN):
        yield "", f"{count:,} x {text}"
    if source.files == source.bad:
        return
    yield "hours", f"{source.hours:,.2f}"
    yield "size", _bytes(source.bytes)
    yield "codecs", _common(source.codecs)
    yield "pictures", _common(Counter({f"{width}x{height}": n for (width, height), n in source.sizes.items()}))
    yield "turned", f"{source.turned:,}"
    yield "frames per second", _common(Counter({f"{rate:g}": n for rate, n in source.rates.items()}))
    lengths = source.durations
    median = middle(Counter(lengths.tolist()))
    yield "seconds", f"{lengths.min():.4g} to {lengths.max():.4g}, median {median:.4g}"
    if source.distances:
        yield "key frame every", f"{middle(source.distances):g} frames (median), at most {max(source.distances):,}"


def _common(counts: Counter[str]) -> str:
    """The most common first, with how many there are of each."""
    shown = [f"{text} ({count:,})" for text, count in counts.most_common(SHOWN)]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f", {more:,} more" if more > 0 else "")


def _bytes(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:,.4g} TiB"


def _draw(sources: Sequence[Any], file: Path) -> None:
    from vjepa_pipe.commands.histograms import draw_index

    drawn = BytesIO()
    draw_index(sources).save(drawn, "png", optimize=True)
    with replacing(file) as draft:  # an equal picture stays as it is
        draft.write_bytes(drawn.getvalue())
