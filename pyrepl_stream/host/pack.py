"""The far end as one file: a zip archive that any Python from 3.9 on runs, with nothing installed.

In it the package has a name of its own, so that it never meets a ``pyrepl_stream`` that is installed
where it runs: imports inside the package are relative. The archive of the same sources has the same
bytes, and its name tells them apart.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import sys
import tempfile
import zipfile
from functools import lru_cache

__all__ = ("FAR_END", "archive", "location", "write_archive")

FAR_END = (
    "errors.py",
    "messages.py",
    "wire.py",
    "journal",
    "engine",
    "results.py",
    "waiting.py",
    "caller.py",
    "failures.py",
    "chain.py",
    "message_stream.py",
    "execution.py",
    "process",
    "worker",
    "host",
)
"""What of the package the far end is: files and directories."""

_NAME = "pyrepl_stream_far"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the time of all files in it
_MAIN = f"""\
import sys
from {_NAME}.host.__main__ import main
main(*sys.argv[1:])
"""
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def location() -> tuple[str, str]:
    """``(path, name)``: what has to be on ``sys.path`` for the package as it runs here, and its name."""
    return os.path.dirname(_PACKAGE), __name__.split(".", 1)[0]


def is_archive() -> bool:
    """Whether this runs out of an archive."""
    return not os.path.isdir(_PACKAGE)


@lru_cache(maxsize=1)
def archive() -> bytes:
    """The archive. To be called where the package is a directory."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as target:
        for name, content in [("__main__.py", _MAIN.encode()), (f"{_NAME}/__init__.py", b""), *_sources()]:
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o600 << 16
            target.writestr(info, content)
    return data.getvalue()


def _sources() -> list[tuple[str, bytes]]:
    found = []
    for entry in FAR_END:
        path = os.path.join(_PACKAGE, entry)
        if not os.path.isdir(path):
            found.append(entry)
        for directory, _, files in os.walk(path):
            inside = os.path.relpath(directory, _PACKAGE).replace(os.sep, "/")
            found += [f"{inside}/{name}" for name in files if name.endswith(".py")]
    sources = []
    for name in sorted(found):
        with open(os.path.join(_PACKAGE, name), "rb") as file:
            sources.append((f"{_NAME}/{name}", file.read()))
    return sources


def write_archive(directory: str) -> str:
    """Have the archive in ``directory``, which is the user's own; returns its path. Raises OSError."""
    if is_archive():
        return location()[0]
    data = archive()
    path = os.path.join(directory, f"far-{hashlib.sha256(data).hexdigest()[:16]}.pyz")
    if not os.path.exists(path):
        descriptor, temporary = tempfile.mkstemp(dir=directory)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            os.rename(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    return path


def far_name() -> str:
    """The package's name in the archive."""
    return _NAME


def same_interpreter(python: str) -> bool:
    """Whether ``python`` is the interpreter that runs this, in the same environment."""
    if not python:
        return True
    # Not `samefile`: a venv's interpreter is a link to one that has other packages.
    return os.path.abspath(python) == os.path.abspath(sys.executable)
