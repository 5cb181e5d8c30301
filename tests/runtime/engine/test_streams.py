"""`sys.stdout` of an execution, used as programs use a text stream."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import pytest

from pyrepl_stream import ExecutionResult, Message, OutputMessage, Session, StreamType

Run = Callable[[str], ExecutionResult]


@pytest.fixture
def run(session: Session) -> Run:
    def run(code: str) -> ExecutionResult:
        outcome = session.execute("import sys\n" + code).wait(60)
        assert outcome.error is None, "\n".join(outcome.error.traceback)
        return outcome

    return run


def raw(messages: list[Message], stream: StreamType = StreamType.STDOUT) -> bytes:
    return b"".join(
        m.data if isinstance(m.data, bytes) else m.data.encode("utf-8", "surrogatepass")
        for m in messages
        if isinstance(m, OutputMessage) and m.stream == stream
    )


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_bytes_arrive_unchanged_at_their_place(session: Session, stream: str) -> None:
    code = f"import sys\nout = sys.{stream}\nout.write('a')\nout.buffer.write(b'\\xff\\xfe')\nout.write('b')\nout.buffer.flush()"
    assert raw(list(session.execute(code)), StreamType(stream)) == b"a\xff\xfeb"


@pytest.mark.parametrize(
    "data", ["bytearray(b'x\\xff')", "memoryview(b'x\\xff')", "__import__('array').array('B', b'x\\xff')"]
)
def test_the_buffer_takes_anything_that_holds_bytes(session: Session, data: str) -> None:
    execution = session.execute(f"import sys\nsys.stdout.buffer.write({data})")
    assert execution.wait(60).result == "2"
    assert raw(list(execution)) == b"x\xff"


def test_every_byte_value_arrives(session: Session) -> None:
    code = "import sys\nfor i in range(256): sys.stdout.buffer.write(bytes([i]))"
    assert raw(list(session.execute(code))) == bytes(range(256))


def test_a_character_whose_bytes_come_one_by_one_is_text(run: Run) -> None:
    assert (
        run("for b in 'é\N{PILE OF POO}'.encode(): sys.stdout.buffer.write(bytes([b]))").stdout
        == "é\N{PILE OF POO}"
    )


def test_an_incomplete_character_at_the_end_is_not_lost(session: Session) -> None:
    execution = session.execute("import sys; sys.stdout.buffer.write('é'.encode()[:1])")
    assert raw(list(execution)) == "é".encode()[:1]


def test_bytes_that_are_not_utf8_are_surrogate_escapes_in_the_result(run: Run) -> None:
    assert run("sys.stdout.buffer.write(b'a\\xff');").stdout.encode("utf-8", "surrogateescape") == b"a\xff"


def test_lone_surrogates_arrive(run: Run) -> None:
    assert run("sys.stdout.write('a\\ud800b'); print('\\udcff', file=sys.stderr);").stdout == "a\ud800b"


def test_write_returns_the_length_and_an_empty_write_makes_no_message(session: Session) -> None:
    execution = session.execute(
        "import sys\nsys.stdout.write(''), sys.stderr.write(''), sys.stdout.write('abc'), sys.stderr.write('é')"
    )
    assert execution.wait(60).result == "(0, 0, 3, 1)"
    outputs = [message for message in execution if isinstance(message, OutputMessage)]
    assert [(m.stream, m.data) for m in outputs] == [("stdout", "abc"), ("stderr", "é")]


@pytest.mark.parametrize("value", ["5", "None", "b'x'"])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_writing_another_type_than_text_is_a_type_error(session: Session, stream: str, value: str) -> None:
    outcome = session.execute(f"import sys\nsys.{stream}.write('x'); sys.{stream}.write({value})").wait(60)
    assert outcome.error is not None
    assert outcome.error.name == "TypeError"


@pytest.mark.parametrize("stream", ["sys.stdout", "sys.stderr"])
def test_a_stream_has_the_attributes_of_a_text_stream(run: Run, stream: str) -> None:
    result = run(
        f"s = {stream}\ns.encoding, s.isatty(), s.writable(), s.readable(), s.closed, s.mode, s.newlines, bool(s.errors), bool(s.name)"
    ).result
    assert result == "('utf-8', False, True, False, False, 'w', None, True, True)"


def test_a_stream_is_an_instance_of_the_io_classes(run: Run) -> None:
    assert (
        run(
            "import io\nisinstance(sys.stdout, io.TextIOBase), isinstance(sys.stdout.buffer, io.BufferedIOBase)"
        ).result
        == "(True, True)"
    )


def test_writelines_and_flush_work(run: Run) -> None:
    assert (
        run("sys.stdout.writelines(['a', 'b']); sys.stdout.flush(); print('c', flush=True)").stdout == "abc\n"
    )


@pytest.mark.parametrize("how", ["sys.stdout.close()", "sys.stderr.close()", "sys.stdout.buffer.close()"])
def test_closing_a_standard_stream_has_no_effect(run: Run, how: str) -> None:
    run(how)
    assert run("print('still')").stdout == "still\n"


@pytest.mark.parametrize("stream", ["sys.stdout", "sys.stderr", "sys.stdout.buffer"])
def test_fileno_is_unsupported_and_the_error_names_the_way_out(run: Run, stream: str) -> None:
    result = run(
        f"import io\ntry: {stream}.fileno()\nexcept io.UnsupportedOperation as exc: text = str(exc)\ntext"
    ).result
    assert "file descriptor" in str(result)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_reconfigure_changes_the_bytes_that_are_written(session: Session, stream: str) -> None:
    code = f"import sys\nout = sys.{stream}\nprint('é', file=out)\nout.reconfigure(encoding='latin-1')\nprint(out.encoding)\nprint('é' * 3, file=out)"
    messages = list(session.execute(code))
    assert raw(messages, StreamType(stream)).replace(b"latin-1\n", b"") == "é\n".encode() + b"\xe9\xe9\xe9\n"


@pytest.mark.parametrize("errors", ["replace", "backslashreplace", "strict"])
def test_reconfigure_changes_how_errors_are_handled(session: Session, errors: str) -> None:
    code = f"import sys\nsys.stdout.reconfigure(errors={errors!r})\nsys.stdout.write('\\ud800')\nsys.stdout.errors"
    execution = session.execute(code)
    outcome = execution.wait(60)
    if errors == "strict":
        assert outcome.error is not None
        assert outcome.error.name == "UnicodeEncodeError"
    else:
        assert outcome.result == repr(errors)
        assert outcome.stdout == {"replace": "?", "backslashreplace": "\\ud800"}[errors]


def test_reconfigure_accepts_arguments_for_buffering(run: Run) -> None:
    assert (
        run(
            "sys.stdout.reconfigure(line_buffering=True, write_through=True, newline='\\n'); print('x')"
        ).stdout
        == "x\n"
    )


def test_reconfigure_raises_for_an_unknown_encoding(session: Session) -> None:
    outcome = session.execute("import sys\nsys.stdout.reconfigure(encoding='klingon')").wait(60)
    assert outcome.error is not None
    assert outcome.error.name == "LookupError"


def test_reconfigure_does_not_affect_other_executions(run: Run) -> None:
    run("sys.stdout.reconfigure(encoding='latin-1')")
    assert run("print(sys.stdout.encoding, 'é')").stdout == "utf-8 é\n"


def test_redirect_stdout_captures_the_output_of_code(run: Run) -> None:
    outcome = run(
        "import contextlib, io\nprint('before')\nwith contextlib.redirect_stdout(io.StringIO()) as caught:\n    print('in')\n"
        "with contextlib.redirect_stderr(sys.stdout): print('err', file=sys.stderr)\nprint('after', repr(caught.getvalue()))"
    )
    assert (outcome.stdout, outcome.stderr) == ("before\nerr\nafter 'in\\n'\n", "")
    assert run("print('next')").stdout == "next\n"


def test_a_stream_wrapped_around_the_buffer_works(run: Run) -> None:
    assert (
        run(
            "import io\nw = io.TextIOWrapper(sys.stdout.buffer, 'utf-16-le', write_through=True)\nw.write('x');w.detach();"
        ).stdout
        == "x\0"
    )


def test_writes_after_the_end_of_the_execution_belong_to_it(session: Session) -> None:
    session.namespace["go_on"] = go_on = threading.Event()
    execution = session.execute(
        "import sys, threading\nout, err, buffer = sys.stdout, sys.stderr, sys.stdout.buffer\n"
        "def late():\n    go_on.wait(); out.write('o'); err.write('e'); buffer.write(b'\\xff'); print('!')\n"
        "threading.Thread(target=late).start()"
    )
    execution.wait(60)
    go_on.set()
    messages: list[Message] = []
    for message in execution.attach(follow=True):
        messages.append(message)
        if raw(messages).endswith(b"!\n"):
            break
    assert raw(messages) == b"o\xff!\n"
    assert raw(messages, StreamType.STDERR) == b"e"


def test_writes_after_the_end_of_the_session_go_to_the_stream_of_the_process(
    run_python: Callable[..., object],
) -> None:
    program = """
import threading
from pyrepl_stream import Session
go_on = threading.Event()
with Session({"go_on": go_on}) as session:
    session.execute('''
import sys, threading
def late(): go_on.wait(); print("late"); print("error", file=sys.stderr); sys.stdout.flush()
thread = threading.Thread(target=late); thread.start()
''').wait(30)
go_on.set()
session.namespace["thread"].join()
"""
    process = run_python(program, "-W", "error")
    assert (process.stdout, process.stderr, process.returncode) == ("late\n", "error\n", 0)


def test_a_write_method_saved_while_text_flows_loses_nothing(
    session: Session, joined: Callable[..., str]
) -> None:
    code = """
import sys
for i in range(2000): print(i)
write = sys.stdout.write
for i in range(2000): write(f"{i}\\n")
"""
    expected = "".join(f"{i}\n" for i in range(2000))
    assert joined(list(session.execute(code))) == expected * 2


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork here")
@pytest.mark.parametrize("end", ["os._exit(0)", "sys.exit(0)", "pass", "exit()", "1 / 0"])
def test_a_fork_in_code_neither_doubles_nor_mixes_output(run_python: Callable[..., object], end: str) -> None:
    program = f"""
import sys
from pyrepl_stream import Session
with Session() as session:
    outcome = session.execute('''
import os, sys
print("before")
child = os.fork()
if child == 0:
    print("in the child", flush=True)
    {end}
else:
    os.waitpid(child, 0)
    print("after")
''').wait(30)
    print("next:", session.execute("print('x')").wait(30).stdout)
print(repr(outcome.stdout), outcome.status)
"""
    process = run_python(program)
    assert process.stdout.splitlines().count("'before\\nafter\\n' ok") == 1
    assert process.stdout.splitlines().count("in the child") == 1
    assert process.stdout.splitlines().count("next: x") == 1
    assert process.returncode == 0


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing_in_code_works(run_python: Callable[..., object], method: str) -> None:
    if sys.platform == "win32" and method == "fork":
        pytest.skip("no fork here")
    program = f"""
from pyrepl_stream import Session
if __name__ == "__main__":
    with Session() as session:
        print(session.execute('''
import multiprocessing, math
with multiprocessing.get_context({method!r}).Pool(2) as pool: values = pool.map(math.factorial, range(5))
print(values)
''').wait(40).stdout)
"""
    process = run_python(program)
    assert process.stdout == "[1, 1, 2, 6, 24]\n\n"
    assert process.stderr == ""
