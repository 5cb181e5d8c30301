"""Running code as in an interactive interpreter: values, errors, exits, interrupts, `await`."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Callable

import pytest

from pyrepl_stream import (
    CompleteMessage,
    ErrorMessage,
    Execution,
    ExecutionResult,
    Message,
    MessageType,
    OutputMessage,
    Session,
)
from pyrepl_stream.runtime.engine.interpreter import Interpreter

Run = Callable[[str], ExecutionResult]


@pytest.fixture
def run(session: Session) -> Run:
    return lambda code: session.execute(code).wait(60)


def until_output(execution: Execution) -> list[Message]:
    """Read messages until the first output, when the code runs."""
    messages: list[Message] = []
    for message in execution:
        messages.append(message)
        if isinstance(message, OutputMessage) and "\n" in message.text:
            break
    return messages


# -- values -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("6 * 7", "42"),
        ("x = 5\nx", "5"),
        ("x = 5", None),
        ("None", None),
        ("6 * 7;", None),
        ("", None),
        ("# nothing", None),
        ("if True:\n    5", None),
        ("'''text'''", "'text'"),
        ("import asyncio\nawait asyncio.sleep(0, 7)", "7"),
        ("[i async for i in numbers()]", "[0, 1, 2]"),
    ],
)
def test_the_last_expression_is_the_result(run: Run, code: str, result: str | None) -> None:
    run("async def numbers():\n    for i in range(3): yield i")
    outcome = run(code)
    assert outcome.error is None
    assert outcome.success
    assert outcome.result == result


def test_underscore_is_the_last_value(run: Run) -> None:
    run("20")
    run("None")
    assert run("_ + 1").result == "21"


def test_an_underscore_in_a_given_namespace_is_not_changed(session_of: Callable[..., Session]) -> None:
    session = session_of({"_": "mine"})
    session.execute("5").wait(60)
    assert session.namespace["_"] == "mine"


def test_a_failing_repr_is_an_error_of_the_last_expression(run: Run) -> None:
    outcome = run("class A:\n    def __repr__(self): raise ValueError('no repr')\nx = 1\nA()")
    assert outcome.error is not None
    assert [line.strip() for line in outcome.error.traceback if "line" in line or "A()" in line] == [
        f'File "{outcome.error.traceback[1].split(chr(34))[1]}", line 4, in <module>',
        "A()",
        f'File "{outcome.error.traceback[1].split(chr(34))[1]}", line 2, in __repr__',
    ]


def test_values_are_passed_to_a_display_hook_of_the_code(run: Run) -> None:
    run("import sys\nbefore, sys.displayhook = sys.displayhook, lambda value: print('hook', value)")
    try:
        assert (run("5").stdout, run("None").stdout, run("5;").stdout) == ("hook 5\n", "hook None\n", "")
        assert run("5").result is None
    finally:
        run("sys.displayhook = before")
    assert run("6").result == "6"


def test_a_future_import_applies_to_later_cells_as_in_an_interpreter(run: Run) -> None:
    run("from __future__ import annotations")
    assert run("def f(x: missing): pass").error is None


def test_future_imports_of_the_package_do_not_apply_to_cells(run: Run) -> None:
    assert run("def f(x: int): pass\nf.__annotations__['x'] is int").result == "True"


def test_classes_of_a_cell_show_their_module(run: Run) -> None:
    assert run("class A: pass\nA").result == "<class '__main__.A'>"


class Cycle:
    """An object that only the garbage collector frees."""

    def __init__(self) -> None:
        self.own = self


def test_threads_that_compile_at_once_do_not_disturb_each_other(rounds: Callable[[int, int], int]) -> None:
    # In Python 3.11 they do, when a garbage collection during parsing calls Python code.
    source = "\n".join(f"x{i} = [1, 2, (3, {{'a': f(1 + 2 * 3)}})]" for i in range(50))
    errors: list[BaseException] = []
    kept: list[object] = []

    def work() -> None:
        interpreter = Interpreter()
        for _ in range(rounds(60, 1000)):
            kept.append(weakref.ref(Cycle(), lambda _: sum(range(50))))
            try:
                interpreter.compile(source, "<cell>")
            except SystemError as exc:
                errors.append(exc)

    thresholds, interval = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(50)
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        gc.set_threshold(*thresholds)
        sys.setswitchinterval(interval)
    assert errors == []


# -- await --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "await asyncio.sleep(0); print('done')",
        "async for i in numbers(): last = i\nprint('done')",
        "async with asyncio.timeout(5): print('done')",
        "print('done' if await asyncio.sleep(0, True) else '')",
        "async def main(): print('done')\nawait asyncio.create_task(main())",
        "asyncio.run(asyncio.sleep(0)); print('done')",
    ],
)
def test_code_may_await_at_its_top_level(run: Run, code: str) -> None:
    if "timeout" in code and sys.version_info < (3, 11):
        pytest.skip("asyncio.timeout is new in 3.11")
    run("import asyncio\nasync def numbers():\n    for i in range(3): yield i")
    outcome = run(code)
    assert (outcome.stdout, outcome.error) == ("done\n", None)


def test_executions_that_await_share_one_loop(run: Run) -> None:
    run("import asyncio\nqueue = asyncio.Queue()\nevent = asyncio.Event()\nawait asyncio.sleep(0)")
    run(
        "async def produce():\n    await event.wait(); await queue.put('x')\ntask = asyncio.create_task(produce())\nawait asyncio.sleep(0)"
    )
    assert run("event.set(); await queue.get()").result == "'x'"


def test_an_error_in_awaiting_code_is_an_error(run: Run) -> None:
    outcome = run("import asyncio\nawait asyncio.sleep(0)\n1 / 0")
    assert outcome.status == "error"
    assert outcome.error == "ZeroDivisionError: division by zero"


# -- errors -------------------------------------------------------------------------------------


def test_a_traceback_has_the_source_lines_and_no_frame_of_the_engine(run: Run) -> None:
    run("def divide(a, b):\n    return a / b  # here")
    outcome = run("x = 1\ndivide(x, 0)")
    assert outcome.status == "error"
    assert not outcome.success
    assert outcome.error is not None
    assert (outcome.error.name, outcome.error.value) == ("ZeroDivisionError", "division by zero")
    traceback = "\n".join(outcome.error.traceback)
    assert "divide(x, 0)" in traceback
    assert "return a / b  # here" in traceback
    assert "pyrepl_stream" not in traceback
    assert traceback.startswith("Traceback")
    assert traceback.endswith("ZeroDivisionError: division by zero")


def test_the_traceback_of_awaiting_code_has_no_frame_of_the_engine(run: Run) -> None:
    outcome = run("import asyncio\nasync def fail():\n    raise ValueError('x')  # here\nawait fail()")
    assert outcome.error is not None
    traceback = "\n".join(outcome.error.traceback)
    assert "raise ValueError('x')  # here" in traceback
    assert "pyrepl_stream" not in traceback


@pytest.mark.parametrize(
    "code",
    [
        "from concurrent.futures import ThreadPoolExecutor\nThreadPoolExecutor().submit(lambda: 1 / 0).result()",
        "import asyncio\nasync def f(): 1 / 0\nasyncio.run(f())",
        "import asyncio\nawait asyncio.to_thread(lambda: 1 / 0)",
    ],
)
def test_tracebacks_through_routed_functions_have_no_frame_of_the_engine(run: Run, code: str) -> None:
    outcome = run(code)
    assert outcome.error is not None
    assert outcome.error.name == "ZeroDivisionError"
    assert "pyrepl_stream" not in "\n".join(outcome.error.traceback)


def test_causes_and_contexts_are_shown_without_frames_of_the_engine(run: Run) -> None:
    outcome = run(
        "try:\n    1 / 0\nexcept ZeroDivisionError as exc:\n    raise ValueError('second') from exc"
    )
    assert outcome.error is not None
    traceback = "\n".join(outcome.error.traceback)
    assert "ZeroDivisionError" in traceback
    assert "direct cause" in traceback
    assert "pyrepl_stream" not in traceback


def test_output_before_an_error_comes_before_it(session: Session) -> None:
    messages = list(session.execute("print('before')\n1 / 0"))
    types = [message.type for message in messages]
    assert types[-2:] == ["error", "complete"]
    assert types[0] == "output"


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("1 +", "1 +"),
        ("def f(:\n  pass", "def f(:"),
        ("  x = 1", "x = 1"),
        ("x = 'a", "x = 'a"),
        ("return 5", ""),
    ],
)
def test_a_syntax_error_shows_its_line_and_no_frame_of_the_engine(run: Run, code: str, shown: str) -> None:
    outcome = run(code)
    assert outcome.status == "error"
    assert outcome.error is not None
    assert outcome.error.name in ("SyntaxError", "IndentationError")
    traceback = "\n".join(outcome.error.traceback)
    assert shown in traceback
    assert "pyrepl_stream" not in traceback


@pytest.mark.parametrize(
    "code", ["x = '\x00'", "(" * 5000 + ")" * 5000, "x = '\ud800'"], ids=["NUL", "deep", "surrogate"]
)
def test_code_that_does_not_compile_is_an_error_of_the_execution(run: Run, code: str) -> None:
    outcome = run(code)
    assert outcome.status == "error"
    assert outcome.error is not None
    assert run("1").success


def test_a_syntax_error_from_eval_keeps_the_frame_that_called_it(run: Run) -> None:
    outcome = run("eval('1 +')")
    assert outcome.error is not None
    assert "eval('1 +')" in "\n".join(outcome.error.traceback)


@pytest.mark.parametrize("method", ["__str__", "__repr__"])
def test_an_exception_that_cannot_be_printed_is_an_error(run: Run, method: str) -> None:
    outcome = run(f"class Bad(Exception):\n    def {method}(self): raise RuntimeError('no')\nraise Bad()")
    assert outcome.status == "error"
    assert outcome.error is not None
    assert outcome.error.name == "Bad"
    assert run("1").success


def test_a_result_whose_repr_fails_is_an_error(run: Run) -> None:
    outcome = run("class Bad:\n    def __repr__(self): raise ValueError('no repr')\nBad()")
    assert outcome.status == "error"
    assert outcome.error == "ValueError: no repr"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="ExceptionGroup is new in 3.11")
def test_an_exception_group_shows_all_of_its_exceptions(run: Run) -> None:
    outcome = run("raise ExceptionGroup('several', [ValueError('one'), TypeError('two')])")
    assert outcome.error is not None
    assert outcome.error.name == "ExceptionGroup"
    traceback = "\n".join(outcome.error.traceback)
    assert "ValueError: one" in traceback
    assert "TypeError: two" in traceback
    assert "pyrepl_stream" not in traceback


def test_a_recursion_error_is_an_error_and_the_session_goes_on(run: Run) -> None:
    outcome = run("def f(): f()\nf()")
    assert outcome.error is not None
    assert outcome.error.name == "RecursionError"
    assert run("1").success


def test_a_keyboard_interrupt_that_code_raises_is_interrupted(run: Run) -> None:
    outcome = run("raise KeyboardInterrupt")
    assert (outcome.success, outcome.status) == (False, "interrupted")
    assert outcome.error is not None
    assert outcome.error.name == "KeyboardInterrupt"


# -- exits --------------------------------------------------------------------------------------


def test_the_message_of_an_exit_is_printed_as_by_the_interpreter(run: Run) -> None:
    outcome = run("import sys\nsys.exit('no config file')")
    assert outcome.stderr == "no config file\n"
    assert outcome.error == "SystemExit: no config file"
    assert (outcome.error.printed, outcome.error.traceback, outcome.exit_code) == (True, (), 1)


@pytest.mark.parametrize(
    "code", ["exit()", "quit()", "exit(0)", "raise SystemExit", "import sys; sys.exit(0)"]
)
def test_an_exit_without_an_error_ends_the_execution_with_success(run: Run, code: str) -> None:
    outcome = run(f"print('before')\n{code}\nprint('after')")
    assert outcome.stdout == "before\n"
    assert (outcome.success, outcome.status, outcome.exit_code, outcome.error) == (True, "ok", 0, None)
    assert run("1").success


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("exit(3)", 3),
        ("raise SystemExit(3)", 3),
        ("raise SystemExit('reason')", 1),
        ("import asyncio; await asyncio.sleep(0); exit(3)", 3),
    ],
)
def test_an_exit_with_an_error_ends_the_execution_with_its_code(run: Run, code: str, exit_code: int) -> None:
    outcome = run(code)
    assert (outcome.success, outcome.status, outcome.exit_code) == (False, "error", exit_code)
    assert outcome.error is not None
    assert outcome.error.name == "SystemExit"
    assert "pyrepl_stream" not in "\n".join(outcome.error.traceback)
    assert run("import asyncio; await asyncio.sleep(0, 5)").result == "5"


def test_exit_in_a_given_namespace_leaves_standard_input_open(run_python: Callable[..., object]) -> None:
    program = """
import sys
from pyrepl_stream import Session
with Session({}) as session:
    print(session.execute("exit()").wait(30).status, sys.stdin.closed)
    print(session.execute("quit(3)").wait(30).exit_code, sys.stdin.closed)
"""
    assert run_python(program).stdout == "ok False\n3 False\n"


# -- interrupts and timeouts --------------------------------------------------------------------

LOOPS = {
    "pure": "while True: pass",
    "sleeping": "import time\nwhile True: time.sleep(.01)",
    "printing": "while True: print('x', end='')",
    "awaiting": "import asyncio\nawait asyncio.sleep(1000)",
    "awaiting often": "import asyncio\nwhile True: await asyncio.sleep(0)",
    "async but busy": "import asyncio\nawait asyncio.sleep(0)\nwhile True: pass",
}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_an_interrupt_ends_code_and_leaves_the_namespace_usable(session: Session, loop: str) -> None:
    execution = session.execute(f"value = 1\nprint('up')\n{loop}")
    until_output(execution)
    execution.interrupt()
    outcome = execution.wait(60)
    assert (outcome.success, outcome.status) == (False, "interrupted")
    assert outcome.error is not None
    assert outcome.error.name == "KeyboardInterrupt"
    assert outcome.error.traceback, "the traceback shows where it was interrupted"
    assert "pyrepl_stream" not in "\n".join(outcome.error.traceback)
    assert session.execute("value + 1").wait(60).result == "2"
    assert session.execute("import asyncio\nawait asyncio.sleep(0, value)").wait(60).result == "1"


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_an_interrupt_right_after_the_start_is_not_lost(
    session: Session, loop: str, rounds: Callable[[int, int], int]
) -> None:
    code = loop + "\n"
    for number in range(rounds(20, 500)):
        execution = session.execute(f"{code}# {number}")
        execution.interrupt()
        outcome = execution.wait(60)
        assert outcome.status == "interrupted", outcome.error and outcome.error.traceback
        assert not outcome.logs, "the code has ended and was not abandoned"


@pytest.mark.parametrize("loop", [LOOPS["pure"], LOOPS["awaiting"], LOOPS["async but busy"]])
def test_a_timeout_ends_code_with_status_timeout(session: Session, loop: str) -> None:
    outcome = session.execute(loop, timeout=0.05).wait(60)
    assert (outcome.success, outcome.status) == (False, "timeout")
    assert not outcome.logs


def test_a_timeout_does_not_affect_code_that_ended_before(session: Session) -> None:
    assert session.execute("1", timeout=60).wait(60).success


def test_a_kill_ends_code_with_status_killed(session: Session) -> None:
    execution = session.execute("print('up')\nwhile True: pass")
    until_output(execution)
    execution.kill()
    assert execution.wait(60).status == "killed"
    assert session.execute("1").wait(60).success


def test_code_may_catch_an_interrupt_and_end_well(session: Session) -> None:
    code = "try:\n    print('up')\n    while True: pass\nexcept KeyboardInterrupt:\n    print('caught')"
    execution = session.execute(code)
    until_output(execution)
    execution.interrupt()
    outcome = execution.wait(60)
    assert (outcome.success, outcome.status) == (True, "ok")
    assert outcome.stdout == "up\ncaught\n"


def test_the_finally_of_interrupted_code_runs_and_its_output_arrives(session: Session) -> None:
    execution = session.execute("try:\n    print('up')\n    while True: pass\nfinally:\n    print('cleaned')")
    until_output(execution)
    execution.interrupt()
    assert execution.wait(60).stdout == "up\ncleaned\n"


def test_code_that_does_not_react_is_abandoned_with_a_warning(session: Session) -> None:
    go_on = threading.Event()
    session.namespace["go_on"] = go_on
    execution = session.execute("print('up')\ntry: go_on.wait()\nexcept KeyboardInterrupt: print('late')")
    until_output(execution)
    execution.interrupt()
    outcome = execution.wait(60)
    go_on.set()
    assert outcome.status == "interrupted"
    assert [log.logger for log in outcome.logs] == ["pyrepl_stream"]
    messages: list[Message] = []
    for message in execution.attach(follow=True):
        messages.append(message)
        if any(isinstance(m, CompleteMessage) for m in messages) and message.type == MessageType.OUTPUT:
            break
    assert sum(isinstance(message, CompleteMessage) for message in messages) == 1


def test_an_interrupt_near_the_end_never_hits_the_next_execution(
    session: Session, rounds: Callable[[int, int], int]
) -> None:
    for number in range(rounds(100, 2000)):
        before = session.execute(f"import time\ntime.sleep({number % 10} / 5000)")
        before.interrupt()
        after = session.execute("sum(range(20_000))")
        assert before.wait(60).status in ("ok", "interrupted")
        outcome = after.wait(60)
        assert (outcome.status, outcome.result) == ("ok", "199990000")


def test_an_interrupt_near_the_end_of_awaiting_code_never_hits_the_next_execution(
    session: Session, rounds: Callable[[int, int], int]
) -> None:
    session.execute("import asyncio").wait(60)
    for number in range(rounds(100, 2000)):
        before = session.execute(f"await asyncio.sleep({number % 10} / 5000)")
        before.interrupt()
        after = session.execute("await asyncio.sleep(0)\nsum(range(20_000))")
        assert before.wait(60).status in ("ok", "interrupted")
        outcome = after.wait(60)
        assert (outcome.status, outcome.result) == ("ok", "199990000")


def test_an_interrupt_after_the_end_changes_nothing(session: Session) -> None:
    execution = session.execute("1")
    outcome = execution.wait(60)
    execution.interrupt()
    execution.kill()
    assert outcome.status == execution.wait(60).status == execution.status == "ok"
    assert sum(isinstance(message, CompleteMessage) for message in execution.attach()) == 1


def test_many_interrupts_have_the_effect_of_one(session: Session, rounds: Callable[[int, int], int]) -> None:
    for loop in (LOOPS["pure"], LOOPS["awaiting"], LOOPS["async but busy"]):
        for _ in range(rounds(10, 300)):
            execution = session.execute(f"print('up')\n{loop}")
            until_output(execution)
            for _ in range(5):
                execution.interrupt()
            messages = list(execution.attach())
            assert isinstance(messages[-1], CompleteMessage)
            assert messages[-1].status == "interrupted"
    assert session.execute("1").wait(60).success


def test_an_execution_started_by_another_one_is_not_part_of_it(session: Session) -> None:
    session.namespace["session"] = session
    outer = session.execute("inner = session.execute('print(\"inside\")').wait(30)\nprint('outside')")
    assert outer.wait(60).stdout == "outside\n"
    assert session.namespace["inner"].stdout == "inside\n"


def test_an_error_line_has_the_name_and_the_text_of_the_exception(session: Session) -> None:
    (error,) = [m for m in session.execute("raise KeyError('k')") if isinstance(m, ErrorMessage)]
    assert (error.name, error.value) == ("KeyError", "'k'")
    assert all("\n" not in line for line in error.traceback)
