"""The interpreters of this machine, by version."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

__all__ = ("VERSIONS", "interpreters")

VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")


@lru_cache(maxsize=1)
def interpreters() -> dict[str, str]:
    """Return the interpreters on the path and those of pyenv, by version."""
    candidates = [sys.executable]
    candidates += [path for version in VERSIONS if (path := shutil.which(f"python{version}"))]
    root = os.environ.get("PYENV_ROOT", "")
    if not root and (pyenv := shutil.which("pyenv")):
        root = subprocess.run([pyenv, "root"], capture_output=True, text=True, check=False).stdout.strip()
    if root:
        candidates += map(str, sorted(Path(root, "versions").glob("*/bin/python")))
    found: dict[str, str] = {}
    show = "import sys; print('%d.%d' % sys.version_info[:2]); print(sys.executable)"
    for candidate in candidates:
        process = subprocess.run([candidate, "-c", show], capture_output=True, text=True, check=False)
        if process.returncode == 0:
            version, executable = process.stdout.splitlines()
            found.setdefault(version, executable)
    return found
