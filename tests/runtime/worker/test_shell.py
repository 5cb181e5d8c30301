"""IPython in a worker: magics, displays, commands, tracebacks."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.worker import ROOT, Execution, Worker

from pyrepl_stream import (
    ClearMessage,
    DisplayMessage,
    ErrorMessage,
    InputRequestMessage,
    LogMessage,
    ResultMessage,
    StreamType,
)
from pyrepl_stream.processors.strip_ansi import stripped
from pyrepl_stream.runtime.process import Command
from pyrepl_stream.runtime.protocol.requests import CommandRequest

pytest.importorskip("IPython")


@pytest.fixture(scope="module")
def ipython() -> Iterator[Worker]:
    with Worker(sys.executable) as worker:
        yield worker


def traceback(seen: Execution) -> str:
    """Return the traceback of the only error, without its colours."""
    (error,) = seen.of(ErrorMessage)
    return stripped("\n".join(error.traceback))


def value(seen: Execution) -> str:
    return str(seen.of(ResultMessage)[0].data["text/plain"])


def test_a_worker_reports_its_version_of_ipython(ipython: Worker) -> None:
    import IPython

    assert ipython.ready["ipython"] == IPython.__version__


def test_results_are_formatted_and_remembered(ipython: Worker) -> None:
    seen = ipython.run("class Page:\n    def _repr_html_(self): return '<b>x</b>'\nPage()")
    assert seen.of(ResultMessage)[0].data["text/html"] == "<b>x</b>"
    ipython.run("6 * 7")
    assert value(ipython.run("_ + 1")) == "43"
    assert not ipython.run("6 * 7;").of(ResultMessage)


def test_displays_have_ids_and_can_be_updated(ipython: Worker) -> None:
    seen = ipython.run(
        "from IPython.display import HTML\nh = display(HTML('<i>1</i>'), display_id='d')\nh.update(HTML('<i>2</i>'))"
    )
    shown = [(m.data["text/html"], m.display_id, m.update) for m in seen.of(DisplayMessage)]
    assert shown == [("<i>1</i>", "d", False), ("<i>2</i>", "d", True)]


@pytest.mark.parametrize(
    ("code", "name", "last"),
    [
        ("1 / 0", "ZeroDivisionError", "ZeroDivisionError: division by zero"),
        ("1 +", "SyntaxError", "SyntaxError: invalid syntax"),
        ("return 5", "SyntaxError", "SyntaxError: 'return' outside function"),
        ("exit(3)", "SystemExit", "SystemExit: 3"),
        ("import asyncio; await asyncio.sleep(0); {}['x']", "KeyError", "KeyError: 'x'"),
    ],
)
def test_errors_have_only_frames_of_user_code(ipython: Worker, code: str, name: str, last: str) -> None:
    seen = ipython.run(code)
    (error,) = seen.of(ErrorMessage)
    text = traceback(seen)
    assert (error.name, text.rstrip("\n").split("\n")[-1]) == (name, last)
    assert "\x1b[31m" in "\n".join(error.traceback)
    assert "IPython" not in text
    assert "pyrepl_stream" not in text
    assert (seen.text(), seen.complete.status) == ("", "error")


def test_tracebacks_contain_the_lines_of_cells(ipython: Worker) -> None:
    ipython.run("def f():\n    raise ValueError('v')")
    seen = ipython.run("None\nf()")
    text = traceback(seen)
    assert f"Cell In[{value(ipython.run('get_ipython().execution_count - 2'))}], line 2" in text
    assert "----> 2     raise ValueError('v')" in text
    assert seen.complete.error == "ValueError: v"


def test_tracebacks_of_code_without_a_file_show_no_lines_of_the_worker(ipython: Worker) -> None:
    text = traceback(ipython.run("exec('1 / 0')"))
    lines = text[text.index("<string>:1") :]
    assert "Could not get source" in lines, "CPython 3.13 keeps the program of `-c` by the same name"


def test_the_error_of_a_magic_is_printed(ipython: Worker) -> None:
    seen = ipython.run("%no_such_magic")
    assert seen.text(StreamType.STDERR) == "UsageError: Line magic function `%no_such_magic` not found.\n"
    assert not seen.of(ErrorMessage)
    assert (seen.complete.status, seen.complete.extra["printed"]) == ("error", True)


def test_exit_ends_the_execution(ipython: Worker) -> None:
    for code in ("exit", "quit()", "exit(0)"):
        seen = ipython.run(code)
        assert (seen.text(), seen.complete.status) == ("", "ok")


def test_commands_run_on_a_terminal_in_order_with_python(ipython: Worker) -> None:
    for _ in range(10):
        seen = ipython.run("print('a')\n!test -t 1 && echo b\nprint('c')\n!echo d >&2\nprint('e')")
        assert seen.text() == "a\nb\nc\nd\ne\n"
    assert value(ipython.run("!exit 3\n_exit_code")) == "3"
    assert value(ipython.run("x = 'word'\nout = !echo {x} $x\nout")) == "['word word']"


def test_a_command_can_ask_for_input(ipython: Worker) -> None:
    seen = ipython.start("!read -p 'name? ' x; echo hello $$x")
    ipython.until(lambda: bool(seen.of(InputRequestMessage)))
    ipython.answer(seen, "you")
    assert "hello you" in ipython.wait(seen).text()


def test_a_background_process_of_a_command_writes_to_its_execution(ipython: Worker) -> None:
    first = ipython.run("!(sleep 1; echo late) &")
    second = ipython.run("print('second')")
    ipython.until(lambda: first.closed)
    assert (first.text(), second.text()) == ("late\n", "second\n")


def test_a_cell_of_bash_runs_as_a_command(ipython: Worker) -> None:
    seen = ipython.run("%%bash\nfor i in 1 2 3; do echo $i; done\necho err >&2")
    assert seen.text() == "1\n2\n3\nerr\n"
    seen = ipython.run("%%bash\necho x\nexit 3")
    assert (seen.text(), seen.of(ErrorMessage)[0].name) == ("x\n", "CalledProcessError")
    ipython.run("%%bash --out captured\necho kept")
    assert value(ipython.run("captured")) == "'kept\\n'"


def test_magics_work(ipython: Worker) -> None:
    assert "Wall time" in ipython.run("%time 1").text()
    ipython.run("%%capture c\nprint('x')")
    assert value(ipython.run("c.stdout")) == "'x\\n'"
    assert "Docstring" in ipython.run("len?").of(DisplayMessage)[0].data["text/plain"]
    seen = ipython.run("%%capture\n1 / 0")
    assert "ZeroDivisionError" in traceback(seen)


def test_await_at_the_top_and_in_a_magic(ipython: Worker) -> None:
    assert value(ipython.run("import asyncio; await asyncio.sleep(0, 5)")) == "5"
    assert value(ipython.run("async def f(): return 6\nasyncio.run(f())")) == "6"


def test_printed_text_is_not_kept_in_memory(ipython: Worker) -> None:
    seen = ipython.run(
        "import resource\nbefore = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for i in range(100_000): print('x' * 999)\n(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024 < 60"
    )
    assert len(seen.text()) == 100_000_000
    assert value(seen) == "True"


def test_figures_are_shown_inline(ipython: Worker) -> None:
    seen = ipython.run("import matplotlib.pyplot as plt\nplt.plot([1, 2]); None")
    assert "image/png" in seen.of(DisplayMessage)[0].data
    assert seen.complete.status == "ok"


def test_the_history_is_kept_in_memory(ipython: Worker) -> None:
    ipython.run("marker = 1")
    assert "marker = 1\n" in ipython.run("%history -l 1").text()
    assert "again" in ipython.run("print('again')\n%rerun -l 1").text()
    assert value(ipython.run("get_ipython().history_manager.hist_file")) == "':memory:'"
    assert (
        value(ipython.run("import threading; [t.name for t in threading.enumerate() if 'History' in t.name]"))
        == "[]"
    )


def test_definitions_of_cells_can_be_pickled(ipython: Worker) -> None:
    ipython.run("class Thing: pass")
    assert (
        value(ipython.run("import pickle; type(pickle.loads(pickle.dumps(Thing()))).__name__")) == "'Thing'"
    )


def test_clear_output_emits_only_a_message(ipython: Worker) -> None:
    seen = ipython.run(
        "from IPython.display import clear_output\nfor i in range(3): clear_output(wait=True); print('epoch', i)"
    )
    assert seen.text() == "epoch 0\nepoch 1\nepoch 2\n"
    assert [message.wait for message in seen.of(ClearMessage)] == [True] * 3


def test_tracebacks_have_the_chosen_mode(ipython: Worker) -> None:
    ipython.run("%xmode Verbose")
    seen = ipython.run("def f(a):\n    b = 3; 1 / 0\nf(7)")
    text = traceback(seen)
    assert "f(a=7)" in text
    assert "b = 3" in text
    assert "pyrepl_stream" not in text
    assert seen.complete.error == "ZeroDivisionError: division by zero"
    ipython.run("%xmode Context")
    assert "a=7" not in traceback(ipython.run("f(7)"))


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_debugger_starts_where_the_error_was(ipython: Worker, when: str) -> None:
    ipython.run("def f(a): 1 / 0")
    if when == "before":
        ipython.run("%pdb on")
        seen = ipython.start("f(7)")
    else:
        ipython.run("f(7)")
        seen = ipython.start("%debug")
    for count, answer in enumerate(["p a + 1", "q"], 1):
        ipython.until(lambda count=count: len(seen.of(InputRequestMessage)) == count)
        ipython.answer(seen, answer)
    ipython.wait(seen)
    assert "8\n" in seen.text()
    assert seen.complete.status == ("error" if when == "before" else "ok")
    ipython.run("%pdb off")


def test_an_exception_that_cannot_be_formatted_is_reported_by_its_name(ipython: Worker) -> None:
    seen = ipython.run("class Odd(Exception):\n    def __str__(self): raise RuntimeError\nraise Odd")
    (error,) = seen.of(ErrorMessage)
    assert (error.name, seen.complete.error) == ("RuntimeError", "RuntimeError")
    assert "IPython" not in "".join(error.traceback)


def test_unusual_arguments_of_a_display_lose_no_output(ipython: Worker) -> None:
    seen = ipython.run(
        "from IPython.display import display, publish_display_data\ndisplay('one', display_id=5)\nprint('after')"
    )
    assert [message.display_id for message in seen.of(DisplayMessage)] == ["5"]
    assert seen.text() == "after\n"
    seen = ipython.run("publish_display_data({'text/plain': 'x'}, 'ab')")
    assert seen.of(ErrorMessage)[0].name == "TypeError"


@pytest.mark.parametrize("method", ["__repr__", "_repr_html_"])
def test_a_value_that_cannot_be_formatted_makes_the_cell_fail(ipython: Worker, method: str) -> None:
    seen = ipython.run(f"class R:\n    def {method}(self): raise ValueError('no')\nR()")
    assert "ValueError: no" in traceback(seen)
    assert (seen.complete.status, seen.complete.error) == ("error", "ValueError: no")
    seen = ipython.run("display(R())")
    assert (seen.of(ErrorMessage)[0].name, seen.complete.status) == ("ValueError", "ok")


def test_an_error_that_the_code_shows_is_not_the_one_that_ends_it(ipython: Worker) -> None:
    (ended,) = ipython.run("1/0").of(ErrorMessage)
    seen = ipython.run("%tb")
    (shown,) = seen.of(ErrorMessage)
    assert (ended.is_passing, shown.is_passing, shown.name) == (False, True, "ZeroDivisionError")
    assert seen.complete.success
    errors = ipython.run("get_ipython().run_cell('{}[0]')\nint('x')").of(ErrorMessage)
    assert [(error.name, error.is_passing) for error in errors] == [("KeyError", True), ("ValueError", False)]


def test_progressbar2_redraws_one_bar_in_place(ipython: Worker) -> None:
    seen = ipython.run(
        "import progressbar\nfor i in progressbar.progressbar(range(40)): progressbar.streams.flush()"
    )
    text = seen.text(StreamType.STDERR)
    assert "100%" in text
    assert text.count("\n") == 1


def test_the_shell_and_its_streams_look_like_those_of_a_kernel(ipython: Worker) -> None:
    pytest.importorskip("ipykernel")
    for expression in (
        "type(get_ipython()).__module__ == 'ipykernel.zmqshell'",
        "type(get_ipython()).__name__ == 'ZMQInteractiveShell'",
        "get_ipython().kernel.get_parent()['header']['msg_id'] != ''",
        "isinstance(get_ipython(), __import__('ipykernel.zmqshell').zmqshell.ZMQInteractiveShell)",
        "isinstance(__import__('sys').stdout, __import__('ipykernel.iostream').iostream.OutStream)",
        "type(__import__('sys').stderr).__module__ == 'ipykernel.iostream'",
        "type(__import__('sys').stdout).__name__ == 'OutStream'",
    ):
        assert value(ipython.run(expression)) == "True", expression
    assert ipython.run("import click; click.secho('red', fg='red')").text() == "\x1b[31mred\x1b[0m\n"


def test_a_cell_has_the_file_name_that_ipykernel_gives_it(ipython: Worker) -> None:
    compiler = pytest.importorskip("ipykernel.compiler")
    code = "def f():\n    return 1\nf.__code__.co_filename"
    name = Path(value(ipython.run(code)).strip("'"))
    assert (name.name, name.parent.name) == (
        Path(compiler.get_file_name(code)).name,
        f"ipykernel_{ipython.process.pid}",
    )
    assert value(ipython.run(code)) == repr(str(name))  # so that caches find it again
    assert "return 1" in value(ipython.run("import inspect; inspect.getsource(f)"))


def test_names_of_the_shell_are_not_listed(ipython: Worker) -> None:
    ipython.run("%reset -f")
    assert ipython.run("%who").text() == "Interactive namespace is empty.\n"


def test_code_for_the_next_cell_is_shown(ipython: Worker, tmp_path: Path) -> None:
    file = tmp_path / "code.py"
    file.write_text("loaded = 1\n")
    seen = ipython.run(f"%load {file}")
    assert "next cell" in seen.of(LogMessage)[0].text
    assert "loaded = 1" in seen.of(DisplayMessage)[0].data["text/plain"]
    seen = ipython.run("get_ipython().set_next_input('x = 5')\nprint('before')")
    assert (seen.text(), seen.of(DisplayMessage)[0].data) == ("before\n", {"text/plain": "x = 5"})
    assert not ipython.run("1").of(DisplayMessage)


def test_pages_are_shown_in_the_output(ipython: Worker, tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_text("paged\n")
    for magic in ("less", "more", "pfile"):
        assert "paged" in ipython.run(f"%{magic} {file}").of(DisplayMessage)[0].data["text/plain"]


def test_a_script_that_exits_with_a_message_shows_it(ipython: Worker, tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("import sys\nsys.exit('no config file')\n")
    seen = ipython.run(f"%run {tmp_path}/s.py")
    assert traceback(seen).endswith("SystemExit: no config file\n")
    assert seen.complete.status == "ok"


def test_an_interrupt_ends_a_cell_in_the_debugger(ipython: Worker) -> None:
    seen = ipython.start("breakpoint()")
    ipython.until(lambda: bool(seen.of(InputRequestMessage)))
    ipython.interrupt(seen.ordinal)
    assert "KeyboardInterrupt" in ipython.wait(seen).text()
    assert len(seen.of(InputRequestMessage)) == 1


def test_commands_beside_cells_do_not_get_the_variables_of_a_kernel(ipython: Worker) -> None:
    for name in ("FORCE_COLOR", "PAGER", "JPY_PARENT_PID"):
        before = os.environ.get(name, "none")
        assert value(ipython.run(f"import os; os.environ[{name!r}]")) != repr(before)
        seen = ipython.run(command=CommandRequest.of(Command(f"echo ${{{name}-none}}")))
        assert seen.text().strip() == before


def test_without_ipykernel_the_shell_is_plain_ipython(
    worker_of: Callable[..., Worker], tmp_path: Path
) -> None:
    (tmp_path / "ipykernel.py").write_text("raise ImportError('not installed')")
    worker = worker_of(env={"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"})
    assert value(worker.run("type(get_ipython()).__name__")) == "'InteractiveShell'"
    assert "Cell In[2], line 1" in traceback(worker.run("1 / 0"))
    assert (
        "loaded"
        in worker.run("get_ipython().set_next_input('loaded')").of(DisplayMessage)[0].data["text/plain"]
    )
    assert "Docstring" in worker.run("len?").of(DisplayMessage)[0].data["text/plain"]
    assert worker.run("%history -l 1").text() == "len?\n"


def test_tracebacks_of_any_depth_and_shape_are_shown(ipython: Worker) -> None:
    assert "maximum recursion depth" in traceback(ipython.run("def f(): f()\nf()"))
    seen = ipython.run(
        "a, b = ValueError('a'), ValueError('b')\na.__context__, b.__context__ = b, a\nraise a"
    )
    assert seen.complete.status == "error"  # IPython itself does not end on such a chain, but at the limit
