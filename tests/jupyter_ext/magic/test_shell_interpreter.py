"""Cells of thread targets behave as cells of an IPython shell, in a real kernel."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from support.kernels import Cell, Kernel, kernel
from support.sessions import isolated

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with isolated(), kernel(cwd=tmp_path_factory.mktemp("kernel")) as running:
        assert running.run("%load_ext jupyter_ext").ok
        yield running


def thread(running: Kernel, code: str, name: str = "") -> Cell:
    return running.run(f"%%remote_stream thread:{name}\n{code}")


def shown(cell: Cell) -> str:
    return str(cell.of("execute_result")[-1]["data"]["text/plain"])


def plain(text: str) -> str:
    """Return the text without colours."""
    return re.sub(r"\x1b\[[\d;]*m", "", text)


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        (["%%time\nkk = 4", "print(kk)"], "4\n"),
        (["%%capture out\nprint('held')", "print(out.stdout)"], "held\n\n"),
        (["history = 5", "history\nprint(history)"], "5\n"),
        (["%who"], "Interactive namespace is empty.\n"),
        (["x = 'a b'\n!echo {x} $x"], "a b a b\n"),
        (["y = 6\n%timeit -n1 -r1 -q y"], ""),
        (["z = !echo lines\nprint(z)"], "['lines']\n"),
        (["print(__name__, type(get_ipython()).__name__)"], "__main__ ZMQInteractiveShell\n"),
    ],
)
def test_magics_act_on_the_namespace_of_their_cell(
    running: Kernel, request: pytest.FixtureRequest, cells: list[str], text: str
) -> None:
    name = f"n{abs(hash(request.node.name))}"
    for cell in cells:
        last = thread(running, cell, name)
        assert last.ok, last.traceback
    assert last.text() == text
    assert "kk" not in running.run("%who").text()


def test_run_with_the_namespace_reads_and_writes_it(running: Kernel) -> None:
    running.run("%%writefile script.py\nwritten = given + 1")
    thread(running, "given = 1\n%run -i script.py", "runs")
    assert shown(thread(running, "written", "runs")) == "2"


def test_an_own_namespace_counts_its_own_cells(running: Kernel) -> None:
    assert shown(thread(running, "5", "counts")) == "5"
    thread(running, "6", "counts")
    assert (
        shown(thread(running, "_, __, _1, Out, In[1:3]", "counts")) == "(6, 5, 5, {1: 5, 2: 6}, ['5', '6'])"
    )
    cell = thread(running, "x = 1\n1/0", "counts")
    assert "Cell In[4], line 2" in plain(cell.traceback)


def test_a_result_of_thread_is_one_of_the_notebook(running: Kernel) -> None:
    count = thread(running, "'kept'").reply["execution_count"]
    assert shown(running.run(f"_, Out[{count}], _{count}")) == "('kept', 'kept', 'kept')"


def test_a_traceback_of_thread_has_the_number_of_its_cell(running: Kernel) -> None:
    for begin in ("", "%%time\n"):
        cell = running.run(f"{begin}%%remote_stream thread:\n1/0")
        assert f"Cell In[{cell.reply['execution_count']}], line 1" in plain(cell.traceback)


def test_the_result_of_an_earlier_cell_is_kept_under_its_number_only(running: Kernel) -> None:
    running.run("import threading\nhold = threading.Event()")
    count = running.run("%%remote_stream thread: --detach --out earlier\nhold.wait()\n'early'").reply[
        "execution_count"
    ]
    running.run("'late'")
    running.run("hold.set(); earlier.wait();")
    assert shown(running.run(f"_, Out[{count}], _{count}")) == "('late', 'early', 'early')"


def test_a_value_whose_repr_fails_fails_its_cell_once(running: Kernel) -> None:
    for name in ("", "repr"):
        cell = thread(running, "class A:\n    def __repr__(self): raise ValueError('no repr')\nA()", name)
        assert (cell.reply["ename"], cell.reply["evalue"]) == ("ValueError", "no repr")
        assert len(cell.of("error")) == 1
        assert "jupyter_ext" not in cell.traceback
        assert cell.text("stderr") == ""


def test_a_long_chain_of_exceptions_ends_its_cell(running: Kernel) -> None:
    chain = "first = error = ValueError('first')\nfor _ in range(3000):\n"
    chain += "    error.__context__ = ValueError('cause')\n    error = error.__context__\nraise first"
    cell = thread(running, chain)
    assert not cell.ok
    assert "ValueError: first" in plain("\n".join(cell.reply["traceback"]))
    assert thread(running, "print('next')").text() == "next\n"


@pytest.mark.parametrize("name", ["", "several"])
def test_the_option_of_the_shell_says_which_values_are_shown(running: Kernel, name: str) -> None:
    def values(code: str, option: str) -> list[str]:
        thread(running, f"%config InteractiveShell.ast_node_interactivity = {option!r}", name)
        cell = thread(running, code, name)
        assert cell.ok, cell.traceback
        return [result["data"]["text/plain"] for result in cell.of("execute_result")]

    try:
        assert values("1\nx = 2\nfor i in range(2): i\nx", "all") == ["1", "0", "1", "2"]
        assert values("1\nfor i in range(2): i", "last") == ["0", "1"]
        assert values("1\ny = 5", "last_expr_or_assign") == ["5"]
        assert values("1\n2", "none") == []
    finally:
        assert values("1\n2", "last_expr") == ["2"]


def test_statements_before_one_that_cannot_be_compiled_run(running: Kernel) -> None:
    cell = thread(running, "print('before')\nyield 5")
    assert cell.text() == "before\n"
    assert cell.reply["ename"] == "SyntaxError"


@pytest.mark.parametrize("name", ["", "hooked"])
def test_a_display_hook_of_a_cell_ends_with_it(running: Kernel, name: str) -> None:
    code = "import sys\nsys.displayhook = lambda value: print('hook', value)\n5"
    cell = thread(running, code, name)
    assert (cell.text(), cell.of("execute_result")) == ("hook 5\n", [])
    assert (shown(thread(running, "6", name)), shown(running.run("7"))) == ("6", "7")


def test_an_error_that_a_magic_shows_does_not_fail_its_cell(running: Kernel) -> None:
    thread(running, "1/0")
    cell = thread(running, "print('one')\n%tb\nprint('two')")
    assert cell.ok
    assert [error["ename"] for error in cell.of("error")] == ["ZeroDivisionError"]
    assert cell.text() == "one\ntwo\n"
    kinds = [
        message["msg_type"] for _, message in cell.messages if message["msg_type"] in ("stream", "error")
    ]
    assert kinds == ["stream", "error", "stream"]


@pytest.mark.parametrize(
    ("code", "text"),
    [("raise ExceptionGroup('several', [ValueError(1)])", "several"), ("import bdb\nraise bdb.BdbQuit", "")],
)
def test_an_error_that_the_shell_does_not_raise_fails_its_cell_all_the_same(
    running: Kernel, code: str, text: str
) -> None:
    cell = thread(running, code)
    assert not cell.ok
    assert (cell.of("error"), text in cell.text("stderr")) == ([], True)
    assert "pyrepl_stream" not in cell.text("stderr")


def test_a_handler_of_the_codes_own_shows_its_errors(running: Kernel) -> None:
    code = (
        "def handler(shell, kind, error, traceback, tb_offset=None): print('handled', error)\n"
        "get_ipython().set_custom_exc((LookupError,), handler)"
    )
    thread(running, code)
    try:
        cell = thread(running, "{}['k']")
        assert (cell.text(), cell.ok, cell.of("error")) == ("handled 'k'\n", False, [])
    finally:
        running.run("get_ipython().set_custom_exc((), None)")


def test_the_list_of_inputs_has_the_code_of_a_cell(running: Kernel) -> None:
    thread(running, "one = 1\n%pwd")
    assert running.run("print(In[-2])").text() == "one = 1\nget_ipython().run_line_magic('pwd', '')\n"
    running.run("%%remote_stream thread:other\none = 2")
    assert running.run("print(In[-2])").text() == (
        "get_ipython().run_cell_magic('remote_stream', 'thread:other', 'one = 2\\n')\n"
    )


def test_an_empty_cell_does_nothing(running: Kernel) -> None:
    cell = thread(running, "\n")
    assert (cell.ok, cell.text(), cell.text("stderr")) == (True, "", "")
    assert "the cell is empty" in running.run("%%remote_stream thread:").text("stderr")


def test_a_semicolon_before_a_comment_hides_the_value(running: Kernel) -> None:
    assert thread(running, "5;  # hidden").of("execute_result") == []
    assert shown(thread(running, "5  # not ;")) == "5"


def test_an_unknown_magic_is_reported_as_in_a_plain_cell(running: Kernel) -> None:
    cells = [
        running.run("%no_such_magic"),
        thread(running, "%no_such_magic"),
        thread(running, "%no_such_magic", "usage"),
    ]
    assert [cell.text("stderr") for cell in cells] == [
        "UsageError: Line magic function `%no_such_magic` not found.\n"
    ] * 3
    assert not any(cell.ok or cell.of("error") for cell in cells)


@pytest.mark.parametrize("code", ["return 5", "def f(a, a): pass", "x = (1,\ny", "  x\n y"])
def test_a_syntax_error_is_shown_once(running: Kernel, code: str) -> None:
    cell = thread(running, code)
    assert cell.reply["ename"] in ("SyntaxError", "IndentationError")
    assert len(cell.of("error")) == 1
    assert plain(cell.traceback).count("Error:") == 1
    assert "Cell In[" in plain(cell.traceback)
    assert cell.text("stderr") == ""


def test_the_mode_of_tracebacks_is_the_notebooks(running: Kernel) -> None:
    running.run("%xmode Minimal")
    try:
        assert plain(thread(running, "1/0").traceback).strip() == "ZeroDivisionError: division by zero"
    finally:
        running.run("%xmode Context")


def test_the_message_of_an_exit_is_shown(running: Kernel) -> None:
    cell = thread(running, "import sys\nsys.exit('no config file')")
    assert (cell.reply["ename"], cell.reply["evalue"]) == ("SystemExit", "no config file")
    assert "no config file" in plain(cell.traceback)


@pytest.mark.parametrize("name", ["", "debugged"])
def test_debug_finds_the_frame_of_the_code(running: Kernel, name: str) -> None:
    thread(running, "def f():\n    inner = 'of the frame'\n    1/0\nf()", name)
    # The debugger executes the line that it is given, in the frame where the error was raised.
    cell = running.run("%debug", answer="p inner;; q")
    assert "'of the frame'" in cell.text()
    assert "jupyter_ext" not in cell.text()


def test_a_cells_file_name_is_stable_and_its_source_can_be_read(running: Kernel) -> None:
    code = "import inspect, linecache\ndef f(): return 1\nf.__code__.co_filename, inspect.getsource(f)"
    first, second = shown(thread(running, code)), shown(thread(running, code, "names"))
    assert first == second
    assert re.search(r"ipykernel_\d+/\d+\.py", first)
    assert "def f(): return 1" in first


def test_libraries_find_a_kernels_stream(running: Kernel) -> None:
    code = (
        "import sys, click\nfrom ipykernel.iostream import OutStream\nclick.secho('red', fg='red')\n"
        "print(isinstance(sys.stdout, OutStream), sys.stdout.__class__.__module__, sys.stdout.isatty())"
    )
    for cell in (running.run(code), thread(running, code), thread(running, code, "libraries")):
        assert cell.text() == "\x1b[31mred\x1b[0m\nTrue ipykernel.iostream False\n"


def test_a_detached_cell_has_the_builtins_of_ipython(running: Kernel) -> None:
    running.run("import threading, builtins\nproceed = threading.Event()")
    code = "proceed.wait()\nprint(hasattr(builtins, 'get_ipython'))"
    running.run(f"%%remote_stream thread: --detach --out builtin\n{code}")
    at_the_end = (
        "def after(result):\n    shell.events.unregister('post_run_cell', after)\n    proceed.set()\n"
        "shell = get_ipython()\nshell.events.register('post_run_cell', after)"
    )
    assert running.run(at_the_end).ok
    assert running.run("print(builtin.wait().stdout)").text() == "True\n\n"


def test_a_running_cell_leaves_plain_cells_their_main_module(running: Kernel) -> None:
    code = "import threading, __main__\ngo = threading.Event()\nown = 1\nprint('waits')\ngo.wait()\nprint(__main__.own)"
    running.run(f"%%remote_stream thread:main --detach --out run\n{code}")
    running.run("import sys, pickle\ndef mine(): return 'mine'")
    cell = running.run(
        "for message in run:\n    break\n"
        "vars(sys.modules['__main__']) is globals(), hasattr(sys.modules['__main__'], 'own'), "
        "pickle.loads(pickle.dumps(mine))()"
    )
    assert shown(cell) == "(True, False, 'mine')"
    thread(running, "go.set()", "main")
    assert shown(running.run("run.wait().stdout")) == "'waits\\n1\\n'"


def test_a_detached_cell_in_a_captured_cell_keeps_its_output(running: Kernel) -> None:
    running.run("import threading\ngo_on = threading.Event()")
    running.run(
        "%%capture out\nget_ipython().run_cell_magic('remote_stream', 'thread: --detach --out held', "
        "'go_on.wait()\\nprint(1)\\n')\nprint('captured')"
    )
    assert (
        running.run("go_on.set(); print(held.wait().stdout == '1\\n', 'captured' in out.stdout)").text()
        == "True True\n"
    )
