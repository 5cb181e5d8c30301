"""Modules in the working directory of a session: the user's own are importable, and none is run unasked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.host import Attached, Client, RunningHost
from support.interpreters import interpreters

from pyrepl_stream.runtime.messages import DisplayMessage, ErrorMessage, InputRequestMessage, ResultMessage

HOSTILE = """\
with open({marker!r}, "a") as file:
    print(__name__, file=file)
raise SystemError("imported from the working directory: " + __name__)
"""
# Besides the standard library, modules that the start of an interpreter, worker or shell may import.
OTHERS = "IPython jedi matplotlib_inline pyrepl_stream pyrepl_stream_far sitecustomize traitlets usercustomize".split()

SHOW_PATH = (
    "import os, sys; print(sys.path, [item for item in os.environ.items() if 'PYTHONPATH' in item[0]])"
)


@pytest.fixture(params=["own", "3.9", "3.13"])
def python(request: pytest.FixtureRequest) -> str:
    """The interpreter of this environment, which has IPython, and others without packages."""
    if request.param == "own":
        return sys.executable
    if request.param not in interpreters():
        pytest.skip(f"there is no Python {request.param} here")
    return interpreters()[request.param]


@pytest.fixture
def folder(python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a hostile module for each name that must not be imported from it."""
    folder = tmp_path / "folder"
    folder.mkdir()
    show = "import sys; print(*getattr(sys, 'stdlib_module_names', ()))"
    names = subprocess.run(
        [python, "-c", show], cwd="/", capture_output=True, text=True, check=True
    ).stdout.split()
    for name in {*sys.stdlib_module_names, *names, *OTHERS}:
        (folder / f"{name}.py").write_text(HOSTILE.format(marker=str(marker_of(folder))))
    (folder / "helper.py").write_text("value = 'of the user'\n")
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])  # of the test process
    monkeypatch.chdir(folder)
    return folder


def marker_of(folder: Path) -> Path:
    return folder.parent / "imported"


def imported(folder: Path) -> list[str]:
    """Return the hostile modules that were run."""
    marker = marker_of(folder)
    return marker.read_text().split() if marker.exists() else []


def session_in(folder: Path, make: Callable[..., RunningHost], python: str) -> Client:
    return make(cwd=str(folder), python=python).client()


def interrupted(client: Client, code: str, name: str) -> Attached:
    client.execute(f"print('go', flush=True)\n{code}", name)
    attached = client.attach(name)
    client.until_text(attached, "go")
    client.ask(op="interrupt", id=name, key=name)
    client.until(lambda: attached.end is not None)
    return attached


RICH = """\
class Rich:
    def _repr_html_(self):
        return "<b>rich</b>"
display(Rich())
Rich()"""
DISPLAY = "try:\n    display\nexcept NameError:\n    from IPython.display import display\n"
FAILURES = {
    "def f(x):\n    return 1 / x\ntry:\n    f(0)\nexcept ZeroDivisionError as exc:\n    raise ValueError('bad') from exc": "ValueError",
    "prin('x')": "NameError",
    "'x'.uper()": "AttributeError",
    "x = = 1": "SyntaxError",
    "class Bad(Exception):\n    def __str__(self): raise OSError\nraise Bad": "Bad",
}


def test_no_module_of_the_working_directory_is_run_unasked(
    make: Callable[..., RunningHost], folder: Path, python: str
) -> None:
    client = session_in(folder, make, python)
    first = client.run("import sys\nprint('out')\nprint('error', file=sys.stderr)", "output")
    assert (first.text(), first.text("stderr")) == ("out\n", "error\n")
    assert imported(folder) == []

    rich = client.run(DISPLAY + RICH, "display")
    shown = [m.data["text/html"] for m in rich.messages if isinstance(m, (DisplayMessage, ResultMessage))]
    assert shown == ["<b>rich</b>"] * 2
    assert imported(folder) == []

    client.execute("print(input('name? '))", "input")
    attached = client.attach("input")
    client.until(lambda: any(isinstance(m, InputRequestMessage) for m in attached.messages))
    client.ask(op="input", id="input", sequence=attached.messages[-1].sequence, text="me")
    assert client.read("input").text() == "me\n"
    assert imported(folder) == []

    for number, (code, name) in enumerate(FAILURES.items()):
        messages = client.run(code, f"error{number}").messages
        if name == "Bad" and python == sys.executable:
            name = "OSError"  # IPython shows the error of `__str__` last, as in a kernel
        assert [m.name for m in messages if isinstance(m, ErrorMessage)] == [name]
        assert imported(folder) == [], code

    assert interrupted(client, "import time\ntime.sleep(1000)", "sleep").complete.status == "interrupted"
    assert interrupted(client, "while True: pass", "loop").complete.status == "interrupted"
    assert interrupted(client, "input('?')", "question").complete.status == "interrupted"
    waiting = "import asyncio\nawait asyncio.sleep(1000)"
    assert interrupted(client, waiting, "await").complete.status == "interrupted"
    assert imported(folder) == []

    for number, code in enumerate(
        (
            "import asyncio\nasync def f(): return 1\nprint(await asyncio.gather(f(), f()))",
            "import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start(); t.join()",
            "import warnings\nwarnings.warn('careful')",
            "import logging\nlogging.warning('careful')",
            "import subprocess, sys\nsubprocess.run(['true'], check=True)",
            "import os\nif os.fork() == 0: os._exit(0)\nos.wait()",
            "import sys\nsys.exit(0)",
        )
    ):
        assert client.run(code, f"more{number}").complete.success, code
        assert imported(folder) == [], code
    client.command("echo command", "command")
    assert client.read("command").text() == "command\n"
    client.command(["cat"], "interactive", interactive=True)
    client.ask(op="interrupt", id="interactive", key="interactive")
    assert client.read("interactive").complete.status == "interrupted"
    assert imported(folder) == []

    lost = client.run("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "lost")
    assert not lost.complete.success
    assert client.run("print('again')", "again").text() == "again\n"
    client.ask(op="close", forget=False)
    with pytest.raises(EOFError):
        client.until(lambda: False)
    assert imported(folder) == []


@pytest.mark.parametrize("python", ["own"], indirect=True)
def test_ipython_runs_no_module_of_the_working_directory(
    make: Callable[..., RunningHost], folder: Path, python: str
) -> None:
    client = session_in(folder, make, python)
    for number, code in enumerate(
        ("!echo shell", "%time 1 + 1", "%pwd", "print?", "%xmode Verbose\n1", "%who", "%%bash\necho shell")
    ):
        assert client.run(code, f"magic{number}").complete.success, code
        assert imported(folder) == [], code
    assert not client.run("x = 5\ny = x / 0", "verbose").complete.success
    assert imported(folder) == []


def test_the_users_modules_can_be_imported(
    make: Callable[..., RunningHost], folder: Path, python: str
) -> None:
    client = session_in(folder, make, python)
    assert client.run("import helper\nprint(helper.value)", "one").text() == "of the user\n"
    # The worker does not import this module, so the user's own module of that name is imported.
    assert client.run("import turtledemo", "two").complete.error.startswith("SystemError")
    assert imported(folder) == ["turtledemo"]


@pytest.mark.parametrize("kind", ["none", "relative", "empty", "folder"])
def test_the_path_of_user_code_is_that_of_a_plain_interpreter(
    make: Callable[..., RunningHost], tmp_path: Path, python: str, kind: str
) -> None:
    for name in ("lib", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "lib" / "queue.py").write_text("raise SystemError")
    (tmp_path / "lib" / "in_lib.py").write_text("value = 'in lib'\n")
    elsewhere = tmp_path / "elsewhere"
    paths = {
        "none": None,
        "relative": f"lib:{elsewhere}",
        "empty": f":{elsewhere}:../x",
        "folder": str(tmp_path),
    }
    environment = {"PYTHONPATH": paths[kind]}
    plain = subprocess.run(
        [python, "-c", SHOW_PATH],
        cwd=tmp_path,
        env={name: value for name, value in environment.items() if value is not None},
        capture_output=True,
        text=True,
        check=True,
    )
    client = make(cwd=str(tmp_path), python=python, env=environment).client()
    assert client.run(SHOW_PATH, "one").text() == plain.stdout
    if kind == "relative":
        assert client.run("import in_lib\nprint(in_lib.value)", "two").text() == "in lib\n"
