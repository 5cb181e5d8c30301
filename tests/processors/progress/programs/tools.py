"""Input for the tools: made-up files, packages and repositories, served slowly on 127.0.0.1."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import random
import shlex
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
PORT = 8099
RATE = 250_000  # bytes per second of each download, as a rule
STEP = 0.02  # seconds between two pieces
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def noise(size: int, seed: int = 1) -> bytes:
    """Return bytes that cannot be compressed, the same in each run."""
    return random.Random(seed).randbytes(size)


def _tar(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


class _Handler(BaseHTTPRequestHandler):
    pages: dict[str, tuple[str, bytes]]
    rate: int
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        kind, data = self.pages.get(self.path, ("", b""))
        known = not self.path.startswith("/unknown")
        self.send_response(200 if kind else 404)
        self.send_header("Content-Type", kind)
        if kind == MANIFEST:
            self.send_header("Docker-Content-Digest", _digest(data))
        if known:
            self.send_header("Content-Length", str(len(data)))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command == "HEAD":
            return
        piece = int(self.rate * STEP)
        for start in range(0, len(data), piece):
            self.wfile.write(data[start : start + piece])
            if len(data) > piece:
                time.sleep(STEP)

    do_HEAD = do_GET

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serve(pages: dict[str, tuple[str, bytes]], rate: int = RATE) -> Iterator[None]:
    """Serve pages (path: content type, body) over HTTP; those below ``/unknown`` without their length."""
    handler = type("Handler", (_Handler,), {"pages": pages, "rate": rate})
    with ThreadingHTTPServer(("127.0.0.1", PORT), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


def data_file(directory: Path) -> AbstractContextManager[None]:
    body = ("application/octet-stream", noise(700_000))
    return serve({"/data.bin": body, "/unknown/data.bin": body})


def _wheel(name: str, files: dict[str, bytes]) -> bytes:
    module = name.replace("-", "_")
    files = {
        **{f"{module}/{path}": data for path, data in files.items()},
        f"{module}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{module}-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{module}-1.0.dist-info/RECORD"
    files[record] = "".join(f"{path},,\n" for path in (*files, record)).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return packed.getvalue()


def _index(wheels: dict[str, bytes], below: str = "") -> dict[str, tuple[str, bytes]]:
    pages = {}
    for name, wheel in wheels.items():
        path = f"{below}/{name.replace('-', '_')}-1.0-py3-none-any.whl"
        pages[f"/simple/{name}/"] = ("text/html", f'<!DOCTYPE html><a href="{path}">{name}</a>'.encode())
        pages[path] = ("application/zip", wheel)
    return pages


def wheel(directory: Path) -> AbstractContextManager[None]:
    """Serve an index with one made-up wheel, whose download pip reports every 256 KiB."""
    return serve(_index({"made-up": _wheel("made-up", {"data.bin": noise(2_500_000)})}), 4 * RATE)


def wheel_of_unknown_size(directory: Path) -> AbstractContextManager[None]:
    pages = _index({"made-up": _wheel("made-up", {"data.bin": noise(2_500_000)})}, "/unknown")
    return serve(pages, 4 * RATE)


def many_wheels(directory: Path) -> AbstractContextManager[None]:
    """Make three wheels that take a while to install."""
    files = {f"{number}.txt": b"" for number in range(3000)}
    return serve(
        _index({name: _wheel(name, files) for name in ("made-up-1", "made-up-2", "made-up-3")}), 1 << 30
    )


def node_packages(directory: Path) -> AbstractContextManager[None]:
    """Make three packages that depend on one another, and a project that depends on the first."""
    pages: dict[str, tuple[str, bytes]] = {}
    for number in (1, 2, 3):
        name = f"made-up-{number}"
        manifest = {"name": name, "version": "1.0.0"}
        if number < 3:
            manifest["dependencies"] = {f"made-up-{number + 1}": "1.0.0"}
        text = json.dumps(manifest).encode()
        packed = gzip.compress(
            _tar({"package/package.json": text, "package/data.bin": noise(150_000, number)})
        )
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(packed).digest()).decode()
        tarball = f"/{name}/-/{name}-1.0.0.tgz"
        dist = {"tarball": f"http://127.0.0.1:{PORT}{tarball}", "integrity": integrity}
        listing = {
            "name": name,
            "dist-tags": {"latest": "1.0.0"},
            "versions": {"1.0.0": {**manifest, "dist": dist}},
        }
        pages[f"/{name}"] = ("application/json", json.dumps(listing).encode())
        pages[tarball] = ("application/octet-stream", packed)
    project = {"name": "project", "version": "1.0.0", "dependencies": {"made-up-1": "1.0.0"}}
    (directory / "package.json").write_text(json.dumps(project))
    return serve(pages)


@contextmanager
def files(directory: Path) -> Iterator[None]:
    """Make three files to copy."""
    (directory / "source").mkdir()
    for number in (1, 2, 3):
        (directory / "source" / f"data-{number}.bin").write_bytes(noise(300_000 + 50_000 * number, number))
    yield


@contextmanager
def repository(directory: Path) -> Iterator[None]:
    """Make a repository with changed files, and ``slow``, an upload-pack that slows transfers down."""
    source = directory / "source"
    _git(directory, "init", "--quiet", "source")
    for change in (1, 2):
        for number in range(10):
            data = noise(30_000, number) + b"x" * change
            (source / f"data-{number}.bin").write_bytes(data)
        _git(source, "add", ".")
        _git(source, "commit", "--quiet", "-m", f"Change {change}")
    slow = directory / "slow"
    program = Path(__file__).with_name("slow_cat.py")
    slow.write_text(f'#!/bin/sh\ngit-upload-pack "$@" | {shlex.join([sys.executable, str(program)])}\n')
    slow.chmod(0o755)
    yield


def _git(directory: Path, *arguments: str) -> None:
    who = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.org"]
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", *who, *arguments], cwd=directory, check=True, env=env)


def image(directory: Path) -> AbstractContextManager[None]:
    """Serve a registry with one image of two layers."""
    layers = [
        _tar({f"data-{number}.bin": noise(size, number)}) for number, size in ((1, 400_000), (2, 600_000))
    ]
    packed = [gzip.compress(layer, mtime=0) for layer in layers]
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer) for layer in layers]},
            "history": [{"created": "2026-01-01T00:00:00Z"} for _ in layers],
        }
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "size": len(config), "digest": _digest(config)},
            "layers": [
                {"mediaType": LAYER, "size": len(layer), "digest": _digest(layer)} for layer in packed
            ],
        }
    ).encode()
    blobs = {f"/v2/made-up/blobs/{_digest(data)}": (LAYER, data) for data in (config, *packed)}
    manifests = {
        f"/v2/made-up/manifests/{name}": (MANIFEST, manifest) for name in ("latest", _digest(manifest))
    }
    return serve({"/v2/": ("application/json", b"{}"), **manifests, **blobs})


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
