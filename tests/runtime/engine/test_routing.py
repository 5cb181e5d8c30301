"""Attributing output to the execution that produced it."""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pyrepl_stream import LogMessage, Message, MessageType, OutputMessage, Session, StreamType

Run = Callable[[str], tuple[str, str]]


@pytest.fixture
def run(session: Session) -> Run:
    """Run code; return its stdout and stderr."""

    def run(code: str) -> tuple[str, str]:
        outcome = session.execute(code).wait(60)
        assert outcome.error is None, "\n".join(outcome.error.traceback)
        return outcome.stdout, outcome.stderr

    return run


def follow_until(messages: Iterator[Message], text: str) -> str:
    """Read messages until ``text`` is in stdout, and return that."""
    got = ""
    for message in messages:
        if isinstance(message, OutputMessage) and message.stream == StreamType.STDOUT:
            got += message.text
            if text in got:
                break
    return got


# -- threads, timers, executors -----------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "t = threading.Thread(target=print, args=('x',)); t.start(); t.join()",
        "t = threading.Timer(0, print, args=('x',)); t.start(); t.join()",
        "class T(threading.Thread):\n    def run(self): print('x')\nt = T(); t.start(); t.join()",
        "def outer(): t = threading.Thread(target=print, args=('x',)); t.start(); t.join()\nt = threading.Thread(target=outer); t.start(); t.join()",
        "t = threading.Thread(target=print, args=('x',), daemon=True); t.start(); t.join()",
        "with ThreadPoolExecutor() as pool: pool.submit(print, 'x')",
        "with ThreadPoolExecutor() as pool: list(pool.map(print, 'x'))",
        "with ThreadPoolExecutor(initializer=print, initargs=('x',)) as pool: pool.submit(int)",
        "with ThreadPoolExecutor() as pool: pool.submit(int).add_done_callback(lambda f: print('x'))",
        "asyncio.run(asyncio.to_thread(print, 'x'))",
        "await asyncio.to_thread(print, 'x')",
        "await asyncio.get_running_loop().run_in_executor(None, print, 'x')",
        "async def f(): print('x')\nawait asyncio.gather(f())",
        "async def f(): print('x')\nawait asyncio.create_task(f())",
        "async def f(): print('x')\nasyncio.run(f())",
        "async def f(): print('x')\nt = threading.Thread(target=asyncio.run, args=(f(),)); t.start(); t.join()",
        "done = asyncio.Event()\nasyncio.get_running_loop().call_later(.001, lambda: (print('x'), done.set()))\nawait done.wait()",
        "async def f():\n    asyncio.get_running_loop().call_soon(print, 'x'); await asyncio.sleep(.01)\nasyncio.run(f())",
        "import atexit, weakref\nclass A: pass\na = A(); weakref.finalize(a, print, 'x'); del a",
    ],
)
def test_output_of_threads_tasks_and_jobs_belongs_to_the_code_that_started_them(run: Run, code: str) -> None:
    run("import asyncio, threading\nfrom concurrent.futures import ThreadPoolExecutor")
    assert run(code) == ("x\n", "")
    assert run("print('next')") == ("next\n", "")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_job_of_an_executor_made_earlier_writes_to_the_execution_that_submits(
    run: Run, stream: str
) -> None:
    run(
        "import sys\nfrom concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(1)\npool.submit(print, 'first').result()"
    )
    for number in range(5):
        output = run(f"pool.submit(print, {number}, file=sys.{stream}).result()")
        assert output == ((f"{number}\n", "") if stream == "stdout" else ("", f"{number}\n"))
    run("pool.shutdown()")


def test_jobs_of_concurrent_executions_on_one_executor_are_kept_apart(session: Session) -> None:
    with ThreadPoolExecutor(3) as pool:
        session.namespace["pool"] = pool
        code = "list(pool.map(lambda i: print(f'{0} {{i}}\\n', end=''), range(200)));"
        executions = [session.execute(code.format(number)) for number in range(4)]
        for number, execution in enumerate(executions):
            lines = sorted(execution.wait(60).stdout.splitlines())
            assert lines == sorted(f"{number} {i}" for i in range(200))


def test_a_job_that_the_host_submits_writes_to_the_hosts_stream(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    session.execute(
        "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(1)\npool.submit(int).result()"
    ).wait(60)
    session.namespace["pool"].submit(print, "the host's").result()
    session.execute("pool.shutdown()").wait(60)
    assert capsys.readouterr().out == "the host's\n"


def test_a_thread_that_the_host_starts_writes_to_the_hosts_stream(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    session.execute("1").wait(60)
    thread = threading.Thread(target=print, args=("the host's",))
    thread.start()
    thread.join()
    assert capsys.readouterr().out == "the host's\n"


def test_a_loop_thread_of_an_earlier_execution_writes_to_the_one_that_submits(run: Run) -> None:
    run(
        "import asyncio, threading\nloop = asyncio.new_event_loop()\n"
        "thread = threading.Thread(target=loop.run_forever); thread.start()\n"
        "async def say(text): print(text); await asyncio.sleep(0); print(text)"
    )
    for text in "ab":
        assert run(f"asyncio.run_coroutine_threadsafe(say({text!r}), loop).result()") == (
            f"{text}\n{text}\n",
            "",
        )
    assert run(
        "done = threading.Event()\nloop.call_soon_threadsafe(lambda: (print('c'), done.set()))\ndone.wait();"
    ) == ("c\n", "")
    run("loop.call_soon_threadsafe(loop.stop); thread.join(); loop.close()")


def test_a_thread_of_an_earlier_execution_goes_on_writing_to_it(session: Session) -> None:
    first = session.execute(
        "import queue, threading\nbox = queue.Queue()\n"
        "def work():\n    for item in iter(box.get, None): print(item)\n"
        "thread = threading.Thread(target=work); thread.start()"
    )
    first.wait(60)
    second = session.execute("box.put('late'); print('second')").wait(60)
    assert second.stdout == "second\n"
    assert follow_until(iter(first.attach(follow=True)), "late\n") == "late\n"
    session.execute("box.put(None); thread.join()").wait(60)


def test_a_task_of_an_earlier_execution_goes_on_writing_to_it(session: Session) -> None:
    first = session.execute(
        "import asyncio\nevent = asyncio.Event()\n"
        "async def work(): await event.wait(); print('late')\n"
        "task = asyncio.create_task(work())\nawait asyncio.sleep(0)"
    )
    first.wait(60)
    second = session.execute("event.set(); await task; print('second')").wait(60)
    assert second.stdout == "second\n"
    assert follow_until(iter(first.attach(follow=True)), "late\n") == "late\n"


def test_the_traceback_of_a_thread_is_shown_in_its_execution(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        threading, "excepthook", threading.__excepthook__
    )  # in place of pytest's, which collects the exceptions
    outcome = session.execute(
        "import threading\ndef fail():\n    raise ValueError('in a thread')\n"
        "t = threading.Thread(target=fail); t.start(); t.join()"
    ).wait(60)
    session.__exit__(None, None, None)
    assert outcome.status == "ok"
    assert "ValueError: in a thread" in outcome.stderr
    assert "pyrepl_stream" not in outcome.stderr


def test_the_output_of_the_codes_own_hook_of_threads_is_that_of_its_execution(run: Run) -> None:
    assert run(
        "import threading, traceback\nbefore = threading.excepthook\n"
        "def hook(args):\n    print(args.exc_type.__name__, args.thread.name)\n"
        "    print([f.name for f in traceback.extract_tb(args.exc_traceback)])\n"
        "threading.excepthook = hook\n"
        "t = threading.Thread(target=lambda: 1 / 0, name='T'); t.start(); t.join()\nthreading.excepthook = before"
    ) == ("ZeroDivisionError T\n['_bootstrap_inner', 'run', '<lambda>']\n", "")


def test_starting_a_thread_twice_is_still_an_error(run: Run) -> None:
    assert run(
        "import threading\ngo = threading.Event()\nt = threading.Thread(target=lambda: (go.wait(), print('x')))\nt.start()\n"
        "try: t.start()\nexcept RuntimeError: print('refused')\ngo.set(); t.join()"
    ) == ("refused\nx\n", "")


# -- saved streams and logging ------------------------------------------------------------------


def test_print_to_a_stream_saved_earlier_goes_to_the_execution_that_prints(run: Run) -> None:
    run("import sys\nsaved_out, saved_err = sys.stdout, sys.stderr")
    assert run("print('a', file=saved_out); print('b', file=saved_err)") == ("a\n", "b\n")
    assert run("print('c', file=saved_out)") == ("c\n", "")


def test_print_to_a_stream_saved_by_the_host_goes_to_the_execution_that_prints(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    session.execute("1").wait(60)
    session.namespace["saved"] = sys.stdout
    assert session.execute("print('a', file=saved)").wait(60).stdout == "a\n"
    assert capsys.readouterr().out == ""


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("test_routing")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    yield logger
    logger.handlers.clear()


def test_a_logging_record_is_a_log_message_at_its_place(
    session_of: Callable[..., Session], logger: logging.Logger
) -> None:
    logger.addHandler(logging.StreamHandler())
    session = session_of({"logger": logger})
    messages = list(session.execute("print('a')\nlogger.warning('w %s', 5)\nprint('b')"))
    (log,) = [message for message in messages if isinstance(message, LogMessage)]
    assert (log.level, log.logger, log.text, log.line) == ("WARNING", logger.name, "w 5", "w 5")
    before = "".join(m.text for m in messages if isinstance(m, OutputMessage) and m.sequence < log.sequence)
    assert before == "a\n"
    assert log.timestamp > 1e9


def test_the_line_of_a_log_message_is_what_its_handler_would_have_written(
    session_of: Callable[..., Session], logger: logging.Logger
) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(logging.BASIC_FORMAT))
    logger.addHandler(handler)
    (log,) = session_of({"logger": logger}).execute("logger.warning('w')").wait(60).logs
    assert log.line == f"WARNING:{logger.name}:w"
    assert LogMessage(level="INFO", logger="a", text="b").line == "INFO a: b"


def test_a_log_message_has_the_traceback_of_its_exception(
    session_of: Callable[..., Session], logger: logging.Logger
) -> None:
    logger.addHandler(logging.StreamHandler())
    session = session_of({"logger": logger})
    outcome = session.execute("try: 1 / 0\nexcept ZeroDivisionError: logger.exception('failed')").wait(60)
    (log,) = outcome.logs
    assert log.level == "ERROR"
    assert log.text.startswith("failed\n")
    assert "ZeroDivisionError" in log.text


@pytest.mark.parametrize(
    "code",
    [
        "import logging; logging.warning('x')",
        "import logging; logging.getLogger('a.b').warning('x')",
        "import logging; logging.basicConfig(level='INFO'); logging.info('x')",
        "import logging; logging.basicConfig(level='INFO', force=True); logging.info('x')",
    ],
)
def test_logging_with_basic_config_emits_log_messages(run_python: Callable[..., object], code: str) -> None:
    program = f"""
from pyrepl_stream import Session
with Session() as session:
    for _ in range(2):
        outcome = session.execute({code!r}).wait(30)
        print([log.text for log in outcome.logs], repr(outcome.stderr))
"""
    process = run_python(program)
    assert process.stdout == "['x'] ''\n" * 2
    assert process.stderr == ""


def test_a_handler_made_by_the_host_before_the_session_logs_to_the_execution_that_logs(
    session_of: Callable[..., Session], logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    logger.addHandler(logging.StreamHandler())
    session = session_of({"logger": logger})
    outcome = session.execute("logger.info('inside')").wait(60)
    assert [(log.level, log.text) for log in outcome.logs] == [("INFO", "inside")]
    logger.info("outside")
    assert capsys.readouterr() == ("", "outside\n")


def test_a_handler_made_in_an_earlier_execution_logs_to_the_one_that_logs(
    session_of: Callable[..., Session], logger: logging.Logger
) -> None:
    session = session_of({"logger": logger})
    session.execute("import logging\nlogger.addHandler(logging.StreamHandler())").wait(60)
    for text in "ab":
        assert [log.text for log in session.execute(f"logger.info({text!r})").wait(60).logs] == [text]


def test_a_handler_with_its_own_format_writes_text_to_the_execution_that_logs(
    session_of: Callable[..., Session], logger: logging.Logger
) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("[%(levelname)s] %(message)s"))
    logger.addHandler(handler)
    session = session_of({"logger": logger})
    outcome = session.execute("logger.info('x')").wait(60)
    assert (outcome.stderr, outcome.logs) == ("[INFO] x\n", [])


def test_a_handler_with_its_own_file_writes_to_that_file(
    session_of: Callable[..., Session], logger: logging.Logger
) -> None:
    file = io.StringIO()
    logger.addHandler(logging.StreamHandler(file))
    session = session_of({"logger": logger})
    outcome = session.execute("logger.info('x')").wait(60)
    assert (file.getvalue(), outcome.logs, outcome.stderr) == ("x\n", [], "")


def test_warnings_are_written_to_stderr(run_python: Callable[..., object]) -> None:
    program = """
from pyrepl_stream import Session
with Session() as session:
    print(session.execute("import warnings; warnings.warn('careful')").wait(30).stderr)
"""
    process = run_python(program)
    assert "UserWarning: careful" in process.stdout
    assert process.stderr == ""


# -- input --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "password"),
    [
        ("answer = input('name? ')", False),
        ("import getpass; answer = getpass.getpass('name? ')", True),
        ("from getpass import getpass; answer = getpass('name? ')", True),
        ("import asyncio; await asyncio.sleep(0); answer = input('name? ')", False),
    ],
)
def test_input_asks_the_reader(session: Session, code: str, password: bool) -> None:
    execution = session.execute(f"print('before')\n{code}\nprint(answer)")
    text = ""
    requests = []
    for message in execution:
        if message.type == MessageType.INPUT_REQUEST:
            requests.append((message.prompt, message.password, text))
            execution.input("Ada", message)
        elif message.type == MessageType.OUTPUT:
            text += message.text
    assert requests == [("name? ", password, "before\n")]
    assert text == "before\nAda\n"


def test_input_may_be_answered_without_naming_the_request(session: Session) -> None:
    execution = session.execute("print(input(), input())")
    for number, _ in enumerate(m for m in execution if m.type == MessageType.INPUT_REQUEST):
        execution.input(str(number))
    assert execution.stdout == "0 1\n"


def test_the_end_of_the_input_is_an_eof_error(session: Session) -> None:
    execution = session.execute("input()")
    for message in execution:
        if message.type == MessageType.INPUT_REQUEST:
            execution.input(None, message)
    assert execution.error is not None
    assert execution.error.name == "EOFError"


def test_an_answer_without_a_request_is_a_usage_error(session: Session) -> None:
    execution = session.execute("1")
    execution.wait(60)
    with pytest.raises(ValueError, match="asked"):
        execution.input("x")


def test_code_that_waits_for_input_can_be_interrupted(session: Session) -> None:
    execution = session.execute("input()")
    for message in execution:
        if message.type == MessageType.INPUT_REQUEST:
            execution.interrupt()
    assert execution.status == "interrupted"


def test_each_thread_that_asks_gets_its_own_answer(session: Session) -> None:
    code = """
import threading
answers = {}
def ask(name): answers[name] = input(name)
threads = [threading.Thread(target=ask, args=(name,)) for name in "abc"]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    execution = session.execute(code)
    for message in execution:
        if message.type == MessageType.INPUT_REQUEST:
            execution.input(message.prompt.upper(), message)
    assert session.namespace["answers"] == {"a": "A", "b": "B", "c": "C"}
