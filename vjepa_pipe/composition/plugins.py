"""Modules of a user's own, imported before anything is composed: they register options, data sets and policies.

They are named by installed packages (entry point group `vjepa_pipe.plugins`), on the command line (`--plugin NAME`, or
`--plugin FILE.py`) or in the environment variable `VJEPA_PIPE_PLUGINS` (names separated by commas), which workers and
launched jobs inherit. A config never names one; it may name what a plugin defines.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import os
import sys
import traceback
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.targets import trust_module

VARIABLE = "VJEPA_PIPE_PLUGINS"
ENTRY_POINTS = "vjepa_pipe.plugins"


def add_plugin(name: str) -> None:
    """Name a module that is imported here, and in every process that this one starts.

    Args:
        name: Of a module that can be imported, or a Python file, whose folder is then searched for modules.

    Raises:
        UserError: If there is no such file, or another module has its name.
    """
    if name.endswith(".py"):
        name = _module_of(Path(name).expanduser())
    named = [*_named(), name]
    os.environ[VARIABLE] = ",".join(dict.fromkeys(named))


def import_plugins() -> None:
    """Import every module that is named, and allow configs to name what it defines. Safe to call again.

    Raises:
        UserError: If one cannot be imported.
    """
    for name in _named():
        _import(name, f"named by --plugin or {VARIABLE}; is its folder on the PYTHONPATH?")
    for name, package, _ in _from_packages():
        _import(name, f"which the package {package} offers")


def plugin_versions() -> dict[str, str]:
    """For each plugin that was imported, its version if it has one, and the SHA-256 of its file."""
    packaged = {name: version for name, _, version in _from_packages()}
    found = {}
    for name in dict.fromkeys([*_named(), *packaged]):
        module = sys.modules.get(name)
        if module is not None:
            version = packaged.get(name) or getattr(module, "__version__", "")
            found[name] = f"{version} sha256:{_sha256(module)}".strip()
    return found


def _named() -> list[str]:
    return [name for name in os.environ.get(VARIABLE, "").split(",") if name]


@functools.cache  # reading the metadata of every installed package takes milliseconds
def _from_packages() -> tuple[tuple[str, str, str], ...]:
    """Module, package and its version."""
    return tuple(
        (point.value, point.dist.name if point.dist else "?", point.dist.version if point.dist else "")
        for point in entry_points(group=ENTRY_POINTS)
    )


def _module_of(file: Path) -> str:
    """The name by which a Python file is imported, once its folder is searched, here and in processes to come."""
    if not file.is_file():
        raise UserError(f"--plugin {file}: there is no such file")
    folder = str(file.resolve().parent)
    is_new = file.stem not in _named()
    if is_new:  # else the file that has the name already must be found
        sys.path.insert(0, folder)
    importlib.invalidate_caches()
    found = importlib.util.find_spec(file.stem) if file.stem.isidentifier() else None
    if found is None or found.origin is None or not file.samefile(found.origin):
        if is_new:
            sys.path.remove(folder)
        other = f"{file.stem} is {found.origin or 'built in'}" if found else "its name is no module's"
        raise UserError(f"--plugin {file}: {other}; give the file another name")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
    return file.stem


def _import(name: str, origin: str) -> None:
    try:
        importlib.import_module(name)
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # whatever its own code raises
        lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.name == "<module>"]
        place = f"{lines[-1].filename}:{lines[-1].lineno}" if lines else origin
        raise UserError(f"the plugin {name} cannot be imported: {type(error).__name__}: {error} ({place})") from error
    trust_module(name)


def _sha256(module: ModuleType) -> str:
    """Of a module's file; of one without a file, nothing is known."""
    file = getattr(module, "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else "unknown"
