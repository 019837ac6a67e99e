"""`vjepa-pipe legacy FILE` and `vjepa-pipe export`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from vjepa_pipe.commands import parser_of
from vjepa_pipe.config.errors import UserError
from vjepa_pipe.experiments import compose
from vjepa_pipe.files.whole_file import make_folder, write_whole
from vjepa_pipe.legacy.audit import audit_json, print_audit
from vjepa_pipe.legacy.read import read_legacy
from vjepa_pipe.legacy.translate import UNKNOWN_POLICIES, translate
from vjepa_pipe.legacy.write import experiment_name, experiment_text, store_translation


def audit(arguments: Sequence[str]) -> int:
    """Print what becomes of each key of a published file, and write it as an experiment if asked to.

    Raises:
        ConfigError: If the file cannot be translated.
        UserError: If the experiment file cannot be written.
    """
    parser = parser_of("legacy")
    parser.add_argument("file", type=Path)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--write", type=Path, metavar="NAME.yaml", help="write it as an experiment file")
    parser.add_argument("--unknown", choices=UNKNOWN_POLICIES, default="error", help="what unknown keys are")
    given = parser.parse_args([text.replace("legacy_unknown=", "--unknown=") for text in arguments])
    translation = translate(read_legacy(given.file), given.unknown)
    store_translation(translation)
    if given.json:
        sys.stdout.write(f"{audit_json(translation)}\n")
    else:
        print_audit(translation, Console(width=None if sys.stdout.isatty() else 160))
    if given.write is not None:
        if given.write.exists():
            raise UserError(f"{given.write} exists already: it is not overwritten")
        make_folder(given.write.parent)
        write_whole(given.write, experiment_text(translation, experiment_name(given.write)))
        sys.stderr.write(f"written: {given.write}\n")
    return 0


def export(arguments: Sequence[str]) -> int:
    """Print an experiment as the YAML that the published code reads.

    Raises:
        ConfigError: If the experiment is faulty.
        UserError: If the published code cannot run it at all.
    """
    from vjepa_pipe.legacy.export import TARGETS, export_text

    parser = parser_of("export")
    parser.add_argument("--to", choices=TARGETS, default="vjepa2", help="whose YAML")
    parser.add_argument("--config-dir", type=Path, help="a folder of your own config groups")
    parser.add_argument("overrides", nargs="*", help="such as experiment=NAME data.batch_size=8")
    given = parser.parse_args(arguments)
    sys.stdout.write(export_text(compose(given.overrides, given.config_dir), given.to))
    return 0
