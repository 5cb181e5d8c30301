"""The far end as one file: a zip archive that Python 3.9 or newer runs without anything installed.

The package has another name in the archive, so that it cannot be confused with an installed
``pyrepl_stream``; imports inside the package are relative. The archive is reproducible: the same sources
give the same bytes, and its file name contains their hash.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import zipfile
from functools import lru_cache
from pathlib import Path

from ..journal.disk import Disk

__all__ = ("NAME", "archive", "location", "same_interpreter", "write_archive")

NAME = "pyrepl_stream_far"  # the name of the package in the archive
_EPOCH = (1980, 1, 1, 0, 0, 0)  # modification time of all files in the archive
_MAIN = f"""\
import sys
from {NAME}.host.__main__ import main
main(*sys.argv[1:])
"""
_PACKAGE = __name__[: -len(".host.zipapp")]  # `pyrepl_stream.runtime`, or its name in the archive
_FOLDER = Path(os.path.abspath(__file__)).parents[1]


def location() -> tuple[str, str]:
    """Return the entry of ``sys.path`` from which this package was imported, and the package's name."""
    return str(_FOLDER.parents[_PACKAGE.count(".")]), _PACKAGE


@lru_cache(maxsize=1)
def archive() -> bytes:
    """Return the archive's content. The process must have imported this package from a directory."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as target:
        sources = sorted((path.relative_to(_FOLDER).as_posix(), path) for path in _FOLDER.rglob("*.py"))
        contents = [(f"{NAME}/{name}", path.read_bytes()) for name, path in sources]
        for name, content in [("__main__.py", _MAIN.encode()), *contents]:
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o600 << 16
            target.writestr(info, content)
    return data.getvalue()


def write_archive(directory: str) -> str:
    """Write the archive into ``directory`` unless it already exists, and return its path.

    In a process that runs from an archive, return the path of that archive.

    Args:
        directory: A directory that only this user can access.

    Raises:
        OSError: The file cannot be written.
    """
    if not _FOLDER.is_dir():
        return location()[0]
    data = archive()
    path = os.path.join(directory, f"far-{hashlib.sha256(data).hexdigest()[:16]}.pyz")
    if not os.path.exists(path):
        temporary = f"{path}.{os.getpid()}"
        try:
            Disk().replace_file(path, temporary, data)
        except OSError:
            Disk().discard(temporary)
            raise
    return path


def same_interpreter(python: str) -> bool:
    """Return True if ``python`` is empty, or is this process's interpreter in the same environment."""
    if not python:
        return True
    # Not `samefile`, because a venv's interpreter is a link to an interpreter with other packages.
    return os.path.abspath(python) == os.path.abspath(sys.executable)
