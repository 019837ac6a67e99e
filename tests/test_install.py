"""The wheel: it carries conf/, and its command works from any folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from vjepa_pipe.config.folders import conf_dir

ROOT = conf_dir().parent


def test_wheel_finds_its_config_from_any_folder(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(ROOT / "vjepa_pipe", source / "vjepa_pipe", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "conf", source / "conf")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(tmp_path / "site"), str(source)]
    subprocess.run(pip, check=True, capture_output=True, timeout=300)
    shutil.rmtree(source)
    code = (
        "import sys; from vjepa_pipe.config.folders import conf_dir; print(conf_dir()); "
        "from vjepa_pipe.cli import main; sys.exit(main())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, "data=csv", "data.data_paths=[a.csv]", "--cfg", "job"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert str(tmp_path / "site") in result.stdout.splitlines()[0]
    assert "- a.csv" in result.stdout
