"""IPython inside a worker: magics, displays, commands, tracebacks."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from support.worker import Execution, Worker

from pyrepl_stream import (
    ClearMessage,
    DisplayMessage,
    ErrorMessage,
    InputRequestMessage,
    ResultMessage,
    StreamType,
)

pytest.importorskip("IPython")


@pytest.fixture(scope="module")
def ipython() -> Iterator[Worker]:
    with Worker(sys.executable) as worker:
        yield worker


def value(seen: Execution) -> str:
    return str(seen.of(ResultMessage)[0].data["text/plain"])


def test_a_worker_says_which_ipython_it_has(ipython: Worker) -> None:
    import IPython

    assert ipython.ready["ipython"] == IPython.__version__


def test_results_are_formatted_and_remembered(ipython: Worker) -> None:
    seen = ipython.run("class Page:\n    def _repr_html_(self): return '<b>x</b>'\nPage()")
    assert seen.of(ResultMessage)[0].data["text/html"] == "<b>x</b>"
    ipython.run("6 * 7")
    assert value(ipython.run("_ + 1")) == "43"
    assert not ipython.run("6 * 7;").of(ResultMessage)


def test_displays_have_ids_and_are_updated(ipython: Worker) -> None:
    seen = ipython.run("from IPython.display import HTML\nh = display(HTML('<i>1</i>'), display_id='d')\nh.update(HTML('<i>2</i>'))")
    shown = [(m.data["text/html"], m.display_id, m.update) for m in seen.of(DisplayMessage)]
    assert shown == [("<i>1</i>", "d", False), ("<i>2</i>", "d", True)]


@pytest.mark.parametrize(
    ("code", "name", "last"),
    [
        ("1 / 0", "ZeroDivisionError", "ZeroDivisionError: division by zero"),
        ("1 +", "SyntaxError", "SyntaxError: invalid syntax"),
        ("%no_such_magic", "UsageError", "UsageError: Line magic function `%no_such_magic` not found."),
        ("exit(3)", "SystemExit", "SystemExit: 3"),
        ("import asyncio; await asyncio.sleep(0); {}['x']", "KeyError", "KeyError: 'x'"),
    ],
)
def test_errors_are_plain_and_without_frames_of_machinery(ipython: Worker, code: str, name: str, last: str) -> None:
    seen = ipython.run(code)
    (error,) = seen.of(ErrorMessage)
    text = "\n".join(error.traceback)
    assert (error.name, error.traceback[-1]) == (name, last)
    assert "\x1b" not in text
    assert "IPython" not in text
    assert "pyrepl_stream" not in text
    assert (seen.text(), seen.complete.status) == ("", "error")


def test_tracebacks_have_the_lines_of_cells(ipython: Worker) -> None:
    ipython.run("def f():\n    raise ValueError('v')")
    lines = ipython.run("f()").of(ErrorMessage)[0].traceback
    assert "    raise ValueError('v')" in lines


def test_an_exit_is_one(ipython: Worker) -> None:
    for code in ("exit", "quit()", "exit(0)"):
        seen = ipython.run(code)
        assert (seen.text(), seen.complete.status) == ("", "ok")


def test_commands_run_on_a_terminal_in_order_with_python(ipython: Worker) -> None:
    for _ in range(10):
        seen = ipython.run("print('a')\n!test -t 1 && echo b\nprint('c')\n!echo d >&2\nprint('e')")
        assert seen.text() == "a\nb\nc\nd\ne\n"
    assert value(ipython.run("!exit 3\n_exit_code")) == "3"
    assert value(ipython.run("x = 'word'\nout = !echo {x} $x\nout")) == "['word word']"


def test_a_command_can_ask(ipython: Worker) -> None:
    seen = ipython.start("!read -p 'name? ' x; echo hello $$x")
    ipython.until(lambda: bool(seen.of(InputRequestMessage)))
    ipython.answer(seen, "you")
    assert "hello you" in ipython.wait(seen).text()


def test_what_a_command_leaves_in_the_background_keeps_its_execution(ipython: Worker) -> None:
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
    assert "ZeroDivisionError" in seen.text(StreamType.STDERR)


def test_await_at_the_top_and_in_a_magic(ipython: Worker) -> None:
    assert value(ipython.run("import asyncio; await asyncio.sleep(0, 5)")) == "5"
    assert value(ipython.run("async def f(): return 6\nasyncio.run(f())")) == "6"


def test_printing_costs_no_memory(ipython: Worker) -> None:
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


def test_no_history_is_written(ipython: Worker) -> None:
    assert value(ipython.run("get_ipython().history_manager.enabled")) == "False"
    assert value(ipython.run("import threading; [t.name for t in threading.enumerate() if 'History' in t.name]")) == "[]"


def test_what_cells_define_can_be_pickled(ipython: Worker) -> None:
    ipython.run("class Thing: pass")
    assert value(ipython.run("import pickle; type(pickle.loads(pickle.dumps(Thing()))).__name__")) == "'Thing'"


def test_clearing_the_output_is_a_message_and_no_litter(ipython: Worker) -> None:
    seen = ipython.run("from IPython.display import clear_output\nfor i in range(3): clear_output(wait=True); print('epoch', i)")
    assert seen.text() == "epoch 0\nepoch 1\nepoch 2\n"
    assert [message.wait for message in seen.of(ClearMessage)] == [True] * 3


def test_tracebacks_take_the_form_that_was_asked_for(ipython: Worker) -> None:
    ipython.run("%xmode Verbose")
    seen = ipython.run("def f(a):\n    b = 3; 1 / 0\nf(7)")
    text = "\n".join(seen.of(ErrorMessage)[0].traceback)
    assert "f(a=7)" in text
    assert "b = 3" in text
    assert "pyrepl_stream" not in text
    assert seen.complete.error == "ZeroDivisionError: division by zero"
    ipython.run("%xmode Plain")
    assert "a=7" not in "\n".join(ipython.run("f(7)").of(ErrorMessage)[0].traceback)


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_debugger_asks_where_the_error_was(ipython: Worker, when: str) -> None:
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


def test_an_exception_that_cannot_be_shown_is_told_by_its_name(ipython: Worker) -> None:
    seen = ipython.run("class Odd(Exception):\n    def __str__(self): raise RuntimeError\nraise Odd")
    (error,) = seen.of(ErrorMessage)
    assert error.name == "Odd"
    assert "IPython" not in "".join(error.traceback)


def test_odd_arguments_of_a_display_cost_no_output(ipython: Worker) -> None:
    seen = ipython.run("from IPython.display import display, publish_display_data\ndisplay('one', display_id=5)\nprint('after')")
    assert [message.display_id for message in seen.of(DisplayMessage)] == ["5"]
    assert seen.text() == "after\n"
    seen = ipython.run("publish_display_data({'text/plain': 'x'}, 'ab')")
    assert seen.of(ErrorMessage)[0].name == "TypeError"


def test_a_value_that_cannot_be_shown_says_why(ipython: Worker) -> None:
    seen = ipython.run("class R:\n    def __repr__(self): raise ValueError('no')\nR()")
    assert "ValueError: no" in seen.text(StreamType.STDERR)


def test_progressbar2_draws_one_bar_in_its_place(ipython: Worker) -> None:
    seen = ipython.run("import progressbar\nfor i in progressbar.progressbar(range(40)): progressbar.streams.flush()")
    text = seen.text(StreamType.STDERR)
    assert "100%" in text
    assert text.count("\n") == 1
