"""`vjepa-pipe schema`: JSON Schema for editors, and the reference of every setting."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console

from vjepa_pipe.commands.json_schema import FOLDER, group_schemas, modeline_files, with_modeline
from vjepa_pipe.commands.reference_docs import reference_text
from vjepa_pipe.config.folders import conf_dir
from vjepa_pipe.files.whole_file import write_whole


def main(arguments: list[str]) -> int:
    """Write the schemas, the modelines that name them, and the reference."""
    parser = argparse.ArgumentParser("vjepa-pipe schema", description="Write JSON Schema per config group.")
    parser.add_argument(
        "folder", nargs="?", type=Path, help="where; unset: the packaged conf/, with a modeline in each file"
    )
    parser.add_argument("--docs", type=Path, metavar="FILE", help="write the reference of every setting as Markdown")
    given = parser.parse_args(arguments)
    console = Console(soft_wrap=True)
    if given.docs is not None:
        write_whole(given.docs, reference_text())
        console.print(given.docs, markup=False, highlight=False)
        return 0
    folder = given.folder or conf_dir() / FOLDER
    for group, schema in group_schemas().items():
        file = folder / f"{group}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps(schema, indent=1) + "\n")
        console.print(file, markup=False, highlight=False)
    if given.folder is None:
        for file, group in modeline_files().items():
            text = file.read_text()
            if with_modeline(text, group) != text:
                write_whole(file, with_modeline(text, group))
    return 0
