"""What became of each key of a published file, for people and for machines."""

from __future__ import annotations

import dataclasses
import json

from rich.console import Console
from rich.table import Table
from rich.text import Text

from vjepa_pipe.legacy.translate import AuditRow, Translation

_STYLES = {
    "dead": "dim",
    "defaulted": "dim",
    "built in": "dim",
    "typo": "red",
    "unknown": "red",
    "changed meaning": "yellow",
}


def print_audit(translation: Translation, console: Console) -> None:
    """A table with a row for each key, then the warnings."""
    table = Table("line", "key", "value", "status", "where it went, or why not", title=translation.profile.name)
    for row in _in_order(translation):
        line = "" if row.line is None else str(row.line)
        cells = (line, row.key, _short(row.value), row.status, "; ".join(text for text in (row.to, row.note) if text))
        table.add_row(*(Text(cell, style=_STYLES.get(row.status, "")) for cell in cells))
    console.print(table)
    for warning in translation.warnings:
        console.print(f"warning: {warning}", style="yellow", highlight=False, markup=False, soft_wrap=True)


def audit_json(translation: Translation) -> str:
    """The same as JSON: `file`, `profile`, `keys` (key, line, value, status, to, note), `warnings`."""
    return json.dumps(
        {
            "file": str(translation.file.path),
            "profile": translation.profile.name,
            "keys": [dataclasses.asdict(row) for row in _in_order(translation)],
            "warnings": translation.warnings,
        },
        indent=2,
        default=str,
    )


def _in_order(translation: Translation) -> list[AuditRow]:
    """The file's keys as they stand there, then what it does not say."""
    return sorted(translation.rows, key=lambda row: (row.line is None, row.line or 0))


def _short(value: object, width: int = 40) -> str:
    text = str(value)
    return text if len(text) <= width else f"{text[: width - 3]}..."
