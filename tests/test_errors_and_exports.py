"""The public names, and the classes of errors."""

from __future__ import annotations

import builtins
import importlib
import subprocess
from collections.abc import Callable

import pytest

import pyrepl_stream
from pyrepl_stream.runtime import errors


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_one_of_ours(name: str) -> None:
    assert issubclass(getattr(errors, name), errors.PyreplStreamError)


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("UsageError", "ValueError"),
        ("SessionClosedError", "RuntimeError"),
        ("UnknownExecutionError", "LookupError"),
        ("CursorError", "ValueError"),
        ("ProtocolError", "ValueError"),
        ("BufferOverflowError", "RuntimeError"),
    ],
)
def test_errors_are_also_the_builtin_ones_that_people_expect(name: str, builtin: str) -> None:
    assert issubclass(getattr(errors, name), getattr(builtins, builtin))


@pytest.mark.parametrize("name", pyrepl_stream.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(pyrepl_stream, name) is not None
    assert name in dir(pyrepl_stream)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = pyrepl_stream.nothing


def test_star_import_gives_exactly_the_public_names(
    run_python: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    program = "before = set(globals())\nfrom pyrepl_stream import *\nimport pyrepl_stream as p\nprint(set(globals()) - before - {'before', 'p'} == set(p.__all__))"
    assert run_python(program, "-W", "error").stdout == "True\n"


def test_importing_the_package_alone_imports_almost_nothing(
    run_python: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    program = "import sys, pyrepl_stream\nprint(sorted(n for n in sys.modules if n.startswith(('pyrepl_stream', 'asyncio', 'anyio', 'IPython'))))"
    assert (
        run_python(program).stdout
        == "['pyrepl_stream', 'pyrepl_stream.runtime', 'pyrepl_stream.runtime.lazy', 'pyrepl_stream.runtime.version']\n"
    )


PUBLIC_PACKAGES = [
    "client",
    "config",
    "embedding",
    "inventory",
    "local",
    "processors",
    "profiles",
    "runtime.process",
    "runtime.protocol",
    "terminal",
    "testing",
]


@pytest.mark.parametrize("package", PUBLIC_PACKAGES)
def test_every_name_of_a_public_package_is_there(package: str) -> None:
    module = importlib.import_module(f"pyrepl_stream.{package}")
    for name in module.__all__:
        assert getattr(module, name) is not None


@pytest.mark.parametrize("name", sorted(pyrepl_stream._OLD))
def test_an_earlier_name_still_works_and_names_the_new_one(name: str) -> None:
    module, new = pyrepl_stream._OLD[name]
    with pytest.warns(DeprecationWarning, match=f"use pyrepl_stream.{module}.{new}"):
        found = getattr(pyrepl_stream, name)
    assert found is getattr(importlib.import_module(f"pyrepl_stream.{module}"), new)
    assert name not in pyrepl_stream.__all__
