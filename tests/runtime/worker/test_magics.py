"""Each magic of IPython does in a session what it does in a stock kernel, or reports why it cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from fidelity.outcomes import steady
from support.kernels import Kernel, kernel
from support.sessions import isolated

from pyrepl_stream import RemoteSession, connect

pytestmark = pytest.mark.kernel

# What follows the name of a magic that does something useful only with arguments.
ARGUMENTS = {
    "%alias": "hello echo hello",
    "%alias_magic": "ti timeit",
    "%bookmark": "-l",
    "%cat": "text.txt",
    "%cd": "-q .",
    "%code_wrap": "--list",
    "%config": "IPCompleter.greedy",
    "%cp": "text.txt copy.txt",
    "%doctest_mode": "\n%doctest_mode",
    "%edit": "text.txt",
    "%ed": "text.txt",
    "%env": "HOME",
    "%history": "-l 1",
    "%less": "text.txt",
    "%load": "text.txt",
    "%load_ext": "autoreload",
    "%loadpy": "text.txt",
    "%logstart": "log.py over\n%logstop",
    "%macro": "m 1",
    "%magic": "-brief",
    "%man": "no_such_page",
    "%matplotlib": "--list",
    "%mkdir": "folder",
    "%more": "text.txt",
    "%mv": "copy.txt moved.txt",
    "%notebook": "out.ipynb",
    "%page": "len",
    "%pdb": "off",
    "%pdef": "print",
    "%pdoc": "print",
    "%pfile": "text.txt",
    "%pinfo": "print",
    "%pinfo2": "Path",
    "%precision": "",
    "%prun": "-q pass",
    "%psearch": "prin*",
    "%psource": "Path.cwd",
    "%pushd": ".",
    "%pycat": "text.txt",
    "%rm": "moved.txt",
    "%rmdir": "folder",
    "%run": "script.py",
    "%save": "-f saved.py 1",
    "%set_env": "A_VARIABLE 1",
    "%store": "",
    "%sx": "echo 1",
    "%system": "echo 1",
    "%time": "pass",
    "%timeit": "-n1 -r1 pass",
    "%unalias": "hello",
    "%xdel": "Path",
    "%xmode": "Context",
    "%reset": "-f",
    "%reset_selective": "-f nothing",
    "%%!": "\necho 1",
    "%%bash": "\necho 1",
    "%%capture": "x\nprint(1)",
    "%%code_wrap": "--list\n__code__",
    "%%file": "written.txt\ntext",
    "%%prun": "-q\npass",
    "%%script": "cat\ntext",
    "%%sh": "\necho 1",
    "%%writefile": "written.txt\ntext",
}
# Magics that ask, need the network or a package manager, take long, or depend on the cell before.
LEFT_OUT = {
    *("%debug", "%%debug", "%pastebin", "%rehashx", "%mamba", "%micromamba", "%conda", "%pylab"),
    *("%pip", "%uv", "%sc", "%tb", "%recall", "%rep"),
}
# Warnings of files that were not closed appear whenever they are freed.
BEFORE = "from pathlib import Path\nimport warnings\nwarnings.simplefilter('ignore', ResourceWarning)"
LIMIT = 30.0  # seconds; only a magic that waits for ever takes that long
# Where the errors of both differ, with the reason.
DIFFERENT = {
    "%connect_info": "a session has no connection file: it says so",
    "%qtconsole": "a session has no connection file: it says so",
    "%subshell": "a session has no subshells: it says so",
    "%edit": "a session has no editor: it says so",
    "%ed": "a session has no editor: it says so",
    "%load": "the code for the next cell is shown in the output",
    "%loadpy": "the code for the next cell is shown in the output",
}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Kernel, RemoteSession]]:
    folders = [tmp_path_factory.mktemp(name) for name in ("kernel", "session")]
    for folder in folders:
        (folder / "text.txt").write_text("pass\n")
        (folder / "script.py").write_text("print('run')\n")
    with (
        pytest.MonkeyPatch.context() as patch,
        isolated() as root,
    ):
        patch.setenv("IPYTHONDIR", str(root / "ipython"))
        patch.setenv("PYTHONWARNINGS", "default")  # as in the kernel of the tests
        with kernel(cwd=folders[0]) as stock, connect("local:magics", cwd=str(folders[1])) as session:
            yield stock, session


def cells(listed: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Return the names of the magics and a cell for each."""
    found = []
    for kind, mark in (("line", "%"), ("cell", "%%")):
        for name in sorted(listed[kind]):
            magic = mark + name
            rest = ARGUMENTS.get(magic, "" if kind == "line" else "\npass")
            if magic not in LEFT_OUT:
                found.append((magic, f"{magic}{'' if rest.startswith(chr(10)) else ' '}{rest}"))
    return found


def test_each_magic_behaves_as_in_a_kernel(
    places: tuple[Kernel, RemoteSession], rounds: Callable[[int, int], int]
) -> None:
    stock, session = places
    listed = "{kind: list(magics) for kind, magics in get_ipython().magics_manager.lsmagic().items()}"
    ours, theirs = eval(str(session.execute(listed).wait().result)), eval(in_kernel(stock, listed))
    assert {kind: sorted(names) for kind, names in ours.items()} == {
        kind: sorted(names) for kind, names in theirs.items()
    }
    session.execute(BEFORE).wait()
    stock.run(BEFORE)
    differing = {}
    for magic, code in cells(theirs)[:: rounds(4, 1)]:
        result = session.execute(code, timeout=LIMIT).wait()
        cell = stock.run(code)
        seen = [
            steady(text)
            for text in (
                "".join(error["ename"] for error in cell.of("error")) + cell.text("stderr"),
                (result.error.name if result.error and not result.error.printed else "") + result.stderr,
            )
        ]
        if seen[0] != seen[1] or result.success != cell.ok:
            differing[magic] = seen
    assert differing.keys() <= DIFFERENT.keys(), {m: differing[m] for m in differing if m not in DIFFERENT}
    assert all(seen[1] for seen in differing.values()), differing


def in_kernel(stock: Kernel, code: str) -> str:
    """Return the text of the result of a cell."""
    return str(stock.run(code).of("execute_result")[0]["data"]["text/plain"])
