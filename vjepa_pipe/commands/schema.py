"""`vjepa-pipe schema`: JSON Schema for editors, and the reference of every setting."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from vjepa_pipe.commands import parser_of
from vjepa_pipe.commands.json_schema import editor_setting, group_schemas
from vjepa_pipe.commands.reference_docs import reference_text
from vjepa_pipe.files.whole_file import make_folder, write_whole


def main(arguments: list[str]) -> int:
    """Write the schemas and print the editor setting that names them, or write the reference.

    Raises:
        UserError: If a file cannot be written.
    """
    parser = parser_of("schema")
    kinds = parser.add_mutually_exclusive_group(required=True)
    kinds.add_argument("--write", type=Path, metavar="FOLDER", help="write the schemas, and print the editor setting")
    kinds.add_argument("--docs", type=Path, metavar="FILE", help="write the reference of every setting as Markdown")
    given = parser.parse_args(arguments)
    if given.docs is not None:
        write_whole(given.docs, reference_text())
        return 0
    make_folder(given.write)
    for group, schema in group_schemas().items():
        write_whole(given.write / f"{group}.json", json.dumps(schema, indent=1) + "\n")
    sys.stdout.write(json.dumps(editor_setting(given.write.resolve()), indent=2) + "\n")
    return 0
