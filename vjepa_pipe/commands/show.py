"""`vjepa-pipe show [OVERRIDES…]`: the resolved experiment, and where each setting came from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.text import Text

from vjepa_pipe.commands import parser_of
from vjepa_pipe.commands.source import FORMS, read_source
from vjepa_pipe.composition.snapshot import plain


def main(arguments: list[str]) -> int:
    """Print a resolved experiment as YAML."""
    parser = parser_of("show")
    parser.add_argument("experiment", nargs="*", help=f"overrides, or {FORMS}; nothing: the default experiment")
    parser.add_argument("--provenance", action="store_true", help="add where each setting came from")
    parser.add_argument("--json", action="store_true", help="print JSON: settings, and with --provenance their sources")
    parser.add_argument("--config-dir", type=Path, help="a folder of your own config groups")
    given = parser.parse_args(arguments)
    source = read_source(given.experiment, given.config_dir)
    content = plain(source.experiment)
    console = Console(soft_wrap=True)
    if given.json:
        shown = {"experiment": content, "provenance": source.origin.provenance} if given.provenance else content
        console.print(json.dumps(shown, indent=2), markup=False, highlight=False)
        return 0
    lines = list(_lines(content))
    width = min(max(len(line) for line, _ in lines), 60)
    for line, path in lines:
        text = Text(line)
        if given.provenance and path:
            text.append(f"{' ' * max(width - len(line), 0)}  # {_source(source.origin.provenance, path)}", "dim")
        console.print(text)
    return 0


def _source(provenance: Mapping[str, str], path: str) -> str:
    return provenance.get(path, "not recorded")


def _lines(node: Mapping[str, Any], path: str = "", depth: int = 0) -> Iterator[tuple[str, str | None]]:
    """YAML lines, each with the setting it holds; none for the name of a group of settings."""
    for key, value in node.items():
        where = f"{path}.{key}" if path else str(key)
        if isinstance(value, dict) and value:
            yield f"{'  ' * depth}{key}:", None
            yield from _lines(value, where, depth + 1)
        else:
            yield f"{'  ' * depth}{key}: {_scalar(value)}", where


def _scalar(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")
